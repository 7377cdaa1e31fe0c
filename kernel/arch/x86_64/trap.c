/*
 * What entry.S calls for interrupts and exceptions: passes those of user mode on to the kernel
 * proper and ends the machine, with registers and a backtrace, for those of the kernel itself.
 */
#include "arch/x86_64/internal.h"
#include "arch/x86_64/x86.h"
#include "kernel/core/panic.h"
#include "kernel/core/symbols.h"
#include "kernel/sched/cpu.h"

#define VECTOR_EXCEPTIONS 32
#define VECTOR_SPURIOUS   0xff
#define VECTOR_NMI        2

#define PAGE_FAULT         14
#define PAGE_FAULT_MAPPED  (1u << 0)
#define PAGE_FAULT_WRITE   (1u << 1)
#define PAGE_FAULT_USER    (1u << 2)
#define PAGE_FAULT_EXECUTE (1u << 4)

/* As trap_kernel in entry.S pushes it. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct arch_context *trap_from_user(
		uint64_t vector, uint64_t error_code, struct arch_context *context);
void trap_from_kernel(const struct trap_frame *frame);

static const struct {
	const char *name;
	uint8_t kind;
} exceptions[VECTOR_EXCEPTIONS] = {
	[0] = { "divide error", CRASH_KIND_ARITHMETIC },
	[1] = { "debug exception", CRASH_KIND_BREAKPOINT },
	[2] = { "non-maskable interrupt", CRASH_KIND_OTHER },
	[3] = { "breakpoint", CRASH_KIND_BREAKPOINT },
	[4] = { "overflow", CRASH_KIND_ARITHMETIC },
	[5] = { "bound exceeded", CRASH_KIND_ARITHMETIC },
	[6] = { "invalid instruction", CRASH_KIND_ILLEGAL_INSTRUCTION },
	[7] = { "no coprocessor", CRASH_KIND_ILLEGAL_INSTRUCTION },
	[8] = { "double fault", CRASH_KIND_OTHER },
	[10] = { "invalid task state", CRASH_KIND_PROTECTION },
	[11] = { "segment not present", CRASH_KIND_PROTECTION },
	[12] = { "stack segment fault", CRASH_KIND_PROTECTION },
	[13] = { "general protection fault", CRASH_KIND_PROTECTION },
	[14] = { "page fault", CRASH_KIND_ACCESS_FAULT },
	[16] = { "x87 exception", CRASH_KIND_ARITHMETIC },
	[17] = { "alignment check", CRASH_KIND_ACCESS_FAULT },
	[18] = { "machine check", CRASH_KIND_OTHER },
	[19] = { "vector exception", CRASH_KIND_ARITHMETIC },
	[21] = { "control protection", CRASH_KIND_PROTECTION },
};

static struct arch_context *fault_from_user(uint32_t vector, uint64_t error_code,
		const struct arch_context *context)
{
	struct arch_fault fault = {
		.vector = vector,
		.kind = exceptions[vector].kind,
		.error_code = error_code,
		.instruction = context->rip,
		.stack = context->rsp,
	};

	if (exceptions[vector].name == NULL)
		fault.kind = CRASH_KIND_OTHER;
	if (vector == PAGE_FAULT) {
		fault.address = read_cr2();
		fault.write = (error_code & PAGE_FAULT_WRITE) != 0;
		fault.execute = (error_code & PAGE_FAULT_EXECUTE) != 0;
		fault.mapped = (error_code & PAGE_FAULT_MAPPED) != 0;
		/* The processor's own access, for an instruction that user mode may not do: nothing to be mapped. */
		if (!(error_code & PAGE_FAULT_USER))
			fault.kind = CRASH_KIND_PROTECTION;
	}
#if CONFIG_DEBUG
	if (selftest_running)
		return selftest_fault(&fault);
#endif
	return kernel_fault(&fault);
}

struct arch_context *trap_from_user(
		uint64_t vector, uint64_t error_code, struct arch_context *context)
{
	if (vector < VECTOR_EXCEPTIONS)
		return fault_from_user((uint32_t)vector, error_code, context);
	if (vector == VECTOR_SPURIOUS)
		return context;
	if (vector == VECTOR_CALL) {      /* it came too late to wake anybody */
		arch_irq_end(VECTOR_CALL);
		return context;
	}
#if CONFIG_DEBUG
	if (selftest_running)
		return selftest_interrupt((uint32_t)vector);
#endif
	return kernel_interrupt((uint32_t)vector);
}

static NORETURN void trap_panic(const struct trap_frame *f)
{
	const char *name = f->vector < VECTOR_EXCEPTIONS ? exceptions[f->vector].name : NULL;

	panic_begin("%s (vector %lu, error code %lx) at %lx, address %lx",
			name != NULL ? name : "unexpected trap", f->vector, f->error_code, f->rip,
			read_cr2());
	panic_line("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	panic_line("rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
	panic_line("r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	panic_line("r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
	panic_line("rip %016lx cs %lx rflags %lx cr3 %lx", f->rip, f->cs, f->rflags, read_cr3());
	panic_end(f->rip, f->rbp);
}

void trap_from_kernel(const struct trap_frame *frame)
{
	struct cpu *cpu = arch_cpu();

	if (frame->vector == VECTOR_NMI && panic_is_elsewhere())
		arch_halt();
	if (frame->vector < VECTOR_EXCEPTIONS || !(cpu->arch.idle || cpu->arch.called))
		trap_panic(frame);
	if (frame->vector == VECTOR_SPURIOUS)
		return;
	if (frame->vector == VECTOR_CALL) {      /* it has woken, or came too late for that */
		arch_irq_end(VECTOR_CALL);
		return;
	}
#if CONFIG_DEBUG
	if (selftest_running) {
		selftest_interrupt_idle((uint32_t)frame->vector);
		return;
	}
#endif
	kernel_interrupt_idle((uint32_t)frame->vector);
}
