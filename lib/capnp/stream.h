/*
 * The client's side of `method -> stream`: calls that follow each other without waiting for each
 * answer.
 *
 *     struct client_stream stream = { 0 };
 *
 *     while (more)
 *             sink_write_stream(sink, &stream, chunk);        (waits only while the window is full)
 *     status = client_stream_finish(&stream, 0);              (all are answered; the first failure)
 *
 * One stream is calls of one thread to one capability, in order. It belongs to its caller: the
 * capability may be copied and held by others, who know nothing of it. Other calls through the same
 * capability, `_start`ed or blocking, keep their place among the stream's calls.
 *
 * Contract:
 *  - A streaming call returns once it is sent. What is sent reaches the service when the caller
 *    next waits for anything, when the window is full, or with client_stream_flush; so a window
 *    goes in one system call.
 *  - The window bounds what is in flight: calls, and words of their parameters. When it is full the
 *    next call waits for the oldest answer. A message larger than the window goes alone.
 *  - The first failure, in the order of the calls, ends the stream: a call that cannot be sent, an
 *    exception, a service that is gone. From when it is seen here every streaming call answers it
 *    at once and sends nothing. The calls in flight are failed by the service, which runs none of a
 *    stream after one that failed (docs/ipc.md). So what has been done is the beginning of what was
 *    sent, without holes.
 *  - client_stream_finish waits until all are answered, answers the first failure, once, and leaves
 *    the stream as new.
 *  - A call that may be refused before it reaches the service, because it carries capabilities or
 *    is larger than CLIENT_STREAM_SURE_WORDS, is answered before another is sent: else those behind
 *    it would arrive without it.
 *
 * Always true: the calls in flight are in the order in which they were sent, and each has a
 * question of the transport; none is in flight after finish has answered anything but
 * deadlineExceeded, or after drop.
 */
#ifndef CAPNP_STREAM_H
#define CAPNP_STREAM_H

#include "capnp/client.h"

/* The window where the caller does not say: a third of what a ring's arena holds, and calls
 * enough that a system call for each window costs little. */
#define CLIENT_STREAM_CALLS     8u
#define CLIENT_STREAM_WORDS     1024u

#define CLIENT_STREAM_CALLS_MAX 32u

/* Messages up to this length every service takes, by convention. */
#define CLIENT_STREAM_SURE_WORDS 256u

/* Bytes kept of what the service says about a failure: what fits into a stream call's answer. */
#define CLIENT_STREAM_REASON_BYTES 112u
STATIC_ASSERT(CLIENT_STREAM_REASON_BYTES == (CAPNP_REPLY_WORDS_STREAM - 2) * 8);

typedef void client_stream_fn(void *arg);

/* All zero is a stream without calls and with the usual window. */
struct client_stream {
	/* The caller's, to be changed at any time. */
	uint32_t calls_max;   /* 0: CLIENT_STREAM_CALLS; at most CLIENT_STREAM_CALLS_MAX */
	uint32_t words_max;   /* 0: CLIENT_STREAM_WORDS */
	uint64_t deadline_ns; /* absolute; 0: none. Of all calls: taken when none is in flight */

	/* The functions' own. */
	struct transport *transport; /* of the calls in flight */
	status_t status;             /* the first failure */
	uint32_t first;              /* place of the oldest */
	uint32_t count;              /* in flight */
	uint32_t words;              /* of their parameters */
	uint64_t taken_deadline_ns;  /* theirs */
	bool is_unsure;              /* the newest may have been refused */
	struct client_stream_call {
		uint32_t question;
		uint32_t words;
	} in_flight[CLIENT_STREAM_CALLS_MAX];
	client_stream_fn *then;
	void *then_arg;
	uint32_t reason_bytes;
	char reason[CLIENT_STREAM_REASON_BYTES];
};

/* Begins a call of the stream once the window has room for it; its parameters are then set.
 * Where the stream has failed the call has that status and nothing else. It is ended by
 * client_stream_send, or client_done. */
struct client_call client_stream_begin(
		struct client_stream *stream, const struct client_begin *what);

/* Sends it and ends the caller's part in it. Answers the stream's status. */
status_t client_stream_send(struct client_stream *stream, struct client_call *call);

/* Hands over what was sent, without waiting. */
void client_stream_flush(struct client_stream *stream);

/*
 * Waits until all calls are answered, or until the absolute time deadline_ns (0: none) has come.
 * Answers
 *  - the first failure, and with STATUS_OK that all were done: the stream is as new and may be used
 *    again;
 *  - STATUS_DEADLINE_EXCEEDED with client_stream_in_flight above zero: nothing has changed, the
 *    calls go on, and finish may be called again, or drop. (A deadline of the calls themselves ends
 *    them, and then finish answers the same status with none in flight.)
 */
MUST_USE status_t client_stream_finish(struct client_stream *stream, uint64_t deadline_ns);

/* Ends the stream without its outcome: cancels what is in flight, the newest first, so that what
 * was done is still the beginning of what was sent. Waits for the transport to let go, not for the
 * service. */
void client_stream_drop(struct client_stream *stream);

/* Runs fn once, from the event loop, when the oldest call in flight has been answered: for those
 * who must not wait in a streaming call. At once if none is in flight. One at a time; a function
 * above that ends that call first takes its place. */
void client_stream_then(struct client_stream *stream, client_stream_fn *fn, void *arg);

/* Whether a call with so many words of parameters would not wait for room. */
bool client_stream_has_room(struct client_stream *stream, uint32_t params_words);

/* Calls that were sent and whose answers have not been looked at. */
static inline uint32_t client_stream_in_flight(const struct client_stream *stream)
{
	return stream->count;
}

/* The service's own words for the last failure; empty when it gave none. Valid until the next
 * failure. */
static inline struct capnp_text client_stream_reason(const struct client_stream *stream)
{
	return capnp_text_of(stream->reason, stream->reason_bytes);
}

#endif
