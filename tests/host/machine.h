/*
 * A machine for the kernel on the host: the seam kernel/arch/arch.h without a processor. The kernel above it is the
 * shipped one, every source of it but the start; a test plays the programs.
 *
 * There is one processor. The test decides what the running thread does: it writes to the thread's ring through
 * `ring->words`, enters with machine_enter, and afterwards whoever `machine_thread` names runs. User memory is not there at
 * all: a space is a list of mapped pages, and nothing ever looks through it. Time passes when the test says so, or to the next
 * deadline when every thread sleeps.
 */
#ifndef TESTS_HOST_MACHINE_H
#define TESTS_HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/object/process.h"
#include "kernel/ring/ring.h"

/* Makes memory, the root ledger and the tables of operations. Once. */
void machine_boot(uint64_t pages);

/* Called before a panic ends the program: says how to come there again. NULL: nobody. */
extern void (*machine_on_panic)(void);

/* A running process of the root ledger, with nothing in its table. Counted reference. */
struct process *machine_process(const char *name, const uint64_t limit[LEDGER_CLASSES]);
/* Enters a kernel object (the first reference stays whose it was) in the table of a process: the id. */
uint32_t machine_grant(struct process *process, struct object *object, const struct capnp_interface *interface);

/* --- The processor ------------------------------------------------------------------------------ */

/* Whose turn it is; NULL: nothing can run before an interrupt. */
struct thread *machine_thread(void);
/* The running thread enters the kernel. Every thread asleep: time goes on to the next deadline; without one, the test fails. */
void machine_enter(uint64_t flags, uint64_t min_complete, uint64_t deadline_ns);
void machine_exit(int64_t status);
/* An interrupt of the timer hits the running thread, if it is due. */
void machine_tick(void);
/* What cap_enter answered the thread when it last came back. */
int64_t machine_result(const struct thread *thread);

uint64_t machine_now_ns(void);
void machine_pass(uint64_t ns);

/* Takes ended processes apart until none is left. */
void machine_reap(void);

/* The direct way of calls (kernel/object/endpoint_fast.c) is not taken while this is set. */
extern bool machine_no_fast;
/* The kernel is on it: it says that an entry was taken when it has performed it, not before. */
extern bool machine_goes_directly;

/* What the kernel's random bytes come from: the same bytes after the same start. Not 0. */
extern uint64_t machine_random;
void __wrap_entropy_fill(void *bytes, size_t count);

/* Called when a lock is about to be let go, and when the kernel has performed the entries of a thread and chooses who is next.
 * NULL: nobody. They only look. */
extern void (*machine_on_unlock)(struct spinlock *lock);
extern void (*machine_on_leave)(void);

/* --- What there is ------------------------------------------------------------------------------ */

/* The kernel's own walk through all that it has: panics on a contradiction. */
void machine_check(void);

struct machine_usage {
	uint64_t ledger[LEDGER_CLASSES];      /* of the root */
	uint64_t free_pages;
	uint64_t blocks;                      /* slab objects and heap blocks; only where they are counted */
};
struct machine_usage machine_usage(void);

/* Blocks of slabs and heap that live: machine_heap.c counts them, the kernel's slabs answer 0. */
uint64_t machine_blocks(void);

#endif
