/*
 * The life of endpoints and exports: making, retiring, incarnations, closing. Calls through them are in
 * endpoint_call.c; the receive side's methods are at the end.
 * Always true: an export in `exports` has its endpoint's reference; an export without holds is in idle_exports,
 * was told to the server and waits for retire, or is gone.
 */
#include "kernel/object/endpoint.h"

#include "capos/kernel.server.h"
#include "kernel/cap/facet.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/mm/slab.h"
#include "kernel/object/binding.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint_internal.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"

static struct slab_cache endpoint_cache = SLAB_CACHE("endpoint", struct endpoint);
static struct slab_cache export_cache = SLAB_CACHE("export", struct export);

/* --- Endpoints ---------------------------------------------------------------------------------- */

static size_t services_bytes(uint32_t calls)
{
	return (calls + 1ul) * sizeof(struct service);
}

static void endpoint_fill(struct endpoint *endpoint, struct ledger *payer, uint16_t message_words,
		uint8_t capabilities, uint16_t calls)
{
	object_init(&endpoint->object, &endpoint_type, payer);
	spin_init(&endpoint->lock, LOCK_RANK_ENDPOINT, "endpoint");
	endpoint->payer = payer;
	ledger_get(payer);
	endpoint->message_words = message_words;
	endpoint->capabilities = capabilities;
	endpoint->calls = calls;
	endpoint->incarnation = 1;
	list_init(&endpoint->pending);
	list_init(&endpoint->receivers);
	list_init(&endpoint->cancelled);
	list_init(&endpoint->idle_exports);
	list_init(&endpoint->waiters);
	list_init(&endpoint->bindings);
	for (uint32_t slot = calls; slot > 0; slot--) {
		list_init(&endpoint->services[slot].event_link);
		endpoint->services[slot].id = slot;
		endpoint->services[slot].next_free = endpoint->service_free;
		endpoint->service_free = slot;
	}
}

/* A receive for the largest call fits in a message and in an arena; call ids have room for the slots. */
static status_t limits_check(uint16_t message_words, uint8_t capabilities, uint16_t calls, uint64_t *detail)
{
	STATIC_ASSERT(RECV_HEADER_WORDS + 2 * ENDPOINT_CAPS_MAX + MESSAGE_WORDS_MAX <= RING_WORDS - RING_ARENA_OFF);
	STATIC_ASSERT(ENDPOINT_CALLS_MAX < 1u << SERVICE_SLOT_BITS);
	if (message_words > MESSAGE_WORDS_MAX)
		*detail = reason_detail(REASON_ARGUMENT, 0, 0, MESSAGE_WORDS_MAX);
	else if (capabilities > ENDPOINT_CAPS_MAX)
		*detail = reason_detail(REASON_ARGUMENT, 1, 0, ENDPOINT_CAPS_MAX);
	else if (calls < 1 || calls > ENDPOINT_CALLS_MAX)
		*detail = reason_detail(REASON_ARGUMENT, 2, 0, ENDPOINT_CALLS_MAX);
	else
		return STATUS_OK;
	return STATUS_INVALID_ARGUMENT;
}

status_t endpoint_create(struct ledger *payer, uint16_t message_words, uint8_t capabilities, uint16_t calls,
		struct endpoint **out, uint64_t *detail)
{
	struct endpoint *endpoint;
	status_t status = limits_check(message_words, capabilities, calls, detail);

	if (status == STATUS_OK)
		status = ledger_charge(payer, RESOURCE_CLASS_OBJECTS, 1, detail);
	if (status != STATUS_OK)
		return status;
	status = ledger_charge(payer, RESOURCE_CLASS_CALLS, calls, detail);
	if (status != STATUS_OK)
		goto undo_object;
	endpoint = slab_alloc(&endpoint_cache);
	if (!endpoint)
		goto undo_calls;
	endpoint->services = heap_alloc(services_bytes(calls));
	if (!endpoint->services)
		goto undo_endpoint;
	endpoint_fill(endpoint, payer, message_words, capabilities, calls);
	*out = endpoint;
	return STATUS_OK;
undo_endpoint:
	slab_free(&endpoint_cache, endpoint);
undo_calls:
	*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
	status = STATUS_OVERLOADED;
	ledger_refund(payer, RESOURCE_CLASS_CALLS, calls);
undo_object:
	ledger_refund(payer, RESOURCE_CLASS_OBJECTS, 1);
	return status;
}

static void endpoint_destroy(struct object *object)
{
	struct endpoint *endpoint = container_of(object, struct endpoint, object);

	ASSERT(endpoint->export_count == 0 && endpoint->service_count == 0 && endpoint->pending_count == 0);
	ASSERT(!endpoint->server);
	if (endpoint->exports)
		heap_free(endpoint->exports, endpoint->export_capacity * sizeof(struct export *));
	heap_free(endpoint->services, services_bytes(endpoint->calls));
	ledger_refund(endpoint->payer, RESOURCE_CLASS_CALLS, endpoint->calls);
	ledger_put(endpoint->payer);
	slab_free(&endpoint_cache, endpoint);
}

static void endpoint_on_last_hold(struct object *object)
{
	endpoint_close(container_of(object, struct endpoint, object));
}

static status_t endpoint_wait_death(struct object *object, struct question *question, bool *ended)
{
	struct endpoint *endpoint = container_of(object, struct endpoint, object);

	endpoint_lock(endpoint);
	*ended = endpoint->closed;
	if (!*ended)
		list_append(&endpoint->waiters, &question->link);
	endpoint_unlock(endpoint);
	return STATUS_OK;
}

/* Tells of the end of an endpoint or an export: completes every question of the list of its death waiters, which
 * the endpoint's lock guards, and fires the bindings. Without locks. */
static void announce_end(struct endpoint *endpoint, struct list *waiters, struct list *bindings)
{
	for (;;) {
		struct list *link;

		endpoint_lock(endpoint);
		link = list_take(waiters);
		endpoint_unlock(endpoint);
		if (!link)
			break;
		question_answer(container_of(link, struct question, link), STATUS_OK, 0, NULL, 0);
	}
	bindings_fire_last(bindings);
}

static struct list *endpoint_bindings(struct object *object)
{
	return &container_of(object, struct endpoint, object)->bindings;
}

static bool endpoint_has_ended(struct object *object)
{
	struct endpoint *endpoint = container_of(object, struct endpoint, object);
	bool ended;

	endpoint_lock(endpoint);
	ended = endpoint->closed;
	endpoint_unlock(endpoint);
	return ended;
}

/* --- Exports ------------------------------------------------------------------------------------ */

bool export_is_stale_locked(const struct export *export)
{
	const struct endpoint *endpoint = export->endpoint;

	LOCK_ASSERT_HELD(&endpoint->lock);
	return export->retired || endpoint->closed ||
			(export->incarnation && export->incarnation != endpoint->incarnation);
}

bool export_is_served_by(struct object *object, const struct facet *facet, const struct endpoint *endpoint, uint64_t *tag)
{
	const struct export *export;

	if (object->type != &export_type)
		return false;
	export = container_of(object, struct export, object);
	*tag = export->tag;
	return export->endpoint == endpoint && facet->rows[0].id == export->interface && !export_is_stale_locked(export);
}

bool endpoint_view(struct object *object, struct endpoint_view *view)
{
	struct export *export = object->type == &export_type ? container_of(object, struct export, object) : NULL;
	struct endpoint *endpoint = export ? export->endpoint : container_of(object, struct endpoint, object);

	if (!export && object->type != &endpoint_type)
		return false;
	endpoint_lock(endpoint);
	view->endpoint = &endpoint->object;
	view->server = endpoint->server ? endpoint->server->id : 0;
	view->ended = export ? export_is_stale_locked(export) : endpoint->closed;
	endpoint_unlock(endpoint);
	return true;
}

bool export_may_cross(struct object *object, const struct process *from, const struct process *to)
{
	const struct export *export;
	const struct process *server;

	if (object->type != &export_type || from == to)
		return true;
	export = container_of(object, struct export, object);
	if (likely(export->scope == TRANSFER_SCOPE_SHAREABLE))
		return true;
	server = READ_ONCE(export->endpoint->server);
	return (server && (server == from || server == to)) ||
			(to && export->scope == TRANSFER_SCOPE_SAME_SESSION && from->session == to->session);
}

bool export_keeps_to_session(struct object *object)
{
	return object->type == &export_type &&
			container_of(object, struct export, object)->scope == TRANSFER_SCOPE_SAME_SESSION;
}

/* Doubles the array of exports. Lock held. */
static bool exports_grow(struct endpoint *endpoint)
{
	uint32_t capacity = endpoint->export_capacity ? endpoint->export_capacity * 2 : 16;
	struct export **exports = heap_alloc(capacity * sizeof(*exports));

	if (!exports)
		return false;
	if (endpoint->exports) {
		memcpy(exports, endpoint->exports, endpoint->export_capacity * sizeof(*exports));
		heap_free(endpoint->exports, endpoint->export_capacity * sizeof(*exports));
	}
	endpoint->export_hint = endpoint->export_capacity;
	endpoint->exports = exports;
	endpoint->export_capacity = capacity;
	return true;
}

/* A place for an export; there is one. Lock held. */
static uint32_t exports_free_index(struct endpoint *endpoint)
{
	uint32_t index = endpoint->export_hint;

	while (endpoint->exports[index])
		index = (index + 1) % endpoint->export_capacity;
	endpoint->export_hint = (index + 1) % endpoint->export_capacity;
	return index;
}

/* Enters an export in its endpoint. */
static status_t exports_add(struct endpoint *endpoint, struct export *export, bool lasting, uint64_t *detail)
{
	status_t status = STATUS_OK;

	endpoint_lock(endpoint);
	if (endpoint->closed) {
		*detail = reason_detail(REASON_CLOSED, 0, 0, 0);
		status = STATUS_DISCONNECTED;
	} else if (endpoint->export_count * 4ul >= endpoint->export_capacity * 3ul && !exports_grow(endpoint)) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		status = STATUS_OVERLOADED;
	} else {
		export->index = exports_free_index(endpoint);
		export->incarnation = lasting ? 0 : endpoint->incarnation;
		export->number = ++endpoint->export_number;
		endpoint->exports[export->index] = export;
		endpoint->export_count++;
	}
	endpoint_unlock(endpoint);
	return status;
}

status_t endpoint_export(struct endpoint *endpoint, struct ledger *payer, uint64_t tag, uint64_t interface, bool lasting,
		struct export **out, uint64_t *detail)
{
	struct export *export;
	status_t status = ledger_charge(payer, RESOURCE_CLASS_EXPORTS, 1, detail);

	if (status != STATUS_OK)
		return status;
	export = slab_alloc(&export_cache);
	if (!export) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		status = STATUS_OVERLOADED;
		goto undo_charge;
	}
	/* Exports have a class of their own, so they are not charged as objects. */
	object_init(&export->object, &export_type, NULL);
	export->endpoint = endpoint;
	export->tag = tag;
	export->interface = interface;
	list_init(&export->idle_link);
	list_init(&export->waiters);
	list_init(&export->bindings);
	status = exports_add(endpoint, export, lasting, detail);
	if (status != STATUS_OK)
		goto undo_export;
	object_get(&endpoint->object);
	export->payer = payer;
	ledger_get(payer);
	object_get(&export->object);      /* the caller's; the first one is the endpoint's */
	*out = export;
	return STATUS_OK;
undo_export:
	slab_free(&export_cache, export);
undo_charge:
	ledger_refund(payer, RESOURCE_CLASS_EXPORTS, 1);
	return status;
}

static void export_destroy(struct object *object)
{
	struct export *export = container_of(object, struct export, object);

	ASSERT(export->retired && list_empty(&export->waiters));
	ledger_refund(export->payer, RESOURCE_CLASS_EXPORTS, 1);
	ledger_put(export->payer);
	object_put(&export->endpoint->object);
	slab_free(&export_cache, export);
}

/* Takes an export out of its endpoint; the caller drops the endpoint's reference. Lock held. */
static void export_retire_locked(struct export *export)
{
	struct endpoint *endpoint = export->endpoint;

	DEBUG_ASSERT(!export->retired && endpoint->exports[export->index] == export);
	list_remove(&export->idle_link);
	endpoint->exports[export->index] = NULL;
	endpoint->export_count--;
	export->retired = true;
}

static void export_finish_retire(struct export *export)
{
	announce_end(export->endpoint, &export->waiters, &export->bindings);
	object_put(&export->object);
}

/* Nobody can call it any more: tell the server, or end it where there is none that knows it. */
static void export_on_last_hold(struct object *object)
{
	struct export *export = container_of(object, struct export, object);
	struct endpoint *endpoint = export->endpoint;
	bool retire = false;

	endpoint_lock(endpoint);
	if (!export->retired && export->object.holds == 0) {
		if (export_is_stale_locked(export)) {
			export_retire_locked(export);
			retire = true;
		} else if (!list_queued(&export->idle_link)) {
			list_append(&endpoint->idle_exports, &export->idle_link);
		}
	}
	endpoint_unlock(endpoint);
	if (retire)
		export_finish_retire(export);
	else
		endpoint_pump(endpoint);
}

status_t endpoint_retire(struct endpoint *endpoint, uint64_t tag, uint64_t sequence)
{
	uint32_t index = (uint32_t)sequence;
	struct export *export = NULL;
	status_t status = STATUS_OK;

	endpoint_lock(endpoint);
	if (index < endpoint->export_capacity)
		export = endpoint->exports[index];
	if (!export || export->tag != tag || export->number != sequence >> 32)
		status = STATUS_GONE;
	else if (export->object.holds != 0)
		status = STATUS_STALE;
	else
		export_retire_locked(export);
	endpoint_unlock(endpoint);
	if (status == STATUS_OK)
		export_finish_retire(export);
	return status;
}

static bool export_cancel(struct object *object, struct question *question)
{
	struct export *export = container_of(object, struct export, object);
	bool waited;

	endpoint_lock(export->endpoint);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	endpoint_unlock(export->endpoint);
	return waited;
}

static status_t export_wait_death(struct object *object, struct question *question, bool *ended)
{
	struct export *export = container_of(object, struct export, object);

	endpoint_lock(export->endpoint);
	*ended = export_is_stale_locked(export);
	if (!*ended)
		list_append(&export->waiters, &question->link);
	endpoint_unlock(export->endpoint);
	return STATUS_OK;
}

static struct list *export_bindings(struct object *object)
{
	return &container_of(object, struct export, object)->bindings;
}

static bool export_has_ended(struct object *object)
{
	struct export *export = container_of(object, struct export, object);
	bool ended;

	endpoint_lock(export->endpoint);
	ended = export_is_stale_locked(export);
	endpoint_unlock(export->endpoint);
	return ended;
}

/* --- Incarnations and the end ------------------------------------------------------------------- */

/* After the endpoint changed: tells those who wait for the end of exports that have ended now, and retires those of
 * them that nobody holds. One walk over the array; the lock is dropped around each. */
static void exports_settle(struct endpoint *endpoint)
{
	for (uint32_t index = 0;; index++) {
		struct export *export;
		bool retire = false;

		endpoint_lock(endpoint);
		while (index < endpoint->export_capacity &&
				(!endpoint->exports[index] || !export_is_stale_locked(endpoint->exports[index])))
			index++;
		if (index >= endpoint->export_capacity) {
			endpoint_unlock(endpoint);
			return;
		}
		export = endpoint->exports[index];
		object_get(&export->object);
		if (export->object.holds == 0) {
			export_retire_locked(export);
			retire = true;
		}
		endpoint_unlock(endpoint);
		announce_end(endpoint, &export->waiters, &export->bindings);
		if (retire)
			object_put(&export->object);
		object_put(&export->object);
	}
}

/* The next incarnation has not been told of lasting exports that nobody holds. Lock held. */
static void idle_exports_requeue(struct endpoint *endpoint)
{
	for (uint32_t index = 0; index < endpoint->export_capacity; index++) {
		struct export *export = endpoint->exports[index];

		if (export && export->object.holds == 0 && !export_is_stale_locked(export) &&
				!list_queued(&export->idle_link))
			list_append(&endpoint->idle_exports, &export->idle_link);
	}
}

static struct process *take_server(struct endpoint *endpoint)
{
	struct process *server = endpoint->server;

	endpoint->server = NULL;
	return server;
}

uint32_t endpoint_reset(struct endpoint *endpoint)
{
	struct endpoint_sweep sweep = { .pending = true, .stale_only = true, .receivers = true, .all_services = true,
			.status = STATUS_DISCONNECTED,
			.detail = reason_detail(REASON_INCARNATION, 0, 0, 0) };
	struct process *server;
	uint32_t incarnation;

	endpoint_lock(endpoint);
	if (++endpoint->incarnation == 0)
		endpoint->incarnation = 1;
	incarnation = endpoint->incarnation;
	server = take_server(endpoint);
	idle_exports_requeue(endpoint);
	endpoint_unlock(endpoint);
	sweep.keep_incarnation = incarnation;
	endpoint_sweep(endpoint, &sweep);
	exports_settle(endpoint);
	if (server)
		object_put(&server->object);
	return incarnation;
}

void endpoint_close(struct endpoint *endpoint)
{
	struct endpoint_sweep sweep = { .pending = true, .receivers = true, .all_services = true,
			.status = STATUS_DISCONNECTED, .detail = reason_detail(REASON_CLOSED, 0, 0, 0) };
	struct process *server;
	bool closed;

	object_get(&endpoint->object);
	endpoint_lock(endpoint);
	closed = endpoint->closed;
	endpoint->closed = true;
	server = take_server(endpoint);
	endpoint_unlock(endpoint);
	if (!closed) {
		endpoint_sweep(endpoint, &sweep);
		exports_settle(endpoint);
		announce_end(endpoint, &endpoint->waiters, &endpoint->bindings);
	}
	if (server)
		object_put(&server->object);
	object_put(&endpoint->object);
}

void endpoint_process_ended(struct endpoint *endpoint, const struct process *process)
{
	struct endpoint_sweep sweep = { .receivers = true, .server = process, .status = STATUS_DISCONNECTED,
			.detail = reason_detail(REASON_DIED, 0, 0, 0) };
	struct process *server = NULL;

	endpoint_sweep(endpoint, &sweep);
	endpoint_pump(endpoint);      /* its service slots are free for whom others receive */
	endpoint_lock(endpoint);
	if (endpoint->server == process)
		server = take_server(endpoint);
	endpoint_unlock(endpoint);
	if (!server)
		return;
	sweep = (struct endpoint_sweep){ .pending = true, .fail_fast_only = true, .server = process,
			.status = STATUS_DISCONNECTED, .detail = reason_detail(REASON_NO_RECEIVER, 0, 0, 0) };
	endpoint_sweep(endpoint, &sweep);
	object_put(&server->object);
}

/* True if the process received here, receives or serves a call. */
static bool serves(struct endpoint *endpoint, const struct process *process)
{
	bool found;

	endpoint_lock(endpoint);
	found = endpoint->server == process;
	for (struct list *link = endpoint->receivers.next; !found && link != &endpoint->receivers; link = link->next)
		found = container_of(link, struct question, link)->ring->process == process;
	for (uint32_t slot = 1; !found && endpoint->service_count && slot <= endpoint->calls; slot++)
		found = endpoint->services[slot].server == process;
	endpoint_unlock(endpoint);
	return found;
}

/* Who lets go of the receive side cannot answer any more: as if that process had ended. */
static void endpoint_on_release(struct object *object, struct cap_table *table)
{
	struct endpoint *endpoint = container_of(object, struct endpoint, object);
	struct process *process = container_of(table, struct process, caps);

	if (serves(endpoint, process) && !cap_table_holds(table, object))
		endpoint_process_ended(endpoint, process);
}

void endpoint_check(struct endpoint *endpoint)
{
	uint32_t in_service = 0, free_slots = 0, pending = 0, exports = 0, receivers = 0;

	endpoint_lock(endpoint);
	for (uint32_t slot = 1; slot <= endpoint->calls; slot++) {
		const struct service *service = &endpoint->services[slot];

		if (service->state == SERVICE_FREE)
			continue;
		in_service++;
		if (service->state == SERVICE_ACTIVE)
			ASSERT(service->call->kind == QUESTION_CALL && service->call->call_state == CALL_DELIVERED);
	}
	for (uint32_t slot = endpoint->service_free; slot; slot = endpoint->services[slot].next_free)
		free_slots++;
	for (struct list *link = endpoint->pending.next; link != &endpoint->pending; link = link->next) {
		const struct question *first = container_of(link, struct question, link);

		pending++;
		for (struct list *next = first->followers.next; next != &first->followers; next = next->next) {
			ASSERT(container_of(next, struct question, link)->ring == first->ring);
			pending++;
		}
	}
	for (struct list *link = endpoint->receivers.next; link != &endpoint->receivers; link = link->next)
		receivers++;
	for (uint32_t i = 0; i < endpoint->export_capacity; i++) {
		if (endpoint->exports[i]) {
			ASSERT(endpoint->exports[i]->index == i && !endpoint->exports[i]->retired);
			exports++;
		}
	}
	ASSERT(in_service == endpoint->service_count && in_service + free_slots == endpoint->calls);
	ASSERT(pending == endpoint->pending_count && receivers == endpoint->receiver_count);
	ASSERT(exports == endpoint->export_count);
	if (pending && receivers)
		ASSERT(endpoint->service_free == 0);
	endpoint_unlock(endpoint);
}

/* --- Methods of the receive side ---------------------------------------------------------------- */

status_t facet_rows_read(struct call *call, uint32_t argument, struct capnp_list list, struct facet_row *rows)
{
	if (list.count < 1 || list.count > FACET_ROWS_MAX)
		return call_fail_argument(call, argument, FACET_ROWS_MAX);
	for (uint32_t i = 0; i < list.count; i++) {
		struct interface_row_reader row = interface_row_at(list, i);

		rows[i] = (struct facet_row){ .id = interface_row_get_id(row), .methods = interface_row_get_methods(row),
				.ancestors = interface_row_get_ancestors(row) };
		if (rows[i].id == 0 || (uint32_t)rows[i].ancestors >> list.count)
			return call_fail_argument(call, argument, i);
		for (uint32_t j = 0; j < i; j++) {
			if (rows[j].id == rows[i].id)
				return call_fail_argument(call, argument, i);
		}
	}
	return STATUS_OK;
}

static status_t endpoint_method_export(void *self, struct call *call, struct endpoint_export_params_reader in,
		struct endpoint_export_results_builder *out)
{
	struct capnp_list interfaces = endpoint_export_params_get_interfaces(in);
	struct facet_row rows[FACET_ROWS_MAX];
	enum transfer_scope scope = endpoint_export_params_get_scope(in);
	struct export *export;
	struct facet *facet;
	struct capnp_cap cap;
	status_t status = facet_rows_read(call, 1, interfaces, rows);

	/* An export that is dropped again would be told to the server as one without holders. */
	if (status == STATUS_OK)
		status = call_ready_to_give(call);
	if (status != STATUS_OK)
		return status;
	if (scope > TRANSFER_SCOPE_SERVICE_ONLY)
		return call_fail_argument(call, 3, TRANSFER_SCOPE_SERVICE_ONLY);
	facet = facet_intern(rows, interfaces.count);
	if (!facet)
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	status = endpoint_export(self, call->payer, endpoint_export_params_get_tag(in),
			rows[0].id, endpoint_export_params_get_lasting(in), &export, &call->detail);
	if (status != STATUS_OK) {
		facet_put(facet);
		return status;
	}
	export->scope = (uint8_t)scope;
	object_hold(&export->object);
	object_put(&export->object);
	status = call_give_facet(call, &export->object, facet, false, &cap);
	if (status == STATUS_OK)
		endpoint_export_results_set_capability(*out, cap);
	return status;
}

static status_t endpoint_method_reset(void *self, struct call *call, struct endpoint_reset_params_reader in,
		struct endpoint_reset_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		endpoint_reset_results_set_incarnation(*out, endpoint_reset(self));
	return status;
}

static status_t endpoint_method_close(void *self, struct call *call, struct endpoint_close_params_reader in,
		struct endpoint_close_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		endpoint_close(self);
	return status;
}

static status_t endpoint_method_info(void *self, struct call *call, struct endpoint_info_params_reader in,
		struct endpoint_info_results_builder *out)
{
	struct endpoint *endpoint = self;

	endpoint_lock(endpoint);
	endpoint_info_results_set_incarnation(*out, endpoint->incarnation);
	endpoint_info_results_set_exports(*out, endpoint->export_count);
	endpoint_info_results_set_pending(*out, endpoint->pending_count);
	endpoint_info_results_set_in_service(*out, endpoint->service_count);
	endpoint_info_results_set_receivers(*out, endpoint->receiver_count);
	endpoint_unlock(endpoint);
	return STATUS_OK;
}

static status_t endpoint_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct endpoint_server server = {
		.export = endpoint_method_export,
		.reset = endpoint_method_reset,
		.close = endpoint_method_close,
		.info = endpoint_method_info,
	};

	return endpoint_dispatch(&server, container_of(object, struct endpoint, object), call, interface_id, method);
}

const struct object_type endpoint_type = {
	.name = "endpoint",
	.call = endpoint_object_call,
	.on_release = endpoint_on_release,
	.on_last_hold = endpoint_on_last_hold,
	.destroy = endpoint_destroy,
	.cancel = endpoint_cancel,
	.wait_death = endpoint_wait_death,
	.bindings = endpoint_bindings,
	.event_is_due = endpoint_has_ended,
	.event_is_end = true,
};

const struct object_type export_type = {
	.name = "export",
	.on_last_hold = export_on_last_hold,
	.destroy = export_destroy,
	.cancel = export_cancel,
	.wait_death = export_wait_death,
	.bindings = export_bindings,
	.event_is_due = export_has_ended,
	.event_is_end = true,
};
