/*
 * Ring client: this thread's side of the ring that it shares with the kernel (docs/ring.md).
 *
 * Everything above it (transport.c, capability.c, server.c) makes requests in three steps:
 * ring_entry gives a zeroed entry of the queue, the caller fills it and hands it over (ring_push),
 * and ring_sync, ring_wait or ring_turn goes into the kernel. Nothing reaches the kernel before one
 * of those. What is waited for at once needs no place in the queue: ring_entry_sync or
 * ring_standing gives the entry in the header, which the kernel takes after those of the queue
 * (ring_enter_sync).
 *
 * Always true: whatever lies between the header's sq_head and sq_tail has been filled, since a
 * kernel that polls the ring may look at it at any time. Each entry that is not
 * SYNC carries a `struct ring_operation` as its user data, or 0 if nobody cares. Completions are
 * copied out of the queue when they are reaped.
 *
 * One ring per thread; the header's `runtime` word leads from the GS base to this state.
 */
#ifndef LIB_RT_RING_H
#define LIB_RT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/ring_index.h"
#include "abi/status.h"
#include "abi/syscall.h"
#include "capos/ring.capnp.h"
#include "rt/arena.h"
#include "rt/panic.h"

#define RING_QUESTIONS_MAX 64u
#define RING_NO_QUESTION   UINT16_MAX

/* Something that will complete. Embed it in what waits for it. */
struct ring_operation {
	/* Run once by ring_run_ready (from a loop) after completion; NULL: only ring_wait looks
	 * at it. Set with ring_set_ready. */
	void (*ready)(struct ring_operation *operation);
	struct ring_operation *next_ready;
	struct ring_completion completion;
	uint64_t earlier_bits;          /* of a multishot wait: those of completions that `ready` has not seen */
	bool done;
	bool queued;                    /* in the ready list */
};

struct ring {
	struct ring_header *header;
	struct ring_entry *entries;
	const struct ring_completion *completions;
	uint64_t *words;                /* word 0 of the ring */
	const struct ring_entry *standing; /* what the header's entry was copied from; NULL: filled by hand */
	uint32_t sq_mask;
	uint32_t cq_mask;
	uint32_t sq_limit;              /* there is room for entries below this one; more may have come */
	uint32_t cq_head;               /* completions read */
	struct ring_operation *ready_first;
	struct ring_operation *ready_last;
	uint32_t awaited;               /* operations with `ready` that it was not run for yet */
	uint16_t question_count;        /* free ones in the stack below */
	uint16_t question_limit;
	uint16_t free_questions[RING_QUESTIONS_MAX];
	struct arena arena;
};

/* Takes over a ring from the kernel; panics if it is not one of this version. */
void ring_init(struct ring *ring, struct ring_header *header);

/* The calling thread's, by the GS base that the kernel points at the ring's header. */
static inline struct ring *ring_self(void)
{
	struct ring *ring;

	STATIC_ASSERT(offsetof(struct ring_header, runtime) == 72);
	__asm__("movq %%gs:72, %0" : "=r"(ring));
	return ring;
}

/* --- Entries -------------------------------------------------------------------------------- */

/* Sees to it that sq_limit leaves room for an entry; enters the kernel only if the queue is
 * full. */
void ring_make_room(struct ring *ring) RARE;

/* Where the next entry goes. */
static inline struct ring_entry *ring_next(struct ring *ring)
{
	uint32_t tail = ring->header->sq_tail;

	if (unlikely((int32_t)(ring->sq_limit - tail) <= 0))
		ring_make_room(ring);
	return &ring->entries[tail & ring->sq_mask];
}

/* Hands the next entry over, which has been filled. */
static inline void ring_push(struct ring *ring)
{
	STORE_RELEASE(&ring->header->sq_tail, ring->header->sq_tail + 1);
}

/* Hands over a finished entry whose operation is in its user data, not done and without `ready`. */
static inline void ring_put(struct ring *ring, const struct ring_entry *entry)
{
	*ring_next(ring) = *entry;
	ring_push(ring);
}

/* The next entry, zeroed but for the operation and the user data, to be filled and handed over
 * (ring_push). The operation begins anew, without `ready`. Enters the kernel only if the queue is
 * full. */
static inline struct ring_entry *ring_entry(struct ring *ring, uint8_t op,
		struct ring_operation *operation)
{
	struct ring_entry *entry = ring_next(ring);

	*entry = (struct ring_entry){ .op = op, .user_data = (uint64_t)(uintptr_t)operation };
	if (operation != NULL)
		operation->done = false;
	return entry;
}

/* The entry in the header, as it was left there. */
static inline struct ring_entry *ring_header_entry(const struct ring *ring)
{
	STATIC_ASSERT(sizeof(ring->header->sync_entry) == sizeof(struct ring_entry));
	return (struct ring_entry *)(void *)ring->header->sync_entry;
}

/* The entry in the header, zeroed but for being SYNC: for ring_enter_sync, before anything else is
 * waited for. */
static inline struct ring_entry *ring_entry_sync(struct ring *ring, uint8_t op)
{
	struct ring_entry *entry = ring_header_entry(ring);

	ring->standing = NULL;
	*entry = (struct ring_entry){ .op = op, .flags = ENTRY_SYNC };
	return entry;
}

/* The entry in the header, a copy of `model`, which is SYNC and never changes. It is copied only
 * where another stood there, so all that the caller sets besides must be set each time. */
static inline struct ring_entry *ring_standing(struct ring *ring, const struct ring_entry *model)
{
	struct ring_entry *entry = ring_header_entry(ring);

	if (unlikely(ring->standing != model)) {
		ring->standing = model;
		*entry = *model;
	}
	return entry;
}

/* The entry in the header, a copy of a finished one. */
static inline void ring_put_sync(struct ring *ring, const struct ring_entry *entry)
{
	struct ring_entry *place = ring_header_entry(ring);

	ring->standing = NULL;
	*place = *entry;
	place->flags |= ENTRY_SYNC;
}

/* Reads completions and enters with these flags until the kernel has taken every entry. */
status_t ring_enter_again(struct ring *ring, uint64_t flags);

/* Waits for the entry in the header, and takes along what is in the queue. Answers the outcome; the
 * completion is in the reply slot (ring_reply). */
static inline status_t ring_enter_sync(struct ring *ring)
{
	status_t status;

	DEBUG_ASSERT((ring_header_entry(ring)->flags & ENTRY_SYNC) != 0);
	status = (status_t)cap_enter(ENTER_SYNC, 0, 0);
	/* Earlier entries may lack completion credits, which reading completions gives back. */
	if (unlikely(status == STATUS_NO_CREDIT))
		return ring_enter_again(ring, ENTER_SYNC);
	return status;
}

/* Waits for the entry of the queue that was handed over last, which it makes SYNC unless the kernel
 * has taken it already. Answers its completion. */
const struct ring_completion *ring_sync(struct ring *ring, struct ring_operation *operation);

/* The outcome of the last ring_enter_sync, or of ring_sync; valid until the next. */
static inline const struct ring_completion *ring_reply(const struct ring *ring)
{
	STATIC_ASSERT(offsetof(struct ring_header, reply_status) -
			offsetof(struct ring_header, reply_user_data) ==
			offsetof(struct ring_completion, status));
	STATIC_ASSERT(offsetof(struct ring_header, reply_detail) -
			offsetof(struct ring_header, reply_user_data) ==
			offsetof(struct ring_completion, detail));
	return (const struct ring_completion *)(const void *)&ring->header->reply_user_data;
}

/* Has the kernel take what was filled; does not wait. */
void ring_submit(struct ring *ring);

/* Whether the kernel looks by itself, or did: docs/ring.md, "Polled rings". */
static inline bool ring_is_polled(const struct ring *ring)
{
	return READ_ONCE(ring->header->poller) != POLLER_NONE;
}

/* Lets a kernel that polls the ring know of entries that it may not see by itself. */
void ring_kick(struct ring *ring);

/* The same for any ring: where nobody polls it, entries wait until the thread enters the kernel. */
static inline void ring_hand_over(struct ring *ring)
{
	if (unlikely(ring_is_polled(ring)))
		ring_kick(ring);
}

/* Waits until the operation is done. Other completions are reaped meanwhile; those with `ready`
 * wait for ring_run_ready. */
void ring_wait(struct ring *ring, struct ring_operation *operation);

/* The same until the absolute time (0: none) has come; whether the operation is done. Sleeps for
 * `completions` of them at once (at least 1), where the caller knows that so many will come. */
bool ring_wait_until(struct ring *ring, const struct ring_operation *operation,
		uint32_t completions, uint64_t deadline_ns);

/* One turn of a loop: hands over, sleeps until there is a completion or the deadline (0: none)
 * has passed, reaps. Answers false if the deadline passed first. Does not sleep if something is
 * ready already. */
bool ring_turn(struct ring *ring, uint64_t deadline_ns);

/* Copies all completions out of the queue and marks their operations. */
void ring_reap(struct ring *ring);

/* Runs `ready` of one operation that has completed; false if there is none. */
bool ring_run_ready(struct ring *ring);

/* What to run when the operation has completed, also if it has already; NULL: nothing any more. */
void ring_set_ready(struct ring *ring, struct ring_operation *operation,
		void (*ready)(struct ring_operation *operation));

/* Whether the entry that was filled when sq_tail became `tail` is the last and was not taken. */
static inline bool ring_is_last(const struct ring *ring, uint32_t tail)
{
	return ring->header->sq_tail == tail && LOAD_ACQUIRE(&ring->header->sq_head) != tail;
}

/* --- Questions and spans -------------------------------------------------------------------- */

/* A question number that is not in use, or RING_NO_QUESTION. */
static inline uint16_t ring_question_take(struct ring *ring)
{
	if (unlikely(ring->question_count == 0))
		return RING_NO_QUESTION;
	return ring->free_questions[--ring->question_count];
}

static inline void ring_question_give(struct ring *ring, uint16_t question)
{
	ring->free_questions[ring->question_count++] = question;
}

/* Words of the arena. ring_span_take answers false when no stretch is long enough. */
MUST_USE bool ring_span_take(struct ring *ring, uint32_t words, uint32_t *off);
void ring_span_give(struct ring *ring, uint32_t off, uint32_t words);

static inline uint64_t *ring_words_at(const struct ring *ring, uint32_t off)
{
	return ring->words + off;
}

#endif
