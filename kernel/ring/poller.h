/*
 * The poller of a ring: a processor that was leased for it (object/isolation_lease.c) takes the
 * ring's entries while it has no thread to run, so that the ring's thread submits without entering
 * the kernel.
 *
 * One processor at a time takes entries of a ring: the poller does so inside the kernel exclusive,
 * and the thread's own cap_enter goes on taking what it finds. What nobody has taken when polling
 * ends is therefore taken by the next cap_enter as ever; but the program may not know yet that one
 * is needed, so the ring is looked at once more (`ring.rest`).
 *
 * The ring's word `poller` says whether entries are seen without cap_enter. The program publishes,
 * then reads the word; here the word is changed, then the indices are read, with a full barrier
 * between on both sides: so at least one of the two sees the other. tests/models/nohz.pml goes
 * through every order.
 * Always true: the ring of a poller and the poller of a ring name each other, and the ring's thread
 * has not ended; the word is AWAKE if the ring has a poller that is not asleep, ASLEEP if it has one
 * that is, else NONE. The ring is touched only inside the kernel, shared or exclusive, so it is not
 * given back meanwhile.
 */
#ifndef KERNEL_RING_POLLER_H
#define KERNEL_RING_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/status.h"

struct cpu;
struct ring;

/*  x exclusive to write   p its processor's, inside the kernel; all else is read exclusive  */
struct poller {
	struct ring *ring;         /* x, NULL: nobody's */
	bool         is_asleep;    /* p to set, x to clear */
	bool         has_more;     /* p, there are entries that nothing keeps from being taken */
	uint32_t     seen_tail;    /* p, what was written when entries were last left in the queue: */
	uint32_t     seen_cq_head; /* nothing can be taken before one of the two changes */
	uint64_t     since_ticks;  /* p, nothing has come since */
	uint64_t     taking_ticks; /* spent with entries */
	uint64_t     entries;      /* taken, since the lease began */
	uint64_t     sleeps;
	uint64_t     wakes;        /* by cap_enter */
};

/* From now on the processor, which is leased for this, takes what comes into the ring, which nobody
 * polls. Exclusive. */
void poller_bind(struct cpu *cpu, struct ring *ring);
/* No more, if it does. Exclusive. */
void poller_unbind(struct cpu *cpu);
/* The ring's thread has ended: nobody takes anything of it any more. Exclusive. */
void poller_forget(struct ring *ring);
/* The ring's thread has entered by cap_enter with entries in the queue. Exclusive. */
void poller_wake(struct poller *poller);
/* What this processor does about its ring when it has nothing to run: looks, and takes what has
 * come; may change from shared to exclusive. Whether it is to sleep until an interrupt. */
bool poller_turn(struct cpu *cpu) MUST_USE;

#endif
