/*
 * Servers: the one receive of each endpoint, what arrives by it, and the returns.
 *
 * A call that is answered by its handler and gives no capability away is returned and the receive
 * armed again by one entry; if nothing else is waited for, that entry is SYNC, so that kernel and
 * caller can switch directly. All other returns are entries of their own whose completions are
 * looked at, because a return that fails leaves given capabilities here.
 *
 * Always true: a server's receive is armed, or its completion is being handled, or it is closed.
 * Words of results stay untouched until a later completion shows that the kernel has read them.
 */
#include "rt/panic.h"
#include "rt/server_internal.h"
#include "rt/slots.h"

#define HEADER_WORDS ((uint32_t)(sizeof(struct recv_header) / 8))
#define RECORDS_WORDS (SERVER_MESSAGE_CAPS * (uint32_t)(sizeof(struct cap_record) / 8))
#define DESCRIPTORS_WORDS (SERVER_MESSAGE_CAPS * (uint32_t)(sizeof(struct cap_descriptor) / 8))
#define RECEIVE_WORDS (HEADER_WORDS + RECORDS_WORDS + SERVER_MESSAGE_WORDS)

static void receive_ready(struct ring_operation *operation);

/* The entry that is to arm the receive, filled except for what else it does. Where nothing else is
 * waited for it is the one in the header, and is entered before anything else is. */
static struct ring_entry *receive_entry(struct server *server, uint8_t op)
{
	struct ring *ring = ring_self();
	struct loop *loop = server->loop;
	bool alone = loop_is_alone(loop, ring);
	struct ring_entry *entry = alone ? ring_entry_sync(ring, op) : ring_entry(ring, op, &server->receive);

	DEBUG_ASSERT(!server->armed);
	if (CONFIG_DEBUG)
		server->armed = true;
	entry->target = server->endpoint;
	entry->question = server->question;
	entry->reply_off = server->receive_off;
	entry->reply_words = SERVER_MESSAGE_WORDS;
	entry->reply_caps = SERVER_MESSAGE_CAPS;
	if (alone) {
		loop->sync_server = server;
		return entry;
	}
	ring_set_ready(ring, &server->receive, receive_ready);
	return entry;
}

/* Hands it over when it has been filled. */
static void receive_push(const struct server *server)
{
	if (server->loop->sync_server != server)
		ring_push(ring_self());
}

static void server_arm(struct server *server)
{
	if (!server->closed) {
		(void)receive_entry(server, CAP_OP_RECV);
		receive_push(server);
	}
}

/* --- Returns -------------------------------------------------------------------------------- */

/* Adds the answer to a return entry. */
static void answer_fill(struct ring_entry *entry, const struct call *call, status_t status)
{
	const struct capnp_builder *results = &call->results;
	uint32_t off;

	entry->interface = call->id;
	if (unlikely(status != STATUS_OK)) {
		entry->flags |= ENTRY_EXCEPTION;
		entry->method = (uint16_t)status;
		if (!call->failed_in_words)
			return;
	}
	off = (uint32_t)(results->words - ring_self()->words);
	entry->msg_words = (uint16_t)results->used;
	entry->msg_off = results->used != 0 ? off : 0;
	if (results->cap_count == 0)
		return;
	entry->cap_count = (uint8_t)results->cap_count;
	entry->caps_off = off + results->capacity;
	descriptors_write((struct cap_descriptor *)(void *)(results->words + results->capacity),
			call->result_slots, results->cap_count);
}

static bool gives_away(const struct call *call)
{
	uint32_t i;

	for (i = 0; i < call->results.cap_count; i++) {
		if (call->result_slots[i].kind == SLOT_MOVE)
			return true;
	}
	return false;
}

static COLD void call_returned(struct ring_operation *operation)
{
	struct call *call = container_of(operation, struct call, operation);
	status_t status = operation->completion.status;
	uint32_t i;

	if (status == STATUS_OK) {
		for (i = 0; i < call->results.cap_count; i++)
			call->result_slots[i].kind = SLOT_NULL;
	}
	if (status == STATUS_OK || status == STATUS_GONE || call->is_refusal) {
		call_close(call);
		return;
	}
	/* The answer was not acceptable (no room for its capabilities, say): say at least that. */
	call_drop_results(call);
	call->is_refusal = true;
	server_return(call, status > STATUS_OK ? status : STATUS_FAILED, false);
}

void server_settle(struct server *server)
{
	struct ring *ring = ring_self();
	uint32_t i;

	ring_submit(ring);
	ring_reap(ring);
	for (i = 0; i < SERVER_CALLS; i++) {
		struct call *call = &server->calls[i];

		if (call->state != CALL_RETURNING || !call->operation.done)
			continue;
		ring_set_ready(ring, &call->operation, NULL);
		call_returned(&call->operation);
	}
}

static COLD void return_alone(struct call *call, status_t status)
{
	struct ring *ring = ring_self();
	struct ring_entry *entry = ring_entry(ring, CAP_OP_RETURN, &call->operation);

	entry->target = call->server->endpoint;
	answer_fill(entry, call, status);
	ring_push(ring);
	call->state = CALL_RETURNING;
	ring_set_ready(ring, &call->operation, call_returned);
}

/* What most calls come to, where nothing else is waited for: the entry that stands in the
 * header, of which only the call and the answer's size are new. The call is as ready as it was. */
static inline void answer_at_once(struct server *server, const struct call *call)
{
	struct ring_entry *entry = ring_standing(ring_self(), &server->rearm);

	entry->interface = server->call_id;
	entry->msg_words = (uint16_t)call->results.used;
	if (CONFIG_DEBUG)
		server->armed = true;
}

/* Keeps a span of the call's own until the kernel has read it. */
static void return_and_receive(struct call *call, status_t status)
{
	struct server *server = call->server;
	struct ring_entry *entry = receive_entry(server, CAP_OP_RETURN);

	entry->flags |= ENTRY_REARM;
	answer_fill(entry, call, status);
	receive_push(server);
	DEBUG_ASSERT(server->sent_words == 0);
	server->sent_off = call->span_off;
	server->sent_words = call->span_words;
	server->call_id = call->id;
	call->span_words = 0;
	call->results.cap_count = 0;
	call_close(call);
}

void server_return(struct call *call, status_t status, bool rearm)
{
	struct server *server = call->server;

	if (rearm && !gives_away(call) && !server->loop->stopped) {
		return_and_receive(call, status);
		return;
	}
	return_alone(call, status);
	if (rearm)
		server_arm(server);
}

/* Refuses a call for which there is no `struct call`, or whose return was refused. That such a
 * return is refused in turn changes nothing here. */
static COLD void refuse(struct server *server, uint32_t call_id, status_t status)
{
	struct ring_entry *entry = receive_entry(server, CAP_OP_RETURN);

	entry->flags |= ENTRY_REARM | ENTRY_EXCEPTION;
	entry->interface = call_id;
	entry->method = (uint16_t)status;
	receive_push(server);
	server->call_id = 0;
}

/* --- What arrives --------------------------------------------------------------------------- */

static COLD void params_read_records(struct server *server, uint32_t count)
{
	const void *records = server->params.words - RECORDS_WORDS;

	ASSERT(count <= SERVER_MESSAGE_CAPS);
	records_read(records, server->param_slots, count);
	server->params.cap_count = count;
}

/* The kernel delivers no more than the receive offered. */
static inline void params_open(struct server *server, uint32_t words)
{
	DEBUG_ASSERT(words <= SERVER_MESSAGE_WORDS);
	capnp_message_resize(&server->params, words);
}

static COLD void params_close(struct server *server)
{
	if (server->params.cap_count != 0)
		slots_release(server->param_slots, server->params.cap_count);
	capnp_message_restart(&server->params, 0, 0);
}

static COLD const struct server_object *object_seek(struct server *server, uint64_t tag)
{
	const struct server_object *object = server_object_find(server, tag);

	if (object != NULL)
		server->recent = object;
	return object;
}

/* Runs the handler of a call with its parameters opened. */
static inline status_t call_handle(struct server *server, struct call *call, const struct recv_header *header)
{
	const struct server_object *object = server->recent;

	if (unlikely(object->tag != header->tag)) {
		object = object_seek(server, header->tag);
		if (object == NULL)
			return STATUS_DISCONNECTED;
	}
	return object->class->dispatch(object->self, call, header->interface, header->method);
}

/* Whether a call came to what most come to: results that fit, without capabilities, and nothing
 * else to wait for. */
static inline bool is_plain_answer(const struct loop *loop, const struct server *server, const struct call *call,
		const struct ring *ring, status_t status)
{
	uint32_t unusual = (uint32_t)(status | call->results.status | server->params.status) | call->is_unusual |
			ring->awaited | loop->is_busy;

	return unusual == 0 && call->results.used != 0;
}

static COLD void handler_done(struct server *server, struct call *call, status_t status)
{
	server->handling = NULL;
	if (call->state == CALL_HANDLING) {
		call->id = server->call_id;
		server_return(call, call_outcome(call, status), true);
	} else {
		server_arm(server);
	}
	params_close(server);
	(void)call_next(server);
	server->is_unready = server->handling == NULL || server->sent_words != 0;
}

void server_params_reset(struct server *server)
{
	capnp_message_init(&server->params,
			ring_words_at(ring_self(),
					server->receive_off + HEADER_WORDS + RECORDS_WORDS),
			0, server->param_slots, 0);
}

static COLD void call_refuse_overload(struct server *server, uint32_t call_id)
{
	params_close(server);
	refuse(server, call_id, STATUS_OVERLOADED);
}

/* Results that are longer than the server's own span get one when they are asked for. */
static COLD void results_postpone(struct call *call)
{
	call->is_unusual = true;
	call->has_results = false;
}

static inline void call_open(struct server *server, struct call *call, uint32_t reply_words,
		const struct ring_completion *completion)
{
	server->call_id = completion->id;
	params_open(server, completion->msg_words);
	call->results.capacity = reply_words;
	call->results.used = 0;
}

/* Any call, beside whatever else the loop does. */
static void handle_call(struct server *server, const struct recv_header *header,
		const struct ring_completion *completion)
{
	struct call *call = call_next(server);
	status_t status;

	if (header->cap_count != 0)
		params_read_records(server, header->cap_count);
	if (call == NULL) {
		call_refuse_overload(server, completion->id);
		return;
	}
	call_open(server, call, header->reply_words, completion);
	if (header->reply_words > SERVER_RESULTS_WORDS)
		results_postpone(call);
	status = call_handle(server, call, header);
	if (is_plain_answer(server->loop, server, call, ring_self(), status)) {
		params_close(server);
		server->is_unready = false;
		answer_at_once(server, call);
		server->loop->sync_server = server;
	} else {
		handler_done(server, call, status);
	}
}

static COLD void handle_cancelled(struct server *server, uint32_t call_id)
{
	uint32_t i;

	for (i = 0; i < SERVER_CALLS; i++) {
		struct call *call = &server->calls[i];

		if ((call->state != CALL_DEFERRED && call->state != CALL_WAITING) ||
				call->id != call_id)
			continue;
		call->cancelled = true;
		if (call->state == CALL_WAITING) {
			server_waiting_cancelled(call);
			return;
		}
		if (call->on_cancel != NULL)
			call->on_cancel(call, call->context);
		return;
	}
}

static COLD void handle_event(struct server *server, const struct recv_header *header,
		uint32_t call_id)
{
	if (header->kind == RECV_KIND_NO_HOLDERS)
		server_object_retire(server, header->tag, header->sequence);
	else if (header->kind == RECV_KIND_CANCELLED)
		handle_cancelled(server, call_id);
	server_arm(server);
}

static COLD void server_close(struct server *server)
{
	const struct server *other;

	server->closed = true;
	for (other = server->loop->servers; other != NULL; other = other->next) {
		if (!other->closed)
			return;
	}
	loop_stop(server->loop, STATUS_DISCONNECTED);
}

static COLD void return_refused(struct server *server)
{
	if (server->call_id != 0)
		refuse(server, server->call_id, STATUS_FAILED);
	else
		server_arm(server);
}

static COLD void receive_failed(struct server *server, const struct ring_completion *completion)
{
	bool is_return = (completion->flags & COMPLETION_RETURN) != 0;

	if (is_return && completion->status != STATUS_BAD_CAPABILITY)
		return_refused(server);
	else
		server_close(server);
}

static COLD void sent_span_give(struct server *server)
{
	ring_span_give(ring_self(), server->sent_off, server->sent_words);
	server->sent_words = 0;
	server->is_unready = server->handling == NULL;
}

static void server_received(struct server *server, const struct ring_completion *completion)
{
	const struct recv_header *header = server->header;

	if (CONFIG_DEBUG)
		server->armed = false;
	if (unlikely(server->sent_words != 0))
		sent_span_give(server);
	if (unlikely(completion->status != STATUS_OK))
		receive_failed(server, completion);
	else if (likely(header->kind == RECV_KIND_CALL))
		handle_call(server, header, completion);
	else
		handle_event(server, header, completion->id);
}

static void receive_ready(struct ring_operation *operation)
{
	struct server *server = container_of(operation, struct server, receive);

	server_received(server, &operation->completion);
}

/* The first word of the header of a call that carries no capabilities: kind, flags, method,
 * capabilities. */
#define HEAD_OF_PLAIN_CALL ((uint64_t)RECV_KIND_CALL)
#define HEAD_METHOD        (0xffffull << 32)

static COLD void unusual_received(struct loop *loop, struct server *server, struct ring *ring, status_t received)
{
	if (received == STATUS_NO_CREDIT)
		(void)ring_enter_again(ring, ENTER_SYNC);
	loop->sync_server = NULL;
	server_received(server, ring_reply(ring));
}

/* What most receives that are waited for alone come to: a call that is answered at once. False
 * if it was anything else; that is done then, and the loop knows what it waits for. */
static HOT_INLINE inline bool serve_plain_call(struct loop *loop, struct server *server, struct ring *ring,
		status_t received)
{
	const struct recv_header *header = server->header;
	struct call *call = server->handling;
	uint32_t reply_words = header->reply_words;
	uint64_t head;
	status_t status;

	__builtin_memcpy(&head, header, sizeof(head));

	if (unlikely(((uint32_t)received | server->is_unready) != 0 || (head & ~HEAD_METHOD) != HEAD_OF_PLAIN_CALL ||
			reply_words > SERVER_RESULTS_WORDS)) {
		unusual_received(loop, server, ring, received);
		return false;
	}
	if (CONFIG_DEBUG)
		server->armed = false;
	call_open(server, call, reply_words, ring_reply(ring));
	status = call_handle(server, call, header);
	if (likely(is_plain_answer(loop, server, call, ring, status))) {
		answer_at_once(server, call);
		return true;
	}
	loop->sync_server = NULL;
	handler_done(server, call, status);
	return false;
}

void server_serve_alone(struct loop *loop)
{
	struct ring *ring = ring_self();
	struct server *server;

	while ((server = loop->sync_server) != NULL) {
		while (likely(serve_plain_call(loop, server, ring, (status_t)cap_enter(ENTER_SYNC, 0, 0))))
			;
	}
}

/* --- Starting ------------------------------------------------------------------------------- */

static bool server_take_spans(struct server *server, struct ring *ring)
{
	server->question = ring_question_take(ring);
	if (server->question == RING_NO_QUESTION)
		return false;
	if (!ring_span_take(ring, RECEIVE_WORDS, &server->receive_off))
		goto undo_question;
	if (!ring_span_take(ring, SERVER_RESULTS_WORDS + DESCRIPTORS_WORDS, &server->results_off))
		goto undo_receive;
	return true;
undo_receive:
	ring_span_give(ring, server->receive_off, RECEIVE_WORDS);
undo_question:
	ring_question_give(ring, server->question);
	return false;
}

static void server_give_spans(struct server *server, struct ring *ring)
{
	ring_span_give(ring, server->results_off, SERVER_RESULTS_WORDS + DESCRIPTORS_WORDS);
	ring_span_give(ring, server->receive_off, RECEIVE_WORDS);
	ring_question_give(ring, server->question);
}

status_t loop_serve(struct loop *loop, struct server *server, uint32_t endpoint)
{
	struct ring *ring = ring_self();
	struct server **link = &loop->servers;
	uint32_t i;

	if (endpoint == 0)
		return STATUS_BAD_CAPABILITY;
	if (!server_take_spans(server, ring))
		return STATUS_OVERLOADED;
	server->loop = loop;
	server->endpoint = endpoint;
	server->closed = false;
	server->armed = false;
	server->sent_words = 0;
	server->header = (const void *)ring_words_at(ring, server->receive_off);
	capnp_message_init(&server->params,
			ring_words_at(ring, server->receive_off + HEADER_WORDS + RECORDS_WORDS), 0,
			server->param_slots, 0);
	server->handling = NULL;
	server->free_calls = NULL;
	server->recent = &server_nobody;
	server->deferred = 0;
	server->rearm = (struct ring_entry){
		.op = CAP_OP_RETURN,
		.flags = ENTRY_REARM | ENTRY_SYNC,
		.target = endpoint,
		.question = server->question,
		.msg_off = server->results_off,
		.reply_off = server->receive_off,
		.reply_words = SERVER_MESSAGE_WORDS,
		.reply_caps = SERVER_MESSAGE_CAPS,
	};
	for (i = 0; i < SERVER_CALLS; i++) {
		server->calls[i].server = server;
		call_reset(&server->calls[i]);
	}
	(void)call_next(server);
	server->is_unready = false;
	/* Not SYNC: a refusal is to be seen here. */
	loop->stopped = true;
	loop_note(loop);
	server_arm(server);
	loop->stopped = false;
	loop_note(loop);
	ring_submit(ring);
	ring_reap(ring);
	if (server->receive.done && server->receive.completion.status != STATUS_OK) {
		ring_set_ready(ring, &server->receive, NULL);
		server_give_spans(server, ring);
		return server->receive.completion.status;
	}
	while (*link != NULL)
		link = &(*link)->next;
	server->next = NULL;
	*link = server;
	return STATUS_OK;
}
