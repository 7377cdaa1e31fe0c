/*
 * Promise pipelining; see pipeline.h. Entered from ring/dispatch.c with a call whose target is a place in an answer, and
 * from ring/completion.c when such an answer has come.
 * Always true: a question with held calls is in flight; the calls held by one question start in the order in which
 * they were submitted, and before its own completion can be seen.
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

/* The capability at the place that `entry` names in the answer of `base`. */
static status_t answer_capability(const struct question *base, const struct ring_entry *entry, uint32_t *id,
		uint64_t *detail)
{
	const struct answer *answer = &base->answer;
	status_t status = answer->status;

	if (status != STATUS_OK) {
		*detail = answer->detail;
		return status;
	}
	status = answer_walk(base->ring->words + base->entry.reply_off, answer->cap_count,
			question_reply_message(base), answer->msg_words, entry->path, entry->path_len, id);
	if (status != STATUS_OK)
		*detail = reason_detail(REASON_NO_CAPABILITY, 0, 0, 0);
	return status;
}

/* --- Holding ------------------------------------------------------------------------------------- */

static status_t hold(struct ring *ring, const struct ring_entry *entry, struct question *base, uint64_t *detail)
{
	struct cap_table *caps = &ring->process->caps;
	struct call_transfer *transfer;
	struct question *call;
	status_t status = call_transfer_capture(caps, ring->words + entry->caps_off, entry->cap_count, &transfer, detail);

	if (status == STATUS_OK && entry->reply_caps)
		status = cap_table_reserve(caps, entry->reply_caps, detail);
	if (status != STATUS_OK) {
		call_transfer_drop(transfer, caps);
		return status;
	}
	call = question_begin(ring, entry, QUESTION_HELD, NULL);
	call->transfer = transfer;
	spin_lock(&ring->lock);
	list_append(&base->held, &call->link);
	spin_unlock(&ring->lock);
	return STATUS_OK;
}

status_t pipeline_target(struct ring *ring, const struct ring_entry *entry, uint32_t *id, bool *held, uint64_t *detail)
{
	struct question *base;

	*held = false;
	if (entry->target >= RING_QUESTIONS)
		return STATUS_BAD_ENTRY;
	if (entry->target >= ring->questions_end)
		return STATUS_GONE;
	base = &ring->questions[entry->target];
	if (base->kind == QUESTION_KEPT)
		return answer_capability(base, entry, id, detail);
	if (!question_in_flight(base) || base->entry.op != CAP_OP_CALL)
		return STATUS_GONE;
	*held = true;
	return hold(ring, entry, base, detail);
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

static struct question *held_take(struct question *question)
{
	struct ring *ring = question->ring;
	struct list *link;

	spin_lock(&ring->lock);
	link = list_take(&question->held);
	spin_unlock(&ring->lock);
	return link ? container_of(link, struct question, link) : NULL;
}

void question_retarget(struct question *call, uint32_t id)
{
	call->entry.target = id;
	call->entry.flags &= (uint8_t)~ENTRY_PIPELINED;
}

static void held_start(struct question *call, const struct question *base)
{
	uint64_t detail = 0;
	uint32_t id = 0;
	status_t status = answer_capability(base, &call->entry, &id, &detail);

	if (status == STATUS_OK) {
		question_retarget(call, id);
		call_start_at(call->ring, &call->entry, id);
	} else {
		call_refuse_entry(call->ring, &call->entry, status, detail);
	}
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
	struct question *call = held_take(question);

	if (call) {
		held_start(call, question);
		return;
	}
	cpu->settling = question->next_settling;
	question->next_settling = NULL;
	settled(question);
}

static void settle_promise(struct cpu *cpu, struct promise *promise)
{
	if (promise_settle_one(promise))
		return;
	cpu->settling_promises = promise->next_settling;
	object_put(&promise->object);
}

/* What goes on may end at once, and have calls waiting for it itself: the newest is settled first, one after the other. */
static void settle_all(struct cpu *cpu)
{
	if (cpu->is_settling)
		return;
	cpu->is_settling = true;
	while (cpu->settling || cpu->settling_promises) {
		if (cpu->settling)
			settle_question(cpu, cpu->settling);
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
