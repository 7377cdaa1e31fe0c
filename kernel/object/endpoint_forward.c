/*
 * Forwarding: a service gives a call that it has in service on to another service, which then answers the caller itself.
 * Entered from ring/dispatch.c.
 *
 * While the new service has not taken it the call is two questions that point at each other: the caller's, FORWARDED,
 * and that of who forwards, QUEUED in its place with the new message. Delivery ends the latter; whatever takes one of them
 * out of its place ends the other (endpoint_call.c).
 */
#include "kernel/cap/transfer.h"
#include "kernel/object/endpoint_internal.h"
#include "kernel/object/process.h"
#include "kernel/ring/dispatch.h"

static status_t forward_fits(const struct ring_entry *entry, const struct endpoint *endpoint, uint64_t *detail)
{
	if (entry->msg_words > endpoint->message_words) {
		*detail = reason_detail(REASON_SIZE, 0, entry->msg_words, endpoint->message_words);
		return STATUS_TOO_LARGE;
	}
	if (entry->cap_count > endpoint->capabilities) {
		*detail = reason_detail(REASON_CAPABILITIES, 0, entry->cap_count, endpoint->capabilities);
		return STATUS_TOO_LARGE;
	}
	return STATUS_OK;
}

/* The call that is to be forwarded leaves its service slot: nobody but the forwarder completes it now. */
static status_t forward_take(struct endpoint *endpoint, uint64_t id, struct question **call)
{
	struct service *service;

	*call = NULL;
	endpoint_lock(endpoint);
	service = service_find(endpoint, id);
	if (service) {
		*call = service->call;
		if (*call)
			(*call)->call_state = CALL_RETURNING;
		service_free_locked(endpoint, service);
	}
	endpoint_unlock(endpoint);
	return *call ? STATUS_OK : STATUS_GONE;
}

/* The forwarded call waits at its new endpoint: in its place, the question of who forwards it. Lock held. */
static void forward_queue(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		struct export *export, struct question *call, struct call_transfer *transfer)
{
	struct question *forwarder = call_begin(ring, entry, export);

	forwarder->transfer = transfer;
	forwarder->forward = call;
	call->forward = forwarder;
	call->call_state = CALL_FORWARDED;
	pending_append(endpoint, forwarder);
}

/* Everything is reserved: the call waits at its new service, which may take it at once, unless that has ended meanwhile. */
static void forward_start(struct ring *ring, const struct ring_entry *entry, struct export *export,
		struct question *call, struct call_transfer *transfer)
{
	const uint64_t detail = reason_detail(REASON_CLOSED, 0, 0, 0);
	struct endpoint *endpoint = export->endpoint;
	struct export *before = call->export;
	bool stale;

	object_hold(&export->object);
	endpoint_lock(endpoint);
	stale = export_is_stale_locked(export);
	call->object = &endpoint->object;
	call->export = export;
	if (!stale)
		forward_queue(ring, entry, endpoint, export, call, transfer);
	endpoint_unlock(endpoint);
	object_unhold(&before->object);
	if (!stale) {
		endpoint_pump(endpoint);
		return;
	}
	call_transfer_drop(transfer, &ring->process->caps);
	question_end_with(call, STATUS_DISCONNECTED, detail);
	call_refuse_entry(ring, entry, STATUS_DISCONNECTED, detail);
}

/* Whether the new service can have the call at all, looked at before anything is done. */
static status_t forward_refusal(struct endpoint *endpoint, uint64_t id, const struct export *export, uint64_t *detail)
{
	const struct service *service;
	const struct question *call = NULL;
	struct ring_entry entry;
	status_t status;

	endpoint_lock(endpoint);
	service = service_find(endpoint, id);
	if (service)
		call = service->call;
	endpoint_unlock(endpoint);
	if (!call)
		return STATUS_OK;       /* forward_take tells */
	entry = call->entry;
	endpoint_lock(export->endpoint);
	status = call_refusal(call->ring, &entry, export, detail);
	endpoint_unlock(export->endpoint);
	return status;
}

status_t endpoint_forward(struct ring *ring, const struct ring_entry *entry, struct endpoint *endpoint,
		struct cap_entry *target, uint64_t *detail)
{
	struct export *export = container_of(target->object, struct export, object);
	const uint32_t id = (uint32_t)entry->deadline_ns;
	struct call_transfer *transfer;
	struct question *call;
	status_t status = forward_fits(entry, export->endpoint, detail);

	if (status == STATUS_OK)
		status = forward_refusal(endpoint, id, export, detail);
	if (status == STATUS_OK)
		status = call_transfer_capture(&ring->process->caps, ring->words + entry->caps_off, entry->cap_count,
				false, &transfer, detail);
	if (status != STATUS_OK)
		return status;
	object_get(&endpoint->object);
	status = forward_take(endpoint, id, &call);
	if (status == STATUS_OK)
		forward_start(ring, entry, export, call, transfer);
	else
		call_transfer_drop(transfer, &ring->process->caps);
	/* Its place in service is the next one's. */
	endpoint_pump(endpoint);
	object_put(&endpoint->object);
	return status;
}
