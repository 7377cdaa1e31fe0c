/*
 * Notifications; see notification.h. Signalled and waited for by ring/dispatch.c and ring/direct.c, signalled by
 * bindings (binding.c).
 * Always true: no waiter's mask has a bit of `bits` when the lock is free.
 */
#include "kernel/object/notification.h"

#include "capos/kernel.server.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/call.h"
#include "kernel/object/interrupt.h"
#include "kernel/object/ledger.h"
#include "kernel/object/roots.h"
#include "kernel/object/scheduling_context.h"
#include "kernel/ring/direct.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"

static struct slab_cache notification_cache = SLAB_CACHE("notification", struct notification);

status_t notification_create(struct ledger *payer, struct notification **out, uint64_t *detail)
{
	struct notification *notification;
	status_t status = ledger_charge(payer, RESOURCE_CLASS_OBJECTS, 1, detail);

	if (status != STATUS_OK)
		return status;
	notification = slab_alloc(&notification_cache);
	if (!notification) {
		ledger_refund(payer, RESOURCE_CLASS_OBJECTS, 1);
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		return STATUS_OVERLOADED;
	}
	object_init(&notification->object, &notification_type, payer);
	spin_init(&notification->lock, LOCK_RANK_OBJECT, "notification");
	list_init(&notification->waiters);
	list_init(&notification->bindings);
	*out = notification;
	return STATUS_OK;
}

/* Nobody can take bits any more, but for waits that are armed already. */
static void notification_on_last_hold(struct object *object)
{
	bindings_end_to(container_of(object, struct notification, object));
}

static void notification_destroy(struct object *object)
{
	slab_free(&notification_cache, container_of(object, struct notification, object));
}

/* The same for one whose thread sleeps for this wait alone: it is next if the running thread goes to sleep. False: it
 * does not, and nothing has happened. Lock held. */
NO_BUFFER static inline bool sleeper_serve_locked(struct notification *notification, struct question *question) NO_LOCK_ANALYSIS
{
	struct ring_completion outcome = { .status = STATUS_OK, .id = question->number,
			.detail = notification->bits & question->entry.interface };
	struct ring *ring = question->ring;

	if (unlikely(question->entry.flags != ENTRY_SYNC || trace_is_on() || !sleeper_lock(ring, question)))
		return false;
	notification->bits &= ~outcome.detail;
	list_remove(&question->link);
	grant_unuse(question->grant);
	question->grant = NULL;
	question_complete_direct(question, &outcome);
	sched_wake(ring->thread, true);
	spin_unlock(&ring->lock);
	/* Never the last reference: whoever signals has one. */
	object_put(&notification->object);
	return true;
}

/* Gives a waiter those of the bits that it waits for; answers whether it goes on waiting. A
 * multishot wait goes on as long as its ring has room for one completion more than that which
 * it still owes. Lock held. */
NO_BUFFER static bool waiter_serve_locked(struct notification *notification, struct question *question)
{
	struct ring_completion outcome = { .status = STATUS_OK, .id = question->number,
			.detail = notification->bits & question->entry.interface };
	struct question_release release;

	notification->bits &= ~outcome.detail;
	if ((question->entry.flags & ENTRY_MULTISHOT) && question_report(question, &outcome))
		return true;
	list_remove(&question->link);
	question_complete(question, &outcome, false, &release);
	/* Never the last reference: whoever signals or waits here has one. */
	question_release(&release);
	return false;
}

/* Serves waiters, the oldest first, while there are bits for one. Lock held. Apart, so that a signal
 * that nobody waits for saves no registers for it. */
__attribute__((noinline)) static void waiters_serve_locked(struct notification *notification)
{
	struct list *link = notification->waiters.next, *last = notification->waiters.prev, *next;

	for (bool done = link == &notification->waiters; !done && notification->bits; link = next) {
		struct question *question = container_of(link, struct question, link);

		next = link->next;
		done = link == last;
		if (!(notification->bits & question->entry.interface) ||
				sleeper_serve_locked(notification, question) || !waiter_serve_locked(notification, question))
			continue;
		/* Others that wait for the same bits have their turn next. */
		list_remove(link);
		list_append(&notification->waiters, link);
	}
}

NO_BUFFER void notification_signal(struct notification *notification, uint64_t bits)
{
	DEBUG_ASSERT(kernel_is_exclusive());
	spin_lock(&notification->lock);
	notification->bits |= bits;
	if (!list_empty(&notification->waiters))
		waiters_serve_locked(notification);
	spin_unlock(&notification->lock);
}

/* With the kernel's lock shared no more waiters are looked at: whoever wants it exclusive waits. */
#define WAITERS_SHARED 8u

/* Whether all who wait are few and sleep for this alone. Lock held. */
static NOINLINE bool waiters_sleep_locked(struct notification *notification)
{
	struct list *link = notification->waiters.next;

	for (uint32_t i = 0; link != &notification->waiters; link = link->next, i++) {
		if (i == WAITERS_SHARED ||
				container_of(link, struct question, link)->entry.flags != ENTRY_SYNC)
			return false;
	}
	return true;
}

NO_BUFFER bool notification_signal_shared(struct notification *notification, uint64_t bits)
{
	bool done = true;

	spin_lock(&notification->lock);
	if (likely(list_empty(&notification->waiters))) {
		notification->bits |= bits;
	} else {
		done = waiters_sleep_locked(notification);
		if (done) {
			notification->bits |= bits;
			waiters_serve_locked(notification);
		}
	}
	spin_unlock(&notification->lock);
	return done;
}

void notification_wait(struct notification *notification, struct question *question)
{
	spin_lock(&notification->lock);
	list_append(&notification->waiters, &question->link);
	if (notification->bits & question->entry.interface)
		(void)waiter_serve_locked(notification, question);
	spin_unlock(&notification->lock);
}

NO_BUFFER HOT_INLINE bool notification_sleep(struct notification *notification, struct question *question, struct grant *grant,
		uint64_t *bits)
{
	spin_lock(&notification->lock);
	*bits = notification->bits & question->entry.interface;
	if (*bits) {
		notification->bits &= ~*bits;
		spin_unlock(&notification->lock);
		return false;
	}
	question->kind = QUESTION_OBJECT;
	question->call_state = CALL_NONE;
	question->grant = grant;
	grant_use(grant);
	object_get(&notification->object);
	question_sleep(question->ring, question, &notification->object);
	list_append(&notification->waiters, &question->link);
	spin_unlock(&notification->lock);
	return true;
}

static bool notification_cancel(struct object *object, struct question *question)
{
	struct notification *notification = container_of(object, struct notification, object);
	bool waited;

	spin_lock(&notification->lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&notification->lock);
	return waited;
}

static status_t notification_method_signal(void *self, struct call *call, struct signal_signal_params_reader in,
		struct signal_signal_results_builder *out)
{
	uint64_t bits = signal_signal_params_get_bits(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		notification_signal(self, bits);
	return status;
}

static status_t notification_method_bind_end(void *self, struct call *call, struct signal_bind_end_params_reader in,
		struct signal_bind_end_results_builder *out)
{
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct cap_entry *source;
	status_t status = call_argument(call, signal_bind_end_params_get_object(in), 0, NULL, &source);

	if (status != STATUS_OK)
		return status;
	if (!source->object->type->event_is_end)
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE, 0, 0, 0);
	status = binding_make(call, self, signal_bind_end_params_get_bits(in), source, NULL, &cap);
	signal_bind_end_results_set_binding(*out, cap);
	return status;
}

static status_t notification_method_bind_timer(void *self, struct call *call, struct signal_bind_timer_params_reader in,
		struct signal_bind_timer_results_builder *out)
{
	struct binding_times times = { signal_bind_timer_params_get_deadline_ns(in),
			signal_bind_timer_params_get_period_ns(in) };
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct cap_entry *timer;
	status_t status = call_argument(call, signal_bind_timer_params_get_timer(in), TIMER_INTERFACE_ID,
			timer_object()->type, &timer);

	if (status == STATUS_OK)
		status = binding_make(call, self, signal_bind_timer_params_get_bits(in), timer, &times, &cap);
	signal_bind_timer_results_set_binding(*out, cap);
	return status;
}

static status_t notification_method_bind_interrupt(void *self, struct call *call,
		struct signal_bind_interrupt_params_reader in, struct signal_bind_interrupt_results_builder *out)
{
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct cap_entry *line;
	status_t status = call_argument(call, signal_bind_interrupt_params_get_interrupt(in), INTERRUPT_INTERFACE_ID,
			&interrupt_type, &line);

	if (status == STATUS_OK)
		status = binding_make(call, self, signal_bind_interrupt_params_get_bits(in), line, NULL, &cap);
	signal_bind_interrupt_results_set_binding(*out, cap);
	return status;
}

static status_t notification_method_bind_context(void *self, struct call *call,
		struct signal_bind_context_params_reader in, struct signal_bind_context_results_builder *out)
{
	struct capnp_cap cap = CAPNP_CAP_NULL;
	struct cap_entry *context;
	status_t status = call_argument(call, signal_bind_context_params_get_context(in), SCHEDULING_CONTEXT_INTERFACE_ID,
			&scheduling_context_type, &context);

	if (status == STATUS_OK)
		status = binding_make(call, self, signal_bind_context_params_get_bits(in), context, NULL, &cap);
	signal_bind_context_results_set_binding(*out, cap);
	return status;
}

static status_t notification_method_take(void *self, struct call *call, struct notification_take_params_reader in,
		struct notification_take_results_builder *out)
{
	struct notification *notification = self;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	spin_lock(&notification->lock);
	notification_take_results_set_bits(*out, notification->bits);
	notification->bits = 0;
	spin_unlock(&notification->lock);
	return STATUS_OK;
}

static status_t notification_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct notification_server server = {
		.signal = {
			.signal = notification_method_signal,
			.bind_end = notification_method_bind_end,
			.bind_timer = notification_method_bind_timer,
			.bind_interrupt = notification_method_bind_interrupt,
			.bind_context = notification_method_bind_context,
		},
		.take = notification_method_take,
	};

	return notification_dispatch(&server, container_of(object, struct notification, object), call, interface_id, method);
}

const struct object_type notification_type = {
	.name = "notification",
	.call = notification_object_call,
	.on_last_hold = notification_on_last_hold,
	.destroy = notification_destroy,
	.cancel = notification_cancel,
};
