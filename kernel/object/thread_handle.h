/*
 * ThreadHandle: the thread as a kernel object; and ThreadSpawner, a facet of the process.
 */
#ifndef KERNEL_OBJECT_THREAD_HANDLE_H
#define KERNEL_OBJECT_THREAD_HANDLE_H

#include "kernel/object/thread.h"

struct call;
struct question;

/* A class as the ABI counts them, where 0 is none. */
static inline enum latency_class latency_class(enum sched_class class)
{
	return (enum latency_class)(class + 1);
}

/* Answers a question that waited for the end (a join, or a death wait). */
void thread_answer_waiter(struct thread *thread, struct question *question);
void thread_destroy(struct object *object);    /* thread.c; its type's destroy */

/* A call of ThreadSpawner to its process. */
status_t thread_spawner_call(struct process *process, struct call *call, uint64_t interface_id, uint16_t method)
		MUST_USE;

#endif
