/*
 * Calls on answers, on the graph: where a path leads, and how held calls start when their base has
 * come to an end. Called by ring_entries.c and ring_effects.c; see ring_oracle.h and
 * kernel/ring/pipeline.h. Always true: while calls of a question start it is RETURNING, and its own
 * completion is not due before the last has.
 */
#include "tests/host/ring_oracle.h"

#include <string.h>

/* --- Places in answers --------------------------------------------------------------------------
 */

status_t answer_place(const struct mquestion *base, const uint16_t *path, uint32_t path_len,
		uint32_t *id)
{
	const struct ring_completion *answer = &base->answer;
	const uint64_t *records = words_at(base->process, base->entry.reply_off);
	const uint64_t *message = records + 2u * base->entry.reply_caps;
	uint64_t at = 0, pointer, start;

	if (answer->status != STATUS_OK)
		return answer->status;
	if (answer->msg_words == 0)
		return STATUS_FAILED;
	for (uint32_t hop = 0; hop < path_len; hop++) {
		pointer = message[at];
		start = at + 1 + (uint64_t)((int64_t)(int32_t)(uint32_t)pointer >> 2);
		/* To a struct that lies behind the root, in full, and has that field. */
		if (pointer == 0 || (pointer & 3) != 0 || path[hop] >= pointer >> 48 ||
				(int64_t)start < 1 ||
				start + (pointer >> 32 & 0xffff) + (pointer >> 48) >
						answer->msg_words)
			return STATUS_FAILED;
		at = start + (pointer >> 32 & 0xffff) + path[hop];
	}
	pointer = message[at];
	if ((uint32_t)pointer != 3 || pointer >> 32 >= answer->cap_count ||
			(uint32_t)records[2 * (pointer >> 32)] != RECORD_KIND_CAPABILITY)
		return STATUS_FAILED;
	*id = (uint32_t)(records[2 * (pointer >> 32)] >> 32);
	return STATUS_OK;
}

/* --- Capabilities that are still to come ---------------------------------------------------------
 */

bool others_wait(const struct mquestion *question)
{
	return !list_empty(&question->held) || question->named;
}

static status_t item_capture(const struct mquestion *base, struct mitem *item)
{
	struct mcap *cap;
	uint32_t id;
	status_t status = answer_place(base, item->path, item->path_len, &id);

	*item = (struct mitem){ 0 };
	if (status == STATUS_OK)
		status = mcap_lookup(base->process, id, &cap);
	if (status != STATUS_OK)
		return status;
	*item = (struct mitem){ .object = cap->object, .facet = cap->facet, .grant = cap->grant };
	mobj_hold(item->object);
	mgrant_use(item->grant);
	return STATUS_OK;
}

status_t places_check(struct mproc *process, struct mitem *items, uint32_t count)
{
	status_t status = STATUS_OK;

	for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
		struct mquestion *base = &process->q[items[i].base % RING_QUESTIONS];

		if (items[i].path_len == 0)
			continue;
		if (items[i].base >= RING_QUESTIONS)
			status = STATUS_BAD_DESCRIPTOR;
		else if (base->state == MQ_KEPT)
			status = item_capture(base, &items[i]);
		else if (base->state == MQ_FREE || base->entry.op != CAP_OP_CALL)
			status = STATUS_GONE;
	}
	return status;
}

void promises_note(struct mquestion *call)
{
	call->promised = 0;
	call->broken = STATUS_OK;
	for (uint32_t i = 0; i < call->item_count; i++) {
		if (!call->items[i].path_len)
			continue;
		call->promised++;
		call->process->q[call->items[i].base].named++;
	}
}

void promises_drop(struct mquestion *call)
{
	for (uint32_t i = 0; call->promised && i < call->item_count; i++) {
		if (!call->items[i].path_len)
			continue;
		call->process->q[call->items[i].base].named--;
		call->items[i].path_len = 0;
		call->promised--;
	}
}

static void promise_settle(struct mquestion *call, const struct mquestion *base, struct mitem *item)
{
	status_t status = item_capture(base, item);

	call->promised--;
	call->process->q[base - base->process->q].named--;
	model.promised++;
	if (status != STATUS_OK && call->broken == STATUS_OK)
		call->broken = status;
}

/* The answer to `base` has come: who carries a part of it has it, or will not get it. */
static void promises_settle(struct mquestion *base)
{
	uint32_t number = (uint32_t)(base - base->process->q);

	for (uint32_t i = 0; base->named && i < RING_QUESTIONS; i++) {
		struct mquestion *call = &base->process->q[i];

		for (uint32_t n = 0; call->state == MQ_HELD && n < call->item_count; n++) {
			if (call->items[n].path_len && call->items[n].base == number)
				promise_settle(call, base, &call->items[n]);
		}
	}
}

/* --- Stalling -----------------------------------------------------------------------------------
 */

bool stalls_behind(const struct mproc *process, uint32_t id)
{
	for (struct list *link = process->stalled.next; link != &process->stalled;
			link = link->next) {
		if (QUESTION(link)->entry.target == id)
			return true;
	}
	return false;
}

void stall(struct mquestion *call, uint32_t id)
{
	struct list *after = call->process->stalled.prev;

	call->entry.target = id;
	call->entry.flags &= (uint8_t)~ENTRY_PIPELINED;
	while (after != &call->process->stalled && QUESTION(after)->arrival > call->arrival)
		after = after->prev;
	list_prepend(after, &call->link);
}

/* The first that has all it carries and nobody before it; NULL: there is none. */
static struct mquestion *stalled_take(struct mproc *process)
{
	for (struct list *link = process->stalled.next; link != &process->stalled;
			link = link->next) {
		struct mquestion *call = QUESTION(link);
		bool first = true;

		for (struct list *at = process->stalled.next; at != link; at = at->next)
			first &= QUESTION(at)->entry.target != call->entry.target;
		if (!first || (call->promised && call->broken == STATUS_OK))
			continue;
		if (process->phase != MP_RUNNING)
			return NULL;
		list_remove(link);
		return call;
	}
	return NULL;
}

/* --- Starting -----------------------------------------------------------------------------------
 */

/* It runs at once, or waits, as if it had just been sent; but calls may wait for its answer
 * already. */
static void object_start(struct played *played, struct mquestion *call, struct mcap *target)
{
	struct list waiting = LIST_INIT(waiting);
	uint32_t named = call->named;

	MODEL_ASSERT(call->item_count == 0, "a held call of a kernel object carries something");
	model.started++;
	list_move_all(&waiting, &call->held);
	call->named = 0;
	question_end(call);
	call->state = MQ_FREE;
	call->named = named;
	list_move_all(&call->held, &waiting);
	played->keeps = true;
	outcome_find(played);
	object_method_play(played, target);
}

/* A stalled call starts, or ends. */
static void call_go_on(struct mquestion *call)
{
	struct mentry sent;
	struct mproc *process = call->process;
	struct played played = { .process = process,
		.sent = &sent,
		.entry = &sent.entry,
		.sync = process->sync == call };
	struct mcap *target = NULL;
	status_t status = call->broken;

	sent.entry = call->entry;
	memcpy(sent.message, words_at(process, call->entry.msg_off),
			MIN(call->entry.msg_words, SNAP_WORDS) * sizeof(uint64_t));
	if (status == STATUS_OK)
		status = mcap_lookup(process, call->entry.target, &target);
	if (status == STATUS_OK &&
			!mfacet_has_method(
					target->facet, call->entry.interface, call->entry.method))
		status = STATUS_UNIMPLEMENTED;
	if (status == STATUS_OK && target->object->type != M_EXPORT) {
		object_start(&played, call, target);
		return;
	}
	refuse_if(&played, status != STATUS_OK, status);
	if (status == STATUS_OK)
		export_check(&played, target->object);
	refuse_if(&played, status == STATUS_OK && carries_revoked(call), STATUS_DISCONNECTED);
	if (played.refusals) {
		question_doom(call, played.refusals);
		return;
	}
	model.started++;
	call_wait(call, target->object,
			call->entry.msg_words && sent.message[0] == call->entry.user_data);
}

/* Where a held call goes is known, or that it goes nowhere. */
static void call_aim(struct mquestion *call, const struct mquestion *base)
{
	uint32_t id = 0;
	status_t status = answer_place(base, call->entry.path, call->entry.path_len, &id);

	if (status != STATUS_OK && call->broken == STATUS_OK)
		call->broken = status;
	stall(call, id);
}

/* One call that waits for the question goes on; false: there is none. */
static bool base_step(struct mquestion *base)
{
	struct mquestion *call;
	struct list *link;

	promises_settle(base);
	link = list_take(&base->held);
	if (link) {
		call_aim(QUESTION(link), base);
		return true;
	}
	call = stalled_take(base->process);
	if (call)
		call_go_on(call);
	return call != NULL;
}

void held_run_at_once(struct mquestion *base, const struct played *played)
{
	base->entry = *played->entry;
	base->answer = played->outcome;
	while (base_step(base))
		settle();
}

void held_push(struct mquestion *base, const struct mexpected *due)
{
	const struct mevent *event = event_of(
			base->process, base->entry.user_data, base->process->sync == base);

	MODEL_ASSERT(event && (due->statuses & status_bit(event->completion.status)),
			"a question that others wait for ended with %d, allowed are 0x%lx",
			event ? event->completion.status : 0, due->statuses);
	base->answer = event->completion;
	base->due = *due;
	if (base->state == MQ_SLEEP)
		mledger_refund(base->process->ledger, RESOURCE_CLASS_TIMERS, 1);
	base->state = MQ_RETURNING;
	mledger_refund(base->process->ledger, RESOURCE_CLASS_SLOTS, base->reserved);
	base->reserved = 0;
	base->next_settling = model.settling;
	model.settling = base;
}

static void settle_base(struct mquestion *base)
{
	if (base_step(base))
		return;
	model.settling = base->next_settling;
	expect(base, &base->due);
	question_end(base);
}

static void settle_stalled(struct mproc *process)
{
	struct mquestion *call = stalled_take(process);

	if (call) {
		call_go_on(call);
		return;
	}
	model.settling_stalled = process->next_settling;
	process->is_settling = false;
	mobj_put(&process->obj);
}

void held_run(void)
{
	if (model.is_settling)
		return;
	model.is_settling = true;
	while (model.settling || model.settling_stalled) {
		if (model.settling)
			settle_base(model.settling);
		else
			settle_stalled(model.settling_stalled);
		settle();
	}
	model.is_settling = false;
}

void stalled_run(struct mproc *process)
{
	if (process->is_settling)
		return;
	process->is_settling = true;
	mobj_get(&process->obj);
	process->next_settling = model.settling_stalled;
	model.settling_stalled = process;
	held_run();
}
