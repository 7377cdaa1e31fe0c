/*
 * The processors that run; see cpu.h. Filled at boot by the port.
 */
#include "kernel/sched/cpu.h"

#include "kernel/core/panic.h"

struct cpu *processors[PROCESSORS_MAX];
struct run_queue *run_queues[PROCESSORS_MAX];
uint32_t processor_count;

void cpu_add(struct cpu *cpu)
{
	ASSERT(processor_count < PROCESSORS_MAX);
	spin_init(&cpu->queue_lock, LOCK_RANK_RUN_QUEUE, "run queue");
	run_queue_init(&cpu->queue, processor_count);
	timer_queue_init(&cpu->timers);
	reserved_init(cpu);
	cpu->number = processor_count;
	processors[cpu->number] = cpu;
	run_queues[cpu->number] = &cpu->queue;
	STORE_RELEASE(&processor_count, cpu->number + 1);
}

struct counters counters_sum(void)
{
	struct counters sum = { 0 };

	for (uint32_t i = 0; i < processor_count; i++) {
		const struct counters *counters = &processors[i]->counters;

		sum.interrupts += READ_ONCE(counters->interrupts);
		sum.timer_interrupts += READ_ONCE(counters->timer_interrupts);
		sum.calls += READ_ONCE(counters->calls);
		sum.switches += READ_ONCE(counters->switches);
		sum.wakes += READ_ONCE(counters->wakes);
	}
	return sum;
}
