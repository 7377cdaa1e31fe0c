/*
 * UTF-8 for the terminal: how long a character is, which it is, and how many columns it takes.
 * Used by the key decoder, the line editor and the screen model. Ill-formed bytes count as one
 * character each and are shown as U+FFFD, so every byte string has a length and a picture.
 */
#ifndef LIB_TERM_UTF8_H
#define LIB_TERM_UTF8_H

#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu

/* Bytes of the character that starts with this byte; 1 for a byte that starts none. */
static inline uint32_t utf8_length(uint8_t first)
{
	if (first >= 0xC2 && first <= 0xDF)
		return 2;
	if (first >= 0xE0 && first <= 0xEF)
		return 3;
	if (first >= 0xF0 && first <= 0xF4)
		return 4;
	return 1;
}

/* The character at `bytes` (count > 0) and in *used its length, 1 where it is ill-formed. */
static inline uint32_t utf8_decode(const char *bytes, uint32_t count, uint32_t *used)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *b = (const uint8_t *)bytes;
	uint32_t length = utf8_length(b[0]);
	uint32_t c;

	*used = 1;
	if (length == 1)
		return b[0] < 0x80 ? b[0] : UTF8_REPLACEMENT;
	if (length > count)
		return UTF8_REPLACEMENT;
	c = b[0] & (0x7Fu >> length);
	for (uint32_t i = 1; i < length; i++) {
		if ((b[i] & 0xC0) != 0x80)
			return UTF8_REPLACEMENT;
		c = c << 6 | (b[i] & 0x3Fu);
	}
	if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return UTF8_REPLACEMENT;
	*used = length;
	return c;
}

/* Writes the character to `out` (4 bytes) and returns its length. */
static inline uint32_t utf8_encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* The offset of the character before `at`, of the character after it. */
static inline uint32_t utf8_previous(const char *bytes, uint32_t at)
{
	uint32_t start = at;
	uint32_t used;

	for (uint32_t back = 1; back <= 4 && back <= at; back++) {
		start = at - back;
		if (((uint8_t)bytes[start] & 0xC0) == 0x80)
			continue;
		(void)utf8_decode(bytes + start, back, &used);
		return used == back ? start : at - 1;
	}
	return at > 0 ? at - 1 : 0;
}

static inline uint32_t utf8_next(const char *bytes, uint32_t count, uint32_t at)
{
	uint32_t used;

	if (at >= count)
		return count;
	(void)utf8_decode(bytes + at, count - at, &used);
	return at + used;
}

/* Columns on a terminal: 0 for combining marks, 2 for East Asian wide and emoji, else 1. */
static inline uint32_t utf8_columns(uint32_t c)
{
	if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F))
		return 0;
	if ((c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF && c != 0x303F) ||
			(c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
			(c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
			(c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) ||
			(c >= 0x1F900 && c <= 0x1F9FF) || (c >= 0x20000 && c <= 0x3FFFD))
		return 2;
	return 1;
}

#endif
