/*
 * Checks the order of locks in debug builds: each processor remembers which locks it holds, in
 * order.
 */
#include "kernel/core/spinlock.h"
#include "kernel/core/panic.h"
#include "kernel/sched/cpu.h"

#if CONFIG_DEBUG

void spin_debug_acquire(struct spinlock *lock)
{
	struct cpu *cpu = arch_cpu();
	const struct spinlock *last;

	ASSERT(cpu->held_count < CPU_HELD_LOCKS_MAX);
	if (cpu->held_count > 0) {
		last = cpu->held[cpu->held_count - 1];
		if (last->rank >= lock->rank)
			panic("lock %s (rank %u) taken while %s (rank %u) is held", lock->name,
					lock->rank, last->name, last->rank);
	}
	cpu->held[cpu->held_count++] = lock;
}

void spin_debug_release(struct spinlock *lock)
{
	struct cpu *cpu = arch_cpu();
	uint32_t at = cpu->held_count;

	while (at > 0 && cpu->held[at - 1] != lock)
		at--;
	if (at == 0)
		panic("lock %s released by a processor that does not hold it", lock->name);
	cpu->held_count--;
	for (at--; at < cpu->held_count; at++)
		cpu->held[at] = cpu->held[at + 1];
}

void spin_debug_assert_held(const struct spinlock *lock)
{
	const struct cpu *cpu = arch_cpu();

	for (uint32_t at = 0; at < cpu->held_count; at++) {
		if (cpu->held[at] == lock)
			return;
	}
	panic("lock %s is not held where it must be", lock->name);
}

#endif
