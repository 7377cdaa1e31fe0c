/*
 * Moving capabilities between tables. A transfer is captured from the sender (everything refused or
 * everything held), travels with its call, and is delivered into slots that the receiver reserved, which
 * cannot fail. Dropping a captured transfer leaves no trace: moved capabilities are back under their ids.
 */
#ifndef KERNEL_CAP_TRANSFER_H
#define KERNEL_CAP_TRANSFER_H

#include "capos/ring.capnp.h"
#include "kernel/cap/cap_table.h"

struct endpoint;
struct process;

#define TRANSFER_PATH_MAX 4u

/* Where an answer that is still to come will have a capability. */
struct answer_place {
	uint16_t question;         /* of the sender's ring */
	uint16_t path_len;         /* 0: no place */
	uint16_t path[TRANSFER_PATH_MAX];
};

struct transfer_item {
	struct object *object;     /* one hold; NULL: null capability, or one still to come */
	struct facet  *facet;      /* one reference */
	struct grant  *grant;      /* one use: the sender's, parent of the receiver's */
	uint32_t       moving_id;  /* id in the sender's table while MOVING; 0 for a copy */
	bool           drop;       /* delivered without taking over the hold: finish drops it */
	struct cap_table *left;    /* delivered by a move out of this table: finish tells the object (counted); NULL otherwise */
	struct answer_place place; /* of one still to come: ring/pipeline.c fills in the rest */
};

struct call_transfer {
	uint32_t             count;
	uint32_t             promised;    /* items still to come */
	struct transfer_item items[];
};

/* A descriptor as it is believed. */
struct descriptor {
	uint8_t             kind;
	uint32_t            id;       /* copy, move */
	struct answer_place place;    /* answer */
};
/* Each word of a descriptor is loaded once; reserved parts must be zero, and a path has 1 to TRANSFER_PATH_MAX fields.
 * BAD_DESCRIPTOR. */
status_t descriptor_read(const uint64_t *words, struct descriptor *descriptor) MUST_USE;

/* Reads `count` descriptors (each word once) and captures them all, or nothing: BAD_DESCRIPTOR (those of answers, too),
 * BAD_CAPABILITY, DISCONNECTED. */
status_t transfer_capture(struct cap_table *sender, const uint64_t *descriptors, uint32_t count,
		struct transfer_item *items) MUST_USE;

/* The capability of an entry, held as a captured one. */
void transfer_item_of(const struct cap_entry *entry, struct transfer_item *item);

/* OK if process `from` may give all of them to `to`; otherwise BAD_DESCRIPTOR, and the first that it may not in *detail. */
status_t transfer_may_cross(const struct transfer_item *items, uint32_t count, const struct process *from,
		const struct process *to, uint64_t *detail) MUST_USE;

/* DISCONNECTED if one of the captured grants has been revoked meanwhile. */
status_t transfer_still_valid(const struct transfer_item *items, uint32_t count) MUST_USE;

/*
 * Puts the items in `receiver`, using reserved slots, and writes `count` records. `serving`: the endpoint that the
 * receiver answers here (its own exports become yours(tag)), or NULL. Answers how many slots were used.
 * May be called with the endpoint's lock held; afterwards, without locks, transfer_finish.
 */
uint32_t transfer_deliver(struct transfer_item *items, uint32_t count, struct cap_table *sender,
		struct cap_table *receiver, struct endpoint *serving, uint64_t *records);
void transfer_finish(struct transfer_item *items, uint32_t count);

/* Ends a capture whose capabilities were used and given to nobody: moved ones leave the sender. Without locks. */
void transfer_consume(struct transfer_item *items, uint32_t count, struct cap_table *sender);

/* Undoes a capture. Without locks. */
void transfer_drop(struct transfer_item *items, uint32_t count, struct cap_table *sender);

/* Captures `count` descriptors for a call that will wait with them; *transfer is NULL for none. As transfer_capture, and
 * OVERLOADED with *detail. `places`: descriptors of answers are taken as well; their items are `promised`. */
status_t call_transfer_capture(struct cap_table *sender, const uint64_t *descriptors, uint32_t count, bool places,
		struct call_transfer **transfer, uint64_t *detail) MUST_USE;
/* Undoes that (NULL: nothing). Without locks. */
void call_transfer_drop(struct call_transfer *transfer, struct cap_table *sender);

struct call_transfer *call_transfer_create(const struct transfer_item *items, uint32_t count);
void call_transfer_destroy(struct call_transfer *transfer);

#endif
