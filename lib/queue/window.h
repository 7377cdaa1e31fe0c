/*
 * Windows: shared buffers and queues of events between processes, with their memory,
 * notifications and the interfaces SharedBuffer and EventQueue (schema/capos/buffer.capnp).
 * Whoever sends or tells serves the interface; whoever receives or reads attaches.
 *
 * What a window adds to buffer.h: signals when one is due, a bit that says that the other side
 * has gone, and giving everything back. One thread, that of the loop, on the serving side; the
 * attaching side needs no loop.
 */
#ifndef LIB_QUEUE_WINDOW_H
#define LIB_QUEUE_WINDOW_H

#include "capos/buffer.client.h"
#include "queue/buffer.h"
#include "rt/server.h"

/* What memory and notifications are made with. */
struct window_authority {
	struct object_factory_ref factory;
	struct virtual_memory_ref memory;
};

/* Bits of a window's notification. Others are the program's own: it may bind them to a
 * deadline, for one. */
#define WINDOW_WORK 1ull     /* something to receive; chunks that came back; a receiver that has come */
#define WINDOW_GONE 2ull     /* the other side has gone */

/* Memory of ours, mapped, or of the peer's; a notification of ours. */
struct window {
	struct window_authority authority;
	struct memory_object_ref memory;
	uint8_t *bytes;
	uint64_t count;
	struct notification_ref notification;
	struct signal_ref own_signal;       /* the notification, as the peer gets it */
	struct signal_ref peer;             /* null until there is one */
	uint64_t peer_bits;
};

/* Signals the peer, if there is one. */
void window_signal(struct window *window);
/* Waits for bits of the window's notification and takes them. */
MUST_USE status_t window_wait(struct window *window, uint64_t *bits);

/* --- Serving ---------------------------------------------------------------------------------- */

struct window_sender {
	struct window window;
	struct buffer_sender buffer;
	struct server_object object;
	struct loop_watch watch;
	/* Run from the loop: there is a receiver and work may go on. */
	void (*work)(struct window_sender *sender);
	/* Nobody holds the buffer any more: window_sender_close it, now or later. */
	void (*gone)(struct window_sender *sender);
	struct buffer_outlet *outlets;
	struct buffer_chunk *chunks;
};

/* Makes memory for a buffer of this layout and everything around it. Set `work` and `gone`
 * before. */
MUST_USE status_t window_sender_open(struct window_sender *sender, struct loop *loop, const struct window_authority *authority,
		const struct buffer_layout *layout);
void window_sender_close(struct window_sender *sender);
/* The SharedBuffer as a capability for a setter of results; see call_export. */
struct capnp_cap window_sender_give(struct window_sender *sender, struct call *call, status_t *status);

/* The same for events: sources with keys 0 to sources - 1. */
struct window_teller {
	struct window window;
	struct event_producer events;
	struct server_object object;
	uint32_t sources;
	void (*gone)(struct window_teller *teller);
};
MUST_USE status_t window_teller_open(struct window_teller *teller, const struct window_authority *authority, uint32_t sources);
void window_teller_close(struct window_teller *teller);
struct capnp_cap window_teller_give(struct window_teller *teller, struct call *call, status_t *status);
/* Tells events of a source and wakes the reader if it waits. */
static inline void window_tell(struct window_teller *teller, struct event_source *source, uint32_t events)
{
	if (event_tell(&teller->events, source, events))
		window_signal(&teller->window);
}

/* --- Attaching -------------------------------------------------------------------------------- */

struct window_receiver {
	struct window window;
	struct buffer_receiver buffer;
	struct queue_consumer *inlets;
	struct binding_ref end;             /* WINDOW_GONE to the end of the sender */
};

/* Attaches to a buffer. FAILED: what the sender said of it cannot be. */
MUST_USE status_t window_receiver_open(struct window_receiver *receiver, const struct window_authority *authority,
		struct shared_buffer_ref buffer);
void window_receiver_close(struct window_receiver *receiver);
/* Makes returned chunks visible and wakes the sender if it waits for them. */
static inline void window_flush(struct window_receiver *receiver)
{
	if (buffer_flush(&receiver->buffer))
		window_signal(&receiver->window);
}

struct window_reader {
	struct window window;
	struct event_consumer events;
	struct binding_ref end;
};
MUST_USE status_t window_reader_open(struct window_reader *reader, const struct window_authority *authority,
		struct event_queue_ref queue);
void window_reader_close(struct window_reader *reader);

#endif
