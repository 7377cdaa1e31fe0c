/*
 * Bytes and strings: what the compiler may call on its own account (memcpy, memmove, memset,
 * memcmp) and the few string functions that programs use.
 *
 * Blocks up to 16 bytes are moved by two words that may overlap, larger ones by vectors of which
 * the last may overlap the one before. The processor's string instructions would save nothing: a
 * short one costs more than it moves, and an emulator counts each step of a long one.
 */
#include <string.h>

#include <stdint.h>

#include "abi/compiler.h"

/* Keeps the compiler from turning a loop back into a call of the function that contains it, and
 * from unrolling what is short in practice. */
#define NO_LOOP_IDIOM __attribute__((no_builtin("memcpy", "memmove", "memset", "memcmp", "strlen")))
#define PLAIN_LOOP _Pragma("clang loop vectorize(disable) unroll(disable)")

/* Loads and stores at any address. */
struct __attribute__((packed, may_alias)) word {
	uint64_t value;
};
struct __attribute__((packed, may_alias)) half {
	uint32_t value;
};
typedef uint64_t vector __attribute__((vector_size(16), aligned(1), may_alias));

#define WORD(p) (((struct word *)(void *)(p))->value)
#define HALF(p) (((struct half *)(void *)(p))->value)
#define VECTOR(p) (*(vector *)(void *)(p))
#define WORD_FROM(p) (((const struct word *)(const void *)(p))->value)
#define HALF_FROM(p) (((const struct half *)(const void *)(p))->value)
#define VECTOR_FROM(p) (*(const vector *)(const void *)(p))

/* At most 16 bytes; all loads come before the stores, so the blocks may overlap. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t count)
{
	if (count >= 8) {
		uint64_t first = WORD_FROM(from);
		uint64_t last = WORD_FROM(from + count - 8);

		WORD(to) = first;
		WORD(to + count - 8) = last;
	} else if (count >= 4) {
		uint32_t first = HALF_FROM(from);
		uint32_t last = HALF_FROM(from + count - 4);

		HALF(to) = first;
		HALF(to + count - 4) = last;
	} else if (count != 0) {
		uint8_t first = from[0];
		uint8_t middle = from[count / 2];
		uint8_t last = from[count - 1];

		to[0] = first;
		to[count / 2] = middle;
		to[count - 1] = last;
	}
}

NO_LOOP_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	uint8_t *out = to;
	const uint8_t *in = from;
	vector last;
	size_t at;

	if (count <= 16) {
		copy_short(out, in, count);
		return to;
	}
	last = VECTOR_FROM(in + count - 16);
	PLAIN_LOOP
	for (at = 0; at + 64 < count; at += 64) {
		vector a = VECTOR_FROM(in + at);
		vector b = VECTOR_FROM(in + at + 16);
		vector c = VECTOR_FROM(in + at + 32);
		vector d = VECTOR_FROM(in + at + 48);

		VECTOR(out + at) = a;
		VECTOR(out + at + 16) = b;
		VECTOR(out + at + 32) = c;
		VECTOR(out + at + 48) = d;
	}
	PLAIN_LOOP
	for (; at + 16 < count; at += 16)
		VECTOR(out + at) = VECTOR_FROM(in + at);
	VECTOR(out + count - 16) = last;
	return to;
}

NO_LOOP_IDIOM void *memmove(void *to, const void *from, size_t count)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (count <= 16) {
		copy_short(out, in, count);
		return to;
	}
	if ((uintptr_t)out - (uintptr_t)in >= count) {
		PLAIN_LOOP
		for (; count >= 8; count -= 8, out += 8, in += 8)
			WORD(out) = WORD_FROM(in);
		copy_short(out, in, count);
		return to;
	}
	PLAIN_LOOP
	for (; count >= 8; count -= 8)
		WORD(out + count - 8) = WORD_FROM(in + count - 8);
	copy_short(out, in, count);
	return to;
}

static inline void set_short(uint8_t *to, uint64_t pattern, size_t count)
{
	if (count >= 8) {
		WORD(to) = pattern;
		WORD(to + count - 8) = pattern;
	} else if (count >= 4) {
		HALF(to) = (uint32_t)pattern;
		HALF(to + count - 4) = (uint32_t)pattern;
	} else if (count != 0) {
		to[0] = (uint8_t)pattern;
		to[count / 2] = (uint8_t)pattern;
		to[count - 1] = (uint8_t)pattern;
	}
}

NO_LOOP_IDIOM void *memset(void *to, int value, size_t count)
{
	uint8_t *out = to;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101u;
	vector wide = { pattern, pattern };
	uint8_t *last;
	size_t blocks;

	if (count <= 16) {
		set_short(out, pattern, count);
		return to;
	}
	last = out + count - 16;
	PLAIN_LOOP
	for (blocks = (count - 16) / 128; blocks != 0; blocks--, out += 128) {
		VECTOR(out) = wide;
		VECTOR(out + 16) = wide;
		VECTOR(out + 32) = wide;
		VECTOR(out + 48) = wide;
		VECTOR(out + 64) = wide;
		VECTOR(out + 80) = wide;
		VECTOR(out + 96) = wide;
		VECTOR(out + 112) = wide;
	}
	PLAIN_LOOP
	for (; out < last; out += 16)
		VECTOR(out) = wide;
	VECTOR(last) = wide;
	return to;
}

NO_LOOP_IDIOM int memcmp(const void *a, const void *b, size_t count)
{
	const uint8_t *x = a;
	const uint8_t *y = b;

	for (; count != 0; count--, x++, y++) {
		if (*x != *y)
			return *x < *y ? -1 : 1;
	}
	return 0;
}

void *memchr(const void *bytes, int value, size_t count)
{
	const uint8_t *in = bytes;

	for (; count != 0; count--, in++) {
		if (*in == (uint8_t)value)
			return (void *)(uintptr_t)in;
	}
	return NULL;
}

NO_LOOP_IDIOM size_t strlen(const char *string)
{
	const char *end = string;

	while (*end != '\0')
		end++;
	return (size_t)(end - string);
}

size_t strnlen(const char *string, size_t count_max)
{
	size_t count = 0;

	while (count < count_max && string[count] != '\0')
		count++;
	return count;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t count)
{
	for (; count != 0; count--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a < (uint8_t)*b ? -1 : 1;
		if (*a == '\0')
			break;
	}
	return 0;
}

char *strchr(const char *string, int character)
{
	for (;; string++) {
		if (*string == (char)character)
			return (char *)(uintptr_t)string;
		if (*string == '\0')
			return NULL;
	}
}

char *strrchr(const char *string, int character)
{
	const char *found = NULL;

	for (;; string++) {
		if (*string == (char)character)
			found = string;
		if (*string == '\0')
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *string, const char *part)
{
	size_t count = strlen(part);

	for (;; string++) {
		if (strncmp(string, part, count) == 0)
			return (char *)(uintptr_t)string;
		if (*string == '\0')
			return NULL;
	}
}
