/*
 * What has happened since boot, for SystemInfo. Each is counted where it happens; nothing reads
 * them but people.
 */
#ifndef KERNEL_CORE_COUNTERS_H
#define KERNEL_CORE_COUNTERS_H

#include <stdint.h>

/*  i only with interrupts off, on the one processor  */
struct counters {
	uint64_t interrupts;     /* i, of devices and the timer: core/entry.c */
	uint64_t calls;          /* i, entries with operation call: ring/dispatch.c */
};

extern struct counters counters;

#endif
