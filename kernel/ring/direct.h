/*
 * What the parts of the direct way share: ring/direct.c, which chooses, and
 * object/endpoint_fast.c, calls and their answers.
 */
#ifndef KERNEL_RING_DIRECT_H
#define KERNEL_RING_DIRECT_H

#include "kernel/core/entry.h"
#include "kernel/object/thread.h"
#include "kernel/ring/dispatch.h"

/* An entry's first word: operation, flags, method, target. */
#define ENTRY_HEAD(op, flags) ((uint32_t)(op) | (uint32_t)(flags) << 8)

STATIC_ASSERT((RING_QUESTIONS & (RING_QUESTIONS - 1)) == 0);
STATIC_ASSERT(offsetof(struct ring_entry, msg_words) == 40 &&
		offsetof(struct ring_entry, reply_caps) == 44);
STATIC_ASSERT(offsetof(struct ring_entry, caps_off) == 48 &&
		offsetof(struct ring_entry, question) == 52);
STATIC_ASSERT(offsetof(struct ring_entry, deadline_ns) == 24 &&
		offsetof(struct ring_entry, path) == 56);

/* Enters the ring's queue, in which the program says that there are `count` entries, not none: the
 * context to leave with. */
struct arch_context *ring_enter(
		struct ring *ring, const struct ring_header *header, uint32_t count);

/* A SYNC CALL, and a SYNC RETURN that receives again, of which `head` is the first word: the
 * context to leave with. */
struct arch_context *call_enter(struct ring *ring, const struct ring_entry *shared, uint64_t head);
struct arch_context *return_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head);

/*
 * Reads the shared entry, each word once (the first, `head`, has been), to the question that it
 * names, which stays free. NULL unless it has no capabilities, deadline or path, nothing in the
 * bits `sizes` of its word 5, and a question not in use.
 */
HOT_INLINE static inline struct question *question_read(
		struct ring *ring, const struct ring_entry *shared, uint64_t head, uint64_t sizes)
{
	const volatile uint64_t *from = ((const union entry_words *)shared)->words;
	uint64_t word6 = from[6], number = word6 << 32 | word6 >> 32, other;
	struct question *question;
	uint64_t *to;

	/* The upper half is the question, the number of capabilities and the path's length; the
	 * lower where the former are. */
	if (unlikely(number >= ring->questions_end))
		return NULL;
	question = &ring->questions[number];
	OPAQUE(question);
	if (unlikely(question->kind != QUESTION_FREE))
		return NULL;
	to = ((union entry_words *)&question->entry)->words;
	to[0] = head;
	to[1] = from[1];
	to[2] = from[2];
	to[3] = other = from[3];
	to[4] = from[4];
	to[5] = from[5];
	other |= to[5] & sizes;
	to[6] = word6;
	other |= to[7] = from[7];
	return likely(!other) ? question : NULL;
}

/* Makes a question of what was read, for which the thread sleeps. The lock of the object is held. */
HOT_INLINE static inline void question_sleep(
		struct ring *ring, struct question *question, struct object *object)
{
	question->object = object;
	ring->sync = question;
	ring->thread->state = THREAD_WAIT_SYNC;
	ring_head_advance(ring);
}

/* Locks the ring of a question if its thread sleeps for it. */
HOT_INLINE static inline bool sleeper_lock(
		struct ring *ring, const struct question *question) NO_LOCK_ANALYSIS
{
	spin_lock(&ring->lock);
	if (likely(ring->sync == question && ring->thread->state == THREAD_WAIT_SYNC))
		return true;
	spin_unlock(&ring->lock);
	return false;
}

#endif
