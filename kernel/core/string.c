/*
 * Comparing memory and measuring strings. Built with -fno-builtin, so that the compiler does not
 * turn a loop here into a call of the function it is in.
 */
#include <stdint.h>

#include "kernel/core/string.h"

int memcmp(const void *one, const void *other, size_t count)
{
	const uint8_t *a = one, *b = other;
	uint64_t x, y;

	for (; count >= 8; count -= 8, a += 8, b += 8) {
		__builtin_memcpy_inline(&x, a, 8);
		__builtin_memcpy_inline(&y, b, 8);
		if (x != y)
			return __builtin_bswap64(x) < __builtin_bswap64(y) ? -1 : 1;
	}
	for (; count > 0; count--, a++, b++) {
		if (*a != *b)
			return *a < *b ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *chars)
{
	size_t n = 0;

	while (chars[n] != '\0')
		n++;
	return n;
}
