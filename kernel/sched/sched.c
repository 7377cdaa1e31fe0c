/*
 * The scheduler; see sched.h. Called by core/entry.c on every way out, woken through by
 * ring/completion.c.
 *
 * A processor saves its thread's registers, and then lets go of the thread (`thread->cpu`), before
 * it takes another, sleeps, or waits for anybody. Whoever takes a thread waits for that: it can be
 * woken, and claimed, as soon as it is said to wait, when its processor is still on its way out.
 *
 * Always true: a RUNNABLE thread is in one queue or in one handoff place; the RUNNING one is
 * cpu->current; the slice timer is armed when a thread is queued behind a running one, so an idle
 * processor gets no tick.
 */
#include "kernel/sched/sched.h"

#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/timer_queue.h"
#include "kernel/trace/trace.h"

#define SLICE_NS 5000000ull

static void slice_arm(struct cpu *cpu);

static void slice_over(struct timer_node *node)
{
	struct cpu *cpu = container_of(node, struct cpu, slice);

	cpu->chores |= CHORE_TURN;
	/* On an idle processor there is no running thread to queue and arm again for those that have just been woken. */
	if (cpu->queued)
		slice_arm(cpu);
}

/* This processor's. */
static void slice_arm(struct cpu *cpu)
{
	if (!cpu->slice.queue)
		timer_queue_add(&cpu->slice, arch_time_ns() + SLICE_NS, slice_over);
}

/* --- Queues --------------------------------------------------------------------------------- */

static void queue_append(struct cpu *cpu, struct thread *thread)
{
	spin_lock(&cpu->queue_lock);
	list_append(&cpu->queue, &thread->run_link);
	thread->queue = cpu;
	WRITE_ONCE(cpu->queued, cpu->queued + 1);
	spin_unlock(&cpu->queue_lock);
}

static struct thread *queue_take(struct cpu *cpu)
{
	struct list *link;

	spin_lock(&cpu->queue_lock);
	link = list_take(&cpu->queue);
	if (link)
		WRITE_ONCE(cpu->queued, cpu->queued - 1);
	spin_unlock(&cpu->queue_lock);
	return link ? container_of(link, struct thread, run_link) : NULL;
}

/* Of whoever has some, beginning with the next processor. */
static struct thread *queue_steal(const struct cpu *cpu)
{
	struct thread *thread = NULL;

	for (uint32_t i = 1; i < processor_count && !thread; i++) {
		struct cpu *other = processors[(cpu->number + i) % processor_count];

		if (READ_ONCE(other->queued))
			thread = queue_take(other);
	}
	return thread;
}

static bool has_nothing(struct cpu *cpu)
{
	return LOAD_ACQUIRE(&cpu->door) == DOOR_IDLE && !READ_ONCE(cpu->queued);
}

/* Where a thread that can run is queued: where it ran last if that processor idles, on another that
 * does, or here. */
static struct cpu *place_for(const struct thread *thread, struct cpu *here)
{
	if (processor_count == 1)
		return here;
	if (thread->last && thread->last != here && has_nothing(thread->last))
		return thread->last;
	for (uint32_t i = 1; i < processor_count; i++) {
		struct cpu *other = processors[(here->number + i) % processor_count];

		if (has_nothing(other))
			return other;
	}
	return here;
}

/* Queues a runnable thread; the slice timer sees to it that it gets its turn. */
static COLD void enqueue(struct thread *thread)
{
	struct cpu *here = arch_cpu(), *cpu = place_for(thread, here);

	if (cpu == here)
		slice_arm(here);
	queue_append(cpu, thread);
	if (cpu == here)
		return;
	/* Before its last look at the queue an idle processor says that it is idle. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	here->counters.wakes++;
	arch_processor_interrupt(cpu);
}

NO_BUFFER HOT_INLINE void sched_wake(struct thread *thread, bool handoff)
{
	struct cpu *cpu = arch_cpu();

	thread->state = THREAD_RUNNABLE;
	if (handoff && !cpu->handoff) {
		cpu->handoff = thread;
		cpu->chores |= CHORE_WOKEN;
	} else {
		enqueue(thread);
	}
}

/* Processor time up to now was the running thread's; from now on it is the next one's. */
static void charge_time(struct cpu *cpu, struct thread *running)
{
	uint64_t now = arch_ticks();

	running->ticks += now - cpu->switch_ticks;
	cpu->switch_ticks = now;
}

/* Takes it from the processor that runs it. */
static void unplace(struct thread *thread)
{
	struct cpu *cpu = thread->cpu;

	if (!cpu)
		return;
	if (cpu != arch_cpu())
		processor_stop(cpu);
	if (cpu->current == thread) {
		charge_time(cpu, thread);
		cpu->current = NULL;
	}
	thread->cpu = NULL;
}

void sched_remove(struct thread *thread)
{
	struct cpu *queue = thread->queue;

	DEBUG_ASSERT(kernel_is_exclusive());
	unplace(thread);
	for (uint32_t i = 0; i < processor_count; i++) {
		if (processors[i]->handoff == thread)
			processors[i]->handoff = NULL;
	}
	if (queue && !list_empty(&thread->run_link)) {
		spin_lock(&queue->queue_lock);
		list_remove(&thread->run_link);
		queue->queued--;
		spin_unlock(&queue->queue_lock);
	}
	thread->state = THREAD_ENDED;
}

void sched_yield(void)
{
	arch_cpu()->chores |= CHORE_TURN;
}

void sched_reap(void)
{
	arch_cpu()->chores |= CHORE_REAP;
}

void sched_wait(struct thread *thread, uint32_t state)
{
	DEBUG_ASSERT(thread->state == THREAD_RUNNING);
	thread->state = (enum thread_state)state;
}

/* --- Running -------------------------------------------------------------------------------- */

/* The processor's thread stands where others can take it; it is not touched any more. */
HOT_INLINE static inline void let_go(struct thread *thread)
{
	arch_context_save(&thread->context);
	STORE_RELEASE(&thread->cpu, NULL);
}

/* Makes a thread this processor's, as soon as the one that it ran on has let it go. */
HOT_INLINE static inline void claim(struct cpu *cpu, struct thread *thread)
{
	while (unlikely(LOAD_ACQUIRE(&thread->cpu) != NULL))
		arch_relax();
	thread->cpu = cpu;
	thread->last = cpu;
	thread->state = THREAD_RUNNING;
	cpu->current = thread;
	cpu->counters.switches++;
}

/* Leaves the processor without a thread. */
static void put_down(struct cpu *cpu)
{
	struct thread *current = cpu->current;

	if (!current)
		return;
	charge_time(cpu, current);
	cpu->current = NULL;
	let_go(current);
}

static void run(struct cpu *cpu, struct thread *thread)
{
	cpu->switch_ticks = arch_ticks();      /* nobody's until now */
	claim(cpu, thread);
	arch_context_load(&thread->context, &thread->process->vm->space);
}

/* One step of taking ended processes apart; the chore stays as long as there are more. */
static COLD void reap(struct cpu *cpu)
{
	/* Whoever waits to claim a thread that sleeps does not wait for this. */
	if (cpu->current && cpu->current->state != THREAD_RUNNING)
		put_down(cpu);
	if (!kernel_is_exclusive())
		kernel_enter_exclusive(cpu);
	if (!reaper_step())
		cpu->chores &= (uint8_t)~CHORE_REAP;
}

NO_BUFFER HOT_INLINE static inline struct thread *take_next(struct cpu *cpu)
{
	struct thread *next = cpu->handoff;

	if (likely(next)) {
		cpu->handoff = NULL;
		return next;
	}
	return queue_take(cpu);
}

/* Out of the kernel until an interrupt, or just to let those in that wait. */
static void pause(struct cpu *cpu, bool sleep)
{
	kernel_leave_idle(cpu);
	if (sleep && !READ_ONCE(cpu->queued))
		arch_idle();
	else
		arch_take_interrupts();
	(void)!kernel_enter_shared(cpu);
	arch_space_refresh();
}

/* Nothing to run: takes ended processes apart, then sleeps until an interrupt brings work. */
static struct thread *idle(struct cpu *cpu)
{
	struct thread *next;

	for (;;) {
		next = take_next(cpu);
		if (!next)
			next = queue_steal(cpu);
		if (next)
			return next;
		if (cpu->chores & CHORE_REAP) {
			reap(cpu);
			pause(cpu, false);
		} else {
			pause(cpu, true);
		}
	}
}

/* Another thread than the running one, which waits, ended, or has had its turn. */
NO_BUFFER HOT_INLINE static inline struct arch_context *resume_next(struct cpu *cpu)
{
	struct thread *previous = cpu->current, *next;

	cpu->chores &= (uint8_t)~(CHORE_TURN | CHORE_WOKEN);
	put_down(cpu);
	next = take_next(cpu);
	if (unlikely(!next)) {
		previous = NULL;
		next = idle(cpu);
	}
	trace_switch(previous, next);
	run(cpu, next);
	return &next->context;
}

NO_BUFFER HOT_INLINE struct arch_context *sched_resume(void)
{
	struct cpu *cpu = arch_cpu();
	struct thread *current;

	if (unlikely(cpu->chores & CHORE_REAP))
		reap(cpu);
	current = cpu->current;
	if (!current || current->state != THREAD_RUNNING)
		return resume_next(cpu);
	/* Whom a call woke gets its turn in the queue, since the caller goes on. */
	if (unlikely(cpu->chores & CHORE_WOKEN)) {
		cpu->chores &= (uint8_t)~CHORE_WOKEN;
		if (cpu->handoff)
			enqueue(cpu->handoff);
		cpu->handoff = NULL;
	}
	if (likely(!(cpu->chores & CHORE_TURN)))
		return &current->context;
	if (!cpu->queued) {      /* nobody waits for the turn; an arrival arms the slice anew */
		cpu->chores &= (uint8_t)~CHORE_TURN;
		return &current->context;
	}
	current->state = THREAD_RUNNABLE;
	enqueue(current);
	return resume_next(cpu);
}

NO_BUFFER struct arch_context *sched_leave(void)
{
	return sched_resume();
}

/* The same when the running thread waits and `next` is to run, but ended processes wait to be
 * taken apart first, or a signal on the way has woken somebody else. */
static COLD struct arch_context *pass_later(struct thread *next)
{
	sched_wake(next, true);
	return sched_resume();
}

NO_BUFFER HOT_INLINE struct arch_context *sched_pass(struct thread *running, struct thread *next)
{
	struct cpu *cpu = arch_cpu();

	DEBUG_ASSERT(running == cpu->current && running != next && cpu->door == DOOR_SHARED);
	if (unlikely(cpu->chores & (CHORE_REAP | CHORE_WOKEN)))
		return pass_later(next);
	DEBUG_ASSERT(!cpu->handoff);
	charge_time(cpu, running);
	let_go(running);
	claim(cpu, next);
	arch_context_load_syscall(&next->context, &next->process->vm->space);
	kernel_leave_shared(cpu);
	return arch_context_leave(&next->context);
}

NO_BUFFER HOT_INLINE struct arch_context *sched_sleep(struct thread *running)
{
	struct cpu *cpu = arch_cpu();
	struct thread *next = cpu->handoff;

	/* Whoever is woken for a direct switch has slept by a system call. */
	if (unlikely(!next))
		return sched_leave();
	cpu->handoff = NULL;
	cpu->chores &= (uint8_t)~(CHORE_TURN | CHORE_WOKEN);
	return sched_pass(running, next);
}

uint64_t sched_ticks(const struct thread *thread)
{
	const struct cpu *cpu = thread->cpu;

	DEBUG_ASSERT(kernel_is_exclusive());
	return thread->ticks + (cpu && cpu->current == thread ? arch_ticks() - cpu->switch_ticks : 0);
}

void sched_timer(void)
{
	(void)timer_queue_run(arch_time_ns());
}

void sched_woken(void)
{
	struct cpu *cpu = arch_cpu();

	if (cpu->queued)
		slice_arm(cpu);
}
