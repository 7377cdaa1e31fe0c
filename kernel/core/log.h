/*
 * The kernel's log: one line per call on the first serial line. Levels below the boot log level are
 * dropped. Format: %s %c %d %u %x %p with l and z sizes, %% and widths with zero padding.
 */
#ifndef KERNEL_CORE_LOG_H
#define KERNEL_CORE_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include "abi/compiler.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
/* Writes chars as they are; for the Console object. */
void log_chars(const char *chars, size_t count);
/* Formats into a buffer, always terminated; answers the length without the NUL, cut to size - 1. */
size_t format_chars(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_chars_va(char *buffer, size_t size, const char *format, va_list args);

#endif
