/*
 * Between actor.c (what an actor knows, batches, operations) and actor_objects.c (calls of kernel objects).
 */
#ifndef TESTS_RING_ACTOR_INTERNAL_H
#define TESTS_RING_ACTOR_INTERNAL_H

#include "tests/ring/actor.h"

#define NO_BLOCK   255u
#define KIND(k)    (1u << KIND_##k)
#define ANY_KIND   ((1u << KIND_COUNT) - 1)

/* The entry that is filled, and where its parts stand. */
struct fill {
	struct ring_entry entry;
	uint32_t          block;        /* NO_BLOCK: scratch */
	uint32_t          message_off;
	uint32_t          caps_off;
	bool              patterned;    /* the message is to be actor_word */
	bool              may_sleep;    /* as SYNC entry it can wait for others */
};

/* Chance. */
uint32_t actor_below(struct actor *actor, uint32_t end);
bool actor_one_in(struct actor *actor, uint32_t n);
/* A capability of one of the kinds, or 0; `pinned_too`: also those that it never gives away. */
uint32_t actor_pick(struct actor *actor, uint32_t mask, bool pinned_too);
enum actor_kind actor_kind_of_id(const struct actor *actor, uint32_t id);
/* A target of one of the kinds, now and then a wrong one; 0: the actor has none. */
uint32_t actor_target(struct actor *actor, uint32_t mask);
/* A free block for the entry; false: there is none. */
bool actor_block_take(struct actor *actor, struct fill *fill);
/* Room for an answer in the block. */
void actor_reply_span(struct actor *actor, struct fill *fill, uint32_t caps, uint32_t words);
void actor_descriptor_add(struct actor *actor, struct fill *fill, enum transfer_kind kind, uint32_t id);
/* More capabilities than this make an actor let go. */
bool actor_has_many(const struct actor *actor);

/* Rows of the table: each fills one entry, or answers false because the actor has not what it takes. */
bool fill_process_wait(struct actor *actor, struct fill *fill);
bool fill_sleep(struct actor *actor, struct fill *fill);
bool fill_new_endpoint(struct actor *actor, struct fill *fill);
bool fill_new_memory(struct actor *actor, struct fill *fill);
bool fill_export(struct actor *actor, struct fill *fill);
bool fill_signal_call(struct actor *actor, struct fill *fill);
bool fill_create(struct actor *actor, struct fill *fill);
bool fill_grant(struct actor *actor, struct fill *fill);
bool fill_start(struct actor *actor, struct fill *fill);
bool fill_kill(struct actor *actor, struct fill *fill);
bool fill_revoke(struct actor *actor, struct fill *fill);
bool fill_set_limit(struct actor *actor, struct fill *fill);
bool fill_revoke_derived(struct actor *actor, struct fill *fill);
bool fill_open(struct actor *actor, struct fill *fill);
bool fill_now(struct actor *actor, struct fill *fill);
bool fill_new_notification(struct actor *actor, struct fill *fill);
bool fill_reset(struct actor *actor, struct fill *fill);
bool fill_close(struct actor *actor, struct fill *fill);
bool fill_info(struct actor *actor, struct fill *fill);
bool fill_take(struct actor *actor, struct fill *fill);
bool fill_usage(struct actor *actor, struct fill *fill);
bool fill_process_info(struct actor *actor, struct fill *fill);
bool fill_grant_memory(struct actor *actor, struct fill *fill);
bool fill_builder_memory(struct actor *actor, struct fill *fill);

#endif
