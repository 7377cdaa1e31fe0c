/*
 * Calls in service: parameters, results, deferral and answers, as handlers see them.
 *
 * Always true: a call is in exactly one of the states of enum call_state; parameters belong to the
 * server and exist only while its handler runs; results that were built for a call that is then
 * deferred are dropped, because they stand in the server's own span. A call that was answered
 * without anything unusual is ready for the next as it is.
 */
#include "capos/kernel.capnp.h"
#include "rt/capability.h"
#include "rt/panic.h"
#include "rt/server_internal.h"
#include "rt/slots.h"

#define DESCRIPTORS_WORDS (SERVER_MESSAGE_CAPS * (uint32_t)(sizeof(struct cap_descriptor) / 8))

void call_reset(struct call *call)
{
	struct server *server = call->server;

	call->failed_in_words = false;
	call->is_refusal = false;
	call->cancelled = false;
	call->is_stream = false;
	call->kept = NULL;
	call->is_unusual = false;
	call->has_results = true;
	call->span_words = 0;
	call->on_cancel = NULL;
	capnp_builder_init(&call->results, ring_words_at(ring_self(), server->results_off), 0,
			call->result_slots, 0);
	call->state = CALL_FREE;
	call->next_free = server->free_calls;
	server->free_calls = call;
}

struct call *call_next(struct server *server)
{
	struct call *call = server->free_calls;

	if (server->handling != NULL || call == NULL)
		return server->handling;
	server->free_calls = call->next_free;
	call->state = CALL_HANDLING;
	server->handling = call;
	return call;
}

static COLD void release_given(struct call *call)
{
	uint32_t i;

	for (i = 0; i < call->results.cap_count; i++) {
		if (call->result_slots[i].kind == SLOT_MOVE)
			rt_release(call->result_slots[i].id);
	}
	call->results.cap_count = 0;
}

void call_drop_results(struct call *call)
{
	call->is_unusual = true;
	if (call->results.cap_count != 0)
		release_given(call);
	if (call->span_words != 0)
		ring_span_give(ring_self(), call->span_off, call->span_words);
	call->span_words = 0;
	call->has_results = false;
	call->failed_in_words = false;
}

void call_close(struct call *call)
{
	DEBUG_ASSERT(call->state != CALL_FREE);
	call_drop_results(call);
	call_reset(call);
}

/* Whether its handler runs. */
static bool is_handled(const struct call *call)
{
	return call->state == CALL_HANDLING || call->state == CALL_RESUMED;
}

struct capnp_message *call_params(struct call *call)
{
	DEBUG_ASSERT(is_handled(call));
	return &call->server->params;
}

/* A span of the call's own: for long results, and for those of a deferred call. Answers its
 * words. Where the arena is short, answers under way give theirs up first; then it is a smaller
 * one, because the caller chose the size and the results may well fit. */
static COLD uint32_t results_take_span(struct call *call, uint32_t words, uint32_t *off)
{
	bool settled = false;

	while (words > 0 && !ring_span_take(ring_self(), words + DESCRIPTORS_WORDS, &call->span_off)) {
		if (settled)
			words /= 2;
		else
			server_settle(call->server);
		settled = true;
	}
	call->span_words = words > 0 ? words + DESCRIPTORS_WORDS : 0;
	*off = call->span_off;
	return words;
}

static uint32_t reply_words(const struct call *call)
{
	uint32_t words = call->state == CALL_HANDLING ? call->server->header->reply_words : call->reply_words;

	return MIN(words, MESSAGE_WORDS_MAX);
}

static uint32_t reply_caps(const struct call *call)
{
	uint32_t caps = call->state == CALL_HANDLING ? call->server->header->reply_caps : call->reply_caps;

	return MIN(caps, SERVER_MESSAGE_CAPS);
}

/* The server's own span while the handler runs, where the builder of a call that is ready stands
 * already; otherwise one of the call's. */
static RARE void results_open(struct call *call)
{
	uint32_t words = reply_words(call);
	uint32_t off = call->server->results_off;

	call->is_unusual = true;
	if (call->state != CALL_HANDLING || words > SERVER_RESULTS_WORDS)
		words = results_take_span(call, words, &off);
	capnp_builder_init(&call->results, ring_words_at(ring_self(), off), words,
			call->result_slots, reply_caps(call));
	call->has_results = true;
}

struct capnp_builder *call_results(struct call *call)
{
	DEBUG_ASSERT(is_handled(call) || call->state == CALL_DEFERRED);
	if (unlikely(!call->has_results))
		results_open(call);
	return &call->results;
}

/* The header that the call arrived with stands until its handler returns. */
uint64_t call_tag(const struct call *call)
{
	return call->state == CALL_HANDLING ? call->server->header->tag : call->tag;
}

struct call_session call_session(const struct call *call)
{
	const struct recv_header *header = call->server->header;

	if (call->state != CALL_HANDLING)
		return call->session;
	return (struct call_session){
		.low = header->session_low,
		.high = header->session_high,
		.epoch = header->epoch,
	};
}

static struct capnp_cap_slot *param_slot(struct call *call, struct capnp_cap cap)
{
	ASSERT(is_handled(call));
	if (cap.index >= call->server->params.cap_count)
		return NULL;
	return &call->server->param_slots[cap.index];
}

struct client_ref call_borrow(struct call *call, struct capnp_cap cap)
{
	const struct capnp_cap_slot *slot = param_slot(call, cap);

	return rt_ref(slot != NULL && slot->kind == SLOT_OWNED ? slot->id : 0);
}

struct client_ref call_take(struct call *call, struct capnp_cap cap)
{
	struct capnp_cap_slot *slot = param_slot(call, cap);

	if (slot == NULL || slot->kind != SLOT_OWNED)
		return rt_ref(0);
	slot->kind = SLOT_TAKEN;
	return rt_ref(slot->id);
}

void *call_own_object(struct call *call, struct capnp_cap cap, const struct server_class *class)
{
	const struct capnp_cap_slot *slot = param_slot(call, cap);
	const struct server_object *object;

	if (slot == NULL || slot->kind != SLOT_OWN || slot->object == NULL)
		return NULL;
	object = slot->object;
	if (object->server != call->server || server_object_class(object) != class)
		return NULL;
	return object->self;
}

static struct capnp_cap result_add(struct call *call, struct client_ref ref, enum slot_kind kind)
{
	struct capnp_cap_slot slot = { .kind = (uint8_t)kind, .id = rt_id(ref) };
	struct capnp_cap cap;

	if (slot.id == 0)
		return CAPNP_CAP_NULL;
	call->is_unusual = true;
	call_results(call)->cap_max = reply_caps(call);
	cap = capnp_builder_add_cap(&call->results, slot);
	if (capnp_cap_is_null(cap) && kind == SLOT_MOVE)
		rt_release(slot.id);
	return cap;
}

struct capnp_cap call_give(struct call *call, struct client_ref ref)
{
	return result_add(call, ref, SLOT_MOVE);
}

struct capnp_cap call_copy(struct call *call, struct client_ref ref)
{
	return result_add(call, ref, SLOT_COPY);
}

struct capnp_cap call_export(struct call *call, struct server_object *object,
		const struct server_class *class, void *self, status_t *status)
{
	uint32_t capability;

	*status = server_export(call->server, object, class, self, &capability);
	if (*status != STATUS_OK)
		return CAPNP_CAP_NULL;
	return call_give(call, rt_ref(capability));
}

bool call_may_wait(const struct call *call)
{
	return call->server->deferred < SERVER_WAITING_MAX;
}

/* One that has been set aside before has what it needs. */
void call_set_aside(struct call *call, enum call_state state)
{
	ASSERT(is_handled(call));
	call_drop_results(call);
	if (call->state == CALL_HANDLING) {
		call->id = call->server->call_id;
		call->tag = call_tag(call);
		call->session = call_session(call);
		call->reply_words = call->server->header->reply_words;
		call->reply_caps = call->server->header->reply_caps;
	}
	call->state = state;
	call->server->deferred++;
}

void call_defer(struct call *call)
{
	call_set_aside(call, CALL_DEFERRED);
}

void call_on_cancel(struct call *call, void (*fn)(struct call *call, void *context), void *context)
{
	call->is_unusual = true;
	call->on_cancel = fn;
	call->context = context;
}

status_t call_fail(struct call *call, status_t status, const char *sentence)
{
	struct exception_builder exception;

	ASSERT(status > STATUS_OK);
	call_drop_results(call);
	exception = exception_init_root(call_results(call));
	exception_set_reason(exception, capnp_text(sentence));
	call->failed_in_words = call->results.status == STATUS_OK;
	return status;
}

/* A handler's status as a caller may see it: statuses of the transport are this process' own. */
static COLD status_t exception_of(status_t status)
{
	if (status > STATUS_OK && status <= STATUS_INVALID_ARGUMENT)
		return status;
	switch (status) {
	case STATUS_GONE:
	case STATUS_CANCELLED:
		return STATUS_DISCONNECTED;
	case STATUS_BAD_MESSAGE:
		return STATUS_INVALID_ARGUMENT;
	case STATUS_TOO_LARGE:
	case STATUS_NO_CREDIT:
		return STATUS_OVERLOADED;
	default:
		return STATUS_FAILED;
	}
}

status_t call_outcome(struct call *call, status_t status)
{
	if (status == STATUS_OK && is_handled(call))
		status = call->server->params.status;
	if (status == STATUS_OK && call_results(call)->status != STATUS_OK)
		return call_fail(call, STATUS_FAILED,
				"the answer does not fit where the caller wants it");
	if (status == STATUS_OK)
		return STATUS_OK;
	if (!call->failed_in_words)
		call_drop_results(call);
	return exception_of(status);
}

void call_answer(struct call *call, status_t status)
{
	ASSERT(call->state == CALL_DEFERRED);
	call->server->deferred--;
	status = call_outcome(call, status);
	if (call->is_stream)
		server_stream_answered(call, status);
	server_return(call, status, false);
}
