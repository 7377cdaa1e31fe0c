/*
 * Capability tables: one per process, flat. An id is 32 bits: slot in the low 20, generation in the high
 * 12; id 0 is null for ever, slot 0 is never used. Slots are reused first-in first-out, so an id comes
 * back at the earliest after (free slots) x 4096 releases.
 *
 * Space is reserved before it is used: `cap_table_reserve` sets slots aside (with their grants), charges them to the
 * ledger, and only then can `cap_table_insert` be called, which cannot fail.
 */
#ifndef KERNEL_CAP_CAP_TABLE_H
#define KERNEL_CAP_CAP_TABLE_H

#include "abi/status.h"
#include "kernel/cap/facet.h"
#include "kernel/cap/grant.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"

#define CAP_SLOT_BITS 20
#define CAP_SLOTS (1u << CAP_SLOT_BITS)
#ifndef CAP_GENERATION_BITS
#define CAP_GENERATION_BITS 12      /* narrowed by the tests */
#endif
#define CAP_GENERATIONS (1u << CAP_GENERATION_BITS)
#define CAP_CHUNK_ENTRIES 32       /* a chunk fills a page */
#define CAP_CHUNKS_MAX 2048         /* 65 536 capabilities a process */
#define GRANT_PLACE_BITS 16         /* of a grant's id */
#define GRANT_PLACE_MASK ((1u << GRANT_PLACE_BITS) - 1)

/* --- Ids ---------------------------------------------------------------------------------------- */

/*@ requires range: slot < CAP_SLOTS && generation < CAP_GENERATIONS;
  @ assigns \nothing;
  @ ensures slot: \result % CAP_SLOTS == slot;
  @ ensures generation: \result / CAP_SLOTS == generation;
 */
static inline uint32_t cap_id(uint32_t slot, uint32_t generation)
{
	return generation * CAP_SLOTS + slot;
}

/*@ assigns \nothing;
  @ ensures slot: \result == id % CAP_SLOTS;
 */
static inline uint32_t cap_id_slot(uint32_t id)
{
	return id % CAP_SLOTS;
}

/*@ assigns \nothing;
  @ ensures generation: \result == id / CAP_SLOTS;
 */
static inline uint32_t cap_id_generation(uint32_t id)
{
	return id / CAP_SLOTS;
}

/* What a slot's generation becomes when it is emptied: it comes back after all the others. */
/*@ requires range: generation < CAP_GENERATIONS;
  @ assigns \nothing;
  @ ensures next: \result == (generation + 1) % CAP_GENERATIONS;
  @ ensures distance: \forall integer k; 0 <= k < CAP_GENERATIONS - 1 ==> (\result + k) % CAP_GENERATIONS != generation;
 */
static inline uint16_t cap_generation_next(uint16_t generation)
{
	return (uint16_t)((generation + 1u) % CAP_GENERATIONS);
}

/* --- Tables ------------------------------------------------------------------------------------- */

enum cap_state {
	CAP_FREE,
	CAP_LIVE,
	CAP_MOVING,      /* leaves with a call that has not been delivered yet */
};

struct cap_entry {
	struct object *object;      /* held */
	struct facet  *facet;       /* counted */
	struct grant  *grant;       /* one use */
	uint16_t       generation;
	uint8_t        state;       /* enum cap_state */
	uint8_t        reserved;
	uint32_t       next_free;
};

struct cap_chunk {
	struct cap_entry entries[CAP_CHUNK_ENTRIES];
	struct grant     grants[CAP_CHUNK_ENTRIES];
};

/*  I fixed after creation   t under lock   a atomic  */
struct cap_table {
	struct spinlock   lock;
	struct ledger    *ledger;          /* I, counted: pays for slots */
	uint32_t          process_id;      /* I */
	struct cap_chunk **chunks;         /* t, grows; entries never move */
	uint32_t          chunk_count;     /* t */
	uint32_t          chunk_capacity;  /* t, of `chunks` */
	uint32_t          free_head;       /* t, slot; 0 none */
	uint32_t          free_tail;       /* t */
	uint32_t          free_count;      /* t */
	uint32_t          reserved;        /* t, free slots promised; <= free_count */
	uint32_t          kept;            /* a, of these, promised to nobody now; see cap_table_keep */
	uint32_t          live;            /* t */
	uint64_t          emptied;         /* t, read by all: how often a slot was; never comes back to what it was */
	bool              revoked;         /* under grant_lock: what is inserted is revoked at once */
	struct grant     *free_grants;     /* under grant_lock */
	uint32_t          free_grant_count; /* under grant_lock; >= reserved. Only inserting makes it fewer */
};

/*
 * What the proofs mean by a table that is well formed (docs/proofs.md): its chunks are there, each apart from the others, the
 * ends of the free list are slots, and nothing is counted that is not there.
 */
/*@ predicate chunks_valid(struct cap_table *t) =
  @   \valid(t) && t->chunk_count <= CAP_CHUNKS_MAX && \valid_read(t->chunks + (0 .. t->chunk_count - 1)) &&
  @   (\forall integer i; 0 <= i < t->chunk_count ==> \valid(t->chunks[i]) && \separated(t, t->chunks[i]) &&
  @       \separated(t->chunks + (0 .. t->chunk_count - 1), t->chunks[i])) &&
  @   (\forall integer i, j; 0 <= i < t->chunk_count && 0 <= j < t->chunk_count && i != j ==>
  @       \separated(t->chunks[i], t->chunks[j])) &&
  @   \separated(t, t->chunks + (0 .. t->chunk_count - 1));
  @ predicate slot_there(struct cap_table *t, integer slot) = 0 <= slot < t->chunk_count * CAP_CHUNK_ENTRIES;
  @ predicate counts_right(struct cap_table *t) =
  @   t->reserved <= t->free_count && t->live + t->free_count == t->chunk_count * CAP_CHUNK_ENTRIES - 1;
  @ logic struct cap_entry *entry_at(struct cap_table *t, integer slot) =
  @   &t->chunks[slot / CAP_CHUNK_ENTRIES]->entries[slot % CAP_CHUNK_ENTRIES];
 */

status_t cap_table_init(struct cap_table *table, struct ledger *ledger, uint32_t process_id) MUST_USE;
/* Looks at up to `budget` slots from *cursor (start with 0) and drops what they hold; true when the table is empty.
 * For teardown; no thread of the process runs any more. */
bool cap_table_drain(struct cap_table *table, uint32_t *cursor, uint32_t budget);
/* Revokes every grant of the table with all derived from it, and those to come. */
void cap_table_revoke_all(struct cap_table *table);
/* Frees the memory. Empty, nothing reserved. */
void cap_table_fini(struct cap_table *table);

/* Sets `count` slots aside and charges them. OVERLOADED with *detail when the ledger or memory is short. */
status_t cap_table_reserve(struct cap_table *table, uint32_t count, uint64_t *detail) MUST_USE;
void cap_table_unreserve(struct cap_table *table, uint32_t count);

/* Gives a reservation back that will most likely be made again at once, as that of a server's receive: it stays charged
 * until it is taken again, or until slots are short. */
static inline void cap_table_keep(struct cap_table *table, uint32_t count)
{
	uint32_t none = 0;

	if (unlikely(!__atomic_compare_exchange_n(&table->kept, &none, count, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)))
		cap_table_unreserve(table, count);
}

/* Gives back for good what is kept. */
static inline void cap_table_unkeep(struct cap_table *table)
{
	uint32_t kept = __atomic_exchange_n(&table->kept, 0, __ATOMIC_RELAXED);

	if (kept)
		cap_table_unreserve(table, kept);
}

/* Makes what is kept a reservation again, if it is as many; false if not. */
MUST_USE static inline bool cap_table_take_kept(struct cap_table *table, uint32_t count)
{
	return likely(__atomic_compare_exchange_n(&table->kept, &count, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/*
 * Uses one reserved slot: the new id. Consumes one hold on the object and one reference on the facet.
 * The grant is made here: below `parent` (NULL: root), given by process `granter` (0: nobody).
 */
uint32_t cap_table_insert(struct cap_table *table, struct object *object, struct facet *facet,
		struct grant *parent, uint32_t granter);

/* The entry of an id if slot and generation match, whatever its state; NULL otherwise. */
/*@ requires valid: chunks_valid(table);
  @ assigns \nothing;
  @ ensures found: \result != \null ==> slot_there(table, id % CAP_SLOTS) && \valid(\result) &&
  @     \result == entry_at(table, id % CAP_SLOTS) && \result->generation == id / CAP_SLOTS;
  @ ensures missed: \result == \null ==> !slot_there(table, id % CAP_SLOTS) ||
  @     entry_at(table, id % CAP_SLOTS)->generation != id / CAP_SLOTS;
 */
static inline struct cap_entry *cap_table_find(const struct cap_table *table, uint32_t id)
{
	uint32_t slot = cap_id_slot(id);
	struct cap_entry *entry;

	if (unlikely(slot / CAP_CHUNK_ENTRIES >= table->chunk_count))
		return NULL;
	entry = &table->chunks[slot / CAP_CHUNK_ENTRIES]->entries[slot % CAP_CHUNK_ENTRIES];
	return likely(entry->generation == cap_id_generation(id)) ? entry : NULL;
}

/* The entry of a live id whose grant is not revoked: OK; BAD_CAPABILITY for null, stale, unknown or moving ids;
 * DISCONNECTED for a revoked one. Takes no lock and no reference: valid until the processor leaves the kernel. */
MUST_USE static inline status_t cap_table_lookup(const struct cap_table *table, uint32_t id, struct cap_entry **out)
{
	struct cap_entry *entry = cap_table_find(table, id);

	/* Slot 0 is never live, so a null id ends here too. */
	if (unlikely(!entry || entry->state != CAP_LIVE))
		return STATUS_BAD_CAPABILITY;
	OPAQUE(entry);
	if (unlikely(grant_is_revoked(entry->grant)))
		return STATUS_DISCONNECTED;
	*out = entry;
	return STATUS_OK;
}

/* True if an entry that was looked up when `emptied` stood there is still what it was, live and not revoked: generations come
 * back, this count does not. Entries stay where they are as long as their table. */
static inline bool cap_entry_is_same(const struct cap_table *table, const struct cap_entry *entry, uint64_t emptied)
{
	return READ_ONCE(table->emptied) == emptied && entry->state == CAP_LIVE && !grant_is_revoked(entry->grant);
}

/* Drops one capability. Revoked ones can be released too. */
status_t cap_table_release(struct cap_table *table, uint32_t id) MUST_USE;
/* The same if nothing hangs on it: the object has other holders and need not be told. False, with
 * nothing done: the id is not live, or more than that is to be done. Needs no more than the
 * kernel's lock shared. */
bool cap_table_release_plain(struct cap_table *table, uint32_t id) MUST_USE;
/* Another id of the same grant; `facet` (consumed reference) or NULL for the same one. Reserves by itself. */
status_t cap_table_copy(struct cap_table *table, uint32_t id, struct facet *facet, uint32_t *copy,
		uint64_t *detail) MUST_USE;

/* A live entry begins to move (MOVING), comes back (LIVE), or is gone for good (FREE, its hold dropped; the caller has
 * another, and tells the object by its type's on_release). */
status_t cap_table_move_begin(struct cap_table *table, uint32_t id) MUST_USE;
void cap_table_move_cancel(struct cap_table *table, uint32_t id);
void cap_table_move_commit(struct cap_table *table, uint32_t id);

/* True for the id of an entry that is there and not on its way. */
bool cap_table_is_live(const struct cap_table *table, uint32_t id);
/* True if some entry, live or moving, refers to the object. */
bool cap_table_holds(const struct cap_table *table, const struct object *object);

/* Walks the table: counts, free list, grants. Panics on a contradiction. */
void cap_table_check(struct cap_table *table);

/* The entry in slot `slot` (1..) if it is live or on its way, for listing; NULL otherwise. *end: no slot at or above. */
const struct cap_entry *cap_table_slot(const struct cap_table *table, uint32_t slot, uint32_t *id, bool *end);

#endif
