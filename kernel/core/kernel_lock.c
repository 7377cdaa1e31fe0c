/*
 * The lock of the whole kernel; see kernel_lock.h. Taken and left by core/entry.c, ring/direct.c
 * and sched/sched.c.
 */
#include "kernel/core/kernel_lock.h"

#include "kernel/object/process.h"

/* The boot processor starts inside, exclusive. */
struct kernel_lock kernel_lock = { .next = 1, .serving = 0 };

static void door_set(struct cpu *cpu, enum door door)
{
	(void)__atomic_exchange_n(&cpu->door, door, __ATOMIC_SEQ_CST);
}

/* Lets others do with this processor's thread and address space what they like. */
static void wait_begin(struct cpu *cpu)
{
#if CONFIG_DEBUG
	ASSERT(cpu->held_count == 0);
#endif
	door_set(cpu, DOOR_WAITING);
}

static bool is_served(uint32_t ticket)
{
	return LOAD_ACQUIRE(&kernel_lock.serving) == ticket;
}

/* Longer than nearly all exclusive entries. Where processors are shared out by a hypervisor, the one
 * whose turn it is may not be running: whoever spins then only keeps it from it. */
#define PATIENCE_TICKS 100000u

static void ticket_wait(struct cpu *cpu)
{
	uint32_t ticket = __atomic_fetch_add(&kernel_lock.next, 1, __ATOMIC_SEQ_CST);
	uint64_t start = arch_ticks();

	while (!is_served(ticket)) {
		arch_space_yield();
		if (arch_ticks() - start < PATIENCE_TICKS) {
			arch_relax();
			continue;
		}
		__atomic_store_n(&cpu->ticket, ticket, __ATOMIC_RELAXED);
		door_set(cpu, DOOR_ASLEEP);
		if (!is_served(ticket))
			arch_sleep_until_called();
		door_set(cpu, DOOR_WAITING);
	}
}

COLD void kernel_call(uint32_t ticket)
{
	for (uint32_t i = 0; i < processor_count; i++) {
		struct cpu *cpu = processors[i];

		if (LOAD_ACQUIRE(&cpu->door) == DOOR_ASLEEP && __atomic_load_n(&cpu->ticket, __ATOMIC_RELAXED) == ticket)
			arch_processor_call(cpu);
	}
}

/* Takes a ticket if it is served at once. */
static bool ticket_try(void)
{
	uint32_t next = LOAD_ACQUIRE(&kernel_lock.serving);

	return __atomic_compare_exchange_n(&kernel_lock.next, &next, next + 1, false,
			__ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* Exclusive from here on, as soon as those that are inside shared have left. */
static void exclusive_begin(struct cpu *cpu)
{
	door_set(cpu, DOOR_EXCLUSIVE);
	for (uint32_t i = 0; i < processor_count; i++) {
		while (LOAD_ACQUIRE(&processors[i]->door) == DOOR_SHARED)
			arch_relax();
	}
}

COLD bool kernel_enter_shared_late(struct cpu *cpu)
{
	const struct thread *thread = cpu->current;

	wait_begin(cpu);
	ticket_wait(cpu);
	door_set(cpu, DOOR_SHARED);
	arch_space_refresh();
	kernel_pass_on();
	return cpu->current && cpu->current == thread && thread->state == THREAD_RUNNING;
}

void kernel_enter_exclusive(struct cpu *cpu)
{
	DEBUG_ASSERT(cpu->door != DOOR_EXCLUSIVE);
	if (likely(ticket_try())) {
		exclusive_begin(cpu);
		return;
	}
	wait_begin(cpu);
	ticket_wait(cpu);
	exclusive_begin(cpu);
	arch_space_refresh();
}

COLD void kernel_let_others(struct cpu *cpu)
{
	DEBUG_ASSERT(cpu->door == DOOR_EXCLUSIVE);
	wait_begin(cpu);
	kernel_pass_on();
	ticket_wait(cpu);
	exclusive_begin(cpu);
	arch_space_refresh();
}

bool kernel_upgrade(struct cpu *cpu)
{
	DEBUG_ASSERT(cpu->door == DOOR_SHARED);
	if (unlikely(!ticket_try()))
		return false;
	exclusive_begin(cpu);
	return true;
}

void kernel_leave_idle(struct cpu *cpu)
{
	/* A full barrier either way: what others queue from here on they find this word after. */
	if (cpu->door == DOOR_EXCLUSIVE)
		kernel_exclusive_end(cpu, DOOR_IDLE);
	else
		door_set(cpu, DOOR_IDLE);
}

void processor_stop(struct cpu *cpu)
{
	bool interrupted = false;

	DEBUG_ASSERT(kernel_is_exclusive() && cpu != arch_cpu());
	for (;;) {
		enum door door = LOAD_ACQUIRE(&cpu->door);

		if (door == DOOR_WAITING || door == DOOR_ASLEEP || door == DOOR_IDLE)
			return;
		if (door == DOOR_OUT && !interrupted) {
			arch_processor_interrupt(cpu);
			interrupted = true;
		}
		arch_relax();
	}
}
