/*
 * The pool; see entropy_pool.h. The kernel's one pool is owned by object/entropy.c.
 * Always true: after each function the key is one that has never been used for output.
 */
#include "kernel/core/entropy_pool.h"

#include "kernel/core/string.h"

#define KEY_BYTES (CHACHA20_KEY_WORDS * 4)

static const uint32_t nonce_output[3] = { 0, 0, 0 };
static const uint32_t nonce_mix[3] = { 1, 0, 0 };

static uint32_t rotate(uint32_t value, uint32_t bits)
{
	return value << bits | value >> (32 - bits);
}

/* RFC 8439, 2.1. */
static void quarter_round(uint32_t *s, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

static void double_round(uint32_t *s)
{
	quarter_round(s, 0, 4, 8, 12);
	quarter_round(s, 1, 5, 9, 13);
	quarter_round(s, 2, 6, 10, 14);
	quarter_round(s, 3, 7, 11, 15);
	quarter_round(s, 0, 5, 10, 15);
	quarter_round(s, 1, 6, 11, 12);
	quarter_round(s, 2, 7, 8, 13);
	quarter_round(s, 3, 4, 9, 14);
}

void chacha20_block(const uint32_t key[CHACHA20_KEY_WORDS], uint32_t counter,
		const uint32_t nonce[3], uint8_t out[CHACHA20_BLOCK_BYTES])
{
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t state[16];

	memcpy(start + 4, key, KEY_BYTES);
	start[12] = counter;
	memcpy(start + 13, nonce, 12);
	memcpy(state, start, sizeof(state));
	for (int i = 0; i < 10; i++)
		double_round(state);
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t word = state[i] + start[i];

		memcpy(out + i * 4, &word, 4); /* little-endian machines only */
	}
}

void entropy_pool_add(struct entropy_pool *pool, const void *bytes, size_t count)
{
	const uint8_t *from = bytes;
	uint8_t block[CHACHA20_BLOCK_BYTES];

	while (count > 0) {
		size_t part = MIN(count, (size_t)KEY_BYTES);
		uint8_t mixed[KEY_BYTES];

		memcpy(mixed, pool->key, KEY_BYTES);
		for (size_t i = 0; i < part; i++)
			mixed[i] ^= from[i];
		memcpy(pool->key, mixed, KEY_BYTES);
		chacha20_block(pool->key, 0, nonce_mix, block);
		memcpy(pool->key, block, KEY_BYTES);
		from += part;
		count -= part;
	}
}

void entropy_pool_fill(struct entropy_pool *pool, void *bytes, size_t count)
{
	uint8_t *to = bytes;
	uint32_t key[CHACHA20_KEY_WORDS];
	uint8_t block[CHACHA20_BLOCK_BYTES];

	/* Block 0 is the next key; output is what follows, under a key that is forgotten here. */
	memcpy(key, pool->key, KEY_BYTES);
	chacha20_block(key, 0, nonce_output, block);
	memcpy(pool->key, block, KEY_BYTES);
	for (uint32_t counter = 1; count > 0; counter++) {
		size_t part = MIN(count, sizeof(block));

		chacha20_block(key, counter, nonce_output, block);
		memcpy(to, block, part);
		to += part;
		count -= part;
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
	__asm__ volatile("" : : "r"(key), "r"(block) : "memory");
}
