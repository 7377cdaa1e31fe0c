/*
 * When a service that ended is started again. Pure: main.c brings the clock and does what is decided.
 *
 * Restarts are counted in windows: the first one opens a window, and one that comes after the window
 * has passed opens the next. Within a window the budget bounds their number and each waits twice
 * as long as the one before.
 */
#ifndef INIT_RESTART_H
#define INIT_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "services/init/plan.h"

struct restart_history {
	uint64_t window_start_ns; /* of the first restart in this window; when count is 0: nothing */
	uint32_t count;           /* restarts in this window */
};

enum restart_verdict {
	RESTART_NEVER,   /* the policy does not ask for it */
	RESTART_LATER,   /* after the delay */
	RESTART_GIVE_UP, /* the budget is used up */
};

/* Decides about an end at `now_ns`, monotonic; `failed`: it crashed, was killed or gave a status that is
 * not 0. Counts the restart in the history where the verdict is RESTART_LATER, and sets `delay_ns`. */
enum restart_verdict restart_decide(const struct plan_restart *policy,
		struct restart_history *history, bool failed, uint64_t now_ns, uint64_t *delay_ns);

/* Forgets: the next end finds the whole budget. */
void restart_forget(struct restart_history *history);

#endif
