/*
 * The event loop: runs what has completed, fires timers, and otherwise sleeps in the kernel.
 *
 * Timers are kept here in order of their deadlines and cost the kernel nothing: the first is the
 * deadline with which the loop sleeps.
 */
#include "rt/clock.h"
#include "rt/panic.h"
#include "rt/server_internal.h"
#include "rt/transport.h"

void loop_init(struct loop *loop)
{
	*loop = (struct loop){ .status = STATUS_OK };
}

/* To be told whenever `stopped` or the timers have changed. */
void loop_note(struct loop *loop)
{
	loop->is_busy = loop->stopped || loop->timers != NULL;
}

void loop_stop(struct loop *loop, status_t status)
{
	loop->stopped = true;
	loop->status = status;
	loop_note(loop);
}

/* --- Timers --------------------------------------------------------------------------------- */

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **link = &loop->timers;

	if (!timer->armed)
		return;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	timer->armed = false;
	loop_note(loop);
}

void loop_at(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns,
		void (*fn)(void *context), void *context)
{
	struct loop_timer **link = &loop->timers;

	loop_timer_stop(loop, timer);
	timer->deadline_ns = deadline_ns;
	timer->fn = fn;
	timer->context = context;
	timer->armed = true;
	while (*link != NULL && (*link)->deadline_ns <= deadline_ns)
		link = &(*link)->next;
	timer->next = *link;
	*link = timer;
	loop_note(loop);
}

status_t loop_after(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
		void (*fn)(void *context), void *context)
{
	uint64_t now_ns = 0;
	status_t status = clock_now(&now_ns);

	if (status != STATUS_OK)
		return status;
	loop_at(loop, timer, delay_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + delay_ns, fn,
			context);
	return STATUS_OK;
}

static void fire_timers(struct loop *loop, uint64_t now_ns)
{
	while (loop->timers != NULL && loop->timers->deadline_ns <= now_ns && !loop->stopped) {
		struct loop_timer *timer = loop->timers;

		loop_timer_stop(loop, timer);
		timer->fn(timer->context);
	}
}

/* --- Watches -------------------------------------------------------------------------------- */

static void watch_ready(struct ring_operation *operation);

static status_t watch_arm(struct loop_watch *watch)
{
	struct ring *ring = ring_self();
	struct ring_entry *entry;

	watch->question = ring_question_take(ring);
	if (watch->question == RING_NO_QUESTION)
		return STATUS_OVERLOADED;
	entry = ring_entry(ring, CAP_OP_WAIT, &watch->operation);
	entry->target = watch->capability;
	entry->interface = watch->mask;
	entry->flags = watch->mask == 0 ? ENTRY_DEATH : ENTRY_MULTISHOT;
	entry->question = watch->question;
	ring_push(ring);
	ring_set_ready(ring, &watch->operation, watch_ready);
	watch->armed = true;
	return STATUS_OK;
}

/* The wait has ended; one that ended for want of room for completions begins again. */
static status_t watch_ended(struct loop_watch *watch, status_t status)
{
	ring_question_give(ring_self(), watch->question);
	watch->armed = false;
	return watch->mask != 0 && status == STATUS_OK ? watch_arm(watch) : STATUS_OK;
}

static void watch_ready(struct ring_operation *operation)
{
	struct loop_watch *watch = container_of(operation, struct loop_watch, operation);
	const struct ring_completion completion = operation->completion;
	uint64_t bits = operation->earlier_bits;
	status_t again = STATUS_OK;

	operation->earlier_bits = 0;
	if (watch->mask != 0 && completion.status == STATUS_OK)
		bits |= completion.detail;
	if (completion.flags & COMPLETION_MORE) {
		operation->done = false;
		ring_set_ready(ring_self(), operation, watch_ready);
	} else {
		again = watch_ended(watch, completion.status);
	}
	if (bits != 0 || completion.status == STATUS_OK)
		watch->fn(watch->context, STATUS_OK, bits);
	if (completion.status != STATUS_OK)
		watch->fn(watch->context, completion.status, 0);
	else if (again != STATUS_OK)
		watch->fn(watch->context, again, 0);
}

static status_t watch_start(struct loop_watch *watch, uint32_t capability, uint64_t mask,
		void (*fn)(void *context, status_t status, uint64_t bits), void *context)
{
	ASSERT(!watch->armed);
	watch->fn = fn;
	watch->context = context;
	watch->mask = mask;
	watch->capability = capability;
	watch->operation.earlier_bits = 0;
	return watch_arm(watch);
}

status_t loop_watch_bits(struct loop *loop, struct loop_watch *watch, uint32_t notification,
		uint64_t mask, void (*fn)(void *context, status_t status, uint64_t bits),
		void *context)
{
	if (mask == 0)
		return STATUS_INVALID_ARGUMENT;
	return watch_start(watch, notification, mask, fn, context);
}

status_t loop_watch_end(struct loop *loop, struct loop_watch *watch, uint32_t capability,
		void (*fn)(void *context, status_t status, uint64_t bits), void *context)
{
	return watch_start(watch, capability, 0, fn, context);
}

void loop_watch_stop(struct loop_watch *watch)
{
	struct ring *ring = ring_self();

	if (!watch->armed)
		return;
	ring_set_ready(ring, &watch->operation, NULL);
	ring_entry(ring, CAP_OP_CANCEL, NULL)->question = watch->question;
	ring_push(ring);
	while (!watch->operation.done || (watch->operation.completion.flags & COMPLETION_MORE)) {
		watch->operation.done = false;
		ring_wait(ring, &watch->operation);
	}
	ring_question_give(ring, watch->question);
	watch->armed = false;
}

/* --- Running -------------------------------------------------------------------------------- */

/* Goes to sleep until something has completed or a timer is due. */
static void loop_sleep(struct loop *loop)
{
	uint64_t deadline_ns = loop->timers != NULL ? loop->timers->deadline_ns : 0;
	uint64_t now_ns = deadline_ns;

	if (ring_turn(ring_self(), deadline_ns)) {
		if (loop->timers == NULL ||
				clock_now(&now_ns) != STATUS_OK)
			return;
	}
	fire_timers(loop, now_ns);
}

status_t loop_run(struct loop *loop)
{
	struct ring *ring = ring_self();

	while (!loop->stopped) {
		if (loop->sync_server != NULL)
			server_serve_alone(loop);
		else if (ring_run_ready(ring))
			continue;
		else if (ring->awaited == 0 && loop->timers == NULL)
			break;
		else
			loop_sleep(loop);
	}
	ring_submit(ring);
	return loop->status;
}
