/*
 * One processor. Its memory is the first page of its 64 KiB area (arch/<name>/layout.h), its GS base
 * points here, and only the processor itself reads and writes it.
 */
#ifndef KERNEL_SCHED_CPU_H
#define KERNEL_SCHED_CPU_H

#include "arch/arch.h"
#include "kernel/core/spinlock.h"

#define CPU_HELD_LOCKS_MAX 8
#define PROCESSORS_MAX 1u      /* sizes what each processor has one of */

#define CHORE_TURN 1u      /* the current thread's turn is over: another one is to run */
#define CHORE_REAP 2u      /* processes have ended and are to be taken apart */
#define CHORE_WOKEN 4u     /* `handoff` was set; it may have been taken meanwhile */

struct endpoint;
struct object;
struct promise;
struct question;
struct ring;
struct thread;

struct cpu {
	struct arch_cpu  arch;              /* first: the entry code finds its fields by offset */
	uint32_t         number;            /* from 0 */
	struct thread   *current;           /* NULL while idle */
	struct thread   *loaded;            /* whose context arch.context names; NULL if it ended */
	struct thread *handoff; /* runs next if the current one goes to sleep */
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
#if CONFIG_DEBUG
	struct spinlock *held[CPU_HELD_LOCKS_MAX];   /* in order of acquisition */
	uint32_t         held_count;
#endif
};

STATIC_ASSERT(sizeof(struct cpu) <= PAGE_SIZE);

#endif
