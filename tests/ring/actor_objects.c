/*
 * Calls of kernel objects, for the table in actor.c: each builds its parameters in the block of its question.
 */
#include <string.h>

#include "capos/kernel.capnp.h"
#include "tests/ring/actor_internal.h"

/* --- Calls of kernel objects -------------------------------------------------------------------- */

/* The head of such a call; the parameters go to the block. False: the actor has no such thing. */
static bool object_call(struct actor *actor, struct fill *fill, uint32_t mask, uint64_t interface, uint16_t method)
{
	fill->entry.target = actor_target(actor, mask);
	if (!fill->entry.target || !actor_block_take(actor, fill))
		return false;
	fill->entry.interface = interface;
	fill->entry.method = method;
	actor_reply_span(actor, fill, actor_one_in(actor, 32) ? 0 : 1, actor_one_in(actor, 32) ? actor_below(actor, 4) : 32);
	return true;
}

static struct capnp_builder params_begin(const struct actor *actor, const struct fill *fill)
{
	struct capnp_builder builder;

	capnp_builder_init(&builder, actor->words + fill->message_off, ACTOR_PARAM_WORDS, NULL, 0);
	return builder;
}

static bool params_end(struct actor *actor, struct fill *fill, const struct capnp_builder *builder)
{
	fill->entry.msg_off = fill->message_off;
	fill->entry.msg_words = (uint16_t)builder->used;
	return builder->status == CAPNP_OK;
}

/* A method whose parameters nobody has filled in. */
#define FILL_PLAIN(name, mask, INTERFACE, METHOD, params_init_root) \
	bool name(struct actor *actor, struct fill *fill) \
	{ \
		struct capnp_builder builder; \
\
		if (!object_call(actor, fill, mask, INTERFACE, METHOD)) \
			return false; \
		builder = params_begin(actor, fill); \
		(void)params_init_root(&builder); \
		return params_end(actor, fill, &builder); \
	}

FILL_PLAIN(fill_now, KIND(TIMER), TIMER_INTERFACE_ID, TIMER_METHOD_NOW, timer_now_params_init_root)
FILL_PLAIN(fill_new_notification, KIND(FACTORY), OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_NOTIFICATION,
		object_factory_notification_params_init_root)
FILL_PLAIN(fill_reset, KIND(ENDPOINT), ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_RESET, endpoint_reset_params_init_root)
FILL_PLAIN(fill_close, KIND(ENDPOINT), ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_CLOSE, endpoint_close_params_init_root)
FILL_PLAIN(fill_info, KIND(ENDPOINT), ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_INFO, endpoint_info_params_init_root)
FILL_PLAIN(fill_take, KIND(NOTIFICATION), NOTIFICATION_INTERFACE_ID, NOTIFICATION_METHOD_TAKE,
		notification_take_params_init_root)
FILL_PLAIN(fill_usage, KIND(HANDLE) | KIND(OBSERVER), PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_USAGE,
		process_observer_usage_params_init_root)
FILL_PLAIN(fill_process_info, KIND(HANDLE) | KIND(OBSERVER), PROCESS_OBSERVER_INTERFACE_ID, PROCESS_OBSERVER_METHOD_INFO,
		process_observer_info_params_init_root)
FILL_PLAIN(fill_grant_memory, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_GRANT_MEMORY,
		process_builder_grant_memory_params_init_root)
FILL_PLAIN(fill_builder_memory, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_MEMORY,
		process_builder_memory_params_init_root)

bool fill_process_wait(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(HANDLE) | KIND(OBSERVER), PROCESS_OBSERVER_INTERFACE_ID,
			PROCESS_OBSERVER_METHOD_WAIT))
		return false;
	fill->may_sleep = true;
	builder = params_begin(actor, fill);
	(void)process_observer_wait_params_init_root(&builder);
	return params_end(actor, fill, &builder);
}

bool fill_sleep(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(TIMER), TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP))
		return false;
	builder = params_begin(actor, fill);
	timer_sleep_params_set_duration_ns(timer_sleep_params_init_root(&builder), actor_below(actor, 100000));
	fill->may_sleep = true;
	return params_end(actor, fill, &builder);
}

bool fill_new_endpoint(struct actor *actor, struct fill *fill)
{
	static const uint16_t words[] = { 4, 8, 16, 2049 };
	static const uint8_t caps[] = { 1, 2, 4, 65 };
	struct object_factory_endpoint_params_builder params;
	struct capnp_builder builder;
	uint32_t sizes = actor_one_in(actor, 32) ? 4 : 3;

	if (!object_call(actor, fill, KIND(FACTORY), OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_ENDPOINT))
		return false;
	builder = params_begin(actor, fill);
	params = object_factory_endpoint_params_init_root(&builder);
	object_factory_endpoint_params_set_message_words(params, words[actor_below(actor, sizes)]);
	object_factory_endpoint_params_set_capabilities(params, caps[actor_below(actor, sizes)]);
	object_factory_endpoint_params_set_calls(params, (uint16_t)(actor_one_in(actor, 32) ? 0 : 1 + actor_below(actor, 6)));
	return params_end(actor, fill, &builder);
}

bool fill_new_memory(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(FACTORY), OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_MEMORY))
		return false;
	builder = params_begin(actor, fill);
	object_factory_memory_params_set_bytes(object_factory_memory_params_init_root(&builder), actor_below(actor, 10000));
	return params_end(actor, fill, &builder);
}

bool fill_export(struct actor *actor, struct fill *fill)
{
	struct endpoint_export_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;
	uint32_t count = actor_one_in(actor, 32) ? actor_below(actor, 3) : 2;

	if (actor_has_many(actor) ||
			!object_call(actor, fill, KIND(ENDPOINT), ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_EXPORT))
		return false;
	builder = params_begin(actor, fill);
	params = endpoint_export_params_init_root(&builder);
	endpoint_export_params_set_tag(params, actor_below(actor, 8));
	endpoint_export_params_set_lasting(params, actor_one_in(actor, 2));
	rows = endpoint_export_params_init_interfaces(params, count);
	if (count > 0) {
		interface_row_set_id(interface_row_builder_at(rows, 0), ACTOR_INTERFACE);
		interface_row_set_methods(interface_row_builder_at(rows, 0), ACTOR_METHODS);
		interface_row_set_ancestors(interface_row_builder_at(rows, 0), count == 2 ? 2 : 0);
	}
	if (count == 2) {
		interface_row_set_id(interface_row_builder_at(rows, 1), actor_one_in(actor, 64) ? ACTOR_INTERFACE : ACTOR_ANCESTOR);
		interface_row_set_methods(interface_row_builder_at(rows, 1), ACTOR_ANCESTOR_METHODS);
	}
	return params_end(actor, fill, &builder);
}

bool fill_signal_call(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(NOTIFICATION) | KIND(SIGNAL), SIGNAL_INTERFACE_ID, SIGNAL_METHOD_SIGNAL))
		return false;
	builder = params_begin(actor, fill);
	signal_signal_params_set_bits(signal_signal_params_init_root(&builder), 1ull << actor_below(actor, 5));
	return params_end(actor, fill, &builder);
}

bool fill_create(struct actor *actor, struct fill *fill)
{
	/* Frames, slots, objects, exports, calls, timers, threads: small, so that they run out. */
	static const uint64_t limits[] = { 40, 96, 12, 16, 24, 4, 1 };
	struct process_spawner_create_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;

	actor->alone = true;      /* so that who drives the actors sees it before it can be gone again */
	if (!actor->spawns || actor_pick(actor, KIND(BUILDER), false) ||
			!object_call(actor, fill, KIND(SPAWNER), PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_CREATE))
		return false;
	builder = params_begin(actor, fill);
	params = process_spawner_create_params_init_root(&builder);
	process_spawner_create_params_set_name(params, actor_one_in(actor, 32) ? capnp_text("a b") : capnp_text("actor"));
	rows = process_spawner_create_params_init_limits(params, ARRAY_LEN(limits));
	for (uint32_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct resource_limit_builder row = resource_limit_builder_at(rows, i);
		uint64_t limit = limits[i] + actor_below(actor, (uint32_t)limits[i]);

		resource_limit_set_class(row, (enum resource_class)i);
		resource_limit_set_limit(row, actor_one_in(actor, 64) ? 0 : i == RESOURCE_CLASS_THREADS ? 1 : limit);
	}
	return params_end(actor, fill, &builder);
}

/* One capability as parameter: its index in the message. */
static struct capnp_cap param_cap(struct actor *actor, struct fill *fill, struct capnp_builder *builder, uint32_t id)
{
	static struct capnp_cap_slot slot;
	bool moves = actor_one_in(actor, 8) && actor_kind_of_id(actor, id) != KIND_OTHER &&
			actor_pick(actor, ANY_KIND, false) == id;

	builder->caps = &slot;
	builder->cap_max = 1;
	actor_descriptor_add(actor, fill, moves ? TRANSFER_KIND_MOVE : TRANSFER_KIND_COPY, id);
	return capnp_builder_add_cap(builder, (struct capnp_cap_slot){ 0 });
}

bool fill_grant(struct actor *actor, struct fill *fill)
{
	struct process_builder_grant_params_builder params;
	struct capnp_builder builder;
	uint32_t id = actor_target(actor, ANY_KIND & ~KIND(BUILDER));

	if (!id || !object_call(actor, fill, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_GRANT))
		return false;
	builder = params_begin(actor, fill);
	params = process_builder_grant_params_init_root(&builder);
	process_builder_grant_params_set_capability(params, param_cap(actor, fill, &builder, id));
	return params_end(actor, fill, &builder);
}

bool fill_start(struct actor *actor, struct fill *fill)
{
	struct process_builder_start_params_builder params;
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_START))
		return false;
	builder = params_begin(actor, fill);
	params = process_builder_start_params_init_root(&builder);
	process_builder_start_params_set_entry(params, actor_one_in(actor, 32) ? 1 : 0x40000000);
	process_builder_start_params_set_stack(params, actor_one_in(actor, 32) ? 1 : 0x40000000);
	return params_end(actor, fill, &builder);
}

bool fill_kill(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	/* What the dead would have been sent cannot be looked at any more. */
	actor->alone = true;
	if (!object_call(actor, fill, KIND(HANDLE), PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_KILL))
		return false;
	builder = params_begin(actor, fill);
	process_handle_kill_params_set_status(process_handle_kill_params_init_root(&builder), 9);
	return params_end(actor, fill, &builder);
}

bool fill_revoke(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;
	uint64_t process = actor->other_count ? actor->others[actor_below(actor, actor->other_count)] : 0;

	/* The name of what was given in the same batch and let go again would be unknown to whoever looks after it. */
	actor->alone = true;
	if (!object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_REVOKE))
		return false;
	builder = params_begin(actor, fill);
	capability_manager_revoke_params_set_grant(capability_manager_revoke_params_init_root(&builder),
			process << 32 | actor_below(actor, 3) << 16 | (127 - actor_below(actor, 40)));
	return params_end(actor, fill, &builder);
}

bool fill_set_limit(struct actor *actor, struct fill *fill)
{
	struct capability_manager_set_limit_params_builder params;
	struct capnp_builder builder;

	if (!actor->other_count || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_SET_LIMIT))
		return false;
	builder = params_begin(actor, fill);
	params = capability_manager_set_limit_params_init_root(&builder);
	capability_manager_set_limit_params_set_process_id(params, actor->others[actor_below(actor, actor->other_count)]);
	capability_manager_set_limit_params_set_class(params, (enum resource_class)actor_below(actor, 8));
	capability_manager_set_limit_params_set_limit(params, actor_below(actor, actor_one_in(actor, 16) ? 100000 : 120));
	return params_end(actor, fill, &builder);
}

bool fill_revoke_derived(struct actor *actor, struct fill *fill)
{
	struct capability_manager_revoke_derived_params_builder params;
	struct capnp_builder builder;
	uint32_t id = actor_target(actor, ANY_KIND);

	if (!id || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_REVOKE_DERIVED))
		return false;
	builder = params_begin(actor, fill);
	params = capability_manager_revoke_derived_params_init_root(&builder);
	capability_manager_revoke_derived_params_set_capability(params, param_cap(actor, fill, &builder, id));
	return params_end(actor, fill, &builder);
}

bool fill_open(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!actor->other_count || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_OPEN))
		return false;
	builder = params_begin(actor, fill);
	capability_manager_open_params_set_process_id(capability_manager_open_params_init_root(&builder),
			actor->others[actor_below(actor, actor->other_count)]);
	return params_end(actor, fill, &builder);
}
