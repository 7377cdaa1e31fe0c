/*
 * Notifications: a word of bits that is set by signals and taken by waiters.
 */
#ifndef KERNEL_OBJECT_NOTIFICATION_H
#define KERNEL_OBJECT_NOTIFICATION_H

#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"

/*  n under lock  */
struct notification {
	struct object   object;
	struct spinlock lock;
	uint64_t        bits;      /* n */
	struct list     waiters;   /* n, questions; `interface` is the mask */
};

extern const struct object_type notification_type;

status_t notification_create(struct ledger *payer, struct notification **notification, uint64_t *detail) MUST_USE;
/* Sets bits; the oldest waiter whose mask has one of them takes those. */
void notification_signal(struct notification *notification, uint64_t bits);
/* Takes bits of the question's mask at once (*taken, the bits in *detail), or queues the question. */
status_t notification_wait(struct notification *notification, struct question *question, uint64_t *detail,
		bool *taken) MUST_USE;

#endif
