/*
 * The scheduler; see sched.h. Called by core/entry.c on every way out, woken through by
 * ring/completion.c. Whose turn it is in a queue is run_queue.c's to say.
 *
 * A processor saves its thread's registers, and then lets go of the thread (`thread->cpu`), before
 * it takes another, sleeps, or waits for anybody. Whoever takes a thread waits for that: it can be
 * woken, and claimed, as soon as it is said to wait, when its processor is still on its way out.
 *
 * Who runs and who pays are two: a thread that passes the processor on directly waits, but its entity
 * stays the runner of the queue, and all that follows, call upon call, is on its account until somebody
 * is chosen again. So a direct switch touches no queue. A thread that then goes on by itself moves to its own
 * account (`account_own`) when its turn is over, or when who paid is woken; and an answer brings its
 * caller back to its own, if the service had begun on its own (`sched_pass_back`).
 *
 * Always true: a RUNNABLE thread waits in one queue or is in one handoff place; the RUNNING one is
 * cpu->current, on a processor that it may run on, or that has CHORE_MOVE set; the slice timer is
 * armed while somebody waits behind a running one, no later than at the end of the runner's slice,
 * so an idle processor and a thread alone get no tick. No two queues are locked at once. A leased
 * processor has no handoff.
 */
#include "kernel/sched/sched.h"

#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/object/thread_event.h"
#include "kernel/sched/balance.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/donation.h"
#include "kernel/time/timer_queue.h"
#include "kernel/trace/trace.h"

/* Done with whoever runs next. */
#define CHORES_OF_TURN (CHORE_TURN | CHORE_YIELD | CHORE_WOKEN | CHORE_BACK | CHORE_MOVE | CHORE_STOP)

/* A processor gives away one of those who wait at most so often. */
#define BALANCE_NS 16000000ull

static const uint64_t slice_ns[SCHED_CLASSES] = {
	[SCHED_INTERACTIVE] = 500000,
	[SCHED_NORMAL] = 4000000,
	[SCHED_BATCH] = 16000000,
};

/* Fixed once the first thread has been made. */
static uint32_t slice_ticks[SCHED_CLASSES];
static uint64_t balance_ticks;

static uint64_t ns_to_ticks(uint64_t ns)
{
	return (ns << 20) / arch_ticks_to_ns(1u << 20);
}

void sched_init(void)
{
	for (uint32_t i = 0; i < SCHED_CLASSES; i++)
		slice_ticks[i] = (uint32_t)ns_to_ticks(slice_ns[i]);
	balance_ticks = ns_to_ticks(BALANCE_NS);
}

/* --- Queues --------------------------------------------------------------------------------- */

static struct thread *thread_of(struct sched_entity *entity)
{
	return entity ? container_of(entity, struct thread, entity) : NULL;
}

static struct cpu *cpu_of(struct run_queue *queue)
{
	return container_of(queue, struct cpu, queue);
}

/* A bit for each processor that is leased. Exclusive to write. */
static uint64_t isolated;

uint64_t sched_processors(void)
{
	return (1ull << processor_count) - 1;
}

/* A bit for each processor that takes threads. */
static uint64_t usable(void)
{
	return sched_processors() & ~READ_ONCE(isolated);
}

/* Takes the queue as it is at this moment. */
static inline struct run_queue *queue_lock(struct cpu *cpu) NO_LOCK_ANALYSIS
{
	spin_lock(&cpu->queue_lock);
	run_queue_charge(&cpu->queue, arch_ticks());
	return &cpu->queue;
}

static inline void queue_unlock(struct cpu *cpu) NO_LOCK_ANALYSIS
{
	spin_unlock(&cpu->queue_lock);
}

static void slice_over(struct timer_node *node);

/* The slice timer of this processor fires at `at_ticks`, or before; early, it is armed again. */
static COLD void slice_arm(struct cpu *cpu, uint64_t at_ticks)
{
	uint64_t now_ticks = arch_ticks();

	if (cpu->slice.queue)
		(void)timer_queue_remove(&cpu->slice);
	cpu->slice_ticks = at_ticks;
	timer_queue_add(&cpu->slice, arch_time_ns() + arch_ticks_to_ns(MAX(at_ticks, now_ticks) - now_ticks), slice_over);
}

/* Of a queue that is locked: when its runner's turn is over; UINT64_MAX if nobody waits for that. */
static inline uint64_t turn_end_ticks(struct run_queue *queue)
{
	/* Who runs on a budget has no turn here that could end. */
	if (!run_queue_has_waiting(queue) || cpu_of(queue)->reserved.charged)
		return UINT64_MAX;
	return queue->time_ticks + (queue->runner ? run_queue_left_ticks(queue) : 0);
}

/* On this processor. */
static inline void queue_unlock_and_arm(struct cpu *cpu)
{
	uint64_t end_ticks = turn_end_ticks(&cpu->queue);

	queue_unlock(cpu);
	if (unlikely(end_ticks != UINT64_MAX && (!cpu->slice.queue || end_ticks < cpu->slice_ticks)))
		slice_arm(cpu, end_ticks);
}

static COLD void leave_queue(struct sched_entity *entity)
{
	struct cpu *cpu = cpu_of(entity->queue);

	(void)queue_lock(cpu);
	if (entity->place == SCHED_ASLEEP || entity->place == SCHED_RUNNER)
		run_queue_leave(entity);
	queue_unlock(cpu);
}

/* Leaves the queue of another processor, where it is asleep or pays for who runs there. */
static inline void leave_home(struct sched_entity *entity, const struct run_queue *but)
{
	if (unlikely(entity->queue != but && entity->queue))
		leave_queue(entity);
}

/* From now on what passes is on the account of the thread that runs here; the queue is locked. It has left all
 * others. */
static void account_own(struct cpu *cpu, struct thread *thread)
{
	struct run_queue *queue = &cpu->queue;

	cpu->payer = thread;
	if (likely(queue->runner == &thread->entity))
		return;
	if (queue->runner)
		run_queue_sleep(queue);
	run_queue_enter(queue, &thread->entity);
}

/* It paid for another thread, which goes on. */
static COLD void payer_leave(struct cpu *cpu, struct sched_entity *entity)
{
	struct thread *current = cpu->current;

	run_queue_leave(entity);
	if (cpu == arch_cpu() && current && current->state == THREAD_RUNNING
			&& (!current->entity.queue || current->entity.queue == &cpu->queue))
		account_own(cpu, current);
}

/* Queues an entity on a processor, which gets to know of it. */
static void place(struct cpu *cpu, struct sched_entity *entity)
{
	struct cpu *here = arch_cpu();
	struct run_queue *queue;
	bool is_better, is_first;

	leave_home(entity, &cpu->queue);
	queue = queue_lock(cpu);
	if (unlikely(entity->place == SCHED_RUNNER))
		payer_leave(cpu, entity);
	run_queue_join(queue, entity);
	is_better = queue->runner && run_queue_preempts(queue, entity);
	if (cpu == here) {
		if (is_better)
			here->chores |= CHORE_TURN;
		queue_unlock_and_arm(here);
		return;
	}
	if (is_better)
		cpu->has_better = true;
	is_first = queue->count <= 2;
	queue_unlock(cpu);
	/* Else it has armed its timer already. */
	if (is_better || is_first) {
		/* Before its last look at the queue an idle processor says that it is idle. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		here->counters.wakes++;
		arch_processor_interrupt(cpu);
	}
}

/* A thread that does not wait in the queue of a processor: it is suspended, or runs on a budget. */
static COLD bool set_aside(struct thread *thread)
{
	if (thread->suspends)
		thread->state = THREAD_SUSPENDED;
	else if (!reserved_enqueue(thread))
		return false;
	leave_home(&thread->entity, NULL);
	return true;
}

/* Queues a runnable thread; the slice timer sees to it that it gets its turn. */
COLD void sched_enqueue(struct thread *thread)
{
	struct cpu *cpu = arch_cpu();
	struct run_queue *queue;

	if (unlikely(thread->is_special) && set_aside(thread))
		return;
	if (processor_count > 1) {
		queue = run_queue_choose(run_queues, usable(), &thread->entity);
		cpu = queue ? cpu_of(queue) : processors[SCHED_SHELTER];
	}
	place(cpu, &thread->entity);
}

/* --- Several processors --------------------------------------------------------------------- */

/* One of those who wait here may move to a processor that has less to do. */
static COLD void balance(struct cpu *cpu)
{
	uint64_t candidates = usable() & ~run_queue_bit(&cpu->queue);
	struct run_queue *to;

	if (!run_queue_balance_due(&cpu->queue, arch_ticks()))
		return;
	while ((to = run_queue_lightest(run_queues, &candidates, &cpu->queue)) != NULL) {
		struct run_queue *queue = queue_lock(cpu);
		struct sched_entity *entity = run_queue_give(queue, to, queue->time_ticks, balance_ticks);

		queue_unlock(cpu);
		if (entity) {
			place(cpu_of(to), entity);
			return;
		}
	}
}

/* For a processor that has nothing to do: one who waits for another. */
static struct thread *queue_steal(struct cpu *cpu)
{
	uint64_t candidates = usable() & ~run_queue_bit(&cpu->queue);
	struct run_queue *from;

	if (unlikely(cpu->isolation.is_on))
		return NULL;
	while ((from = run_queue_busiest(run_queues, &candidates)) != NULL) {
		struct run_queue *queue = queue_lock(cpu_of(from));
		struct sched_entity *entity = run_queue_give(queue, &cpu->queue, queue->time_ticks, balance_ticks);

		queue_unlock(cpu_of(from));
		if (!entity)
			continue;
		queue = queue_lock(cpu);
		if (!queue->runner) {
			run_queue_enter(queue, entity);
			cpu->payer = thread_of(entity);
		} else {
			run_queue_join(queue, entity);
			entity = NULL;
		}
		queue_unlock_and_arm(cpu);
		return thread_of(entity);
	}
	return NULL;
}

/* The runner's slice has ended, or has been cut short because the timer was armed for another one. */
static void slice_over(struct timer_node *node)
{
	struct cpu *cpu = container_of(node, struct cpu, slice);
	uint64_t end_ticks, now_ticks;

	now_ticks = queue_lock(cpu)->time_ticks;
	end_ticks = turn_end_ticks(&cpu->queue);
	queue_unlock(cpu);
	if (end_ticks == UINT64_MAX)
		return;
	if (end_ticks > now_ticks)
		slice_arm(cpu, end_ticks);
	else
		cpu->chores |= CHORE_TURN;
	balance(cpu);
}

NO_BUFFER HOT_INLINE void sched_wake(struct thread *thread, bool handoff)
{
	struct cpu *cpu = arch_cpu();

	thread->state = THREAD_RUNNABLE;
	if (handoff && !cpu->handoff && (!thread->is_confined || sched_may_pass(thread)) && !cpu->isolation.is_on) {
		cpu->handoff = thread;
		cpu->chores |= CHORE_WOKEN;
	} else {
		sched_enqueue(thread);
	}
}

void sched_wake_back(struct thread *thread)
{
	struct cpu *cpu = arch_cpu();

	sched_wake(thread, true);
	if (cpu->handoff == thread)
		cpu->chores |= CHORE_BACK;
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

/* Takes it out of handoff places. */
static void unhand(const struct thread *thread)
{
	for (uint32_t i = 0; i < processor_count; i++) {
		if (processors[i]->handoff == thread)
			processors[i]->handoff = NULL;
	}
}

void sched_remove(struct thread *thread)
{
	struct sched_entity *entity = &thread->entity;

	DEBUG_ASSERT(kernel_is_exclusive());
	if (thread->is_special) {
		reserved_leave(thread);
		donation_thread_ended(thread);
	}
	unplace(thread);
	unhand(thread);
	if (entity->queue) {
		struct cpu *cpu = cpu_of(entity->queue);

		(void)queue_lock(cpu);
		run_queue_end(entity);
		queue_unlock(cpu);
	}
	thread->state = THREAD_ENDED;
}

/* Takes it out of the queue where it waits for its turn. */
static void unqueue(struct sched_entity *entity)
{
	if (!entity->queue)
		return;
	(void)queue_lock(cpu_of(entity->queue));
	if (entity->place != SCHED_OUT)
		run_queue_leave(entity);
	queue_unlock(cpu_of(entity->queue));
}

/* The processor is to look for another turn. Exclusive. */
static void interrupt_turn(struct cpu *cpu, uint8_t chores)
{
	cpu->chores |= chores;
	if (cpu != arch_cpu())
		arch_processor_interrupt(cpu);
}

void sched_requeue(struct thread *thread)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	if (thread->state != THREAD_RUNNABLE && thread->state != THREAD_RUNNING)
		return;
	reserved_leave(thread);
	if (thread->state == THREAD_RUNNING) {
		interrupt_turn(thread->cpu, CHORE_TURN | CHORE_BUDGET);
		return;
	}
	unhand(thread);
	unqueue(&thread->entity);
	sched_enqueue(thread);
}

void sched_suspend(struct thread *thread)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	if (thread->state == THREAD_RUNNING)
		interrupt_turn(thread->cpu, CHORE_TURN | CHORE_STOP);
	if (thread->state != THREAD_RUNNABLE)
		return;
	reserved_leave(thread);
	unhand(thread);
	unqueue(&thread->entity);
	thread->state = THREAD_SUSPENDED;
}

void sched_continue(struct thread *thread)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	if (thread->state != THREAD_SUSPENDED)
		return;
	thread->state = THREAD_RUNNABLE;
	sched_enqueue(thread);
}

/* Of those that had to wait here for want of a processor of their own, some have one again. */
static void shelter_empty(struct cpu *cpu)
{
	struct sched_entity *entity;

	do {
		entity = run_queue_stray(queue_lock(cpu), usable());
		if (entity)
			run_queue_leave(entity);
		queue_unlock(cpu);
		if (entity)
			sched_enqueue(thread_of(entity));
	} while (entity);
	interrupt_turn(cpu, CHORE_TURN | CHORE_MOVE);
}

void sched_isolate(struct cpu *cpu, bool is_on)
{
	uint64_t bit = run_queue_bit(&cpu->queue);
	struct run_queue *queue;
	struct sched_entity *entity;

	DEBUG_ASSERT(kernel_is_exclusive());
	cpu->isolation = (struct isolation){ .is_on = is_on, .since_ns = arch_time_ns() };
	isolated = is_on ? isolated | bit : isolated & ~bit;
	/* Whom a batch there has woken that let others in meanwhile. */
	if (is_on && cpu->handoff) {
		struct thread *woken = cpu->handoff;

		cpu->handoff = NULL;
		sched_enqueue(woken);
	}
	while (is_on) {
		queue = queue_lock(cpu);
		if (queue->runner)
			run_queue_leave(queue->runner);
		entity = run_queue_pick(queue);
		if (entity)
			run_queue_leave(entity);
		queue_unlock(cpu);
		if (!entity)
			break;
		sched_enqueue(thread_of(entity));
	}
	if (!is_on)
		shelter_empty(processors[SCHED_SHELTER]);
	/* Whoever runs there goes elsewhere, or finds that others may come. */
	interrupt_turn(cpu, CHORE_TURN);
}

void sched_yield(void)
{
	arch_cpu()->chores |= CHORE_TURN | CHORE_YIELD;
}

void sched_reap(void)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	arch_cpu()->chores |= CHORE_REAP;
	/* This one may stay in user mode for long; whoever idles has time. */
	for (uint32_t i = 0; i < processor_count; i++) {
		struct cpu *cpu = processors[i];

		if (cpu->door == DOOR_IDLE && !cpu->isolation.is_on && !(cpu->chores & CHORE_REAP)) {
			cpu->chores |= CHORE_REAP;
			arch_processor_interrupt(cpu);
			return;
		}
	}
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

/* Before a thread runs of which there is something to know. */
static COLD void start_special(struct cpu *cpu, struct thread *thread)
{
	if (thread->event_due)
		thread_event_deliver(thread);
	reserved_start(cpu, thread);
}

static void run(struct cpu *cpu, struct thread *thread)
{
	cpu->switch_ticks = arch_ticks();      /* nobody's until now */
	claim(cpu, thread);
	if (unlikely(thread->is_special))
		start_special(cpu, thread);
	arch_context_load(&thread->context, &thread->process->vm->space);
}

/* The running thread, which has to do with budgets, stops; whoever wants to know hears of it. */
static COLD void budget_stop(struct cpu *cpu)
{
	if (cpu->current)
		reserved_stop(cpu, cpu->current);
	/* Else the interrupt that was sent with the event sees to it. */
	if (kernel_is_exclusive())
		reserved_tell(cpu);
}

/* The running thread went to sleep before this processor came to stop it. It came by the general way, being special. */
static COLD void stop_tell(struct cpu *cpu)
{
	struct thread *current = cpu->current;

	cpu->chores &= (uint8_t)~CHORE_STOP;
	if (!current || !current->suspends)
		return;
	DEBUG_ASSERT(kernel_is_exclusive());
	thread_stopped(current);
}

/* One step of taking ended processes apart; the chore stays as long as there are more. */
static COLD void reap(struct cpu *cpu)
{
	/* Whoever waits to claim a thread that sleeps does not wait for this. */
	if (cpu->current && cpu->current->state != THREAD_RUNNING) {
		if (unlikely(cpu->chores & CHORE_STOP))
			stop_tell(cpu);
		if (unlikely(cpu->chores & CHORE_BUDGET))
			budget_stop(cpu);
		put_down(cpu);
	}
	if (!kernel_is_exclusive())
		kernel_enter_exclusive(cpu);
	if (!reaper_step())
		cpu->chores &= (uint8_t)~CHORE_REAP;
	else if (!cpu->slice.queue)      /* who never enters the kernel does not keep it from this */
		slice_arm(cpu, arch_ticks() + slice_ticks[SCHED_NORMAL]);
}

/* The processor's thread waits or has ended: whose turn it is. NULL: nobody's. */
static struct thread *queue_next(struct cpu *cpu)
{
	struct run_queue *queue = queue_lock(cpu);
	struct thread *next;

	if (queue->runner)
		run_queue_sleep(queue);
	next = thread_of(run_queue_pick(queue));
	cpu->payer = next;
	cpu->has_better = false;
	queue_unlock_and_arm(cpu);
	return next;
}

/* A service that began on its own account answers: who is answered goes on on its own. */
static COLD void account_back(struct cpu *cpu, struct thread *next)
{
	leave_home(&next->entity, &cpu->queue);
	(void)queue_lock(cpu);
	account_own(cpu, next);
	queue_unlock_and_arm(cpu);
}

NO_BUFFER HOT_INLINE static inline struct thread *take_next(struct cpu *cpu)
{
	struct thread *next = cpu->handoff;

	if (likely(next)) {
		cpu->handoff = NULL;
		return next;
	}
	return queue_next(cpu);
}

/* The running thread's turn is over, or it asks for another's: whose turn it is, perhaps its own. It can be taken
 * by another processor from now on, so it has been said to be RUNNABLE. */
static struct thread *queue_turn(struct cpu *cpu, struct thread *current)
{
	bool yields = cpu->chores & CHORE_YIELD;
	struct run_queue *queue;
	struct thread *next;

	leave_home(&current->entity, &cpu->queue);
	queue = queue_lock(cpu);
	account_own(cpu, current);
	next = thread_of(yields ? run_queue_yield(queue) : run_queue_turn(queue));
	cpu->payer = next;
	cpu->has_better = false;
	queue_unlock_and_arm(cpu);
	return next;
}

/* Of those with a budget; it has no turn in the queue. */
static COLD struct thread *reserved_next(struct cpu *cpu)
{
	struct thread *next = reserved_take(cpu);

	if (next) {
		struct run_queue *queue = queue_lock(cpu);

		if (queue->runner)
			run_queue_sleep(queue);
		cpu->payer = NULL;
		queue_unlock(cpu);
	}
	return next;
}

/* Out of the kernel until an interrupt, or just to let those in that wait. */
static void pause(struct cpu *cpu, bool sleep)
{
	kernel_leave_idle(cpu);
	if (sleep && !READ_ONCE(cpu->queue.count))
		arch_idle();
	else
		arch_take_interrupts();
	(void)!kernel_enter_shared(cpu);
	arch_space_refresh();
}

/* Nothing to run: takes ended processes apart, polls its ring if it has one, then sleeps until an
 * interrupt brings work. */
static struct thread *idle(struct cpu *cpu)
{
	struct thread *next;

	for (;;) {
		next = unlikely(cpu->chores & CHORE_BUDGET) ? reserved_next(cpu) : NULL;
		if (!next)
			next = take_next(cpu);
		if (!next)
			next = queue_steal(cpu);
		if (next)
			return next;
		if (cpu->chores & CHORE_REAP) {
			reap(cpu);
			pause(cpu, false);
		} else {
			pause(cpu, poller_turn(cpu));
		}
	}
}

/* The running thread goes on later, and perhaps elsewhere: it gives up its turn. */
static void turn_give_up(struct cpu *cpu, struct thread *current)
{
	leave_home(&current->entity, &cpu->queue);
	(void)queue_lock(cpu);
	account_own(cpu, current);
	run_queue_leave(&current->entity);
	cpu->payer = NULL;
	queue_unlock(cpu);
}

/* The running thread, or one that waits for its turn, has to do with budgets; or the processor is leased, or not
 * for the running thread any more. Whoever runs is queued like any other, and those with a budget come first. */
static COLD struct arch_context *resume_reserved(struct cpu *cpu)
{
	struct thread *current = cpu->current, *woken, *next;
	bool on_budget = cpu->reserved.charged != NULL;

	budget_stop(cpu);
	woken = cpu->handoff;
	cpu->handoff = NULL;
	if (woken)
		sched_enqueue(woken);
	if (current && current->state == THREAD_RUNNING) {
		current->state = THREAD_RUNNABLE;
		if (!on_budget)
			turn_give_up(cpu, current);
		sched_enqueue(current);
	}
	cpu->chores &= (uint8_t)~CHORES_OF_TURN;
	put_down(cpu);
	next = reserved_next(cpu);
	if (!next)
		next = queue_next(cpu);
	if (!next) {
		current = NULL;
		next = idle(cpu);
	}
	trace_switch(current, next);
	run(cpu, next);
	return &next->context;
}

/* Another thread than the running one, which waits or has ended. */
NO_BUFFER HOT_INLINE static inline struct arch_context *resume_next(struct cpu *cpu)
{
	struct thread *previous = cpu->current, *next;

	if (unlikely(cpu->chores & (CHORE_BUDGET | CHORE_STOP))) {
		stop_tell(cpu);
		return resume_reserved(cpu);
	}
	put_down(cpu);
	if ((cpu->chores & CHORE_BACK) && cpu->handoff && cpu->payer == previous)
		account_back(cpu, cpu->handoff);
	cpu->chores &= (uint8_t)~CHORES_OF_TURN;
	next = take_next(cpu);
	if (unlikely(!next)) {
		previous = NULL;
		next = idle(cpu);
	}
	trace_switch(previous, next);
	run(cpu, next);
	return &next->context;
}

/* The running thread has been suspended. Who waits for that is told exclusive; on the way there anything may happen. */
static COLD struct arch_context *resume_suspended(struct cpu *cpu)
{
	if (kernel_is_exclusive()) {
		cpu->current->state = THREAD_SUSPENDED;
		thread_stopped(cpu->current);
	} else {
		kernel_enter_exclusive(cpu);
	}
	return sched_leave();
}

/* The running thread has had its turn, or yields. */
NO_BUFFER static NOINLINE struct arch_context *resume_turn(struct cpu *cpu, struct thread *current)
{
	struct thread *next = current;

	if (unlikely(current->suspends))
		return resume_suspended(cpu);
	if (unlikely(current->event_due))
		thread_event_deliver(current);
	if (unlikely((cpu->chores & (CHORE_BUDGET | CHORE_MOVE)) || cpu->isolation.is_on))
		return resume_reserved(cpu);
	if (run_queue_has_waiting(&cpu->queue)) {      /* else nobody waits for the turn */
		current->state = THREAD_RUNNABLE;
		next = queue_turn(cpu, current);
	}
	cpu->chores &= (uint8_t)~(CHORE_TURN | CHORE_YIELD | CHORE_STOP);
	if (next == current) {
		current->state = THREAD_RUNNING;
		return &current->context;
	}
	put_down(cpu);
	trace_switch(current, next);
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
		cpu->chores &= (uint8_t)~(CHORE_WOKEN | CHORE_BACK);
		if (cpu->handoff)
			sched_enqueue(cpu->handoff);
		cpu->handoff = NULL;
	}
	if (likely(!(cpu->chores & CHORE_TURN)))
		return &current->context;
	return resume_turn(cpu, current);
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
	if (unlikely(cpu->chores & (CHORE_REAP | CHORE_WOKEN | CHORE_BUDGET)))
		return pass_later(next);
	DEBUG_ASSERT(!cpu->handoff);
	charge_time(cpu, running);
	let_go(running);
	claim(cpu, next);
	arch_context_load_syscall(&next->context, &next->process->vm->space);
	kernel_leave_shared(cpu);
	return arch_context_leave(&next->context);
}

NO_BUFFER HOT_INLINE struct arch_context *sched_pass_back(struct thread *running, struct thread *next)
{
	struct cpu *cpu = arch_cpu();

	if (unlikely(cpu->payer == running)) {
		if (cpu->chores & (CHORE_REAP | CHORE_WOKEN)) {
			sched_wake_back(next);
			return sched_resume();
		}
		account_back(cpu, next);
	}
	return sched_pass(running, next);
}

NO_BUFFER HOT_INLINE struct arch_context *sched_sleep(struct thread *running)
{
	struct cpu *cpu = arch_cpu();
	struct thread *next = cpu->handoff;

	/* Whoever is woken for a direct switch has slept by a system call. */
	if (unlikely(!next))
		return sched_leave();
	cpu->handoff = NULL;
	cpu->chores &= (uint8_t)~CHORES_OF_TURN;
	return sched_pass(running, next);
}

/* --- Threads -------------------------------------------------------------------------------- */

void sched_thread_init(struct thread *thread, const struct sched_policy *policy)
{
	thread->policy = *policy;
	sched_entity_init(&thread->entity, policy->weight, slice_ticks[policy->class], policy->affinity);
	thread_special_update(thread);
}

COLD bool sched_may_pass(const struct thread *thread)
{
	return !thread->is_special && (thread->entity.affinity & run_queue_bit(&arch_cpu()->queue));
}

/* Another weight and slice, in whatever queue it is; whoever waits or pays there has a turn by what is true now. */
static void reshape(struct thread *thread, const struct sched_policy *policy)
{
	struct sched_entity *entity = &thread->entity;
	struct cpu *cpu;

	if (!entity->queue) {
		sched_entity_change(entity, policy->weight, slice_ticks[policy->class]);
		return;
	}
	cpu = cpu_of(entity->queue);
	(void)queue_lock(cpu);
	sched_entity_change(entity, policy->weight, slice_ticks[policy->class]);
	queue_unlock(cpu);
	if (entity->place == SCHED_RUNNER)
		interrupt_turn(cpu, CHORE_TURN);
}

void sched_set_policy(struct thread *thread, const struct sched_policy *policy)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	thread->policy = *policy;
	reshape(thread, policy);
	thread->entity.affinity = policy->affinity;
	thread_special_update(thread);
	/* A budget has its processor, and no share. */
	if (thread->context_now)
		return;
	if (thread->state != THREAD_RUNNING)
		sched_requeue(thread);
	else if (policy->affinity & run_queue_bit(&thread->cpu->queue))
		interrupt_turn(thread->cpu, CHORE_TURN);
	else
		interrupt_turn(thread->cpu, CHORE_TURN | CHORE_MOVE);
}

uint32_t sched_processor(const struct thread *thread)
{
	const struct cpu *cpu = thread->cpu;

	DEBUG_ASSERT(kernel_is_exclusive());
	if (!cpu && thread->context_own)
		cpu = thread->context_own->cpu;
	else if (!cpu && thread->context_now)
		cpu = thread->context_now->cpu;
	if (cpu)
		return cpu->number;
	return thread->entity.queue ? thread->entity.queue->processor : SCHED_SHELTER;
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

	(void)queue_lock(cpu);
	if (cpu->has_better)
		cpu->chores |= CHORE_TURN;
	queue_unlock_and_arm(cpu);
	reserved_look(cpu);
	if (unlikely(cpu->chores & CHORE_BUDGET))
		reserved_tell(cpu);
}
