/*
 * Which context a thread runs on; see donation.h. Asked by sched/reserved.c; told by
 * object/endpoint_call.c (delivery), ring/completion.c (the end of a call), sched.c (of a thread)
 * and object/scheduling_context.c.
 */
#include "kernel/sched/donation.h"

#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/sched/reserved.h"
#include "kernel/sched/sched.h"

/* The first of those on whose behalf the thread works; itself if there is none. */
static const struct thread *donation_root(const struct thread *thread)
{
	while (!thread->context_own && thread->donor)
		thread = thread->donor;
	return thread;
}

struct scheduling_context *thread_donated(const struct thread *thread)
{
	const struct thread *root = donation_root(thread);

	return root == thread ? NULL : root->context_own;
}

struct scheduling_context *thread_context(const struct thread *thread)
{
	struct scheduling_context *donated;

	if (thread->context_own)
		return thread->context_own;
	/* Nobody waits in the middle of another's work until that one has budget again. */
	donated = thread_donated(thread);
	if (donated && budget_available_ns(&donated->budget, arch_time_ns()))
		return donated;
	return thread->reserve;
}

/* Whoever works at the end of the chain that begins with the thread looks anew what to run on. */
static void donation_settle(struct thread *thread)
{
	while (thread->donee)
		thread = thread->donee;
	if (thread->context_now)
		sched_requeue(thread);
}

static uint32_t donation_depth(const struct thread *thread)
{
	uint32_t depth = 0;

	for (; thread->donor; thread = thread->donor)
		depth++;
	return depth;
}

void donation_end(struct thread *caller)
{
	struct thread *server = caller->donee;

	if (!server)
		return;
	DEBUG_ASSERT(server->donor == caller);
	caller->donee = NULL;
	server->donor = NULL;
	thread_special_update(caller);
	thread_special_update(server);
	donation_settle(server);
}

static void donation_begin(struct thread *caller, struct thread *server)
{
	/* One that sleeps in a call of its own is not at the end of a chain: so chains have no cycles. */
	if (server == caller || server->context_own || server->donor || server->donee)
		return;
	if (!donation_root(caller)->context_own || donation_depth(caller) >= DONATION_DEPTH_MAX)
		return;
	server->donor = caller;
	caller->donee = server;
	thread_special_update(server);
}

void donation_pass(struct thread *caller, struct thread *server)
{
	donation_end(caller);
	donation_begin(caller, server);
}

void donation_thread_ended(struct thread *thread)
{
	donation_end(thread);
	if (thread->donor)
		donation_end(thread->donor);
	if (thread->context_own)
		thread->context_own->thread = NULL;
	thread->context_own = NULL;
	if (thread->reserve)
		list_remove(&thread->reserve_link);
	thread->reserve = NULL;
	thread_special_update(thread);
}

/* --- Contexts ------------------------------------------------------------------------------- */

void context_bind(struct scheduling_context *context, struct thread *thread)
{
	DEBUG_ASSERT(!context->thread && !context->has_ended);
	DEBUG_ASSERT(!thread->context_own && !thread->reserve);
	context->thread = thread;
	thread->context_own = context;
	thread_special_update(thread);
	/* What it had from a donor goes back; what it has now goes on to whom it waits for. */
	if (thread->donor)
		donation_end(thread->donor);
	thread_special_update(thread);
	sched_requeue(thread);
}

void context_unbind(struct scheduling_context *context)
{
	struct thread *thread = context->thread;

	if (!thread)
		return;
	context->thread = NULL;
	thread->context_own = NULL;
	thread_special_update(thread);
	donation_settle(thread);
}

void context_back(struct scheduling_context *context, struct thread *thread)
{
	DEBUG_ASSERT(!context->has_ended && !thread->context_own && !thread->reserve);
	thread->reserve = context;
	list_append(&context->backed, &thread->reserve_link);
	thread_special_update(thread);
	sched_requeue(thread);
}

void context_release(struct thread *thread)
{
	struct scheduling_context *reserve = thread->reserve;

	list_remove(&thread->reserve_link);
	thread->reserve = NULL;
	thread_special_update(thread);
	if (thread->context_now == reserve)
		sched_requeue(thread);
}

void context_end(struct scheduling_context *context)
{
	context->has_ended = true;
	context_unbind(context);
	while (!list_empty(&context->backed))
		context_release(container_of(context->backed.next, struct thread, reserve_link));
}
