/*
 * What object.c, call.c, server.c, server_stream.c, server_forward.c and loop.c know of each other.
 */
#ifndef LIB_RT_SERVER_INTERNAL_H
#define LIB_RT_SERVER_INTERNAL_H

#include "rt/server.h"

/* Tags of exports minted here are addresses of objects with this bit; others are roots. */
#define TAG_OBJECT (1ull << 63)

/* Results of at most this many words are built in the server's own span. */
#define SERVER_RESULTS_WORDS 192u

/* object.c: the object that a call or event for `tag` is about; NULL if there is none. */
struct server_object *server_object_find(const struct server *server, uint64_t tag);

/* object.c: one more capability to an object, or root, that is exported. */
status_t server_object_copy(struct server_object *object, uint32_t *capability);

/* object.c: ends the export after a no-holders event, unless it was handed out again. */
void server_object_retire(struct server *server, uint64_t tag, uint64_t sequence);

/* call.c: makes a call free, as it is before its first use. */
void call_reset(struct call *call);

/* object.c: what `recent` of a server is before its first call; no call is for it. */
extern const struct server_object server_nobody;

/* call.c: the call that the next handler gets; NULL if all are deferred. */
struct call *call_next(struct server *server);

/* call.c: releases capabilities and words of the results. */
void call_drop_results(struct call *call);

/* call.c: puts a call back among the free ones. */
void call_close(struct call *call);

/* call.c: what is to be sent for a handler's status: STATUS_OK, or an exception. */
status_t call_outcome(struct call *call, status_t status);

/* call.c: lets go of the receive: what a call that is answered later needs of its header is
 * kept. `state` is CALL_DEFERRED, CALL_WAITING
 * or CALL_FORWARDING. */
void call_set_aside(struct call *call, enum call_state state);

/* server_stream.c: an object's own class, whatever its streams are at. */
const struct server_class *server_object_class(const struct server_object *object);
void server_object_set_class(struct server_object *object, const struct server_class *class);

/* server_stream.c: a deferred stream call is being answered so. */
void server_stream_answered(struct call *call, status_t status);

/* server_stream.c: the caller of a call that waits has gone. */
void server_waiting_cancelled(struct call *call);

/* server_stream.c: the object's export has ended. */
void server_stream_end(struct server *server, struct server_object *object);

/* server.c: no parameters are being read. */
void server_params_reset(struct server *server);

/* server.c: fills the return of a call. With `rearm` the server's receive is armed as well. */
void server_return(struct call *call, status_t status, bool rearm);

/* server.c: lets the kernel read the answers under way, so that their words are free again. */
void server_settle(struct server *server);

/* server.c: serves loop->sync_server for as long as nothing else is waited for. */
void server_serve_alone(struct loop *loop);

/* loop.c: to be told when `stopped` was changed. */
void loop_note(struct loop *loop);

/* Whether nothing but one receive will be waited for. */
static inline bool loop_is_alone(const struct loop *loop, const struct ring *ring)
{
	return (ring->awaited | loop->is_busy) == 0 && loop->sync_server == NULL;
}

#endif
