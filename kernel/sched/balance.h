/*
 * Who runs on which of several processors: where a woken thread goes, what an idle processor takes,
 * and what a busy one gives away. A pure module like run_queue.h. `queues` has one of each processor, by
 * its number. Count and load of queues are looked at without their locks: what has become stale makes
 * a worse choice, not a wrong one.
 */
#ifndef KERNEL_SCHED_BALANCE_H
#define KERNEL_SCHED_BALANCE_H

#include "kernel/sched/run_queue.h"

/* Where a woken or new entity goes: its last queue or another, idle ones first. `usable` has a bit for
 * each processor that takes threads. NULL if the affinity allows none of them. */
struct run_queue *run_queue_choose(struct run_queue *const *queues, uint64_t usable,
		const struct sched_entity *entity);
/* One of those who wait in a queue, and who may run on a usable processor but not on this one; NULL: none. Looks
 * at all of them. */
struct sched_entity *run_queue_stray(const struct run_queue *queue, uint64_t usable);
/* Of the candidates, a bit for each, the heaviest queue in which somebody waits, for a processor that would idle
 * otherwise. It is a candidate no more. NULL: none. */
struct run_queue *run_queue_busiest(struct run_queue *const *queues, uint64_t *candidates);
/* Of the candidates the lightest queue, if it is lighter than this one, in which somebody waits. It is a
 * candidate no more. NULL: none. */
struct run_queue *run_queue_lightest(struct run_queue *const *queues, uint64_t *candidates,
		const struct run_queue *queue);
/* Whether some time has passed since somebody was moved from here, and somebody waits. */
bool run_queue_balance_due(const struct run_queue *queue, uint64_t now_ticks);
/* Takes out a waiting member of `from` that may run on the processor of `to` and is not too heavy for that. If it
 * only changes which of the two is heavier, it must have been here for two intervals: so moves between equals go
 * round. NULL if a few looks find none. It is OUT then and to join `to`, and no other move is due here for one interval. The
 * lock of `from` is held, that of `to` need not be. */
struct sched_entity *run_queue_give(struct run_queue *from, const struct run_queue *to, uint64_t now_ticks,
		uint64_t interval_ticks);

#endif
