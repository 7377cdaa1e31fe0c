/*
 * The memory and string functions that freestanding code gets. memcpy, memmove and memset are the
 * architecture's (memory.S), the rest is string.c.
 */
#ifndef KERNEL_CORE_STRING_H
#define KERNEL_CORE_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *one, const void *other, size_t count);
size_t strlen(const char *chars);

#endif
