/*
 * Promises; see promise.h. Called from ring/dispatch.c with calls, from ring/pipeline.c to settle one after the other, and
 * through the methods of the resolver.
 * Always true: a promise that is RESOLVED or BROKEN has nobody waiting, and keeps nothing when nobody holds it; no chain of
 * promises leads to itself. A chain may grow at its end; no call and no resolver walks more than PROMISE_CHAIN_MAX of it.
 */
#include "kernel/object/promise.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/object/process_spawner.h"
#include "kernel/ring/dispatch.h"
#include "kernel/ring/pipeline.h"

struct resolver {
	struct object   object;
	struct promise *promise;      /* I, counted */
};

static struct slab_cache promise_cache = SLAB_CACHE("promise", struct promise);
static struct slab_cache resolver_cache = SLAB_CACHE("resolver", struct resolver);
static struct spinlock promise_lock = SPINLOCK_INIT(LOCK_RANK_OBJECT, "promise");

static const struct object_type resolver_type;

status_t promise_create(struct ledger *payer, struct promise **out, struct object **resolver_out, uint64_t *detail)
{
	struct promise *promise;
	struct resolver *resolver;
	status_t status = ledger_charge(payer, RESOURCE_CLASS_OBJECTS, 2, detail);

	if (status != STATUS_OK)
		return status;
	promise = slab_alloc(&promise_cache);
	resolver = slab_alloc(&resolver_cache);
	if (!promise || !resolver) {
		if (promise)
			slab_free(&promise_cache, promise);
		if (resolver)
			slab_free(&resolver_cache, resolver);
		ledger_refund(payer, RESOURCE_CLASS_OBJECTS, 2);
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		return STATUS_OVERLOADED;
	}
	object_init(&promise->object, &promise_type, payer);
	list_init(&promise->waiting);
	object_init(&resolver->object, &resolver_type, payer);
	resolver->promise = promise;
	object_get(&promise->object);
	*out = promise;
	*resolver_out = &resolver->object;
	return STATUS_OK;
}

/* --- Calls -------------------------------------------------------------------------------------- */

static struct promise *as_promise(struct object *object)
{
	return object && object->type == &promise_type ? container_of(object, struct promise, object) : NULL;
}

/* Where a call that goes on through the promise is to start; OK, or why it ends. */
static status_t next_target(const struct promise *promise, struct cap_entry *target, uint64_t *detail)
{
	*target = (struct cap_entry){ .state = CAP_LIVE, .object = promise->target.object,
			.facet = promise->target.facet, .grant = promise->target.grant };
	if (!target->object) {
		*detail = promise->detail;
		return promise->broken;
	}
	if (!grant_is_revoked(target->grant))
		return STATUS_OK;
	*detail = reason_detail(REASON_REVOKED, 0, 0, 0);
	return STATUS_DISCONNECTED;
}

/* Lets a call go on where the promise leads, or ends it. What it leads to is fixed; where that is a promise as well, and
 * so on for at most PROMISE_CHAIN_MAX, the call goes on from there. */
static void call_go_on(struct ring *ring, const struct ring_entry *entry, const struct promise *promise)
{
	struct cap_entry target;
	bool has_interface;

	for (uint32_t hops = 0; hops <= PROMISE_CHAIN_MAX; hops++) {
		uint64_t detail;
		status_t status = next_target(promise, &target, &detail);

		if (status != STATUS_OK) {
			call_refuse_entry(ring, entry, status, detail);
			return;
		}
		promise = as_promise(target.object);
		if (!promise || promise->state <= PROMISE_SETTLING ||
				!facet_has_method(target.facet, entry->interface, entry->method, &has_interface)) {
			call_start_with(ring, entry, &target);
			return;
		}
	}
	call_refuse_entry(ring, entry, STATUS_FAILED, reason_detail(REASON_CYCLE, 0, 0, 0));
}

/* The call waits, with what it carries. */
static void call_wait(struct ring *ring, const struct ring_entry *entry, struct promise *promise,
		struct call_transfer *transfer) REQUIRES(promise_lock)
{
	struct question *call = call_question(ring, entry, QUESTION_OBJECT, &promise->object);

	if (transfer)
		call->transfer = transfer;
	call->call_state = CALL_QUEUED;
	list_append(&promise->waiting, &call->link);
}

static status_t wait_capture(struct ring *ring, const struct ring_entry *entry, struct call_transfer **transfer,
		uint64_t *detail)
{
	*transfer = NULL;
	if (ring->questions[entry->question].kind == QUESTION_HELD)
		return STATUS_OK;      /* it has what it carries already */
	return call_transfer_capture(&ring->process->caps, ring->words + entry->caps_off, entry->cap_count, false, transfer,
			detail);
}

void promise_call(struct ring *ring, const struct ring_entry *entry, struct promise *promise)
{
	struct call_transfer *transfer;
	uint64_t detail = 0;
	bool waits;
	status_t status;

	if (promise->state > PROMISE_SETTLING) {
		call_go_on(ring, entry, promise);
		return;
	}
	if (entry->flags & ENTRY_FAIL_FAST) {
		call_refuse_entry(ring, entry, STATUS_DISCONNECTED, reason_detail(REASON_NO_RECEIVER, 0, 0, 0));
		return;
	}
	status = wait_capture(ring, entry, &transfer, &detail);
	if (status != STATUS_OK) {
		call_refuse_entry(ring, entry, status, detail);
		return;
	}
	spin_lock(&promise_lock);
	waits = promise->state <= PROMISE_SETTLING;
	if (waits)
		call_wait(ring, entry, promise, transfer);
	spin_unlock(&promise_lock);
	if (waits)
		return;
	call_transfer_drop(transfer, &ring->process->caps);
	call_go_on(ring, entry, promise);
}

static bool promise_cancel(struct object *object, struct question *question)
{
	bool waited;

	spin_lock(&promise_lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	spin_unlock(&promise_lock);
	return waited;
}

/* --- Settling ----------------------------------------------------------------------------------- */

/* Where nobody can call a promise any more, it lets go of what it leads to: that may be what keeps the promise itself. */
static void let_go(struct promise *promise)
{
	struct transfer_item target = { 0 };

	spin_lock(&promise_lock);
	if (promise->state == PROMISE_RESOLVED && __atomic_load_n(&promise->object.holds, __ATOMIC_ACQUIRE) == 0) {
		target = promise->target;
		promise->target = (struct transfer_item){ 0 };
	}
	spin_unlock(&promise_lock);
	transfer_drop(&target, 1, NULL);
}

static void promise_on_last_hold(struct object *object)
{
	let_go(container_of(object, struct promise, object));
}

void promise_settled(struct promise *promise)
{
	let_go(promise);
}

bool promise_settle_one(struct promise *promise)
{
	struct question *call;
	struct list *link;

	spin_lock(&promise_lock);
	link = list_take(&promise->waiting);
	if (!link)
		promise->state = promise->target.object ? PROMISE_RESOLVED : PROMISE_BROKEN;
	spin_unlock(&promise_lock);
	if (!link)
		return false;
	call = container_of(link, struct question, link);
	call->kind = QUESTION_HELD;
	call->call_state = CALL_NONE;
	call->object = NULL;
	call_go_on(call->ring, &call->entry, promise);
	object_put(&promise->object);              /* the call's */
	return true;
}

/* Fixes what the promise leads to; false if that has been done. Consumes the target where it answers true. */
static bool settle(struct promise *promise, const struct transfer_item *target, status_t broken, uint64_t detail)
{
	bool open;

	spin_lock(&promise_lock);
	open = promise->state == PROMISE_OPEN;
	if (open) {
		promise->state = PROMISE_SETTLING;
		if (target)
			promise->target = *target;
		promise->broken = broken;
		promise->detail = detail;
	}
	spin_unlock(&promise_lock);
	if (open) {
		object_get(&promise->object);
		pipeline_settle_promise(promise);
	}
	return open;
}

static void promise_destroy(struct object *object)
{
	struct promise *promise = container_of(object, struct promise, object);

	ASSERT(list_empty(&promise->waiting));
	transfer_drop(&promise->target, 1, NULL);
	slab_free(&promise_cache, promise);
}

const struct object_type promise_type = {
	.name = "promise",
	.on_last_hold = promise_on_last_hold,
	.destroy = promise_destroy,
	.cancel = promise_cancel,
};

/* --- Resolver ----------------------------------------------------------------------------------- */

/* Whether the promise may lead to the object: not to itself, and not through too many others. How many lead to the promise
 * does not matter here: anybody who holds it can make such. */
static bool may_lead_to(const struct promise *promise, struct object *object) REQUIRES(promise_lock)
{
	uint32_t hops = 0;

	for (const struct promise *next = as_promise(object); next; next = as_promise(next->target.object)) {
		if (next == promise || ++hops > PROMISE_CHAIN_MAX)
			return false;
	}
	return true;
}

static status_t resolver_resolve(void *self, struct call *call, struct promise_resolver_resolve_params_reader in,
		struct promise_resolver_resolve_results_builder *out)
{
	struct promise *promise = ((struct resolver *)self)->promise;
	struct transfer_item target = { 0 };
	struct cap_entry *entry;
	bool allowed;
	status_t status = call_argument(call, promise_resolver_resolve_params_get_capability(in), 0, NULL, &entry);

	if (status == STATUS_OK)
		status = call_ready(call);
	if (status != STATUS_OK)
		return status;
	/* Whoever holds the promise will have the capability. */
	if (!export_may_cross(entry->object, call->process, NULL))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_SCOPE, 0, 0, 0);
	/* A builder that leads to itself would keep a process that never starts. */
	if (process_is_builder(entry->object))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE, 0, 0, 0);
	spin_lock(&promise_lock);
	allowed = promise->state != PROMISE_OPEN || may_lead_to(promise, entry->object);
	spin_unlock(&promise_lock);
	if (!allowed) {
		(void)settle(promise, NULL, STATUS_FAILED, reason_detail(REASON_CYCLE, 0, 0, 0));
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_CYCLE, 0, 0, 0);
	}
	transfer_item_of(entry, &target);
	if (settle(promise, &target, STATUS_OK, 0))
		return STATUS_OK;
	transfer_drop(&target, 1, NULL);
	return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
}

static status_t resolver_reject(void *self, struct call *call, struct promise_resolver_reject_params_reader in,
		struct promise_resolver_reject_results_builder *out)
{
	uint16_t kind = promise_resolver_reject_params_get_exception(in);
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (kind < STATUS_FAILED || kind > STATUS_INVALID_ARGUMENT)
		return call_fail_argument(call, 0, STATUS_INVALID_ARGUMENT);
	if (settle(((struct resolver *)self)->promise, NULL, kind, 0))
		return STATUS_OK;
	return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
}

static status_t resolver_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct promise_resolver_server server = {
		.resolve = resolver_resolve,
		.reject = resolver_reject,
	};

	return promise_resolver_dispatch(&server, container_of(object, struct resolver, object), call, interface_id, method);
}

/* Nobody can resolve it any more. */
static void resolver_on_last_hold(struct object *object)
{
	struct resolver *resolver = container_of(object, struct resolver, object);

	(void)settle(resolver->promise, NULL, STATUS_DISCONNECTED, reason_detail(REASON_CLOSED, 0, 0, 0));
}

static void resolver_destroy(struct object *object)
{
	struct resolver *resolver = container_of(object, struct resolver, object);

	object_put(&resolver->promise->object);
	slab_free(&resolver_cache, resolver);
}

static const struct object_type resolver_type = {
	.name = "promise_resolver",
	.call = resolver_object_call,
	.on_last_hold = resolver_on_last_hold,
	.destroy = resolver_destroy,
};
