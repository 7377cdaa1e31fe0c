/*
 * See plain_text.h. Used by object/console.c. UTF-8 as in RFC 3629, 4.
 */
#include "kernel/core/plain_text.h"

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Bytes of the valid multi-byte character at `in`, 0 if it is none or a C1 control. */
static size_t character_bytes(const uint8_t *in, size_t count)
{
	size_t bytes = in[0] >= 0xf0 ? 4 : in[0] >= 0xe0 ? 3 : 2;

	if (in[0] < 0xc2 || in[0] > 0xf4 || bytes > count)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if (!is_continuation(in[i]))
			return 0;
	}
	/* C1 controls, overlong forms, surrogates, and what lies above U+10FFFF. */
	if (in[0] == 0xc2 && in[1] < 0xa0)
		return 0;
	if ((in[0] == 0xe0 && in[1] < 0xa0) || (in[0] == 0xed && in[1] >= 0xa0))
		return 0;
	if ((in[0] == 0xf0 && in[1] < 0x90) || (in[0] == 0xf4 && in[1] >= 0x90))
		return 0;
	return bytes;
}

void plain_text_copy(char *out, const char *in, size_t count)
{
	const uint8_t *from = (const uint8_t *)in;
	size_t at = 0;

	while (at < count) {
		size_t bytes = from[at] < 0x80 ? 1 : character_bytes(from + at, count - at);
		bool good = bytes > 1 ||
				(bytes == 1 && (from[at] == '\t' || from[at] >= 0x20) &&
						from[at] != 0x7f);

		bytes = bytes == 0 ? 1 : bytes;
		for (size_t i = 0; i < bytes; i++)
			out[at + i] = good ? in[at + i] : '?';
		at += bytes;
	}
}
