/*
 * The end of a kernel that found itself broken: says what, where and by which way it came there, on
 * the diagnostics line, then stops the machine. Takes no lock and trusts nothing but the console.
 */
#include "kernel/core/panic.h"
#include "arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/symbols.h"

#define BACKTRACE_MAX 24

/* Not on the stack, which may be nearly used up. One processor panics; others are halted. */
static char panic_buffer[256];
static uint32_t panic_depth;
static const struct cpu *panic_cpu;

bool panic_is_elsewhere(void)
{
	const struct cpu *cpu = __atomic_load_n(&panic_cpu, __ATOMIC_RELAXED);

	return cpu && cpu != arch_cpu();
}

static void panic_write(const char *format, va_list args)
{
	size_t count = format_chars_va(panic_buffer, sizeof(panic_buffer) - 1, format, args);

	panic_buffer[count++] = '\n';
	arch_console_write(panic_buffer, count);
}

void panic_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_write(format, args);
	va_end(args);
}

static void panic_open(const char *format, va_list args)
{
	const struct cpu *none = NULL;

	(void)__atomic_compare_exchange_n(&panic_cpu, &none, arch_cpu(), false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED);
	if (panic_is_elsewhere())
		arch_halt();
	if (panic_depth++ > 0) {
		if (panic_depth == 2)
			panic_line("PANIC: again, while reporting the first");
		arch_panic_exit();
	}
	arch_processors_halt();
	arch_console_write("PANIC: ", 7);
	panic_write(format, args);
}

void panic_begin(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	panic_open(format, args);
	va_end(args);
}

static void panic_frames(const uint64_t *addresses, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t offset = 0;
		const char *name = kernel_symbol_lookup(addresses[i], &offset);

		if (name != NULL)
			panic_line("  #%u %lx %s+%lx", i, addresses[i], name, offset);
		else
			panic_line("  #%u %lx", i, addresses[i]);
	}
	arch_panic_exit();
}

void panic_end(uint64_t instruction, uint64_t frame)
{
	uint64_t addresses[BACKTRACE_MAX];

	panic_frames(addresses, arch_backtrace_from(instruction, frame, addresses, BACKTRACE_MAX));
	arch_panic_exit();
}

void panic(const char *format, ...)
{
	uint64_t addresses[BACKTRACE_MAX];
	va_list args;

	va_start(args, format);
	panic_open(format, args);
	va_end(args);
	panic_frames(addresses, arch_backtrace(addresses, BACKTRACE_MAX));
	arch_panic_exit();
}

/* Called by the compiler's stack check. */
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
	panic("a function wrote past its buffer on the stack");
}
