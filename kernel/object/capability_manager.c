/*
 * CapabilityManager: who runs, who holds what and from whom, and how to end it. It looks into other processes'
 * tables; whoever holds it may know and revoke everything, so manifests grant it with care.
 * A grant is named by its holder: process id in the high half, one of the capability ids that share it in the low half.
 */
#include "kernel/object/capability_manager.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/ring/ring.h"

#define PROCESS_ROWS 16u
#define HOLDER_ROWS 24u
#define HOLDER_ROWS_PER_PROCESS 8u     /* of one process; copies beyond are not listed */

static void process_row_fill(struct process_row_builder row, struct process *process)
{
	const struct thread *thread = process->thread;

	process_row_set_process_id(row, process->id);
	process_row_set_name(row, capnp_text(process->name));
	process_row_set_state(row, PROCESS_STATE_RUNNING);
	process_row_set_parent_id(row, process->parent_id);
	process_row_set_capabilities(row, process->caps.live);
	if (process->ledger)
		process_row_set_memory_pages(row, ledger_own(process->ledger, RESOURCE_CLASS_FRAMES));
	process_row_set_cpu_ns(row, arch_ticks_to_ns(process->cpu_ticks + (thread ? thread->ticks : 0)));
}

static status_t manager_processes(void *self, struct call *call, struct capability_manager_processes_params_reader in,
		struct capability_manager_processes_results_builder *out)
{
	struct process *found[PROCESS_ROWS], *process;
	uint32_t count = 0, next = capability_manager_processes_params_get_start(in);
	struct capnp_list_builder rows;

	while (count < PROCESS_ROWS && (process = process_find(next, true))) {
		found[count++] = process;
		next = process->id + 1;
	}
	process = process_find(next, true);
	if (process)
		object_put(&process->object);
	rows = capability_manager_processes_results_init_processes(*out, count);
	for (uint32_t i = 0; i < count; i++) {
		process_row_fill(process_row_builder_at(rows, i), found[i]);
		object_put(&found[i]->object);
	}
	capability_manager_processes_results_set_next(*out, process ? next : 0);
	return STATUS_OK;
}

struct holder_row {
	struct process *process;      /* counted by the caller */
	uint32_t        id;
	uint32_t        granter;
	uint64_t        interface;
};

/* Lists up to `max` entries of a process that refer to `object`. */
static uint32_t holders_of_process(struct process *process, const struct object *object, struct holder_row *rows,
		uint32_t max)
{
	uint32_t count = 0, id;
	bool end = false;

	for (uint32_t slot = 1; count < max; slot++) {
		const struct cap_entry *entry = cap_table_slot(&process->caps, slot, &id, &end);

		if (end)
			break;
		if (!entry || entry->object != object || grant_is_revoked(entry->grant))
			continue;
		rows[count++] = (struct holder_row){ process, id, entry->grant->granter, entry->facet->rows[0].id };
	}
	return count;
}

static void holder_fill(struct holder_builder row, const struct holder_row *holder)
{
	holder_set_process_id(row, holder->process->id);
	holder_set_process_name(row, capnp_text(holder->process->name));
	holder_set_capability_id(row, holder->id);
	holder_set_grant(row, (uint64_t)holder->process->id << 32 | holder->id);
	holder_set_granted_by(row, holder->granter);
	holder_set_interface_id(row, holder->interface);
}

static status_t manager_holders(void *self, struct call *call, struct capability_manager_holders_params_reader in,
		struct capability_manager_holders_results_builder *out)
{
	struct holder_row rows[HOLDER_ROWS];
	struct process *seen[HOLDER_ROWS], *process;
	uint32_t count = 0, seen_count = 0, next = capability_manager_holders_params_get_start(in);
	struct capnp_list_builder list;
	struct cap_entry *target;
	status_t status = call_argument(call, capability_manager_holders_params_get_capability(in), 0, NULL, &target);

	if (status != STATUS_OK)
		return status;
	while ((process = process_find(next, true))) {
		uint32_t found;

		if (HOLDER_ROWS - count < HOLDER_ROWS_PER_PROCESS)
			break;
		found = holders_of_process(process, target->object, rows + count, HOLDER_ROWS_PER_PROCESS);
		next = process->id + 1;
		count += found;
		if (found)
			seen[seen_count++] = process;
		else
			object_put(&process->object);
	}
	if (process)
		object_put(&process->object);
	list = capability_manager_holders_results_init_holders(*out, count);
	for (uint32_t i = 0; i < count; i++)
		holder_fill(holder_builder_at(list, i), &rows[i]);
	for (uint32_t i = 0; i < seen_count; i++)
		object_put(&seen[i]->object);
	capability_manager_holders_results_set_next(*out, process ? next : 0);
	return STATUS_OK;
}

/* Ends the waits of one ring that hang on a revoked grant: for a death wait that is the end it waits for. */
static void end_revoked_waits(struct ring *ring)
{
	for (uint32_t i = 0; i < RING_QUESTIONS; i++) {
		struct question *question = &ring->questions[i];

		if (question->kind == QUESTION_FREE || !question->grant || !grant_is_revoked(question->grant))
			continue;
		if (question->entry.flags & ENTRY_DEATH)
			(void)question_cancel(question, STATUS_OK, 0);
		else
			(void)question_cancel(question, STATUS_DISCONNECTED, reason_detail(REASON_REVOKED, 0, 0, 0));
	}
}

static void revoked(void)
{
	struct process *process;
	uint32_t next = 0;

	while ((process = process_find(next, true))) {
		next = process->id + 1;
		if (process->thread)
			end_revoked_waits(process->thread->ring);
		object_put(&process->object);
	}
}

static status_t manager_revoke(void *self, struct call *call, struct capability_manager_revoke_params_reader in,
		struct capability_manager_revoke_results_builder *out)
{
	uint64_t name = capability_manager_revoke_params_get_grant(in);
	struct process *process = process_find((uint32_t)(name >> 32), false);
	struct cap_entry *entry;
	status_t status;

	if (!process)
		return call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_NOT_FOUND, 0, 0, 0);
	status = call_ready(call);
	if (status != STATUS_OK) {
		object_put(&process->object);
		return status;
	}
	status = cap_table_lookup(&process->caps, (uint32_t)name, &entry);
	if (status == STATUS_OK) {
		spin_lock(&grant_lock);
		capability_manager_revoke_results_set_revoked(*out, grant_revoke_locked(entry->grant));
		spin_unlock(&grant_lock);
		revoked();
	} else if (status == STATUS_DISCONNECTED) {
		status = STATUS_OK;      /* already revoked: 0 */
	} else {
		status = call_refuse(call, STATUS_INVALID_ARGUMENT, REASON_NOT_FOUND, 0, 0, 0);
	}
	object_put(&process->object);
	return status;
}

static status_t manager_revoke_derived(void *self, struct call *call,
		struct capability_manager_revoke_derived_params_reader in,
		struct capability_manager_revoke_derived_results_builder *out)
{
	struct cap_entry *entry;
	status_t status = call_argument(call, capability_manager_revoke_derived_params_get_capability(in), 0, NULL, &entry);

	if (status == STATUS_OK)
		status = call_ready(call);
	if (status != STATUS_OK)
		return status;
	spin_lock(&grant_lock);
	capability_manager_revoke_derived_results_set_revoked(*out, grant_revoke_derived_locked(entry->grant));
	spin_unlock(&grant_lock);
	revoked();
	return STATUS_OK;
}

static status_t manager_open(void *self, struct call *call, struct capability_manager_open_params_reader in,
		struct capability_manager_open_results_builder *out)
{
	struct process *process = process_find(capability_manager_open_params_get_process_id(in), false);
	struct capnp_cap cap;
	status_t status;

	if (!process)
		return STATUS_OK;
	object_hold(&process->object);
	object_put(&process->object);
	status = call_give(call, &process->object, &process_handle_interface, true, &cap);
	if (status != STATUS_OK)
		return status;
	capability_manager_open_results_set_found(*out, true);
	capability_manager_open_results_set_process(*out, cap);
	return STATUS_OK;
}

static status_t manager_object_call(struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct capability_manager_server server = {
		.processes = manager_processes,
		.holders = manager_holders,
		.revoke = manager_revoke,
		.revoke_derived = manager_revoke_derived,
		.open = manager_open,
	};

	return capability_manager_dispatch(&server, object, call, interface_id, method);
}

static void manager_destroy(struct object *object)
{
	panic("the capability manager lost its last reference");
}

static const struct object_type manager_type = {
	.name = "capability_manager",
	.call = manager_object_call,
	.destroy = manager_destroy,
};

struct object *capability_manager_object(void)
{
	static struct object manager = ROOT_OBJECT(&manager_type);

	return &manager;
}
