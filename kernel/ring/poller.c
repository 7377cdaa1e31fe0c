/*
 * Polled rings; see poller.h. Asked by the idle loop of sched/sched.c, by cap_enter (core/entry.c)
 * and by object/isolation_lease.c; entries are performed by ring/dispatch.c.
 */
#include "kernel/ring/poller.h"

#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/object/thread.h"
#include "kernel/ring/dispatch.h"
#include "kernel/sched/cpu.h"

/* A sleep and a wake-up cost the producer a system call and both an interrupt: some tens of
 * microseconds where processors are virtual. Whoever comes more often is not made to pay them. */
#define PATIENCE_NS 1000000ull

/* Others get into the kernel after so many entries. */
#define BATCH 16u
#define REST_PAUSE_NS 10000ull

/* What the program reads before its next look, or we before ours. */
static void say(struct ring *ring, uint32_t word)
{
	(void)__atomic_exchange_n(&ring->header->poller, word, __ATOMIC_SEQ_CST);
}

static void interrupt_elsewhere(const struct cpu *cpu)
{
	if (cpu != arch_cpu())
		arch_processor_interrupt(cpu);
}

static struct cpu *cpu_of(struct poller *poller)
{
	return container_of(poller, struct cpu, poller);
}

/* The polling of a ring has ended: takes what its program thought would be. */
static void rest_take(struct timer_node *node)
{
	struct ring *ring = container_of(node, struct ring, rest);

	/* Others get in between two batches. */
	if (ring_take(ring, BATCH) == BATCH)
		timer_queue_add(&ring->rest, arch_time_ns() + REST_PAUSE_NS, rest_take);
	else
		ring->is_polled = ring->poller != NULL;
}

void poller_bind(struct cpu *cpu, struct ring *ring)
{
	struct poller *poller = &cpu->poller;

	DEBUG_ASSERT(kernel_is_exclusive() && !poller->ring && !ring->poller);
	poller->ring = ring;
	poller->is_asleep = false;
	poller->has_more = true;
	poller->since_ticks = arch_ticks();
	ring->poller = poller;
	ring->is_polled = true;
	say(ring, POLLER_AWAKE);
	interrupt_elsewhere(cpu);
}

/* The two know nothing of each other any more. */
static void part(struct poller *poller)
{
	DEBUG_ASSERT(kernel_is_exclusive() && poller->ring->poller == poller);
	say(poller->ring, POLLER_NONE);
	poller->ring->poller = NULL;
	poller->ring = NULL;
}

void poller_unbind(struct cpu *cpu)
{
	struct ring *ring = cpu->poller.ring;

	if (!ring)
		return;
	part(&cpu->poller);
	/* Not here: what ends the lease may be an entry of this ring that is just performed. */
	ring->is_polled = ring_has_submitted(ring);
	if (ring->is_polled && !ring->rest.queue)
		timer_queue_add(&ring->rest, arch_time_ns(), rest_take);
}

void poller_forget(struct ring *ring)
{
	if (ring->poller)
		part(ring->poller);
	(void)timer_queue_remove(&ring->rest);
}

void poller_wake(struct poller *poller)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	if (!poller->is_asleep || !ring_has_submitted(poller->ring))
		return;
	poller->is_asleep = false;
	poller->since_ticks = arch_ticks();
	poller->wakes++;
	say(poller->ring, POLLER_AWAKE);
	interrupt_elsewhere(cpu_of(poller));
}

/* Whether there is anything that could be taken. Inside the kernel. */
static bool sees(const struct poller *poller)
{
	const struct ring_header *header = poller->ring->header;
	uint32_t tail = LOAD_ACQUIRE(&header->sq_tail);

	if (tail == READ_ONCE(poller->ring->sq_head))
		return false;
	return poller->has_more || tail != poller->seen_tail ||
			LOAD_ACQUIRE(&header->cq_head) != poller->seen_cq_head;
}

/* Takes a batch. Exclusive. */
static void take(struct cpu *cpu)
{
	struct poller *poller = &cpu->poller;
	struct ring *ring = poller->ring;
	uint64_t begin_ticks = arch_ticks();
	uint32_t taken;

	/* Read before, so that what changes meanwhile is seen. */
	poller->seen_tail = LOAD_ACQUIRE(&ring->header->sq_tail);
	poller->seen_cq_head = LOAD_ACQUIRE(&ring->header->cq_head);
	taken = ring_take(ring, BATCH);
	poller->has_more = taken == BATCH;
	poller->entries += taken;
	/* Nobody's turn is over when an entry yields. */
	cpu->chores &= (uint8_t)~(CHORE_TURN | CHORE_YIELD);
	poller->since_ticks = arch_ticks();
	poller->taking_ticks += poller->since_ticks - begin_ticks;
	if (poller->is_asleep && poller->ring) {
		poller->is_asleep = false;
		say(poller->ring, POLLER_AWAKE);
	}
}

/* Says so and looks once more; whether it may sleep. */
static bool fall_asleep(struct poller *poller)
{
	say(poller->ring, POLLER_ASLEEP);
	if (sees(poller)) {
		say(poller->ring, POLLER_AWAKE);
		return false;
	}
	poller->is_asleep = true;
	poller->sleeps++;
	return true;
}

bool poller_turn(struct cpu *cpu)
{
	struct poller *poller = &cpu->poller;

	if (likely(!poller->ring))
		return true;
	if (sees(poller)) {
		if (!kernel_is_exclusive())
			kernel_enter_exclusive(cpu);
		if (poller->ring)      /* it may have been taken away on the way in */
			take(cpu);
		return false;
	}
	if (poller->is_asleep)
		return true;
	if (arch_ticks_to_ns(arch_ticks() - poller->since_ticks) < PATIENCE_NS)
		return false;
	return fall_asleep(poller);
}
