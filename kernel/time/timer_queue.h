/*
 * The queue of deadlines: an intrusive pairing heap, one per kernel (per processor when there are
 * several). The hardware timer is set to the earliest deadline only when that becomes earlier; an
 * early shot finds nothing to do and sets it again.
 */
#ifndef KERNEL_TIME_TIMER_QUEUE_H
#define KERNEL_TIME_TIMER_QUEUE_H

#include "abi/compiler.h"

struct timer_node {
	uint64_t           deadline_ns;
	struct timer_node *child;
	struct timer_node *next;
	struct timer_node *prev;       /* parent for a first child, else the left sibling */
	bool               queued;
	/* Called without locks, with the node out of the queue. */
	void             (*fire)(struct timer_node *node);
};

/* Queues a node that is not queued. */
void timer_queue_add(struct timer_node *node, uint64_t deadline_ns,
		void (*fire)(struct timer_node *));
/* Takes a node out; false if it was not queued (it fired or is firing). */
bool timer_queue_remove(struct timer_node *node);
/* Fires everything due at `now_ns`; answers the next deadline or UINT64_MAX. */
uint64_t timer_queue_run(uint64_t now_ns);
uint64_t timer_queue_next(void);
void timer_queue_check(void);

#endif
