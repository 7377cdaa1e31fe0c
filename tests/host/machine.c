/*
 * The seam to a processor that is not there; see machine.h. Called by the kernel's sources as they are shipped.
 * Always true: `cpu->current` is the thread whose turn it is, and its context carries what cap_enter answered. Outside the
 * kernel's own entries the machine stands inside the kernel, exclusive, so that tests may do anything.
 */
#include "tests/host/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/syscall.h"
#include "kernel/core/entry.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"
#include "kernel/object/roots.h"
#include "kernel/object/session.h"
#include "kernel/ring/dispatch.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/time/timer_queue.h"

#define MEMORY_ALIGN 0x100000ul

static struct cpu processor;
struct cpu *arch_host_cpu = &processor;
uint8_t *arch_host_memory;
void (*machine_on_panic)(void);
void (*machine_on_unlock)(struct spinlock *lock);
void (*machine_on_leave)(void);
bool machine_no_fast;
bool machine_goes_directly;
uint64_t machine_random = 1;

/* In place of object/entropy.c's, whose pool remembers the lives before. */
void __wrap_entropy_fill(void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		machine_random ^= machine_random << 13;
		machine_random ^= machine_random >> 7;
		machine_random ^= machine_random << 17;
		((uint8_t *)bytes)[i] = (uint8_t)(machine_random >> 32);
	}
}


static uint64_t now_ns = 1;
static uint64_t timer_ns = UINT64_MAX;

/* --- Log and panic ------------------------------------------------------------------------------ */

void log_line(enum log_level level, const char *format, ...)
{
}

void log_chars(const char *chars, size_t count)
{
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	fputs("PANIC: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	if (machine_on_panic)
		machine_on_panic();
	abort();
}

/* --- Contexts ----------------------------------------------------------------------------------- */

status_t arch_context_create(struct arch_context *context)
{
	memset(context, 0, sizeof(*context));
	return STATUS_OK;
}

void arch_context_destroy(struct arch_context *context)
{
}

void arch_context_init(struct arch_context *context, uint64_t entry, uint64_t stack, uint64_t ring, uint64_t argument)
{
	context->rip = entry;
	context->rsp = stack;
	context->gs_base = ring;
	context->rsi = argument;
}

void arch_context_save(struct arch_context *context)
{
}

void arch_context_load(struct arch_context *next, struct arch_space *space)
{
	processor.arch.context = next;
}

void arch_space_refresh(void)
{
}

void arch_space_yield(void)
{
}

void arch_processor_interrupt(const struct cpu *cpu)
{
}

void arch_processor_call(const struct cpu *cpu)
{
}

void arch_sleep_until_called(void)
{
}

void arch_context_load_syscall(struct arch_context *next, struct arch_space *space)
{
	processor.arch.context = next;
}

struct arch_context *arch_context_leave(struct arch_context *context)
{
	return context;
}

uint32_t arch_context_registers(const struct arch_context *context,
		struct arch_register *out, uint32_t max)
{
	return 0;
}

void arch_context_complete(struct arch_context *context)
{
}

void arch_context_divert(struct arch_context *context, uint64_t entry, uint64_t argument)
{
}

bool arch_context_set_registers(struct arch_context *context, const struct arch_register *registers, uint32_t count)
{
	return true;
}

uint32_t arch_user_backtrace(const struct arch_context *context, const struct arch_space *space, uint64_t *out, uint32_t max)
{
	return 0;
}

/* --- Address spaces: a list of pages ------------------------------------------------------------ */

struct leaf {
	struct leaf *next;
	uint64_t     address;
	uint64_t     physical;
	enum access  access;
};

static struct leaf **space_leaves(const struct arch_space *space)
{
	return (struct leaf **)(uintptr_t)space->root;
}

static struct leaf **leaf_find(const struct arch_space *space, uint64_t address)
{
	struct leaf **link = space_leaves(space);

	while (*link && (*link)->address != address)
		link = &(*link)->next;
	return link;
}

status_t arch_space_create(struct arch_space *space, struct ledger *ledger)
{
	space->root = (uint64_t)(uintptr_t)calloc(1, sizeof(struct leaf *));
	space->table_pages = 0;
	space->ledger = ledger;
	return STATUS_OK;
}

void arch_space_leave(struct arch_space *space)
{
}

void arch_space_destroy(struct arch_space *space)
{
	struct leaf **head = space_leaves(space), *leaf;

	while ((leaf = *head)) {
		*head = leaf->next;
		free(leaf);
	}
	free(head);
	space->root = 0;
}

status_t arch_space_prepare(struct arch_space *space, uint64_t address, uint64_t pages)
{
	return STATUS_OK;
}

status_t arch_space_map(struct arch_space *space, uint64_t address, uint64_t physical, enum access access,
		enum arch_memory memory)
{
	struct leaf **link = leaf_find(space, address), *leaf;

	if (address < USER_BASE || address >= USER_END)
		return STATUS_INVALID_ARGUMENT;
	ASSERT(*link == NULL);
	leaf = calloc(1, sizeof(*leaf));
	*leaf = (struct leaf){ NULL, address, physical, access };
	*link = leaf;
	return STATUS_OK;
}

bool arch_space_unmap(struct arch_space *space, uint64_t address, uint64_t *physical)
{
	struct leaf **link = leaf_find(space, address), *leaf = *link;

	if (!leaf)
		return false;
	*link = leaf->next;
	*physical = leaf->physical;
	free(leaf);
	return true;
}

bool arch_space_protect(struct arch_space *space, uint64_t address, enum access access)
{
	struct leaf *leaf = *leaf_find(space, address);

	if (leaf)
		leaf->access = access;
	return leaf != NULL;
}

bool arch_space_lookup(const struct arch_space *space, uint64_t address, uint64_t *physical, enum access *access)
{
	const struct leaf *leaf = *leaf_find(space, address);

	if (!leaf)
		return false;
	*physical = leaf->physical;
	*access = leaf->access;
	return true;
}

/* --- Processor, time, interrupts ---------------------------------------------------------------- */

const char *arch_name(void)
{
	return "host";
}

uint64_t arch_time_ns(void)
{
	return now_ns;
}

struct arch_counter arch_counter(void)
{
	return (struct arch_counter){ 0, 1ull << 32, true };
}

/* What is played twice goes the same way twice. */
uint64_t arch_host_ticks(void)
{
	return now_ns;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

void arch_timer_set(uint64_t deadline_ns)
{
	timer_ns = deadline_ns;
}

/* Everybody sleeps. */
void arch_idle(void)
{
	if (timer_ns == UINT64_MAX)
		panic("every thread sleeps, and nothing will wake one");
	now_ns = MAX(now_ns, timer_ns);
	timer_ns = UINT64_MAX;
	kernel_interrupt_idle(ARCH_VECTOR_TIMER);
}

void arch_take_interrupts(void)
{
	if (now_ns >= timer_ns) {
		timer_ns = UINT64_MAX;
		kernel_interrupt_idle(ARCH_VECTOR_TIMER);
	}
}

int arch_irq_line(uint32_t vector)
{
	return -1;
}

void arch_irq_enable(uint32_t line)
{
}

void arch_irq_disable(uint32_t line)
{
}

void arch_irq_end(uint32_t vector)
{
}

bool arch_random(uint64_t *value)
{
	return false;
}

NORETURN void arch_power_off(uint32_t status)
{
	panic("the machine was switched off with status %u", status);
}

NORETURN void arch_reboot(void)
{
	panic("the machine was started again");
}

uint8_t arch_port_read(uint16_t port)
{
	panic("port %u was read", port);
}

void arch_port_write(uint16_t port, uint8_t value)
{
	panic("%u was written to port %u", value, port);
}

void arch_console_write(const char *chars, size_t count)
{
}

/* --- The direct way ----------------------------------------------------------------------------- */

/* The linker puts this between entry.c and direct.c (option --wrap). */
struct arch_context *__real_ring_enter(struct ring *ring);
struct arch_context *__wrap_ring_enter(struct ring *ring);

struct arch_context *__real_enter_generally(void);
struct arch_context *__wrap_enter_generally(void);

struct arch_context *__wrap_ring_enter(struct ring *ring)
{
	if (machine_no_fast)
		return __real_enter_generally();
	machine_goes_directly = true;
	return __real_ring_enter(ring);
}

struct arch_context *__wrap_enter_generally(void)
{
	machine_goes_directly = false;
	return __real_enter_generally();
}

/* --- For those who look on ---------------------------------------------------------------------- */

/* Between the kernel's sources, as above. */
void __real_spin_debug_release(struct spinlock *lock);
void __wrap_spin_debug_release(struct spinlock *lock);
struct arch_context *__real_sched_resume(void);
struct arch_context *__wrap_sched_resume(void);
struct arch_context *__real_sched_leave(void);
struct arch_context *__wrap_sched_leave(void);

void __wrap_spin_debug_release(struct spinlock *lock)
{
	if (machine_on_unlock)
		machine_on_unlock(lock);
	__real_spin_debug_release(lock);
}

struct arch_context *__wrap_sched_resume(void)
{
	if (machine_on_leave)
		machine_on_leave();
	return __real_sched_resume();
}

struct arch_context *__wrap_sched_leave(void)
{
	if (machine_on_leave)
		machine_on_leave();
	return __real_sched_leave();
}

/* --- For tests ---------------------------------------------------------------------------------- */

void machine_boot(uint64_t pages)
{
	struct boot_info boot = { .door = "host", .usable_count = 1 };
	uint64_t limit[LEDGER_CLASSES];

	arch_host_memory = aligned_alloc(MEMORY_ALIGN, ALIGN_UP(pages * PAGE_SIZE, MEMORY_ALIGN));
	boot.usable[0] = (struct boot_region){ PAGE_SIZE, pages * PAGE_SIZE };
	processor.arch.self = &processor;
	processor.door = DOOR_EXCLUSIVE;
	cpu_add(&processor);
	sched_init();
	frame_init(&boot);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		limit[i] = i == RESOURCE_CLASS_FRAMES ? frame_free_pages() / 8 * 7 : 1u << 20;
	clock_page_init(ledger_root_init(limit));
	ring_ops_init();
}

struct process *machine_process(const char *name, const uint64_t limit[LEDGER_CLASSES])
{
	struct process *process;
	uint64_t detail;

	if (process_create(name, strlen(name), 0, session_system(), ledger_root(), limit, &process, &detail) != STATUS_OK ||
			process_start(process, USER_BASE, USER_BASE, 0, &detail) != STATUS_OK)
		panic("process %s could not be made", name);
	if (!machine_thread())
		(void)sched_resume();
	return process;
}

uint32_t machine_grant(struct process *process, struct object *object, const struct capnp_interface *interface)
{
	struct facet *facet = facet_of_interface(interface);
	uint64_t detail;

	if (!facet || cap_table_reserve(&process->caps, 1, &detail) != STATUS_OK)
		panic("no room for a capability");
	object_hold(object);
	return cap_table_insert(&process->caps, object, facet, NULL, 0);
}

struct thread *machine_thread(void)
{
	return processor.current;
}

static void syscall(uint64_t arg0, uint64_t arg1, uint64_t arg2, uint64_t number)
{
	kernel_leave(&processor);
	(void)kernel_syscall(arg0, arg1, arg2, number);
	kernel_enter_exclusive(&processor);
}

void machine_enter(uint64_t flags, uint64_t min_complete, uint64_t deadline_ns)
{
	struct ring *ring = processor.current->ring;
	struct ring_entry *next = &ring->sq[ring->sq_head % RING_SQ_ENTRIES];

	machine_goes_directly = false;
	/* What stands alone in the queue is as good in the header, from where the direct way
	 * takes it. */
	if (!machine_no_fast && !(flags | min_complete | deadline_ns) && ring->header->sq_tail - ring->sq_head == 1 &&
			(next->flags & ENTRY_SYNC)) {
		memcpy(ring->header->sync_entry, next, sizeof(*next));
		ring_head_advance(ring);
		flags = ENTER_SYNC;
	}
	syscall(flags, min_complete, deadline_ns, SYSCALL_CAP_ENTER);
}

void machine_exit(int64_t status)
{
	syscall((uint64_t)status, 0, 0, SYSCALL_EXIT);
}

void machine_tick(void)
{
	if (now_ns < timer_ns)
		return;
	timer_ns = UINT64_MAX;
	if (processor.current) {
		kernel_leave(&processor);
		(void)kernel_interrupt(ARCH_VECTOR_TIMER);
	} else {
		kernel_leave_idle(&processor);
		kernel_interrupt_idle(ARCH_VECTOR_TIMER);
	}
	kernel_enter_exclusive(&processor);
}

int64_t machine_result(const struct thread *thread)
{
	return (int64_t)thread->context.rax;
}

uint64_t machine_now_ns(void)
{
	return now_ns;
}

void machine_pass(uint64_t ns)
{
	now_ns += ns;
}

void machine_reap(void)
{
	while (reaper_step())
		;
}

void machine_check(void)
{
	struct process *process;
	uint32_t id = 0;

	while ((process = process_find(id + 1, true))) {
		id = process->id;
		process_check(process);
		object_put(&process->object);
	}
	ledger_check(ledger_root());
	frame_check();
	slab_check();
	timer_queue_check();
}

struct machine_usage machine_usage(void)
{
	struct machine_usage usage = { .free_pages = frame_free_pages(), .blocks = machine_blocks() };

	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		usage.ledger[i] = ledger_root()->used[i];
	return usage;
}
