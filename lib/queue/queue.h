/*
 * A queue of descriptors in shared memory: one producer, one consumer, neither of which trusts
 * the other. The only such queue in the tree; events.h and buffer.h are made of it.
 *
 * Shared are two lines of 64 bytes, each written by one side only, and the descriptors, written
 * by the producer:
 *
 *     line        index                                 wake_at
 *     producer    descriptors published (tail)          "signal me when head has passed this"
 *     consumer    places given back (head)              "signal me when tail has passed this"
 *
 * Indices run freely modulo 2^32; descriptor n stands at n modulo the number of entries, a power
 * of two.
 *
 * Protocol. A side that moves its index:
 *     M1  fills or has finished reading the descriptors
 *     M2  stores its index                              (release)
 *     M3  full fence
 *     M4  loads the peer's wake_at; if M2 moved past it (old <= wake_at < new), it signals the peer
 * A side that finds nothing to do:
 *     S1  stores its wake_at: the index of the peer's that is not enough
 *     S2  full fence
 *     S3  loads the peer's index (acquire); if that has passed wake_at, it goes on
 *     S4  else sleeps until it is signalled, and looks again
 * Nobody sleeps for ever: either M4 sees S1, or S3 sees M2. A peer that does not sleep is not
 * signalled, and one that sleeps is signalled once, because no later move crosses the same
 * wake_at. A signal that comes without need is harmless, and so is one that stays set from
 * before: a notification keeps bits.
 *
 * What a hostile peer can do. A side never reads what it has written itself, believes an index
 * only if it lies between what it was and what it can be (others are counted in `clamped` and
 * change nothing), and reads each descriptor once. So it gets wrong descriptors, nothing, or
 * needless signals; it never leaves the queue's memory and never loops. What a descriptor says is
 * for the reader to check. Waiting needs a deadline where the peer is not trusted to come.
 */
#ifndef LIB_QUEUE_QUEUE_H
#define LIB_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"

#define QUEUE_ENTRIES_MAX (1u << 20)
#define QUEUE_ALIGN       64u

/* What the words mean is the user's affair. */
struct queue_descriptor {
	uint32_t offset;
	uint32_t bytes;
	uint32_t key;
	uint32_t flags;
};

/* One side's line: shared, written by that side alone. */
struct queue_line {
	uint32_t index;
	uint32_t wake_at;
	uint32_t reserved[14];
};

struct queue_shared {
	struct queue_line producer;
	struct queue_line consumer;
	struct queue_descriptor descriptors[];
};
STATIC_ASSERT(sizeof(struct queue_descriptor) == 16 && sizeof(struct queue_line) == 64);
STATIC_ASSERT(offsetof(struct queue_shared, descriptors) == 128);

/* Private to the producer's process. filled - published: written, not yet visible. */
struct queue_producer {
	struct queue_shared *shared;
	uint32_t entries;
	uint32_t filled;
	uint32_t published;
	uint32_t freed;         /* the consumer's index, as last believed */
	uint32_t clamped;       /* how often it was not */
};

/* Private to the consumer's process. taken - freed: read, their places not yet given back. */
struct queue_consumer {
	struct queue_shared *shared;
	uint32_t entries;
	uint32_t taken;
	uint32_t freed;
	uint32_t published;     /* the producer's index, as last believed */
	uint32_t clamped;       /* how often it was not */
};

static inline bool queue_entries_valid(uint32_t entries)
{
	return entries != 0 && entries <= QUEUE_ENTRIES_MAX && (entries & (entries - 1)) == 0;
}

/* Memory that a queue of so many entries takes; a multiple of QUEUE_ALIGN. `entries` is valid. */
static inline uint64_t queue_bytes(uint32_t entries)
{
	return ALIGN_UP(sizeof(struct queue_shared) + (uint64_t)entries * sizeof(struct queue_descriptor), (uint64_t)QUEUE_ALIGN);
}

/*
 * Begin with a queue in `memory`: shared, zeroed before either side began, aligned to QUEUE_ALIGN,
 * queue_bytes(entries) long. Both sides know the number of entries from elsewhere; it does not
 * stand in the memory. INVALID_ARGUMENT: it is not valid.
 */
MUST_USE status_t queue_producer_init(struct queue_producer *queue, void *memory, uint32_t entries);
MUST_USE status_t queue_consumer_init(struct queue_consumer *queue, void *memory, uint32_t entries);

/* --- The producer ----------------------------------------------------------------------------- */

/* Places that can be filled now. Looks at the consumer's index only if fewer than `wanted` are
 * known. */
uint32_t queue_room(struct queue_producer *queue, uint32_t wanted);

/* Fills the next place; false if there is none. The consumer does not see it before
 * queue_publish. */
bool queue_fill(struct queue_producer *queue, const struct queue_descriptor *descriptor);

/* Makes visible what was filled. True: the consumer waits for that, signal it. */
MUST_USE bool queue_publish(struct queue_producer *queue);

/* Before sleeping until `wanted` places (at most the number of entries) are free: true if it
 * may; false if they are. */
MUST_USE bool queue_await_room(struct queue_producer *queue, uint32_t wanted);

/* --- The consumer ----------------------------------------------------------------------------- */

/* Descriptors that can be taken now. Looks at the producer's index only if fewer than `wanted`
 * are known. */
uint32_t queue_available(struct queue_consumer *queue, uint32_t wanted);

/* Copies out the next descriptor; false if there is none. Its place is the producer's again
 * after queue_free. */
bool queue_take(struct queue_consumer *queue, struct queue_descriptor *descriptor);

/* Gives back the places of all that was taken. True: the producer waits for that, signal it. */
MUST_USE bool queue_free(struct queue_consumer *queue);

/* Before sleeping until there are `wanted` descriptors (at most the number of entries) more
 * than those taken: true if it may. */
MUST_USE bool queue_await(struct queue_consumer *queue, uint32_t wanted);

#endif
