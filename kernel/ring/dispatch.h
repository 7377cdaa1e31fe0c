/*
 * The door of every operation: what core/entry.c calls, and what performers share.
 */
#ifndef KERNEL_RING_DISPATCH_H
#define KERNEL_RING_DISPATCH_H

#include "kernel/ring/ring.h"

struct cap_entry;

#define ENTRY_WORDS 8

/* An entry as eight words, for masks and for loading. */
union entry_words {
	struct ring_entry entry;
	uint64_t          words[ENTRY_WORDS];
};

/* The entry that stands in the header, where the program may change it meanwhile. */
static inline const struct ring_entry *ring_header_entry(const struct ring_header *header)
{
	STATIC_ASSERT(sizeof(header->sync_entry) == sizeof(struct ring_entry));
	return (const struct ring_entry *)(const void *)header->sync_entry;
}

/* Completes the operation table; once at boot. */
void ring_ops_init(void);

/* Takes entries until none is left, credit lacks, a SYNC entry was taken, or the thread must stop; lets those in between
 * who wait at the kernel's door, and then the ring may be gone: the processor's current thread is another. True: a SYNC entry was
 * taken (its outcome is ring->sync_result unless ring->sync still names its question). `sync_allowed`: the
 * arguments of cap_enter permit one. */
bool ring_drain(struct ring *ring, bool sync_allowed);

/* Takes up to `most` entries in the place of the ring's thread, which may be doing anything, and has not ended; a SYNC entry
 * that is the last one is left for its cap_enter. How many. Exclusive. */
uint32_t ring_take(struct ring *ring, uint32_t most);

/* As ring_drain for the entry in the header, which has to be SYNC. */
void ring_take_header(struct ring *ring);

/* Makes the entry's question (which is free) one in flight at `object` (takes a reference). Reserved slots named
 * by the entry have been set aside already. */
struct question *question_begin(struct ring *ring, const struct ring_entry *entry, enum question_kind kind,
		struct object *object);

/* The same for a call, which has its question already if it was held: that one then goes on as `kind`. */
struct question *call_question(struct ring *ring, const struct ring_entry *entry, enum question_kind kind,
		struct object *object);

/* Starts a call, held or not yet begun, at a capability that need not be in the caller's table. */
void call_start_with(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target);

/* Starts a held call, whose entry its question has, at the capability `id`. */
void call_start_at(struct ring *ring, const struct ring_entry *entry, uint32_t id);

/* Ends a call that was refused before anybody had it: gives its reply slots and what it carries back and completes it. */
void call_refuse_entry(struct ring *ring, const struct ring_entry *entry, status_t status, uint64_t detail);

/* A call through `target`, whose facet has the method; spans are checked, reply slots are reserved. */
void object_call(struct ring *ring, const struct ring_entry *entry, struct cap_entry *target);

#endif
