/*
 * Promises: a capability that can be handed out, called and called upon before anybody knows what it will lead to. Calls to it
 * wait, in order, until its resolver names a capability or an exception; then they go on there or end so, and later
 * ones go there at once. A resolver that is dropped breaks its promise, and so does a chain of promises that ends in itself.
 *
 * A promise is an object of its own: who holds it holds what it leads to through it, with the interfaces that it was
 * made with, and only as long as both its own grant and the resolver's live.
 */
#ifndef KERNEL_OBJECT_PROMISE_H
#define KERNEL_OBJECT_PROMISE_H

#include "kernel/cap/transfer.h"
#include "kernel/core/list.h"
#include "kernel/object/object.h"

struct ring;
struct ring_entry;

#define PROMISE_CHAIN_MAX 16u

enum promise_state {
	PROMISE_OPEN,
	PROMISE_SETTLING,       /* what it leads to is known; those who waited go on one after the other */
	PROMISE_RESOLVED,
	PROMISE_BROKEN,
};

/*  I fixed after creation   p under promise_lock  */
struct promise {
	struct object        object;
	enum promise_state   state;            /* p */
	struct list          waiting;          /* p, questions: calls in the order in which they came */
	struct transfer_item target;           /* p, once: SETTLING and RESOLVED; no object if broken, or let go of */
	status_t             broken;           /* p, with what calls end when there is no target */
	uint64_t             detail;           /* p */
	struct promise      *next_settling;    /* in its processor's list */
};

extern const struct object_type promise_type;

/* A promise and its resolver, each charged to `payer` as one object; counted references. */
status_t promise_create(struct ledger *payer, struct promise **promise, struct object **resolver, uint64_t *detail)
		MUST_USE;

/* A call to a promise, whose own facet has the method: it waits, goes on to what the promise leads to, or is refused. Completes
 * the entry or its question. */
void promise_call(struct ring *ring, const struct ring_entry *entry, struct promise *promise);

/* One step for a promise that is SETTLING: lets the next of its calls go on; false when none is left. Without locks. */
bool promise_settle_one(struct promise *promise);
/* That was the last, and it is in no list any more. Without locks. */
void promise_settled(struct promise *promise);

#endif
