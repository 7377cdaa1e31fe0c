/*
 * Bindings; see binding.h. Made by notification.c; fired by what ends (endpoint.c, process.c), by
 * irq/irq.c and by the timer queue; ended from capability_manager.c and process.c.
 * Always true: a binding with a notification is in the lists of its maker, of its notification
 * and, unless it is a timer's, of its source; it then has a reference on both objects and a use
 * of both grants. A binding without one is in no list. A queued timer has a reference on its
 * binding.
 */
#include "kernel/object/binding.h"

#include "capos/kernel.server.h"
#include "kernel/arch/arch.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/object/notification.h"
#include "kernel/object/process.h"

/*  I fixed after creation   b under binding_lock  */
struct binding {
	struct object        object;
	struct notification *notification;  /* b, counted; NULL: ended */
	struct object       *source;        /* b, counted; of a timer's the Timer */
	uint64_t             bits;          /* I */
	struct grant        *grants[2];     /* b, one use of each: of the signal, of the source */
	struct list          of_process;    /* b */
	struct list          of_notification; /* b */
	struct list          of_source;     /* b */
	bool                 is_timer;      /* b, one timer is charged */
	uint64_t             period_ns;     /* I */
	uint64_t             fired;         /* b, how often */
	struct timer_node    timer;
};

/* What an ended binding kept, to be dropped without locks. */
struct binding_rest {
	struct notification *notification;
	struct object       *source;
	struct binding      *queued;        /* the timer queue's reference */
};

static struct slab_cache binding_cache = SLAB_CACHE("binding", struct binding);
static struct spinlock binding_lock = SPINLOCK_INIT(LOCK_RANK_BINDING, "binding");

/* --- Firing and ending
 * ---------------------------------------------------------------------------- */

static void fire_locked(struct binding *binding)
{
	LOCK_ASSERT_HELD(&binding_lock);
	binding->fired++;
	notification_signal(binding->notification, binding->bits);
}

static void timer_refund(struct binding *binding)
{
	if (binding->is_timer)
		ledger_refund(binding->object.ledger, RESOURCE_CLASS_TIMERS, 1);
	binding->is_timer = false;
}

static void end_locked(struct binding *binding, struct binding_rest *rest)
{
	LOCK_ASSERT_HELD(&binding_lock);
	DEBUG_ASSERT(binding->notification != NULL);
	list_remove(&binding->of_process);
	list_remove(&binding->of_notification);
	list_remove(&binding->of_source);
	*rest = (struct binding_rest){ .notification = binding->notification, .source = binding->source };
	binding->notification = NULL;
	binding->source = NULL;
	for (uint32_t i = 0; i < ARRAY_LEN(binding->grants); i++)
		grant_unuse(binding->grants[i]);
	if (timer_queue_remove(&binding->timer))
		rest->queued = binding;
	timer_refund(binding);
}

static void rest_drop(const struct binding_rest *rest)
{
	if (rest->notification) {
		object_put(&rest->notification->object);
		object_put(rest->source);
	}
	if (rest->queued)
		object_put(&rest->queued->object);
}

void bindings_fire(struct list *bindings)
{
	spin_lock(&binding_lock);
	for (struct list *link = bindings->next; link != bindings; link = link->next)
		fire_locked(container_of(link, struct binding, of_source));
	spin_unlock(&binding_lock);
}

/* Ends the first binding of a source; false when there is none. */
static bool end_first(struct list *bindings, bool fire)
{
	struct binding_rest rest;
	struct binding *binding;

	spin_lock(&binding_lock);
	if (list_empty(bindings)) {
		spin_unlock(&binding_lock);
		return false;
	}
	binding = container_of(bindings->next, struct binding, of_source);
	if (fire)
		fire_locked(binding);
	end_locked(binding, &rest);
	spin_unlock(&binding_lock);
	rest_drop(&rest);
	return true;
}

void bindings_fire_last(struct list *bindings)
{
	while (end_first(bindings, true))
		continue;
}

void bindings_end(struct list *bindings)
{
	while (end_first(bindings, false))
		continue;
}

void bindings_end_to(struct notification *notification)
{
	struct binding_rest rest = { 0 };

	do {
		struct list *first;

		spin_lock(&binding_lock);
		first = notification->bindings.next;
		rest = (struct binding_rest){ 0 };
		if (first != &notification->bindings)
			end_locked(container_of(first, struct binding, of_notification), &rest);
		spin_unlock(&binding_lock);
		rest_drop(&rest);
	} while (rest.notification);
}

bool bindings_end_of(struct process *process, uint32_t budget)
{
	for (; budget > 0; budget--) {
		struct binding_rest rest;

		spin_lock(&binding_lock);
		if (list_empty(&process->bindings)) {
			spin_unlock(&binding_lock);
			return true;
		}
		end_locked(container_of(process->bindings.next, struct binding, of_process), &rest);
		spin_unlock(&binding_lock);
		rest_drop(&rest);
	}
	return false;
}

/* Ends the binding if one of its grants is revoked. Lock held; false if not. */
static bool end_if_revoked_locked(struct binding *binding, struct binding_rest *rest)
{
	bool signal_revoked = grant_is_revoked(binding->grants[0]);

	if (!signal_revoked && !grant_is_revoked(binding->grants[1]))
		return false;
	/* For who may still signal, losing an object is its end: as for a wait. */
	if (!signal_revoked && binding->source->type->event_is_end)
		fire_locked(binding);
	end_locked(binding, rest);
	return true;
}

void bindings_end_revoked(struct process *process)
{
	bool found;

	do {
		struct binding_rest rest = { 0 };

		found = false;
		spin_lock(&binding_lock);
		for (struct list *link = process->bindings.next; link != &process->bindings && !found; ) {
			struct binding *binding = container_of(link, struct binding, of_process);

			link = link->next;
			found = end_if_revoked_locked(binding, &rest);
		}
		spin_unlock(&binding_lock);
		rest_drop(&rest);
	} while (found);
}

/* --- Timers
 * --------------------------------------------------------------------------------------- */

static void timer_fire(struct timer_node *node);

/* The first point of the period after `now_ns`: what was missed is not made up for. */
static uint64_t next_deadline(const struct binding *binding, uint64_t now_ns)
{
	uint64_t missed = (now_ns - binding->timer.deadline_ns) / binding->period_ns;
	uint64_t advance;

	if (__builtin_mul_overflow(missed + 1, binding->period_ns, &advance) ||
			advance > UINT64_MAX - binding->timer.deadline_ns)
		return UINT64_MAX;
	return binding->timer.deadline_ns + advance;
}

/* Sets the bits; ends the binding, or queues it for the next time. True: it is queued. Lock
 * held. */
static bool timer_due_locked(struct binding *binding, struct binding_rest *rest)
{
	fire_locked(binding);
	if (!binding->period_ns) {
		end_locked(binding, rest);
		return false;
	}
	timer_queue_add(&binding->timer, next_deadline(binding, MAX(arch_time_ns(), binding->timer.deadline_ns)),
			timer_fire);
	return true;
}

static void timer_fire(struct timer_node *node)
{
	struct binding *binding = container_of(node, struct binding, timer);
	struct binding_rest rest = { 0 };
	bool queued = false;

	spin_lock(&binding_lock);
	if (binding->notification)      /* else it ended while the queue let go of it */
		queued = timer_due_locked(binding, &rest);
	spin_unlock(&binding_lock);
	rest_drop(&rest);
	if (!queued)
		object_put(&binding->object);
}

static void timer_start_locked(struct binding *binding, const struct binding_times *times, struct binding_rest *rest)
{
	binding->timer.deadline_ns = times->deadline_ns;
	if (times->deadline_ns > arch_time_ns()) {
		timer_queue_add(&binding->timer, times->deadline_ns, timer_fire);
		object_get(&binding->object);
	} else if (timer_due_locked(binding, rest)) {
		object_get(&binding->object);
	}
}

/* --- Making
 * --------------------------------------------------------------------------------------- */

/* The one step that takes effect. An event, or a revocation, that came meanwhile is seen here:
 * whoever announces one does so after it is there, and finds the binding in its list or not. */
static void binding_start(struct binding *binding, struct process *process, struct notification *notification,
		struct object *source, const struct binding_times *times)
{
	const struct object_type *type = source->type;
	struct binding_rest rest = { 0 };

	object_get(&notification->object);
	object_get(source);
	for (uint32_t i = 0; i < ARRAY_LEN(binding->grants); i++)
		grant_use(binding->grants[i]);
	spin_lock(&binding_lock);
	binding->notification = notification;
	binding->source = source;
	list_append(&process->bindings, &binding->of_process);
	list_append(&notification->bindings, &binding->of_notification);
	if (times) {
		timer_start_locked(binding, times, &rest);
	} else {
		list_append(type->bindings(source), &binding->of_source);
		if (type->event_is_due(source)) {
			fire_locked(binding);
			if (type->event_is_end)
				end_locked(binding, &rest);
		}
	}
	if (binding->notification)
		(void)end_if_revoked_locked(binding, &rest);
	spin_unlock(&binding_lock);
	rest_drop(&rest);
}

static status_t binding_create(struct call *call, bool is_timer, struct binding **out)
{
	struct binding *binding;
	status_t status = call_charge_object(call);

	if (status != STATUS_OK)
		return status;
	if (is_timer)
		status = ledger_charge(call->payer, RESOURCE_CLASS_TIMERS, 1, &call->detail);
	if (status != STATUS_OK)
		goto undo_object;
	binding = slab_alloc(&binding_cache);
	if (!binding) {
		status = call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
		goto undo_timer;
	}
	object_init(&binding->object, &binding_type, call->payer);
	list_init(&binding->of_process);
	list_init(&binding->of_notification);
	list_init(&binding->of_source);
	binding->is_timer = is_timer;
	*out = binding;
	return STATUS_OK;
undo_timer:
	if (is_timer)
		ledger_refund(call->payer, RESOURCE_CLASS_TIMERS, 1);
undo_object:
	ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

status_t binding_make(struct call *call, struct notification *notification, uint64_t bits, struct cap_entry *source,
		const struct binding_times *times, struct capnp_cap *cap)
{
	struct binding *binding;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (bits == 0)
		return call_fail_argument(call, 0, 0);
	if (times && times->period_ns && times->period_ns < BINDING_PERIOD_NS_MIN)
		return call_fail_argument(call, 3, BINDING_PERIOD_NS_MIN);
	status = binding_create(call, times != NULL, &binding);
	if (status != STATUS_OK)
		return status;
	binding->bits = bits;
	binding->period_ns = times ? times->period_ns : 0;
	binding->grants[0] = call->target->grant;
	binding->grants[1] = source->grant;
	object_hold(&binding->object);
	object_put(&binding->object);
	status = call_give(call, &binding->object, &binding_interface, true, cap);
	if (status != STATUS_OK)
		return status;
	binding_start(binding, call->process, notification, source->object, times);
	return STATUS_OK;
}

/* --- The object
 * ----------------------------------------------------------------------------------- */

static status_t method_info(void *self, struct call *call, struct binding_info_params_reader in,
		struct binding_info_results_builder *out)
{
	const struct binding *binding = self;

	spin_lock(&binding_lock);
	binding_info_results_set_active(*out, binding->notification != NULL);
	binding_info_results_set_fired(*out, binding->fired);
	spin_unlock(&binding_lock);
	return STATUS_OK;
}

static status_t binding_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct binding_server server = { .info = method_info };

	return binding_dispatch(&server, container_of(object, struct binding, object), call, interface_id, method);
}

static void binding_on_last_hold(struct object *object)
{
	struct binding *binding = container_of(object, struct binding, object);
	struct binding_rest rest = { 0 };

	spin_lock(&binding_lock);
	if (binding->notification)
		end_locked(binding, &rest);
	spin_unlock(&binding_lock);
	rest_drop(&rest);
}

static void binding_destroy(struct object *object)
{
	struct binding *binding = container_of(object, struct binding, object);

	ASSERT(!binding->notification && !binding->timer.queue);
	timer_refund(binding);      /* of one that was never started */
	slab_free(&binding_cache, binding);
}

const struct object_type binding_type = {
	.name = "binding",
	.call = binding_call,
	.on_last_hold = binding_on_last_hold,
	.destroy = binding_destroy,
};
