/*
 * Threads: a register context, a ring, and a place in the scheduler. A thread that does not run is in exactly one
 * state; it never sleeps inside the kernel, so there is no stack to keep.
 */
#ifndef KERNEL_OBJECT_THREAD_H
#define KERNEL_OBJECT_THREAD_H

#include "kernel/arch/arch.h"
#include "kernel/core/list.h"
#include "kernel/object/pager.h"
#include "kernel/time/timer_queue.h"

struct cpu;
struct process;
struct ring;

enum thread_state {
	THREAD_NEW,
	THREAD_RUNNABLE,         /* in a run queue or the processor's handoff */
	THREAD_RUNNING,
	THREAD_WAIT_SYNC,        /* for one question; see ring.sync */
	THREAD_WAIT_COMPLETIONS, /* for min_complete completions or the deadline */
	THREAD_WAIT_PAGE,        /* for a page that a pager supplies, or the deadline */
	THREAD_ENDED,
};

/*  I fixed after creation   s under a run queue's lock   r under ring.lock   a atomic  */
struct thread {
	struct arch_context context;
	struct process     *process;        /* I */
	struct ring        *ring;           /* I */
	enum thread_state   state;          /* r for waits, s otherwise */
	uint32_t            min_complete;   /* r */
	struct list         run_link;       /* s */
	struct cpu         *queue;          /* s, where `run_link` is or was last */
	struct cpu         *cpu;            /* a, whose registers it has; NULL: none, and they are in `context` */
	struct cpu         *last;           /* where it ran last; NULL: nowhere yet */
	struct timer_node   deadline;       /* of a wait for completions or a page */
	struct page_wait    page_wait;      /* see object/pager.h */
	uint64_t            ticks;          /* processor time used */
	uint32_t            id;             /* I */
};

/* The deadline of a wait for completions has passed: the thread wakes with DEADLINE_EXCEEDED. */
void thread_deadline_passed(struct timer_node *node);

#endif
