/*
 * The packed encoding: a tag byte says which bytes of a word are not zero, then come those bytes.
 * After tag 0x00 a count of further zero words, after 0xff a count of words copied as they are.
 */
#include "capnp/capnp_file.h"

struct output {
	uint8_t *bytes;
	uint64_t capacity;
	uint64_t used;
	bool is_full;
};

static void output_put(struct output *out, uint8_t byte)
{
	if (out->used == out->capacity)
		out->is_full = true;
	else
		out->bytes[out->used++] = byte;
}

/* The word's bytes that are not zero, one bit each. */
static uint8_t word_tag(uint64_t word)
{
	uint32_t tag = 0;

	for (uint32_t i = 0; i < 8; i++)
		tag |= (uint32_t)((word >> (8 * i) & 0xff) != 0) << i;
	return (uint8_t)tag;
}

/* Whether a word is better copied than packed: at most one byte of it is zero. */
static bool word_is_dense(uint64_t word)
{
	return __builtin_popcount(word_tag(word)) >= 7;
}

int32_t capnp_pack(const uint64_t *words, uint64_t count, uint8_t *out_bytes, uint64_t capacity,
		uint64_t *used)
{
	struct output out = { out_bytes, capacity, 0, false };
	uint64_t i = 0;

	while (i < count && !out.is_full) {
		uint64_t word = words[i++];
		uint8_t tag = word_tag(word);
		uint64_t run = 0;

		output_put(&out, tag);
		for (uint32_t b = 0; b < 8; b++)
			if ((tag >> b & 1) != 0)
				output_put(&out, (uint8_t)(word >> (8 * b)));
		if (tag == 0) {
			while (i + run < count && run < 255 && words[i + run] == 0)
				run++;
			output_put(&out, (uint8_t)run);
		} else if (tag == 0xff) {
			while (i + run < count && run < 255 && word_is_dense(words[i + run]))
				run++;
			output_put(&out, (uint8_t)run);
			for (uint64_t b = 0; b < run * 8; b++)
				output_put(&out, (uint8_t)(words[i + b / 8] >> (8 * (b % 8))));
		}
		i += tag == 0 || tag == 0xff ? run : 0;
	}
	*used = out.used;
	return out.is_full ? CAPNP_TOO_LARGE : CAPNP_OK;
}

int32_t capnp_unpack(const uint8_t *in, uint64_t in_bytes, uint64_t *words, uint64_t words_max,
		uint64_t *used)
{
	uint64_t at = 0;

	*used = 0;
	while (at < in_bytes) {
		uint8_t tag = in[at++];
		uint64_t word = 0;
		uint64_t run;

		for (uint32_t b = 0; b < 8; b++) {
			if ((tag >> b & 1) == 0)
				continue;
			if (at == in_bytes)
				return CAPNP_BAD_MESSAGE;
			word |= (uint64_t)in[at++] << (8 * b);
		}
		if (*used == words_max)
			return CAPNP_TOO_LARGE;
		words[(*used)++] = word;
		if (tag != 0 && tag != 0xff)
			continue;
		if (at == in_bytes)
			return CAPNP_BAD_MESSAGE;
		run = in[at++];
		if (run > words_max - *used)
			return CAPNP_TOO_LARGE;
		if (tag == 0) {
			__builtin_memset(words + *used, 0, run * 8);
		} else {
			if (run * 8 > in_bytes - at)
				return CAPNP_BAD_MESSAGE;
			__builtin_memcpy(words + *used, in + at, run * 8);
			at += run * 8;
		}
		*used += run;
	}
	return CAPNP_OK;
}
