/*
 * VirtualMemory: the methods of an address space. What they mean is mm/vm.h's; here they are only
 * taken out of messages.
 */
#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/mm/vm.h"
#include "kernel/object/call.h"
#include "kernel/object/memory_object.h"

static status_t method_reserve(void *self, struct call *call,
		struct virtual_memory_reserve_params_reader in,
		struct virtual_memory_reserve_results_builder *out)
{
	uint64_t address = virtual_memory_reserve_params_get_address(in);
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = vm_reserve(self, virtual_memory_reserve_params_get_bytes(in), &address,
				&call->detail);
	virtual_memory_reserve_results_set_address(*out, address);
	return status;
}

static status_t method_commit(void *self, struct call *call,
		struct virtual_memory_commit_params_reader in,
		struct virtual_memory_commit_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = vm_commit(self, virtual_memory_commit_params_get_address(in),
				virtual_memory_commit_params_get_bytes(in),
				virtual_memory_commit_params_get_access(in), &call->detail);
	return status;
}

static status_t method_protect(void *self, struct call *call,
		struct virtual_memory_protect_params_reader in,
		struct virtual_memory_protect_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = vm_protect(self, virtual_memory_protect_params_get_address(in),
				virtual_memory_protect_params_get_bytes(in),
				virtual_memory_protect_params_get_access(in), &call->detail);
	return status;
}

static status_t method_map(void *self, struct call *call,
		struct virtual_memory_map_params_reader in,
		struct virtual_memory_map_results_builder *out)
{
	struct capnp_cap object = virtual_memory_map_params_get_object(in);
	uint64_t address = virtual_memory_map_params_get_address(in);
	struct cap_entry *entry;
	status_t status = call_argument(
			call, object, MEMORY_VIEW_INTERFACE_ID, &memory_object_type, &entry);

	if (status == STATUS_OK)
		status = call_ready(call);
	/* The facet is the permission: who has only a MemoryView cannot map for writing. */
	if (status == STATUS_OK)
		status = vm_map(self, container_of(entry->object, struct memory_object, object),
				entry->grant,
				facet_has_interface(entry->facet, MEMORY_OBJECT_INTERFACE_ID),
				virtual_memory_map_params_get_offset(in),
				virtual_memory_map_params_get_bytes(in), &address,
				virtual_memory_map_params_get_access(in), &call->detail);
	virtual_memory_map_results_set_address(*out, address);
	return status;
}

static status_t method_unmap(void *self, struct call *call,
		struct virtual_memory_unmap_params_reader in,
		struct virtual_memory_unmap_results_builder *out)
{
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = vm_unmap(self, virtual_memory_unmap_params_get_address(in),
				virtual_memory_unmap_params_get_bytes(in), &call->detail);
	return status;
}

static status_t method_info(void *self, struct call *call,
		struct virtual_memory_info_params_reader in,
		struct virtual_memory_info_results_builder *out)
{
	struct vm *vm = self;

	spin_lock(&vm->lock);
	virtual_memory_info_results_set_reserved_pages(*out, vm->reserved_pages);
	virtual_memory_info_results_set_committed_pages(*out, vm->committed_pages);
	virtual_memory_info_results_set_mapped_pages(*out, vm->mapped_pages);
	spin_unlock(&vm->lock);
	return STATUS_OK;
}

static status_t vm_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct virtual_memory_server server = {
		.reserve = method_reserve,
		.commit = method_commit,
		.protect = method_protect,
		.map = method_map,
		.unmap = method_unmap,
		.info = method_info,
	};

	return virtual_memory_dispatch(&server, container_of(object, struct vm, object), call,
			interface_id, method);
}

const struct object_type vm_type = {
	.name = "vm",
	.call = vm_call,
	.destroy = vm_destroy,
	.cancel = park_cancel,
};
