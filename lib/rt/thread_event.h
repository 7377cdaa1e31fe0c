/*
 * Events of a thread: what happens to it when another thread diverts it (ThreadHandle.divert), or
 * when it makes a fault that nothing resolves. A handler of the program's runs in its place, on a
 * stack of its own, may look at and change the registers that it had, and returns: then the thread
 * goes on from those registers. docs/threads.md says what else.
 *
 * While the handler runs the thread is masked: bits that are sent meanwhile make it run again when
 * it returns, and a fault in it ends the process. It has come between any two instructions of the
 * thread's program, those of the runtime included. So it must not take locks that the thread may
 * hold, nor use the runtime's clients, heap or ring; it may use thread_event_enter.
 */
#ifndef LIB_RT_THREAD_EVENT_H
#define LIB_RT_THREAD_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "abi/status.h"
#include "capos/ring.capnp.h"
#include "rt/x86_64/event_registers.h"

#define THREAD_EVENT_STACK_MIN 4096u

/* Fixed while events are handled. */
struct thread_events {
	struct ring_header *header;         /* first: the entry reads it */
	/* `record`: kind and what belongs to it, and registers[EVENT_RIP] and so on. */
	void (*handle)(struct event_record *record, void *argument);
	void *argument;
	uint32_t record_off;
};

/* The calling thread's events are handled from now on, on a stack of at least
 * THREAD_EVENT_STACK_MIN bytes. STATUS_OVERLOADED: its arena has no room for the record.
 * STATUS_INVALID_ARGUMENT: the stack is too small. `handle` and `argument` have been set. */
MUST_USE status_t thread_events_begin(struct thread_events *events, void *stack, size_t stack_bytes);

/* No more; by the same thread, not in the handler. */
void thread_events_end(struct thread_events *events);

/* Performs one SYNC entry from within a handler, and answers its status: park, unpark and signal
 * above all. The thread's own entry and answer, which may be half written or half read, are
 * kept. */
status_t thread_event_enter(const struct ring_entry *entry);

#endif
