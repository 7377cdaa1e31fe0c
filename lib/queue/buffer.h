/*
 * A shared buffer: many streams of bytes from one process to another through one piece of shared
 * memory, without copying. The bytes stand in chunks; what travels is descriptors. One sender,
 * one receiver; traffic both ways takes two buffers.
 *
 *     | queue of events | queue of returned chunks | a queue for each stream | (next page) chunk 0 | chunk 1 | ...
 *       sender -> receiver  receiver -> sender       sender -> receiver
 *
 * A chunk is the sender's until it is sent, then the receiver's until it is returned; any stream
 * may use any chunk. The receiver hears of a stream by an event when it has asked for it
 * (buffer_await_stream) and a chunk was sent on it since; so what both do depends on the streams
 * in use, not on how many there are. Where everything stands follows from four numbers (struct
 * buffer_layout) that both know from elsewhere; nothing in the memory is believed.
 *
 * What a hostile peer can do. To the receiver: send nothing, send garbage, and change bytes while
 * they are read, so whoever decides by what a chunk says copies that first. To the sender: keep
 * chunks, read what stands in chunks that were not sent yet, write to chunks that it has not been
 * sent. Views and chunks that are handed out always lie inside the data; descriptors and returns
 * that make no sense are counted in `strange` and skipped.
 *
 * Nothing here waits or signals: functions answer `signal` where the peer is to be signalled, and
 * the _await_ functions whether one may sleep. window.h does both with notifications.
 */
#ifndef LIB_QUEUE_BUFFER_H
#define LIB_QUEUE_BUFFER_H

#include "queue/events.h"
#include "queue/queue.h"

#define BUFFER_PAGE          4096u
#define BUFFER_CHUNKS_MAX    65536u
#define BUFFER_STREAMS_MAX   16384u
#define BUFFER_ENTRIES_MAX   4096u         /* of a stream's queue */
#define BUFFER_CHUNK_MAX     (1u << 24)
#define BUFFER_NONE          UINT32_MAX

/* Flag of a descriptor: the stream has ended; it carries no bytes. */
#define BUFFER_END           1u

struct buffer_layout {
	uint32_t streams;
	uint32_t entries;           /* of each stream's queue; a power of two */
	uint32_t chunks;
	uint32_t chunk_bytes;       /* a multiple of 64 */
};

/* Memory for such a buffer, whole pages; 0: no buffer can be so, or none below 4 GiB. */
uint64_t buffer_bytes(const struct buffer_layout *layout);

/* --- The sender ------------------------------------------------------------------------------- */

/* Private, one for each stream and for each chunk; the caller's storage. */
struct buffer_outlet {
	struct queue_producer queue;
	struct event_source source;
};
struct buffer_chunk {
	uint32_t next;              /* free: the next free one */
	bool     sent;
};

struct buffer_sender {
	struct buffer_layout layout;
	uint8_t *data;
	struct event_producer events;
	struct queue_consumer returns;
	struct buffer_outlet *outlets;
	struct buffer_chunk *chunks;
	uint32_t free;              /* first free chunk */
	uint32_t free_count;
	uint32_t strange;           /* returns of chunks that were not sent */
};

/* Begins with zeroed shared memory of buffer_bytes(layout), aligned to a page. `outlets` and
 * `chunks`: as many as the layout says. */
MUST_USE status_t buffer_sender_init(struct buffer_sender *sender, void *memory, const struct buffer_layout *layout,
		struct buffer_outlet *outlets, struct buffer_chunk *chunks);

/* A free chunk, to be filled and sent or put back; BUFFER_NONE: the receiver has them all. */
uint32_t buffer_take(struct buffer_sender *sender);
void buffer_put_back(struct buffer_sender *sender, uint32_t chunk);
static inline uint8_t *buffer_chunk_bytes(const struct buffer_sender *sender, uint32_t chunk)
{
	return sender->data + (uint64_t)chunk * sender->layout.chunk_bytes;
}

/* Sends the first `bytes` of a taken chunk on a stream. OVERLOADED: the stream's queue is
 * full, the chunk is still the caller's. *signal: becomes true if the receiver is to be
 * signalled. */
MUST_USE status_t buffer_send(struct buffer_sender *sender, uint32_t stream, uint32_t chunk, uint32_t bytes, bool *signal);
/* Ends a stream. OVERLOADED as above. */
MUST_USE status_t buffer_end(struct buffer_sender *sender, uint32_t stream, bool *signal);

/* Before sleeping until `wanted` chunks (at most those that the receiver has) have come back:
 * true if it may; false if some have. A stream's queue that was full has room after one has. */
MUST_USE bool buffer_await_chunks(struct buffer_sender *sender, uint32_t wanted);

/* --- The receiver ----------------------------------------------------------------------------- */

struct buffer_view {
	const uint8_t *bytes;
	uint32_t count;
	uint32_t chunk;             /* BUFFER_NONE: the stream has ended */
};

struct buffer_receiver {
	struct buffer_layout layout;
	const uint8_t *data;
	struct event_consumer events;
	struct queue_producer returns;
	struct queue_consumer *inlets;      /* one for each stream */
	uint32_t strange;                   /* descriptors that made no sense */
};

/* Begins; see buffer_sender_init. `inlets`: the caller's, one for each stream. */
MUST_USE status_t buffer_receiver_init(struct buffer_receiver *receiver, void *memory, const struct buffer_layout *layout,
		struct queue_consumer *inlets);

/* The next event of a stream (key): there is something to receive. False: none. */
static inline bool buffer_next_event(struct buffer_receiver *receiver, struct event *event)
{
	return event_take(&receiver->events, event);
}

/* The next chunk of a stream, or its end (chunk BUFFER_NONE, no bytes). False: nothing is there. */
bool buffer_receive(struct buffer_receiver *receiver, uint32_t stream, struct buffer_view *view);

/* Returns a received chunk; its bytes must not be used any more. The sender sees it after
 * buffer_flush. */
void buffer_return(struct buffer_receiver *receiver, const struct buffer_view *view);
/* Makes returns visible. True: the sender is to be signalled. */
MUST_USE bool buffer_flush(struct buffer_receiver *receiver);

/* Asks for an event when something comes on a stream: true if nothing is there now. False:
 * receive it. */
MUST_USE bool buffer_await_stream(struct buffer_receiver *receiver, uint32_t stream);

/* Before sleeping: true if there is no event of any stream. */
static inline bool buffer_await_event(struct buffer_receiver *receiver)
{
	return event_await(&receiver->events);
}

#endif
