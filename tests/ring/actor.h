/*
 * A program that does anything: the one generator of ring entries for the fuzzer on the host (tests/host/ring_fuzz.c) and
 * for the one in a guest (tests/ring/guest.c).
 *
 * An actor knows what any program knows: which capabilities it was given, which questions it has asked, which calls it was
 * asked to answer. From that and from chance it fills batches of entries, most of them sensible, so that much happens, some
 * of them nonsense in any field. `actor_ops` in actor.c is the one table of what it may do.
 *
 * The arena: one block for each question in flight (the reply span, the message, descriptors), scratch for each entry of a
 * batch that has no question, and the wild zone, where spans of nonsense lead, so that they spoil nothing that is compared.
 * Always true: the words of a message to an export, outside the wild zone, are actor_word(user_data, index), so whoever
 * receives them can tell whether they came over whole.
 */
#ifndef TESTS_RING_ACTOR_H
#define TESTS_RING_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "capos/ring.capnp.h"

#define ACTOR_BLOCKS       36u
#define ACTOR_CAPS         96u
#define ACTOR_SURPLUS      32u
#define ACTOR_CALLS        24u
#define ACTOR_EVENTS       16u
#define ACTOR_PAST         16u
#define ACTOR_BATCH        8u
#define ACTOR_PROCESSES    16u

#define ACTOR_REPLY_WORDS  36u     /* of a block: records or RecvHeader first */
#define ACTOR_PARAM_WORDS  28u
#define ACTOR_DESCRIPTORS  4u
#define ACTOR_BLOCK_WORDS  (ACTOR_REPLY_WORDS + ACTOR_PARAM_WORDS + 2u * ACTOR_DESCRIPTORS)
#define ACTOR_SCRATCH_WORDS 20u    /* message of 12 and four descriptors */
#define ACTOR_WILD_WORDS   256u
#define ACTOR_ARENA_WORDS  (ACTOR_BLOCKS * ACTOR_BLOCK_WORDS + ACTOR_BATCH * ACTOR_SCRATCH_WORDS + ACTOR_WILD_WORDS)

#define ACTOR_INTERFACE    0xb000000000000001ull     /* of exports: three methods */
#define ACTOR_ANCESTOR     0xb000000000000002ull     /* one method */
#define ACTOR_METHODS      3u
#define ACTOR_ANCESTOR_METHODS 1u

/* What a capability is, as far as its holder can tell. */
enum actor_kind {
	KIND_OTHER,
	KIND_TIMER,
	KIND_FACTORY,
	KIND_SPAWNER,
	KIND_BUILDER,
	KIND_HANDLE,
	KIND_OBSERVER,
	KIND_MANAGER,
	KIND_ENDPOINT,
	KIND_EXPORT,
	KIND_EXPORT_NARROW,
	KIND_NOTIFICATION,
	KIND_SIGNAL,
	KIND_MEMORY,
	KIND_VIEW,
	KIND_SPACE,
	KIND_COUNT,
};

struct dice {
	uint64_t state;
};

struct actor_cap {
	uint32_t id;
	uint8_t  kind;
};

/* A place of the arena, in use until the entry with this user data completes. */
struct actor_block {
	bool     busy;
	bool     kept;         /* its answer has come and can be named until FINISH */
	bool     finished;     /* which has been sent */
	uint64_t user_data;
	struct ring_entry entry;
};

/* A call that waits for this actor's answer. */
struct actor_call {
	uint32_t endpoint;
	uint32_t id;
	uint16_t reply_words;
	uint8_t  reply_caps;
	bool     answered;     /* perhaps */
};

/* An export that nobody holds, as this actor was told. */
struct actor_event {
	uint32_t endpoint;
	uint64_t tag;
	uint64_t sequence;
};

struct actor {
	struct dice dice;
	uint64_t               *words;        /* the ring */
	struct ring_header     *header;
	struct ring_entry      *entries;
	struct ring_completion *completions;
	uint32_t                number;       /* of the actor, 16 bits, in all its user data */
	uint32_t                arena_off;    /* words; ACTOR_ARENA_WORDS from there are its own */
	bool                    sleeps;       /* it may wait without a deadline */
	bool                    spawns;       /* it may make processes now; the driver says so */
	uint32_t                pinned;       /* its first capabilities, which it never gives away */
	uint32_t                others[ACTOR_PROCESSES];   /* ids of processes that it may try to harm */
	uint32_t                other_count;
	uint32_t                cap_count;
	struct actor_cap        caps[ACTOR_CAPS];
	uint32_t                surplus_count;
	uint32_t                surplus[ACTOR_SURPLUS];    /* ids that it only wants to let go */
	uint32_t                past_count;
	uint32_t                past[ACTOR_PAST];          /* ids that it had */
	struct actor_block      blocks[ACTOR_BLOCKS];
	uint32_t                call_count;
	struct actor_call       calls[ACTOR_CALLS];
	uint32_t                event_count;
	struct actor_event      events[ACTOR_EVENTS];
	uint64_t                counter;
	uint64_t                now_ns;        /* of this turn */
	uint64_t                sync;          /* user data of the SYNC entry that it sent last; 0: read */
	uint32_t                sq_tail;
	uint32_t                batch_count;
	struct ring_entry       batch[ACTOR_BATCH];        /* what it just sent */
	bool                    alone;         /* the entry being filled must be its batch's only one */
	bool                    was_alone;     /* the last batch was such an entry */
	bool                    quiet;         /* no nonsense: only what programs would do */
};

/* How to enter the kernel. */
struct actor_enter {
	uint64_t flags;
	uint64_t min_complete;
	uint64_t deadline_ns;
};

void actor_init(struct actor *actor, uint32_t number, uint64_t seed, uint64_t *ring_words, uint32_t arena_off);
/* It was given a capability whose own interface is this. */
void actor_learn(struct actor *actor, uint32_t id, uint64_t interface);
/* Its turn: reads completions, fills and publishes a batch (actor->batch), answers how to enter. */
struct actor_enter actor_turn(struct actor *actor, uint64_t now_ns);
/* Only reads completions. */
void actor_collect(struct actor *actor);

/* Word `index` of a message of the entry with this user data. */
static inline uint64_t actor_word(uint64_t user_data, uint32_t index)
{
	return index == 0 ? user_data : (user_data ^ index) * 0x9e3779b97f4a7c15ull;
}

/* The same of an answer: one with capabilities is a struct whose pointers they are, so that calls can be made on it. */
static inline uint64_t actor_answer_word(uint64_t user_data, uint32_t words, uint32_t caps, uint32_t index)
{
	if (caps == 0 || words < caps + 1)
		return actor_word(user_data, index);
	if (index == 0)
		return (uint64_t)caps << 48;
	return index <= caps ? 3 | (uint64_t)(index - 1) << 32 : actor_word(user_data, index);
}

/* User data: number of the actor, a counter, the question, the block (255: none). */
static inline uint32_t actor_number_of(uint64_t user_data) { return (uint32_t)(user_data >> 48); }
static inline uint32_t actor_question_of(uint64_t user_data) { return (uint32_t)(user_data >> 8) & 0xffff; }
static inline uint32_t actor_block_of(uint64_t user_data) { return (uint32_t)user_data & 0xff; }

static inline uint32_t actor_block_off(const struct actor *actor, uint32_t block)
{
	return actor->arena_off + block * ACTOR_BLOCK_WORDS;
}
static inline uint32_t actor_wild_off(const struct actor *actor)
{
	return actor->arena_off + ACTOR_BLOCKS * ACTOR_BLOCK_WORDS + ACTOR_BATCH * ACTOR_SCRATCH_WORDS;
}

/* --- Dice, the same for the same seed --------------------------------------------------------- */

static inline uint64_t dice_next(struct dice *dice)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return dice->state * 0x2545f4914f6cdd1dull;
}
static inline uint32_t dice_below(struct dice *dice, uint32_t end)
{
	return (uint32_t)((dice_next(dice) >> 32) * end >> 32);
}
static inline bool dice_one_in(struct dice *dice, uint32_t n)
{
	return dice_below(dice, n) == 0;
}

#endif
