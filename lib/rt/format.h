/*
 * Formatting numbers and strings into a caller's buffer.
 *
 * Conversions: %d %i %u %x %X %c %s %p %%, sizes h hh l ll z j t, flags '-', '0', '+', ' ' and
 * '#', a width and a precision, both also as '*'. No floating point, no %n. The result is always
 * terminated.
 */
#ifndef LIB_RT_FORMAT_H
#define LIB_RT_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "abi/compiler.h"

/* Answers the characters that are in the buffer, without the NUL: what did not fit is cut off.
 * A buffer of size 0 stays untouched. */
size_t format_into(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_into_va(char *buffer, size_t size, const char *format, va_list args)
		__attribute__((format(printf, 3, 0)));

/* As ISO C: the length that the whole result would have. */
int rt_snprintf(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
