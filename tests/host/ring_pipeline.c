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

status_t answer_place(const struct mquestion *base, const struct ring_entry *entry, uint32_t *id)
{
	const struct ring_completion *answer = &base->answer;
	const uint64_t *records = words_at(base->process, base->entry.reply_off);
	const uint64_t *message = records + 2u * base->entry.reply_caps;
	uint64_t at = 0, pointer, start;

	if (answer->status != STATUS_OK)
		return answer->status;
	if (answer->msg_words == 0)
		return STATUS_FAILED;
	for (uint32_t hop = 0; hop < entry->path_len; hop++) {
		pointer = message[at];
		start = at + 1 + (uint64_t)((int64_t)(int32_t)(uint32_t)pointer >> 2);
		/* To a struct that lies behind the root, in full, and has that field. */
		if (pointer == 0 || (pointer & 3) != 0 || entry->path[hop] >= pointer >> 48 ||
				(int64_t)start < 1 ||
				start + (pointer >> 32 & 0xffff) + (pointer >> 48) >
						answer->msg_words)
			return STATUS_FAILED;
		at = start + (pointer >> 32 & 0xffff) + entry->path[hop];
	}
	pointer = message[at];
	if ((uint32_t)pointer != 3 || pointer >> 32 >= answer->cap_count ||
			(uint32_t)records[2 * (pointer >> 32)] != RECORD_KIND_CAPABILITY)
		return STATUS_FAILED;
	*id = (uint32_t)(records[2 * (pointer >> 32)] >> 32);
	return STATUS_OK;
}

/* --- Starting -----------------------------------------------------------------------------------
 */

/* It runs at once, or waits, as if it had just been sent; but calls may wait for its answer
 * already. */
static void object_start(struct played *played, struct mquestion *call, struct mcap *target)
{
	struct list waiting = LIST_INIT(waiting);

	MODEL_ASSERT(call->item_count == 0, "a held call of a kernel object carries something");
	model.started++;
	list_move_all(&waiting, &call->held);
	question_end(call);
	call->state = MQ_FREE;
	list_move_all(&call->held, &waiting);
	played->keeps = true;
	outcome_find(played);
	object_method_play(played, target);
}

static void call_go_on(struct mquestion *call, const struct mquestion *base)
{
	struct mentry sent;
	struct mproc *process = call->process;
	struct played played = { .process = process,
		.sent = &sent,
		.entry = &sent.entry,
		.sync = process->sync == call };
	struct mcap *target = NULL;
	uint32_t id = 0;
	status_t status = answer_place(base, &call->entry, &id);

	sent.entry = call->entry;
	memcpy(sent.message, words_at(process, call->entry.msg_off),
			MIN(call->entry.msg_words, SNAP_WORDS) * sizeof(uint64_t));
	if (status == STATUS_OK)
		status = mcap_lookup(process, id, &target);
	if (status == STATUS_OK &&
			!mfacet_has_method(
					target->facet, call->entry.interface, call->entry.method))
		status = STATUS_UNIMPLEMENTED;
	if (status == STATUS_OK && target->object->type != M_EXPORT) {
		object_start(&played, call, target);
		call->entry.target = id;
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
	call->entry.target = id;
	call_wait(call, target->object,
			call->entry.msg_words && sent.message[0] == call->entry.user_data);
}

void held_run_at_once(struct mquestion *base, const struct played *played)
{
	struct list *link;

	base->entry = *played->entry;
	base->answer = played->outcome;
	while ((link = list_take(&base->held)))
		call_go_on(QUESTION(link), base);
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

void held_run(void)
{
	if (model.is_settling)
		return;
	model.is_settling = true;
	while (model.settling) {
		struct mquestion *base = model.settling;
		struct list *link = list_take(&base->held);

		if (link) {
			call_go_on(QUESTION(link), base);
		} else {
			model.settling = base->next_settling;
			expect(base, &base->due);
			question_end(base);
		}
		settle();
	}
	model.is_settling = false;
}
