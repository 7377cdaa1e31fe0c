/*
 * Bytes and strings of freestanding programs: the part of ISO C's header that lib/rt/string.c supplies.
 * Libraries include it as <string.h>, on the host they get the host's own.
 */
#ifndef LIB_RT_INCLUDE_STRING_H
#define LIB_RT_INCLUDE_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *a, const void *b, size_t count);
void *memchr(const void *bytes, int value, size_t count);

size_t strlen(const char *string);
size_t strnlen(const char *string, size_t count_max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t count);
char *strchr(const char *string, int character);
char *strrchr(const char *string, int character);
char *strstr(const char *string, const char *part);

#endif
