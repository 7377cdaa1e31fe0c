/*
 * The reaper: what the kernel does in bounded steps on its way out, and when nothing else runs:
 * taking ended threads and processes apart, and revocations. Each kind of work brings its own step;
 * works take turns, so that a large one does not keep those who wait for a small one.
 */
#ifndef KERNEL_OBJECT_REAPER_H
#define KERNEL_OBJECT_REAPER_H

#include <stdbool.h>

#include "kernel/core/list.h"

/* The list is under the reaper's lock. */
struct reaper_work {
	struct list link;
	/* Without locks; true: it is done, and not in the list any more. */
	bool (*step)(struct reaper_work *work);
};

/* Adds work that is not there yet. */
void reaper_add(struct reaper_work *work);
void reaper_remove(struct reaper_work *work);
/* One bounded step of the work whose turn it is; true if there is more to do. */
bool reaper_step(void);

#endif
