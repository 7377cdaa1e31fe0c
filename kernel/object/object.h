/*
 * What all kernel objects have in common: a type, the ledger that paid, and two counts.
 *
 * References keep the memory; holds are entries in capability tables and capabilities in transit.
 * When the last hold goes, the type's `on_last_hold` closes the object (wakes waiters, ends calls);
 * when the last reference goes, its memory goes and the ledger is refunded. All holds together have one reference.
 * Only object.c and the functions below change the counts.
 */
#ifndef KERNEL_OBJECT_OBJECT_H
#define KERNEL_OBJECT_OBJECT_H

#include "abi/compiler.h"
#include "abi/status.h"

struct call;
struct cap_table;
struct ledger;
struct list;
struct object;
struct question;

struct object_type {
	const char *name;
	/* A method of a kernel object: the generated dispatcher. NULL for exports, whose calls go to a process. */
	status_t (*call)(struct object *object, struct call *call, uint64_t interface_id, uint16_t method);
	/* No capability refers to the object any more. No lock is held. May be NULL. */
	void (*on_last_hold)(struct object *object);
	/* `table` has dropped one capability to the object. No lock is held. May be NULL. */
	void (*on_release)(struct object *object, struct cap_table *table);
	/* The memory goes. No lock is held. */
	void (*destroy)(struct object *object);
	/* Takes back a question that waits at this object (a deferred call or a wait): unlink it if it still
	 * waits; true if it did, and then the caller completes it. */
	bool (*cancel)(struct object *object, struct question *question);
	/* Operation wait with flag death: links the question until the end of the object, or answers
	 * STATUS_OK with *ended set. NULL: the object does not end by itself. */
	status_t (*wait_death)(struct object *object, struct question *question, bool *ended);
	/* Where bindings to the object's event hang (binding.h). NULL: it has none. */
	struct list *(*bindings)(struct object *object);
	/* Whether the event has happened. Called under the lock of bindings. */
	bool (*event_is_due)(struct object *object);
	/* The event is the object's end. */
	bool event_is_end;
};

/*  I fixed after creation   a atomic  */
struct object {
	const struct object_type *type;    /* I */
	struct ledger            *ledger;  /* I, borrowed reference is counted by the ledger; NULL: the kernel's own */
	uint32_t                  references; /* a */
	uint32_t                  holds;      /* a */
	struct object            *next_ending; /* without holds: in its processor's list of those to be closed */
	uint64_t                  number;     /* a, 0: nobody has asked yet */
};

/* One reference, no hold. `ledger` may be NULL; otherwise one LEDGER object has been charged to it. */
void object_init(struct object *object, const struct object_type *type, struct ledger *ledger);

/* A number that no other object has or will have. It tells nothing about the object and is no authority. */
uint64_t object_number(struct object *object);

/* Panics. */
void object_count_wrong(const struct object *object);
/* The last reference has gone. */
void object_last_put(struct object *object);

static inline void object_get(struct object *object)
{
	uint32_t before = __atomic_fetch_add(&object->references, 1, __ATOMIC_RELAXED);

	if (unlikely(before + 1 <= 1))      /* was 0, or has wrapped */
		object_count_wrong(object);
}

/* May destroy the object: call without locks. */
static inline void object_put(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->references, 1, __ATOMIC_ACQ_REL);

	if (unlikely(before == 1))
		object_last_put(object);
	else if (unlikely(before == 0))
		object_count_wrong(object);
}

/* The first hold has been taken, or one too many. */
void object_first_hold(struct object *object, uint32_t before);
/* The last hold has gone, or one more than there were. */
void object_last_unhold(struct object *object, uint32_t before);

/* One more hold; the first one takes a reference. The caller has a hold or a reference. */
static inline void object_hold(struct object *object)
{
	uint32_t before = __atomic_fetch_add(&object->holds, 1, __ATOMIC_RELAXED);

	if (unlikely(before + 1 <= 1))
		object_first_hold(object, before);
}

/* One hold less, unless it is the last: false. */
MUST_USE static inline bool object_unhold_plain(struct object *object)
{
	uint32_t holds = __atomic_load_n(&object->holds, __ATOMIC_RELAXED);

	while (likely(holds > 1)) {
		if (likely(__atomic_compare_exchange_n(&object->holds, &holds, holds - 1, false,
				__ATOMIC_RELEASE, __ATOMIC_RELAXED)))
			return true;
	}
	return false;
}

/* May close and destroy the object, at the latest when the outermost unhold returns: call without locks. */
static inline void object_unhold(struct object *object)
{
	uint32_t before = __atomic_fetch_sub(&object->holds, 1, __ATOMIC_ACQ_REL);

	if (unlikely(before <= 1))
		object_last_unhold(object, before);
}

#endif
