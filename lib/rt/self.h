/*
 * What the runtime keeps for each thread: its ring, its transport, the reason of its last refusal. The ring's
 * header leads here (ring_self), so nothing of it is shared and nothing is locked. The first thread's is static
 * (start.c), the others' stand at the top of their stacks (thread.c).
 */
#ifndef LIB_RT_SELF_H
#define LIB_RT_SELF_H

#include "rt/ring.h"
#include "rt/transport.h"

struct thread;

struct thread_self {
	struct ring ring;
	struct ring_transport transport;
	struct thread *thread;          /* lib/rt/thread.h; NULL: the first */
	uint64_t detail;                /* see rt_detail */
	uint16_t park_question;         /* set aside, so that waiting for a lock never fails */
};

/* The calling thread's. */
static inline struct thread_self *thread_self(void)
{
	return container_of(ring_self(), struct thread_self, ring);
}

/* Takes over the calling thread's ring. */
void thread_self_init(struct thread_self *self, struct ring_header *header);

#endif
