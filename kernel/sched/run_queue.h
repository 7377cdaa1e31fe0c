/*
 * The queue of one processor: who is runnable there, and whose turn it is. Each thread gets time in
 * proportion to its weight, and a request of its latency class's slice within the time that its
 * share promises ("earliest eligible virtual deadline first", docs/design/0010).
 *
 * The queue has a virtual clock: it advances by the time that passes, divided by the weight of all
 * members, and so says how much service each unit of weight should have had. A member's virtual time
 * says how much it had. Their distance times the weight is the member's *lag*: what it is owed
 * (positive) or had too early (negative); the lags of all members add up to nothing. A member is
 * *eligible* while it is not ahead of the clock. Among the eligible ones runs who has the earliest
 * virtual deadline: where its virtual time will stand when it has had its slice. So no lag grows beyond one slice,
 * and a short slice means a short wait and not more time.
 *
 * Who goes to sleep had all that it wanted, so it is owed nothing. If it is ahead it stays a member, asleep, until
 * the clock has reached it: sleeping for a moment pays no debt. Neither does dying: what the dead had too early
 * stays in the queue as one sleeper, or a light thread could run as often as it is made anew.
 *
 * No globals, no locks, no clock of its own: the caller holds the queue's lock and says what time it
 * is, in ticks of any kind, the same for all queues. The simulator (tests/sched) runs this source.
 */
#ifndef KERNEL_SCHED_RUN_QUEUE_H
#define KERNEL_SCHED_RUN_QUEUE_H

#include "kernel/core/heap.h"

#define SCHED_WEIGHT_MIN     1u
#define SCHED_WEIGHT_DEFAULT 100u
#define SCHED_WEIGHT_MAX     10000u

#define SCHED_ANYWHERE UINT64_MAX      /* affinity: every processor */
/* The processor that takes in those of whose own ones none is usable. */
#define SCHED_SHELTER 0u

/* Virtual times and lags count 2^-16 of a tick, so that little is lost where they are divided. */
#define SCHED_FRACTION_BITS 16u

enum sched_place {
	SCHED_OUT,             /* in no queue: asleep, new or on the way between two queues */
	SCHED_ASLEEP,          /* ahead of the clock; its turn does not come */
	SCHED_EARLY,           /* waits for its turn, ahead of the clock */
	SCHED_READY,           /* waits for its turn, and has become eligible; this does not change back */
	SCHED_RUNNER,          /* whose turn it is; in neither heap */
};

struct run_queue;

/* What a thread is to the scheduler; part of struct thread. */
struct sched_entity {
	struct heap_node  link;         /* the deadline when READY, else the virtual time */
	uint64_t          virtual_time;
	uint64_t          deadline;     /* virtual */
	uint64_t          request;      /* its slice in virtual time */
	int64_t           lag;          /* OUT: what it left with and takes to its next queue */
	struct run_queue *queue;        /* that it is in, or was in last; NULL: none yet */
	uint64_t          affinity;     /* bit n: may run on processor n; not 0; see balance.h */
	uint64_t          moved_ticks;  /* when it was last moved; see balance.h */
	uint32_t          weight;
	uint32_t          slice_ticks;
	enum sched_place  place;
};

struct run_queue {
	uint64_t             clock;        /* virtual, rounded down */
	uint64_t             rest;         /* what was rounded off, times the weight; below the weight */
	uint64_t             weight;       /* of all members */
	uint64_t             time_ticks;   /* until then the runner has been charged */
	uint64_t             balance_ticks; /* see balance.h */
	struct heap          ready;
	struct heap          early;        /* and those asleep */
	struct sched_entity *runner;       /* NULL: nobody */
	struct sched_entity  dead;         /* all who ended ahead of the clock; ASLEEP or OUT */
	uint32_t             count;        /* of members that are not asleep; the runner is one */
	uint64_t             load;         /* and their weight */
	uint32_t             processor;    /* its number */
};

/* The queue's processor in an affinity. */
static inline uint64_t run_queue_bit(const struct run_queue *queue)
{
	return 1ull << queue->processor;
}

/* Whether there is anybody besides the runner. */
static inline bool run_queue_has_waiting(const struct run_queue *queue)
{
	return READ_ONCE(queue->count) > (queue->runner ? 1u : 0u);
}

void run_queue_init(struct run_queue *queue, uint32_t processor);
/* `slice_ticks`: below 2^30. */
void sched_entity_init(
		struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks, uint64_t affinity);

/* Charges the runner for the time since the last charge. Before each of the other operations on a
 * queue of which the answer depends on how far the runner is. */
void run_queue_charge(struct run_queue *queue, uint64_t now_ticks);

/* An entity that is OUT, or asleep in this queue, waits for its turn. It has the lag that it left its last
 * queue with. */
void run_queue_join(struct run_queue *queue, struct sched_entity *entity);
/* The same, and it is its turn at once. There must be no runner. */
void run_queue_enter(struct run_queue *queue, struct sched_entity *entity);
/* The runner goes to sleep. */
void run_queue_sleep(struct run_queue *queue);
/* A member is OUT from now on, and keeps its lag. */
void run_queue_leave(struct sched_entity *entity);
/* The same for good. */
void run_queue_end(struct sched_entity *entity);
/* Gives an entity, wherever it is, another weight and slice; it keeps its lag. */
void sched_entity_change(struct sched_entity *entity, uint32_t weight, uint32_t slice_ticks);

/* Somebody's turn begins; answers who, NULL if nobody waits. There must be no runner. */
struct sched_entity *run_queue_pick(struct run_queue *queue);
/* The runner's turn is over: answers whose turn begins, which may be its own again. */
struct sched_entity *run_queue_turn(struct run_queue *queue);
/* The same, but another member is next if there is one. The runner gives up what it is owed, and to who is
 * ahead the turn is a gift: nobody who is owed anything waits for it then. */
struct sched_entity *run_queue_yield(struct run_queue *queue);

/* Whether a waiting member should run instead of the runner at once. There must be a runner. */
bool run_queue_preempts(const struct run_queue *queue, const struct sched_entity *entity);
/* How long the runner may go on before somebody else's turn; 0: not at all. There must be a runner. */
uint64_t run_queue_left_ticks(const struct run_queue *queue);

/* Panics if the queue is not as it always is. */
void run_queue_check(const struct run_queue *queue);

#endif
