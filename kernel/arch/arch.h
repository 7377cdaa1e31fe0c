/*
 * The complete seam between the kernel and a processor architecture. A port supplies exactly these
 * names, in kernel/arch/<name>/, with the types of `arch_types.h` there. Everything else in the
 * kernel is the same on all machines; making this list shorter is always welcome.
 *
 * The kernel has one stack per processor and no stack per thread: an entry from user mode saves the
 * registers in the running thread's `struct arch_context`, runs C on the processor's stack with
 * interrupts off, and leaves through the context of whichever thread the C code answered. Nothing
 * in the kernel ever sleeps with a stack.
 */
#ifndef KERNEL_ARCH_ARCH_H
#define KERNEL_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "capos/kernel.capnp.h"

/*
 * struct arch_context: what a thread's registers are while it does not run.
 * struct arch_space:   one address space (root of the page tables, count of table pages).
 * struct arch_cpu:     first member of `struct cpu` (sched/cpu.h); what the entry code needs.
 * PAGE_SIZE, PAGE_SHIFT, USER_BASE, USER_END (lowest and one past the highest user address).
 */
#include "arch/x86_64/arch_types.h"

struct thread;
struct ledger;
struct boot_info;
struct cpu;

/* --- Start ---------------------------------------------------------------------------------- */

/* After the allocators work: descriptor tables, entry points, features (refuses with a sentence and
 * stops where the minimum is missing), interrupt controller, timer. Boot processor, once. */
void arch_init(const struct boot_info *boot);

/* Short names for SystemInfo. */
const char *arch_name(void);

/* --- Entering and leaving user mode --------------------------------------------------------- */

/*
 * Called by the entry code, on the processor's stack, interrupts off; supplied by the kernel proper
 * (core/entry.c). Each answers the thread to resume, which is not always the one that entered.
 * `arch_cpu.context` names the running thread's context; arch_context_load keeps it current.
 */
struct arch_context *kernel_syscall(uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t number);
/* A device or timer interrupt hit user mode; an exception happened there; an interrupt hit
 * arch_idle or arch_take_interrupts. Whoever takes an interrupt ends it with arch_irq_end, once. */
struct arch_context *kernel_interrupt(uint32_t vector);
struct arch_context *kernel_fault(const struct arch_fault *fault);
void kernel_interrupt_idle(uint32_t vector);

/* Leaves to user mode for the first time on this processor. */
NORETURN void arch_enter_user(struct arch_context *context);

/* Prepares a context that starts at `entry` with `stack` and two arguments in the first argument
 * registers; all other registers zero. `ring` is the user address that the ABI register shows. */
void arch_context_init(struct arch_context *context, uint64_t entry, uint64_t stack, uint64_t ring,
		uint64_t argument);

/* Sets the thread-local base (below USER_END) that a context which has not run yet starts with. */
static inline void arch_context_set_tls(struct arch_context *context, uint64_t base);

static inline void arch_copy_words(uint64_t *to, const uint64_t *from, uint64_t words);

/* Sets what `cap_enter` answers when this context, which entered by a system call, resumes. */
static inline void arch_context_set_result(struct arch_context *context, int64_t result);

/* Saves what the running context has in registers that the kernel does not use (vector state of a
 * preempted thread); another processor may load it from then on. */
void arch_context_save(struct arch_context *context);

/* Makes `next` in `space` the one that the processor leaves through; writes the page-table root only
 * if it differs. */
void arch_context_load(struct arch_context *next, struct arch_space *space);

/* The same for a thread in a system call, which has no more than such a call keeps. */
void arch_context_load_syscall(struct arch_context *next, struct arch_space *space);

/* Leaves the kernel at once through the loaded context, one of a system call, where the machine can,
 * and answers it where not. */
struct arch_context *arch_context_leave(struct arch_context *context);

/* Allocates and frees the part of a context that lives outside the thread (vector save area).
 * STATUS_OVERLOADED when there is no memory. */
status_t arch_context_create(struct arch_context *context) MUST_USE;
void arch_context_destroy(struct arch_context *context);

/* Fills a crash record's registers: up to `max` (name, value) pairs; answers how many. */
struct arch_register { const char *name; uint64_t value; };
uint32_t arch_context_registers(const struct arch_context *context,
		struct arch_register *out, uint32_t max);
/* A context that entered by a system call has all its registers, as user mode would find them; so all can be changed.
 * It does not run, or here. */
void arch_context_complete(struct arch_context *context);
/* Sets registers of a complete context that does not run, in the order of arch_context_registers and with its names; false, and
 * nothing has changed: the instruction pointer is none of user mode's. Of the flags what a program cannot change stays. */
bool arch_context_set_registers(struct arch_context *context, const struct arch_register *registers, uint32_t count) MUST_USE;
/* A complete context goes on at an entry of its program (below USER_END) with one argument and plain flags; all else stays. */
void arch_context_divert(struct arch_context *context, uint64_t entry, uint64_t argument);
/* User-mode return addresses by frame pointers, reading through `space` without faulting. */
uint32_t arch_user_backtrace(const struct arch_context *context, const struct arch_space *space,
		uint64_t *out, uint32_t max);

/* --- Address spaces ------------------------------------------------------------------------- */

/* The kernel half is shared. Page-table pages are frames charged to `ledger` (borrowed; outlives
 * the space). */
status_t arch_space_create(struct arch_space *space, struct ledger *ledger) MUST_USE;
/* Drops the translations that another processor has made untrue while this one waited at the door
 * or was idle. Inside again; what the processor leaves through next reloads all registers. */
void arch_space_refresh(void);
/* While it waits at the door: leaves the space that another one is about to destroy, if it is this. */
void arch_space_yield(void);
/* No processor has `space` loaded any more. Before arch_space_destroy; exclusive, and no thread is
 * left that could run in it. */
void arch_space_leave(struct arch_space *space);
/* Frees the tables. Leaves are not owned here: mapped pages stay what they are. */
void arch_space_destroy(struct arch_space *space);

enum arch_memory { ARCH_MEMORY_NORMAL, ARCH_MEMORY_DEVICE };

/* Maps one page. Replaces nothing: the slot must be empty. OVERLOADED when no table page can be
 * had. */
status_t arch_space_map(struct arch_space *space, uint64_t address, uint64_t physical,
		enum access access, enum arch_memory memory) MUST_USE;
/* Makes the table pages for a range, so that maps in it cannot fail. */
status_t arch_space_prepare(struct arch_space *space, uint64_t address, uint64_t pages) MUST_USE;
/* Removes or changes one page if it is mapped; no processor has the old translation any more, or
 * drops it before it runs a program again. Answers whether it was mapped, and arch_space_unmap to
 * what. Exclusive. */
bool arch_space_unmap(struct arch_space *space, uint64_t address, uint64_t *physical);
bool arch_space_protect(struct arch_space *space, uint64_t address, enum access access);
/* Physical address and access of a mapped user page; false if there is none. */
bool arch_space_lookup(const struct arch_space *space, uint64_t address, uint64_t *physical,
		enum access *access);

/* Physical memory through the direct map. */
static inline void *arch_direct(uint64_t physical);
static inline uint64_t arch_direct_physical(const void *address);

/* --- Processors ----------------------------------------------------------------------------- */

static inline struct cpu *arch_cpu(void);          /* this processor */
/* Starts all other processors that there are, up to PROCESSORS_MAX: each comes to
 * kernel_processor_start with its `struct cpu` added. Boot processor, once. */
void arch_processors_start(void);
/* Interrupts a processor with ARCH_VECTOR_WAKE. */
void arch_processor_interrupt(const struct cpu *cpu);
/* Ends another one's arch_sleep_until_called; on one that does not sleep so, nothing happens. */
void arch_processor_call(const struct cpu *cpu);
/* Stops all others for good, whatever they do. */
void arch_processors_halt(void);
void arch_idle(void);                              /* interrupts on, sleep, interrupts off */
void arch_take_interrupts(void);                   /* the same without sleep: those that wait */
static inline void arch_relax(void);               /* in a spin loop */
/* Sleeps until another processor calls this one (arch_processor_call), or for a shorter time.
 * Interrupts wait meanwhile. */
void arch_sleep_until_called(void);
NORETURN void arch_halt(void);                     /* stop for good */
/* Ends the machine: QEMU's debug-exit device at port 0x501 (status + 0x10, so that QEMU exits with
 * twice that plus 1), else ACPI, else a halt. A panic writes 0x0e and does not try ACPI. */
NORETURN void arch_power_off(uint32_t status);
NORETURN void arch_panic_exit(void);
NORETURN void arch_reboot(void);
bool arch_random(uint64_t *value);                 /* a hardware random word, if there is one */
/* Saves up to `max` return addresses of the kernel's own stack. */
uint32_t arch_backtrace(uint64_t *out, uint32_t max);
/* The same from a frame pointer on; `instruction` comes first unless it is 0. */
uint32_t arch_backtrace_from(uint64_t instruction, uint64_t frame, uint64_t *out, uint32_t max);

/* --- Time ----------------------------------------------------------------------------------- */

static inline uint64_t arch_ticks(void);            /* the processor's own counter, cheap */
uint64_t arch_ticks_to_ns(uint64_t ticks);
uint64_t arch_time_ns(void);                       /* monotonic since boot */
/* How a program computes arch_time_ns: (ticks - start) * ns_per_tick >> 32, if the counter has one rate. */
struct arch_counter {
	uint64_t start;
	uint64_t ns_per_tick;      /* in units of 2^-32 */
	bool     constant;
};
struct arch_counter arch_counter(void);
/* One shot, absolute; UINT64_MAX: none. May fire early: whoever takes the interrupt looks at the
 * time and sets it again. */
void arch_timer_set(uint64_t deadline_ns);

/* --- Interrupts ----------------------------------------------------------------------------- */

#define ARCH_IRQ_LINES 24
#define ARCH_VECTOR_WAKE  0xed
#define ARCH_VECTOR_TIMER 0xee
/* The line (0..ARCH_IRQ_LINES-1, ISA numbering) behind a vector, or -1. */
int arch_irq_line(uint32_t vector);
void arch_irq_enable(uint32_t line);               /* unmask */
void arch_irq_disable(uint32_t line);              /* mask */
void arch_irq_end(uint32_t vector);                /* end of interrupt to the local controller */

/* --- I/O ports and the diagnostics line ----------------------------------------------------- */

uint8_t arch_port_read(uint16_t port);
void arch_port_write(uint16_t port, uint8_t value);
/* Polled; works from the first instruction in C. */
void arch_console_write(const char *chars, size_t count);

#include "arch/x86_64/arch_inline.h"

#endif
