/*
 * What has happened since boot, for SystemInfo. Each is counted where it happens; nothing reads
 * them but people.
 */
#ifndef KERNEL_CORE_COUNTERS_H
#define KERNEL_CORE_COUNTERS_H

#include <stdint.h>

/* Each processor has its own (sched/cpu.h), and what was counted is their sum. */
struct counters {
	uint64_t interrupts;     /* of devices, timers and processors: core/entry.c */
	uint64_t timer_interrupts; /* those of timers */
	uint64_t calls;          /* entries with operation call: ring/dispatch.c, endpoint_fast.c */
	uint64_t switches;       /* from one thread to another: sched/sched.c */
	uint64_t wakes;          /* interrupts sent to another processor */
};

/* The sum at this moment of what all processors have counted. */
struct counters counters_sum(void);

#endif
