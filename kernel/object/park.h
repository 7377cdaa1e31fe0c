/*
 * Parking: a thread sleeps for a 32-bit word of memory as long as the word has the value that the thread saw,
 * until somebody unparks that word. What locks and conditions of programs are made of (lib/rt).
 *
 * A word is named in one of two ways, and only those who name it alike meet:
 *  - private: an address of the process' own address space. It is not looked at what is mapped there;
 *  - shared: an offset in a memory object, by a capability to it.
 *
 * Each park is a question of its ring, behind those that parked for the same word before. An address space or memory
 * object has one lot, a tree of the words that somebody sleeps for; nobody's is larger for what others do. Waking
 * somebody takes as long as finding the word, which is logarithmic in their number.
 */
#ifndef KERNEL_OBJECT_PARK_H
#define KERNEL_OBJECT_PARK_H

#include <stdbool.h>

#include "abi/status.h"
#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"

struct grant;
struct object;
struct process;
struct question;
struct ring;
struct ring_entry;

/*  l under lock  */
struct park_lot {
	struct spinlock  lock;
	struct question *words;       /* l, a treap by word, of those who parked first for each */
};

static inline void park_lot_init(struct park_lot *lot)
{
	spin_init(&lot->lock, LOCK_RANK_PARK, "park lot");
	lot->words = NULL;
}

/* A word that an entry of `park` or `unpark` names. */
struct park_place {
	struct object  *object;       /* the address space, or the memory object; borrowed */
	struct grant   *grant;        /* by which the process has the latter; or NULL */
	uint64_t        offset;       /* the address, or the offset in the object */
};

/* BAD_CAPABILITY, DISCONNECTED, UNIMPLEMENTED: the target is no memory. INVALID_ARGUMENT: the word does not lie
 * at a multiple of four inside, or it is device memory. */
status_t park_place_find(struct process *process, const struct ring_entry *entry, struct park_place *place,
		uint64_t *detail) MUST_USE;

/* Parks for the word if it has the value expected, else completes with PARK_CHANGED; the question is free.
 * Refused: INVALID_ARGUMENT where a private word is not in memory of the program's own that it may read, FAILED
 * (state) while its pager has not supplied it. */
status_t park(struct ring *ring, const struct ring_entry *entry, const struct park_place *place, uint64_t *detail)
		MUST_USE;

/* Wakes up to `count` of those who parked for the word, the oldest first; answers how many, at most UNPARK_MAX. */
uint32_t unpark(const struct park_place *place, uint32_t count);

/* What memory objects and address spaces do to take a question back. */
bool park_cancel(struct object *object, struct question *question);

#endif
