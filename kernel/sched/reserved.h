/*
 * Threads that run on a budget. Each processor has a list of those that can, the earliest deadline
 * first, and they come before the queue of all others. A thread whose context has no budget now
 * waits with the context until a one-shot timer says that there is some; another ends the turn of
 * the one that runs when its budget is used up. Nothing here needs a tick.
 *
 * sched.c asks: where a thread is queued, who is next, and when one starts and stops. Which context
 * a thread runs on is donation.h's. The threads that have to do with budgets enter by the general
 * way (core/entry.c), so that all this, but for waking one, happens in the exclusive mode.
 *
 * Always true: a thread with a `context_now` can run or runs, and is counted in the context's
 * `users`; one of RUNNABLE state is in its processor's `ready` or in the context's `waiting`. A
 * context that is `charged` is that of its processor's current thread.
 */
#ifndef KERNEL_SCHED_RESERVED_H
#define KERNEL_SCHED_RESERVED_H

#include "kernel/core/list.h"
#include "kernel/core/spinlock.h"
#include "kernel/object/object.h"
#include "kernel/sched/budget.h"
#include "kernel/time/timer_queue.h"

struct cpu;
struct thread;

#define CONTEXTS_MAX 64u /* of one processor */

/*  I fixed after creation   r under the lock of its processor's reserve   x exclusive only  */
struct scheduling_context {
	struct object     object;
	struct cpu       *cpu;         /* I, the only one that it is good for */
	struct budget     budget;      /* r */
	uint32_t          users;       /* r, threads that can run on it, or do */
	bool              is_armed;    /* r, `refill` is queued, or fires */
	bool              is_told;     /* r, that the deadline of now was missed */
	bool              has_ended;   /* x, bound to nobody for good */
	uint64_t          began_ns;    /* r, when `users` was 0 last */
	uint64_t          used_ns;     /* r */
	uint64_t          depletions;  /* r */
	uint64_t          missed;      /* r */
	struct list       waiting;     /* r, threads that could run but for the budget */
	struct list       tell_link;   /* r, in its processor's `telling` */
	struct timer_node refill;      /* queued while somebody waits */
	struct thread    *thread;      /* x, that it is bound to */
	struct list       backed;      /* x, passive threads of which it is the reserve */
	struct list       bindings;    /* under the lock of bindings */
};

/* Of each processor. */
struct reserved {
	struct spinlock            lock;
	struct list                ready;     /* r, threads, the earliest deadline first */
	struct scheduling_context *charged;   /* r, since `since_ns` */
	uint64_t                   since_ns;  /* r */
	struct timer_node          timer;     /* the end of what `charged` has */
	struct list                telling;   /* r, contexts whose event has happened */
	struct admission           admission; /* x */
	uint32_t                   contexts;  /* x */
};

void reserved_init(struct cpu *cpu);
/* A new thread has to do with none of this. */
void reserved_thread_init(struct thread *thread);

/* Queues a thread that can run, if it has a context to run on; false: it runs like any other. */
bool reserved_enqueue(struct thread *thread);
/* The next of this processor's, or NULL. */
struct thread *reserved_take(struct cpu *cpu);
/* Has this processor take another turn if the first of its list comes before whoever runs. */
void reserved_look(struct cpu *cpu);
/* The current thread, which has to do with budgets, begins to run. */
void reserved_start(struct cpu *cpu, struct thread *thread);
/* It stops: what it used is charged. If it cannot run any more it leaves its context, too. */
void reserved_stop(struct cpu *cpu, struct thread *thread);
/* Charges what the current thread has used so far. */
void reserved_account(struct cpu *cpu);
/* Takes a thread out of wherever it is here; it may run again. */
void reserved_leave(struct thread *thread);
/* Tells whoever wants to know what has happened to contexts. No lock is held. */
void reserved_tell(struct cpu *cpu);
/* Nobody is to hear of this context any more. */
void reserved_forget(struct scheduling_context *context);

#endif
