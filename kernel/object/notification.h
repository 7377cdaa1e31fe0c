/*
 * Notifications: a word of bits that is set by signals and taken by waiters.
 */
#ifndef KERNEL_OBJECT_NOTIFICATION_H
#define KERNEL_OBJECT_NOTIFICATION_H

#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"

struct grant;

/*  n under lock  */
struct notification {
	struct object   object;
	struct spinlock lock;
	uint64_t        bits;      /* n */
	struct list     waiters;   /* n, questions; `interface` is the mask */
	struct list     bindings;  /* under the lock of bindings: those that set bits here */
};

extern const struct object_type notification_type;

status_t notification_create(struct ledger *payer, struct notification **notification, uint64_t *detail) MUST_USE;
/* Sets bits; the oldest waiter whose mask has one of them takes those. The caller keeps the notification alive. */
void notification_signal(struct notification *notification, uint64_t bits);
/* The same with the kernel's lock shared: false, with nothing done, if there are waiters that do not
 * sleep for this alone. */
bool notification_signal_shared(struct notification *notification, uint64_t bits) MUST_USE;
/* Completes the question with bits of its mask that are set, or queues it; a multishot wait may do both. */
void notification_wait(struct notification *notification, struct question *question);
/* The direct way: the running thread sleeps for bits of the mask of a free question, which has the entry and hangs on
 * `grant`. False: some were set, which are now taken (*bits), and nothing else has happened. */
bool notification_sleep(struct notification *notification, struct question *question, struct grant *grant, uint64_t *bits);

#endif
