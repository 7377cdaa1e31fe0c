/*
 * The server of the tests' interface Worker, and the cases that every transport must pass with it.
 * Freestanding, so that the same server and the same cases run on the host over the byte-stream
 * double and in a guest over the ring.
 *
 * Whoever hosts it supplies the worker_host functions.
 */
#ifndef TESTS_CAPNP_WORKER_H
#define TESTS_CAPNP_WORKER_H

#include "tests/capnp/all.client.h"
#include "tests/capnp/all.server.h"

#define WORKERS_MAX 16u

struct worker {
	char name[32];
	uint32_t name_bytes;
	uint32_t serial;
	uint32_t fed_calls; /* calls of the stream method that ran to their end */
	uint64_t fed_bytes;
	bool in_order; /* and came in the order of their numbers */
	bool is_used;
};

/* Makes a worker; NULL when there are WORKERS_MAX. */
struct worker *worker_make(struct capnp_text name);
/* The last holder is gone. */
void worker_drop(struct worker *worker);
uint32_t workers_used(void);

/* Below WORKERS_MAX. */
uint32_t worker_index(const struct worker *worker);

/* What `feed` does, by its first byte; the second one counts the calls. */
#define FEED_TAKE          0u
#define FEED_FAIL          1u /* fails, with words */
#define FEED_HOLD          2u /* is answered when somebody calls `name` of another worker */
#define FEED_HOLD_AND_FAIL 3u /* likewise, with a failure */

/* Workers' handlers. A call of `later` is answered when somebody calls `name`. */
extern const struct worker_server worker_handlers;
/* A deferred call is answered by the host. */
void worker_forget(struct call *call);

/* --- Supplied by the client's end --- */
/* Lets everything run that is ready, callbacks above all. */
void client_host_run(void);

/* --- Supplied by the host --- */
/* A capability for the results of this call; the receiver holds the worker. */
struct capnp_cap worker_host_export(struct call *call, struct worker *worker);
/* The worker that a capability of the parameters is; NULL: none of ours. */
struct worker *worker_host_find(struct call *call, struct capnp_cap cap);
/* The handler has returned before the answer; worker_host_answer comes later. */
void worker_host_defer(struct call *call);
void worker_host_answer(struct call *call, status_t status);
/* Words that go with the exception which the handler returns. */
void worker_host_reason(struct call *call, struct capnp_text reason);

/* --- The cases --- */
/* Each calls `root`, a worker named "root", and returns NULL, or what was not as it should be. */
struct client_case {
	const char *name;
	const char *(*run)(struct worker_ref root);
};
extern const struct client_case client_cases[];
extern const uint32_t client_case_count;

#endif
