/*
 * The generator of ring entries; see actor.h. Called by the fuzzers with the ring of the thread whose turn it is.
 * Always true: a busy block's question was sent and its completion has not been read.
 */
#include "tests/ring/actor_internal.h"

#include <string.h>

#include "capos/kernel.capnp.h"

#define WORD_BYTES 8u
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

uint32_t actor_below(struct actor *actor, uint32_t end)
{
	return dice_below(&actor->dice, end);
}

bool actor_one_in(struct actor *actor, uint32_t n)
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
uint32_t actor_pick(struct actor *actor, uint32_t mask, bool pinned_too)
{
	uint32_t from = pinned_too ? 0 : actor->pinned, count = actor->cap_count - MIN(from, actor->cap_count);
	uint32_t start = count ? actor_below(actor, count) : 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct actor_cap *cap = &actor->caps[from + (start + i) % count];

		if (mask >> cap->kind & 1)
			return cap->id;
	}
	return 0;
}

enum actor_kind actor_kind_of_id(const struct actor *actor, uint32_t id)
{
	for (uint32_t i = 0; i < actor->cap_count; i++) {
		if (actor->caps[i].id == id)
			return (enum actor_kind)actor->caps[i].kind;
	}
	return KIND_OTHER;
}

static uint32_t wrong_id(struct actor *actor)
{
	switch (actor_below(actor, 4)) {
	case 0:
		return (uint32_t)dice_next(&actor->dice);
	case 1:
		return actor_below(actor, 64);
	case 2:
		return actor->past[actor_below(actor, ACTOR_PAST)];
	default:
		return actor_pick(actor, ANY_KIND, true);
	}
}

/* A target of one of the kinds, now and then a wrong one; 0: the actor has none. */
uint32_t actor_target(struct actor *actor, uint32_t mask)
{
	if (!actor->quiet && actor_one_in(actor, 24))
		return wrong_id(actor);
	return actor_pick(actor, mask, true);
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
	bool names_target;

	if (!block || !block->busy || block->kept || block->user_data != completion->user_data)
		return;
	if (completion->flags & COMPLETION_MORE)
		return;
	block->kept = block->entry.op == CAP_OP_CALL && (block->entry.flags & ENTRY_KEEP);
	block->busy = block->kept;
	names_target = block->entry.cap_count == 0 && !(block->entry.flags & ENTRY_PIPELINED);
	if (completion->status == STATUS_BAD_CAPABILITY && names_target)
		forget(actor, block->entry.target);
	if (completion->status == STATUS_DISCONNECTED && names_target && actor_one_in(actor, 2))
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
			actor_learn(actor, completion->id, kinds[actor_kind_of_id(actor, block->entry.target)].interface);
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

/* Places of answers that were finished are free when the kernel has done so. */
static void finished_free(struct actor *actor)
{
	for (uint32_t i = 0; i < ACTOR_BLOCKS && !has_left(actor); i++) {
		if (actor->blocks[i].finished)
			actor->blocks[i] = (struct actor_block){ .busy = false };
	}
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

bool actor_block_take(struct actor *actor, struct fill *fill)
{
	uint32_t start = actor_below(actor, ACTOR_BLOCKS);

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
void actor_reply_span(struct actor *actor, struct fill *fill, uint32_t caps, uint32_t words)
{
	fill->entry.reply_caps = (uint8_t)caps;
	fill->entry.reply_words = (uint16_t)words;
	fill->entry.reply_off = caps + words == 0 ? 0 : actor_block_off(actor, fill->block);
}

void actor_descriptor_add(struct actor *actor, struct fill *fill, enum transfer_kind kind, uint32_t id)
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
	uint32_t count = actor_one_in(actor, 2) ? 0 : 1 + actor_below(actor, 3);

	for (uint32_t i = 0; i < MIN(count, max); i++) {
		uint32_t which = actor_below(actor, 32);

		if (which == 0 && !actor->quiet)
			actor_descriptor_add(actor, fill, (enum transfer_kind)actor_below(actor, 6), wrong_id(actor));
		else if (which < 4)
			actor_descriptor_add(actor, fill, TRANSFER_KIND_NONE, 0);
		else if (which < 16)
			actor_descriptor_add(actor, fill, TRANSFER_KIND_MOVE, actor_pick(actor, ANY_KIND, false));
		else
			actor_descriptor_add(actor, fill, TRANSFER_KIND_COPY, actor_pick(actor, ANY_KIND, true));
	}
}

static bool fill_nop(struct actor *actor, struct fill *fill)
{
	return true;
}

static bool fill_call(struct actor *actor, struct fill *fill)
{
	bool narrow;

	fill->entry.target = actor_target(actor, KIND(EXPORT) | KIND(EXPORT_NARROW));
	if (!fill->entry.target || !actor_block_take(actor, fill))
		return false;
	narrow = actor_kind_of_id(actor, fill->entry.target) == KIND_EXPORT_NARROW;
	fill->entry.interface = narrow || actor_one_in(actor, 8) ? ACTOR_ANCESTOR : ACTOR_INTERFACE;
	fill->entry.method = (uint16_t)actor_below(actor, actor_one_in(actor, 16) ? 4 : narrow ? 1 : ACTOR_METHODS);
	fill->entry.flags = actor_one_in(actor, 8) ? ENTRY_FAIL_FAST : 0;
	fill->patterned = true;
	fill->entry.msg_words = (uint16_t)(actor_one_in(actor, 12) ? 0 : 1 + actor_below(actor, actor_one_in(actor, 8) ? 20 : 4));
	fill->entry.msg_off = fill->entry.msg_words ? fill->message_off : 0;
	if (!actor_one_in(actor, 3))
		descriptors_add(actor, fill, actor_one_in(actor, 8) ? ACTOR_DESCRIPTORS : 2);
	actor_reply_span(actor, fill, actor_one_in(actor, 4) ? 0 : actor_below(actor, 4),
			actor_one_in(actor, 8) ? 0 : 2 + actor_below(actor, 10));
	fill->may_sleep = true;
	return true;
}

static void recv_span(struct actor *actor, struct fill *fill)
{
	bool small = !actor->quiet && actor_one_in(actor, 16);

	actor_reply_span(actor, fill, small ? actor_below(actor, 4) : ACTOR_DESCRIPTORS, small ? actor_below(actor, 16) : 16);
	fill->entry.reply_off = actor_block_off(actor, fill->block);
}

static bool fill_recv(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, KIND(ENDPOINT));
	if (!fill->entry.target || !actor_block_take(actor, fill))
		return false;
	recv_span(actor, fill);
	fill->may_sleep = true;
	return true;
}

static bool fill_return(struct actor *actor, struct fill *fill)
{
	struct actor_call call = { .endpoint = actor_pick(actor, KIND(ENDPOINT), true), .id = (uint32_t)dice_next(&actor->dice) };
	bool rearm = actor_one_in(actor, 2), misfit;
	uint32_t words, caps;

	/* The message of one that has not been taken yet may stand in the scratch still. */
	if (!rearm && has_left(actor))
		return false;
	if (actor->call_count == 0 && (actor->quiet || !actor_one_in(actor, 64)))
		return false;
	if (actor->call_count != 0) {
		uint32_t index = actor_below(actor, actor->call_count);

		call = actor->calls[index];
		if (call.answered || !actor_one_in(actor, 8))
			actor->calls[index] = actor->calls[--actor->call_count];
		else
			actor->calls[index].answered = true;
	}
	if (rearm && !actor_block_take(actor, fill))
		return false;
	misfit = !actor->quiet && actor_one_in(actor, 24);
	words = misfit ? actor_below(actor, 12) : actor_below(actor, MIN(call.reply_words, 11u) + 1);
	words = actor_one_in(actor, 2) ? words : MAX(words, MIN(call.reply_words, 4u));
	caps = misfit ? ACTOR_DESCRIPTORS : MIN(call.reply_caps, (uint32_t)ACTOR_DESCRIPTORS);
	fill->entry.target = actor_one_in(actor, 64) ? actor_target(actor, KIND(ENDPOINT)) : call.endpoint;
	fill->entry.interface = call.id;
	fill->entry.msg_words = (uint16_t)words;
	fill->entry.msg_off = words ? fill->message_off : 0;
	fill->patterned = true;
	if (actor_one_in(actor, 8)) {
		fill->entry.flags |= ENTRY_EXCEPTION;
		fill->entry.method = (uint16_t)(STATUS_FAILED + actor_below(actor, 5));
	}
	/* An answer that others can call. */
	if (caps && words > 1 && actor_one_in(actor, 3))
		actor_descriptor_add(actor, fill, TRANSFER_KIND_COPY, actor_pick(actor, KIND(EXPORT), true));
	else if (!actor_one_in(actor, 3))
		descriptors_add(actor, fill, caps);
	if (rearm) {
		fill->entry.flags |= ENTRY_REARM;
		recv_span(actor, fill);
		fill->may_sleep = true;
	} else if (actor_one_in(actor, 4)) {
		fill->entry.flags |= ENTRY_QUIET;
	}
	return true;
}

/* A call that the actor has in service goes on to another. */
static bool fill_forward(struct actor *actor, struct fill *fill)
{
	uint32_t index;
	bool narrow;

	if (actor->call_count == 0)
		return false;
	index = actor_below(actor, actor->call_count);
	fill->entry.target = actor_target(actor, KIND(EXPORT) | KIND(EXPORT_NARROW));
	if (!fill->entry.target || !actor_block_take(actor, fill))
		return false;
	narrow = actor_kind_of_id(actor, fill->entry.target) == KIND_EXPORT_NARROW;
	fill->entry.interface = narrow ? ACTOR_ANCESTOR : ACTOR_INTERFACE;
	fill->entry.method = (uint16_t)(narrow ? 0 : actor_below(actor, ACTOR_METHODS));
	fill->entry.deadline_ns = actor->calls[index].id | (uint64_t)actor->calls[index].endpoint << 32;
	if (!actor_one_in(actor, 8))
		actor->calls[index] = actor->calls[--actor->call_count];
	fill->patterned = true;
	fill->entry.msg_words = (uint16_t)actor_below(actor, 5);
	fill->entry.msg_off = fill->entry.msg_words ? fill->message_off : 0;
	if (!actor_one_in(actor, 3))
		descriptors_add(actor, fill, 2);
	fill->may_sleep = true;
	return true;
}

static bool fill_release(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_one_in(actor, 24) && !actor->quiet ? wrong_id(actor) : actor_pick(actor, ANY_KIND, false);
	for (uint32_t i = 0; i < actor->pinned; i++) {
		if (actor->caps[i].id == fill->entry.target)
			return false;
	}
	if (!fill->entry.target)
		return false;
	forget(actor, fill->entry.target);
	fill->entry.flags = actor_one_in(actor, 4) ? ENTRY_QUIET : 0;
	return true;
}

/* More capabilities than this make an actor let go. */
bool actor_has_many(const struct actor *actor)
{
	return actor->cap_count > ACTOR_CAPS * 2 / 3;
}

static bool fill_release_many(struct actor *actor, struct fill *fill)
{
	if (actor->surplus_count > 0) {
		fill->entry.target = actor->surplus[--actor->surplus_count];
		return true;
	}
	return actor_has_many(actor) && fill_release(actor, fill);
}

static bool fill_copy(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, ANY_KIND);
	return fill->entry.target && !actor_has_many(actor) && actor_block_take(actor, fill) && ((fill->entry.question = 0), true);
}

static bool fill_narrow(struct actor *actor, struct fill *fill)
{
	if (!fill_copy(actor, fill))
		return false;
	fill->entry.interface = kinds[actor_kind_of_id(actor, fill->entry.target)].ancestor;
	if (!fill->entry.interface || actor_one_in(actor, 16))
		fill->entry.interface = kinds[actor_below(actor, KIND_COUNT)].interface;
	return true;
}

static bool fill_cancel(struct actor *actor, struct fill *fill)
{
	uint32_t number = actor_below(actor, ACTOR_BLOCKS);

	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
		const struct actor_block *block = &actor->blocks[(number + i) % ACTOR_BLOCKS];

		if (block->busy && !actor_one_in(actor, 8)) {
			fill->entry.question = block->entry.question;
			fill->entry.flags = actor_one_in(actor, 4) ? ENTRY_QUIET : 0;
			return true;
		}
	}
	fill->entry.question = (uint16_t)actor_below(actor, 70);
	return actor_one_in(actor, 8);
}

/* A block whose question is a call that is kept or, if `flying`, perhaps in flight; NULL: there is none. */
static struct actor_block *base_pick(struct actor *actor, bool flying)
{
	uint32_t start = actor_below(actor, ACTOR_BLOCKS);
	bool any = actor_one_in(actor, 4);      /* else the last that may bring a capability: to many, nobody ever answers */
	struct actor_block *picked = NULL;

	for (uint32_t i = 0; i < ACTOR_BLOCKS; i++) {
		struct actor_block *block = &actor->blocks[(start + i) % ACTOR_BLOCKS];
		const struct ring_entry *entry = &block->entry;

		if (!block->busy || block->finished || !(block->kept || flying) || entry->op != CAP_OP_CALL)
			continue;
		if (any || !flying)
			return block;
		if (entry->interface == ACTOR_INTERFACE && entry->reply_caps && entry->reply_words > 1 &&
				(!picked || block->user_data > picked->user_data))
			picked = block;
	}
	return picked;
}

static bool fill_finish(struct actor *actor, struct fill *fill)
{
	struct actor_block *block = base_pick(actor, actor_one_in(actor, 16));

	if (!block && (actor->quiet || !actor_one_in(actor, 32)))
		return false;
	fill->entry.question = block ? block->entry.question : (uint16_t)actor_below(actor, 70);
	fill->entry.flags = actor_one_in(actor, 4) ? ENTRY_QUIET : 0;
	if (block && block->kept)
		block->finished = true;
	return true;
}

static bool fill_wait(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, KIND(NOTIFICATION));
	fill->entry.interface = actor_below(actor, 16);
	fill->entry.flags = actor_one_in(actor, 4) ? ENTRY_MULTISHOT : 0;
	fill->may_sleep = true;
	return fill->entry.target && actor_block_take(actor, fill);
}

/* A few words of memory objects, whose value is 0. */
static bool fill_word(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, KIND(MEMORY) | KIND(VIEW));
	fill->entry.interface = 4 * actor_below(actor, 2);
	return fill->entry.target;
}

static bool fill_park(struct actor *actor, struct fill *fill)
{
	fill->entry.msg_off = actor_one_in(actor, 8);
	if (actor_one_in(actor, 2))
		fill->entry.deadline_ns = actor->now_ns + actor_below(actor, 1000000);
	fill->may_sleep = true;
	return fill_word(actor, fill) && actor_block_take(actor, fill);
}

static bool fill_unpark(struct actor *actor, struct fill *fill)
{
	fill->entry.msg_off = actor_below(actor, 4);
	return fill_word(actor, fill);
}

static bool fill_wait_death(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, KIND(ENDPOINT) | KIND(EXPORT) | KIND(EXPORT_NARROW) | KIND(HANDLE) |
			KIND(OBSERVER));
	fill->entry.flags = ENTRY_DEATH;
	fill->may_sleep = true;
	return fill->entry.target && actor_block_take(actor, fill);
}

static bool fill_signal(struct actor *actor, struct fill *fill)
{
	fill->entry.target = actor_target(actor, KIND(NOTIFICATION) | KIND(SIGNAL));
	fill->entry.interface = 1ull << actor_below(actor, 5);
	fill->entry.flags = actor_one_in(actor, 4) ? ENTRY_QUIET : 0;
	return fill->entry.target != 0;
}

static bool fill_retire(struct actor *actor, struct fill *fill)
{
	struct actor_event event = { .endpoint = actor_pick(actor, KIND(ENDPOINT), true), .tag = actor_below(actor, 8),
		.sequence = (uint64_t)actor_below(actor, 8) << 32 | actor_below(actor, 16) };

	if (actor->event_count != 0) {
		uint32_t index = actor_below(actor, actor->event_count);

		event = actor->events[index];
		actor->events[index] = actor->events[--actor->event_count];
	} else if (actor->quiet || !actor_one_in(actor, 32)) {
		return false;
	}
	fill->entry.target = event.endpoint;
	fill->entry.interface = event.tag;
	fill->entry.deadline_ns = event.sequence;
	return true;
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
	{ "forward", CAP_OP_FORWARD, 60, fill_forward },
	{ "release", CAP_OP_RELEASE, 50, fill_release },
	{ "release, having many", CAP_OP_RELEASE, 400, fill_release_many },
	{ "copy", CAP_OP_COPY, 20, fill_copy },
	{ "narrow", CAP_OP_NARROW, 15, fill_narrow },
	{ "cancel", CAP_OP_CANCEL, 20, fill_cancel },
	{ "finish", CAP_OP_FINISH, 60, fill_finish },
	{ "wait", CAP_OP_WAIT, 25, fill_wait },
	{ "wait for death", CAP_OP_WAIT, 15, fill_wait_death },
	{ "signal", CAP_OP_SIGNAL, 30, fill_signal },
	{ "park", CAP_OP_PARK, 17, fill_park },
	{ "unpark", CAP_OP_UNPARK, 11, fill_unpark },
	{ "yield", CAP_OP_YIELD, 20, fill_yield },
	{ "retire", CAP_OP_RETIRE, 40, fill_retire },
	{ "timer.now", CAP_OP_CALL, 10, fill_now },
	{ "timer.sleep", CAP_OP_CALL, 15, fill_sleep },
	{ "factory.endpoint", CAP_OP_CALL, 20, fill_new_endpoint },
	{ "factory.notification", CAP_OP_CALL, 12, fill_new_notification },
	{ "factory.memory", CAP_OP_CALL, 6, fill_new_memory },
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
	at = actor_below(actor, sum);
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
	switch (actor_below(actor, 4)) {
	case 0:
		return actor_below(actor, actor->arena_off);
	case 1:
		return (uint32_t)dice_next(&actor->dice) | 0x1000;
	default:
		return actor_wild_off(actor) + actor_below(actor, ACTOR_WILD_WORDS);
	}
}

/* Spoils one field. Where an answer would be written to other blocks, its span goes to the wild zone. */
static void spoil(struct actor *actor, struct fill *fill)
{
	struct ring_entry *entry = &fill->entry;
	uint32_t any = (uint32_t)dice_next(&actor->dice);

	switch (actor_below(actor, 17)) {
	case 0: entry->op = (uint8_t)actor_below(actor, 20); break;
	case 1: entry->flags = (uint8_t)any; break;
	case 2: entry->flags ^= (uint8_t)(1u << actor_below(actor, 8)); break;
	case 3: entry->method = (uint16_t)(actor_one_in(actor, 2) ? any : actor_below(actor, 8)); break;
	case 4: entry->target = wrong_id(actor); break;
	case 5: entry->interface = actor_one_in(actor, 2) ? any : kinds[actor_below(actor, KIND_COUNT)].interface; break;
	case 6: entry->deadline_ns = actor_one_in(actor, 2) ? 1 : actor->now_ns + any; break;
	case 7: entry->msg_off = wild_off(actor); break;
	case 8: entry->msg_words = (uint16_t)(actor_one_in(actor, 2) ? any : actor_below(actor, 40)); break;
	case 9: entry->reply_off = wild_off(actor); break;
	case 10:
		entry->reply_words = (uint16_t)(actor_one_in(actor, 2) ? any : actor_below(actor, 300));
		entry->reply_off = actor_wild_off(actor);
		break;
	case 11:
		entry->reply_caps = (uint8_t)any;
		entry->reply_off = actor_wild_off(actor);
		break;
	case 12: entry->reserved[actor_below(actor, 3)] = 1; break;
	case 13: entry->caps_off = wild_off(actor); break;
	case 14: entry->cap_count = (uint8_t)(actor_one_in(actor, 2) ? any : actor_below(actor, 6)); break;
	case 15: entry->question = (uint16_t)(actor_one_in(actor, 8) ? any : actor_below(actor, 70)); break;
	default:
		entry->path_len = (uint8_t)(actor_one_in(actor, 2) ? 0 : any);
		entry->path[actor_below(actor, 4)] = (uint16_t)any;
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

/* Calls of kernel objects that may start later: who watches wants to see what others do when it happens. */
static bool may_be_held(const struct ring_entry *entry)
{
	switch (entry->interface) {
	case ACTOR_INTERFACE:
	case ACTOR_ANCESTOR:
		return true;
	case PROCESS_SPAWNER_INTERFACE_ID:
	case PROCESS_HANDLE_INTERFACE_ID:
	case CAPABILITY_MANAGER_INTERFACE_ID:
		return false;
	default:
		return entry->cap_count == 0;
	}
}

/* The call carries what the answer to another will have. */
static void answer_add(struct actor *actor, struct fill *fill)
{
	const struct actor_block *base = base_pick(actor, true);
	uint64_t *words = actor->words + fill->caps_off + 2u * fill->entry.cap_count;
	uint32_t path_len = actor_one_in(actor, 16) ? actor_below(actor, 6) : 1;

	if (!base)
		return;
	actor_descriptor_add(actor, fill, TRANSFER_KIND_ANSWER, base->entry.question);
	words[0] |= (uint64_t)path_len << 16;
	for (uint32_t i = 0; i < MIN(path_len, 4u); i++)
		words[1] |= (uint64_t)(actor_one_in(actor, 4) ? actor_below(actor, 4) : 0) << 16 * i;
}

/* What any call may ask for: an end in time, that its answer can be named, a target in the answer to another. */
static void extend(struct actor *actor, struct fill *fill)
{
	struct ring_entry *entry = &fill->entry;
	const struct actor_block *base;

	if (entry->op != CAP_OP_CALL || fill->block == NO_BLOCK)
		return;
	if (actor_one_in(actor, 10))
		entry->flags |= ENTRY_KEEP;
	if (actor_one_in(actor, 16))
		entry->deadline_ns = actor_one_in(actor, 8) ? 1 : actor->now_ns + actor_below(actor, 40000);
	/* Only to exports: who watches wants to see what reaches kernel objects. */
	if ((entry->interface == ACTOR_INTERFACE || entry->interface == ACTOR_ANCESTOR) &&
			entry->cap_count < ACTOR_DESCRIPTORS && actor_one_in(actor, 10)) {
		answer_add(actor, fill);
		return;
	}
	base = actor->alone || !actor_one_in(actor, 6) ? NULL : base_pick(actor, true);
	/* Other programs answer with exports mostly. */
	if (!base || !may_be_held(entry) || (base->entry.interface == ACTOR_INTERFACE && entry->interface != ACTOR_INTERFACE &&
			!actor_one_in(actor, 8)))
		return;
	fill->may_sleep = true;
	entry->flags |= ENTRY_PIPELINED;
	entry->target = base->entry.question;
	entry->path_len = (uint8_t)(actor_one_in(actor, 16) ? actor_below(actor, 6) : 1);
	for (uint32_t i = 0; i < MIN(entry->path_len, 4u); i++)
		entry->path[i] = (uint16_t)(actor_one_in(actor, 4) ? actor_below(actor, 4) : 0);
}

/* Whether a descriptor names an answer: by intent, or because it stood there. */
static bool names_answers(const struct actor *actor, const struct ring_entry *entry)
{
	for (uint32_t i = 0; i < entry->cap_count; i++) {
		uint64_t at = (uint64_t)entry->caps_off + 2 * i;

		if (at >= actor->arena_off && at < actor->arena_off + ACTOR_ARENA_WORDS &&
				(uint8_t)actor->words[at] == TRANSFER_KIND_ANSWER)
			return true;
	}
	return false;
}

/* What the generator does not know yet, and must not come upon by chance either. */
static void leave_out(const struct actor *actor, struct ring_entry *entry)
{
	bool to_export = !(entry->flags & ENTRY_PIPELINED) &&
			(entry->interface == ACTOR_INTERFACE || entry->interface == ACTOR_ANCESTOR);

	if (names_answers(actor, entry) && (!to_export || entry->caps_off >= actor_wild_off(actor)))
		entry->caps_off = 1;
	if (entry->op == CAP_OP_CALL) {
		if ((entry->flags & ENTRY_PIPELINED) && !may_be_held(entry))
			entry->interface = ACTOR_INTERFACE;
		if (entry->flags & ENTRY_PIPELINED)      /* an endpoint would refuse more, but who waits has them first */
			entry->cap_count = (uint8_t)MIN(entry->cap_count, ACTOR_DESCRIPTORS);
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
			actor->words[fill->message_off + i] = entry->op == CAP_OP_RETURN ?
					actor_answer_word(entry->user_data, entry->msg_words, entry->cap_count, i) :
					actor_word(entry->user_data, i);
	}
	if (fill->block != NO_BLOCK)
		actor->blocks[fill->block] = (struct actor_block){ .busy = true, .user_data = entry->user_data, .entry = *entry };
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
	return actor_one_in(actor, 3) && (actor->sleeps || (!fill->may_sleep && !nonsense));
}

static struct actor_enter enter_choose(struct actor *actor, uint64_t now_ns, bool sync)
{
	struct actor_enter enter = { 0 };

	if (actor->was_alone)
		return enter;
	if (!actor->quiet && actor_one_in(actor, 500))
		enter.flags = 2;
	if (!sync && actor_one_in(actor, 2)) {
		enter.min_complete = 1 + (actor_one_in(actor, 8) ? actor_below(actor, 8) : 0);
		enter.deadline_ns = now_ns + actor_below(actor, 50000);
		if (actor->sleeps && actor_one_in(actor, 16))
			enter.deadline_ns = 0;
	}
	if (!actor->quiet && actor_one_in(actor, 500))
		enter.min_complete = actor_below(actor, 200);
	if (!actor->sleeps && enter.min_complete && !enter.deadline_ns)
		enter.deadline_ns = now_ns + 1000;
	return enter;
}

struct actor_enter actor_turn(struct actor *actor, uint64_t now_ns)
{
	uint32_t wanted = actor_one_in(actor, 2) ? 1 : 1 + actor_below(actor, ACTOR_BATCH);
	bool nonsense = !actor->quiet && !has_left(actor) && actor_one_in(actor, NONSENSE), sync = false;
	struct fill fill;

	if (actor->quiet || !actor_one_in(actor, 16) || actor->sync)
		actor_collect(actor);
	finished_free(actor);
	actor->now_ns = now_ns;
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
		extend(actor, &fill);
		if (nonsense)
			spoil(actor, &fill);
		leave_out(actor, &fill.entry);
		tame(actor, &fill.entry);
		if (!actor->sleeps)
			fill.entry.flags &= (uint8_t)~ENTRY_SYNC;
		if (actor->batch_count + 1 == wanted && wants_sync(actor, &fill, nonsense) &&
				(fill.entry.op != CAP_OP_WAIT || !(fill.entry.flags & ENTRY_MULTISHOT)) &&
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
