/*
 * What the direct way (ring/direct.c) leaves to the general one. The ways into
 * the kernel themselves are declared in arch/arch.h.
 */
#ifndef KERNEL_CORE_ENTRY_H
#define KERNEL_CORE_ENTRY_H

#include <stdint.h>

struct arch_context;
struct ring;
struct thread;

/* What the running thread has in its header, as cap_enter with ENTER_SYNC performs it: the
 * context to leave with. */
struct arch_context *enter_generally(void);

/* The running thread goes on with this result of cap_enter, unless there are chores; among them is its own end. */
struct arch_context *enter_answer(struct thread *thread, int64_t result);

/* The SYNC entry of the running thread has been performed: answers its outcome, or sleeps until
 * its question is answered. The context to leave with. */
struct arch_context *enter_finish(struct ring *ring);

#endif
