/*
 * ObjectFactory: makes memory objects, endpoints, notifications and promises, charged to the caller's ledger.
 */
#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/notification.h"
#include "kernel/object/promise.h"
#include "kernel/object/roots.h"
#include "kernel/object/pager.h"

/* Gives a new object to the caller: its one reference becomes the result's hold, or ends it. */
static status_t new_object_give(struct call *call, struct object *object,
		const struct capnp_interface *interface, struct capnp_cap *cap)
{
	object_hold(object);
	object_put(object);
	*cap = CAPNP_CAP_NULL;
	return call_give(call, object, interface, false, cap);
}

static status_t method_memory(void *self, struct call *call,
		struct object_factory_memory_params_reader in,
		struct object_factory_memory_results_builder *out)
{
	uint64_t bytes = object_factory_memory_params_get_bytes(in);
	struct memory_object *object;
	struct capnp_cap cap;
	status_t status;

	if (bytes == 0)
		return call_fail_argument(call, 0, MEMORY_OBJECT_BYTES_MAX);
	status = memory_object_create(call->payer, bytes, &object, &call->detail);
	if (status != STATUS_OK)
		return status;
	status = new_object_give(call, &object->object, &memory_object_interface, &cap);
	object_factory_memory_results_set_object(*out, cap);
	return status;
}

static status_t method_endpoint(void *self, struct call *call,
		struct object_factory_endpoint_params_reader in,
		struct object_factory_endpoint_results_builder *out)
{
	struct endpoint *endpoint;
	struct capnp_cap cap;
	status_t status = endpoint_create(call->payer,
			object_factory_endpoint_params_get_message_words(in),
			object_factory_endpoint_params_get_capabilities(in),
			object_factory_endpoint_params_get_calls(in), &endpoint, &call->detail);

	if (status != STATUS_OK)
		return status;
	status = new_object_give(call, &endpoint->object, &endpoint_interface, &cap);
	object_factory_endpoint_results_set_endpoint(*out, cap);
	return status;
}

static status_t method_notification(void *self, struct call *call,
		struct object_factory_notification_params_reader in,
		struct object_factory_notification_results_builder *out)
{
	struct notification *notification;
	struct capnp_cap cap;
	status_t status = notification_create(call->payer, &notification, &call->detail);

	if (status != STATUS_OK)
		return status;
	status = new_object_give(call, &notification->object, &notification_interface, &cap);
	object_factory_notification_results_set_notification(*out, cap);
	return status;
}

static status_t method_paged_memory(void *self, struct call *call,
		struct object_factory_paged_memory_params_reader in,
		struct object_factory_paged_memory_results_builder *out)
{
	uint64_t bytes = object_factory_paged_memory_params_get_bytes(in);
	uint64_t deadline_ns = object_factory_paged_memory_params_get_deadline_ns(in);
	struct capnp_cap memory_cap, pager_cap;
	struct memory_object *memory;
	struct object *pager;
	status_t status;

	if (bytes == 0)
		return call_fail_argument(call, 0, MEMORY_OBJECT_BYTES_MAX);
	if (deadline_ns == 0 || deadline_ns > PAGER_DEADLINE_NS_MAX)
		return call_fail_argument(call, 1, UINT32_MAX);
	status = pager_create(call->payer, bytes, deadline_ns, &memory, &pager, &call->detail);
	if (status != STATUS_OK)
		return status;
	status = new_object_give(call, &memory->object, &memory_object_interface, &memory_cap);
	if (status != STATUS_OK) {
		object_put(pager);
		return status;
	}
	status = new_object_give(call, pager, &pager_interface, &pager_cap);
	object_factory_paged_memory_results_set_object(*out, memory_cap);
	object_factory_paged_memory_results_set_pager(*out, pager_cap);
	return status;
}

static status_t method_promise(void *self, struct call *call,
		struct object_factory_promise_params_reader in,
		struct object_factory_promise_results_builder *out)
{
	struct capnp_list interfaces = object_factory_promise_params_get_interfaces(in);
	struct facet_row rows[FACET_ROWS_MAX];
	struct promise *promise;
	struct object *resolver;
	struct facet *facet;
	struct capnp_cap cap, resolver_cap;
	status_t status = facet_rows_read(call, 0, interfaces, rows);

	if (status != STATUS_OK)
		return status;
	facet = facet_intern(rows, interfaces.count);
	if (!facet)
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	status = promise_create(call->payer, &promise, &resolver, &call->detail);
	if (status != STATUS_OK) {
		facet_put(facet);
		return status;
	}
	object_hold(&promise->object);
	object_put(&promise->object);
	status = call_give_facet(call, &promise->object, facet, false, &cap);
	if (status != STATUS_OK) {
		object_put(resolver);
		return status;
	}
	status = new_object_give(call, resolver, &promise_resolver_interface, &resolver_cap);
	object_factory_promise_results_set_promise(*out, cap);
	object_factory_promise_results_set_resolver(*out, resolver_cap);
	return status;
}

static status_t object_factory_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct object_factory_server server = {
		.memory = method_memory,
		.endpoint = method_endpoint,
		.notification = method_notification,
		.paged_memory = method_paged_memory,
		.promise = method_promise,
	};

	return object_factory_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type object_factory_type = {
	.name = "object factory",
	.call = object_factory_call,
};

struct object *object_factory_object(void)
{
	static struct object factory = ROOT_OBJECT(&object_factory_type);

	return &factory;
}
