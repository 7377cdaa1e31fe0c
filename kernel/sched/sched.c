/*
 * The scheduler; see sched.h. Called by core/entry.c on every way out, woken through by
 * ring/completion.c.
 * Always true: a RUNNABLE thread is in the queue or in the handoff place; the
 * RUNNING one is cpu->current; the slice timer is armed when a thread is queued, so an idle
 * processor gets no tick. The handoff place is its processor's own.
 */
#include "kernel/sched/sched.h"

#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/sched/cpu.h"
#include "kernel/time/timer_queue.h"
#include "kernel/trace/trace.h"

#define SLICE_NS 5000000ull

static struct spinlock run_queue_lock = SPINLOCK_INIT(LOCK_RANK_RUN_QUEUE, "run_queue");
static struct list run_queue = LIST_INIT(run_queue);
static struct timer_node slice_timer;
static uint64_t switches;

static void slice_arm(void);

static void slice_over(struct timer_node *node)
{
	(void)node;
	arch_cpu()->chores |= CHORE_TURN;
	/* On an idle processor there is no running thread to queue and arm again for those that have just been woken. */
	if (!list_empty(&run_queue))
		slice_arm();
}

static void slice_arm(void)
{
	if (!slice_timer.queued)
		timer_queue_add(&slice_timer, arch_time_ns() + SLICE_NS, slice_over);
}

/* Queues a runnable thread; the slice timer sees to it that it gets its turn. */
static COLD void enqueue(struct thread *thread)
{
	slice_arm();
	spin_lock(&run_queue_lock);
	list_append(&run_queue, &thread->run_link);
	spin_unlock(&run_queue_lock);
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

void sched_remove(struct thread *thread)
{
	struct cpu *cpu = arch_cpu();

	spin_lock(&run_queue_lock);
	list_remove(&thread->run_link);
	if (cpu->handoff == thread)
		cpu->handoff = NULL;
	if (cpu->loaded == thread)
		cpu->loaded = NULL;
	if (cpu->current == thread)
		cpu->current = NULL;
	thread->state = THREAD_ENDED;
	spin_unlock(&run_queue_lock);
}

void sched_yield(void)
{
	arch_cpu()->chores |= CHORE_TURN;
}

void sched_reap(void)
{
	arch_cpu()->chores |= CHORE_REAP;
}

/* One step of taking ended processes apart; the chore stays as long as there are more. */
static COLD void reap(struct cpu *cpu)
{
	if (!reaper_step())
		cpu->chores &= (uint8_t)~CHORE_REAP;
}

void sched_wait(struct thread *thread, uint32_t state)
{
	DEBUG_ASSERT(thread->state == THREAD_RUNNING);
	thread->state = (enum thread_state)state;
}

NO_BUFFER static struct thread *take_next(struct cpu *cpu)
{
	struct thread *next = cpu->handoff;
	struct list *link;

	if (likely(next)) {
		cpu->handoff = NULL;
		return next;
	}
	spin_lock(&run_queue_lock);
	link = list_take(&run_queue);
	spin_unlock(&run_queue_lock);
	return link ? container_of(link, struct thread, run_link) : NULL;
}

/* Nothing to run: takes ended processes apart, then sleeps until an interrupt brings work. */
static struct thread *idle(struct cpu *cpu)
{
	struct thread *next;

	for (;;) {
		next = take_next(cpu);
		if (next)
			return next;
		if (cpu->chores & CHORE_REAP) {
			reap(cpu);
			arch_take_interrupts();
		} else {
			arch_idle();
		}
	}
}

/* Processor time up to now was the running thread's; from now on it is the next one's. */
static void charge_time(struct cpu *cpu, struct thread *running)
{
	uint64_t now = arch_ticks();

	running->ticks += now - cpu->switch_ticks;
	cpu->switch_ticks = now;
}

NO_BUFFER static void run(struct cpu *cpu, struct thread *next)
{
	if (cpu->current)
		charge_time(cpu, cpu->current);
	else
		cpu->switch_ticks = arch_ticks();      /* nobody's until now */
	next->state = THREAD_RUNNING;
	cpu->current = next;
	if (next == cpu->loaded)
		return;
	trace_switch(cpu->loaded, next);
	arch_context_switch(cpu->loaded ? &cpu->loaded->context : NULL, &next->context, &next->process->vm->space);
	cpu->loaded = next;
	switches++;
}

/* Another thread than the running one, which waits, ended, or has had its turn. */
NO_BUFFER HOT_INLINE static inline struct arch_context *resume_next(struct cpu *cpu)
{
	struct thread *next;

	cpu->chores &= (uint8_t)~(CHORE_TURN | CHORE_WOKEN);
	next = take_next(cpu);
	if (unlikely(!next)) {
		if (cpu->current)
			charge_time(cpu, cpu->current);
		cpu->current = NULL;
		next = idle(cpu);
	}
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
	if (list_empty(&run_queue)) {      /* nobody waits for the turn; an arrival arms the slice anew */
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

	DEBUG_ASSERT(running == cpu->current && running == cpu->loaded && running != next);
	DEBUG_ASSERT(running->state == THREAD_WAIT_SYNC);
	if (unlikely(cpu->chores & (CHORE_REAP | CHORE_WOKEN)))
		return pass_later(next);
	DEBUG_ASSERT(!cpu->handoff);
	charge_time(cpu, running);
	next->state = THREAD_RUNNING;
	cpu->current = next;
	cpu->loaded = next;
	switches++;
	return arch_context_pass(&running->context, &next->context, &next->process->vm->space);
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

void sched_timer(void)
{
	(void)timer_queue_run(arch_time_ns());
}

uint64_t sched_switches(void)
{
	return switches;
}
