/*
 * Thread events: a thread is diverted to an entry of its program, by whoever holds its handle or
 * by a fault of its own, with all its registers in a record that the program resumes from by
 * itself.
 *
 * Entry, record, mask and pending bits stand in the thread's ring: the header's event* words name
 * them, and the record lies in the arena. So the kernel keeps nothing but that something is due,
 * writes no address of a program's, and whatever a program writes there is its own harm. A thread
 * whose mask is set is not diverted: bits stay pending, and a fault is its process' crash.
 */
#ifndef KERNEL_OBJECT_THREAD_EVENT_H
#define KERNEL_OBJECT_THREAD_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

struct event_fault {
	uint32_t kind;               /* enum crash_kind */
	uint32_t vector;
	uint64_t error_code;
	uint64_t address;
};

/* The bits are the thread's from now on: it is diverted before it runs its program again, and
 * what it sleeps for in cap_enter, or in a page that is missing, ends. False, and nothing has
 * happened: it has no entry. Exclusive. */
bool thread_event_send(struct thread *thread, uint64_t bits);

/* The thread, which is the running one or waits for a page, goes on at its entry; false: it has
 * none, or is masked. */
bool thread_event_fault(struct thread *thread, const struct event_fault *fault);

/* On its way to user mode, if something is due. Its registers are in its context. */
void thread_event_deliver(struct thread *thread);

#endif
