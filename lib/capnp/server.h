/*
 * What generated server skeletons need from whoever hosts a server: the kernel for its objects,
 * lib/rt for services, a test.
 *
 * A dispatch function opens the parameters, prepares the results and calls the handler from the
 * server's table; it does not if the results cannot fit. A handler returns STATUS_OK (the results
 * are the answer), a failure, or STATUS_OK after telling the host that it answers later. Hosts of
 * interfaces with stream methods supply two functions more than others.
 *
 * The host checks, when the handler returned STATUS_OK and before it sends: call_params()->status
 * (the parameters were malformed where somebody looked) and call_results()->status (the results did
 * not fit).
 */
#ifndef CAPNP_SERVER_H
#define CAPNP_SERVER_H

#include "capnp/capnp.h"
#include "compiler.h"
#include "status.h"

struct call;

/* The parameters of a call, in words that are the host's own and at least CAPNP_SCALARS_WORDS, however
 * short the message is. Valid until the handler returns, or until the answer of a call that is
 * answered later, as the host says. */
struct capnp_message *call_params(struct call *call);

/* Where the results are built. */
struct capnp_builder *call_results(struct call *call);

/*
 * Around the handler of a `-> stream` method: the host runs no other call to the same object before
 * this one has been answered, and after one that failed none at all. `call_stream_left` gets what
 * the handler returned, and builds the empty results; what it answers is the dispatcher's.
 */
void call_stream_entered(struct call *call);
status_t call_stream_left(struct call *call, status_t status);

/* What a handler answered, as a value: where the compiler knows that it is always the same,
 * dispatchers would otherwise return it themselves instead of leaving that to whom they jump to. */
static inline status_t handler_status(status_t status)
{
	OPAQUE(status);
	return status;
}

#endif
