/*
 * The descriptor queue; see queue.h for the protocol, whose steps are named here. Used by
 * events.c and buffer.c. No system calls: callers signal and sleep.
 * Always true, for each side by itself: producer freed <= published <= filled <= freed + entries,
 * consumer freed <= taken <= published <= freed + entries (modulo 2^32), whatever the peer
 * writes.
 */
#include "queue/queue.h"

/* Whether moving an index from `before` to `after` passed the place where the peer wants to be
 * woken. */
static bool passes(uint32_t wake_at, uint32_t before, uint32_t after)
{
	return wake_at - before < after - before;
}

/* Steps M2 to M4. */
static bool move(struct queue_line *own, const struct queue_line *peer, uint32_t before, uint32_t after)
{
	STORE_RELEASE(&own->index, after);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return passes(__atomic_load_n(&peer->wake_at, __ATOMIC_RELAXED), before, after);
}

/* Steps S1 and S2. */
static void announce(struct queue_line *own, uint32_t wake_at)
{
	__atomic_store_n(&own->wake_at, wake_at, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Loads the peer's index into *believed, if it is one: not behind what it was and not beyond
 * `limit`. */
static void look(const struct queue_line *peer, uint32_t *believed, uint32_t limit, uint32_t *clamped)
{
	uint32_t index = LOAD_ACQUIRE(&peer->index);

	if (likely(index - *believed <= limit - *believed))
		*believed = index;
	else
		(*clamped)++;
}

/* The two halves of a descriptor, each loaded or stored once. */
union halves {
	struct queue_descriptor descriptor;
	uint64_t words[2];
};

static volatile uint64_t *place(struct queue_shared *shared, uint32_t entries, uint32_t index)
{
	return (volatile uint64_t *)(void *)&shared->descriptors[index & (entries - 1)];
}

/* --- The producer ----------------------------------------------------------------------------- */

status_t queue_producer_init(struct queue_producer *queue, void *memory, uint32_t entries)
{
	if (!queue_entries_valid(entries) || (uintptr_t)memory % QUEUE_ALIGN != 0)
		return STATUS_INVALID_ARGUMENT;
	*queue = (struct queue_producer){ .shared = memory, .entries = entries };
	return STATUS_OK;
}

uint32_t queue_room(struct queue_producer *queue, uint32_t wanted)
{
	if (queue->entries - (queue->filled - queue->freed) < wanted)
		look(&queue->shared->consumer, &queue->freed, queue->published, &queue->clamped);
	return queue->entries - (queue->filled - queue->freed);
}

bool queue_fill(struct queue_producer *queue, const struct queue_descriptor *descriptor)
{
	union halves halves = { *descriptor };
	volatile uint64_t *to;

	if (queue_room(queue, 1) == 0)
		return false;
	to = place(queue->shared, queue->entries, queue->filled++);
	to[0] = halves.words[0];
	to[1] = halves.words[1];
	return true;
}

bool queue_publish(struct queue_producer *queue)
{
	uint32_t before = queue->published;

	if (before == queue->filled)
		return false;
	queue->published = queue->filled;
	return move(&queue->shared->producer, &queue->shared->consumer, before, queue->filled);
}

bool queue_await_room(struct queue_producer *queue, uint32_t wanted)
{
	if (queue_room(queue, wanted) >= wanted)
		return false;
	announce(&queue->shared->producer, queue->filled + wanted - queue->entries - 1);
	return queue_room(queue, wanted) < wanted;
}

/* --- The consumer ----------------------------------------------------------------------------- */

status_t queue_consumer_init(struct queue_consumer *queue, void *memory, uint32_t entries)
{
	if (!queue_entries_valid(entries) || (uintptr_t)memory % QUEUE_ALIGN != 0)
		return STATUS_INVALID_ARGUMENT;
	*queue = (struct queue_consumer){ .shared = memory, .entries = entries };
	return STATUS_OK;
}

uint32_t queue_available(struct queue_consumer *queue, uint32_t wanted)
{
	if (queue->published - queue->taken < wanted)
		look(&queue->shared->producer, &queue->published, queue->freed + queue->entries, &queue->clamped);
	return queue->published - queue->taken;
}

bool queue_take(struct queue_consumer *queue, struct queue_descriptor *descriptor)
{
	union halves halves;
	const volatile uint64_t *from;

	if (queue_available(queue, 1) == 0)
		return false;
	from = place(queue->shared, queue->entries, queue->taken++);
	halves.words[0] = from[0];
	halves.words[1] = from[1];
	*descriptor = halves.descriptor;
	return true;
}

bool queue_free(struct queue_consumer *queue)
{
	uint32_t before = queue->freed;

	if (before == queue->taken)
		return false;
	queue->freed = queue->taken;
	return move(&queue->shared->consumer, &queue->shared->producer, before, queue->taken);
}

bool queue_await(struct queue_consumer *queue, uint32_t wanted)
{
	if (queue_available(queue, wanted) >= wanted)
		return false;
	announce(&queue->shared->consumer, queue->taken + wanted - 1);
	return queue_available(queue, wanted) < wanted;
}
