/*
 * Ledgers; see ledger.h. Charged by whoever makes objects (object/, cap/, mm/), never by lookups.
 * Always true: carved <= used <= limit for each class; a child's limits are part of its parent's used.
 */
#include "kernel/object/ledger.h"

#include "capos/kernel.capnp.h"
#include "kernel/core/panic.h"
#include "kernel/mm/slab.h"

static struct slab_cache ledger_cache = SLAB_CACHE("ledger", struct ledger);
static struct spinlock tree_lock = SPINLOCK_INIT(LOCK_RANK_LEDGER_TREE, "ledger_tree");
static struct ledger root;
static uint32_t next_id = 1;

static void ledger_init(struct ledger *ledger, struct ledger *parent, const uint64_t limit[LEDGER_CLASSES])
{
	spin_init(&ledger->lock, LOCK_RANK_LEDGER, "ledger");
	ledger->parent = parent;
	ledger->id = __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
	ledger->references = 1;
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		ledger->limit[i] = limit[i];
}

struct ledger *ledger_root_init(const uint64_t limit[LEDGER_CLASSES])
{
	ledger_init(&root, NULL, limit);
	return &root;
}

struct ledger *ledger_root(void)
{
	return &root;
}

void ledger_get(struct ledger *ledger)
{
	uint32_t before = __atomic_fetch_add(&ledger->references, 1, __ATOMIC_RELAXED);

	ASSERT(before != 0 && before != UINT32_MAX);
}

void ledger_put(struct ledger *ledger)
{
	while (ledger && __atomic_sub_fetch(&ledger->references, 1, __ATOMIC_ACQ_REL) == 0) {
		struct ledger *parent = ledger->parent;

		for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
			ASSERT(ledger->used[i] == 0);
		slab_free(&ledger_cache, ledger);
		ledger = parent;
	}
}

/* The limits of a ledger pass from its closed parent to the one above. One lock at a time: the sums hold between. */
/*@ requires valid: \valid_read(ledger) && \valid(closed) && \valid(above);
  @ requires apart: \separated(ledger, closed, above);
  @ requires sums: ledger_sums(ledger) && ledger_sums(closed) && ledger_sums(above);
  @ requires below: \forall integer i; 0 <= i < LEDGER_CLASSES ==> ledger->limit[i] <= closed->carved[i];
  @ requires above: \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     closed->limit[i] <= above->used[i] - above->carved[i];
  @ assigns closed->used[0 .. LEDGER_CLASSES - 1], closed->limit[0 .. LEDGER_CLASSES - 1],
  @     closed->carved[0 .. LEDGER_CLASSES - 1], above->carved[0 .. LEDGER_CLASSES - 1];
  @ ensures sums: ledger_sums(closed) && ledger_sums(above);
  @ ensures passed: \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     closed->carved[i] == \old(closed->carved[i]) - ledger->limit[i] &&
  @     above->carved[i] == \old(above->carved[i]) + ledger->limit[i];
  @ ensures own_same: \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     closed->used[i] - closed->carved[i] == \old(closed->used[i] - closed->carved[i]);
  @ ensures above_still: \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     closed->limit[i] <= above->used[i] - above->carved[i];
 */
static void limits_pass_up(const struct ledger *ledger, struct ledger *closed, struct ledger *above)
{
	spin_lock(&closed->lock);
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant used: \forall integer j; 0 <= j < i ==>
	  @     closed->used[j] == \at(closed->used[j], Pre) - ledger->limit[j];
	  @ loop invariant limit: \forall integer j; 0 <= j < i ==>
	  @     closed->limit[j] == \at(closed->limit[j], Pre) - ledger->limit[j];
	  @ loop invariant carved: \forall integer j; 0 <= j < i ==>
	  @     closed->carved[j] == \at(closed->carved[j], Pre) - ledger->limit[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     closed->used[j] == \at(closed->used[j], Pre) && closed->limit[j] == \at(closed->limit[j], Pre) &&
	  @     closed->carved[j] == \at(closed->carved[j], Pre);
	  @ loop assigns i, closed->used[0 .. LEDGER_CLASSES - 1], closed->limit[0 .. LEDGER_CLASSES - 1],
	  @     closed->carved[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		/*@ assert room: ledger->limit[i] <= closed->carved[i] <= closed->used[i] <= closed->limit[i]; */
		closed->used[i] -= ledger->limit[i];
		closed->limit[i] -= ledger->limit[i];
		closed->carved[i] -= ledger->limit[i];
	}
	spin_unlock(&closed->lock);
	spin_lock(&above->lock);
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant done: \forall integer j; 0 <= j < i ==>
	  @     above->carved[j] == \at(above->carved[j], Pre) + ledger->limit[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     above->carved[j] == \at(above->carved[j], Pre);
	  @ loop assigns i, above->carved[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		above->carved[i] += ledger->limit[i];
	spin_unlock(&above->lock);
}

/* Hangs an open ledger below its nearest open ancestor: its limits no longer count in those between. */
static void ledger_climb(struct ledger *ledger)
{
	struct ledger *closed;

	spin_lock(&tree_lock);
	while ((closed = ledger->parent) && closed->closed) {
		struct ledger *above = closed->parent;      /* the root is never closed */

		limits_pass_up(ledger, closed, above);
		ledger_get(above);
		ledger->parent = above;
		ledger_put(closed);
	}
	spin_unlock(&tree_lock);
}

/* Takes `limit` of each class out of a ledger for a child, or nothing. */
/*@ requires valid: \valid(parent) && \valid_read(limit + (0 .. LEDGER_CLASSES - 1)) && \valid(detail);
  @ requires apart: \separated(parent, limit + (0 .. LEDGER_CLASSES - 1), detail);
  @ requires open: !parent->closed;
  @ requires sums: ledger_sums(parent);
  @ assigns parent->used[0 .. LEDGER_CLASSES - 1], parent->carved[0 .. LEDGER_CLASSES - 1], *detail;
  @ ensures sums: ledger_sums(parent);
  @ ensures carved: \result == STATUS_OK ==> \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     parent->carved[i] == \old(parent->carved[i]) + limit[i] && parent->used[i] == \old(parent->used[i]) + limit[i];
  @ ensures nothing: \result != STATUS_OK ==> \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     parent->carved[i] == \old(parent->carved[i]) && parent->used[i] == \old(parent->used[i]);
 */
static status_t limits_carve(struct ledger *parent, const uint64_t limit[LEDGER_CLASSES], uint64_t *detail)
{
	status_t status = STATUS_OK;
	uint32_t charged;

	/*@ loop invariant range: 0 <= charged <= LEDGER_CLASSES && status == STATUS_OK;
	  @ loop invariant sums: ledger_sums(parent);
	  @ loop invariant done: \forall integer j; 0 <= j < charged ==>
	  @     parent->used[j] == \at(parent->used[j], Pre) + limit[j];
	  @ loop invariant rest: \forall integer j; charged <= j < LEDGER_CLASSES ==>
	  @     parent->used[j] == \at(parent->used[j], Pre);
	  @ loop assigns charged, status, parent->used[0 .. LEDGER_CLASSES - 1], *detail;
	  @ loop variant LEDGER_CLASSES - charged;
	 */
	for (charged = 0; charged < LEDGER_CLASSES; charged++) {
		status = ledger_charge(parent, charged, limit[charged], detail);
		if (status != STATUS_OK)
			goto undo;
	}
	spin_lock(&parent->lock);
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant done: \forall integer j; 0 <= j < i ==>
	  @     parent->carved[j] == \at(parent->carved[j], Pre) + limit[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     parent->carved[j] == \at(parent->carved[j], Pre);
	  @ loop assigns i, parent->carved[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		parent->carved[i] += limit[i];
	spin_unlock(&parent->lock);
	return STATUS_OK;
undo:
	/*@ loop invariant range: 0 <= charged <= LEDGER_CLASSES && status != STATUS_OK;
	  @ loop invariant sums: ledger_sums(parent);
	  @ loop invariant left: \forall integer j; 0 <= j < charged ==>
	  @     parent->used[j] == \at(parent->used[j], Pre) + limit[j];
	  @ loop invariant undone: \forall integer j; charged <= j < LEDGER_CLASSES ==>
	  @     parent->used[j] == \at(parent->used[j], Pre);
	  @ loop assigns charged, parent->used[0 .. LEDGER_CLASSES - 1];
	  @ loop variant charged;
	 */
	while (charged > 0) {
		charged--;
		ledger_refund(parent, charged, limit[charged]);
	}
	return status;
}

status_t ledger_create(struct ledger *parent, const uint64_t limit[LEDGER_CLASSES], struct ledger **ledger,
		uint64_t *detail)
{
	status_t status;
	struct ledger *made = slab_alloc(&ledger_cache);

	if (!made) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		return STATUS_OVERLOADED;
	}
	ledger_climb(parent);
	status = limits_carve(parent, limit, detail);
	if (status != STATUS_OK) {
		slab_free(&ledger_cache, made);
		return status;
	}
	ledger_get(parent);
	ledger_init(made, parent, limit);
	*ledger = made;
	return STATUS_OK;
}

/* What is left of a ledger's limits below its parent when it closes: what its objects use, until they are refunded. */
/*@ requires valid: \valid(ledger) && \valid(parent) && \separated(ledger, parent);
  @ requires open: !ledger->closed && !parent->closed;
  @ requires sums: ledger_sums(ledger) && ledger_sums(parent);
  @ requires below: \forall integer i; 0 <= i < LEDGER_CLASSES ==> ledger->limit[i] <= parent->carved[i];
  @ assigns ledger->closed, ledger->limit[0 .. LEDGER_CLASSES - 1], parent->carved[0 .. LEDGER_CLASSES - 1],
  @     parent->used[0 .. LEDGER_CLASSES - 1];
  @ ensures sums: ledger_sums(ledger) && ledger_sums(parent);
  @ ensures closed: ledger->closed;
  @ ensures kept: \forall integer i; 0 <= i < LEDGER_CLASSES ==> ledger->limit[i] == ledger->used[i] &&
  @     parent->used[i] - parent->carved[i] == \old(parent->used[i] - parent->carved[i]) + ledger->used[i];
  @ ensures given_back: \forall integer i; 0 <= i < LEDGER_CLASSES ==>
  @     parent->carved[i] == \old(parent->carved[i] - ledger->limit[i]) &&
  @     parent->used[i] == \old(parent->used[i] - (ledger->limit[i] - ledger->used[i]));
 */
static void limits_give_back(struct ledger *ledger, struct ledger *parent)
{
	uint64_t unused[LEDGER_CLASSES], limit[LEDGER_CLASSES];

	spin_lock(&ledger->lock);
	ASSERT(!ledger->closed);
	ledger->closed = true;
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant done: \forall integer j; 0 <= j < i ==>
	  @     limit[j] == \at(ledger->limit[j], Pre) && ledger->limit[j] == ledger->used[j] &&
	  @     unused[j] == \at(ledger->limit[j], Pre) - ledger->used[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     ledger->limit[j] == \at(ledger->limit[j], Pre);
	  @ loop assigns i, limit[0 .. LEDGER_CLASSES - 1], unused[0 .. LEDGER_CLASSES - 1],
	  @     ledger->limit[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		limit[i] = ledger->limit[i];
		unused[i] = ledger->limit[i] - ledger->used[i];
		ledger->limit[i] = ledger->used[i];
	}
	spin_unlock(&ledger->lock);
	spin_lock(&parent->lock);
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant done: \forall integer j; 0 <= j < i ==>
	  @     parent->carved[j] == \at(parent->carved[j], Pre) - limit[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     parent->carved[j] == \at(parent->carved[j], Pre);
	  @ loop assigns i, parent->carved[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		parent->carved[i] -= limit[i];
	spin_unlock(&parent->lock);
	/*@ loop invariant range: 0 <= i <= LEDGER_CLASSES;
	  @ loop invariant sums: ledger_sums(parent);
	  @ loop invariant done: \forall integer j; 0 <= j < i ==>
	  @     parent->used[j] == \at(parent->used[j], Pre) - unused[j];
	  @ loop invariant rest: \forall integer j; i <= j < LEDGER_CLASSES ==>
	  @     parent->used[j] == \at(parent->used[j], Pre);
	  @ loop assigns i, parent->used[0 .. LEDGER_CLASSES - 1];
	  @ loop variant LEDGER_CLASSES - i;
	 */
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		ledger_refund(parent, i, unused[i]);
}

void ledger_close(struct ledger *ledger)
{
	ledger_climb(ledger);
	limits_give_back(ledger, ledger->parent);
	ledger_put(ledger);
}

NO_BUFFER status_t ledger_charge(struct ledger *ledger, uint32_t resource, uint64_t count, uint64_t *detail)
{
	status_t status = STATUS_OK;

	DEBUG_ASSERT(resource < LEDGER_CLASSES);
	spin_lock(&ledger->lock);
	if (unlikely(count > ledger->limit[resource] - ledger->used[resource])) {
		*detail = reason_detail(REASON_LEDGER, resource, ledger->id, ledger->limit[resource]);
		status = STATUS_OVERLOADED;
	} else {
		ledger->used[resource] += count;
	}
	spin_unlock(&ledger->lock);
	return status;
}

/* A closed ledger passes refunds on; the loop climbs as long as ancestors are closed too. */
static void refund_up(struct ledger *ledger, uint32_t resource, uint64_t count)
{
	bool closed;

	spin_lock(&tree_lock);
	do {
		spin_lock(&ledger->lock);
		ASSERT(ledger->used[resource] >= count);
		ledger->used[resource] -= count;
		closed = ledger->closed;
		if (closed)
			ledger->limit[resource] -= count;
		spin_unlock(&ledger->lock);
		ledger = ledger->parent;
	} while (closed);
	spin_unlock(&tree_lock);
}

NO_BUFFER void ledger_refund(struct ledger *ledger, uint32_t resource, uint64_t count)
{
	bool closed;

	spin_lock(&ledger->lock);
	closed = ledger->closed;
	if (likely(!closed)) {
		ASSERT(ledger->used[resource] >= count);
		ledger->used[resource] -= count;
	}
	spin_unlock(&ledger->lock);
	if (unlikely(closed))
		refund_up(ledger, resource, count);
}

/* Moves the limit of a ledger up by what its parent was charged, or down: what it no longer may use. One of the two is 0. */
/*@ requires valid: \valid(ledger) && \valid(parent) && \separated(ledger, parent) && resource < LEDGER_CLASSES;
  @ requires one: up == 0 || down == 0;
  @ requires room: down <= parent->carved[resource] && up <= parent->used[resource] - parent->carved[resource];
  @ requires fits: up <= 18446744073709551615 - ledger->limit[resource];
  @ assigns ledger->limit[resource], parent->carved[resource];
  @ ensures moved: parent->carved[resource] == \old(parent->carved[resource]) + up - down;
  @ ensures raised: ledger->limit[resource] == \old(ledger->limit[resource]) + up;
  @ ensures tells: \result == ledger->limit[resource];
 */
static uint64_t limit_move(struct ledger *ledger, struct ledger *parent, uint32_t resource, uint64_t up, uint64_t down)
{
	uint64_t set;

	spin_lock(&parent->lock);
	parent->carved[resource] += up;
	parent->carved[resource] -= down;
	spin_unlock(&parent->lock);
	spin_lock(&ledger->lock);
	ledger->limit[resource] += up;
	set = ledger->limit[resource];
	spin_unlock(&ledger->lock);
	return set;
}

/*@ requires valid: \valid(ledger) && \valid(parent) && \valid(set) && \valid(detail) && resource < LEDGER_CLASSES;
  @ requires apart: \separated(ledger, parent, set, detail);
  @ requires open: !ledger->closed && !parent->closed;
  @ requires sums: ledger_sums(ledger) && ledger_sums(parent);
  @ requires below: ledger->limit[resource] <= parent->carved[resource];
  @ assigns ledger->limit[resource], parent->used[resource], parent->carved[resource], *set, *detail;
  @ ensures class_sums: class_sums(ledger, resource);
  @ ensures parent_sums: ledger_sums(parent);
  @ ensures below: ledger->limit[resource] <= parent->carved[resource];
  @ ensures own_same: parent->used[resource] - parent->carved[resource] ==
  @     \old(parent->used[resource] - parent->carved[resource]);
  @ ensures moved: parent->carved[resource] - ledger->limit[resource] ==
  @     \old(parent->carved[resource] - ledger->limit[resource]);
  @ ensures set: \result == STATUS_OK ==> *set == ledger->limit[resource] &&
  @     ledger->limit[resource] == \max(limit, ledger->used[resource]);
  @ ensures refused: \result != STATUS_OK ==> ledger->limit[resource] == \old(ledger->limit[resource]);
 */
static status_t limit_change(struct ledger *ledger, struct ledger *parent, uint32_t resource, uint64_t limit,
		uint64_t *set, uint64_t *detail)
{
	status_t status = STATUS_OK;
	uint64_t up = 0, down = 0;

	spin_lock(&ledger->lock);
	DEBUG_ASSERT(!ledger->closed);
	if (limit > ledger->limit[resource]) {
		up = limit - ledger->limit[resource];
	} else {
		down = ledger->limit[resource] - MAX(limit, ledger->used[resource]);
		ledger->limit[resource] -= down;
	}
	spin_unlock(&ledger->lock);
	if (up)
		status = ledger_charge(parent, resource, up, detail);
	if (status != STATUS_OK)
		return status;
	*set = limit_move(ledger, parent, resource, up, down);
	if (down)
		ledger_refund(parent, resource, down);
	/*@ assert class: class_sums(ledger, resource) && class_sums(parent, resource); */
	return STATUS_OK;
}

status_t ledger_set_limit(struct ledger *ledger, uint32_t resource, uint64_t limit, uint64_t *set, uint64_t *detail)
{
	ledger_climb(ledger);
	return limit_change(ledger, ledger->parent, resource, limit, set, detail);
}

uint64_t ledger_used(struct ledger *ledger, uint32_t resource)
{
	uint64_t used;

	spin_lock(&ledger->lock);
	used = ledger->used[resource];
	spin_unlock(&ledger->lock);
	return used;
}

uint64_t ledger_own(struct ledger *ledger, uint32_t resource)
{
	uint64_t own;

	spin_lock(&ledger->lock);
	own = ledger->used[resource] - ledger->carved[resource];
	spin_unlock(&ledger->lock);
	return own;
}

void ledger_check(const struct ledger *ledger)
{
	for (; ledger; ledger = ledger->parent) {
		for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
			ASSERT(ledger->carved[i] <= ledger->used[i]);
			ASSERT(ledger->used[i] <= ledger->limit[i]);
		}
	}
}
