/*
 * One processor. Its memory is the first page of its 64 KiB area (arch/<name>/layout.h) and its GS
 * base points here. Only the processor itself reads and writes it, but for what is marked: a is
 * atomic, q under queue_lock; and a processor that is inside the kernel exclusive (kernel_lock.h)
 * may read and write everything of all others.
 */
#ifndef KERNEL_SCHED_CPU_H
#define KERNEL_SCHED_CPU_H

#include "arch/arch.h"
#include "kernel/core/counters.h"
#include "kernel/core/spinlock.h"
#include "kernel/ring/poller.h"
#include "kernel/sched/reserved.h"
#include "kernel/sched/run_queue.h"
#include "kernel/time/timer_queue.h"

#define CPU_HELD_LOCKS_MAX 8
#define PROCESSORS_MAX 16u

/* Where a processor is, seen from the kernel. */
enum door {
	DOOR_OUT,                /* in user mode, or on the last instructions to it */
	DOOR_IDLE,               /* sleeps until an interrupt; runs no thread */
	DOOR_WAITING,            /* waits to be let in; runs nothing of its thread */
	DOOR_ASLEEP,             /* the same, and has to be called when its ticket is served */
	DOOR_SHARED,
	DOOR_EXCLUSIVE,
};

#define CHORE_TURN   1u    /* the current thread's turn is over: another one is to run */
#define CHORE_REAP   2u    /* processes have ended and are to be taken apart */
#define CHORE_WOKEN  4u    /* `handoff` was set; it may have been taken meanwhile */
#define CHORE_YIELD  8u    /* with CHORE_TURN: the current thread asks for it */
#define CHORE_BUDGET 16u   /* the current thread, or one that waits for its turn, has to do with budgets */
#define CHORE_BACK   32u   /* with CHORE_WOKEN: `handoff` has been answered; see sched_pass_back */
#define CHORE_MOVE   64u   /* with CHORE_TURN: the current thread is queued anew, perhaps elsewhere */
#define CHORE_STOP   128u  /* with CHORE_TURN: a thread that runs here has been suspended, and whoever did it is to be
			    * told when it has stopped, by going to sleep, too */

struct endpoint;
struct object;
struct promise;
struct question;
struct ring;
struct thread;

/* A processor that was leased (object/isolation_lease.c). Exclusive only, but for is_on. */
struct isolation {
	bool     is_on;             /* a, runs nothing but what is bound to the lease */
	uint64_t interrupts;        /* since then */
	uint64_t since_ns;          /* the last of them, or the beginning */
	uint64_t longest_ns;        /* between two of them */
};

static inline void isolation_disturb(struct isolation *isolation, uint64_t now_ns)
{
	isolation->interrupts++;
	isolation->longest_ns = MAX(isolation->longest_ns, now_ns - isolation->since_ns);
	isolation->since_ns = now_ns;
}

struct cpu {
	struct arch_cpu  arch;              /* first: the entry code finds its fields by offset */
	enum door        door;              /* a, written by the processor itself */
	uint32_t         ticket;            /* while DOOR_ASLEEP: core/kernel_lock.c */
	uint32_t         number;            /* from 0 */
	struct thread   *current;           /* whose registers are live; NULL while idle */
	struct thread *handoff; /* runs next if the current one goes to sleep */
	struct thread   *payer;             /* on whose account the queue last began a turn; only compared */
	uint64_t         switch_ticks;      /* until then processor time has been charged */
	uint8_t          chores;            /* CHORE_*, before the processor leaves the kernel */
	bool             closing;           /* closes the objects in `ending`: object/object.c */
	struct object   *ending;            /* nobody holds them any more */
	bool             pumping;           /* pumps the endpoints in `pumps`: object/endpoint_call.c */
	struct endpoint *pumps;             /* counted */
	bool             is_settling;       /* settles the questions in `settling`: ring/pipeline.c */
	struct question *settling;          /* their outcomes are known, calls on them wait */
	struct ring     *settling_rings;    /* their processes counted; stalled calls of theirs may start */
	struct promise  *settling_promises; /* counted; what they lead to is known, calls on them wait */
	struct counters  counters;
	struct timer_node slice;            /* the current thread's turn ends; queued while others wait */
	uint64_t         slice_ticks;       /* when that fires */
#if CONFIG_DEBUG
	struct spinlock *held[CPU_HELD_LOCKS_MAX];   /* in order of acquisition */
	uint32_t         held_count;
#endif
	/* What other processors write stands apart from what this one writes on each call. */
	struct spinlock  queue_lock __attribute__((aligned(CACHE_LINE_BYTES)));
	struct run_queue queue;             /* q; count and load are read by all */
	bool             has_better;        /* q, somebody who waits should run instead of the runner */
	struct isolation isolation;
	struct poller    poller;            /* of a processor leased for a ring */
	struct reserved  reserved __attribute__((aligned(CACHE_LINE_BYTES)));
	struct timer_queue timers __attribute__((aligned(CACHE_LINE_BYTES)));
};

STATIC_ASSERT(sizeof(struct cpu) <= PAGE_SIZE);

/* Those that run, by number. Fixed once the first process has started. */
extern struct cpu *processors[PROCESSORS_MAX];
extern struct run_queue *run_queues[PROCESSORS_MAX];
extern uint32_t processor_count;

/* Makes a processor known, with nothing to do; its `arch` is the port's. Boot only. */
void cpu_add(struct cpu *cpu);

#endif
