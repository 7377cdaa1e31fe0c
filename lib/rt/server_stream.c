/*
 * The server's side of `method -> stream`: while a stream call to an object is unanswered the
 * object's other calls wait, whoever makes them, and after one that failed they fail likewise
 * (docs/ipc.md).
 *
 * An object for which that matters has another class meanwhile, the gate, so that calls to all
 * others cost nothing. Calls that have to wait are taken out of the receive: what they carry is
 * kept on the heap. They count as deferred (call_may_wait), and run from the loop, one after the
 * other, when the stream call has been answered.
 *
 * Always true: an object's class is the gate exactly while a stream call is deferred, calls wait,
 * or the stream is broken; calls that wait are in state CALL_WAITING and in the list of their
 * object in the order in which they arrived; where calls wait and none is deferred, the first one's
 * operation is ready.
 */
#include <stdlib.h>
#include <string.h>

#include "capnp/stream.h"
#include "rt/panic.h"
#include "rt/server_internal.h"
#include "rt/slots.h"

STATIC_ASSERT(CLIENT_STREAM_SURE_WORDS <= SERVER_MESSAGE_WORDS);

/* What a call that waits carries. */
struct call_kept {
	uint64_t interface_id;
	uint32_t words;
	uint16_t method;
	uint8_t cap_count;
	bool is_stream;
	struct capnp_cap_slot slots[SERVER_MESSAGE_CAPS];
	uint64_t message[]; /* room for CAPNP_SCALARS_WORDS at least, see capnp/server.h */
};

static status_t gate_dispatch(
		void *self, struct call *call, uint64_t interface_id, uint16_t method);

static const struct server_class gate = { .dispatch = gate_dispatch };

/* --- The gate ------------------------------------------------------------------------------- */

const struct server_class *server_object_class(const struct server_object *object)
{
	return object->class == &gate ? object->stream.class : object->class;
}

void server_object_set_class(struct server_object *object, const struct server_class *class)
{
	if (object->class == &gate)
		object->stream.class = class;
	else
		object->class = class;
}

static void gate_adjust(struct server_object *object)
{
	const struct object_stream *stream = &object->stream;
	bool closed = stream->running != NULL || stream->first != NULL ||
			stream->broken != STATUS_OK;

	if (closed == (object->class == &gate))
		return;
	if (closed) {
		object->stream.class = object->class;
		object->class = &gate;
	} else {
		object->class = object->stream.class;
	}
}

static struct server_object *object_of(const struct call *call)
{
	return server_object_find(call->server, call_tag(call));
}

/* --- Failure -------------------------------------------------------------------------------- */

/* The sentence of an exception that was built, as a string of its own; NULL for want of either. */
static char *sentence_of(const struct call *call)
{
	struct capnp_message message;
	struct capnp_text text;
	char *sentence;

	if (!call->failed_in_words)
		return NULL;
	capnp_message_init(&message, call->results.words, call->results.used, NULL, 0);
	text = capnp_any_text(capnp_pointer(capnp_any_struct(capnp_root(&message)), 0));
	sentence = malloc(text.bytes + 1u);
	if (sentence == NULL)
		return NULL;
	memcpy(sentence, text.chars, text.bytes);
	sentence[text.bytes] = '\0';
	return sentence;
}

/* The first failure stays. */
static void stream_break(struct server_object *object, const struct call *call, status_t status)
{
	if (object->stream.broken == STATUS_OK) {
		object->stream.broken = status;
		object->stream.sentence = status > STATUS_OK ? sentence_of(call) : NULL;
	}
	gate_adjust(object);
}

/* Fails a call as the stream has failed. */
static status_t stream_refuse(const struct object_stream *stream, struct call *call)
{
	if (stream->sentence != NULL)
		return call_fail(call, stream->broken, stream->sentence);
	return stream->broken;
}

void server_object_mend(struct server_object *object)
{
	free(object->stream.sentence);
	object->stream.sentence = NULL;
	object->stream.broken = STATUS_OK;
	gate_adjust(object);
}

/* --- Calls that wait ------------------------------------------------------------------------ */

static void resume_ready(struct ring_operation *operation);

/* Lets the loop run what waits, if it may. */
static void resume_when_free(struct server_object *object)
{
	struct call *call = object->stream.first;

	if (call == NULL || object->stream.running != NULL)
		return;
	call->operation.done = true;
	ring_set_ready(ring_self(), &call->operation, resume_ready);
}

static bool method_is_stream(const struct capnp_interface *interface, uint64_t id, uint16_t method)
{
	uint32_t i;

	for (i = 0; interface->id != id; i++) {
		if (i == interface->ancestor_count)
			return false;
		if (interface->ancestors[i]->id == id)
			return method_is_stream(interface->ancestors[i], id, method);
	}
	return method < interface->method_count &&
			(interface->methods[method].flags & CAPNP_METHOD_STREAM) != 0;
}

static struct call_kept *params_keep(struct call *call, uint64_t interface_id, uint16_t method)
{
	struct capnp_message *params = call_params(call);
	size_t bytes = MAX(params->count, CAPNP_SCALARS_WORDS) * sizeof(uint64_t);
	struct call_kept *kept = calloc(1, sizeof(*kept) + bytes);

	if (kept == NULL)
		return NULL;
	kept->interface_id = interface_id;
	kept->method = method;
	kept->words = params->count;
	kept->cap_count = (uint8_t)params->cap_count;
	kept->is_stream = method_is_stream(
			server_object_class(object_of(call))->interface, interface_id, method);
	memcpy(kept->slots, call->server->param_slots, params->cap_count * sizeof(kept->slots[0]));
	memcpy(kept->message, params->words, params->count * sizeof(uint64_t));
	params->cap_count = 0;
	return kept;
}

/* A stream call that is refused room is one that failed. */
static status_t wait_refuse(struct server_object *object, struct call *call, uint64_t interface_id,
		uint16_t method)
{
	if (method_is_stream(object->stream.class->interface, interface_id, method))
		stream_break(object, call, STATUS_OVERLOADED);
	return STATUS_OVERLOADED;
}

static status_t gate_dispatch(void *self, struct call *call, uint64_t interface_id, uint16_t method)
{
	struct server_object *object = object_of(call);
	struct object_stream *stream = &object->stream;

	if (stream->broken != STATUS_OK)
		return stream_refuse(stream, call);
	if (call_may_wait(call))
		call->kept = params_keep(call, interface_id, method);
	if (call->kept == NULL)
		return wait_refuse(object, call, interface_id, method);
	call_set_aside(call, CALL_WAITING);
	call->next_waiting = NULL;
	if (stream->first == NULL)
		stream->first = call;
	else
		stream->last->next_waiting = call;
	stream->last = call;
	return STATUS_OK;
}

/* Takes a call out of those that wait, to be answered. The caller frees what it carried. */
static struct call_kept *waiting_take(struct object_stream *stream, struct call *call)
{
	struct call_kept *kept = call->kept;
	struct call **link = &stream->first;
	struct call *before = NULL;

	for (; *link != call; link = &(*link)->next_waiting)
		before = *link;
	*link = call->next_waiting;
	if (stream->last == call)
		stream->last = before;
	ring_set_ready(ring_self(), &call->operation, NULL);
	call->server->deferred--;
	call->kept = NULL;
	call->state = CALL_RESUMED;
	return kept;
}

/* Ends a call that waited without running it: as the stream has failed, or with `status`. */
static void waiting_end(struct server_object *object, struct call *call, status_t status)
{
	struct call_kept *kept = waiting_take(&object->stream, call);

	slots_release(kept->slots, kept->cap_count);
	free(kept);
	if (object->stream.broken != STATUS_OK)
		status = stream_refuse(&object->stream, call);
	server_return(call, call_outcome(call, status), false);
}

/* Runs a call that waited as if it had arrived now. */
static void waiting_run(struct server_object *object, struct call *call)
{
	struct server *server = call->server;
	struct call_kept *kept = waiting_take(&object->stream, call);
	status_t status;

	call->interface_id = kept->interface_id;
	call->method = kept->method;
	memcpy(server->param_slots, kept->slots, sizeof(kept->slots));
	capnp_message_init(&server->params, kept->message, kept->words, server->param_slots,
			kept->cap_count);
	status = server_object_class(object)->dispatch(
			object->self, call, kept->interface_id, kept->method);
	slots_release(server->param_slots, server->params.cap_count);
	if (call->state == CALL_RESUMED)
		server_return(call, call_outcome(call, status), false);
	server_params_reset(server);
	free(kept);
}

static void resume_ready(struct ring_operation *operation)
{
	struct server_object *object = object_of(container_of(operation, struct call, operation));
	struct object_stream *stream = &object->stream;

	while (stream->first != NULL && stream->running == NULL) {
		if (stream->broken != STATUS_OK)
			waiting_end(object, stream->first, stream->broken);
		else
			waiting_run(object, stream->first);
	}
	gate_adjust(object);
}

/* A stream call that will not run leaves a hole, so what waits behind it does not run either:
 * whoever made it may have given up all of them, and be heard of one by one. */
static void waiting_end_from(struct server_object *object, struct call *call)
{
	while (call != NULL) {
		struct call *next = call->next_waiting;

		waiting_end(object, call, STATUS_CANCELLED);
		call = next;
	}
}

void server_waiting_cancelled(struct call *call)
{
	struct server_object *object = object_of(call);

	if (call->kept->is_stream)
		waiting_end_from(object, call);
	else
		waiting_end(object, call, STATUS_CANCELLED);
	resume_when_free(object);
	gate_adjust(object);
}

/* --- Stream calls --------------------------------------------------------------------------- */

void call_stream_entered(struct call *call)
{
	call->is_stream = true;
}

status_t call_stream_left(struct call *call, status_t status)
{
	struct capnp_builder *results;

	if (call->state == CALL_DEFERRED) {
		object_of(call)->stream.running = call;
		gate_adjust(object_of(call));
		return status;
	}
	/* Where the handler deferred and answered at once, server_stream_answered has run. */
	if (call->state != CALL_HANDLING && call->state != CALL_RESUMED)
		return status;
	call->is_stream = false;
	if (status == STATUS_OK)
		status = call->server->params.status;
	if (unlikely(status != STATUS_OK)) {
		stream_break(object_of(call), call, status);
		return status;
	}
	results = call_results(call);
	if (results->capacity != 0) {
		results->words[0] = 0;
		results->used = 1;
	}
	return STATUS_OK;
}

void server_stream_answered(struct call *call, status_t status)
{
	struct server_object *object = object_of(call);

	if (object->stream.running == call)
		object->stream.running = NULL;
	if (call->cancelled)
		waiting_end_from(object, object->stream.first);
	else if (status != STATUS_OK)
		stream_break(object, call, status);
	resume_when_free(object);
	gate_adjust(object);
}

/* --- The end of an object ------------------------------------------------------------------- */

/* An object of this server that came along with a call that waits is nobody's any more. */
static void waiting_forget(struct server *server, const struct server_object *object)
{
	uint32_t i;
	uint32_t slot;

	for (i = 0; i < SERVER_CALLS; i++) {
		struct call_kept *kept = server->calls[i].kept;

		for (slot = 0; kept != NULL && slot < kept->cap_count; slot++) {
			if (kept->slots[slot].kind == SLOT_OWN &&
					kept->slots[slot].object == object)
				kept->slots[slot].object = NULL;
		}
	}
}

void server_stream_end(struct server *server, struct server_object *object)
{
	struct object_stream *stream = &object->stream;

	waiting_forget(server, object);
	while (stream->first != NULL)
		waiting_end(object, stream->first, STATUS_DISCONNECTED);
	if (stream->running != NULL)
		stream->running->is_stream = false;
	stream->running = NULL;
	server_object_mend(object);
}
