/*
 * A queue of events: which of many sources is ready for what, told by one process to another in
 * one shared queue with one notification. What it costs depends on the sources at which something
 * happens and not on those at which nothing does.
 *
 * A source is a number, its key. Events of a source that have been told and not been read yet are
 * not told again, so there are never more unread events than sources times EVENT_KINDS: a queue
 * of events_entries(sources) never runs over, whatever its reader does or does not do.
 *
 * The rule for both sides: who tells changes what the event is about first and tells then; who
 * reads takes the event first (event_take) and looks at the source then. Between there is a full
 * fence on each side, so a change is either seen or told again.
 */
#ifndef LIB_QUEUE_EVENTS_H
#define LIB_QUEUE_EVENTS_H

#include "queue/queue.h"

#define EVENT_READABLE 1u      /* something to take */
#define EVENT_WRITABLE 2u      /* room again */
#define EVENT_CLOSED   4u      /* the other end has gone */
#define EVENT_OTHER    8u      /* of the source's own kind */
#define EVENT_KINDS    4u
#define EVENT_ALL      15u
#define EVENT_SOURCES_MAX (QUEUE_ENTRIES_MAX / EVENT_KINDS)

struct event {
	uint32_t key;
	uint32_t events;
};

/* The teller's private state of one source; zero but for the key to begin with. */
struct event_source {
	uint32_t key;
	uint32_t told;          /* events of the source that an unread entry tells; 0 none */
	uint64_t told_at;       /* the newest such entry */
};

struct event_producer {
	struct queue_producer queue;
	uint64_t count;         /* entries told since the beginning */
};

struct event_consumer {
	struct queue_consumer queue;
	uint32_t sources;
	uint32_t strange;       /* events of no source or no kind, skipped */
};

/* Entries of a queue for so many sources (1 to EVENT_SOURCES_MAX). */
uint32_t events_entries(uint32_t sources);

/* As queue_producer_init and queue_consumer_init, for events_entries(sources) entries. */
MUST_USE status_t event_producer_init(struct event_producer *producer, void *memory, uint32_t sources);
MUST_USE status_t event_consumer_init(struct event_consumer *consumer, void *memory, uint32_t sources);

/* Tells events (of EVENT_ALL) of a source. True: the reader sleeps, signal it. */
MUST_USE bool event_tell(struct event_producer *producer, struct event_source *source, uint32_t events);

/* The next event, with a key below the number of sources; false: there is none now. */
bool event_take(struct event_consumer *consumer, struct event *event);

/* Before sleeping: true if there is no event, and the teller will signal. */
static inline bool event_await(struct event_consumer *consumer)
{
	return queue_await(&consumer->queue, 1);
}

#endif
