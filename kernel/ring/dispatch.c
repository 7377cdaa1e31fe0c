/*
 * Dispatch: from the submission queue to the operations. One table says for each operation its name, which bits
 * of an entry it may use, and who performs it. An entry is copied once; nothing looks at the shared copy again
 * (pairs with the publishing of entries in lib/rt/ring.c).
 * Always true: each entry taken is completed exactly once, here or through its question.
 */
#include "kernel/cap/cap_table.h"
#include "kernel/cap/transfer.h"
#include "kernel/core/entry.h"
#include "kernel/core/kernel_lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/string.h"
#include "kernel/object/call.h"
#include "kernel/object/endpoint.h"
#include "kernel/object/ledger.h"
#include "kernel/object/notification.h"
#include "kernel/object/park.h"
#include "kernel/object/process.h"
#include "kernel/object/promise.h"
#include "kernel/object/thread.h"
#include "kernel/ring/dispatch.h"
#include "kernel/ring/pipeline.h"
#include "kernel/ring/ring.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/sched.h"
#include "kernel/trace/trace.h"

struct ring_op {
	const char *name;
	/* Operation and flags. */
	uint8_t     flags;
	/* Which fields may be other than zero. */
	struct ring_entry used;
	void      (*perform)(struct ring *ring, const struct ring_entry *entry);
};

/* --- Helpers for performers ------------------------------------------------------------------- */

NO_BUFFER static void complete(struct ring *ring, const struct ring_entry *entry, status_t status, uint64_t detail)
{
	struct ring_completion outcome = { .status = status, .detail = detail };

	ring_complete_entry(ring, entry, &outcome);
}

static void complete_id(struct ring *ring, const struct ring_entry *entry, status_t status, uint64_t detail,
		uint32_t id)
{
	struct ring_completion outcome = { .status = status, .id = id, .detail = detail };

	ring_complete_entry(ring, entry, &outcome);
}

/* The detail that goes with a lookup's refusal. */
static uint64_t lookup_detail(const struct ring *ring, status_t status)
{
	return status == STATUS_DISCONNECTED ? reason_detail(process_revoked_reason(ring->process), 0, 0, 0) : 0;
}

/* The endpoint that an entry's target is the receive side of. */
NO_BUFFER static status_t lookup_endpoint(struct ring *ring, uint32_t target, struct endpoint **endpoint, uint64_t *detail)
{
	struct cap_entry *cap;
	status_t status = cap_table_lookup(&ring->process->caps, target, &cap);

	*detail = lookup_detail(ring, status);
	if (status != STATUS_OK)
		return status;
	if (cap->object->type != &endpoint_type)
		return STATUS_UNIMPLEMENTED;
	*endpoint = container_of(cap->object, struct endpoint, object);
	return STATUS_OK;
}

static status_t question_free(struct ring *ring, uint16_t number)
{
	if (unlikely(number >= ring->questions_end) && !ring_question_make(ring, number))
		return STATUS_BAD_ENTRY;
	return ring->questions[number].kind == QUESTION_FREE ? STATUS_OK : STATUS_QUESTION_BUSY;
}

/* A question that was used before. */
static status_t question_named(struct ring *ring, uint16_t number, struct question **question)
{
	if (number >= RING_QUESTIONS)
		return STATUS_BAD_ENTRY;
	*question = &ring->questions[number];
	return number < ring->questions_end ? STATUS_OK : STATUS_GONE;
}

static status_t reply_span_check(const struct ring_entry *entry, uint32_t before_words)
{
	uint32_t words = before_words + 2u * entry->reply_caps + entry->reply_words;

	if (entry->reply_words > MESSAGE_WORDS_MAX || !ring_span_valid(entry->reply_off, words))
		return STATUS_BAD_SPAN;
	return STATUS_OK;
}

static status_t message_span_check(const struct ring_entry *entry)
{
	if (entry->msg_words > MESSAGE_WORDS_MAX || !ring_span_valid(entry->msg_off, entry->msg_words))
		return STATUS_BAD_SPAN;
	if (entry->cap_count > TRANSFER_CAPS_MAX || !ring_span_valid(entry->caps_off, 2u * entry->cap_count))
		return STATUS_BAD_SPAN;
	return STATUS_OK;
}

NO_BUFFER HOT_INLINE struct question *question_begin(struct ring *ring, const struct ring_entry *entry, enum question_kind kind,
		struct object *object)
{
	struct question *question = &ring->questions[entry->question];

	DEBUG_ASSERT(question->kind == QUESTION_FREE);
	if (entry != &question->entry) {
		question->entry = *entry;
		question->known = NULL;
	}
	question->kind = (uint8_t)kind;
	question->call_state = CALL_NONE;
	question->reserved = entry->reply_caps;
	question->object = object;
	if (kind == QUESTION_OBJECT)
		object_get(object);
	if (entry->flags & ENTRY_SYNC)
		ring->sync = question;
	else
		ring->in_flight++;
	return question;
}

void call_refuse_entry(struct ring *ring, const struct ring_entry *entry, status_t status, uint64_t detail)
{
	struct ring_completion outcome = { .status = status, .id = entry->question, .detail = detail };
	struct question *question = &ring->questions[entry->question];
	struct question_release release;

	trace_refusal(ring, entry, status);
	if (unlikely(question->kind == QUESTION_HELD)) {
		question_drop_transfer(question);
		question_complete(question, &outcome, false, &release);
		question_release(&release);
		return;
	}
	if (entry->reply_caps)
		cap_table_unreserve(&ring->process->caps, entry->reply_caps);
	if (unlikely(entry->flags & ENTRY_KEEP))
		question_keep_refusal(question, entry, status, detail);
	ring_complete_entry(ring, entry, &outcome);
}

struct question *call_question(struct ring *ring, const struct ring_entry *entry, enum question_kind kind,
		struct object *object)
{
	struct question *question = &ring->questions[entry->question];

	if (likely(question->kind == QUESTION_FREE))
		return question_begin(ring, entry, kind, object);
	DEBUG_ASSERT(question->kind == QUESTION_HELD && entry == &question->entry);
	question->kind = (uint8_t)kind;
	question->object = object;
	if (kind == QUESTION_OBJECT)
		object_get(object);
	return question;
}

/* --- Operations --------------------------------------------------------------------------------- */

NO_BUFFER static void nop_perform(struct ring *ring, const struct ring_entry *entry)
{
	complete(ring, entry, STATUS_OK, 0);
}

static void unimplemented_perform(struct ring *ring, const struct ring_entry *entry)
{
	complete(ring, entry, STATUS_UNIMPLEMENTED, reason_detail(REASON_NOT_BUILT, 0, 0, 0));
}

/* OK if the facet has the method. */
NO_BUFFER static inline status_t facet_refusal(const struct facet *facet, const struct ring_entry *entry, uint64_t *detail)
{
	bool has_interface;

	if (likely(facet_has_method(facet, entry->interface, entry->method, &has_interface)))
		return STATUS_OK;
	*detail = has_interface ? reason_detail(REASON_NO_METHOD, 0, entry->method, 0) :
			reason_detail(REASON_NO_INTERFACE, 0, 0, 0);
	return STATUS_UNIMPLEMENTED;
}

/* The capability to be called and its facet, which must have the method. */
NO_BUFFER static status_t call_target(struct ring *ring, const struct ring_entry *entry, uint32_t id,
		struct cap_entry **target, uint64_t *detail)
{
	status_t status = cap_table_lookup(&ring->process->caps, id, target);

	if (unlikely(status != STATUS_OK)) {
		*detail = lookup_detail(ring, status);
		return status;
	}
	return facet_refusal((*target)->facet, entry, detail);
}

/* A call whose reply slots are reserved and whose target has the method. */
NO_BUFFER static void call_send(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	if (target->object->type == &export_type)
		endpoint_call(ring, entry, target);
	else if (unlikely(target->object->type == &promise_type))
		promise_call(ring, entry, container_of(target->object, struct promise, object));
	else
		object_call(ring, entry, target);
}

void call_start_with(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	uint64_t detail;
	status_t status = facet_refusal(target->facet, entry, &detail);

	if (status == STATUS_OK)
		call_send(ring, entry, target);
	else
		call_refuse_entry(ring, entry, status, detail);
}

void call_start_at(struct ring *ring, const struct ring_entry *entry, uint32_t id)
{
	struct cap_entry *target;
	uint64_t detail = 0;
	status_t status = call_target(ring, entry, id, &target, &detail);

	if (status == STATUS_OK)
		call_send(ring, entry, target);
	else
		call_refuse_entry(ring, entry, status, detail);
}

/* Deadline and path: what only some calls have. *held: the call waits for an answer and has begun. */
static COLD status_t call_prepare(struct ring *ring, const struct ring_entry *entry, uint32_t *target, bool *held,
		uint64_t *detail)
{
	const uint64_t path = ((const union entry_words *)entry)->words[ENTRY_WORDS - 1];
	bool pipelined = entry->flags & ENTRY_PIPELINED;

	if (pipelined != (entry->path_len > 0) || entry->path_len > PATH_MAX ||
			(entry->path_len < PATH_MAX && path >> 16 * entry->path_len != 0))
		return STATUS_BAD_ENTRY;
	if (entry->deadline_ns && entry->deadline_ns <= arch_time_ns())
		return STATUS_DEADLINE_EXCEEDED;
	return pipelined ? pipeline_target(ring, entry, target, held, detail) : STATUS_OK;
}

/* Ends a call that was refused before anything was reserved for it. */
static void call_refuse_early(struct ring *ring, const struct ring_entry *entry, status_t status, uint64_t detail)
{
	if ((entry->flags & ENTRY_KEEP) && question_free(ring, entry->question) == STATUS_OK)
		question_keep_refusal(&ring->questions[entry->question], entry, status, detail);
	trace_refusal(ring, entry, status);
	complete_id(ring, entry, status, detail, entry->question);
}

NO_BUFFER static void call_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_entry *target;
	uint32_t id = entry->target;
	uint64_t detail = 0;
	bool held = false;
	status_t status = question_free(ring, entry->question);

	arch_cpu()->counters.calls++;
	if (status == STATUS_OK)
		status = message_span_check(entry);
	if (status == STATUS_OK)
		status = reply_span_check(entry, 0);
	if (status == STATUS_OK && unlikely((entry->flags & ENTRY_PIPELINED) || entry->deadline_ns || entry->path_len ||
			((const union entry_words *)entry)->words[ENTRY_WORDS - 1]))
		status = call_prepare(ring, entry, &id, &held, &detail);
	if (status == STATUS_OK && !held)
		status = call_target(ring, entry, id, &target, &detail);
	if (status == STATUS_OK && !held && entry->reply_caps)
		status = cap_table_reserve(&ring->process->caps, entry->reply_caps, &detail);
	if (unlikely(status != STATUS_OK)) {
		call_refuse_early(ring, entry, status, detail);
		return;
	}
	if (!held && unlikely((entry->cap_count || !list_empty(&ring->stalled)) && pipeline_stalls(ring, entry, id)))
		pipeline_stall(ring, entry, id);
	else if (!held)
		call_send(ring, entry, target);
	if (unlikely(entry->flags & ENTRY_PIPELINED) && !held)
		question_retarget(&ring->questions[entry->question], id);
	if (unlikely(entry->deadline_ns))
		question_arm_deadline(&ring->questions[entry->question]);
}

NO_BUFFER static void recv_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct endpoint *endpoint;
	uint64_t detail = 0;
	status_t status = question_free(ring, entry->question);

	if (status == STATUS_OK)
		status = reply_span_check(entry, RECV_HEADER_WORDS);
	if (status == STATUS_OK)
		status = lookup_endpoint(ring, entry->target, &endpoint, &detail);
	if (status == STATUS_OK)
		status = endpoint_recv(ring, entry, endpoint, &detail);
	if (status != STATUS_OK)
		complete(ring, entry, status, detail);
}

/* Everything about a return that is wrong in itself, its receive included: refused before anything takes effect. */
NO_BUFFER static status_t return_check(struct ring *ring, const struct ring_entry *entry)
{
	status_t status = message_span_check(entry);

	if (status != STATUS_OK)
		return status;
	if (entry->flags & ENTRY_EXCEPTION ? entry->method < STATUS_FAILED || entry->method > STATUS_INVALID_ARGUMENT :
			entry->method != 0)
		return STATUS_BAD_ENTRY;
	if (!(entry->flags & ENTRY_REARM))
		return (entry->flags & ENTRY_SYNC) || entry->question || entry->reply_off || entry->reply_words ||
				entry->reply_caps ? STATUS_BAD_ENTRY : STATUS_OK;
	status = question_free(ring, entry->question);
	return status == STATUS_OK ? reply_span_check(entry, RECV_HEADER_WORDS) : status;
}

NO_BUFFER static void return_perform(struct ring *ring, const struct ring_entry *entry)
{
	bool rearm = entry->flags & ENTRY_REARM;
	struct ring_completion outcome = { .flags = rearm ? COMPLETION_RETURN : 0 };
	struct endpoint *endpoint;

	outcome.status = return_check(ring, entry);
	if (likely(outcome.status == STATUS_OK))
		outcome.status = lookup_endpoint(ring, entry->target, &endpoint, &outcome.detail);
	if (likely(outcome.status == STATUS_OK))
		outcome.status = endpoint_return(ring, entry, endpoint, &outcome.detail);
	if (likely(outcome.status == STATUS_OK && rearm))
		return;
	ring_complete_entry(ring, entry, &outcome);
}

static void forward_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct endpoint *endpoint;
	struct cap_entry *target;
	uint64_t detail = 0;
	status_t status = question_free(ring, entry->question);

	if (status == STATUS_OK)
		status = message_span_check(entry);
	if (status == STATUS_OK)
		status = lookup_endpoint(ring, (uint32_t)(entry->deadline_ns >> 32), &endpoint, &detail);
	if (status == STATUS_OK)
		status = call_target(ring, entry, entry->target, &target, &detail);
	if (status == STATUS_OK && target->object->type != &export_type) {
		status = STATUS_UNIMPLEMENTED;
		detail = reason_detail(REASON_NOT_BUILT, 0, 0, 0);
	}
	if (status == STATUS_OK)
		status = endpoint_forward(ring, entry, endpoint, target, &detail);
	if (status != STATUS_OK)
		complete(ring, entry, status, detail);
}

NO_BUFFER static void release_perform(struct ring *ring, const struct ring_entry *entry)
{
	complete(ring, entry, cap_table_release(&ring->process->caps, entry->target), 0);
}

static void copy_perform(struct ring *ring, const struct ring_entry *entry)
{
	uint64_t detail = 0;
	uint32_t id = 0;
	status_t status = cap_table_copy(&ring->process->caps, entry->target, NULL, &id, &detail);

	complete_id(ring, entry, status, status == STATUS_DISCONNECTED ? lookup_detail(ring, status) : detail, id);
}

static void narrow_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_table *caps = &ring->process->caps;
	struct cap_entry *target;
	struct facet *facet;
	uint64_t detail = 0;
	uint32_t id = 0;
	status_t status = cap_table_lookup(caps, entry->target, &target);

	if (status != STATUS_OK) {
		complete(ring, entry, status, lookup_detail(ring, status));
		return;
	}
	facet = facet_narrow(target->facet, entry->interface, &status);
	if (!facet) {
		complete(ring, entry, status, reason_detail(status == STATUS_OVERLOADED ? REASON_KERNEL_MEMORY :
				REASON_NO_INTERFACE, 0, 0, 0));
		return;
	}
	status = cap_table_copy(caps, entry->target, facet, &id, &detail);
	if (status != STATUS_OK)
		facet_put(facet);
	complete_id(ring, entry, status, detail, id);
}

static void cancel_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct question *question;
	status_t status = question_named(ring, entry->question, &question);

	if (status == STATUS_OK && !question_cancel(question, STATUS_CANCELLED, 0))
		status = STATUS_GONE;
	complete(ring, entry, status, 0);
}

static void finish_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct question *question;
	status_t status = question_named(ring, entry->question, &question);

	if (status == STATUS_OK)
		status = question_finish(question);
	complete(ring, entry, status, 0);
}

/* What is wrong with a wait in itself. */
NO_BUFFER static status_t wait_check(struct ring *ring, const struct ring_entry *entry)
{
	/* An end comes once, and the reply slot has room for one outcome. */
	if (unlikely((entry->flags & ENTRY_MULTISHOT) && (entry->flags & (ENTRY_DEATH | ENTRY_SYNC))))
		return STATUS_BAD_ENTRY;
	if (unlikely((entry->flags & ENTRY_DEATH) && entry->interface))
		return STATUS_BAD_ENTRY;
	return question_free(ring, entry->question);
}

/* Makes the question of a wait, which hangs on the grant that it was made through. */
NO_BUFFER static struct question *wait_begin(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	struct question *question = question_begin(ring, entry, QUESTION_OBJECT, target->object);

	question->grant = target->grant;
	grant_use(question->grant);
	return question;
}

/* Waits for the end of an object. */
static void wait_death(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target)
{
	const struct object_type *type = target->object->type;
	struct question *question;
	bool ended = false;
	status_t status;

	if (!type->wait_death) {
		complete(ring, entry, STATUS_UNIMPLEMENTED, reason_detail(REASON_NO_INTERFACE, 0, 0, 0));
		return;
	}
	question = wait_begin(ring, entry, target);
	status = type->wait_death(target->object, question, &ended);
	if (status != STATUS_OK || ended)
		question_answer(question, status, 0, NULL, 0);
}

/* Waits for the end of an object, or for bits of a notification. */
NO_BUFFER static void wait_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_entry *target;
	status_t status = wait_check(ring, entry);

	if (likely(status == STATUS_OK))
		status = cap_table_lookup(&ring->process->caps, entry->target, &target);
	if (unlikely(status == STATUS_DISCONNECTED && (entry->flags & ENTRY_DEATH)))
		complete(ring, entry, STATUS_OK, 0);      /* revoked: it has ended for this holder */
	else if (unlikely(status != STATUS_OK))
		complete(ring, entry, status, lookup_detail(ring, status));
	else if (entry->flags & ENTRY_DEATH)
		wait_death(ring, entry, target);
	else if (unlikely(target->object->type != &notification_type ||
			!facet_has_interface(target->facet, NOTIFICATION_INTERFACE_ID)))
		complete(ring, entry, STATUS_UNIMPLEMENTED, reason_detail(REASON_NO_INTERFACE, 0, 0, 0));
	else
		notification_wait(container_of(target->object, struct notification, object),
				wait_begin(ring, entry, target));
}

NO_BUFFER static void signal_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct cap_entry *target;
	status_t status = cap_table_lookup(&ring->process->caps, entry->target, &target);
	uint64_t detail = lookup_detail(ring, status);

	if (status == STATUS_OK && target->object->type != &notification_type) {
		status = STATUS_UNIMPLEMENTED;
		detail = reason_detail(REASON_NO_INTERFACE, 0, 0, 0);
	}
	if (status == STATUS_OK)
		notification_signal(container_of(target->object, struct notification, object), entry->interface);
	complete(ring, entry, status, detail);
}

NO_BUFFER static void yield_perform(struct ring *ring, const struct ring_entry *entry)
{
	sched_yield();
	complete(ring, entry, STATUS_OK, 0);
}

static void park_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct park_place place;
	uint64_t detail = 0;
	status_t status = question_free(ring, entry->question);

	if (status == STATUS_OK)
		status = park_place_find(ring->process, entry, &place, &detail);
	if (status == STATUS_OK)
		status = park(ring, entry, &place, &detail);
	if (status != STATUS_OK)
		complete(ring, entry, status, detail);
	else if (entry->deadline_ns)
		question_arm_deadline(&ring->questions[entry->question]);
}

static void unpark_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct park_place place;
	uint64_t detail = 0;
	status_t status = park_place_find(ring->process, entry, &place, &detail);

	if (status == STATUS_OK)
		detail = unpark(&place, entry->msg_off);
	complete(ring, entry, status, detail);
}

static void retire_perform(struct ring *ring, const struct ring_entry *entry)
{
	struct endpoint *endpoint;
	uint64_t detail;
	status_t status = lookup_endpoint(ring, entry->target, &endpoint, &detail);

	if (status == STATUS_OK)
		status = endpoint_retire(endpoint, entry->interface, entry->deadline_ns);
	complete(ring, entry, status, detail);
}

/* --- The table ---------------------------------------------------------------------------------- */

#define ALL8 0xff
#define ALL16 0xffff
#define ALL32 0xffffffff
#define ALL64 0xffffffffffffffffull

static const struct ring_op ring_ops[] = {
	[CAP_OP_NOP] = { "nop", ENTRY_SYNC | ENTRY_QUIET, {}, nop_perform },
	[CAP_OP_CALL] = { "call",
		ENTRY_SYNC | ENTRY_KEEP | ENTRY_FAIL_FAST | ENTRY_PIPELINED,
		{ .method = ALL16, .target = ALL32, .interface = ALL64, .deadline_ns = ALL64, .msg_off = ALL32,
		  .msg_words = ALL16, .reply_off = ALL32, .reply_words = ALL16, .reply_caps = ALL8,
		  .caps_off = ALL32, .question = ALL16, .cap_count = ALL8, .path_len = ALL8,
		  .path = { ALL16, ALL16, ALL16, ALL16 } },
		call_perform },
	[CAP_OP_RECV] = { "recv", ENTRY_SYNC,
		{ .target = ALL32, .reply_off = ALL32, .reply_words = ALL16, .reply_caps = ALL8, .question = ALL16 },
		recv_perform },
	[CAP_OP_RETURN] = { "return", ENTRY_SYNC | ENTRY_EXCEPTION | ENTRY_REARM | ENTRY_QUIET,
		{ .method = ALL16, .target = ALL32, .interface = ALL64, .msg_off = ALL32, .msg_words = ALL16,
		  .reply_off = ALL32, .reply_words = ALL16, .reply_caps = ALL8, .caps_off = ALL32,
		  .question = ALL16, .cap_count = ALL8 },
		return_perform },
	[CAP_OP_FORWARD] = { "forward", ENTRY_SYNC,
		{ .method = ALL16, .target = ALL32, .interface = ALL64, .deadline_ns = ALL64, .msg_off = ALL32,
		  .msg_words = ALL16, .caps_off = ALL32, .question = ALL16, .cap_count = ALL8 },
		forward_perform },
	[CAP_OP_RELEASE] = { "release", ENTRY_SYNC | ENTRY_QUIET, { .target = ALL32 }, release_perform },
	[CAP_OP_COPY] = { "copy", ENTRY_SYNC, { .target = ALL32 }, copy_perform },
	[CAP_OP_NARROW] = { "narrow", ENTRY_SYNC, { .target = ALL32, .interface = ALL64 }, narrow_perform },
	[CAP_OP_FINISH] = { "finish", ENTRY_SYNC | ENTRY_QUIET, { .question = ALL16 }, finish_perform },
	[CAP_OP_CANCEL] = { "cancel", ENTRY_SYNC | ENTRY_QUIET, { .question = ALL16 }, cancel_perform },
	[CAP_OP_WAIT] = { "wait", ENTRY_SYNC | ENTRY_DEATH | ENTRY_MULTISHOT,
		{ .target = ALL32, .interface = ALL64, .question = ALL16 }, wait_perform },
	[CAP_OP_SIGNAL] = { "signal", ENTRY_SYNC | ENTRY_QUIET, { .target = ALL32, .interface = ALL64 },
		signal_perform },
	[CAP_OP_PARK] = { "park", ENTRY_SYNC,
		{ .target = ALL32, .interface = ALL64, .deadline_ns = ALL64, .msg_off = ALL32, .question = ALL16 },
		park_perform },
	[CAP_OP_UNPARK] = { "unpark", ENTRY_SYNC | ENTRY_QUIET,
		{ .target = ALL32, .interface = ALL64, .msg_off = ALL32 }, unpark_perform },
	[CAP_OP_YIELD] = { "yield", ENTRY_SYNC | ENTRY_QUIET, {}, yield_perform },
	[CAP_OP_RETIRE] = { "retire", ENTRY_SYNC | ENTRY_QUIET,
		{ .target = ALL32, .interface = ALL64, .deadline_ns = ALL64 }, retire_perform },
};
#define RING_OPS ARRAY_LEN(ring_ops)
STATIC_ASSERT(RING_OPS == CAP_OP_RETIRE + 1);

/* The bits that an entry of each operation must not have; made from the table at boot. */
static union entry_words forbidden[RING_OPS];

void ring_ops_init(void)
{
	for (uint32_t i = 0; i < ARRAY_LEN(ring_ops); i++) {
		ASSERT(ring_ops[i].name && ring_ops[i].perform);
		forbidden[i].entry = ring_ops[i].used;
		forbidden[i].entry.op = ALL8;
		forbidden[i].entry.flags = ring_ops[i].flags;
		forbidden[i].entry.user_data = ALL64;
		for (uint32_t word = 0; word < ENTRY_WORDS; word++)
			forbidden[i].words[word] = ~forbidden[i].words[word];
	}
}

/* Whatever else the entry says. */
static COLD void unknown_perform(struct ring *ring, const struct ring_entry *shared, uint64_t head)
{
	union entry_words taken = { .words = { head, READ_ONCE(shared->user_data) } };

	unimplemented_perform(ring, &taken.entry);
}

/* Takes an entry, reading each word once (the first, `head`, has been), and performs it. */
NO_BUFFER HOT_INLINE static inline void dispatch(struct ring *ring, const struct ring_entry *shared, uint64_t head,
		bool is_queued)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;
	uint64_t *to = ((union entry_words *)&ring->taken)->words;
	uint32_t op = head & 0xff;
	const uint64_t *mask;
	uint64_t wrong;

	if (unlikely(op >= RING_OPS)) {
		if (is_queued)
			ring_head_advance(ring);
		unknown_perform(ring, shared, head);
		return;
	}
	mask = forbidden[op].words;
	to[0] = head;
	wrong = head & mask[0];
#pragma clang loop unroll(full)
	for (uint32_t i = 1; i < ENTRY_WORDS; i++) {
		to[i] = from[i];
		wrong |= to[i] & mask[i];
		OPAQUE(wrong);      /* word by word: eight at once would not fit in the registers */
	}
	if (is_queued)
		ring_head_advance(ring);
	if (likely(!wrong))
		ring_ops[op].perform(ring, &ring->taken);
	else
		complete(ring, &ring->taken, STATUS_BAD_ENTRY, 0);
}

/* Takes up to `count` entries as long as they are NOPs without flags, and completes each where it is read; for programs that
 * measure or wake the kernel. How many. */
NO_BUFFER static uint32_t nops_perform(struct ring *ring, uint32_t count)
{
	const union entry_words *entries = (const union entry_words *)ring->sq;
	struct ring_completion *completions = ring->cq;
	uint32_t done, head = ring->sq_head, tail;

	spin_lock(&ring->lock);
	tail = ring->cq_tail;
	count = MIN(count, RING_CQ_ENTRIES - ring->in_flight - (tail - ring->cq_head_seen));
	for (done = 0; done < count; done++) {
		const volatile uint64_t *from = entries[ring_index_place(head, RING_SQ_ENTRIES)].words;
		struct ring_completion *completion = &completions[ring_index_place(tail, RING_CQ_ENTRIES)];

		if (from[0] != CAP_OP_NOP)
			break;
		completion->user_data = from[1];
		completion->status = (from[2] | from[3] | from[4] | from[5] | from[6] | from[7]) == 0 ? STATUS_OK :
				STATUS_BAD_ENTRY;
		completion->flags = 0;
		completion->cap_count = 0;
		completion->msg_words = 0;
		completion->id = 0;
		completion->detail = 0;
		head++;
		tail++;
	}
	ring->cq_tail = tail;
	STORE_RELEASE(&ring->header->cq_tail, tail);
	spin_unlock(&ring->lock);
	ring->sq_head = head;
	STORE_RELEASE(&ring->header->sq_head, head);
	return done;
}

/* A SYNC entry that is not the last, or not alone with its wish, is completed as an ordinary one. */
static COLD void misplaced(struct ring *ring, const struct ring_entry *shared)
{
	struct ring_entry entry = { .user_data = READ_ONCE(shared->user_data) };

	ring_head_advance(ring);
	complete(ring, &entry, STATUS_BAD_ENTRY, 0);
}

NO_BUFFER void ring_take_header(struct ring *ring)
{
	const struct ring_entry *shared = ring_header_entry(ring->header);
	uint64_t head = READ_ONCE(((const union entry_words *)shared)->words[0]);

	if (likely(head & (uint64_t)ENTRY_SYNC << 8))
		dispatch(ring, shared, head, false);
	else
		ring->sync_result = STATUS_BAD_ENTRY;
}

/* Between two entries: those who wait at the door come in. False: the thread was ended meanwhile, and its ring with it. */
static COLD bool others_let_in(const struct ring *ring)
{
	struct cpu *cpu = arch_cpu();
	const struct thread *thread = ring->thread;

	kernel_let_others(cpu);
	return cpu->current == thread;
}

NO_BUFFER bool ring_drain(struct ring *ring, bool sync_allowed)
{
	for (uint32_t nops, count = ring_submitted(ring); count > 0; count--) {
		const struct ring_entry *shared = &ring->sq[ring_index_place(ring->sq_head, RING_SQ_ENTRIES)];
		uint64_t head = READ_ONCE(((const union entry_words *)shared)->words[0]);
		bool sync = head & (uint64_t)ENTRY_SYNC << 8;

		if (sync && count == 1 && sync_allowed) {
			dispatch(ring, shared, head, true);
			return true;
		}
		if (unlikely(!ring_has_credit(ring)))
			break;
		if (head == CAP_OP_NOP && (nops = nops_perform(ring, count))) {
			count -= nops - 1;
			continue;
		}
		if (likely(!sync))
			dispatch(ring, shared, head, true);
		else      /* not where it may stand */
			misplaced(ring, shared);
		if (unlikely(ring->thread->state != THREAD_RUNNING))
			break;
		if (unlikely(kernel_is_wanted())) {
			if (!others_let_in(ring))
				break;
			count = MIN(count, ring_submitted(ring) + 1);
		}
	}
	return false;
}

uint32_t ring_take(struct ring *ring, uint32_t most)
{
	uint32_t submitted = ring_submitted(ring), taken;

	for (taken = 0; taken < MIN(submitted, most); taken++) {
		const struct ring_entry *shared = &ring->sq[ring_index_place(ring->sq_head, RING_SQ_ENTRIES)];
		uint64_t head = READ_ONCE(((const union entry_words *)shared)->words[0]);
		bool sync = head & (uint64_t)ENTRY_SYNC << 8;

		if ((sync && taken + 1 == submitted) || !ring_has_credit(ring))
			break;
		if (unlikely(sync))
			misplaced(ring, shared);
		else
			dispatch(ring, shared, head, true);
		if (unlikely(ring->thread->state == THREAD_ENDED))
			break;
	}
	ring_tell(ring);
	return taken;
}
