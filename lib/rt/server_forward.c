/*
 * Calls in service that are given on to another service, which answers their callers itself.
 *
 * What a call carries is put together anew in a span of its own, since the new service may not have
 * it before the receive is used again. Until then the call is in state CALL_FORWARDING and counts as
 * deferred.
 *
 * Always true: capabilities of a call in state CALL_FORWARDING stand in its result slots, and are
 * released with them unless the new service got them.
 */
#include <string.h>

#include "rt/capability.h"
#include "rt/panic.h"
#include "rt/server_internal.h"
#include "rt/slots.h"

#define DESCRIPTOR_WORDS ((uint32_t)(sizeof(struct cap_descriptor) / 8))

static void call_forwarded(struct ring_operation *operation)
{
	struct call *call = container_of(operation, struct call, operation);
	status_t status = operation->completion.status;

	ring_question_give(ring_self(), call->question);
	call->server->deferred--;
	if (status == STATUS_OK)
		call->results.cap_count = 0;
	if (status == STATUS_OK || status == STATUS_GONE) {
		call_close(call);
		return;
	}
	call_drop_results(call);
	server_return(call, call_outcome(call, status), false);
}

/* A capability among the parameters, as one of this process' to be moved on; an object of the
 * server's own that came home gets one. */
static status_t slot_take(struct capnp_cap_slot *slot, struct capnp_cap_slot *taken)
{
	struct server_object *object = slot->object;
	uint32_t id = slot->id;
	status_t status = STATUS_OK;

	*taken = (struct capnp_cap_slot){ .kind = SLOT_NULL };
	if (slot->kind == SLOT_OWN && object != NULL)
		status = server_object_copy(object, &id);
	else if (slot->kind != SLOT_OWNED)
		return STATUS_OK;
	if (status == STATUS_OK)
		*taken = (struct capnp_cap_slot){ .kind = SLOT_MOVE, .id = id };
	slot->kind = SLOT_TAKEN;
	return status;
}

/* Takes all of them, or fails; those taken so far are the call's either way. */
static status_t slots_take(struct call *call)
{
	struct server *server = call->server;
	uint32_t count = server->params.cap_count;
	status_t status = STATUS_OK;
	uint32_t i;

	for (i = 0; i < count && status == STATUS_OK; i++)
		status = slot_take(&server->param_slots[i], &call->result_slots[i]);
	call->results.cap_count = i;
	return status;
}

/* Copies what the call carries behind the words at `off`: message, then descriptors. */
static void params_copy(const struct call *call, struct ring_entry *entry, uint32_t off)
{
	const struct capnp_message *params = &call->server->params;
	uint64_t *words = ring_words_at(ring_self(), off);

	memcpy(words, params->words, params->count * sizeof(uint64_t));
	entry->msg_off = params->count != 0 ? off : 0;
	entry->msg_words = (uint16_t)params->count;
	if (params->cap_count == 0)
		return;
	entry->cap_count = (uint8_t)params->cap_count;
	entry->caps_off = off + params->count;
	descriptors_write((struct cap_descriptor *)(void *)(words + params->count),
			call->result_slots, params->cap_count);
}

static void forward_send(struct call *call, uint32_t target, uint32_t off)
{
	struct server *server = call->server;
	struct ring *ring = ring_self();
	struct ring_entry *entry = ring_entry(ring, CAP_OP_FORWARD, &call->operation);

	entry->target = target;
	entry->interface = call->interface_id;
	entry->method = call->method;
	entry->deadline_ns = (uint64_t)server->endpoint << 32 | call->id;
	entry->question = call->question;
	params_copy(call, entry, off);
	ring_push(ring);
	ring_set_ready(ring, &call->operation, call_forwarded);
}

status_t call_forward(struct call *call, struct client_ref target)
{
	const struct capnp_message *params = call_params(call);
	uint32_t words = params->count + params->cap_count * DESCRIPTOR_WORDS;
	struct ring *ring = ring_self();
	uint32_t off = 0;
	status_t status;

	if (rt_id(target) == 0)
		return STATUS_DISCONNECTED;
	if (!call_may_wait(call) || ring->question_count == 0)
		return STATUS_OVERLOADED;
	if (words != 0 && !ring_span_take(ring, words, &off))
		return STATUS_OVERLOADED;
	if (call->state == CALL_HANDLING) {
		call->interface_id = call->server->header->interface;
		call->method = call->server->header->method;
	}
	call_set_aside(call, CALL_FORWARDING);
	call->span_off = off;
	call->span_words = words;
	call->question = ring_question_take(ring);
	status = slots_take(call);
	if (status == STATUS_OK) {
		forward_send(call, rt_id(target), off);
		return STATUS_OK;
	}
	call->operation.completion.status = status;
	call_forwarded(&call->operation);
	return STATUS_OK;
}
