/*
 * Threads that run on a budget; see reserved.h. Asked by sched.c; contexts are made and ended by
 * object/scheduling_context.c, and which of them a thread runs on says donation.c.
 */
#include "kernel/sched/reserved.h"

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/object/binding.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/donation.h"
#include "kernel/sched/sched.h"

void reserved_init(struct cpu *cpu)
{
	spin_init(&cpu->reserved.lock, LOCK_RANK_RUN_QUEUE, "reserved");
	list_init(&cpu->reserved.ready);
	list_init(&cpu->reserved.telling);
}

void reserved_thread_init(struct thread *thread)
{
	list_init(&thread->reserved_link);
	list_init(&thread->reserve_link);
}

static uint64_t deadline_of(const struct thread *thread)
{
	return budget_deadline_ns(&thread->context_now->budget);
}

/* --- Events --------------------------------------------------------------------------------- */

/* The context's processor tells, as soon as it can be interrupted. Lock held. */
static void tell_later(struct scheduling_context *context)
{
	context->cpu->chores |= CHORE_BUDGET;      /* exclusive: another's may be written */
	if (list_queued(&context->tell_link))
		return;
	list_append(&context->cpu->reserved.telling, &context->tell_link);
	arch_processor_interrupt(context->cpu);
}

void reserved_tell(struct cpu *cpu)
{
	struct list *link;

	do {
		spin_lock(&cpu->reserved.lock);
		link = list_take(&cpu->reserved.telling);
		spin_unlock(&cpu->reserved.lock);
		if (link)
			bindings_fire(&container_of(link, struct scheduling_context, tell_link)->bindings);
	} while (link);
}

void reserved_forget(struct scheduling_context *context)
{
	spin_lock(&context->cpu->reserved.lock);
	DEBUG_ASSERT(!context->users && context->cpu->reserved.charged != context);
	list_remove(&context->tell_link);
	context->is_armed = false;
	spin_unlock(&context->cpu->reserved.lock);
	(void)timer_queue_remove(&context->refill);
}

/* Somebody has wanted the context for longer than a period. Lock held. */
static void look_at_deadline(struct scheduling_context *context, uint64_t now_ns)
{
	if (context->is_told || now_ns <= context->began_ns + context->budget.period_ns)
		return;
	context->is_told = true;
	context->missed++;
	tell_later(context);
}

/* --- The list ------------------------------------------------------------------------------- */

/* Lock held. */
static void ready_insert(struct reserved *reserved, struct thread *thread)
{
	struct list *link = reserved->ready.next;

	while (link != &reserved->ready &&
			deadline_of(container_of(link, struct thread, reserved_link)) <= deadline_of(thread))
		link = link->next;
	list_append(link, &thread->reserved_link);      /* before it */
}

void reserved_look(struct cpu *cpu)
{
	struct reserved *reserved = &cpu->reserved;
	const struct thread *first;

	spin_lock(&reserved->lock);
	if (!list_empty(&reserved->ready)) {
		cpu->chores |= CHORE_BUDGET;
		first = container_of(reserved->ready.next, struct thread, reserved_link);
		if (!reserved->charged ||
				deadline_of(first) < budget_deadline_ns(&reserved->charged->budget))
			cpu->chores |= CHORE_TURN;
	}
	spin_unlock(&reserved->lock);
}

/* The list of a processor has changed. No lock is held. */
static void ready_announce(struct cpu *cpu)
{
	if (cpu == arch_cpu())
		reserved_look(cpu);
	else
		arch_processor_interrupt(cpu);
}

static void refill_come(struct timer_node *node);

/* Queues the thread where its context says. Answers whether the refill is to be armed when the
 * lock is free. Lock held. */
static bool place(struct thread *thread, uint64_t now_ns) MUST_USE;
static bool place(struct thread *thread, uint64_t now_ns)
{
	struct scheduling_context *context = thread->context_now;
	bool arm = !context->is_armed;

	if (budget_available_ns(&context->budget, now_ns)) {
		ready_insert(&context->cpu->reserved, thread);
		return false;
	}
	list_append(&context->waiting, &thread->reserved_link);
	context->is_armed = true;
	return arm;
}

static void refill_arm(struct scheduling_context *context)
{
	timer_queue_add(&context->refill, budget_eligible_ns(&context->budget), refill_come);
}

static void refill_come(struct timer_node *node)
{
	struct scheduling_context *context = container_of(node, struct scheduling_context, refill);
	struct cpu *cpu = context->cpu;
	uint64_t now_ns = arch_time_ns();
	struct list waiting, *link;
	bool arm = false;

	list_init(&waiting);
	spin_lock(&cpu->reserved.lock);
	context->is_armed = false;
	list_move_all(&waiting, &context->waiting);
	while ((link = list_take(&waiting)))
		arm |= place(container_of(link, struct thread, reserved_link), now_ns);
	look_at_deadline(context, now_ns);
	spin_unlock(&cpu->reserved.lock);
	ready_announce(cpu);
	if (arm)
		refill_arm(context);
	reserved_tell(cpu);
}

/* --- Threads and their contexts ------------------------------------------------------------- */

/* From now on the thread can run on `next`, and not on what it had. NULL: nothing. */
static void context_change(struct thread *thread, struct scheduling_context *next, uint64_t now_ns)
{
	struct scheduling_context *old = thread->context_now;

	if (old == next)
		return;
	thread->context_now = next;
	if (old) {
		spin_lock(&old->cpu->reserved.lock);
		old->users--;
		spin_unlock(&old->cpu->reserved.lock);
	}
	if (!next)
		return;
	spin_lock(&next->cpu->reserved.lock);
	if (next->users++ == 0) {
		budget_begin(&next->budget, now_ns);
		next->began_ns = now_ns;
		next->is_told = false;
	}
	spin_unlock(&next->cpu->reserved.lock);
}

bool reserved_enqueue(struct thread *thread)
{
	struct scheduling_context *context = thread_context(thread);
	uint64_t now_ns = arch_time_ns();
	bool arm;

	context_change(thread, context, now_ns);
	if (!context)
		return false;
	spin_lock(&context->cpu->reserved.lock);
	arm = place(thread, now_ns);
	spin_unlock(&context->cpu->reserved.lock);
	ready_announce(context->cpu);
	if (arm)
		refill_arm(context);
	return true;
}

struct thread *reserved_take(struct cpu *cpu)
{
	struct thread *thread = NULL;
	struct list *link;
	bool can_run = false;

	while (!can_run) {
		spin_lock(&cpu->reserved.lock);
		link = list_take(&cpu->reserved.ready);
		if (link)
			thread = container_of(link, struct thread, reserved_link);
		can_run = link && budget_available_ns(&thread->context_now->budget, arch_time_ns());
		if (list_empty(&cpu->reserved.ready) && list_empty(&cpu->reserved.telling))
			cpu->chores &= (uint8_t)~CHORE_BUDGET;
		spin_unlock(&cpu->reserved.lock);
		if (!link)
			return NULL;
		/* Somebody has used it up since: its donor before the call, or another of a reserve. */
		if (!can_run)
			sched_enqueue(thread);
	}
	return thread;
}

/* --- Running -------------------------------------------------------------------------------- */

static void budget_over(struct timer_node *node)
{
	struct cpu *cpu = container_of(node, struct cpu, reserved.timer);

	cpu->chores |= CHORE_TURN | CHORE_BUDGET;
}

void reserved_start(struct cpu *cpu, struct thread *thread)
{
	struct scheduling_context *context = thread->context_now;
	struct reserved *reserved = &cpu->reserved;
	uint64_t now_ns, end_ns;

	cpu->chores |= CHORE_BUDGET;
	if (!context)
		return;
	now_ns = arch_time_ns();
	spin_lock(&reserved->lock);
	DEBUG_ASSERT(!reserved->charged && context->cpu == cpu);
	if (now_ns > context->budget.period_ns)
		budget_begin(&context->budget, now_ns - context->budget.period_ns);
	reserved->charged = context;
	reserved->since_ns = now_ns;
	end_ns = now_ns + budget_available_ns(&context->budget, now_ns);
	spin_unlock(&reserved->lock);
	timer_queue_add(&reserved->timer, end_ns, budget_over);
}

static void charge(struct scheduling_context *context, uint64_t used_ns, uint64_t now_ns)
{
	bool had_some;

	spin_lock(&context->cpu->reserved.lock);
	look_at_deadline(context, now_ns);
	had_some = budget_available_ns(&context->budget, now_ns) > 0;
	budget_charge(&context->budget, used_ns);
	context->used_ns += used_ns;
	if (had_some && !budget_available_ns(&context->budget, now_ns)) {
		context->depletions++;
		tell_later(context);
	}
	spin_unlock(&context->cpu->reserved.lock);
}

void reserved_account(struct cpu *cpu)
{
	struct scheduling_context *charged = cpu->reserved.charged, *donated;
	uint64_t now_ns, used_ns;

	if (!charged)
		return;
	now_ns = arch_time_ns();
	if (now_ns < cpu->reserved.since_ns)      /* another processor's clock may be a little ahead */
		return;
	used_ns = now_ns - cpu->reserved.since_ns;
	cpu->reserved.since_ns = now_ns;
	charge(charged, used_ns, now_ns);
	/* What the reserve gave in the place of a donor is the donor's debt. */
	donated = charged == cpu->current->reserve ? thread_donated(cpu->current) : NULL;
	if (donated)
		charge(donated, used_ns, now_ns);
}

void reserved_stop(struct cpu *cpu, struct thread *thread)
{
	reserved_account(cpu);
	cpu->reserved.charged = NULL;
	(void)timer_queue_remove(&cpu->reserved.timer);
	if (thread->state != THREAD_RUNNING && thread->state != THREAD_RUNNABLE)
		context_change(thread, NULL, arch_time_ns());
}

void reserved_leave(struct thread *thread)
{
	struct scheduling_context *context = thread->context_now;
	struct cpu *cpu;

	if (!context)
		return;
	cpu = context->cpu;
	if (cpu->current == thread)
		reserved_stop(cpu, thread);
	spin_lock(&cpu->reserved.lock);
	list_remove(&thread->reserved_link);
	spin_unlock(&cpu->reserved.lock);
	context_change(thread, NULL, arch_time_ns());
}
