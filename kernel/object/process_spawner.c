/*
 * ProcessSpawner and ProcessBuilder: processes from parts. The spawner carves the child's ledger from its caller's;
 * the builder gives out the child's address space, fills its capability table and starts it. Loading a program is
 * the work of a library (lib/rt/launch.c), not of the kernel.
 * Always true: a builder that is dropped before start leaves nothing behind.
 */
#include "kernel/object/process_spawner.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/memory_object.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/trace/trace.h"

/*  I fixed after creation  others: written by calls of the builder only  */
struct process_builder_object {
	struct object   object;
	struct process *process;      /* I, counted */
	bool            keeps_session; /* the child has a capability that may not leave its session */
};

#define PARTS_MAX 32u      /* of memory, in one call */

static struct slab_cache builder_cache = SLAB_CACHE("process_builder", struct process_builder_object);

/* What a child gets of each class that its maker does not name. */
static const uint64_t default_limits[LEDGER_CLASSES] = {
	[RESOURCE_CLASS_FRAMES] = 512,
	[RESOURCE_CLASS_SLOTS] = 256,
	[RESOURCE_CLASS_OBJECTS] = 128,
	[RESOURCE_CLASS_EXPORTS] = 64,
	[RESOURCE_CLASS_CALLS] = 64,
	[RESOURCE_CLASS_TIMERS] = 32,
	[RESOURCE_CLASS_THREADS] = 1,
};

static const struct object_type builder_type;

/* --- Builder ------------------------------------------------------------------------------------ */

/* Refuses a builder whose process runs already, and what call_ready refuses. */
static status_t builder_ready(struct call *call, const struct process *process)
{
	if (process->phase == PROCESS_BUILDING)
		return call_ready(call);
	return call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
}

static status_t builder_memory(void *self, struct call *call, struct process_builder_memory_params_reader in,
		struct process_builder_memory_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	struct capnp_cap cap;
	status_t status = builder_ready(call, process);

	if (status != STATUS_OK)
		return status;
	object_hold(&process->vm->object);
	status = call_give(call, &process->vm->object, &virtual_memory_interface, true, &cap);
	if (status == STATUS_OK)
		process_builder_memory_results_set_memory(*out, cap);
	return status;
}

/* Enters an object in the child's table. Borrows everything. */
static status_t child_insert(struct call *call, struct process *process, struct object *object, struct facet *facet,
		struct grant *parent, uint32_t *id)
{
	status_t status;

	if (!export_may_cross(object, call->process, process))
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_SCOPE, 0, 0, 0);
	status = cap_table_reserve(&process->caps, 1, &call->detail);
	if (status != STATUS_OK)
		return status;
	object_hold(object);
	facet_get(facet);
	trace_transfer(call->question, call->process->id, process->id, facet->rows[0].id, false);
	*id = cap_table_insert(&process->caps, object, facet, parent, call->process->id);
	return STATUS_OK;
}

static status_t builder_grant(void *self, struct call *call, struct process_builder_grant_params_reader in,
		struct process_builder_grant_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	struct cap_entry *entry;
	uint32_t id;
	status_t status = builder_ready(call, process);

	if (status == STATUS_OK)
		status = call_argument(call, process_builder_grant_params_get_capability(in), 0, NULL, &entry);
	/* A builder in the table of a process that has not started would keep that process alive for ever. */
	if (status == STATUS_OK && entry->object->type == &builder_type)
		status = call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE, 0, 0, 0);
	if (status == STATUS_OK)
		status = child_insert(call, process, entry->object, entry->facet, entry->grant, &id);
	if (status != STATUS_OK)
		return status;
	if (export_keeps_to_session(entry->object))
		((struct process_builder_object *)self)->keeps_session = true;
	process_builder_grant_results_set_id(*out, id);
	return STATUS_OK;
}

/* Gives the child one of its own objects. */
static status_t child_insert_own(struct call *call, struct process *process, struct object *object,
		const struct capnp_interface *interface, uint32_t *id)
{
	struct facet *facet = facet_of_interface(interface);
	status_t status;

	if (!facet)
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	status = child_insert(call, process, object, facet, NULL, id);
	facet_put(facet);
	return status;
}

static status_t builder_grant_memory(void *self, struct call *call, struct process_builder_grant_memory_params_reader in,
		struct process_builder_grant_memory_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	status_t status = builder_ready(call, process);
	uint32_t id = 0;

	if (status == STATUS_OK)
		status = child_insert_own(call, process, &process->vm->object, &virtual_memory_interface, &id);
	process_builder_grant_memory_results_set_id(*out, id);
	return status;
}

static status_t builder_grant_threads(void *self, struct call *call, struct process_builder_grant_threads_params_reader in,
		struct process_builder_grant_threads_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	status_t status = builder_ready(call, process);
	uint32_t id = 0;

	if (status == STATUS_OK)
		status = child_insert_own(call, process, &process->object, &thread_spawner_interface, &id);
	process_builder_grant_threads_results_set_id(*out, id);
	return status;
}

static status_t builder_start(void *self, struct call *call, struct process_builder_start_params_reader in,
		struct process_builder_start_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	uint64_t entry = process_builder_start_params_get_entry(in);
	uint64_t stack = process_builder_start_params_get_stack(in);
	struct capnp_cap cap;
	status_t status = builder_ready(call, process);

	if (status != STATUS_OK)
		return status;
	if (entry < USER_BASE || entry >= USER_END)
		return call_fail_argument(call, 0, USER_END);
	if (stack < USER_BASE || stack > USER_END)
		return call_fail_argument(call, 1, USER_END);
	/* The handle first: after the start nothing may fail. */
	object_hold(&process->object);
	status = call_give(call, &process->object, &process_handle_interface, false, &cap);
	if (status != STATUS_OK)
		return status;
	status = process_start(process, entry, stack, process_builder_start_params_get_argument(in), &call->detail);
	if (status == STATUS_OK)
		process_builder_start_results_set_process(*out, cap);
	return status;
}

static status_t builder_set_session(void *self, struct call *call, struct process_builder_set_session_params_reader in,
		struct process_builder_set_session_results_builder *out)
{
	const struct process_builder_object *builder = self;
	struct process *process = builder->process;
	struct cap_entry *entry;
	status_t status = builder_ready(call, process);

	/* It was given to a process of the session that this one would leave. */
	if (status == STATUS_OK && builder->keeps_session)
		status = call_refuse(call, STATUS_FAILED, REASON_STATE, 0, 0, 0);
	if (status == STATUS_OK)
		status = call_argument(call, process_builder_set_session_params_get_session(in), SESSION_INTERFACE_ID,
				&session_type, &entry);
	if (status == STATUS_OK)
		status = process_set_session(process, container_of(entry->object, struct session, object), &call->detail);
	return status;
}

/* --- The child's memory ------------------------------------------------------------------------- */

/* One part; a refusal's detail is told by its number. */
static status_t part_furnish(struct call *call, struct vm *vm, struct memory_part_reader part)
{
	uint64_t address = memory_part_get_address(part), bytes = memory_part_get_bytes(part);
	struct capnp_cap object = memory_part_get_object(part);
	enum access access = memory_part_get_access(part);
	uint64_t offset = memory_part_get_offset(part);
	struct cap_entry *entry;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	/* Nowhere in particular is not meant here. */
	if (address == 0)
		return call_fail_argument(call, 0, 0);
	if (capnp_cap_is_null(object))
		return access == ACCESS_NONE ? vm_reserve(vm, bytes, &address, &call->detail) :
				vm_commit_new(vm, address, bytes, access, &call->detail);
	status = call_argument(call, object, MEMORY_VIEW_INTERFACE_ID, &memory_object_type, &entry);
	if (status != STATUS_OK)
		return status;
	return vm_map(vm, container_of(entry->object, struct memory_object, object), entry->grant,
			facet_has_interface(entry->facet, MEMORY_OBJECT_INTERFACE_ID), offset, bytes, &address, access,
			&call->detail);
}

/* Whether the parts and all their pages are few enough for one call. */
static bool parts_fit(struct capnp_list parts)
{
	uint64_t left = VM_CALL_PAGES_MAX;

	if (parts.count > PARTS_MAX)
		return false;
	for (uint32_t i = 0; i < parts.count; i++) {
		uint64_t pages = memory_part_get_bytes(memory_part_at(parts, i)) / PAGE_SIZE;

		if (pages > left)
			return false;
		left -= pages;
	}
	return true;
}

static status_t builder_furnish(void *self, struct call *call, struct process_builder_furnish_params_reader in,
		struct process_builder_furnish_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	struct capnp_list parts = process_builder_furnish_params_get_parts(in);
	status_t status = builder_ready(call, process);

	if (status == STATUS_OK && !parts_fit(parts))
		return call_fail_argument(call, 0, VM_CALL_PAGES_MAX);
	for (uint32_t i = 0; status == STATUS_OK && i < parts.count; i++) {
		status = part_furnish(call, process->vm, memory_part_at(parts, i));
		if (status == STATUS_INVALID_ARGUMENT)
			call->detail = reason_detail(call->detail & 0xff, 0, i, call->detail >> 32);
	}
	return status;
}

static status_t builder_write(void *self, struct call *call, struct process_builder_write_params_reader in,
		struct process_builder_write_results_builder *out)
{
	struct process *process = ((struct process_builder_object *)self)->process;
	struct capnp_data bytes = process_builder_write_params_get_bytes(in);
	status_t status = builder_ready(call, process);

	if (status == STATUS_OK)
		status = vm_write(process->vm, process_builder_write_params_get_address(in), bytes.bytes, bytes.count,
				&call->detail);
	return status;
}

static status_t builder_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct process_builder_server server = {
		.memory = builder_memory,
		.grant = builder_grant,
		.grant_memory = builder_grant_memory,
		.start = builder_start,
		.set_session = builder_set_session,
		.furnish = builder_furnish,
		.write = builder_write,
		.grant_threads = builder_grant_threads,
	};

	return process_builder_dispatch(&server, container_of(object, struct process_builder_object, object), call,
			interface_id, method);
}

static void builder_on_last_hold(struct object *object)
{
	struct process *process = container_of(object, struct process_builder_object, object)->process;

	if (process->phase == PROCESS_BUILDING)
		process_end(process, PROCESS_STATE_KILLED, 0, NULL);
}

static void builder_destroy(struct object *object)
{
	struct process_builder_object *builder = container_of(object, struct process_builder_object, object);

	object_put(&builder->process->object);
	slab_free(&builder_cache, builder);
}

static const struct object_type builder_type = {
	.name = "process_builder",
	.call = builder_object_call,
	.on_last_hold = builder_on_last_hold,
	.destroy = builder_destroy,
};

bool process_is_builder(const struct object *object)
{
	return object->type == &builder_type;
}

/* --- Spawner ------------------------------------------------------------------------------------ */

/* The limits of the child: the defaults with what the caller names instead. */
static status_t limits_read(struct call *call, struct capnp_list list, uint64_t limit[LEDGER_CLASSES])
{
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		limit[i] = default_limits[i];
	if (list.count > LEDGER_CLASSES)
		return call_fail_argument(call, 1, LEDGER_CLASSES);
	for (uint32_t i = 0; i < list.count; i++) {
		struct resource_limit_reader row = resource_limit_at(list, i);
		uint32_t class_ = (uint32_t)resource_limit_get_class(row);

		if (class_ >= LEDGER_CLASSES)
			return call_fail_argument(call, 1, LEDGER_CLASSES - 1);
		limit[class_] = resource_limit_get_limit(row);
	}
	return STATUS_OK;
}

static status_t spawner_create(void *self, struct call *call, struct process_spawner_create_params_reader in,
		struct process_spawner_create_results_builder *out)
{
	struct capnp_text name = process_spawner_create_params_get_name(in);
	struct process_builder_object *builder;
	uint64_t limit[LEDGER_CLASSES];
	struct capnp_cap cap;
	status_t status = limits_read(call, process_spawner_create_params_get_limits(in), limit);

	if (status != STATUS_OK)
		return status;
	if (name.bytes == 0 || name.bytes >= PROCESS_NAME_MAX)
		return call_fail_argument(call, 0, PROCESS_NAME_MAX - 1);
	for (uint32_t i = 0; i < name.bytes; i++) {
		if (name.chars[i] <= ' ' || name.chars[i] > '~')
			return call_fail_argument(call, 0, PROCESS_NAME_MAX - 1);
	}
	status = call_charge_object(call);
	if (status != STATUS_OK)
		return status;
	builder = slab_alloc(&builder_cache);
	if (!builder) {
		ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
		return call_refuse(call, STATUS_OVERLOADED, REASON_KERNEL_MEMORY, 0, 0, 0);
	}
	/* What the caller's receives keep must not be missing to its children. */
	cap_table_unkeep(&call->process->caps);
	status = process_create(name.chars, name.bytes, call->process->id, call->process->session, call->payer, limit,
			&builder->process, &call->detail);
	if (status != STATUS_OK) {
		slab_free(&builder_cache, builder);
		ledger_refund(call->payer, RESOURCE_CLASS_OBJECTS, 1);
		return status;
	}
	builder->process->policy = call->process->policy;
	object_init(&builder->object, &builder_type, call->payer);
	object_hold(&builder->object);
	object_put(&builder->object);
	status = call_give(call, &builder->object, &process_builder_interface, false, &cap);
	if (status == STATUS_OK)
		process_spawner_create_results_set_builder(*out, cap);
	return status;
}

static status_t spawner_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct process_spawner_server server = { .create = spawner_create };

	return process_spawner_dispatch(&server, object, call, interface_id, method);
}

static void spawner_destroy(struct object *object)
{
	panic("the process spawner lost its last reference");
}

static const struct object_type spawner_type = {
	.name = "process_spawner",
	.call = spawner_object_call,
	.destroy = spawner_destroy,
};

struct object *process_spawner_object(void)
{
	static struct object spawner = ROOT_OBJECT(&spawner_type);

	return &spawner;
}
