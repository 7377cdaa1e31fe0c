/*
 * Bytes and strings: what the compiler may call on its own account (memcpy, memmove, memset, memcmp)
 * and the few string functions that programs use. Large blocks are moved by the processor's string
 * instructions; small ones by words, because starting those instructions costs more than the move.
 */
#include <string.h>

#include <stdint.h>

#define SMALL_BYTES 64u

/* Keeps the compiler from turning a loop back into a call of the function that contains it. */
#define NO_LOOP_IDIOM __attribute__((no_builtin("memcpy", "memmove", "memset", "memcmp", "strlen")))

/* An eight-byte load or store at any address. */
struct __attribute__((packed, may_alias)) word {
	uint64_t value;
};

NO_LOOP_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (count > SMALL_BYTES) {
		__asm__ volatile("rep movsb" : "+D"(out), "+S"(in), "+c"(count) : : "memory");
		return to;
	}
	for (; count >= 8; count -= 8, out += 8, in += 8)
		((struct word *)(void *)out)->value = ((const struct word *)(const void *)in)->value;
	while (count-- != 0)
		*out++ = *in++;
	return to;
}

NO_LOOP_IDIOM void *memmove(void *to, const void *from, size_t count)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if ((uintptr_t)out - (uintptr_t)in >= count)
		return memcpy(to, from, count);
	while (count-- != 0)
		out[count] = in[count];
	return to;
}

NO_LOOP_IDIOM void *memset(void *to, int value, size_t count)
{
	uint8_t *out = to;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101u;

	if (count > SMALL_BYTES) {
		__asm__ volatile("rep stosb" : "+D"(out), "+c"(count) : "a"(value) : "memory");
		return to;
	}
	for (; count >= 8; count -= 8, out += 8)
		((struct word *)(void *)out)->value = pattern;
	while (count-- != 0)
		*out++ = (uint8_t)value;
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
