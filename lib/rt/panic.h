/*
 * Broken invariants of a program. ASSERT stays in every build; DEBUG_ASSERT is for costly checks.
 * Neither ever tests a value that came from another process: such values get a status.
 */
#ifndef LIB_RT_PANIC_H
#define LIB_RT_PANIC_H

#include "abi/compiler.h"

/* The status of a process that found itself broken. */
#define PANIC_EXIT_STATUS 134

/* Says the sentence on the "log" or "console" that was granted, if any, and ends the process. */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

#define ASSERT(cond) \
	do { \
		if (unlikely(!(cond))) \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#if CONFIG_DEBUG
#define DEBUG_ASSERT(cond) ASSERT(cond)
#else
#define DEBUG_ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
