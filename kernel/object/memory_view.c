/*
 * The methods of memory objects: MemoryView (info, clone, isSealed) and MemoryObject (also read, write and
 * seal). Which of the two a capability is, its facet says. The objects themselves are
 * memory_object.c.
 */
#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/memory_object.h"

#define READ_MAX  3072 /* bytes a call */
#define WRITE_MAX 900

static status_t method_info(void *self, struct call *call, struct memory_view_info_params_reader in,
		struct memory_view_info_results_builder *out)
{
	const struct memory_object *object = self;

	memory_view_info_results_set_bytes(*out, object->bytes);
	return STATUS_OK;
}

static status_t method_is_sealed(void *self, struct call *call,
		struct memory_view_is_sealed_params_reader in,
		struct memory_view_is_sealed_results_builder *out)
{
	struct memory_object *object = self;

	spin_lock(&object->lock);
	memory_view_is_sealed_results_set_sealed(*out, object->sealed);
	spin_unlock(&object->lock);
	return STATUS_OK;
}

static status_t method_clone(void *self, struct call *call,
		struct memory_view_clone_params_reader in,
		struct memory_view_clone_results_builder *out)
{
	struct memory_object *clone;
	struct capnp_cap cap = CAPNP_CAP_NULL;
	status_t status = memory_object_clone(self, call->payer, &clone, &call->detail);

	if (status != STATUS_OK)
		return status;
	object_hold(&clone->object);
	object_put(&clone->object);
	status = call_give(call, &clone->object, &memory_object_interface, false, &cap);
	memory_view_clone_results_set_object(*out, cap);
	return status;
}

/* Device memory is not read through the direct map, where it may not even be. */
static status_t range_check(struct call *call, const struct memory_object *object, uint64_t offset,
		uint64_t count)
{
	if (object->backing != MEMORY_ANONYMOUS)
		return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (offset > object->bytes)
		return call_fail_argument(call, 0, object->bytes);
	if (count > object->bytes - offset)
		return call_fail_argument(call, 1, object->bytes - offset);
	return STATUS_OK;
}

static status_t method_read(void *self, struct call *call,
		struct memory_object_read_params_reader in,
		struct memory_object_read_results_builder *out)
{
	struct memory_object *object = self;
	uint64_t offset = memory_object_read_params_get_offset(in);
	uint32_t count = memory_object_read_params_get_count(in);
	status_t status = range_check(call, object, offset, count);
	uint8_t *bytes;

	if (status != STATUS_OK)
		return status;
	if (count > READ_MAX)
		return call_fail_argument(call, 1, READ_MAX);
	bytes = memory_object_read_results_init_bytes(*out, count);
	if (bytes)
		memory_object_read(object, offset, bytes, count);
	return STATUS_OK;
}

static status_t method_write(void *self, struct call *call,
		struct memory_object_write_params_reader in,
		struct memory_object_write_results_builder *out)
{
	struct memory_object *object = self;
	uint64_t offset = memory_object_write_params_get_offset(in);
	struct capnp_data data = memory_object_write_params_get_bytes(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = range_check(call, object, offset, data.count);
	if (status != STATUS_OK)
		return status;
	if (data.count > WRITE_MAX)
		return call_fail_argument(call, 1, WRITE_MAX);
	return memory_object_write(object, offset, data.bytes, data.count, &call->detail);
}

static status_t method_seal(void *self, struct call *call,
		struct memory_object_seal_params_reader in,
		struct memory_object_seal_results_builder *out)
{
	struct memory_object *object = self;
	status_t status = call_ready(call);
	uint64_t writable_pages = 0;

	if (status == STATUS_OK && object->backing != MEMORY_ANONYMOUS)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status != STATUS_OK)
		return status;
	memory_object_seal_results_set_sealed(*out, memory_object_seal(object, &writable_pages));
	memory_object_seal_results_set_writable_pages(*out, writable_pages);
	return STATUS_OK;
}

static status_t memory_object_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct memory_object_server server = {
		.memory_view = { .info = method_info,
			.clone = method_clone,
			.is_sealed = method_is_sealed },
		.read = method_read,
		.write = method_write,
		.seal = method_seal,
	};

	return memory_object_dispatch(&server, container_of(object, struct memory_object, object),
			call, interface_id, method);
}

const struct object_type memory_object_type = {
	.name = "memory object",
	.call = memory_object_call,
	.destroy = memory_object_destroy,
	.cancel = park_cancel,
};
