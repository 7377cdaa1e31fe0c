/*
 * Where the kernel says what happens, for those who trace it. Each place calls one of the functions below; while nobody
 * traces that is one test of one word, and nothing else. What an event holds: schema/capos/trace.capnp.
 *
 * Calls are numbered while anybody traces: the number stands in the caller's question until the call ends and, from delivery
 * to answer, in the ring of the server's thread, so that what it calls meanwhile is known to be within it. Numbers rise;
 * one that is left over from a time of tracing before is below the first of this one and counts as none.
 */
#ifndef KERNEL_TRACE_TRACE_H
#define KERNEL_TRACE_TRACE_H

#include "capos/trace.capnp.h"
#include "kernel/ring/ring.h"

struct process;
struct thread;
struct transfer_item;

/* The kinds that somebody records, as bits; 0: nobody traces. Written by trace.c; a processor that sees it late is fine. */
extern uint32_t trace_kinds;

static inline bool trace_is_on(void)
{
	return unlikely(trace_kinds != 0);
}

void trace_record_call(struct question *call, const struct process *server) COLD;
void trace_record_refusal(struct ring *ring, const struct ring_entry *entry, status_t status) COLD;
void trace_record_delivery(const struct question *call, const struct ring_entry *entry, struct ring *from,
		struct ring *server) COLD;
void trace_record_answer(const struct question *call, struct ring *server, const uint64_t *message,
		const struct ring_completion *outcome) COLD;
void trace_record_completion(struct question *question, const struct ring_completion *outcome) COLD;
void trace_record_transfer(const struct question *call, uint32_t from, uint32_t to, uint64_t interface, bool moved) COLD;
void trace_record_transfers(const struct question *call, const struct ring *from, const struct ring *to,
		const struct transfer_item *items, uint32_t count) COLD;
void trace_record_switch(const struct thread *from, const struct thread *to) COLD;
void trace_record_fault(const struct thread *thread, uint32_t vector, uint64_t address) COLD;
void trace_record_process(const struct process *process, enum trace_kind kind) COLD;

/* A call (or what is no call: then nothing) has its question. `server`: who received last at its endpoint, or NULL. */
static inline void trace_call(struct question *call, const struct process *server)
{
	if (trace_is_on())
		trace_record_call(call, server);
}

/* A call ended before it had a question. */
static inline void trace_refusal(struct ring *ring, const struct ring_entry *entry, status_t status)
{
	if (trace_is_on())
		trace_record_refusal(ring, entry, status);
}

/* `entry`, `from`: the caller's, or those of who forwards the call. */
static inline void trace_delivery(const struct question *call, const struct ring_entry *entry, struct ring *from,
		struct ring *server)
{
	if (trace_is_on())
		trace_record_delivery(call, entry, from, server);
}

/* `server`: the ring of who answers; NULL: the kernel. The message may be in memory that a program can change. */
static inline void trace_answer(const struct question *call, struct ring *server, const uint64_t *message,
		const struct ring_completion *outcome)
{
	if (trace_is_on())
		trace_record_answer(call, server, message, outcome);
}

/* The question is about to be free. */
static inline void trace_completion(struct question *question, const struct ring_completion *outcome)
{
	if (trace_is_on())
		trace_record_completion(question, outcome);
}

/* Capabilities that are about to be delivered with a call or its answer. */
static inline void trace_transfers(const struct question *call, const struct ring *from, const struct ring *to,
		const struct transfer_item *items, uint32_t count)
{
	if (trace_is_on())
		trace_record_transfers(call, from, to, items, count);
}

/* The same of one between process ids; 0: the kernel. `interface`: the facet's own. */
static inline void trace_transfer(const struct question *call, uint32_t from, uint32_t to, uint64_t interface, bool moved)
{
	if (trace_is_on())
		trace_record_transfer(call, from, to, interface, moved);
}

/* The processor has another thread from now on; `from` NULL: it was idle or its thread ended. */
static inline void trace_switch(const struct thread *from, const struct thread *to)
{
	if (trace_is_on())
		trace_record_switch(from, to);
}

static inline void trace_fault(const struct thread *thread, uint32_t vector, uint64_t address)
{
	if (trace_is_on())
		trace_record_fault(thread, vector, address);
}

/* `kind`: process start or end. */
static inline void trace_process(const struct process *process, enum trace_kind kind)
{
	if (trace_is_on())
		trace_record_process(process, kind);
}

#endif
