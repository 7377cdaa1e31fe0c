/*
 * The generator of ring entries; see actor.h. Called by the fuzzers with the ring of the thread whose turn it is.
 * Always true: a busy block's question was sent and its completion has not been read.
 */
#include "tests/ring/actor.h"

#include <string.h>

#include "capos/kernel.capnp.h"

#define NO_BLOCK   255u
#define WORD_BYTES 8u
#define KIND(k)    (1u << KIND_##k)
#define ANY_KIND   ((1u << KIND_COUNT) - 1)
#define TRIES      8u      /* operations drawn until one can be done */
#define NONSENSE   12u     /* one batch in so many is one entry with a field of nonsense */

/* Interface of each kind, how many of its methods the generator and its oracle know, and the ancestor that it can be
 * narrowed to. */
static const struct {
	uint64_t interface;
	uint16_t methods;
	uint64_t ancestor;
} kinds[KIND_COUNT] = {
	[KIND_TIMER] = { TIMER_INTERFACE_ID, 3, 0 },
	[KIND_FACTORY] = { OBJECT_FACTORY_INTERFACE_ID, 3, 0 },
	[KIND_SPAWNER] = { PROCESS_SPAWNER_INTERFACE_ID, 1, 0 },
	[KIND_BUILDER] = { PROCESS_BUILDER_INTERFACE_ID, 4, 0 },
	[KIND_HANDLE] = { PROCESS_HANDLE_INTERFACE_ID, 1, PROCESS_OBSERVER_INTERFACE_ID },
	[KIND_OBSERVER] = { PROCESS_OBSERVER_INTERFACE_ID, 4, 0 },
	[KIND_MANAGER] = { CAPABILITY_MANAGER_INTERFACE_ID, 7, 0 },
	[KIND_ENDPOINT] = { ENDPOINT_INTERFACE_ID, 4, 0 },
	[KIND_EXPORT] = { ACTOR_INTERFACE, ACTOR_METHODS, ACTOR_ANCESTOR },
	[KIND_EXPORT_NARROW] = { ACTOR_ANCESTOR, ACTOR_ANCESTOR_METHODS, 0 },
	[KIND_NOTIFICATION] = { NOTIFICATION_INTERFACE_ID, 1, SIGNAL_INTERFACE_ID },
	[KIND_SIGNAL] = { SIGNAL_INTERFACE_ID, 1, 0 },
	[KIND_MEMORY] = { MEMORY_OBJECT_INTERFACE_ID, 0, MEMORY_VIEW_INTERFACE_ID },
	[KIND_VIEW] = { MEMORY_VIEW_INTERFACE_ID, 1, 0 },
	[KIND_SPACE] = { VIRTUAL_MEMORY_INTERFACE_ID, 0, 0 },
};

/* --- What the actor knows ----------------------------------------------------------------------- */

void actor_init(struct actor *actor, uint32_t number, uint64_t seed, uint64_t *ring_words, uint32_t arena_off)
{
	memset(actor, 0, sizeof(*actor));
	actor->dice.state = (seed + number) * 0x9e3779b97f4a7c15ull | 1;
	actor->number = number;
	actor->words = ring_words;
	actor->header = (struct ring_header *)(void *)ring_words;
	actor->entries = (struct ring_entry *)(void *)(ring_words + actor->header->sq_off / WORD_BYTES);
	actor->completions = (struct ring_completion *)(void *)(ring_words + actor->header->cq_off / WORD_BYTES);
	actor->arena_off = arena_off;
	actor->sleeps = true;
	actor->sq_tail = actor->header->sq_tail;
}

static uint32_t below(struct actor *actor, uint32_t end)
{
	return dice_below(&actor->dice, end);
}

static bool one_in(struct actor *actor, uint32_t n)
{
	return dice_one_in(&actor->dice, n);
}

static enum actor_kind kind_of(uint64_t interface)
{
	for (uint32_t kind = 1; kind < KIND_COUNT; kind++) {
		if (kinds[kind].interface == interface)
			return (enum actor_kind)kind;
	}
	return KIND_OTHER;
}

void actor_learn(struct actor *actor, uint32_t id, uint64_t interface)
{
	if (id == 0)
		return;
	if (actor->cap_count < ACTOR_CAPS)
		actor->caps[actor->cap_count++] = (struct actor_cap){ id, (uint8_t)kind_of(interface) };
	else if (actor->surplus_count < ACTOR_SURPLUS)
		actor->surplus[actor->surplus_count++] = id;
}

/* The actor takes it that the capability is gone. */
static void forget(struct actor *actor, uint32_t id)
{
	for (uint32_t i = actor->pinned; i < actor->cap_count; i++) {
		if (actor->caps[i].id == id) {
			actor->past[actor->past_count++ % ACTOR_PAST] = id;
			actor->caps[i] = actor->caps[--actor->cap_count];
			return;
		}
	}
}

/* The actor wants to be rid of it: it leads to nothing any more. */
static void give_up(struct actor *actor, uint32_t id)
{
	uint32_t before = actor->cap_count;

	forget(actor, id);
	if (actor->cap_count != before && actor->surplus_count < ACTOR_SURPLUS)
		actor->surplus[actor->surplus_count++] = id;
}

/* A capability of one of the kinds, or 0. */
static uint32_t pick(struct actor *actor, uint32_t mask, bool pinned_too)
{
	uint32_t from = pinned_too ? 0 : actor->pinned, count = actor->cap_count - MIN(from, actor->cap_count);
	uint32_t start = count ? below(actor, count) : 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct actor_cap *cap = &actor->caps[from + (start + i) % count];

		if (mask >> cap->kind & 1)
			return cap->id;
	}
	return 0;
}

static enum actor_kind kind_of_id(const struct actor *actor, uint32_t id)
{
	for (uint32_t i = 0; i < actor->cap_count; i++) {
		if (actor->caps[i].id == id)
			return (enum actor_kind)actor->caps[i].kind;
	}
	return KIND_OTHER;
}

static uint32_t wrong_id(struct actor *actor)
{
	switch (below(actor, 4)) {
	case 0:
		return (uint32_t)dice_next(&actor->dice);
	case 1:
		return below(actor, 64);
	case 2:
		return actor->past[below(actor, ACTOR_PAST)];
	default:
		return pick(actor, ANY_KIND, true);
	}
}

/* A target of one of the kinds, now and then a wrong one; 0: the actor has none. */
static uint32_t target(struct actor *actor, uint32_t mask)
{
	if (!actor->quiet && one_in(actor, 24))
		return wrong_id(actor);
	return pick(actor, mask, true);
}

/* --- Completions -------------------------------------------------------------------------------- */

static void learn_records(struct actor *actor, const uint64_t *records, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if ((records[2 * i] & 0xff) == RECORD_KIND_CAPABILITY)
			actor_learn(actor, (uint32_t)(records[2 * i] >> 32), records[2 * i + 1]);
	}
}

static void received(struct actor *actor, const struct actor_block *block, const struct ring_completion *completion)
{
	const struct recv_header *header = (const struct recv_header *)(const void *)(actor->words + block->entry.reply_off);

	switch (header->kind) {
	case RECV_KIND_CALL:
		learn_records(actor, (const uint64_t *)(const void *)(header + 1), completion->cap_count);
		if (actor->call_count < ACTOR_CALLS)
			actor->calls[actor->call_count++] = (struct actor_call){ block->entry.target, completion->id,
				header->reply_words, header->reply_caps, false };
		break;
	case RECV_KIND_NO_HOLDERS:
		if (actor->event_count < ACTOR_EVENTS)
			actor->events[actor->event_count++] = (struct actor_event){ block->entry.target, header->tag,
				header->sequence };
		break;
	default:
		break;
	}
}

static void completed(struct actor *actor, const struct ring_completion *completion)
{
	uint32_t number = actor_block_of(completion->user_data);
	struct actor_block *block = number < ACTOR_BLOCKS ? &actor->blocks[number] : NULL;

	if (!block || !block->busy || block->user_data != completion->user_data)
		return;
	block->busy = false;
	if (completion->status == STATUS_BAD_CAPABILITY && block->entry.cap_count == 0)
		forget(actor, block->entry.target);
	if (completion->status == STATUS_DISCONNECTED && block->entry.cap_count == 0 && one_in(actor, 2))
		give_up(actor, block->entry.target);
	if (completion->flags & COMPLETION_RETURN)
		return;
	switch (block->entry.op) {
	case CAP_OP_CALL:
		learn_records(actor, actor->words + block->entry.reply_off, completion->cap_count);
		break;
	case CAP_OP_RECV:
	case CAP_OP_RETURN:
		if (completion->status == STATUS_OK)
			received(actor, block, completion);
		break;
	case CAP_OP_COPY:
		if (completion->status == STATUS_OK)
			actor_learn(actor, completion->id, kinds[kind_of_id(actor, block->entry.target)].interface);
		break;
	case CAP_OP_NARROW:
		if (completion->status == STATUS_OK)
			actor_learn(actor, completion->id, block->entry.interface);
		break;
	default:
		break;
	}
}

/* Entries that the kernel has not taken: it was entered with nonsense, or completions were not read. */
static bool has_left(const struct actor *actor)
{
	return actor->sq_tail != LOAD_ACQUIRE(&actor->header->sq_head);
}

void actor_collect(struct actor *actor)
{
	uint32_t tail = LOAD_ACQUIRE(&actor->header->cq_tail), mask = actor->header->cq_entries - 1;

	if (actor->sync) {
		const struct ring_completion *reply = (const struct ring_completion *)(const void *)&actor->header->reply_user_data;

		if (reply->user_data == actor->sync)
			completed(actor, reply);
		if (reply->user_data == actor->sync || !has_left(actor))
			actor->sync = 0;
	}
	for (uint32_t head = actor->header->cq_head; head != tail; head++)
		completed(actor, &actor->completions[head & mask]);
	STORE_RELEASE(&actor->header->cq_head, tail);
}

/* --- Filling ------------------------------------------------------------------------------------ */

/* The entry that is filled, and where its parts stand. */
struct fill {
	struct ring_entry entry;
	uint32_t          block;        /* NO_BLOCK: scratch */
	uint32_t          message_off;
	uint32_t          caps_off;
	bool              patterned;    /* the message is to be actor_word */
	bool              may_sleep;    /* as SYNC entry it can wait for others */
};

static bool block_take(struct actor *actor, struct fill *fill)
{
	uint32_t start = below(actor, ACTOR_BLOCKS);

	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
		uint32_t number = (start + i) % ACTOR_BLOCKS;

		if (actor->blocks[number].busy)
			continue;
		fill->block = number;
		fill->message_off = actor_block_off(actor, number) + ACTOR_REPLY_WORDS;
		fill->caps_off = fill->message_off + ACTOR_PARAM_WORDS;
		fill->entry.question = (uint16_t)number;
		return true;
	}
	return false;
}

/* Room for an answer: `caps` records and `words`, in the block. */
static void reply_span(struct actor *actor, struct fill *fill, uint32_t caps, uint32_t words)
{
	fill->entry.reply_caps = (uint8_t)caps;
	fill->entry.reply_words = (uint16_t)words;
	fill->entry.reply_off = caps + words == 0 ? 0 : actor_block_off(actor, fill->block);
}

static void descriptor_add(struct actor *actor, struct fill *fill, enum transfer_kind kind, uint32_t id)
{
	uint64_t *words = actor->words + fill->caps_off + 2u * fill->entry.cap_count;

	words[0] = (uint64_t)kind | (uint64_t)id << 32;
	words[1] = 0;
	fill->entry.caps_off = fill->caps_off;
	fill->entry.cap_count++;
	if (kind == TRANSFER_KIND_MOVE)
		forget(actor, id);
}

static void descriptors_add(struct actor *actor, struct fill *fill, uint32_t max)
{
	uint32_t count = one_in(actor, 2) ? 0 : 1 + below(actor, 3);

	for (uint32_t i = 0; i < MIN(count, max); i++) {
		uint32_t which = below(actor, 32);

		if (which == 0 && !actor->quiet)
			descriptor_add(actor, fill, (enum transfer_kind)below(actor, 6), wrong_id(actor));
		else if (which < 4)
			descriptor_add(actor, fill, TRANSFER_KIND_NONE, 0);
		else if (which < 16)
			descriptor_add(actor, fill, TRANSFER_KIND_MOVE, pick(actor, ANY_KIND, false));
		else
			descriptor_add(actor, fill, TRANSFER_KIND_COPY, pick(actor, ANY_KIND, true));
	}
}

static bool fill_nop(struct actor *actor, struct fill *fill)
{
	return true;
}

static bool fill_call(struct actor *actor, struct fill *fill)
{
	bool narrow;

	fill->entry.target = target(actor, KIND(EXPORT) | KIND(EXPORT_NARROW));
	if (!fill->entry.target || !block_take(actor, fill))
		return false;
	narrow = kind_of_id(actor, fill->entry.target) == KIND_EXPORT_NARROW;
	fill->entry.interface = narrow || one_in(actor, 8) ? ACTOR_ANCESTOR : ACTOR_INTERFACE;
	fill->entry.method = (uint16_t)below(actor, one_in(actor, 16) ? 4 : narrow ? 1 : ACTOR_METHODS);
	fill->entry.flags = one_in(actor, 8) ? ENTRY_FAIL_FAST : 0;
	fill->patterned = true;
	/* A message of no words does not say whose it is, so its delivery must be the one thing that happens. */
	actor->alone = one_in(actor, 12);
	fill->entry.msg_words = actor->alone ? 0 : (uint16_t)(1 + below(actor, one_in(actor, 8) ? 20 : 4));
	fill->entry.msg_off = actor->alone ? 0 : fill->message_off;
	if (!one_in(actor, 3))
		descriptors_add(actor, fill, one_in(actor, 8) ? ACTOR_DESCRIPTORS : 2);
	reply_span(actor, fill, one_in(actor, 3) ? 0 : below(actor, 4), one_in(actor, 8) ? 0 : 2 + below(actor, 10));
	fill->may_sleep = true;
	return true;
}

static void recv_span(struct actor *actor, struct fill *fill)
{
	bool small = !actor->quiet && one_in(actor, 16);

	reply_span(actor, fill, small ? below(actor, 4) : ACTOR_DESCRIPTORS, small ? below(actor, 16) : 16);
	fill->entry.reply_off = actor_block_off(actor, fill->block);
}

static bool fill_recv(struct actor *actor, struct fill *fill)
{
	fill->entry.target = target(actor, KIND(ENDPOINT));
	if (!fill->entry.target || !block_take(actor, fill))
		return false;
	recv_span(actor, fill);
	fill->may_sleep = true;
	return true;
}

static bool fill_return(struct actor *actor, struct fill *fill)
{
	struct actor_call call = { .endpoint = pick(actor, KIND(ENDPOINT), true), .id = (uint32_t)dice_next(&actor->dice) };
	bool rearm = one_in(actor, 2), misfit;
	uint32_t words, caps;

	/* The message of one that has not been taken yet may stand in the scratch still. */
	if (!rearm && has_left(actor))
		return false;
	if (actor->call_count == 0 && (actor->quiet || !one_in(actor, 64)))
		return false;
	if (actor->call_count != 0) {
		uint32_t index = below(actor, actor->call_count);

		call = actor->calls[index];
		if (call.answered || !one_in(actor, 8))
			actor->calls[index] = actor->calls[--actor->call_count];
		else
			actor->calls[index].answered = true;
	}
	if (rearm && !block_take(actor, fill))
		return false;
	misfit = !actor->quiet && one_in(actor, 24);
	words = misfit ? below(actor, 12) : below(actor, MIN(call.reply_words, 11u) + 1);
	caps = misfit ? ACTOR_DESCRIPTORS : MIN(call.reply_caps, (uint32_t)ACTOR_DESCRIPTORS);
	fill->entry.target = one_in(actor, 64) ? target(actor, KIND(ENDPOINT)) : call.endpoint;
	fill->entry.interface = call.id;
	fill->entry.msg_words = (uint16_t)words;
	fill->entry.msg_off = words ? fill->message_off : 0;
	fill->patterned = true;
	if (one_in(actor, 8)) {
		fill->entry.flags |= ENTRY_EXCEPTION;
		fill->entry.method = (uint16_t)(STATUS_FAILED + below(actor, 5));
	}
	if (one_in(actor, 2))
		descriptors_add(actor, fill, caps);
	if (rearm) {
		fill->entry.flags |= ENTRY_REARM;
		recv_span(actor, fill);
		fill->may_sleep = true;
	} else if (one_in(actor, 4)) {
		fill->entry.flags |= ENTRY_QUIET;
	}
	return true;
}

static bool fill_release(struct actor *actor, struct fill *fill)
{
	fill->entry.target = one_in(actor, 24) && !actor->quiet ? wrong_id(actor) : pick(actor, ANY_KIND, false);
	for (uint32_t i = 0; i < actor->pinned; i++) {
		if (actor->caps[i].id == fill->entry.target)
			return false;
	}
	if (!fill->entry.target)
		return false;
	forget(actor, fill->entry.target);
	fill->entry.flags = one_in(actor, 4) ? ENTRY_QUIET : 0;
	return true;
}

/* More capabilities than this make an actor let go. */
static bool has_many(const struct actor *actor)
{
	return actor->cap_count > ACTOR_CAPS * 2 / 3;
}

static bool fill_release_many(struct actor *actor, struct fill *fill)
{
	if (actor->surplus_count > 0) {
		fill->entry.target = actor->surplus[--actor->surplus_count];
		return true;
	}
	return has_many(actor) && fill_release(actor, fill);
}

static bool fill_copy(struct actor *actor, struct fill *fill)
{
	fill->entry.target = target(actor, ANY_KIND);
	return fill->entry.target && !has_many(actor) && block_take(actor, fill) && ((fill->entry.question = 0), true);
}

static bool fill_narrow(struct actor *actor, struct fill *fill)
{
	if (!fill_copy(actor, fill))
		return false;
	fill->entry.interface = kinds[kind_of_id(actor, fill->entry.target)].ancestor;
	if (!fill->entry.interface || one_in(actor, 16))
		fill->entry.interface = kinds[below(actor, KIND_COUNT)].interface;
	return true;
}

static bool fill_cancel(struct actor *actor, struct fill *fill)
{
	uint32_t number = below(actor, ACTOR_BLOCKS);

	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
		const struct actor_block *block = &actor->blocks[(number + i) % ACTOR_BLOCKS];

		if (block->busy && !one_in(actor, 8)) {
			fill->entry.question = block->entry.question;
			fill->entry.flags = one_in(actor, 4) ? ENTRY_QUIET : 0;
			return true;
		}
	}
	fill->entry.question = (uint16_t)below(actor, 70);
	return one_in(actor, 8);
}

static bool fill_wait(struct actor *actor, struct fill *fill)
{
	fill->entry.target = target(actor, KIND(NOTIFICATION));
	fill->entry.interface = below(actor, 16);
	fill->may_sleep = true;
	return fill->entry.target && block_take(actor, fill);
}

static bool fill_wait_death(struct actor *actor, struct fill *fill)
{
	fill->entry.target = target(actor, KIND(ENDPOINT) | KIND(EXPORT) | KIND(EXPORT_NARROW) | KIND(HANDLE) | KIND(OBSERVER));
	fill->entry.flags = ENTRY_DEATH;
	fill->may_sleep = true;
	return fill->entry.target && block_take(actor, fill);
}

static bool fill_signal(struct actor *actor, struct fill *fill)
{
	fill->entry.target = target(actor, KIND(NOTIFICATION) | KIND(SIGNAL));
	fill->entry.interface = 1ull << below(actor, 5);
	fill->entry.flags = one_in(actor, 4) ? ENTRY_QUIET : 0;
	return fill->entry.target != 0;
}

static bool fill_retire(struct actor *actor, struct fill *fill)
{
	struct actor_event event = { .endpoint = pick(actor, KIND(ENDPOINT), true), .tag = below(actor, 8),
		.sequence = (uint64_t)below(actor, 8) << 32 | below(actor, 16) };

	if (actor->event_count != 0) {
		uint32_t index = below(actor, actor->event_count);

		event = actor->events[index];
		actor->events[index] = actor->events[--actor->event_count];
	} else if (actor->quiet || !one_in(actor, 32)) {
		return false;
	}
	fill->entry.target = event.endpoint;
	fill->entry.interface = event.tag;
	fill->entry.deadline_ns = event.sequence;
	return true;
}

/* --- Calls of kernel objects -------------------------------------------------------------------- */

/* The head of such a call; the parameters go to the block. False: the actor has no such thing. */
static bool object_call(struct actor *actor, struct fill *fill, uint32_t mask, uint64_t interface, uint16_t method)
{
	fill->entry.target = target(actor, mask);
	if (!fill->entry.target || !block_take(actor, fill))
		return false;
	fill->entry.interface = interface;
	fill->entry.method = method;
	reply_span(actor, fill, one_in(actor, 32) ? 0 : 1, one_in(actor, 32) ? below(actor, 4) : 32);
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
	static bool name(struct actor *actor, struct fill *fill) \
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

static bool fill_process_wait(struct actor *actor, struct fill *fill)
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

static bool fill_sleep(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(TIMER), TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP))
		return false;
	builder = params_begin(actor, fill);
	timer_sleep_params_set_duration_ns(timer_sleep_params_init_root(&builder), below(actor, 100000));
	fill->may_sleep = true;
	return params_end(actor, fill, &builder);
}

static bool fill_new_endpoint(struct actor *actor, struct fill *fill)
{
	static const uint16_t words[] = { 4, 8, 16, 2049 };
	static const uint8_t caps[] = { 1, 2, 4, 65 };
	struct object_factory_endpoint_params_builder params;
	struct capnp_builder builder;
	uint32_t sizes = one_in(actor, 32) ? 4 : 3;

	if (!object_call(actor, fill, KIND(FACTORY), OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_ENDPOINT))
		return false;
	builder = params_begin(actor, fill);
	params = object_factory_endpoint_params_init_root(&builder);
	object_factory_endpoint_params_set_message_words(params, words[below(actor, sizes)]);
	object_factory_endpoint_params_set_capabilities(params, caps[below(actor, sizes)]);
	object_factory_endpoint_params_set_calls(params, (uint16_t)(one_in(actor, 32) ? 0 : 1 + below(actor, 6)));
	return params_end(actor, fill, &builder);
}

static bool fill_new_memory(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(FACTORY), OBJECT_FACTORY_INTERFACE_ID, OBJECT_FACTORY_METHOD_MEMORY))
		return false;
	builder = params_begin(actor, fill);
	object_factory_memory_params_set_bytes(object_factory_memory_params_init_root(&builder), below(actor, 10000));
	return params_end(actor, fill, &builder);
}

static bool fill_export(struct actor *actor, struct fill *fill)
{
	struct endpoint_export_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;
	uint32_t count = one_in(actor, 32) ? below(actor, 3) : 2;

	if (has_many(actor) ||
			!object_call(actor, fill, KIND(ENDPOINT), ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_EXPORT))
		return false;
	builder = params_begin(actor, fill);
	params = endpoint_export_params_init_root(&builder);
	endpoint_export_params_set_tag(params, below(actor, 8));
	endpoint_export_params_set_lasting(params, one_in(actor, 2));
	rows = endpoint_export_params_init_interfaces(params, count);
	if (count > 0) {
		interface_row_set_id(interface_row_builder_at(rows, 0), ACTOR_INTERFACE);
		interface_row_set_methods(interface_row_builder_at(rows, 0), ACTOR_METHODS);
		interface_row_set_ancestors(interface_row_builder_at(rows, 0), count == 2 ? 2 : 0);
	}
	if (count == 2) {
		interface_row_set_id(interface_row_builder_at(rows, 1), one_in(actor, 64) ? ACTOR_INTERFACE : ACTOR_ANCESTOR);
		interface_row_set_methods(interface_row_builder_at(rows, 1), ACTOR_ANCESTOR_METHODS);
	}
	return params_end(actor, fill, &builder);
}

static bool fill_signal_call(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(NOTIFICATION) | KIND(SIGNAL), SIGNAL_INTERFACE_ID, SIGNAL_METHOD_SIGNAL))
		return false;
	builder = params_begin(actor, fill);
	signal_signal_params_set_bits(signal_signal_params_init_root(&builder), 1ull << below(actor, 5));
	return params_end(actor, fill, &builder);
}

static bool fill_create(struct actor *actor, struct fill *fill)
{
	/* Frames, slots, objects, exports, calls, timers, threads: small, so that they run out. */
	static const uint64_t limits[] = { 40, 96, 12, 16, 24, 4, 1 };
	struct process_spawner_create_params_builder params;
	struct capnp_list_builder rows;
	struct capnp_builder builder;

	actor->alone = true;      /* so that who drives the actors sees it before it can be gone again */
	if (!actor->spawns || pick(actor, KIND(BUILDER), false) ||
			!object_call(actor, fill, KIND(SPAWNER), PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_CREATE))
		return false;
	builder = params_begin(actor, fill);
	params = process_spawner_create_params_init_root(&builder);
	process_spawner_create_params_set_name(params, one_in(actor, 32) ? capnp_text("a b") : capnp_text("actor"));
	rows = process_spawner_create_params_init_limits(params, ARRAY_LEN(limits));
	for (uint32_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct resource_limit_builder row = resource_limit_builder_at(rows, i);
		uint64_t limit = limits[i] + below(actor, (uint32_t)limits[i]);

		resource_limit_set_class(row, (enum resource_class)i);
		resource_limit_set_limit(row, one_in(actor, 64) ? 0 : i == RESOURCE_CLASS_THREADS ? 1 : limit);
	}
	return params_end(actor, fill, &builder);
}

/* One capability as parameter: its index in the message. */
static struct capnp_cap param_cap(struct actor *actor, struct fill *fill, struct capnp_builder *builder, uint32_t id)
{
	static struct capnp_cap_slot slot;

	builder->caps = &slot;
	builder->cap_max = 1;
	descriptor_add(actor, fill, one_in(actor, 8) && kind_of_id(actor, id) != KIND_OTHER && pick(actor, ANY_KIND, false) == id ?
			TRANSFER_KIND_MOVE : TRANSFER_KIND_COPY, id);
	return capnp_builder_add_cap(builder, (struct capnp_cap_slot){ 0 });
}

static bool fill_grant(struct actor *actor, struct fill *fill)
{
	struct process_builder_grant_params_builder params;
	struct capnp_builder builder;
	uint32_t id = target(actor, ANY_KIND & ~KIND(BUILDER));

	if (!id || !object_call(actor, fill, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_GRANT))
		return false;
	builder = params_begin(actor, fill);
	params = process_builder_grant_params_init_root(&builder);
	process_builder_grant_params_set_capability(params, param_cap(actor, fill, &builder, id));
	return params_end(actor, fill, &builder);
}

static bool fill_start(struct actor *actor, struct fill *fill)
{
	struct process_builder_start_params_builder params;
	struct capnp_builder builder;

	if (!object_call(actor, fill, KIND(BUILDER), PROCESS_BUILDER_INTERFACE_ID, PROCESS_BUILDER_METHOD_START))
		return false;
	builder = params_begin(actor, fill);
	params = process_builder_start_params_init_root(&builder);
	process_builder_start_params_set_entry(params, one_in(actor, 32) ? 1 : 0x40000000);
	process_builder_start_params_set_stack(params, one_in(actor, 32) ? 1 : 0x40000000);
	return params_end(actor, fill, &builder);
}

static bool fill_kill(struct actor *actor, struct fill *fill)
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

static bool fill_revoke(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;
	uint64_t process = actor->other_count ? actor->others[below(actor, actor->other_count)] : 0;

	if (!object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_REVOKE))
		return false;
	builder = params_begin(actor, fill);
	capability_manager_revoke_params_set_grant(capability_manager_revoke_params_init_root(&builder),
			process << 32 | below(actor, 3) << 16 | (127 - below(actor, 40)));
	return params_end(actor, fill, &builder);
}

static bool fill_set_limit(struct actor *actor, struct fill *fill)
{
	struct capability_manager_set_limit_params_builder params;
	struct capnp_builder builder;

	if (!actor->other_count || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_SET_LIMIT))
		return false;
	builder = params_begin(actor, fill);
	params = capability_manager_set_limit_params_init_root(&builder);
	capability_manager_set_limit_params_set_process_id(params, actor->others[below(actor, actor->other_count)]);
	capability_manager_set_limit_params_set_class(params, (enum resource_class)below(actor, 8));
	capability_manager_set_limit_params_set_limit(params, below(actor, one_in(actor, 16) ? 100000 : 120));
	return params_end(actor, fill, &builder);
}

static bool fill_revoke_derived(struct actor *actor, struct fill *fill)
{
	struct capability_manager_revoke_derived_params_builder params;
	struct capnp_builder builder;
	uint32_t id = target(actor, ANY_KIND);

	if (!id || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_REVOKE_DERIVED))
		return false;
	builder = params_begin(actor, fill);
	params = capability_manager_revoke_derived_params_init_root(&builder);
	capability_manager_revoke_derived_params_set_capability(params, param_cap(actor, fill, &builder, id));
	return params_end(actor, fill, &builder);
}

static bool fill_open(struct actor *actor, struct fill *fill)
{
	struct capnp_builder builder;

	if (!actor->other_count || !object_call(actor, fill, KIND(MANAGER), CAPABILITY_MANAGER_INTERFACE_ID,
			CAPABILITY_MANAGER_METHOD_OPEN))
		return false;
	builder = params_begin(actor, fill);
	capability_manager_open_params_set_process_id(capability_manager_open_params_init_root(&builder),
			actor->others[below(actor, actor->other_count)]);
	return params_end(actor, fill, &builder);
}

static bool fill_yield(struct actor *actor, struct fill *fill)
{
	return true;
}

/* --- The table ---------------------------------------------------------------------------------- */

static const struct actor_op {
	const char *name;
	uint8_t     op;
	uint16_t    weight;
	bool      (*fill)(struct actor *actor, struct fill *fill);
} actor_ops[] = {
	{ "nop", CAP_OP_NOP, 10, fill_nop },
	{ "call", CAP_OP_CALL, 220, fill_call },
	{ "recv", CAP_OP_RECV, 160, fill_recv },
	{ "return", CAP_OP_RETURN, 240, fill_return },
	{ "release", CAP_OP_RELEASE, 50, fill_release },
	{ "release, having many", CAP_OP_RELEASE, 400, fill_release_many },
	{ "copy", CAP_OP_COPY, 20, fill_copy },
	{ "narrow", CAP_OP_NARROW, 15, fill_narrow },
	{ "cancel", CAP_OP_CANCEL, 20, fill_cancel },
	{ "wait", CAP_OP_WAIT, 25, fill_wait },
	{ "wait for death", CAP_OP_WAIT, 15, fill_wait_death },
	{ "signal", CAP_OP_SIGNAL, 30, fill_signal },
	{ "yield", CAP_OP_YIELD, 20, fill_yield },
	{ "retire", CAP_OP_RETIRE, 40, fill_retire },
	{ "timer.now", CAP_OP_CALL, 10, fill_now },
	{ "timer.sleep", CAP_OP_CALL, 15, fill_sleep },
	{ "factory.endpoint", CAP_OP_CALL, 20, fill_new_endpoint },
	{ "factory.notification", CAP_OP_CALL, 12, fill_new_notification },
	{ "factory.memory", CAP_OP_CALL, 3, fill_new_memory },
	{ "endpoint.export", CAP_OP_CALL, 60, fill_export },
	{ "endpoint.reset", CAP_OP_CALL, 4, fill_reset },
	{ "endpoint.close", CAP_OP_CALL, 2, fill_close },
	{ "endpoint.info", CAP_OP_CALL, 6, fill_info },
	{ "notification.take", CAP_OP_CALL, 6, fill_take },
	{ "signal.signal", CAP_OP_CALL, 10, fill_signal_call },
	{ "spawner.create", CAP_OP_CALL, 60, fill_create },
	{ "builder.grant", CAP_OP_CALL, 160, fill_grant },
	{ "builder.grantMemory", CAP_OP_CALL, 6, fill_grant_memory },
	{ "builder.memory", CAP_OP_CALL, 3, fill_builder_memory },
	{ "builder.start", CAP_OP_CALL, 20, fill_start },
	{ "handle.info", CAP_OP_CALL, 4, fill_process_info },
	{ "handle.wait", CAP_OP_CALL, 6, fill_process_wait },
	{ "handle.usage", CAP_OP_CALL, 4, fill_usage },
	{ "handle.kill", CAP_OP_CALL, 1, fill_kill },
	{ "manager.revoke", CAP_OP_CALL, 6, fill_revoke },
	{ "manager.revokeDerived", CAP_OP_CALL, 3, fill_revoke_derived },
	{ "manager.open", CAP_OP_CALL, 2, fill_open },
	{ "manager.setLimit", CAP_OP_CALL, 4, fill_set_limit },
};

static const struct actor_op *op_draw(struct actor *actor)
{
	static uint32_t sum;
	uint32_t at;

	if (sum == 0) {
		for (uint32_t i = 0; i < ARRAY_LEN(actor_ops); i++)
			sum += actor_ops[i].weight;
	}
	at = below(actor, sum);
	for (uint32_t i = 0;; i++) {
		if (at < actor_ops[i].weight)
			return &actor_ops[i];
		at -= actor_ops[i].weight;
	}
}

/* --- Nonsense ----------------------------------------------------------------------------------- */

/* A span that is not valid, or one in the wild zone. */
static uint32_t wild_off(struct actor *actor)
{
	switch (below(actor, 4)) {
	case 0:
		return below(actor, actor->arena_off);
	case 1:
		return (uint32_t)dice_next(&actor->dice) | 0x1000;
	default:
		return actor_wild_off(actor) + below(actor, ACTOR_WILD_WORDS);
	}
}

/* Spoils one field. Where an answer would be written to other blocks, its span goes to the wild zone. */
static void spoil(struct actor *actor, struct fill *fill)
{
	struct ring_entry *entry = &fill->entry;
	uint32_t any = (uint32_t)dice_next(&actor->dice);

	switch (below(actor, 17)) {
	case 0: entry->op = (uint8_t)below(actor, 20); break;
	case 1: entry->flags = (uint8_t)any; break;
	case 2: entry->flags ^= (uint8_t)(1u << below(actor, 8)); break;
	case 3: entry->method = (uint16_t)(one_in(actor, 2) ? any : below(actor, 8)); break;
	case 4: entry->target = wrong_id(actor); break;
	case 5: entry->interface = one_in(actor, 2) ? any : kinds[below(actor, KIND_COUNT)].interface; break;
	case 6: entry->deadline_ns = any; break;
	case 7: entry->msg_off = wild_off(actor); break;
	case 8: entry->msg_words = (uint16_t)(one_in(actor, 2) ? any : below(actor, 40)); break;
	case 9: entry->reply_off = wild_off(actor); break;
	case 10:
		entry->reply_words = (uint16_t)(one_in(actor, 2) ? any : below(actor, 300));
		entry->reply_off = actor_wild_off(actor);
		break;
	case 11:
		entry->reply_caps = (uint8_t)any;
		entry->reply_off = actor_wild_off(actor);
		break;
	case 12: entry->reserved[below(actor, 3)] = 1; break;
	case 13: entry->caps_off = wild_off(actor); break;
	case 14: entry->cap_count = (uint8_t)(one_in(actor, 2) ? any : below(actor, 6)); break;
	case 15: entry->question = (uint16_t)(one_in(actor, 8) ? any : below(actor, 70)); break;
	default:
		entry->path_len = (uint8_t)(one_in(actor, 2) ? 0 : any);
		entry->path[below(actor, 4)] = (uint16_t)any;
		break;
	}
}

/* Two answers in the wild zone would spoil each other: only one question at a time has its span there. */
static void tame(const struct actor *actor, struct ring_entry *entry)
{
	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
		if (actor->blocks[i].busy && actor->blocks[i].entry.reply_off >= actor_wild_off(actor) &&
				entry->reply_off >= actor_wild_off(actor))
			entry->reply_off = 1;
	}
}

/* What the generator does not know yet, and must not come upon by chance either. */
static void leave_out(struct ring_entry *entry)
{
	if (entry->op == CAP_OP_FORWARD || entry->op == CAP_OP_FINISH)
		entry->op = CAP_OP_NOP;
	if (entry->op == CAP_OP_CALL) {
		entry->flags &= (uint8_t)~(ENTRY_KEEP | ENTRY_PIPELINED);
		entry->deadline_ns = 0;
		for (uint32_t kind = 1; kind < KIND_COUNT; kind++) {
			if (entry->interface == kinds[kind].interface && entry->method >= kinds[kind].methods)
				entry->method |= 0x8000;      /* nobody has that many */
		}
	}
}

/* --- Batches ------------------------------------------------------------------------------------ */

/* Gives the entry its user data and message and publishes it. */
static void publish(struct actor *actor, struct fill *fill, uint32_t place)
{
	struct ring_entry *entry = &fill->entry;

	actor->counter++;
	entry->user_data = (uint64_t)actor->number << 48 | (actor->counter & 0xffffff) << 24 | (uint64_t)entry->question << 8 |
			fill->block;
	if (fill->patterned) {
		uint32_t room = fill->block == NO_BLOCK ? ACTOR_SCRATCH_WORDS - 2 * ACTOR_DESCRIPTORS : ACTOR_PARAM_WORDS;

		for (uint32_t i = 0; i < MIN(entry->msg_words, room); i++)
			actor->words[fill->message_off + i] = actor_word(entry->user_data, i);
	}
	if (fill->block != NO_BLOCK)
		actor->blocks[fill->block] = (struct actor_block){ true, entry->user_data, *entry };
	actor->batch[place] = *entry;
	actor->entries[actor->sq_tail++ & (actor->header->sq_entries - 1)] = *entry;
}

/* One entry, by its table row; false if nothing could be done now. */
static bool entry_fill(struct actor *actor, struct fill *fill, uint32_t place)
{
	for (uint32_t i = 0; i < TRIES; i++) {
		const struct actor_op *op = op_draw(actor);

		memset(fill, 0, sizeof(*fill));
		fill->block = NO_BLOCK;
		fill->message_off = actor->arena_off + ACTOR_BLOCKS * ACTOR_BLOCK_WORDS + place * ACTOR_SCRATCH_WORDS;
		fill->caps_off = fill->message_off + ACTOR_SCRATCH_WORDS - 2 * ACTOR_DESCRIPTORS;
		fill->entry.op = op->op;
		actor->alone = false;
		if (op->fill(actor, fill) && (!actor->alone || (place == 0 && !has_left(actor))))
			return true;
	}
	return false;
}

/* The last entry of a batch may be SYNC; where that could sleep for ever, only for who may. */
static bool wants_sync(struct actor *actor, const struct fill *fill, bool nonsense)
{
	return one_in(actor, 3) && (actor->sleeps || (!fill->may_sleep && !nonsense));
}

static struct actor_enter enter_choose(struct actor *actor, uint64_t now_ns, bool sync)
{
	struct actor_enter enter = { 0 };

	if (actor->was_alone)
		return enter;
	if (!actor->quiet && one_in(actor, 500))
		enter.flags = 1;
	if (!sync && one_in(actor, 2)) {
		enter.min_complete = 1 + (one_in(actor, 8) ? below(actor, 8) : 0);
		enter.deadline_ns = now_ns + below(actor, 50000);
		if (actor->sleeps && one_in(actor, 16))
			enter.deadline_ns = 0;
	}
	if (!actor->quiet && one_in(actor, 500))
		enter.min_complete = below(actor, 200);
	if (!actor->sleeps && enter.min_complete && !enter.deadline_ns)
		enter.deadline_ns = now_ns + 1000;
	return enter;
}

struct actor_enter actor_turn(struct actor *actor, uint64_t now_ns)
{
	uint32_t wanted = one_in(actor, 2) ? 1 : 1 + below(actor, ACTOR_BATCH);
	bool nonsense = !actor->quiet && !has_left(actor) && one_in(actor, NONSENSE), sync = false;
	struct fill fill;

	if (actor->quiet || !one_in(actor, 16) || actor->sync)
		actor_collect(actor);
	actor->batch_count = 0;
	if (nonsense)
		wanted = 1;
	if (actor->was_alone && has_left(actor))
		wanted = 0;
	else
		actor->was_alone = false;
	while (actor->batch_count < wanted && !sync) {
		if (actor->sq_tail - LOAD_ACQUIRE(&actor->header->sq_head) >= actor->header->sq_entries)
			break;
		if (!entry_fill(actor, &fill, actor->batch_count))
			break;
		if (nonsense)
			spoil(actor, &fill);
		leave_out(&fill.entry);
		tame(actor, &fill.entry);
		if (!actor->sleeps)
			fill.entry.flags &= (uint8_t)~ENTRY_SYNC;
		if (actor->batch_count + 1 == wanted && wants_sync(actor, &fill, nonsense) &&
				(fill.entry.op != CAP_OP_RETURN || (fill.entry.flags & ENTRY_REARM))) {
			fill.entry.flags |= ENTRY_SYNC;
			sync = true;
		}
		publish(actor, &fill, actor->batch_count++);
		if (fill.entry.flags & ENTRY_SYNC)
			actor->sync = fill.entry.user_data;
		actor->was_alone = actor->alone || nonsense;
		if (actor->was_alone)
			break;
	}
	STORE_RELEASE(&actor->header->sq_tail, actor->sq_tail);
	return enter_choose(actor, now_ns, sync);
}
