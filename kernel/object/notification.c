/*
 * Notifications; see notification.h. Signalled and waited for by ring/dispatch.c.
 * Always true: no waiter's mask has a bit of `bits` when the lock is free.
 */
#include "kernel/object/notification.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/ledger.h"
#include "kernel/ring/ring.h"

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
	*out = notification;
	return STATUS_OK;
}

static void notification_destroy(struct object *object)
{
	slab_free(&notification_cache, container_of(object, struct notification, object));
}

/* The oldest waiter that can take some of the bits, taken out; NULL when there is none. Lock held. */
static struct question *satisfied_waiter(struct notification *notification, uint64_t *taken)
{
	for (struct list *link = notification->waiters.next; link != &notification->waiters; link = link->next) {
		struct question *question = container_of(link, struct question, link);

		*taken = notification->bits & question->entry.interface;
		if (*taken) {
			notification->bits &= ~*taken;
			list_remove(link);
			return question;
		}
	}
	return NULL;
}

void notification_signal(struct notification *notification, uint64_t bits)
{
	struct question *waiter;
	uint64_t taken;

	spin_lock(&notification->lock);
	notification->bits |= bits;
	while ((waiter = satisfied_waiter(notification, &taken))) {
		spin_unlock(&notification->lock);
		question_answer(waiter, STATUS_OK, taken, NULL, 0);
		spin_lock(&notification->lock);
	}
	spin_unlock(&notification->lock);
}

status_t notification_wait(struct notification *notification, struct question *question, uint64_t *detail, bool *taken)
{
	spin_lock(&notification->lock);
	*detail = notification->bits & question->entry.interface;
	*taken = *detail != 0;
	if (*taken)
		notification->bits &= ~*detail;
	else
		list_append(&notification->waiters, &question->link);
	spin_unlock(&notification->lock);
	return STATUS_OK;
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
		.signal = { .signal = notification_method_signal },
		.take = notification_method_take,
	};

	return notification_dispatch(&server, container_of(object, struct notification, object), call, interface_id, method);
}

const struct object_type notification_type = {
	.name = "notification",
	.call = notification_object_call,
	.destroy = notification_destroy,
	.cancel = notification_cancel,
};
