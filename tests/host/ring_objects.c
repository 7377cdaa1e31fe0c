/*
 * Methods of kernel objects on the graph: what each refuses, and what it changes; see ring_oracle.h. Parameters are read with
 * the same readers that the kernel uses, so nonsense means the same to both.
 *
 * `methods` is the table. Always true: a method that is refused changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/arch/arch.h"
#include "kernel/object/call.h"
#include "kernel/object/memory_object.h"
#include "tests/host/ring_oracle.h"

/* Room that every fixed result fits in; with less, an answer may be too large for it. */
#define RESULT_WORDS 32u
/* Of a process, beyond what its questions say. */
#define SLOTS_ASIDE_MAX 512u

struct method_call {
	struct played        *played;
	struct mproc         *process;
	struct mcap          *target;
	struct capnp_message  params;
	struct mcap          *caps[CALL_CAPS_MAX];
	uint32_t              moved[CALL_CAPS_MAX];     /* ids of arguments that leave when the method has run */
};

/* Whether the method ran; `caps` are the capabilities that it gives. Its readers have read by now. */
static bool method_accepted(struct method_call *call, uint32_t caps)
{
	struct played *played = call->played;

	refuse_if(played, call->params.status != CAPNP_OK, STATUS_BAD_MESSAGE);
	refuse_if(played, caps > played->entry->reply_caps, STATUS_REPLY_TOO_LARGE);
	if (played->entry->reply_words < RESULT_WORDS)
		played->maybe |= status_bit(STATUS_REPLY_TOO_LARGE);
	return played_accepted(played);
}

/* After the effect: arguments that moved go, then it completes. */
static void method_end(struct method_call *call, uint32_t caps)
{
	struct ring_completion completion;

	for (uint32_t i = 0; i < CALL_CAPS_MAX; i++) {
		struct mcap *cap = call->moved[i] ? mcap_find(call->process, call->moved[i]) : NULL;

		if (cap && cap->state == CAP_LIVE)
			capability_release(call->process, cap);
		settle();
	}
	completion = played_take(call->played);
	MODEL_ASSERT(completion.status == STATUS_OK, "a method completed with %d", completion.status);
	MODEL_ASSERT(completion.cap_count == caps, "a method gave %u capabilities, not %u", completion.cap_count, caps);
}

/* The result capability arrives in the caller's table. */
static void result_insert(struct method_call *call, struct mobj *object, const struct mfacet *facet, bool derived)
{
	const uint64_t *record = call->process->ring->words + call->played->entry->reply_off;

	MODEL_ASSERT((record[0] & 0xff) == RECORD_KIND_CAPABILITY && record[1] == facet->rows[0].id,
			"a method gave another capability, of interface 0x%lx", record[1]);
	mledger_charge(call->process->ledger, RESOURCE_CLASS_SLOTS, 1);
	mcap_insert(call->process, (uint32_t)(record[0] >> 32), object, facet, NULL, derived ? call->target->grant : NULL, 0);
}

static struct capnp_message results(const struct method_call *call)
{
	struct capnp_message message;

	capnp_message_init(&message, call->process->ring->words + call->played->entry->reply_off +
			2u * call->played->entry->reply_caps, call->played->outcome.msg_words, NULL, 0);
	return message;
}

/* Slots for the answer are set aside while the method runs. */
static uint64_t set_aside(const struct method_call *call, const struct mledger *ledger, uint32_t class_)
{
	return class_ == RESOURCE_CLASS_SLOTS && ledger == call->process->ledger ? call->played->entry->reply_caps : 0;
}

static void charge_check(struct method_call *call, const struct mledger *ledger, uint32_t class_, uint64_t count)
{
	if (count > 0)
		count += set_aside(call, ledger, class_);
	refuse_if(call->played, !mledger_has(ledger, class_, count), STATUS_OVERLOADED);
}

/* A new object of the caller's. */
static struct mobj *object_new(struct method_call *call, enum mtype type)
{
	mledger_charge(call->process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	return mobj_new(type, call->process->ledger);
}

/* Gives the new object to the caller: the hold is all that keeps it. */
static void object_give(struct method_call *call, struct mobj *object, uint64_t interface)
{
	result_insert(call, object, mfacet_of(interface), false);
	mobj_put(object);
}

static struct mcap *argument(struct method_call *call, struct capnp_cap cap)
{
	struct mcap *found = !capnp_cap_is_null(cap) && cap.index < call->params.cap_count ? call->caps[cap.index] : NULL;

	refuse_if(call->played, !found, STATUS_INVALID_ARGUMENT);
	return found;
}

/* --- Without effect ----------------------------------------------------------------------------- */

/* What it answers is not looked at. */
static void method_plain(struct method_call *call)
{
	call->played->maybe |= status_bit(STATUS_BAD_MESSAGE) | status_bit(STATUS_REPLY_TOO_LARGE) |
			status_bit(STATUS_INVALID_ARGUMENT);
	if (method_accepted(call, 0))
		method_end(call, 0);
}

/* --- Timer -------------------------------------------------------------------------------------- */

static void sleep_until(struct method_call *call, uint64_t deadline_ns)
{
	struct mquestion *question;

	if (deadline_ns <= model.entered_ns) {
		method_plain(call);
		return;
	}
	charge_check(call, call->process->ledger, RESOURCE_CLASS_TIMERS, 1);
	if (call->played->entry->reply_words < RESULT_WORDS)
		call->played->maybe |= status_bit(STATUS_REPLY_TOO_LARGE);
	if (!played_accepted(call->played))
		return;
	mobj_get(call->target->object);
	question = question_start(call->played, MQ_SLEEP, call->target->object);
	question->deadline_ns = deadline_ns;
	mledger_charge(call->process->ledger, RESOURCE_CLASS_TIMERS, 1);
	settle();
}

static void timer_sleep_play(struct method_call *call)
{
	uint64_t duration = timer_sleep_params_get_duration_ns(timer_sleep_params_get_root(&call->params));

	sleep_until(call, duration > UINT64_MAX - model.entered_ns ? UINT64_MAX : model.entered_ns + duration);
}

static void timer_sleep_until_play(struct method_call *call)
{
	sleep_until(call, timer_sleep_until_params_get_deadline_ns(timer_sleep_until_params_get_root(&call->params)));
}

/* --- Factory ------------------------------------------------------------------------------------ */

static void factory_memory_play(struct method_call *call)
{
	uint64_t bytes = object_factory_memory_params_get_bytes(object_factory_memory_params_get_root(&call->params));
	uint64_t pages = bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
	struct mobj *memory;

	refuse_if(call->played, bytes == 0 || bytes > MEMORY_OBJECT_BYTES_MAX, STATUS_INVALID_ARGUMENT);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_FRAMES, pages);
	if (!method_accepted(call, 1))
		return;
	memory = object_new(call, M_MEMORY);
	memory->pages = pages;
	memory->bytes = bytes;
	mledger_charge(call->process->ledger, RESOURCE_CLASS_FRAMES, pages);
	object_give(call, memory, MEMORY_OBJECT_INTERFACE_ID);
	method_end(call, 1);
}

static void factory_endpoint_play(struct method_call *call)
{
	struct object_factory_endpoint_params_reader in = object_factory_endpoint_params_get_root(&call->params);
	uint16_t words = object_factory_endpoint_params_get_message_words(in);
	uint8_t caps = object_factory_endpoint_params_get_capabilities(in);
	uint16_t calls = object_factory_endpoint_params_get_calls(in);
	struct mobj *endpoint;

	refuse_if(call->played, words > MESSAGE_WORDS_MAX || caps > ENDPOINT_CAPS_MAX || calls < 1 ||
			calls > ENDPOINT_CALLS_MAX, STATUS_INVALID_ARGUMENT);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_CALLS, calls);
	if (!method_accepted(call, 1))
		return;
	endpoint = object_new(call, M_ENDPOINT);
	endpoint->message_words = words;
	endpoint->capabilities = caps;
	endpoint->calls = calls;
	endpoint->incarnation = 1;
	endpoint->services = calloc(calls + 1ul, sizeof(*endpoint->services));
	mledger_charge(call->process->ledger, RESOURCE_CLASS_CALLS, calls);
	object_give(call, endpoint, ENDPOINT_INTERFACE_ID);
	method_end(call, 1);
}

static void factory_notification_play(struct method_call *call)
{
	struct mobj *notification;

	(void)object_factory_notification_params_get_root(&call->params);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_OBJECTS, 1);
	if (!method_accepted(call, 1))
		return;
	notification = object_new(call, M_NOTIFICATION);
	object_give(call, notification, NOTIFICATION_INTERFACE_ID);
	method_end(call, 1);
}

/* --- Endpoint ----------------------------------------------------------------------------------- */

/* The facet that the rows describe, among those that actors make; NULL: the rows are refused. */
static const struct mfacet *rows_facet(struct capnp_list rows)
{
	if (rows.count < 1 || rows.count > FACET_ROWS_MAX)
		return NULL;
	for (uint32_t i = 0; i < rows.count; i++) {
		struct interface_row_reader row = interface_row_at(rows, i);

		if (interface_row_get_id(row) == 0 || interface_row_get_ancestors(row) >> rows.count)
			return NULL;
		for (uint32_t j = 0; j < i; j++) {
			if (interface_row_get_id(interface_row_at(rows, j)) == interface_row_get_id(row))
				return NULL;
		}
	}
	MODEL_ASSERT(interface_row_get_id(interface_row_at(rows, 0)) == ACTOR_INTERFACE, "a facet that the model does not know");
	return rows.count == 2 ? &mfacet_export_wide : &mfacet_export_single;
}

static void endpoint_export_play(struct method_call *call)
{
	struct endpoint_export_params_reader in = endpoint_export_params_get_root(&call->params);
	const struct mfacet *facet = rows_facet(endpoint_export_params_get_interfaces(in));
	struct mobj *endpoint = call->target->object, *export;

	refuse_if(call->played, !facet, STATUS_INVALID_ARGUMENT);
	refuse_if(call->played, endpoint->closed, STATUS_DISCONNECTED);
	charge_check(call, call->process->ledger, RESOURCE_CLASS_EXPORTS, 1);
	if (!method_accepted(call, 1))
		return;
	export = mobj_new(M_EXPORT, call->process->ledger);
	mledger_charge(call->process->ledger, RESOURCE_CLASS_EXPORTS, 1);
	export->endpoint = endpoint;
	mobj_get(endpoint);
	export->tag = endpoint_export_params_get_tag(in);
	export->incarnation = endpoint_export_params_get_lasting(in) ? 0 : endpoint->incarnation;
	list_append(&endpoint->exports, &export->export_link);
	result_insert(call, export, facet, false);      /* the first reference is the endpoint's */
	method_end(call, 1);
}

static void endpoint_reset_play(struct method_call *call)
{
	struct mobj *endpoint = call->target->object;
	struct capnp_message message;

	(void)endpoint_reset_params_get_root(&call->params);
	if (!method_accepted(call, 0))
		return;
	endpoint_end_incarnation(endpoint);
	method_end(call, 0);
	message = results(call);
	MODEL_ASSERT(endpoint_reset_results_get_incarnation(endpoint_reset_results_get_root(&message)) == endpoint->incarnation,
			"reset began another incarnation");
}

static void endpoint_close_play(struct method_call *call)
{
	(void)endpoint_close_params_get_root(&call->params);
	if (!method_accepted(call, 0))
		return;
	endpoint_end(call->target->object);
	method_end(call, 0);
}

/* --- Notification ------------------------------------------------------------------------------- */

static void signal_play(struct method_call *call)
{
	uint64_t bits = signal_signal_params_get_bits(signal_signal_params_get_root(&call->params));

	if (!method_accepted(call, 0))
		return;
	call->target->object->bits |= bits;
	method_end(call, 0);
}

static void take_play(struct method_call *call)
{
	struct capnp_message message;

	(void)notification_take_params_get_root(&call->params);
	if (!method_accepted(call, 0))
		return;
	method_end(call, 0);
	message = results(call);
	MODEL_ASSERT(notification_take_results_get_bits(notification_take_results_get_root(&message)) ==
			call->target->object->bits, "take took other bits");
	call->target->object->bits = 0;
}

/* --- Processes ---------------------------------------------------------------------------------- */

static void process_wait_play(struct method_call *call)
{
	struct mobj *object = call->target->object;

	if (object_has_ended(object)) {
		method_plain(call);
		return;
	}
	if (call->played->entry->reply_words < RESULT_WORDS)
		call->played->maybe |= status_bit(STATUS_REPLY_TOO_LARGE);
	if (!played_accepted(call->played))
		return;
	mobj_get(object);
	(void)question_start(call->played, MQ_PROCESS, object);
	settle();
}

static void kill_play(struct method_call *call)
{
	struct mproc *victim = call->target->object->process;
	struct process *left;

	(void)process_handle_kill_params_get_status(process_handle_kill_params_get_root(&call->params));
	if (victim == call->process) {
		/* What it was answered went with its ring; whether it lives says what that was. */
		left = process_find(victim->id, false);
		if (left)
			object_put(&left->object);
		if (!left)
			process_end_in_model(victim);
		else if (method_accepted(call, 0))
			model_fail("a process survived its own kill");
		return;
	}
	if (!method_accepted(call, 0))
		return;
	process_end_in_model(victim);
	method_end(call, 0);
}

/* The process that the kernel has made and the model has not. */
static struct process *process_unknown(void)
{
	for (struct list *link = process_tree.next; link != &process_tree; link = link->next) {
		struct process *process = container_of(link, struct process, tree_link);
		bool known = false;

		for (struct list *at = model.processes.next; at != &model.processes && !known; at = at->next)
			known = container_of(at, struct mproc, link)->kernel == process;
		if (!known)
			return process;
	}
	return NULL;
}

static void spawner_create_play(struct method_call *call)
{
	struct process_spawner_create_params_reader in = process_spawner_create_params_get_root(&call->params);
	struct capnp_text name = process_spawner_create_params_get_name(in);
	struct capnp_list list = process_spawner_create_params_get_limits(in);
	uint64_t limit[LEDGER_CLASSES] = { 0 };
	struct process *made;
	struct mobj *builder;

	refuse_if(call->played, name.bytes == 0 || name.bytes > 31 || memchr(name.chars ? name.chars : "", ' ', name.bytes),
			STATUS_INVALID_ARGUMENT);
	for (uint32_t i = 0; i < MIN(list.count, LEDGER_CLASSES); i++)
		limit[resource_limit_get_class(resource_limit_at(list, i))] = resource_limit_get_limit(resource_limit_at(list, i));
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		charge_check(call, call->process->ledger, i, limit[i] + (i == RESOURCE_CLASS_OBJECTS ? 2 : 0));
	refuse_if(call->played, limit[RESOURCE_CLASS_OBJECTS] < 1, STATUS_OVERLOADED);      /* its address space */
	if (!method_accepted(call, 1))
		return;
	made = process_unknown();
	MODEL_ASSERT(made, "no process was made");
	builder = object_new(call, M_BUILDER);
	builder->process = mproc_new(made, call->process->ledger, limit);
	mobj_get(&builder->process->obj);
	object_give(call, builder, PROCESS_BUILDER_INTERFACE_ID);
	method_end(call, 1);
}

static struct mproc *built(struct method_call *call)
{
	struct mproc *process = call->target->object->process;

	refuse_if(call->played, process->phase != MP_BUILDING, STATUS_FAILED);
	return process;
}

static void child_insert(struct method_call *call, uint32_t id, struct mobj *object, const struct mfacet *facet,
		struct mgrant *parent)
{
	struct mproc *child = call->target->object->process;

	mledger_charge(child->ledger, RESOURCE_CLASS_SLOTS, 1);
	mcap_insert(child, id, object, facet, NULL, parent, call->process->id);
}

static void builder_grant_play(struct method_call *call)
{
	struct mproc *child = built(call);
	struct mcap *cap = argument(call, process_builder_grant_params_get_capability(
			process_builder_grant_params_get_root(&call->params)));
	struct capnp_message message;

	refuse_if(call->played, cap && cap->object->type == M_BUILDER, STATUS_INVALID_ARGUMENT);
	charge_check(call, child->ledger, RESOURCE_CLASS_SLOTS, 1);
	if (!method_accepted(call, 0))
		return;
	message = results(call);
	child_insert(call, process_builder_grant_results_get_id(process_builder_grant_results_get_root(&message)), cap->object,
			cap->facet, cap->grant);
	method_end(call, 0);
}

static void builder_grant_memory_play(struct method_call *call)
{
	struct mproc *child = built(call);
	struct capnp_message message;

	(void)process_builder_grant_memory_params_get_root(&call->params);
	charge_check(call, child->ledger, RESOURCE_CLASS_SLOTS, 1);
	if (!method_accepted(call, 0))
		return;
	message = results(call);
	child_insert(call, process_builder_grant_memory_results_get_id(process_builder_grant_memory_results_get_root(&message)),
			child->space, mfacet_of(VIRTUAL_MEMORY_INTERFACE_ID), NULL);
	method_end(call, 0);
}

static void builder_memory_play(struct method_call *call)
{
	struct mproc *child = built(call);

	(void)process_builder_memory_params_get_root(&call->params);
	if (!method_accepted(call, 1))
		return;
	result_insert(call, child->space, mfacet_of(VIRTUAL_MEMORY_INTERFACE_ID), true);
	method_end(call, 1);
}

static void builder_start_play(struct method_call *call)
{
	struct process_builder_start_params_reader in = process_builder_start_params_get_root(&call->params);
	uint64_t entry = process_builder_start_params_get_entry(in), stack = process_builder_start_params_get_stack(in);
	struct mproc *child = built(call);

	(void)process_builder_start_params_get_argument(in);
	refuse_if(call->played, entry < USER_BASE || entry >= USER_END || stack < USER_BASE || stack > USER_END,
			STATUS_INVALID_ARGUMENT);
	charge_check(call, child->ledger, RESOURCE_CLASS_THREADS, 1);
	charge_check(call, child->ledger, RESOURCE_CLASS_FRAMES, 1u << RING_ORDER);
	charge_check(call, child->ledger, RESOURCE_CLASS_OBJECTS, 1);
	if (!method_accepted(call, 1))
		return;
	mproc_started(child);
	result_insert(call, &child->obj, mfacet_of(PROCESS_HANDLE_INTERFACE_ID), false);
	method_end(call, 1);
}

/* --- Manager ------------------------------------------------------------------------------------ */

static struct mproc *process_by_id(uint64_t id)
{
	for (struct list *link = model.processes.next; link != &model.processes; link = link->next) {
		if (container_of(link, struct mproc, link)->id == id)
			return container_of(link, struct mproc, link);
	}
	return NULL;
}

/* The grant that is in use and has this name, or NULL. */
static struct mgrant *grant_by_name(uint64_t name)
{
	for (struct list *link = model.grants.next; link != &model.grants; link = link->next) {
		struct mgrant *grant = container_of(link, struct mgrant, link);

		if (grant->uses != 0 && grant->name == name)
			return grant;
	}
	return NULL;
}

static void manager_revoke_play(struct method_call *call)
{
	uint64_t name = capability_manager_revoke_params_get_grant(capability_manager_revoke_params_get_root(&call->params));
	struct mgrant *grant = grant_by_name(name);
	struct capnp_message message;
	uint32_t revoked;

	refuse_if(call->played, !grant, STATUS_INVALID_ARGUMENT);
	if (!method_accepted(call, 0))
		return;
	revoked = mgrant_revoke(grant, true);
	questions_end_revoked();
	method_end(call, 0);
	message = results(call);
	MODEL_ASSERT(capability_manager_revoke_results_get_revoked(capability_manager_revoke_results_get_root(&message)) ==
			revoked, "other grants were revoked than the %u below that one", revoked);
}

static void manager_set_limit_play(struct method_call *call)
{
	struct capability_manager_set_limit_params_reader in = capability_manager_set_limit_params_get_root(&call->params);
	struct mproc *process = process_by_id(capability_manager_set_limit_params_get_process_id(in));
	uint32_t class_ = (uint32_t)capability_manager_set_limit_params_get_class(in);
	uint64_t limit = capability_manager_set_limit_params_get_limit(in), set;
	struct mledger *ledger = process ? process->ledger : NULL;
	struct capnp_message message;

	refuse_if(call->played, class_ >= LEDGER_CLASSES, STATUS_INVALID_ARGUMENT);
	if (ledger && class_ < LEDGER_CLASSES && limit > ledger->limit[class_])
		charge_check(call, mledger_above(ledger), class_, limit - ledger->limit[class_]);
	if (!method_accepted(call, 0))
		return;
	if (ledger) {
		message = results(call);
		set = capability_manager_set_limit_results_get_limit(capability_manager_set_limit_results_get_root(&message));
		/* Slots that are set aside, or kept for a receive, count as in use. */
		MODEL_ASSERT(set >= limit && (set == limit || (set >= ledger->used[class_] &&
				set <= ledger->used[class_] + SLOTS_ASIDE_MAX)), "the limit is %lu, wanted was %lu of %lu used",
				set, limit, ledger->used[class_]);
		model.kept_shows |= set != MAX(limit, ledger->used[class_] + set_aside(call, ledger, class_));
		mledger_set_limit(ledger, class_, set, 0);
	}
	method_end(call, 0);
}

static void manager_revoke_derived_play(struct method_call *call)
{
	struct mcap *cap = argument(call, capability_manager_revoke_derived_params_get_capability(
			capability_manager_revoke_derived_params_get_root(&call->params)));

	if (!method_accepted(call, 0))
		return;
	(void)mgrant_revoke(cap->grant, false);
	questions_end_revoked();
	method_end(call, 0);
}

static void manager_open_play(struct method_call *call)
{
	struct mproc *process = process_by_id(capability_manager_open_params_get_process_id(
			capability_manager_open_params_get_root(&call->params)));

	if (!method_accepted(call, process ? 1 : 0))
		return;
	if (process)
		result_insert(call, &process->obj, mfacet_of(PROCESS_HANDLE_INTERFACE_ID), true);
	method_end(call, process ? 1 : 0);
}

/* --- The table ---------------------------------------------------------------------------------- */

static const struct {
	uint64_t interface;
	uint16_t method;
	void   (*play)(struct method_call *call);
} methods[] = {
	{ TIMER_INTERFACE_ID, TIMER_METHOD_NOW, method_plain },
	{ TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, timer_sleep_play },
	{ TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP_UNTIL, timer_sleep_until_play },
	{ OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_MEMORY, factory_memory_play },
	{ OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_ENDPOINT, factory_endpoint_play },
	{ OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_NOTIFICATION, factory_notification_play },
	{ ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_EXPORT, endpoint_export_play },
	{ ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_RESET, endpoint_reset_play },
	{ ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_CLOSE, endpoint_close_play },
	{ ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_INFO, method_plain },
	{ SIGNAL_INTERFACE_ID, SIGNAL_METHOD_SIGNAL, signal_play },
	{ NOTIFICATION_INTERFACE_ID, NOTIFICATION_METHOD_TAKE, take_play },
	{ PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_INFO, method_plain },
	{ PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_WAIT, process_wait_play },
	{ PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_CRASH, method_plain },
	{ PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_USAGE, method_plain },
	{ PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_KILL, kill_play },
	{ PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_CREATE, spawner_create_play },
	{ PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_MEMORY, builder_memory_play },
	{ PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_GRANT, builder_grant_play },
	{ PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_GRANT_MEMORY, builder_grant_memory_play },
	{ PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_START, builder_start_play },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_PROCESSES, method_plain },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_HOLDERS, method_plain },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_REVOKE, manager_revoke_play },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_REVOKE_DERIVED, manager_revoke_derived_play },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_OPEN, manager_open_play },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_CAPABILITIES, method_plain },
	{ CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_SET_LIMIT, manager_set_limit_play },
	{ MEMORY_VIEW_INTERFACE_ID, MEMORY_VIEW_METHOD_INFO, method_plain },
};

/* The capabilities among the parameters; what is wrong with them is noted. */
static void arguments_read(struct method_call *call, struct capnp_cap_slot *slots)
{
	struct played *played = call->played;

	for (uint32_t i = 0; i < MIN(played->entry->cap_count, CALL_CAPS_MAX); i++) {
		const uint64_t *words = &played->sent->descriptors[2 * i];
		uint8_t kind = (uint8_t)words[0];
		bool null = kind == TRANSFER_KIND_NONE;
		status_t status = STATUS_OK;

		slots[i] = (struct capnp_cap_slot){ 0 };
		if (null ? words[0] || words[1] : kind > TRANSFER_KIND_MOVE || (words[0] & 0xffffff00) || words[1])
			status = STATUS_BAD_DESCRIPTOR;
		else if (!null)
			status = mcap_lookup(call->process, (uint32_t)(words[0] >> 32), &call->caps[i]);
		call->moved[i] = kind == TRANSFER_KIND_MOVE ? (uint32_t)(words[0] >> 32) : 0;
		if (status != STATUS_OK) {
			refuse_if(played, true, status);
			return;
		}
	}
}

void object_method_play(struct played *played, struct mcap *target)
{
	const struct ring_entry *entry = played->entry;
	struct capnp_cap_slot slots[CALL_CAPS_MAX];
	struct method_call call = { .played = played, .process = played->process, .target = target };
	uint32_t row = 0;

	refuse_if(played, entry->msg_words > CALL_PARAM_WORDS_MAX || entry->cap_count > CALL_CAPS_MAX, STATUS_TOO_LARGE);
	if (!played->refusals)
		arguments_read(&call, slots);
	if (played->refusals) {
		(void)played_accepted(played);
		return;
	}
	capnp_message_init(&call.params, played->sent->message, entry->msg_words, slots, entry->cap_count);
	while (row < ARRAY_LEN(methods) && (methods[row].interface != entry->interface || methods[row].method != entry->method))
		row++;
	MODEL_ASSERT(row < ARRAY_LEN(methods), "the model does not know method %u of interface 0x%lx", entry->method,
			entry->interface);
	methods[row].play(&call);
}
