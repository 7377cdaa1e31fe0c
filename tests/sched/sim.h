/*
 * Processors and threads on the host: the shipped queue (kernel/sched/run_queue.c, balance.c) decides
 * whose turn it is, and sim.c does what sched/sched.c does with the answers. Time is a number, and what the
 * threads do comes from a seed. Beside the queue stands a model that knows nothing of virtual time: who is
 * runnable where, and what each thread is owed, in real numbers. What the two disagree on, and what should not
 * happen, is a finding.
 */
#ifndef TESTS_SCHED_SIM_H
#define TESTS_SCHED_SIM_H

#include "kernel/sched/balance.h"

#define SIM_PROCESSORS_MAX 4u
#define SIM_THREADS_MAX    48u
#define SIM_NEVER          UINT64_MAX

/* A tick is a nanosecond. Slices as in sched/sched.c. */
#define SIM_US             1000ull
#define SIM_MS             1000000ull
#define SIM_BALANCE_TICKS  (16 * SIM_MS)
/* A timer's interrupt comes up to so much late. */
#define SIM_LATE_TICKS     (20 * SIM_US)

enum sim_class { SIM_INTERACTIVE, SIM_NORMAL, SIM_BATCH, SIM_CLASSES };

extern const uint32_t sim_slices[SIM_CLASSES];

/* What can go wrong; one test each. */
enum sim_finding {
	SIM_SHAPE,            /* the queue contradicts itself */
	SIM_ACCOUNT,          /* a lag is not what the model says */
	SIM_SHARE,            /* a lag is beyond its bound */
	SIM_STARVED,          /* a thread waits although it has long been owed its turn */
	SIM_AFFINITY,         /* a thread is where it may not run */
	SIM_MOVES,            /* threads move more often than they may */
	SIM_IDLE,             /* a processor idles while somebody waits who may run there */
	SIM_LATENCY,          /* an interactive thread waits too long when it wakes */
	SIM_FINDINGS,
};

/* What a thread does. Times are drawn between half and twice the one given. */
struct sim_habit {
	uint32_t       weight;
	enum sim_class class;
	uint64_t       affinity;
	uint64_t       work_ticks;   /* then it sleeps or yields; SIM_NEVER: it never does */
	uint64_t       sleep_ticks;  /* 0: it yields instead */
	uint64_t       life_ticks;   /* of processor time, then it ends and another of the same habit arrives; SIM_NEVER */
	uint64_t       arrives_at;
};

struct sim_figures {
	double   lag_max, lag_min;         /* in slices, the longest of any of the threads */
	double   window_max;               /* how far from the share, of all windows in which nobody came or went */
	double   owed_max;                 /* what somebody should have had while it waited */
	uint64_t latency_max[SIM_CLASSES]; /* ticks from waking to running */
	double   latency_sum[SIM_CLASSES];
	uint64_t wakes[SIM_CLASSES];
	uint64_t switches, moves, steps;
	double   account_max;              /* ticks that queue and model differ */
};

struct sim_setup {
	uint32_t  processors;
	uint32_t  threads;
	uint64_t  ticks;                   /* how long */
	uint64_t  seed;
	bool      changes;                 /* weights, classes and affinities change now and then */
	double    window_limit;            /* SIM_SHARE: further from the share in a window in which nobody came or went */
	double    lag_limit;               /* and at any time */
	double    wait_limit;              /* SIM_STARVED: while it waits it should have had more than so many slices */
	uint64_t  latency_limit;           /* SIM_LATENCY; SIM_NEVER: not asked */
	struct sim_habit habits[SIM_THREADS_MAX];
};

/* Runs a workload to its end; false: a finding made going on useless. */
bool sim_run(const struct sim_setup *setup);

/* Since the start, of all runs. */
extern bool sim_found[SIM_FINDINGS];
extern struct sim_figures sim_figures;
/* Processor time of each thread in the last run. */
extern uint64_t sim_service[SIM_THREADS_MAX];

uint64_t sim_random(uint64_t *state);
uint64_t sim_below(uint64_t *state, uint64_t end);

#endif
