/*
 * The kernel's side of a thread's ring: the chunk's memory through the direct map, private copies of every
 * index, and one `struct question` for each operation that may wait.
 *
 * Entries come in through ring/dispatch.c and go out through ring/completion.c; what an operation waits for
 * lives in object/. No pointer of a program's is ever followed: entries name words of the arena.
 */
#ifndef KERNEL_RING_RING_H
#define KERNEL_RING_RING_H

#include "abi/compiler.h"
#include "abi/ring_index.h"
#include "abi/status.h"
#include "capos/ring.capnp.h"
#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/time/timer_queue.h"

struct call_transfer;
struct cap_entry;
struct endpoint;
struct export;
struct object;
struct poller;
struct process;
struct thread;

#define RING_BYTES 32768u
#define RING_ORDER 3             /* frames: 2^3 pages */
#define RING_WORDS (RING_BYTES / 8)
#define RING_SQ_ENTRIES 64u
#define RING_CQ_ENTRIES 128u
#define RING_QUESTIONS 64u
#define RING_CQ_OFF 512u
#define RING_SQ_OFF (RING_CQ_OFF + RING_CQ_ENTRIES * 32u)
#define RING_ARENA_OFF ((RING_SQ_OFF + RING_SQ_ENTRIES * 64u) / 8u)   /* words */

enum question_kind {
	QUESTION_FREE,
	QUESTION_CALL,        /* to an endpoint: QUEUED or DELIVERED */
	QUESTION_RECV,        /* armed at an endpoint */
	QUESTION_OBJECT,      /* a deferred call of a kernel object, or a wait */
	QUESTION_HELD,        /* a call that waits for the answers to other questions of its ring */
	QUESTION_KEPT,        /* a call that was answered; its answer can be named until FINISH */
};

enum call_state {
	CALL_NONE,
	CALL_QUEUED,          /* in the endpoint's pending queue; message still in the caller's arena */
	CALL_DELIVERED,       /* in a service slot; the server knows its call id */
	CALL_FORWARDED,       /* was DELIVERED; the question of who forwarded it is QUEUED in its place */
	CALL_RETURNING,       /* its outcome is known; whoever made it so completes it */
	CALL_DONE,            /* taken out of its place, about to be completed */
};

/* What an answer came to, for the calls that were made on capabilities in it. */
struct answer {
	status_t status;
	uint16_t flags;
	uint16_t cap_count;       /* records before the message in the reply span */
	uint32_t msg_words;
	uint64_t detail;
};

/*
 * One operation in flight. Preallocated in its ring: starting a call allocates nothing.
 * I set when accepted, fixed while in flight   o under the lock of `object`   r under ring.lock
 * p private to the thread's own kernel entries
 */
struct question {
	struct ring_entry entry;        /* I, as accepted */
	union {
		struct list      link;      /* o: pending queue, receivers, or the object's waiters; HELD: r, in the base's `held`
		                             * or the ring's `stalled` */
		struct question *branches[2];   /* o: of a park that leads its word's, in the tree of words */
	};
	union {
		struct list      followers; /* o: QUEUED and first of its ring's calls at the endpoint: the others, in order; of
		                             * a park that leads: the others for that word */
		struct answer    answer;    /* r: RETURNING before what it holds has started, and KEPT; HELD: status and
		                             * detail of the first answer that failed it, OK so far */
		uint64_t         known_at;  /* p: with `known`, which only the direct way sets and no question has that was
		                             * queued, held or kept since: the table's `emptied` when it was looked up */
	};
	struct list      held;          /* r: calls on capabilities in this one's answer, in order */
	struct ring     *ring;          /* fixed */
	struct object   *object;        /* I, where it waits. Counted for kind OBJECT; a call's export and a receive's
	                                 * capability keep their endpoint */
	struct export   *export;        /* I, held: the target of a call */
	struct call_transfer *transfer; /* o, capabilities on their way; NULL none */
	struct grant    *grant;         /* I, one use: what a wait hangs on; NULL otherwise */
	uint16_t         number;        /* fixed */
	uint8_t          kind;          /* r, enum question_kind */
	uint8_t          call_state;    /* o, enum call_state */
	uint8_t          reserved;      /* o, reply slots still set aside in the process' table */
	bool             leads;         /* o: QUEUED, with `link` in the endpoint's pending list and not behind another; or
	                                 * a park in the tree of words */
	uint16_t         named;         /* r: how many capabilities that held calls carry will be in its answer */
	uint32_t         service;       /* o, slot in the endpoint while DELIVERED */
	union {
		uint32_t incarnation;   /* I, of the endpoint when a recv was armed */
		uint32_t turn;          /* I, of a HELD call: the order in which the ring's were submitted, modulo 2^32 */
	};
	union {
		struct question *forward;       /* o, of a FORWARDED call: the forwarder's question, and of that: the call */
		struct question *next_settling; /* RETURNING: the next in the processor's list */
	};
	struct timer_node timer;        /* queued for the deadline, or for the end of a sleep that comes first */
	struct cap_entry *known;        /* p: the direct way's target of `entry`; NULL otherwise */
	uint64_t         trace_call;    /* the call's number for those who trace, if it began while anybody did */
};

/*
 * Questions are made when their number is first used, the lower ones with them: a program that has few at a time, as most
 * have, costs few. Those from `questions_end` on are undefined memory.
 *
 * I fixed after creation   r under lock   p private to the thread's own kernel entries, and to whoever takes entries
 * exclusive   x exclusive only
 */
struct ring {
	struct spinlock     lock;
	struct ring_header *header;         /* I, shared with the program */
	uint64_t           *words;          /* I, the whole chunk; words[0] is the header */
	struct ring_entry  *sq;             /* I */
	struct ring_completion *cq;         /* I */
	uint64_t            physical;       /* I */
	uint64_t            address;        /* I, user address */
	struct thread      *thread;         /* I */
	struct process     *process;        /* I */
	struct ring_entry   taken;          /* p, the entry being performed */
	union {
		struct {
			uint32_t sq_head;   /* p */
			uint32_t is_polled; /* x, 1: others take from the queue, or may be about to; else 0 */
		};
		uint64_t    own_head;       /* equal to an index: the queue is the thread's own, and that is its head */
	};
	uint32_t            cq_tail;        /* r */
	uint32_t            cq_head_seen;   /* r, the program's index as last believed; but see ring_glance */
	uint32_t            in_flight;      /* r, accepted, not completed, without SYNC */
	struct question    *sync;           /* r, the question that the thread sleeps for */
	struct list         stalled;        /* r, held calls whose target is known, by turn: see pipeline.h */
	uint32_t            turns;          /* r, of held calls so far */
	bool                is_settling;    /* a, in its processor's list */
	struct ring        *next_settling;
	int64_t             sync_result;    /* p, what the last SYNC entry came to */
	uint64_t            trace_within;   /* the traced call that the thread received and has not answered */
	struct poller      *poller;         /* x, of ring/poller.h; NULL: only the thread's own entries take from the queue */
	struct timer_node   rest;           /* x, queued when polling has ended with entries in the queue */
	uint64_t            questions_end;  /* p, only grows; read by all; compared with a word */
	struct question     questions[RING_QUESTIONS];
};
STATIC_ASSERT(sizeof(struct ring) <= 4 * 4096);

/* A ring for `thread`, or NULL when there is no memory. The chunk is zeroed, the header filled except for `address`. */
struct ring *ring_create(struct thread *thread, struct process *process) MUST_USE;
void ring_destroy(struct ring *ring);      /* no question is in flight */
void ring_set_address(struct ring *ring, uint64_t address);

/* Makes the questions up to this number, if there is such a number; false if not. For the thread's own entries. */
bool ring_question_make(struct ring *ring, uint32_t number) MUST_USE;

/* How many questions have been made. */
static inline uint32_t ring_questions(const struct ring *ring)
{
	return (uint32_t)LOAD_ACQUIRE(&ring->questions_end);
}

/* Completions that the program can read now. An index of the program's that makes no sense is corrected and counted.
 * Ring locked. */
static inline uint32_t ring_available(struct ring *ring)
{
	uint32_t claimed = LOAD_ACQUIRE(&ring->header->cq_head);
	uint32_t head = ring_index_read(ring->cq_head_seen, claimed, ring->cq_tail);

	if (unlikely(head != claimed))
		ring->header->clamped++;
	ring->cq_head_seen = head;
	return ring_index_count(head, ring->cq_tail);
}

/* The same for the thread's own entry at a glance, without the lock; false if the program's index makes no sense. That
 * another processor may put an older head in the place of this one is harmless: it promises less room. */
static inline bool ring_glance(struct ring *ring, uint32_t *unread)
{
	uint32_t claimed = LOAD_ACQUIRE(&ring->header->cq_head), tail = READ_ONCE(ring->cq_tail);

	*unread = ring_index_count(claimed, tail);
	if (unlikely(*unread > ring_index_count(READ_ONCE(ring->cq_head_seen), tail)))
		return false;
	WRITE_ONCE(ring->cq_head_seen, claimed);
	return true;
}

/* How many entries the program has handed over that were not taken yet; a tail that makes no sense counts as a full queue. */
static inline uint32_t ring_submitted(struct ring *ring)
{
	uint32_t tail = LOAD_ACQUIRE(&ring->header->sq_tail);
	uint32_t count = ring_index_put(ring->sq_head, tail, RING_SQ_ENTRIES);

	if (unlikely(count != ring_index_count(ring->sq_head, tail)))
		ring->header->clamped++;
	return count;
}

/* Whether the program has handed over anything that was not taken yet. */
static inline bool ring_has_submitted(const struct ring *ring)
{
	return LOAD_ACQUIRE(&ring->header->sq_tail) != ring->sq_head;
}

/* The oldest entry is taken: the program may use its place. */
static inline void ring_head_advance(struct ring *ring)
{
	ring->sq_head++;
	STORE_RELEASE(&ring->header->sq_head, ring->sq_head);
}

/* Whether there is room for one completion more than those in flight and unread. */
static inline bool ring_has_credit(struct ring *ring)
{
	if (likely(ring_index_has_credit(ring->in_flight, ring->cq_head_seen, ring->cq_tail, RING_CQ_ENTRIES)))
		return true;
	(void)ring_available(ring);
	return ring_index_has_credit(ring->in_flight, ring->cq_head_seen, ring->cq_tail, RING_CQ_ENTRIES);
}

/* True if the span may hold `words` message words: in the arena, one chunk, within the maximum. */
static inline bool ring_span_valid(uint32_t off, uint32_t words)
{
	return ring_span_inside(off, words, RING_ARENA_OFF, RING_WORDS);
}

/* --- Completions (ring/completion.c) ------------------------------------------------------------ */

/* An outcome is the completion as the program reads it; user_data is filled in on the way out. */

STATIC_ASSERT(offsetof(struct ring_header, reply_detail) - offsetof(struct ring_header, reply_user_data) ==
		offsetof(struct ring_completion, detail));

/* Writes an outcome to the reply slot; field by field, so that it need not be in memory first. */
HOT_INLINE static inline void ring_reply_write(struct ring_header *header, uint64_t user_data,
		const struct ring_completion *outcome)
{
	struct ring_completion *slot = (struct ring_completion *)&header->reply_user_data;

	slot->user_data = user_data;
	slot->status = outcome->status;
	slot->flags = outcome->flags;
	slot->cap_count = outcome->cap_count;
	slot->msg_words = outcome->msg_words;
	slot->id = outcome->id;
	slot->detail = outcome->detail;
}

/* Completes an entry that has no question. SYNC entries of that kind go to the reply slot. */
void ring_complete_entry(struct ring *ring, const struct ring_entry *entry, struct ring_completion *outcome);
/* Entries without a question have been completed while their thread was not the running one: wakes it if that is what it
 * waits for. */
void ring_tell(struct ring *ring);

/*
 * Ends a question: frees it (its object reference and export hold are handed to the caller through
 * *release to drop after unlocking), returns unused reply slots, posts the completion, wakes the thread.
 * `handoff`: the thread may run at once on this processor.
 * Caller holds the lock of the question's object or owns the question otherwise.
 */
struct question_release { struct object *object; struct export *export; };
void question_complete(struct question *question, struct ring_completion *outcome, bool handoff,
		struct question_release *release);
/* The same for a question that its thread sleeps for: the caller has seen that with the lock of the
 * question's place held, so that nobody else can wake it; drops the export or object itself, gives
 * back or keeps reply slots that are still set aside, and lets the thread run (sched_pass). */
void question_complete_direct(struct question *question, const struct ring_completion *outcome);
/* The same, with the release, for a question of kind OBJECT that the running thread's entry has just made and answered;
 * without locks. */
void question_complete_own(struct question *question, struct ring_completion *outcome);
/* Posts a completion of a question that stays in flight, with flag MORE. False: the ring has no room for it beyond the
 * completion that the question still owes, and nothing has happened. */
bool question_report(struct question *question, struct ring_completion *outcome);
/* Drops what a completed question held; call without locks. */
void question_release(struct question_release *release);

/* As question_complete and release in one, with an answer message for a deferred kernel call: copies `words`
 * to the reply span (too large for what the caller offered: completes with REPLY_TOO_LARGE instead). No lock held. */
void question_answer(struct question *question, status_t status, uint64_t detail, const uint64_t *message,
		uint32_t words);

/* Cancels whatever the question waits for and completes it with `status`; false if it was not in flight or is being
 * completed. No lock held. */
bool question_cancel(struct question *question, status_t status, uint64_t detail);

/* Ends a kept answer. GONE: there is none; QUESTION_BUSY: the question is in flight. */
status_t question_finish(struct question *question) MUST_USE;

/* Gives back what a call that was not delivered carried; call without locks. */
void question_drop_transfer(struct question *question);

/* Accepted and not yet completed. */
static inline bool question_in_flight(const struct question *question)
{
	return question->kind != QUESTION_FREE && question->kind != QUESTION_KEPT;
}

/* Arms the deadline of a call that began and may have ended since. No lock held. */
void question_arm_deadline(struct question *question);

/* What an entry that was refused leaves behind if it has flag KEEP: its refusal, for calls made on its answer. */
void question_keep_refusal(struct question *question, const struct ring_entry *entry, status_t status, uint64_t detail);

/* Message words and records of the reply span. */
static inline uint64_t *question_reply_message(const struct question *question)
{
	return question->ring->words + question->entry.reply_off + 2u * question->entry.reply_caps;
}

void ring_check(struct ring *ring);

#endif
