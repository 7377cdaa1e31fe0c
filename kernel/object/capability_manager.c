/*
 * CapabilityManager: who runs, who holds what and from whom, and how to end it. It looks into other processes'
 * tables; whoever holds it may know and revoke everything, so manifests grant it with care.
 * Listing goes in pages: one call looks at a bounded number of table slots and tells where to go on. What changes
 * between two calls may be seen or not; what stays is seen exactly once.
 */
#include "kernel/object/capability_manager.h"

#include "capos/kernel.server.h"
#include "kernel/core/panic.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"
#include "kernel/object/thread_handle.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/reserved.h"
#include "kernel/sched/sched.h"

#define PROCESS_ROWS 16u
#define HOLDER_ROWS 24u
#define CAPABILITY_ROWS 32u
#define REVOKE_REQUESTS 16u      /* revocations that may wait */
#define REVOKE_GRANTS 128u       /* marked in one step */
#define REVOKE_PROCESSES 16u     /* whose waits are looked at in one step */
#define REVOKE_RESULT_WORDS 8u
#define SCAN_STEPS 1024u    /* slots and processes looked at in one call */

/* The budget of the first of its threads that has one, and where they are. */
static void process_row_fill_time(struct process_row_builder row, const struct process *process)
{
	const struct scheduling_context *context = NULL;
	uint64_t runs_on = 0;

	for (struct thread *thread = NULL; (thread = process_next_thread(process, thread));) {
		if (thread->phase != THREAD_LIVES)
			continue;
		runs_on |= 1ull << sched_processor(thread);
		if (!context)
			context = thread->context_own ? thread->context_own : thread->reserve;
	}
	process_row_set_runs_on(row, runs_on);
	if (!context)
		return;
	reserved_account(context->cpu);
	process_row_set_budget_ns(row, context->budget.budget_ns);
	process_row_set_period_ns(row, context->budget.period_ns);
	process_row_set_available_ns(row, budget_available_ns(&context->budget, arch_time_ns()));
}

static void process_row_fill(struct process_row_builder row, struct process *process)
{
	process_row_set_process_id(row, process->id);
	process_row_set_name(row, capnp_text(process->name));
	process_row_set_state(row, PROCESS_STATE_RUNNING);
	process_row_set_parent_id(row, process->parent_id);
	process_row_set_capabilities(row, process->caps.live);
	if (process->ledger)
		process_row_set_memory_pages(row, ledger_own(process->ledger, RESOURCE_CLASS_FRAMES));
	process_row_set_cpu_ns(row, arch_ticks_to_ns(process_ticks(process)));
	process_row_set_threads(row, process->live_threads);
	process_row_set_weight(row, process->policy.weight);
	process_row_set_class(row, latency_class(process->policy.class));
	process_row_set_processors(row, process->policy.affinity & sched_processors());
	process_row_fill_time(row, process);
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

/* Where a walk over the tables of all processes is. */
struct cursor {
	uint32_t process_id;
	uint32_t slot;
	uint32_t steps;      /* how many more this call may take */
};

/* What is known of a grant that stays the same while nobody can run. */
struct grant_facts {
	uint64_t name;
	uint64_t parent;
	uint32_t granter;
};

static struct grant_facts grant_look(const struct grant *grant)
{
	struct grant_facts facts;

	spin_lock(&grant_lock);
	facts = (struct grant_facts){ grant_name_locked(grant), grant_name_locked(grant->parent), grant->granter };
	spin_unlock(&grant_lock);
	return facts;
}

/* --- Holders of an object ----------------------------------------------------------------------- */

struct holder_row {
	struct process         *process;      /* counted */
	const struct cap_entry *entry;        /* borrowed until the processor leaves the kernel */
	uint32_t                id;
};

/* The next entry of a process that refers to `object`; NULL with slot 0 at its end, or when the steps are used up. */
static const struct cap_entry *next_of(struct process *process, const struct object *object, struct cursor *cursor,
		uint32_t *id)
{
	bool end;

	while (cursor->steps > 0) {
		const struct cap_entry *entry = cap_table_slot(&process->caps, cursor->slot, id, &end);

		cursor->steps--;
		cursor->slot = end ? 0 : cursor->slot + 1;
		if (end)
			return NULL;
		if (entry && entry->object == object && !grant_is_revoked(entry->grant))
			return entry;
	}
	return NULL;
}

/* Collects holders until there is no more room, time or process; the cursor is where to go on, all zero at the end. */
static uint32_t holders_collect(const struct object *object, struct cursor *cursor, struct holder_row rows[HOLDER_ROWS])
{
	struct process *process;
	uint32_t count = 0;

	while (count < HOLDER_ROWS && cursor->steps > 0) {
		struct holder_row *row = &rows[count];

		process = process_find(cursor->process_id, true);
		if (!process) {
			cursor->process_id = 0;
			cursor->slot = 0;
			break;
		}
		/* Whoever stood here has gone: its successor from the start. */
		if (process->id != cursor->process_id)
			cursor->slot = 0;
		cursor->process_id = process->id;
		row->process = process;
		row->entry = next_of(process, object, cursor, &row->id);
		if (row->entry) {
			count++;
			continue;
		}
		if (cursor->slot == 0)
			cursor->process_id++;
		object_put(&process->object);
	}
	return count;
}

static void holder_fill(struct holder_builder row, const struct holder_row *holder)
{
	struct grant_facts facts = grant_look(holder->entry->grant);

	holder_set_process_id(row, holder->process->id);
	holder_set_process_name(row, capnp_text(holder->process->name));
	holder_set_capability_id(row, holder->id);
	holder_set_grant(row, facts.name);
	holder_set_granted_by(row, facts.granter);
	holder_set_interface_id(row, holder->entry->facet->rows[0].id);
	holder_set_parent_grant(row, facts.parent);
}

static status_t manager_holders(void *self, struct call *call, struct capability_manager_holders_params_reader in,
		struct capability_manager_holders_results_builder *out)
{
	struct holder_row rows[HOLDER_ROWS];
	struct cursor cursor = {
		.process_id = capability_manager_holders_params_get_start(in),
		.slot = capability_manager_holders_params_get_start_slot(in),
		.steps = SCAN_STEPS,
	};
	struct capnp_list_builder list;
	struct cap_entry *target;
	uint32_t count;
	status_t status = call_argument(call, capability_manager_holders_params_get_capability(in), 0, NULL, &target);

	if (status != STATUS_OK)
		return status;
	count = holders_collect(target->object, &cursor, rows);
	list = capability_manager_holders_results_init_holders(*out, count);
	for (uint32_t i = 0; i < count; i++) {
		holder_fill(holder_builder_at(list, i), &rows[i]);
		object_put(&rows[i].process->object);
	}
	capability_manager_holders_results_set_next(*out, cursor.process_id);
	capability_manager_holders_results_set_next_slot(*out, cursor.slot);
	capability_manager_holders_results_set_object(*out, object_number(target->object));
	return STATUS_OK;
}

/* --- Capabilities of a process ------------------------------------------------------------------ */

static void capability_fill(struct capability_row_builder row, uint32_t id, const struct cap_entry *entry)
{
	struct object *object = entry->object;
	struct grant_facts facts = grant_look(entry->grant);
	struct endpoint_view view;

	capability_row_set_capability_id(row, id);
	capability_row_set_granted_by(row, facts.granter);
	capability_row_set_object(row, object_number(object));
	capability_row_set_kind(row, capnp_text(object->type->name));
	capability_row_set_interface_id(row, entry->facet->rows[0].id);
	capability_row_set_grant(row, facts.name);
	capability_row_set_parent_grant(row, facts.parent);
	capability_row_set_revoked(row, grant_is_revoked(entry->grant));
	capability_row_set_moving(row, entry->state == CAP_MOVING);
	if (object->type == &process_type)
		capability_row_set_process(row, container_of(object, struct process, object)->id);
	if (!endpoint_view(object, &view))
		return;
	capability_row_set_endpoint(row, object_number(view.endpoint));
	capability_row_set_server(row, view.server);
	capability_row_set_ended(row, view.ended);
}

static status_t manager_capabilities(void *self, struct call *call,
		struct capability_manager_capabilities_params_reader in,
		struct capability_manager_capabilities_results_builder *out)
{
	struct process *process = process_find(capability_manager_capabilities_params_get_process_id(in), false);
	uint32_t slot = capability_manager_capabilities_params_get_start(in), count = 0, ids[CAPABILITY_ROWS];
	const struct cap_entry *entries[CAPABILITY_ROWS];
	struct capnp_list_builder list;
	bool end = false;

	if (!process)
		return STATUS_OK;
	for (uint32_t steps = 0; count < CAPABILITY_ROWS && steps < SCAN_STEPS && !end; steps++) {
		entries[count] = cap_table_slot(&process->caps, slot, &ids[count], &end);
		count += entries[count] ? 1 : 0;
		slot++;
	}
	list = capability_manager_capabilities_results_init_capabilities(*out, count);
	for (uint32_t i = 0; i < count; i++)
		capability_fill(capability_row_builder_at(list, i), ids[i], entries[i]);
	capability_manager_capabilities_results_set_next(*out, end ? 0 : slot);
	capability_manager_capabilities_results_set_found(*out, true);
	object_put(&process->object);
	return STATUS_OK;
}

/* --- Revocation --------------------------------------------------------------------------------- */

/*
 * A revocation goes in bounded steps: first every grant is marked, then what waits through them is ended, process by
 * process, then the call is answered. The first step is part of the call, and most take no more; the reaper does the
 * others. One is under way at a time, the others wait in the order in which they came. One that has begun is finished,
 * whoever waits for it.
 */
struct revoke_request {
	struct question *question;      /* who waits for the answer; NULL: nobody, or the call has not ended yet */
	uint64_t         grant;         /* its name */
	bool             derived_only;
	bool             unwanted;      /* who asked has gone */
};

enum revoke_phase {
	REVOKE_IDLE,        /* requests[0] has not begun */
	REVOKE_MARKING,
	REVOKE_SWEEPING,
};

static bool revoke_work_step(struct reaper_work *work);

/*  m under lock   r the reaper only  */
static struct {
	struct spinlock       lock;
	struct revoke_request requests[REVOKE_REQUESTS];   /* m, the first is under way or the next */
	uint32_t              count;                       /* m */
	struct reaper_work    work;                        /* in the reaper's list while count != 0 */
	enum revoke_phase     phase;                       /* r */
	struct revocation     revocation;                  /* under grant_lock */
	uint32_t              next_process;                /* r, whose waits are to be looked at */
	status_t              status;                      /* r, what the last one came to */
} revoking = {
	.lock = SPINLOCK_INIT(LOCK_RANK_REVOCATION, "revoking"),
	.work = { LIST_INIT(revoking.work.link), revoke_work_step },
};

static void revoke_answer(const struct revoke_request *request, status_t status, uint32_t marked)
{
	uint64_t words[REVOKE_RESULT_WORDS];
	struct capnp_builder results;

	if (status != STATUS_OK) {
		question_answer(request->question, status, reason_detail(REASON_NOT_FOUND, 0, 0, 0), NULL, 0);
		return;
	}
	capnp_builder_init(&results, words, REVOKE_RESULT_WORDS, NULL, 0);
	if (request->derived_only)
		capability_manager_revoke_derived_results_set_revoked(
				capability_manager_revoke_derived_results_init_root(&results), marked);
	else
		capability_manager_revoke_results_set_revoked(capability_manager_revoke_results_init_root(&results),
				marked);
	ASSERT(results.status == CAPNP_OK);
	question_answer(request->question, STATUS_OK, 0, words, results.used);
}

/* The first request is done: answers it. True if there is no other, and then the work is out of the list. */
static bool revoke_finish(status_t status, uint32_t marked)
{
	struct revoke_request done;
	bool last;

	spin_lock(&revoking.lock);
	done = revoking.requests[0];
	revoking.count--;
	for (uint32_t i = 0; i < revoking.count; i++)
		revoking.requests[i] = revoking.requests[i + 1];
	last = revoking.count == 0;
	if (last)
		reaper_remove(&revoking.work);
	spin_unlock(&revoking.lock);
	revoking.phase = REVOKE_IDLE;
	revoking.status = status;
	if (done.question)
		revoke_answer(&done, status, marked);
	return last;
}

static bool revoke_sweep(void)
{
	struct process *process;

	for (uint32_t i = 0; i < REVOKE_PROCESSES; i++) {
		process = process_find(revoking.next_process, true);
		if (!process)
			return revoke_finish(STATUS_OK, revoking.revocation.marked);
		revoking.next_process = process->id + 1;
		process_sweep_revoked(process);
		object_put(&process->object);
	}
	return false;
}

static bool revoke_mark(void)
{
	bool done;

	spin_lock(&grant_lock);
	done = revocation_step_locked(&revoking.revocation, REVOKE_GRANTS);
	spin_unlock(&grant_lock);
	vm_end_revoked();
	if (!done)
		return false;
	revoking.phase = REVOKE_SWEEPING;
	revoking.next_process = 0;
	return revoke_sweep();
}

/* Begins the first request; its grant may have gone since it was asked for. */
static bool revoke_begin(void)
{
	struct revoke_request request;
	struct process *process;
	struct grant *grant = NULL;

	spin_lock(&revoking.lock);
	request = revoking.requests[0];
	spin_unlock(&revoking.lock);
	/* Who has gone before it began wants nothing any more. */
	process = !request.unwanted ? process_find((uint32_t)(request.grant >> 32), false) : NULL;
	if (process) {
		spin_lock(&grant_lock);
		grant = grant_find_locked(&process->caps, (uint32_t)request.grant);
		if (grant)
			revocation_begin_locked(&revoking.revocation, grant, request.derived_only);
		spin_unlock(&grant_lock);
		object_put(&process->object);
	}
	if (!grant)
		return revoke_finish(STATUS_INVALID_ARGUMENT, 0);
	revoking.phase = REVOKE_MARKING;
	return revoke_mark();
}

static bool revoke_work_step(struct reaper_work *work)
{
	switch (revoking.phase) {
	case REVOKE_IDLE: return revoke_begin();
	case REVOKE_MARKING: return revoke_mark();
	case REVOKE_SWEEPING: return revoke_sweep();
	}
	return true;
}

/* Does the first step; sets *marked if that was all, else the call is answered later. */
static status_t revoke_first_step(struct call *call, uint32_t *marked)
{
	bool idle = revoke_work_step(&revoking.work);

	if (revoking.phase != REVOKE_IDLE) {
		spin_lock(&revoking.lock);
		revoking.requests[0].question = call->question;
		spin_unlock(&revoking.lock);
		call_defer(call);
	}
	if (!idle)
		reaper_add(&revoking.work);
	if (revoking.phase == REVOKE_IDLE && revoking.status != STATUS_OK)
		return call_refuse(call, revoking.status, REASON_NOT_FOUND, 0, 0, 0);
	*marked = revoking.revocation.marked;
	return STATUS_OK;
}

/* Takes a request in: done at once, or the call is deferred. */
static status_t revoke_ask(struct call *call, uint64_t grant, bool derived_only, uint32_t *marked)
{
	bool first, full;

	spin_lock(&revoking.lock);
	first = revoking.count == 0;
	full = revoking.count == REVOKE_REQUESTS;
	if (!full)
		revoking.requests[revoking.count++] = (struct revoke_request){ first ? NULL : call->question, grant,
			derived_only, false };
	spin_unlock(&revoking.lock);
	if (full)
		return call_refuse(call, STATUS_OVERLOADED, REASON_QUEUE_FULL, 0, 0, REVOKE_REQUESTS);
	if (first)
		return revoke_first_step(call, marked);
	call_defer(call);
	return STATUS_OK;
}

static bool manager_cancel(struct object *object, struct question *question)
{
	uint32_t at = 0;
	bool found;

	spin_lock(&revoking.lock);
	while (at < revoking.count && revoking.requests[at].question != question)
		at++;
	found = at < revoking.count;
	if (found) {
		revoking.requests[at].question = NULL;
		revoking.requests[at].unwanted = true;
	}
	spin_unlock(&revoking.lock);
	return found;
}

static status_t manager_revoke(void *self, struct call *call, struct capability_manager_revoke_params_reader in,
		struct capability_manager_revoke_results_builder *out)
{
	uint64_t name = capability_manager_revoke_params_get_grant(in);
	uint32_t marked = 0;
	status_t status = call_ready(call);

	if (status == STATUS_OK)
		status = revoke_ask(call, name, false, &marked);
	capability_manager_revoke_results_set_revoked(*out, marked);
	return status;
}

static status_t manager_revoke_derived(void *self, struct call *call,
		struct capability_manager_revoke_derived_params_reader in,
		struct capability_manager_revoke_derived_results_builder *out)
{
	struct cap_entry *entry;
	uint32_t marked = 0;
	status_t status = call_argument(call, capability_manager_revoke_derived_params_get_capability(in), 0, NULL, &entry);

	if (status == STATUS_OK)
		status = call_ready(call);
	if (status == STATUS_OK)
		status = revoke_ask(call, grant_look(entry->grant).name, true, &marked);
	capability_manager_revoke_derived_results_set_revoked(*out, marked);
	return status;
}

/* --- Processes ---------------------------------------------------------------------------------- */

static status_t manager_set_limit(void *self, struct call *call, struct capability_manager_set_limit_params_reader in,
		struct capability_manager_set_limit_results_builder *out)
{
	uint32_t class = capability_manager_set_limit_params_get_class(in);
	uint64_t limit = capability_manager_set_limit_params_get_limit(in);
	struct process *process;
	status_t status = call_ready(call);

	if (status != STATUS_OK)
		return status;
	if (class >= LEDGER_CLASSES)
		return call_fail_argument(call, 1, LEDGER_CLASSES - 1);
	process = process_find(capability_manager_set_limit_params_get_process_id(in), false);
	if (!process)
		return STATUS_OK;
	cap_table_unkeep(&process->caps);      /* promised to nobody, so not in use */
	/* Only the reaper's last step takes the ledger away, and the process out of the tree with it. */
	status = ledger_set_limit(process->ledger, class, limit, &limit, &call->detail);
	if (status == STATUS_OK) {
		capability_manager_set_limit_results_set_found(*out, true);
		capability_manager_set_limit_results_set_limit(*out, limit);
		capability_manager_set_limit_results_set_used(*out, ledger_used(process->ledger, class));
	}
	object_put(&process->object);
	return status;
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
		.capabilities = manager_capabilities,
		.set_limit = manager_set_limit,
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
	.cancel = manager_cancel,
	.destroy = manager_destroy,
};

struct object *capability_manager_object(void)
{
	static struct object manager = ROOT_OBJECT(&manager_type);

	return &manager;
}
