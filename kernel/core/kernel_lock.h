/*
 * The lock of the whole kernel, in two modes. Shared: any number of processors at once, each on the
 * direct way (ring/direct.c), with the fine locks of what it touches. Exclusive: one processor,
 * while all others are in user mode, idle, or waiting here. Everything but the direct way runs
 * exclusive, so what it reasons about does not change under it, and the data of another processor is
 * its own to read and write.
 *
 * To enter shared a processor writes a word of its own cache line and reads the tickets, which only
 * exclusive entries write: processors that call and answer share no line that any of them writes.
 * Tickets make exclusive entries fair, among each other and to shared ones that come late.
 *
 * Always true: a processor that waits here, or for another to leave, holds no spin lock, and its
 * current thread runs (nobody else can have claimed it). A processor that waits here keeps its
 * address space and its translations; whoever is inside notes for it which are untrue, and it drops
 * them when it is let in (arch_space_refresh).
 */
#ifndef KERNEL_CORE_KERNEL_LOCK_H
#define KERNEL_CORE_KERNEL_LOCK_H

#include "kernel/core/panic.h"
#include "kernel/sched/cpu.h"

/* a atomic: the two are equal when no exclusive entry is wanted. */
struct kernel_lock {
	uint32_t next;              /* a, ticket of the next exclusive entry */
	uint32_t serving;           /* a, ticket of the one that is inside or comes next */
} __attribute__((aligned(CACHE_LINE_BYTES)));

extern struct kernel_lock kernel_lock;

/* Shared, after all exclusive entries that came first. As kernel_enter_shared. */
bool kernel_enter_shared_late(struct cpu *cpu) MUST_USE;

/* From outside (user mode or idle) to shared. False: the thread that ran here was taken away
 * meanwhile; the processor is in the kernel all the same. */
MUST_USE HOT_INLINE static inline bool kernel_enter_shared(struct cpu *cpu)
{
	DEBUG_ASSERT(cpu->door == DOOR_OUT || cpu->door == DOOR_IDLE);
	(void)__atomic_exchange_n(&cpu->door, DOOR_SHARED, __ATOMIC_SEQ_CST);
	if (likely(LOAD_ACQUIRE(&kernel_lock.next) == LOAD_ACQUIRE(&kernel_lock.serving)))
		return true;
	return kernel_enter_shared_late(cpu);
}

/* From outside or shared to exclusive. From shared everything may have changed meanwhile, the
 * processor's current thread included. No spin lock is held. */
void kernel_enter_exclusive(struct cpu *cpu);

/* From shared to exclusive with nothing changed but by others that were inside shared too; false,
 * and still shared: another entry comes first. */
bool kernel_upgrade(struct cpu *cpu) MUST_USE;

/* Whether another processor waits for the exclusive entry that this one is in to end. */
static inline bool kernel_is_wanted(void)
{
	return LOAD_ACQUIRE(&kernel_lock.next) != kernel_lock.serving + 1;
}

/* Lets those in who wait, and is exclusive again after them. Meanwhile everything may have changed, the processor's current
 * thread included. No spin lock is held. */
void kernel_let_others(struct cpu *cpu);

/* Calls the processor that sleeps until this ticket is served, if one does. */
void kernel_call(uint32_t ticket);

/* Whoever has the next ticket may come in. */
static inline void kernel_pass_on(void)
{
	uint32_t ticket = kernel_lock.serving + 1;

	/* A full barrier: who takes a ticket from here on sees this, who had one is seen. */
	(void)__atomic_exchange_n(&kernel_lock.serving, ticket, __ATOMIC_SEQ_CST);
	if (unlikely(LOAD_ACQUIRE(&kernel_lock.next) != ticket))
		kernel_call(ticket);
}

/* Ends an exclusive entry. */
static inline void kernel_exclusive_end(struct cpu *cpu, enum door door)
{
	__atomic_store_n(&cpu->door, door, __ATOMIC_RELAXED);
	kernel_pass_on();
}

/* To user mode, from shared. What is left of the way out only reads the context that it leaves
 * through; address space and registers have been loaded. */
HOT_INLINE static inline void kernel_leave_shared(struct cpu *cpu)
{
	DEBUG_ASSERT(cpu->door == DOOR_SHARED);
	STORE_RELEASE(&cpu->door, DOOR_OUT);
}

/* The same from either mode. */
HOT_INLINE static inline void kernel_leave(struct cpu *cpu)
{
	if (unlikely(cpu->door == DOOR_EXCLUSIVE))
		kernel_exclusive_end(cpu, DOOR_OUT);
	else
		kernel_leave_shared(cpu);
}

/* To idle. Whoever gives this processor work after this sees that it has to be woken. */
void kernel_leave_idle(struct cpu *cpu);

static inline bool kernel_is_exclusive(void)
{
	return arch_cpu()->door == DOOR_EXCLUSIVE;
}

/*
 * Brings another processor out of user mode: it waits at the door, or is idle, until this exclusive
 * entry ends, and the registers of its thread are in the thread's context, but for the vector
 * registers. Exclusive only.
 */
void processor_stop(struct cpu *cpu);

#endif
