/*
 * The fakes that test_fakes.h describes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/core/test_fakes.h"

#include "arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/sched/cpu.h"

#define MEMORY_ALIGN 0x100000

jmp_buf test_panic_return;
bool test_panic_expected;

static struct cpu test_cpu;
uint8_t *arch_host_memory;
struct cpu *arch_host_cpu = &test_cpu;

void test_memory_make(size_t bytes, uint8_t pattern)
{
	test_memory_free();
	arch_host_memory = aligned_alloc(MEMORY_ALIGN, ALIGN_UP(bytes, (size_t)MEMORY_ALIGN));
	memset(arch_host_memory, pattern, bytes);
}

void test_memory_free(void)
{
	free(arch_host_memory);
	arch_host_memory = NULL;
}

void panic(const char *format, ...)
{
	va_list args;

	if (test_panic_expected)
		longjmp(test_panic_return, 1);
	va_start(args, format);
	fputs("PANIC: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	abort();
}

void log_line(enum log_level level, const char *format, ...)
{
}

void spin_debug_acquire(struct spinlock *lock)
{
}

/* A panic that a test expects leaves locks held. */
void spin_debug_release(struct spinlock *lock)
{
}
