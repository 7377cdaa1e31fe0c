/*
 * Reading the system page by page; see system_view.h. Every call is awaited as any other of the shell's, so Ctrl-C
 * ends it. Always true: what was read so far is in the view, whole rows only.
 */
#include "services/shell/system_view.h"

#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.client.h"
#include "rt/format.h"
#include "rt/reason.h"

/* More than these is not believed, whoever answers as `authority`. */
#define PROCESSES_MAX (1u << 13)
#define ROWS_MAX (1u << 17)
#define PAGE_ROWS_MAX 64u

/* --- Calls ------------------------------------------------------------------------------------ */

static bool authority(struct shell *sh, uint32_t at, struct capability_manager_ref *manager)
{
	struct thing cap;

	if (!shell_need(sh, at, "authority", CAPABILITY_MANAGER_INTERFACE_ID, &cap))
		return false;
	manager->ref = client_ref_of(sh->transport, cap.capability);
	return true;
}

bool shell_answered(struct shell *sh, uint32_t at, const char *name, struct client_call *call, uint64_t interface_id,
		uint16_t method)
{
	char sentence[160];

	shell_trace_note(sh, call, interface_id, method);
	if (call->status == STATUS_OK)
		client_fail(call, sh->ops->await(sh->arg, call));
	if (call->status == STATUS_OK)
		return true;
	sh->failure = call->status;
	if (call->status == STATUS_CANCELLED)
		return shell_fail(sh, at, "interrupted");
	(void)reason_into(sentence, sizeof(sentence), call->status, sh->ops->detail ? sh->ops->detail(sh->arg) : 0);
	return shell_fail(sh, at, "%s: %s", name, sentence);
}

/* The same for a call of the manager's method. */
static bool answered(struct shell *sh, uint32_t at, struct client_call *call, uint16_t method)
{
	return shell_answered(sh, at, "authority", call, CAPABILITY_MANAGER_INTERFACE_ID, method);
}

static bool no_memory(struct shell *sh, uint32_t at)
{
	return shell_fail(sh, at, "the shell has no memory for what there is to show");
}

/* Whether the next page comes after this one, as it must. */
static bool goes_on(struct shell *sh, uint32_t at, uint32_t start, uint32_t next)
{
	return next == 0 || next > start || shell_fail(sh, at, "authority: its pages go round in a circle");
}

/* One more element of an array of `count`; false without memory or beyond `max`. */
static bool grow(void **array, uint32_t count, uint32_t max, uint32_t *room, size_t element)
{
	uint32_t more = *room ? *room * 2 : 64;
	void *larger;

	if (count < *room)
		return true;
	larger = count < max ? realloc(*array, more * element) : NULL;
	if (!larger)
		return false;
	*array = larger;
	*room = more;
	return true;
}

/* --- Processes -------------------------------------------------------------------------------- */

static bool add_process(struct system_view *view, struct process_row_reader row)
{
	struct capnp_text name = process_row_get_name(row);
	struct view_process *p;

	if (!grow((void **)&view->processes, view->process_count, PROCESSES_MAX, &view->process_room, sizeof(*p)))
		return false;
	p = &view->processes[view->process_count++];
	memset(p, 0, sizeof(*p));
	p->id = process_row_get_process_id(row);
	p->parent_id = process_row_get_parent_id(row);
	memcpy(p->name, name.chars, MIN(name.bytes, SHELL_NAME_BYTES - 1u));
	shell_make_printable(p->name, (uint32_t)strlen(p->name));
	p->threads = process_row_get_threads(row);
	p->weight = process_row_get_weight(row);
	p->class = process_row_get_class(row);
	p->processors = process_row_get_processors(row);
	p->runs_on = process_row_get_runs_on(row);
	p->memory_pages = process_row_get_memory_pages(row);
	p->cpu_ns = process_row_get_cpu_ns(row);
	p->budget_ns = process_row_get_budget_ns(row);
	p->period_ns = process_row_get_period_ns(row);
	p->available_ns = process_row_get_available_ns(row);
	return true;
}

static bool read_processes(struct shell *sh, uint32_t at, struct capability_manager_ref manager,
		struct system_view *view)
{
	uint32_t start = 0;

	do {
		struct capability_manager_processes_call call = capability_manager_processes_start(manager, start);
		bool ok = answered(sh, at, &call.call, CAPABILITY_MANAGER_METHOD_PROCESSES);
		uint32_t next = 0;

		if (ok) {
			struct capability_manager_processes_results_reader in =
					capability_manager_processes_results(&call);
			struct capnp_list list = capability_manager_processes_results_get_processes(in);

			next = capability_manager_processes_results_get_next(in);
			ok = goes_on(sh, at, start, next);
			for (uint32_t i = 0; i < MIN(list.count, PAGE_ROWS_MAX) && ok; i++)
				ok = add_process(view, process_row_at(list, i)) || no_memory(sh, at);
		}
		capability_manager_processes_done(&call);
		if (!ok)
			return false;
		start = next;
	} while (start != 0);
	return true;
}

static void mark_namesakes(struct system_view *view)
{
	for (uint32_t i = 0; i < view->process_count; i++) {
		for (uint32_t other = 0; other < i; other++) {
			if (strcmp(view->processes[i].name, view->processes[other].name) == 0) {
				view->processes[i].namesake = true;
				view->processes[other].namesake = true;
			}
		}
	}
}

uint32_t system_view_process(const struct system_view *view, uint32_t id)
{
	for (uint32_t i = 0; i < view->process_count; i++) {
		if (view->processes[i].id == id)
			return i;
	}
	return VIEW_NONE;
}

const char *system_view_label(const struct system_view *view, uint32_t index, char label[VIEW_LABEL_BYTES])
{
	const struct view_process *p = &view->processes[index];

	(void)format_into(label, VIEW_LABEL_BYTES, p->namesake ? "%s (%u)" : "%s", p->name, p->id);
	return label;
}

const char *system_view_label_id(const struct system_view *view, uint32_t id, char label[VIEW_LABEL_BYTES])
{
	uint32_t index = system_view_process(view, id);

	if (index != VIEW_NONE)
		return system_view_label(view, index, label);
	(void)format_into(label, VIEW_LABEL_BYTES, "process %u, which has ended", id);
	return label;
}

/* --- Capabilities ----------------------------------------------------------------------------- */

static enum view_kind kind_of(struct capnp_text name)
{
	return capnp_text_equals(name, "export") ? VIEW_EXPORT : capnp_text_equals(name, "endpoint") ? VIEW_ENDPOINT :
			capnp_text_equals(name, "process") ? VIEW_PROCESS : VIEW_OBJECT;
}

static bool add_row(struct system_view *view, uint32_t process, struct capability_row_reader row)
{
	struct view_row *r;

	if (capability_row_get_revoked(row))
		return true;
	if (!grow((void **)&view->rows, view->row_count, ROWS_MAX, &view->row_room, sizeof(*r)))
		return false;
	r = &view->rows[view->row_count++];
	*r = (struct view_row){
		.process = process,
		.server = system_view_process(view, capability_row_get_server(row)),
		.granter = capability_row_get_granted_by(row),
		.subject = capability_row_get_process(row),
		.copies = 1,
		.children = VIEW_NONE,
		.sibling = VIEW_NONE,
		.origin = VIEW_NONE,
		.ended = capability_row_get_ended(row),
		.kind = kind_of(capability_row_get_kind(row)),
		.object = capability_row_get_object(row),
		.interface = capability_row_get_interface_id(row),
		.grant = capability_row_get_grant(row),
		.parent = capability_row_get_parent_grant(row),
	};
	view->processes[process].capabilities++;
	return true;
}

static bool read_capabilities(struct shell *sh, uint32_t at, struct capability_manager_ref manager,
		struct system_view *view, uint32_t process)
{
	uint32_t start = 0;

	view->processes[process].first_row = view->row_count;
	do {
		struct capability_manager_capabilities_call call = capability_manager_capabilities_start(manager,
				view->processes[process].id, start);
		bool ok = answered(sh, at, &call.call,
				CAPABILITY_MANAGER_METHOD_CAPABILITIES);
		uint32_t next = 0;

		if (ok) {
			struct capability_manager_capabilities_results_reader in =
					capability_manager_capabilities_results(&call);
			struct capnp_list list = capability_manager_capabilities_results_get_capabilities(in);

			next = capability_manager_capabilities_results_get_next(in);
			ok = goes_on(sh, at, start, next);
			for (uint32_t i = 0; i < MIN(list.count, PAGE_ROWS_MAX) && ok; i++)
				ok = add_row(view, process, capability_row_at(list, i)) || no_memory(sh, at);
		}
		capability_manager_capabilities_done(&call);
		if (!ok)
			return false;
		start = next;
	} while (start != 0);
	return true;
}

/* Where a grant's row is in the table, or would be. */
static uint32_t *place_of(const struct system_view *view, uint64_t grant)
{
	uint32_t at = (uint32_t)(grant * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (view->table_size - 1);

	while (view->table[at] != VIEW_NONE && view->rows[view->table[at]].grant != grant)
		at = (at + 1) & (view->table_size - 1);
	return &view->table[at];
}

/* Enters the first row of each grant in the table and counts its copies. */
static bool index_grants(struct system_view *view)
{
	for (view->table_size = 64; view->table_size < 2 * view->row_count; view->table_size *= 2)
		;
	view->table = malloc(view->table_size * sizeof(*view->table));
	if (!view->table)
		return false;
	memset(view->table, 0xff, view->table_size * sizeof(*view->table));
	for (uint32_t i = 0; i < view->row_count; i++) {
		uint32_t *place = place_of(view, view->rows[i].grant);

		if (*place == VIEW_NONE) {
			*place = i;
		} else {
			view->rows[*place].copies++;
			view->rows[i].copies = 0;
		}
	}
	return true;
}

/* Hangs each row below what it was derived from; from the last, so that lists begin with the first. A row can be
 * read below itself where the system changed meanwhile, but never in a circle: a child is younger than its parent. */
static void link_rows(struct system_view *view)
{
	for (uint32_t i = view->row_count; i-- > 0;) {
		struct view_row *row = &view->rows[i];
		uint32_t parent = row->parent && row->copies ? *place_of(view, row->parent) : VIEW_NONE;

		if (parent == VIEW_NONE || parent == i)
			continue;
		row->origin = parent;
		row->sibling = view->rows[parent].children;
		view->rows[parent].children = i;
	}
}

bool system_view_read_processes(struct shell *sh, uint32_t at, struct system_view *view)
{
	struct capability_manager_ref manager;

	memset(view, 0, sizeof(*view));
	sh->ops->flush(sh->arg);
	return authority(sh, at, &manager) && read_processes(sh, at, manager, view);
}

bool system_view_read(struct shell *sh, uint32_t at, struct system_view *view)
{
	struct capability_manager_ref manager;

	memset(view, 0, sizeof(*view));
	sh->ops->flush(sh->arg);
	if (!authority(sh, at, &manager) || !read_processes(sh, at, manager, view))
		return false;
	mark_namesakes(view);
	for (uint32_t i = 0; i < view->process_count; i++) {
		if (!read_capabilities(sh, at, manager, view, i))
			return false;
	}
	if (!index_grants(view))
		return no_memory(sh, at);
	link_rows(view);
	return true;
}

void system_view_free(struct system_view *view)
{
	free(view->processes);
	free(view->rows);
	free(view->table);
	memset(view, 0, sizeof(*view));
}

bool system_view_identify(struct shell *sh, uint32_t at, uint32_t capability, uint64_t *object)
{
	struct capability_manager_holders_params_builder params;
	struct capability_manager_holders_call call;
	struct capability_manager_ref manager;
	bool ok;

	if (!authority(sh, at, &manager))
		return false;
	call = capability_manager_holders_begin(manager, &params);
	capability_manager_holders_params_set_capability(params,
			client_cap(&call.call, client_ref_of(sh->transport, capability)));
	/* Only the object's number is wanted, so the walk begins where there is nobody. */
	capability_manager_holders_params_set_start(params, UINT32_MAX);
	capability_manager_holders_send(&call);
	ok = answered(sh, at, &call.call, CAPABILITY_MANAGER_METHOD_HOLDERS);
	if (ok)
		*object = capability_manager_holders_results_get_object(capability_manager_holders_results(&call));
	capability_manager_holders_done(&call);
	return ok;
}
