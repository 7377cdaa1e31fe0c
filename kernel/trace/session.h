/*
 * One trace: what it records, and the rings that it records to. The object around it, its memory and who pays are
 * kernel/object/tracer.c; trace.c writes to those that record.
 */
#ifndef KERNEL_TRACE_SESSION_H
#define KERNEL_TRACE_SESSION_H

#include "kernel/core/spinlock.h"
#include "kernel/object/process.h"
#include "kernel/sched/cpu.h"
#include "kernel/trace/trace_ring.h"

#define TRACE_ENDED_MAX 32u

struct trace_ended {
	uint32_t id;       /* 0: none */
	char     name[PROCESS_NAME_MAX];
};

/*  I fixed after creation   t under the lock of trace_lock  */
struct trace_session {
	uint32_t           kinds;                   /* I, as bits */
	bool               recording;               /* t */
	struct trace_ring  rings[PROCESSORS_MAX];   /* t, one a processor */
	struct trace_ended ended[TRACE_ENDED_MAX];  /* t, processes that ended, the newest over the oldest */
	uint32_t           ended_count;             /* t, since the start */
};

/* Guards what of all sessions changes. A leaf: events happen under nearly every lock. */
extern struct spinlock trace_lock;

/* Begins to record; false: as many as can record already do. */
bool trace_session_begin(struct trace_session *session) MUST_USE;
/* Records no more. Harmless when repeated. */
void trace_session_end(struct trace_session *session);

#endif
