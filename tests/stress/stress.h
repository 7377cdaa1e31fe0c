/*
 * The stress of threads: what workers do until they are told to stop or are killed, and what the controller
 * (main.c) sees of them.
 */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include "rt/mutex.h"
#include "rt/thread.h"
#include "tests/guest/tap.h"
#include "tests/guest/world.h"

#define WORKERS       12u
#define RANGE_BYTES   0x100000ull
#define RANGES_BASE   0x600000000000ull

/* What a worker is for. Those before KIND_LOCKS may be killed at any time: they hold nothing that others need. */
enum kind { KIND_PARKS, KIND_CALLS, KIND_SERVES, KIND_MAPS, KIND_YIELDS, KIND_LOCKS, KINDS };

struct worker {
	struct thread *thread;          /* NULL: this place is free */
	enum kind kind;
	struct chance chance;
	uint64_t range;                 /* addresses of this place's own */
};

/* Shared by all; words are read and written atomically. */
struct stage {
	uint32_t endpoint, export;      /* capabilities */
	uint32_t object;                /* a MemoryObject of a few pages */
	uint32_t words[4];              /* what is parked for */
	uint32_t stop;
	struct mutex lock;
	struct condition turned;
	uint64_t pair[2];               /* under lock: equal outside */
	uint64_t done[KINDS];           /* how much of each was done */
	uint64_t wrong;                 /* what must not be was seen */
};
extern struct stage stage;

/* A worker's run, its place as argument. Answers 0. */
int64_t worker_run(void *argument);

#endif
