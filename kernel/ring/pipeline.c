/*
 * Promise pipelining; see pipeline.h. Entered from ring/dispatch.c with a call whose target is a place in an answer, and
 * from ring/completion.c when such an answer has come.
 * Always true: a question with held calls is in flight; the calls held by one question start in the order in which
 * they were submitted, and before its own completion can be seen; no call starts while an earlier one of its ring through the
 * same capability stalls.
 */
#include "kernel/ring/pipeline.h"

#include "kernel/cap/cap_table.h"
#include "kernel/cap/transfer.h"
#include "kernel/object/process.h"
#include "kernel/object/promise.h"
#include "kernel/ring/dispatch.h"
#include "kernel/sched/cpu.h"

#define POINTER_KIND(word)   ((uint32_t)(word) & 3)
#define POINTER_STRUCT       0
#define POINTER_CAPABILITY   3            /* the whole low half */

/* --- Places in answers --------------------------------------------------------------------------- */

/* Where pointer field `field` of the struct stands to which the pointer at word `at` leads; 0 if there is none. */
static uint32_t pointer_field(const uint64_t *message, uint32_t words, uint32_t at, uint16_t field)
{
	uint64_t pointer = READ_ONCE(message[at]);
	int64_t start = (int64_t)at + 1 + ((int32_t)(uint32_t)pointer >> 2);
	uint32_t data = (uint32_t)(pointer >> 32) & 0xffff, pointers = (uint32_t)(pointer >> 48);

	if (pointer == 0 || POINTER_KIND(pointer) != POINTER_STRUCT || field >= pointers)
		return 0;
	if (start < 1 || start + data + pointers > words)
		return 0;
	return (uint32_t)start + data + field;
}

status_t answer_walk(const uint64_t *records, uint32_t cap_count, const uint64_t *message, uint32_t words,
		const uint16_t *path, uint32_t path_len, uint32_t *id)
{
	uint32_t at = 0;
	uint64_t pointer, record;

	if (words == 0)
		return STATUS_FAILED;
	for (uint32_t hop = 0; hop < path_len; hop++) {
		at = pointer_field(message, words, at, path[hop]);
		if (at == 0)
			return STATUS_FAILED;
	}
	pointer = READ_ONCE(message[at]);
	if ((uint32_t)pointer != POINTER_CAPABILITY || pointer >> 32 >= cap_count)
		return STATUS_FAILED;
	record = READ_ONCE(records[2 * (pointer >> 32)]);
	if ((uint32_t)record != RECORD_KIND_CAPABILITY)
		return STATUS_FAILED;
	*id = (uint32_t)(record >> 32);
	return STATUS_OK;
}

/* The capability at `path` of the answer to `base`, which has come. */
static status_t answer_capability(const struct question *base, const uint16_t *path, uint32_t path_len, uint32_t *id,
		uint64_t *detail)
{
	const struct answer *answer = &base->answer;
	status_t status = answer->status;

	if (status != STATUS_OK) {
		*detail = answer->detail;
		return status;
	}
	status = answer_walk(base->ring->words + base->entry.reply_off, answer->cap_count,
			question_reply_message(base), answer->msg_words, path, path_len, id);
	if (status != STATUS_OK)
		*detail = reason_detail(REASON_NO_CAPABILITY, 0, 0, 0);
	return status;
}

/* The question of that number whose answer has come or is under way; NULL and why not. */
static struct question *answer_base(struct ring *ring, uint32_t number, status_t *status)
{
	struct question *base = number < ring->questions_end ? &ring->questions[number] : NULL;

	if (number >= RING_QUESTIONS)
		*status = STATUS_BAD_ENTRY;
	else if (!base)
		*status = STATUS_GONE;
	else if (base->kind == QUESTION_KEPT || (question_in_flight(base) && base->entry.op == CAP_OP_CALL))
		return base;
	else
		*status = STATUS_GONE;
	return NULL;
}

/* --- Arguments ----------------------------------------------------------------------------------- */

/* What stands at the item's place in the answer to `base`, captured as a copy. */
static status_t item_capture(const struct question *base, const struct answer_place *place, struct transfer_item *item,
		uint64_t *detail)
{
	struct cap_entry *entry;
	uint32_t id;
	status_t status = answer_capability(base, place->path, place->path_len, &id, detail);

	*item = (struct transfer_item){ 0 };
	if (status != STATUS_OK)
		return status;
	status = cap_table_lookup(&base->ring->process->caps, id, &entry);
	if (status == STATUS_OK)
		transfer_item_of(entry, item);
	return status;
}

/* Capabilities of answers that have come already are captured; each other place must be one of an answer under way. */
static status_t places_check(struct ring *ring, struct call_transfer *transfer, uint64_t *detail)
{
	status_t status = STATUS_OK;

	for (uint32_t i = 0; i < transfer->count && status == STATUS_OK; i++) {
		struct transfer_item *item = &transfer->items[i];
		const struct answer_place place = item->place;
		struct question *base = NULL;

		if (place.path_len && place.question >= RING_QUESTIONS)
			status = STATUS_BAD_DESCRIPTOR;
		else if (place.path_len)
			base = answer_base(ring, place.question, &status);
		if (base && base->kind == QUESTION_KEPT) {
			status = item_capture(base, &place, item, detail);
			transfer->promised--;
		}
	}
	return status;
}

/* The next capability that a held call still misses and that the answer to `base` has; NULL: none. Ring locked. */
static struct transfer_item *item_waiting(const struct question *base, struct question **call)
{
	struct ring *ring = base->ring;

	for (uint32_t i = 0; i < ring_questions(ring); i++) {
		struct call_transfer *transfer = ring->questions[i].transfer;

		if (ring->questions[i].kind != QUESTION_HELD || !transfer || !transfer->promised)
			continue;
		*call = &ring->questions[i];
		for (uint32_t n = 0; n < transfer->count; n++) {
			if (transfer->items[n].place.path_len && transfer->items[n].place.question == base->number)
				return &transfer->items[n];
		}
	}
	return NULL;
}

/* How often each answer is named by what the call still misses. Ring locked. */
static void names_count(struct question *call, bool named)
{
	const struct call_transfer *transfer = call->transfer;

	for (uint32_t i = 0; transfer && i < transfer->count; i++) {
		const struct answer_place *place = &transfer->items[i].place;

		if (place->path_len)
			call->ring->questions[place->question].named += named ? 1 : -1;
	}
}

void pipeline_unname(struct question *call)
{
	spin_lock(&call->ring->lock);
	names_count(call, false);
	for (uint32_t i = 0; i < call->transfer->count; i++)
		call->transfer->items[i].place.path_len = 0;
	call->transfer->promised = 0;
	spin_unlock(&call->ring->lock);
}

/* It will end so when its turn comes, unless another answer has failed it before. */
static void held_fail(struct question *call, status_t status, uint64_t detail)
{
	if (call->answer.status == STATUS_OK)
		call->answer = (struct answer){ .status = status, .detail = detail };
}

/* A held call has what it missed, or will not get it. False: it has been taken back meanwhile. Ring locked. */
static bool item_settle(struct question *base, struct transfer_item *item, const struct transfer_item *captured,
		status_t status, uint64_t detail)
{
	struct question *call;

	if (item_waiting(base, &call) != item)
		return false;
	*item = *captured;
	base->named--;
	call->transfer->promised--;
	if (status != STATUS_OK)
		held_fail(call, status, detail);
	return true;
}

/* Held calls get what the answer to `base` has for them, or that they will not get it. */
static void items_settle(struct question *base)
{
	struct ring *ring = base->ring;
	struct transfer_item captured, *item;
	struct answer_place place;
	struct question *call;
	uint64_t detail;
	status_t status;
	bool settled;

	spin_lock(&ring->lock);
	while ((item = item_waiting(base, &call))) {
		place = item->place;
		detail = 0;
		spin_unlock(&ring->lock);
		status = item_capture(base, &place, &captured, &detail);
		spin_lock(&ring->lock);
		settled = item_settle(base, item, &captured, status, detail);
		if (settled)
			continue;
		spin_unlock(&ring->lock);
		transfer_drop(&captured, 1, &ring->process->caps);
		spin_lock(&ring->lock);
	}
	spin_unlock(&ring->lock);
}

/* --- Holding ------------------------------------------------------------------------------------- */

/* Makes a call one that is held, with what it carries; it is in no list yet. */
static status_t hold(struct ring *ring, const struct ring_entry *entry, struct question **call, uint64_t *detail)
{
	struct cap_table *caps = &ring->process->caps;
	struct call_transfer *transfer;
	status_t status = call_transfer_capture(caps, ring->words + entry->caps_off, entry->cap_count, true, &transfer,
			detail);

	if (transfer && transfer->promised)
		status = places_check(ring, transfer, detail);
	if (status != STATUS_OK) {
		call_transfer_drop(transfer, caps);
		return status;
	}
	*call = question_begin(ring, entry, QUESTION_HELD, NULL);
	(*call)->transfer = transfer;
	(*call)->answer = (struct answer){ .status = STATUS_OK };
	spin_lock(&ring->lock);
	(*call)->turn = ring->turns++;
	names_count(*call, true);
	spin_unlock(&ring->lock);
	return STATUS_OK;
}

static void hold_in(struct list *list, struct question *call)
{
	spin_lock(&call->ring->lock);
	list_append(list, &call->link);
	spin_unlock(&call->ring->lock);
}

/* Its target is known: the call takes its place among those that stall. */
static void stall(struct question *call)
{
	struct ring *ring = call->ring;
	struct list *after;

	spin_lock(&ring->lock);
	for (after = ring->stalled.prev; after != &ring->stalled; after = after->prev) {
		if ((int32_t)(container_of(after, struct question, link)->turn - call->turn) < 0)
			break;
	}
	list_prepend(after, &call->link);
	spin_unlock(&ring->lock);
}

status_t pipeline_target(struct ring *ring, const struct ring_entry *entry, uint32_t *id, bool *held, uint64_t *detail)
{
	struct cap_table *caps = &ring->process->caps;
	struct question *call;
	status_t status = STATUS_OK;
	struct question *base = answer_base(ring, entry->target, &status);

	*held = false;
	if (!base)
		return status;
	if (base->kind == QUESTION_KEPT)
		return answer_capability(base, entry->path, entry->path_len, id, detail);
	if (entry->reply_caps)
		status = cap_table_reserve(caps, entry->reply_caps, detail);
	if (status != STATUS_OK)
		return status;
	status = hold(ring, entry, &call, detail);
	if (status == STATUS_OK)
		hold_in(&base->held, call);
	else if (entry->reply_caps)
		cap_table_unreserve(caps, entry->reply_caps);
	*held = status == STATUS_OK;
	return status;
}

void question_retarget(struct question *call, uint32_t id)
{
	call->known = NULL;
	call->entry.target = id;
	call->entry.flags &= (uint8_t)~ENTRY_PIPELINED;
}

bool pipeline_stalls(struct ring *ring, const struct ring_entry *entry, uint32_t id)
{
	const uint64_t *descriptors = ring->words + entry->caps_off;

	for (struct list *link = ring->stalled.next; link != &ring->stalled; link = link->next) {
		if (container_of(link, struct question, link)->entry.target == id)
			return true;
	}
	for (uint32_t i = 0; i < entry->cap_count; i++) {
		if ((uint8_t)READ_ONCE(descriptors[2 * i]) == TRANSFER_KIND_ANSWER)
			return true;
	}
	return false;
}

void pipeline_stall(struct ring *ring, const struct ring_entry *entry, uint32_t id)
{
	struct question *call;
	uint64_t detail = 0;
	status_t status = hold(ring, entry, &call, &detail);

	if (status != STATUS_OK) {
		call_refuse_entry(ring, entry, status, detail);
		return;
	}
	question_retarget(call, id);
	stall(call);
	pipeline_run(ring);
}

bool pipeline_cancel(struct question *question)
{
	struct ring *ring = question->ring;
	bool waited;

	spin_lock(&ring->lock);
	waited = list_queued(&question->link);
	list_remove(&question->link);
	if (waited)
		question->call_state = CALL_DONE;
	spin_unlock(&ring->lock);
	return waited;
}

/* --- Settling ------------------------------------------------------------------------------------ */

/* Nothing that the call carries is still to come, or it will not get it. */
static bool is_complete(const struct question *call)
{
	const struct call_transfer *transfer = call->transfer;

	return !transfer || !transfer->promised || call->answer.status != STATUS_OK;
}

/* No earlier call through the same capability stalls. Ring locked. */
static bool is_first(const struct question *call)
{
	for (struct list *link = call->ring->stalled.next; link != &call->link; link = link->next) {
		if (container_of(link, struct question, link)->entry.target == call->entry.target)
			return false;
	}
	return true;
}

/* Takes the first stalled call that can start out of its list; NULL: none, or they are about to be cancelled. */
static struct question *stalled_take(struct ring *ring)
{
	struct question *call = NULL;

	spin_lock(&ring->lock);
	for (struct list *link = ring->stalled.next; link != &ring->stalled && !call; link = link->next) {
		struct question *next = container_of(link, struct question, link);

		if (is_complete(next) && is_first(next))
			call = next;
	}
	if (call && READ_ONCE(ring->process->phase) != PROCESS_RUNNING)
		call = NULL;
	if (call)
		list_remove(&call->link);
	spin_unlock(&ring->lock);
	return call;
}

static void stalled_start(struct question *call)
{
	const struct answer failed = call->answer;

	if (failed.status != STATUS_OK)
		call_refuse_entry(call->ring, &call->entry, failed.status, failed.detail);
	else
		call_start_at(call->ring, &call->entry, call->entry.target);
}

static struct question *held_take(struct question *question)
{
	struct ring *ring = question->ring;
	struct list *link;

	spin_lock(&ring->lock);
	link = list_take(&question->held);
	spin_unlock(&ring->lock);
	return link ? container_of(link, struct question, link) : NULL;
}

/* The answer that tells where a held call goes, or that it goes nowhere, has come: it stalls until its turn. */
static void held_aim(struct question *call, const struct question *base)
{
	uint64_t detail = 0;
	uint32_t id = 0;
	status_t status = answer_capability(base, call->entry.path, call->entry.path_len, &id, &detail);

	if (status != STATUS_OK)
		held_fail(call, status, detail);
	question_retarget(call, id);
	stall(call);
}

static void settled(struct question *question)
{
	const struct answer *answer = &question->answer;
	struct ring_completion outcome = { .status = answer->status, .flags = answer->flags, .cap_count = answer->cap_count,
			.msg_words = answer->msg_words, .id = question->number, .detail = answer->detail };
	struct question_release release;

	question_complete(question, &outcome, false, &release);
	question_release(&release);
}

/* One call that waits for this question goes on, or the question completes when there is none left. */
static void settle_question(struct cpu *cpu, struct question *question)
{
	struct question *call;

	if (question->named)
		items_settle(question);
	if (cpu->settling != question)
		return;                /* what was dropped there has to be settled first */
	call = held_take(question);
	if (call) {
		held_aim(call, question);
		return;
	}
	/* All that waited for this answer, as a target or an argument, start in the order in which they were submitted. */
	call = stalled_take(question->ring);
	if (call) {
		stalled_start(call);
		return;
	}
	cpu->settling = question->next_settling;
	question->next_settling = NULL;
	settled(question);
}

/* One stalled call starts. */
static void settle_ring(struct cpu *cpu, struct ring *ring)
{
	struct question *call = stalled_take(ring);

	if (call) {
		stalled_start(call);
		return;
	}
	cpu->settling_rings = ring->next_settling;
	ring->is_settling = false;
	object_put(&ring->process->object);
}

static void settle_promise(struct cpu *cpu, struct promise *promise)
{
	if (promise_settle_one(promise))
		return;
	/* It leaves the list first: what it lets go of may bring others there. */
	cpu->settling_promises = promise->next_settling;
	promise_settled(promise);
	object_put(&promise->object);
}

/* What goes on may end at once, and have calls waiting for it itself: the newest is settled first, one after the other. */
static void settle_all(struct cpu *cpu)
{
	if (cpu->is_settling)
		return;
	cpu->is_settling = true;
	while (cpu->settling || cpu->settling_rings || cpu->settling_promises) {
		if (cpu->settling)
			settle_question(cpu, cpu->settling);
		else if (cpu->settling_rings)
			settle_ring(cpu, cpu->settling_rings);
		else
			settle_promise(cpu, cpu->settling_promises);
	}
	cpu->is_settling = false;
}

void pipeline_settle(struct question *question)
{
	struct cpu *cpu = arch_cpu();

	question->next_settling = cpu->settling;
	cpu->settling = question;
	settle_all(cpu);
}

void pipeline_settle_promise(struct promise *promise)
{
	struct cpu *cpu = arch_cpu();

	promise->next_settling = cpu->settling_promises;
	cpu->settling_promises = promise;
	settle_all(cpu);
}

void pipeline_run(struct ring *ring)
{
	struct cpu *cpu = arch_cpu();

	if (__atomic_exchange_n(&ring->is_settling, true, __ATOMIC_ACQ_REL))
		return;
	object_get(&ring->process->object);
	ring->next_settling = cpu->settling_rings;
	cpu->settling_rings = ring;
	settle_all(cpu);
}
