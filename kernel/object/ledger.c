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

/* Hangs an open ledger below its nearest open ancestor: its limits no longer count in those between. */
static void ledger_climb(struct ledger *ledger)
{
	struct ledger *closed;

	spin_lock(&tree_lock);
	while ((closed = ledger->parent) && closed->closed) {
		struct ledger *above = closed->parent;      /* the root is never closed */

		spin_lock(&closed->lock);
		for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
			closed->used[i] -= ledger->limit[i];
			closed->limit[i] -= ledger->limit[i];
			closed->carved[i] -= ledger->limit[i];
		}
		spin_unlock(&closed->lock);
		spin_lock(&above->lock);
		for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
			above->carved[i] += ledger->limit[i];
		spin_unlock(&above->lock);
		ledger_get(above);
		ledger->parent = above;
		ledger_put(closed);
	}
	spin_unlock(&tree_lock);
}

status_t ledger_create(struct ledger *parent, const uint64_t limit[LEDGER_CLASSES], struct ledger **ledger,
		uint64_t *detail)
{
	status_t status;
	uint32_t charged;
	struct ledger *made = slab_alloc(&ledger_cache);

	if (!made) {
		*detail = reason_detail(REASON_KERNEL_MEMORY, 0, 0, 0);
		return STATUS_OVERLOADED;
	}
	ledger_climb(parent);
	for (charged = 0; charged < LEDGER_CLASSES; charged++) {
		status = ledger_charge(parent, charged, limit[charged], detail);
		if (status != STATUS_OK)
			goto undo;
	}
	spin_lock(&parent->lock);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		parent->carved[i] += limit[i];
	spin_unlock(&parent->lock);
	ledger_get(parent);
	ledger_init(made, parent, limit);
	*ledger = made;
	return STATUS_OK;
undo:
	while (charged-- > 0)
		ledger_refund(parent, charged, limit[charged]);
	slab_free(&ledger_cache, made);
	return status;
}

void ledger_close(struct ledger *ledger)
{
	uint64_t unused[LEDGER_CLASSES], limit[LEDGER_CLASSES];

	ledger_climb(ledger);
	spin_lock(&ledger->lock);
	ASSERT(!ledger->closed);
	ledger->closed = true;
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++) {
		limit[i] = ledger->limit[i];
		unused[i] = ledger->limit[i] - ledger->used[i];
		ledger->limit[i] = ledger->used[i];
	}
	spin_unlock(&ledger->lock);
	spin_lock(&ledger->parent->lock);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		ledger->parent->carved[i] -= limit[i];
	spin_unlock(&ledger->parent->lock);
	for (uint32_t i = 0; i < LEDGER_CLASSES; i++)
		ledger_refund(ledger->parent, i, unused[i]);
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
static uint64_t limit_move(struct ledger *ledger, uint32_t resource, uint64_t up, uint64_t down)
{
	uint64_t set;

	spin_lock(&ledger->parent->lock);
	ledger->parent->carved[resource] += up;
	ledger->parent->carved[resource] -= down;
	spin_unlock(&ledger->parent->lock);
	spin_lock(&ledger->lock);
	ledger->limit[resource] += up;
	set = ledger->limit[resource];
	spin_unlock(&ledger->lock);
	return set;
}

status_t ledger_set_limit(struct ledger *ledger, uint32_t resource, uint64_t limit, uint64_t *set, uint64_t *detail)
{
	status_t status = STATUS_OK;
	uint64_t up = 0, down = 0;

	ledger_climb(ledger);
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
		status = ledger_charge(ledger->parent, resource, up, detail);
	if (status != STATUS_OK)
		return status;
	*set = limit_move(ledger, resource, up, down);
	if (down)
		ledger_refund(ledger->parent, resource, down);
	return STATUS_OK;
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
