/*
 * The queue of events; see events.h. Made of queue.c, used by buffer.c.
 * Always true: an unread entry of a source tells all that the older unread ones of it tell, and
 * more; so there are at most EVENT_KINDS, and the newest speaks for all.
 */
#include "queue/events.h"

uint32_t events_entries(uint32_t sources)
{
	uint32_t entries = 1;

	while (entries < sources * EVENT_KINDS)
		entries *= 2;
	return entries;
}

static bool sources_valid(uint32_t sources)
{
	return sources != 0 && sources <= EVENT_SOURCES_MAX;
}

status_t event_producer_init(struct event_producer *producer, void *memory, uint32_t sources)
{
	*producer = (struct event_producer){ 0 };
	if (!sources_valid(sources))
		return STATUS_INVALID_ARGUMENT;
	return queue_producer_init(&producer->queue, memory, events_entries(sources));
}

status_t event_consumer_init(struct event_consumer *consumer, void *memory, uint32_t sources)
{
	*consumer = (struct event_consumer){ .sources = sources };
	if (!sources_valid(sources))
		return STATUS_INVALID_ARGUMENT;
	return queue_consumer_init(&consumer->queue, memory, events_entries(sources));
}

/* Whether the reader has not taken this entry yet. The count has 64 bits: an old place does
 * not come round again. */
static bool is_unread(struct event_producer *producer, uint64_t entry)
{
	uint32_t unread = producer->queue.entries - queue_room(&producer->queue, UINT32_MAX);

	return entry + unread >= producer->count;
}

bool event_tell(struct event_producer *producer, struct event_source *source, uint32_t events)
{
	struct queue_descriptor entry = { .key = source->key };

	/* What the event is about has changed before; pairs with the fence in queue_free of
	 * event_take. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (source->told && !is_unread(producer, source->told_at))
		source->told = 0;
	entry.flags = source->told | (events & EVENT_ALL);
	if (entry.flags == source->told || !queue_fill(&producer->queue, &entry))
		return false;
	source->told = entry.flags;
	source->told_at = producer->count++;
	return queue_publish(&producer->queue);
}

bool event_take(struct event_consumer *consumer, struct event *event)
{
	struct queue_descriptor entry;

	/* As often as the queue is long: who fills it with nonsense as fast as it is read does
	 * not keep the reader. */
	for (uint32_t tries = consumer->queue.entries; tries > 0; tries--) {
		if (!queue_take(&consumer->queue, &entry))
			return false;
		/* The teller never sleeps for room. */
		(void)!queue_free(&consumer->queue);
		if (entry.key < consumer->sources && entry.flags != 0 && (entry.flags & ~EVENT_ALL) == 0) {
			*event = (struct event){ entry.key, entry.flags };
			return true;
		}
		consumer->strange++;
	}
	return false;
}
