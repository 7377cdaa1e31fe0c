/*
 * What the parts of the direct way share: ring/direct.c, which chooses, and
 * object/endpoint_fast.c, calls and their answers.
 */
#ifndef KERNEL_RING_DIRECT_H
#define KERNEL_RING_DIRECT_H

#include "kernel/cap/cap_table.h"
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

/* Performs the entry in the header after those of the queue: the context to leave with. */
struct arch_context *ring_enter(struct ring *ring);

/* A SYNC CALL, and a SYNC RETURN that receives again, of which `head` is the first word: the
 * context to leave with. */
struct arch_context *call_enter(struct ring *ring, const struct ring_entry *shared, uint64_t head);
struct arch_context *return_enter(
		struct ring *ring, const struct ring_entry *shared, uint64_t head);

/*
 * The question that word 6 of an entry names. NULL if it is in use, and if the word says anything
 * else: its upper half is the question, the number of capabilities and the path's length, the
 * lower where the former are.
 */
HOT_INLINE static inline struct question *question_for(struct ring *ring, uint64_t word6)
{
	uint64_t number = word6 << 32 | word6 >> 32;
	struct question *question;

	if (unlikely(number >= ring->questions_end))
		return NULL;
	question = &ring->questions[number];
	OPAQUE(question);
	return likely(question->kind == QUESTION_FREE) ? question : NULL;
}

/* Writes an entry without capabilities, deadline and path to the free question that it names. */
static inline void question_write(struct question *question, uint64_t head, uint64_t interface,
		uint64_t spans, uint64_t sizes)
{
	union entry_words *entry = (union entry_words *)&question->entry;

	question->known = NULL;
	entry->words[0] = head;
	entry->words[2] = interface;
	entry->words[3] = 0;
	entry->words[4] = spans;
	entry->words[5] = sizes;
	entry->words[6] = (uint64_t)question->number << 32;
	entry->words[7] = 0;
}

/*
 * The capability that an entry names if the free question's last one was the same but for its user
 * data and interface, was taken by the direct way, and no slot of the table has been emptied since:
 * then the capability is the one that was checked, and so is all that cannot have changed. NULL: it
 * has to be checked again.
 */
HOT_INLINE static inline struct cap_entry *question_known(const struct cap_table *caps,
		const struct question *question, uint64_t head, uint64_t spans, uint64_t sizes)
{
	const union entry_words *last = (const union entry_words *)&question->entry;
	struct cap_entry *known = question->known;

	if (unlikely(!known || last->words[0] != head || last->words[4] != spans ||
			    last->words[5] != sizes))
		return NULL;
	return likely(cap_entry_is_same(caps, known, question->known_at)) ? known : NULL;
}

/* The entry that was written to the question has been checked, with the capability that it names. */
static inline void question_know(
		const struct cap_table *caps, struct question *question, struct cap_entry *target)
{
	question->known = target;
	question->known_at = caps->emptied;
}

/* Makes a question of what was read, for which the thread sleeps. The lock of the object is held. */
HOT_INLINE static inline void question_sleep(
		struct ring *ring, struct question *question, struct object *object)
{
	question->object = object;
	ring->sync = question;
	ring->thread->state = THREAD_WAIT_SYNC;
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
