/*
 * Threads of a program, by the grants "threads" (ThreadSpawner) and "memory" (VirtualMemory). docs/threads.md says
 * what a thread is.
 *
 * Each thread has its own ring, and with it its own clients and event loops: a typed reference goes through the
 * ring of the thread that made it (rt_ref, RT_GRANT), so threads give each other the numbers of capabilities
 * (rt_id), not references. Servers, loops, timers and calls in service are used by one thread. The heap is everybody's.
 */
#ifndef LIB_RT_THREAD_H
#define LIB_RT_THREAD_H

#include <stdint.h>

#include "abi/compiler.h"
#include "abi/status.h"
#include "capnp/capnp.h"
#include "capos/kernel.capnp.h"

#define THREAD_STACK_BYTES 0x10000ull   /* where the request does not say */

struct thread;

struct thread_request {
	int64_t (*run)(void *argument);     /* its answer is the thread's exit status */
	void *argument;
	const char *name;                   /* for people, at most 31 characters; NULL: none */
	uint64_t stack_bytes;               /* 0: THREAD_STACK_BYTES */
	uint64_t tls_base;                  /* the FS base that it starts with */
};

/* Starts a thread with a stack that has an unmapped page below it. It is to be joined or detached. */
MUST_USE status_t thread_start(const struct thread_request *request, struct thread **thread);

struct thread_end {
	enum process_state state;           /* exited or killed */
	int64_t status;
};

/* Waits for its end and gives its memory back, or keeps it for the next threads (a few stacks of
 * THREAD_STACK_BYTES): the thread must not be used any more. STATUS_WOULD_DEADLOCK: it is the
 * caller itself, and nothing has happened. `end` may be NULL. */
MUST_USE status_t thread_join(struct thread *thread, struct thread_end *end);

/* Its end will not be waited for; its memory is given back when another thread starts after that. */
void thread_detach(struct thread *thread);

/* Ends it at once, wherever it is. It is still to be joined, or has been detached. */
MUST_USE status_t thread_kill(struct thread *thread, int64_t status);

/* Its ThreadHandle, borrowed. */
uint32_t thread_handle_of(const struct thread *thread);

/* Ends the calling thread; the process goes on as long as it has others. */
NORETURN void thread_exit(int64_t status);

/* The calling thread; NULL for the first one. */
struct thread *thread_current(void);

#endif
