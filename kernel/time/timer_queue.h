/*
 * The queue of deadlines: a heap (core/heap.h), one per processor. A deadline belongs to the
 * processor that added it. Its timer is set to the earliest deadline only when that becomes earlier;
 * an early shot finds nothing to do and sets it again.
 */
#ifndef KERNEL_TIME_TIMER_QUEUE_H
#define KERNEL_TIME_TIMER_QUEUE_H

#include "abi/compiler.h"
#include "kernel/core/heap.h"
#include "kernel/core/spinlock.h"

/*  q under lock  */
struct timer_queue {
	struct spinlock    lock;
	struct heap        heap;       /* q, by deadline */
	uint64_t           armed_ns;   /* q, what the hardware was set to; UINT64_MAX: nothing */
};

struct timer_node {
	union {
		struct heap_node link;
		uint64_t         deadline_ns;  /* the key */
	};
	struct timer_queue *queue;     /* where it is; NULL: it is not queued */
	/* Called without locks, with the node out of the queue. */
	void             (*fire)(struct timer_node *node);
};

STATIC_ASSERT(offsetof(struct timer_node, link.key) == offsetof(struct timer_node, deadline_ns));

void timer_queue_init(struct timer_queue *queue);

/* Queues a node that is not queued, on this processor. A deadline beyond INT64_MAX is that. */
void timer_queue_add(struct timer_node *node, uint64_t deadline_ns,
		void (*fire)(struct timer_node *));
/* Takes a node out, wherever it is; false if it was not queued (it fired or is firing). Nobody adds
 * it meanwhile. */
bool timer_queue_remove(struct timer_node *node);
/* On this processor: fires everything due at `now_ns`; answers the next deadline or UINT64_MAX. */
uint64_t timer_queue_run(uint64_t now_ns);
uint64_t timer_queue_next(void);
/* Of all processors. */
void timer_queue_check(void);

#endif
