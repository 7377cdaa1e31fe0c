/*
 * Ledgers: who may use how much of what. One ledger of record per resource class; ledgers form a
 * tree in which a child's limits are charged to its parent when it is made, so a charge looks at
 * one ledger only. Reserve, act, then commit or refund: every charge has its refund.
 *
 * A ledger that is closed gives back at once what nobody uses; what its objects still hold stays charged
 * above and is refunded when they go. Its children hang below its parent from then on, so that processes each of which starts
 * the next and ends leave no chain of ledgers behind.
 */
#ifndef KERNEL_OBJECT_LEDGER_H
#define KERNEL_OBJECT_LEDGER_H

#include "kernel/core/spinlock.h"
#include "abi/status.h"

#define LEDGER_CLASSES 7      /* enum resource_class */

/*  I fixed after creation   l under lock   a atomic  */
struct ledger {
	struct spinlock lock;
	struct ledger  *parent;                  /* under the tree's lock, counted */
	uint32_t        id;                      /* I, for people */
	uint32_t        references;              /* a */
	bool            closed;                  /* l, once true stays true */
	uint64_t        limit[LEDGER_CLASSES];   /* l */
	uint64_t        used[LEDGER_CLASSES];    /* l */
	uint64_t        carved[LEDGER_CLASSES];  /* l, part of used: the limits of children that are not closed */
};

/* What is always true of a ledger, class by class; proved of the functions below (docs/proofs.md). */
/*@ predicate class_sums(struct ledger *l, integer i) = l->carved[i] <= l->used[i] <= l->limit[i];
  @ predicate ledger_sums(struct ledger *l) = \forall integer i; 0 <= i < LEDGER_CLASSES ==> class_sums(l, i);
 */

/* The root of all: everything the machine has. Called once at boot. */
struct ledger *ledger_root_init(const uint64_t limit[LEDGER_CLASSES]);
struct ledger *ledger_root(void);

/* Carves `limit` out of `parent`. Answers OVERLOADED and the refused class in *detail (see Reason). */
status_t ledger_create(struct ledger *parent, const uint64_t limit[LEDGER_CLASSES], struct ledger **ledger,
		uint64_t *detail) MUST_USE;
/* Ends carving: gives what is unused back to the parent. Consumes the caller's reference. */
void ledger_close(struct ledger *ledger);

void ledger_get(struct ledger *ledger);
void ledger_put(struct ledger *ledger);

/* Charges `count` of `resource` (enum resource_class), all or nothing. */
/*@ requires valid: \valid(ledger) && \valid(detail) && \separated(ledger, detail) && resource < LEDGER_CLASSES;
  @ requires sums: ledger_sums(ledger);
  @ assigns ledger->used[resource], *detail;
  @ ensures sums: ledger_sums(ledger);
  @ ensures answers: \result == STATUS_OK || \result == STATUS_OVERLOADED;
  @ ensures charged: \result == STATUS_OK ==>
  @     ledger->used[resource] == \old(ledger->used[resource]) + count && *detail == \old(*detail);
  @ ensures refused: \result == STATUS_OVERLOADED ==>
  @     ledger->used[resource] == \old(ledger->used[resource]) && count > ledger->limit[resource] - ledger->used[resource];
 */
status_t ledger_charge(struct ledger *ledger, uint32_t resource, uint64_t count, uint64_t *detail) MUST_USE;
/*@ requires valid: \valid(ledger) && resource < LEDGER_CLASSES;
  @ requires open: !ledger->closed;
  @ requires sums: ledger_sums(ledger);
  @ requires own: count <= ledger->used[resource] - ledger->carved[resource];
  @ assigns ledger->used[resource];
  @ ensures sums: ledger_sums(ledger);
  @ ensures refunded: ledger->used[resource] == \old(ledger->used[resource]) - count;
 */
void ledger_refund(struct ledger *ledger, uint32_t resource, uint64_t count);

/* Changes the limit of one class. More is carved from the parent, or refused as by ledger_create and nothing changes; less
 * goes back to it. Never below what is used. *set: the limit from now on. The ledger is not closed. */
status_t ledger_set_limit(struct ledger *ledger, uint32_t resource, uint64_t limit, uint64_t *set,
		uint64_t *detail) MUST_USE;

uint64_t ledger_used(struct ledger *ledger, uint32_t resource);
/* What the ledger's own objects use, without what its children may. */
/*@ requires valid: \valid(ledger) && resource < LEDGER_CLASSES;
  @ requires sums: ledger_sums(ledger);
  @ assigns \nothing;
  @ ensures own: \result == ledger->used[resource] - ledger->carved[resource];
 */
uint64_t ledger_own(struct ledger *ledger, uint32_t resource);

/* Sums: carved <= used <= limit everywhere. Panics otherwise. */
void ledger_check(const struct ledger *ledger);

/*@ assigns \nothing; */
/* Packs a completion detail: see Reason in schema/capos/status.capnp. */
static inline uint64_t reason_detail(uint32_t reason, uint32_t class_, uint32_t id, uint64_t limit)
{
	return (uint64_t)reason | (uint64_t)(class_ & 0xff) << 8 | (uint64_t)(id & 0xffff) << 16 |
			(limit > UINT32_MAX ? (uint64_t)UINT32_MAX : limit) << 32;
}

#endif
