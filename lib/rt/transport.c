/*
 * The ring as a transport of typed clients.
 *
 * A question's span holds, one after the other: parameters, transfer descriptors, capability
 * records of the answer, the answer. Spans of usual size stay with the question after the call,
 * so that the next call with that number takes no search; they are given up when the arena runs
 * short.
 *
 *   QUESTION_FREE -begin-> BUILDING -send-> SENT -completion-> ANSWERED -done-> FREE
 *
 * Calls on places in answers that are still to come (pipelining) are sent at once: the kernel holds them. A capability that
 * is still to come and goes along as an argument is waited for here.
 *
 * The way of a blocking call is straight; what is rare stands in functions of its own (COLD), so
 * that it costs the others not even a register.
 */
#include "rt/transport.h"

#include <string.h>

#include "rt/capability.h"
#include "rt/panic.h"
#include "rt/self.h"
#include "rt/slots.h"

/* Spans up to this size stay with their question. */
#define SPAN_KEPT_WORDS 320u
#define DESCRIPTOR_WORDS ((uint32_t)(sizeof(struct cap_descriptor) / 8))
#define SCALARS_WORDS ((uint32_t)(sizeof(struct client_scalars) / 8))
#define RECORD_WORDS ((uint32_t)(sizeof(struct cap_record) / 8))

static void question_ready(struct ring_operation *operation);

struct transport *transport_self(void)
{
	return &thread_self()->transport.transport;
}

static struct ring_transport *transport_of(struct transport *transport)
{
	return container_of(transport, struct ring_transport, transport);
}

static struct question *question_of(struct transport *transport, uint32_t number)
{
	struct question *question;

	DEBUG_ASSERT(number < RING_QUESTIONS_MAX);
	question = &transport_of(transport)->questions[number];
	DEBUG_ASSERT(question->state != QUESTION_FREE);
	return question;
}

/* --- Spans ---------------------------------------------------------------------------------- */

static RARE void question_drop_span(struct ring *ring, struct question *question)
{
	if (question->span_words != 0)
		ring_span_give(ring, question->span_off, question->span_words);
	question->span_words = 0;
}

static void drop_kept_spans(struct ring_transport *self)
{
	uint32_t i;

	for (i = 0; i < RING_QUESTIONS_MAX; i++) {
		if (self->questions[i].state == QUESTION_FREE)
			question_drop_span(self->ring, &self->questions[i]);
	}
}

static COLD bool question_take_span(struct ring_transport *self, struct question *question,
		uint32_t words)
{
	question_drop_span(self->ring, question);
	if (!ring_span_take(self->ring, words, &question->span_off)) {
		drop_kept_spans(self);
		if (!ring_span_take(self->ring, words, &question->span_off))
			return false;
	}
	question->span_words = words;
	question->entry = (struct ring_entry){
		.op = CAP_OP_CALL,
		.user_data = (uint64_t)(uintptr_t)&question->operation,
		.question = (uint16_t)(question - self->questions),
	};
	return true;
}

/* --- The life of a call --------------------------------------------------------------------- */

/* Whether the question has its span; takes one if need be. */
static inline bool question_has_span(struct ring_transport *self, struct question *question,
		uint32_t words)
{
	return likely(question->span_words >= words) || question_take_span(self, question, words);
}

static status_t transport_begin(struct transport *transport, const struct client_begin *what,
		uint32_t *number)
{
	struct ring_transport *self = transport_of(transport);
	struct ring *ring = self->ring;
	uint16_t taken = ring_question_take(ring);
	struct question *question;
	/* A message of one word is a root without anything in it. */
	uint32_t caps_words = what->params_words > 1 ? TRANSPORT_PARAM_CAPS * DESCRIPTOR_WORDS : 0;
	uint32_t reply_caps = (what->flags & CLIENT_PLAIN_RESULTS) != 0 ? 0 : TRANSPORT_REPLY_CAPS;
	uint32_t reply_at = what->params_words + caps_words;

	/* References of another thread's go through its ring. */
	DEBUG_ASSERT(ring == ring_self());
	if (unlikely(taken == RING_NO_QUESTION))
		return STATUS_OVERLOADED;
	question = &self->questions[taken];
	if (unlikely(what->params_words > MESSAGE_WORDS_MAX || what->reply_words > MESSAGE_WORDS_MAX ||
			!question_has_span(self, question, reply_at + reply_caps * RECORD_WORDS +
					what->reply_words))) {
		ring_question_give(ring, taken);
		return STATUS_OVERLOADED;
	}
	question->state = QUESTION_BUILDING;
	question->status = STATUS_OK;
	question->then = NULL;
	question->operation.ready = NULL;
	question->base.transport = NULL;
	if (unlikely(client_ref_is_pipelined(what->target)))
		question->base = what->target;
	question->entry.method = what->method;
	question->entry.target = what->target.target;
	question->entry.interface = what->interface_id;
	question->entry.reply_off = question->span_off + reply_at;
	question->entry.reply_words = (uint16_t)what->reply_words;
	question->entry.reply_caps = (uint8_t)reply_caps;
	capnp_builder_init(&question->params, ring_words_at(ring, question->span_off),
			what->params_words, question->param_slots, caps_words / DESCRIPTOR_WORDS);
	*number = taken;
	return STATUS_OK;
}

static struct capnp_builder *transport_params(struct transport *transport, uint32_t number)
{
	return &question_of(transport, number)->params;
}

static RARE void question_read_records(struct question *question, const uint64_t *records,
		uint32_t count)
{
	records_read((const struct cap_record *)(const void *)records, question->reply_slots, count);
}

/* The detail goes with the kernel's refusals; where the server answered there is none. */
static COLD void question_note(struct question *question, uint64_t detail)
{
	question->detail = question->has_message ? 0 : detail;
	detail_note(question->detail);
}

/* What the reply slot or the completion queue said, as the answer of the question. */
static inline void question_answer(const struct ring_transport *self, struct question *question,
		const struct ring_completion *completion)
{
	const uint64_t *records = ring_words_at(self->ring, question->entry.reply_off);
	uint32_t count = MIN(completion->cap_count, question->entry.reply_caps);

	question->state = QUESTION_ANSWERED;
	question->status = completion->status;
	question->has_message = completion->status == STATUS_OK ||
			(completion->flags & COMPLETION_EXCEPTION) != 0;
	if (unlikely(completion->status != STATUS_OK))
		question_note(question, completion->detail);
	if (unlikely(count != 0))
		question_read_records(question, records, count);
	capnp_message_init(&question->reply, records + question->entry.reply_caps * RECORD_WORDS,
			MIN(completion->msg_words, question->entry.reply_words),
			question->reply_slots, count);
}

static status_t transport_wait(struct transport *transport, uint32_t number)
{
	struct ring_transport *self = transport_of(transport);
	struct question *question = question_of(transport, number);
	struct ring *ring = self->ring;

	if (question->state == QUESTION_ANSWERED)
		return question->status;
	DEBUG_ASSERT(question->state == QUESTION_SENT);
	if (ring_is_last(ring, question->entry_tail) && question->then == NULL) {
		question_answer(self, question, ring_sync(ring, &question->operation));
	} else {
		ring_wait(ring, &question->operation);
		question_answer(self, question, &question->operation.completion);
	}
	return question->status;
}

/* The capability at a place in an answer, waiting for the answer. */
static COLD status_t place_settle(const struct client_ref *ref, uint32_t *capability)
{
	const struct question *question;
	struct capnp_message reply;
	struct capnp_struct_reader at;
	const struct capnp_cap_slot *slot;
	status_t status;
	uint8_t hop;

	status = transport_wait(ref->transport, ref->question);
	if (status != STATUS_OK)
		return status;
	question = question_of(ref->transport, ref->question);
	/* A copy: walking there again and again does not use up what may be read. */
	reply = question->reply;
	at = capnp_any_struct(capnp_root(&reply));
	for (hop = 0; hop + 1 < ref->path_len; hop++)
		at = capnp_any_struct(capnp_pointer(at, ref->path[hop]));
	slot = capnp_cap_slot(
			&reply, capnp_any_cap(capnp_pointer(at, ref->path[ref->path_len - 1])));
	if (slot == NULL || slot->kind != SLOT_OWNED)
		return STATUS_BAD_CAPABILITY;
	*capability = slot->id;
	return STATUS_OK;
}

/* An answer under way, which the kernel keeps, can be named before it is there. */
static bool is_under_way(const struct client_ref *place)
{
	const struct question *base = question_of(place->transport, place->question);

	return base->state == QUESTION_SENT && (base->entry.flags & ENTRY_KEEP) != 0;
}

/* What is to be sent of a place in an answer: the kernel waits for it, or it is there. */
static COLD status_t place_slot(const struct client_ref *place, struct capnp_cap_slot *slot)
{
	if (!is_under_way(place)) {
		slot->kind = SLOT_COPY;
		return place_settle(place, &slot->id);
	}
	*slot = (struct capnp_cap_slot){ .kind = SLOT_ANSWER, .id = place->question,
		.path_len = place->path_len };
	memcpy(&slot->path, place->path, sizeof(slot->path));
	return STATUS_OK;
}

static struct capnp_cap transport_put(struct transport *transport, uint32_t number,
		const struct client_ref *ref, bool is_given)
{
	struct question *question = question_of(transport, number);
	struct capnp_cap_slot slot = { .kind = is_given ? SLOT_MOVE : SLOT_COPY,
		.id = ref->target };
	status_t status = STATUS_OK;

	if (client_ref_is_pipelined(*ref))
		status = place_slot(ref, &slot);
	if (status != STATUS_OK) {
		if (question->status == STATUS_OK)
			question->status = status;
		return CAPNP_CAP_NULL;
	}
	return capnp_builder_add_cap(&question->params, slot);
}

/* The place in an answer that is called. Where the answer is under way the kernel holds the call until it is there. */
static COLD status_t question_target(struct question *question)
{
	const struct client_ref *place = &question->base;
	struct ring_entry *entry = &question->entry;

	if (!is_under_way(place))
		return place_settle(place, &entry->target);
	entry->flags |= ENTRY_PIPELINED;
	entry->target = place->question;
	entry->path_len = place->path_len;
	memcpy(entry->path, place->path, sizeof(entry->path));
	return STATUS_OK;
}

/* Finds the place that is called, and writes descriptors: what only some calls need. */
static COLD status_t question_prepare(struct ring *ring, struct question *question)
{
	const struct capnp_builder *params = &question->params;
	status_t status = question->status;

	if (status == STATUS_OK && question->base.transport != NULL)
		status = question_target(question);
	if (status != STATUS_OK || params->cap_count == 0)
		return status;
	question->entry.cap_count = (uint8_t)params->cap_count;
	question->entry.caps_off = question->span_off + params->capacity;
	descriptors_write((struct cap_descriptor *)(void *)ring_words_at(ring,
					  question->entry.caps_off),
			question->param_slots, params->cap_count);
	return STATUS_OK;
}

/* Makes the question's entry say all that is to be sent. */
static inline status_t question_fill(struct ring *ring, struct question *question, uint64_t deadline_ns)
{
	struct ring_entry *entry = &question->entry;

	DEBUG_ASSERT(question->state == QUESTION_BUILDING);
	entry->deadline_ns = deadline_ns;
	entry->msg_words = (uint16_t)question->params.used;
	entry->msg_off = question->params.used != 0 ? question->span_off : 0;
	entry->cap_count = 0;
	entry->caps_off = 0;
	question->operation.done = false;
	if (unlikely(question->status != STATUS_OK || question->base.transport != NULL ||
			question->params.cap_count != 0))
		return question_prepare(ring, question);
	return STATUS_OK;
}

/* The answer of a call that is not waited for at once can be called upon while it is under way. */
static status_t transport_send(struct transport *transport, uint32_t number, uint64_t deadline_ns)
{
	struct question *question = question_of(transport, number);
	struct ring *ring = transport_of(transport)->ring;
	status_t status;

	if (question->entry.reply_caps != 0)
		question->entry.flags = ENTRY_KEEP;
	status = question_fill(ring, question, deadline_ns);
	if (status != STATUS_OK)
		return status;
	ring_put(ring, &question->entry);
	question->entry_tail = ring->header->sq_tail;
	question->state = QUESTION_SENT;
	ring_hand_over(ring);
	return STATUS_OK;
}

/* Nothing comes between sending and waiting here, so the entry needs no place in the queue. */
static status_t transport_ask(struct transport *transport, uint32_t number, uint64_t deadline_ns,
		struct capnp_message **results)
{
	struct ring_transport *self = transport_of(transport);
	struct question *question = question_of(transport, number);
	status_t status = question->params.status;

	if (likely(status == STATUS_OK))
		status = question_fill(self->ring, question, deadline_ns);
	if (unlikely(status != STATUS_OK))
		return status;
	ring_put_sync(self->ring, &question->entry);
	(void)ring_enter_sync(self->ring);
	question_answer(self, question, ring_reply(self->ring));
	if (likely(question->status == STATUS_OK))
		*results = &question->reply;
	return question->status;
}

/* --- Scalar calls --------------------------------------------------------------------------- */

/* What an answer other than the expected comes to: a failure, or results of a server that is
 * older, newer or wrong. */
static COLD status_t scalar_call_finish(struct transport *transport, const struct client_scalar_method *method,
		status_t status)
{
	struct ring *ring = transport_of(transport)->ring;
	const struct ring_completion *reply = ring_reply(ring);

	if (status == STATUS_NO_CREDIT)
		status = ring_enter_again(ring, ENTER_SYNC);
	if (status == STATUS_OK)
		return client_scalar_fit(transport, MIN(reply->msg_words, CLIENT_SCALAR_RESULTS_WORDS),
				method->results_words);
	detail_note((reply->flags & COMPLETION_EXCEPTION) == 0 ? reply->detail : 0);
	return status;
}

/* The entry that stands in the header, of which only what differs from call to call is set, and one
 * system call. */
static status_t transport_ask_scalars(struct transport *transport, uint32_t target,
		const struct client_scalar_method *method)
{
	struct ring_transport *self = transport_of(transport);
	struct ring_entry *entry = ring_standing(self->ring, &self->scalar_call);
	status_t status;

	DEBUG_ASSERT(self->ring == ring_self());
	entry->method = method->method;
	entry->target = target;
	entry->interface = method->interface_id;
	entry->msg_words = method->params_words;
	status = (status_t)cap_enter(ENTER_SYNC, 0, 0);
	if (likely(status == STATUS_OK && ring_reply(self->ring)->msg_words > method->results_words &&
			transport->scalars->results[0] == method->results_root))
		return STATUS_OK;
	return scalar_call_finish(transport, method, status);
}

/* Their question and their words are kept from the start. */
static void scalar_calls_prepare(struct ring_transport *self, struct ring *ring)
{
	uint16_t question = ring_question_take(ring);
	uint32_t off = 0;
	bool has_span = ring_span_take(ring, SCALARS_WORDS, &off);

	ASSERT(has_span && question != RING_NO_QUESTION);
	self->transport.scalars = (struct client_scalars *)(void *)ring_words_at(ring, off);
	self->scalar_call = (struct ring_entry){
		.op = CAP_OP_CALL,
		.flags = ENTRY_SYNC,
		.question = question,
		.msg_off = off,
		.reply_off = off + CLIENT_SCALAR_PARAMS_WORDS,
		.reply_words = CLIENT_SCALAR_RESULTS_WORDS,
	};
}

static bool transport_await(struct transport *transport, uint32_t number, uint32_t together,
		uint64_t deadline_ns)
{
	struct ring *ring = transport_of(transport)->ring;
	const struct question *question = question_of(transport, number);

	if (question->state != QUESTION_SENT)
		return true;
	if (deadline_ns != CLIENT_NO_WAIT)
		return ring_wait_until(ring, &question->operation, MAX(together, 1u), deadline_ns);
	ring_reap(ring);
	return question->operation.done;
}

static bool transport_is_answered(struct transport *transport, uint32_t number)
{
	struct ring *ring = transport_of(transport)->ring;
	const struct question *question = question_of(transport, number);

	if (question->state != QUESTION_SENT)
		return true;
	if (unlikely(ring_is_polled(ring)))
		ring_kick(ring);
	else
		ring_submit(ring);
	ring_reap(ring);
	return question->operation.done;
}

static struct capnp_message *transport_results(struct transport *transport, uint32_t number)
{
	struct question *question = question_of(transport, number);

	if (question->state != QUESTION_ANSWERED || !question->has_message)
		return NULL;
	return &question->reply;
}

static uint64_t transport_detail(struct transport *transport, uint32_t number)
{
	const struct question *question = question_of(transport, number);

	if (question->state != QUESTION_ANSWERED || question->status == STATUS_OK)
		return 0;
	return question->detail;
}

static status_t transport_take(struct transport *transport, uint32_t number, struct capnp_cap cap,
		uint32_t *target)
{
	struct question *question = question_of(transport, number);
	struct capnp_cap_slot *slot;

	*target = 0;
	if (question->state != QUESTION_ANSWERED || cap.index >= question->reply.cap_count)
		return STATUS_BAD_CAPABILITY;
	slot = &question->reply_slots[cap.index];
	if (slot->kind != SLOT_OWNED)
		return STATUS_BAD_CAPABILITY;
	*target = slot->id;
	slot->kind = SLOT_TAKEN;
	return STATUS_OK;
}

/* --- Callbacks, cancelling, ending ---------------------------------------------------------- */

static void question_ready(struct ring_operation *operation)
{
	struct question *question = container_of(operation, struct question, operation);
	struct ring_transport *self = &thread_self()->transport;
	client_then_fn *then = question->then;
	struct client_call call = {
		.transport = &self->transport,
		.question = (uint32_t)(question - self->questions),
	};

	question->then = NULL;
	if (question->state == QUESTION_SENT)
		question_answer(self, question, &operation->completion);
	call.status = question->status;
	then(question->then_arg, &call);
}

static status_t transport_then(struct transport *transport, uint32_t number, client_then_fn *then,
		void *arg)
{
	struct question *question = question_of(transport, number);

	ASSERT(question->then == NULL && question->state != QUESTION_BUILDING);
	question->then = then;
	question->then_arg = arg;
	ring_set_ready(transport_of(transport)->ring, &question->operation, question_ready);
	return STATUS_OK;
}

static void transport_cancel(struct transport *transport, uint32_t number)
{
	const struct question *question = question_of(transport, number);
	struct ring *ring = transport_of(transport)->ring;

	if (question->state != QUESTION_SENT || question->operation.done)
		return;
	ring_entry(ring, CAP_OP_CANCEL, NULL)->question = (uint16_t)number;
	ring_push(ring);
}

/* What has to happen first when a call is ended early. */
static RARE void question_abandon(struct transport *transport, struct question *question,
		uint32_t number)
{
	if (question->then != NULL) {
		question->then = NULL;
		ring_set_ready(transport_of(transport)->ring, &question->operation, NULL);
	}
	if (question->state == QUESTION_SENT) {
		transport_cancel(transport, number);
		(void)transport_wait(transport, number);
	}
}

/* Ends an answer that the kernel keeps, and leaves the entry as the next call expects it. */
static RARE void question_finish(struct ring *ring, struct question *question)
{
	struct ring_entry *entry;

	if ((question->entry.flags & ENTRY_KEEP) != 0 && question->state == QUESTION_ANSWERED) {
		entry = ring_entry(ring, CAP_OP_FINISH, NULL);
		entry->flags = ENTRY_QUIET;
		entry->question = question->entry.question;
		ring_push(ring);
	}
	question->entry.flags = 0;
	question->entry.path_len = 0;
	memset(question->entry.path, 0, sizeof(question->entry.path));
}

static RARE void question_release_slots(struct question *question)
{
	slots_release(question->reply_slots, question->reply.cap_count);
}

static void transport_done(struct transport *transport, uint32_t number)
{
	struct ring_transport *self = transport_of(transport);
	struct question *question = question_of(transport, number);

	if (unlikely(question->then != NULL || question->state == QUESTION_SENT))
		question_abandon(transport, question, number);
	if (question->state == QUESTION_ANSWERED && unlikely(question->reply.cap_count != 0))
		question_release_slots(question);
	if (unlikely(question->entry.flags != 0))
		question_finish(self->ring, question);
	question->state = QUESTION_FREE;
	if (unlikely(question->span_words > SPAN_KEPT_WORDS))
		question_drop_span(self->ring, question);
	ring_question_give(self->ring, (uint16_t)number);
}

static status_t transport_copy(struct transport *transport, uint32_t target, uint32_t *copy)
{
	return rt_copy(target, copy);
}

static void transport_release(struct transport *transport, uint32_t target)
{
	rt_release(target);
}

static const struct transport_ops ring_transport_ops = {
	.begin = transport_begin,
	.params = transport_params,
	.put = transport_put,
	.send = transport_send,
	.wait = transport_wait,
	.ask = transport_ask,
	.ask_scalars = transport_ask_scalars,
	.await = transport_await,
	.is_answered = transport_is_answered,
	.results = transport_results,
	.detail = transport_detail,
	.take = transport_take,
	.then = transport_then,
	.cancel = transport_cancel,
	.done = transport_done,
	.copy = transport_copy,
	.release = transport_release,
};

void ring_transport_init(struct ring_transport *self, struct ring *ring)
{
	self->transport.ops = &ring_transport_ops;
	self->ring = ring;
	scalar_calls_prepare(self, ring);
}
