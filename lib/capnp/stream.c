/*
 * Streams over any transport: a ring of the questions in flight, oldest first.
 *
 * A service answers the calls of a stream in order, so waiting for the oldest is waiting for room,
 * and the oldest answer that failed is the first failure. With a service that answers otherwise
 * both stay true, only later.
 */
#include "capnp/stream.h"

static struct client_stream_call *place_of(struct client_stream *stream, uint32_t number)
{
	return &stream->in_flight[(stream->first + number) % CLIENT_STREAM_CALLS_MAX];
}

static void reason_keep(struct client_stream *stream, struct capnp_message *message)
{
	struct capnp_text text;

	stream->reason_bytes = 0;
	if (message == NULL)
		return;
	text = capnp_any_text(capnp_pointer(capnp_any_struct(capnp_root(message)), 0));
	stream->reason_bytes = MIN(text.bytes, CLIENT_STREAM_REASON_BYTES);
	__builtin_memcpy(stream->reason, text.chars, stream->reason_bytes);
}

/* The first failure stays. `message` is the exception where the service gave one. */
static void stream_fail(
		struct client_stream *stream, status_t status, struct capnp_message *message)
{
	if (stream->status != STATUS_OK)
		return;
	stream->status = status;
	reason_keep(stream, status > STATUS_OK ? message : NULL);
}

/* Waits for the oldest call and ends it. */
static void take_oldest(struct client_stream *stream)
{
	const struct client_stream_call *oldest = place_of(stream, 0);
	const struct transport_ops *ops = stream->transport->ops;
	uint32_t question = oldest->question;
	status_t status = ops->wait(stream->transport, question);

	if (unlikely(status != STATUS_OK))
		stream_fail(stream, status, ops->results(stream->transport, question));
	ops->done(stream->transport, question);
	stream->words -= oldest->words;
	stream->first++;
	stream->count--;
}

static bool is_answered(struct client_stream *stream, uint32_t number)
{
	return stream->transport->ops->await(
			stream->transport, place_of(stream, number)->question, 0, CLIENT_NO_WAIT);
}

/* Ends what has been answered, without waiting. */
static void take_answered(struct client_stream *stream)
{
	while (stream->count != 0 && is_answered(stream, 0))
		take_oldest(stream);
}

static bool has_room(const struct client_stream *stream, uint32_t words)
{
	uint32_t calls_max = stream->calls_max != 0 ? stream->calls_max : CLIENT_STREAM_CALLS;
	uint32_t words_max = stream->words_max != 0 ? stream->words_max : CLIENT_STREAM_WORDS;

	if (stream->count == 0)
		return true;
	return !stream->is_unsure && stream->count < MIN(calls_max, CLIENT_STREAM_CALLS_MAX) &&
			stream->words < words_max && words <= words_max - stream->words;
}

/* Waits for room: for all of it where nothing may be sent behind the newest call. Answers are looked
 * at when room is wanted, and then all that are there. */
static void wait_for_room(struct client_stream *stream, uint32_t words)
{
	if (likely(has_room(stream, words)))
		return;
	take_answered(stream);
	while (stream->status == STATUS_OK && !has_room(stream, words)) {
		take_oldest(stream);
		take_answered(stream);
	}
}

bool client_stream_has_room(struct client_stream *stream, uint32_t params_words)
{
	if (!has_room(stream, params_words))
		take_answered(stream);
	return has_room(stream, params_words);
}

/* A transport that has no question or no words left has them again when calls of the stream have
 * ended. */
static struct client_call begin_when_possible(
		struct client_stream *stream, const struct client_begin *what)
{
	struct client_call call = client_call_begin(what);

	while (unlikely(call.status == STATUS_OVERLOADED) && stream->count != 0) {
		take_oldest(stream);
		call = client_call_begin(what);
	}
	return call;
}

struct client_call client_stream_begin(
		struct client_stream *stream, const struct client_begin *what)
{
	struct client_call call = { .transport = what->target.transport,
		.question = CLIENT_NO_QUESTION };

	wait_for_room(stream, what->params_words);
	if (stream->count == 0)
		stream->taken_deadline_ns = stream->deadline_ns;
	if (unlikely(stream->count != 0 && stream->transport != call.transport))
		stream_fail(stream, STATUS_BAD_CAPABILITY, NULL);
	if (likely(stream->status == STATUS_OK))
		call = begin_when_possible(stream, what);
	if (unlikely(call.status != STATUS_OK))
		stream_fail(stream, call.status, NULL);
	client_fail(&call, stream->status);
	call.deadline_ns = stream->taken_deadline_ns;
	return call;
}

/* Sends it, and puts it behind those in flight. What it may take is what it takes of the
 * transport's words. */
static void send_last(struct client_stream *stream, struct client_call *call)
{
	const struct capnp_builder *params = client_params(call);

	call->status = params->status;
	if (likely(call->status == STATUS_OK))
		call->status = call->transport->ops->send(
				call->transport, call->question, call->deadline_ns);
	if (unlikely(call->status != STATUS_OK))
		return;
	stream->transport = call->transport;
	*place_of(stream, stream->count) = (struct client_stream_call){ call->question,
		params->capacity };
	stream->count++;
	stream->words += params->capacity;
	stream->is_unsure = params->used > CLIENT_STREAM_SURE_WORDS || params->cap_count != 0;
	call->question = CLIENT_NO_QUESTION;
}

status_t client_stream_send(struct client_stream *stream, struct client_call *call)
{
	/* Somebody who begins several calls before sending one finds room for one at a time. */
	if (unlikely(stream->count == CLIENT_STREAM_CALLS_MAX || stream->is_unsure))
		wait_for_room(stream, 0);
	client_fail(call, stream->status);
	if (likely(call->status == STATUS_OK))
		send_last(stream, call);
	if (unlikely(call->status != STATUS_OK)) {
		stream_fail(stream, call->status, NULL);
		client_done(call);
	}
	return stream->status;
}

void client_stream_flush(struct client_stream *stream)
{
	if (stream->count != 0)
		(void)stream->transport->ops->is_answered(
				stream->transport, place_of(stream, stream->count - 1)->question);
}

static uint32_t count_unanswered(struct client_stream *stream)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < stream->count; i++)
		count += !is_answered(stream, i);
	return count;
}

status_t client_stream_finish(struct client_stream *stream, uint64_t deadline_ns)
{
	status_t status;

	take_answered(stream);
	while (stream->count != 0) {
		if (!stream->transport->ops->await(stream->transport, place_of(stream, 0)->question,
				    count_unanswered(stream), deadline_ns))
			return STATUS_DEADLINE_EXCEEDED;
		take_oldest(stream);
		take_answered(stream);
	}
	status = stream->status;
	stream->status = STATUS_OK;
	return status;
}

void client_stream_drop(struct client_stream *stream)
{
	struct transport *transport = stream->transport;

	for (uint32_t i = stream->count; i > 0; i--)
		transport->ops->cancel(transport, place_of(stream, i - 1)->question);
	for (uint32_t i = 0; i < stream->count; i++)
		transport->ops->done(transport, place_of(stream, i)->question);
	stream->count = 0;
	stream->words = 0;
	stream->status = STATUS_OK;
}

/* --- Without waiting ------------------------------------------------------------------------- */

static void oldest_answered(void *arg, struct client_call *call)
{
	struct client_stream *stream = arg;

	take_oldest(stream);
	take_answered(stream);
	stream->then(stream->then_arg);
}

void client_stream_then(struct client_stream *stream, client_stream_fn *fn, void *arg)
{
	if (stream->count == 0) {
		fn(arg);
		return;
	}
	stream->then = fn;
	stream->then_arg = arg;
	if (stream->transport->ops->then(stream->transport, place_of(stream, 0)->question,
			    oldest_answered, stream) != STATUS_OK)
		fn(arg);
}
