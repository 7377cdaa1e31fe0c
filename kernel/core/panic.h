/*
 * Broken invariants. ASSERT stays in every build; DEBUG_ASSERT is for costly or hot checks. Neither
 * ever tests a value that came from outside the kernel: such values get a status.
 */
#ifndef KERNEL_CORE_PANIC_H
#define KERNEL_CORE_PANIC_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"

/* Prints the sentence and a symbolised backtrace on the diagnostics line and stops the machine. */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * A panic in parts, for traps: opens it, adds lines, and ends it with the backtrace from a frame
 * pointer on.
 */
/* Another processor panics. */
bool panic_is_elsewhere(void);

void panic_begin(const char *format, ...) PRINTF_LIKE(1, 2);
void panic_line(const char *format, ...) PRINTF_LIKE(1, 2);
NORETURN void panic_end(uint64_t instruction, uint64_t frame);

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
