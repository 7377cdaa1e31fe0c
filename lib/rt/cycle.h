/*
 * Working in cycles: a thread that begins its work at fixed times, one period apart, whatever the last
 * cycle took; what it takes to be woken is counted. And memory that is there before the first cycle:
 * committed memory is made when it is first touched, by a fault in the middle of a cycle.
 *
 *     struct cycle *cycle;
 *
 *     if (resident_make(sizeof(*cycle), (void **)&cycle) != STATUS_OK)
 *             return 1;
 *     resident_stack();
 *     if (cycle_begin(cycle, 5000000) != STATUS_OK)
 *             return 1;
 *     while (cycle_wait(cycle) == STATUS_OK)
 *             work();
 *
 * cycle_wait allocates nothing. When the work is to be done before others, the thread has a budget or a
 * processor: docs/budgets.md.
 */
#ifndef LIB_RT_CYCLE_H
#define LIB_RT_CYCLE_H

#include <stdint.h>

#include "abi/status.h"
#include "rt/histogram.h"

#define RESIDENT_STACK_BYTES 0x8000u

struct cycle {
	uint64_t period_ns;
	uint64_t next_ns;               /* when the next one begins */
	uint64_t began_ns;              /* when the last one was to begin, and when it did; 0: none has */
	uint64_t woke_ns;
	uint64_t cycles;                /* that have begun */
	uint64_t missed;                /* that could not, since an earlier one was not done */
	struct histogram late;          /* how long after its time each one began, in ns */
	struct histogram jitter;        /* how far each was from one period after the last, in ns */
};

/* The first cycle begins one period from now. */
MUST_USE status_t cycle_begin(struct cycle *cycle, uint64_t period_ns);

/* Sleeps until the next cycle begins; those whose time has passed are missed, and left out. Not
 * STATUS_OK: there is no clock, or the thread was interrupted. */
MUST_USE status_t cycle_wait(struct cycle *cycle);

/* Zeroed memory with all its pages, by the grants "factory" and "memory"; the process pays for it. It
 * stays until the process ends. */
MUST_USE status_t resident_make(uint64_t bytes, void **memory);

/* Touches that much of the calling thread's stack. */
void resident_stack(void);

#endif
