/*
 * Completions: how an operation ends. Every accepted entry comes through here exactly once; the thread
 * that waits for it is woken here and nowhere else. Called by ring/dispatch.c and by whatever a question
 * waited for (object/).
 */
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/cap/cap_table.h"
#include "kernel/cap/transfer.h"
#include "kernel/object/ledger.h"
#include "kernel/object/process.h"
#include "kernel/object/thread.h"
#include "kernel/ring/pipeline.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/donation.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"

/* An outcome in the reply slot, and what cap_enter answers. */
HOT_INLINE static inline void reply_slot_write(struct ring *ring, uint64_t user_data,
		const struct ring_completion *outcome)
{
	ring_reply_write(ring->header, user_data, outcome);
	ring->sync_result = outcome->status;
}

static void queue_write(struct ring *ring, uint64_t user_data, struct ring_completion *outcome)
{
	outcome->user_data = user_data;
	ring->cq[ring_index_place(ring->cq_tail, RING_CQ_ENTRIES)] = *outcome;
	ring->cq_tail++;
	STORE_RELEASE(&ring->header->cq_tail, ring->cq_tail);
}

static void wake_for_completions(struct ring *ring, bool handoff)
{
	struct thread *thread = ring->thread;
	uint32_t available;

	if (thread->state != THREAD_WAIT_COMPLETIONS)
		return;
	available = ring_available(ring);
	if (available < thread->min_complete)
		return;
	(void)timer_queue_remove(&thread->deadline);
	arch_context_set_result(&thread->context, available);
	sched_wake(thread, handoff);
}

NO_BUFFER void ring_complete_entry(struct ring *ring, const struct ring_entry *entry, struct ring_completion *outcome)
{
	if (entry->flags & ENTRY_SYNC) {
		reply_slot_write(ring, entry->user_data, outcome);
		return;
	}
	if ((entry->flags & ENTRY_QUIET) && outcome->status == STATUS_OK)
		return;
	spin_lock(&ring->lock);
	queue_write(ring, entry->user_data, outcome);
	spin_unlock(&ring->lock);
}

void ring_tell(struct ring *ring)
{
	spin_lock(&ring->lock);
	wake_for_completions(ring, false);
	spin_unlock(&ring->lock);
}

static void answer_set(struct question *question, const struct ring_completion *outcome)
{
	question->answer = (struct answer){ .status = outcome->status, .flags = outcome->flags,
			.cap_count = outcome->cap_count, .msg_words = outcome->msg_words, .detail = outcome->detail };
}

/* Makes the question free. Ring locked. */
HOT_INLINE static inline void question_clear(struct question *question)
{
	question->object = NULL;
	question->export = NULL;
	question->kind = QUESTION_FREE;
	question->call_state = CALL_NONE;
	question->reserved = 0;
}

/* What the thread sleeps for, or is about to, is done. Ring locked. */
HOT_INLINE static inline void complete_sync(struct question *question, const struct ring_completion *outcome, bool handoff)
{
	struct ring *ring = question->ring;
	struct thread *thread = ring->thread;

	DEBUG_ASSERT(ring->sync == question);
	ring->sync = NULL;
	reply_slot_write(ring, question->entry.user_data, outcome);
	if (unlikely(thread->donee))
		donation_end(thread);
	if (thread->state == THREAD_WAIT_SYNC) {
		arch_context_set_result(&thread->context, outcome->status);
		if (handoff && question->entry.op == CAP_OP_CALL)
			sched_wake_back(thread);
		else
			sched_wake(thread, handoff);
	}
}

NO_BUFFER HOT_INLINE void question_complete_direct(struct question *question, const struct ring_completion *outcome)
{
	struct ring *ring = question->ring;

	DEBUG_ASSERT(question_in_flight(question) && !question->transfer && !question->grant && !question->forward);
	DEBUG_ASSERT(ring->sync == question && ring->thread->state == THREAD_WAIT_SYNC);
	question_clear(question);
	ring->sync = NULL;
	ring_reply_write(ring->header, question->entry.user_data, outcome);
	arch_context_set_result(&ring->thread->context, outcome->status);
}

/* What remains of a question that has ended: nothing, or with flag KEEP its answer. Ring locked. */
static void question_end(struct question *question, const struct ring_completion *outcome)
{
	bool kept = question->entry.flags & ENTRY_KEEP;

	if (unlikely(question->timer.queue))
		(void)timer_queue_remove(&question->timer);
	question_clear(question);
	if (unlikely(kept)) {
		question->kind = QUESTION_KEPT;
		answer_set(question, outcome);
	}
}

NO_BUFFER void question_complete(struct question *question, struct ring_completion *outcome, bool handoff,
		struct question_release *release)
{
	struct ring *ring = question->ring;

	DEBUG_ASSERT(question_in_flight(question) && !question->transfer && !question->forward);
	if (unlikely(question->grant)) {
		grant_unuse(question->grant);
		question->grant = NULL;
	}
	if (question->reserved) {
		cap_table_unreserve(&ring->process->caps, question->reserved);
		question->reserved = 0;
	}
	*release = (struct question_release){ 0 };
	spin_lock(&ring->lock);
	if (unlikely(!list_empty(&question->held) || question->named)) {
		/* Calls that stand on its answer come first; then this is done again. */
		question->call_state = CALL_RETURNING;
		answer_set(question, outcome);
		spin_unlock(&ring->lock);
		pipeline_settle(question);
		return;
	}
	trace_completion(question, outcome);
	release->object = question->kind == QUESTION_OBJECT ? question->object : NULL;
	release->export = question->export;
	question_end(question, outcome);
	if (question->entry.flags & ENTRY_SYNC) {
		complete_sync(question, outcome, handoff);
	} else {
		ring->in_flight--;
		queue_write(ring, question->entry.user_data, outcome);
		wake_for_completions(ring, handoff);
	}
	spin_unlock(&ring->lock);
}

NO_BUFFER bool question_report(struct question *question, struct ring_completion *outcome)
{
	struct ring *ring = question->ring;
	bool room;

	DEBUG_ASSERT(question_in_flight(question) && !(question->entry.flags & ENTRY_SYNC));
	spin_lock(&ring->lock);
	room = ring_has_credit(ring);
	if (likely(room)) {
		outcome->flags = COMPLETION_MORE;
		trace_completion(question, outcome);
		queue_write(ring, question->entry.user_data, outcome);
		wake_for_completions(ring, false);
	}
	spin_unlock(&ring->lock);
	return room;
}

NO_BUFFER HOT_INLINE void question_complete_own(struct question *question, struct ring_completion *outcome)
{
	struct ring *ring = question->ring;
	struct object *object = question->object;
	struct question_release release;

	/* Where the call was held, its thread sleeps. */
	if (unlikely(question->entry.flags != ENTRY_SYNC || question->reserved || question->timer.queue ||
			ring->thread->state != THREAD_RUNNING || !list_empty(&question->held) || trace_is_on())) {
		question_complete(question, outcome, false, &release);
		question_release(&release);
		return;
	}
	DEBUG_ASSERT(question->kind == QUESTION_OBJECT && !question->grant && !question->transfer && !question->export);
	spin_lock(&ring->lock);
	question_clear(question);
	ring->sync = NULL;
	reply_slot_write(ring, question->entry.user_data, outcome);
	spin_unlock(&ring->lock);
	object_put(object);
}

void question_keep_refusal(struct question *question, const struct ring_entry *entry, status_t status, uint64_t detail)
{
	struct ring_completion outcome = { .status = status, .detail = detail };

	question->entry = *entry;
	question->known = NULL;
	question->kind = QUESTION_KEPT;
	answer_set(question, &outcome);
}

static void deadline_passed(struct timer_node *node)
{
	(void)question_cancel(container_of(node, struct question, timer), STATUS_DEADLINE_EXCEEDED, 0);
}

void question_arm_deadline(struct question *question)
{
	struct ring *ring = question->ring;

	spin_lock(&ring->lock);
	/* A sleep that ends before the deadline has the node already. */
	if (question_in_flight(question) && !question->timer.queue)
		timer_queue_add(&question->timer, question->entry.deadline_ns, deadline_passed);
	spin_unlock(&ring->lock);
}

void question_drop_transfer(struct question *question)
{
	struct call_transfer *transfer = question->transfer;

	if (transfer && transfer->promised)
		pipeline_unname(question);
	question->transfer = NULL;
	call_transfer_drop(transfer, &question->ring->process->caps);
}

NO_BUFFER void question_release(struct question_release *release)
{
	if (release->export)
		object_unhold((struct object *)release->export);
	else if (release->object)
		object_put(release->object);
}

NO_BUFFER void question_answer(struct question *question, status_t status, uint64_t detail, const uint64_t *message,
		uint32_t words)
{
	struct ring_completion outcome = { .status = status, .id = question->number, .detail = detail };
	struct question_release release;

	if (words > question->entry.reply_words) {
		outcome.status = STATUS_REPLY_TOO_LARGE;
		outcome.detail = reason_detail(REASON_SIZE, 0, words, question->entry.reply_words);
	} else if (words) {
		memcpy(question_reply_message(question), message, words * 8ul);
		outcome.msg_words = words;
	}
	trace_answer(question, NULL, message, &outcome);
	/* Who sleeps for this alone is next if the running thread goes to sleep, as after a call. */
	question_complete(question, &outcome, question->entry.flags & ENTRY_SYNC, &release);
	question_release(&release);
}

/* Takes the question out of its place; false if somebody else completes it. */
static bool question_take_back(struct question *question)
{
	if (!question_in_flight(question) || question->call_state >= CALL_RETURNING)
		return false;
	if (question->kind == QUESTION_HELD)
		return pipeline_cancel(question);
	return question->object->type->cancel && question->object->type->cancel(question->object, question);
}

bool question_cancel(struct question *question, status_t status, uint64_t detail)
{
	struct ring_completion outcome = { .status = status, .id = question->number, .detail = detail };
	struct ring *ring = question->ring;
	struct question_release release;

	if (!question_take_back(question))
		return false;
	question_drop_transfer(question);
	question_complete(question, &outcome, false, &release);
	question_release(&release);
	/* What waited behind it. */
	if (unlikely(!list_empty(&ring->stalled)))
		pipeline_run(ring);
	return true;
}

status_t question_finish(struct question *question)
{
	struct ring *ring = question->ring;
	status_t status = STATUS_QUESTION_BUSY;

	spin_lock(&ring->lock);
	if (question->kind == QUESTION_FREE) {
		status = STATUS_GONE;
	} else if (question->kind == QUESTION_KEPT) {
		question_clear(question);
		status = STATUS_OK;
	}
	spin_unlock(&ring->lock);
	return status;
}
