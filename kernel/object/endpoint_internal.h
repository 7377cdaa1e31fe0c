/*
 * What endpoint.c (life of endpoints and exports), endpoint_call.c (calls through them),
 * endpoint_fast.c (the direct way of most of them) and endpoint_forward.c (calls given on) share.
 * Always true: nobody but the direct way takes an endpoint's lock other than by endpoint_lock.
 */
#ifndef KERNEL_OBJECT_ENDPOINT_INTERNAL_H
#define KERNEL_OBJECT_ENDPOINT_INTERNAL_H

#include "kernel/object/endpoint.h"

/* The receiver that stands by goes to the others, and its service slot to the free ones. */
void endpoint_end_standby(struct endpoint *endpoint) REQUIRES(endpoint->lock);

/* The lock, for all but the direct way. */
static inline void endpoint_lock(struct endpoint *endpoint)
		ACQUIRES(endpoint->lock) NO_LOCK_ANALYSIS
{
	spin_lock(&endpoint->lock);
	if (unlikely(endpoint->standby))
		endpoint_end_standby(endpoint);
}

static inline void endpoint_unlock(struct endpoint *endpoint)
		RELEASES(endpoint->lock) NO_LOCK_ANALYSIS
{
	bool plain = !endpoint->closed && !endpoint->pending_count &&
			list_empty(&endpoint->cancelled) && list_empty(&endpoint->idle_exports);

	endpoint->plain_server = plain ? endpoint->server : NULL;
	spin_unlock(&endpoint->lock);
}

/* Pairs receivers with calls and events until one side runs out, at the latest when the outermost
 * pump returns. Without locks. */
void endpoint_pump(struct endpoint *endpoint);

/* Ends the calls and receives that it picks, with `status`. Without locks. */
struct endpoint_sweep {
	bool pending;                   /* queued calls */
	bool fail_fast_only;            /* of these, only those that do not wait for a service */
	bool stale_only;                /* of these, only those whose export has ended */
	bool receivers;
	bool all_services;              /* every call in service; else: */
	const struct process *server;   /* calls in service with this process, and of receives only its own; NULL: all */
	uint32_t keep_incarnation;      /* nothing of this incarnation; 0: nothing is kept */
	status_t status;
	uint64_t detail;
};
void endpoint_sweep(struct endpoint *endpoint, const struct endpoint_sweep *sweep);

/* OK if the call `entry` of `ring` may be made at the export now; otherwise why not. Its
 * endpoint's lock is held. */
status_t call_refusal(const struct ring *ring, const struct ring_entry *entry, const struct export *export,
		uint64_t *detail) MUST_USE;
/* Makes the call its caller's question, or has the one that was held go on. Lock held. */
struct question *call_begin(struct ring *ring, const struct ring_entry *entry, struct export *export);
/* Puts a call into the queue, behind those of its ring. Lock held. */
void pending_append(struct endpoint *endpoint, struct question *call);
/* The service slot of a call id, or NULL. Lock held. */
struct service *service_find(struct endpoint *endpoint, uint64_t id);
/* Ends a question that was taken out of its place. Without locks. */
void question_end_with(struct question *question, status_t status, uint64_t detail);

bool endpoint_cancel(struct object *object, struct question *question);
bool export_is_stale_locked(const struct export *export);   /* its endpoint's lock is held */

/* Makes `reference` that of the session, with a key of the endpoint's own. Lock held. */
void endpoint_see_session(struct endpoint *endpoint, const struct session *session);

/* The id of the slot's next call. */
static inline uint32_t service_id_next(uint32_t id)
{
	return (id + (1u << SERVICE_SLOT_BITS)) &
			(SERVICE_GENERATION_MASK << SERVICE_SLOT_BITS | SERVICE_SLOT_MASK);
}

void service_free_locked(struct endpoint *endpoint, struct service *service) REQUIRES(endpoint->lock);

#endif
