/*
 * A ring of trace records in memory of its owner's: the newest overwrite the oldest. Records are numbered from 0 in the order
 * of writing and read by number, so reading changes nothing and each reader finds out by itself what it missed.
 * Pure: who locks and who pays is the caller's business (kernel/trace/trace.c, kernel/object/tracer.c).
 */
#ifndef KERNEL_TRACE_TRACE_RING_H
#define KERNEL_TRACE_TRACE_RING_H

#include "abi/compiler.h"

/* One event; see TraceEvent in schema/capos/trace.capnp. The first words of its message follow it in the ring. */
struct trace_record {
	uint64_t time_ns;
	uint64_t call;
	uint64_t within;
	uint64_t interface;
	uint64_t detail;
	uint32_t process;
	uint32_t other;
	int32_t  status;
	uint16_t kind;
	uint16_t method;
	uint16_t words;            /* of the whole message */
	uint16_t question;
	uint8_t  capabilities;
	uint8_t  processor;
	uint8_t  payload_words;    /* kept of the message; set by trace_ring_put */
	uint8_t  reserved;
};
STATIC_ASSERT(sizeof(struct trace_record) == 64);

struct trace_ring {
	uint64_t *slots;
	uint32_t  capacity;        /* records */
	uint32_t  payload_max;     /* words of a message that each slot has room for */
	uint64_t  written;         /* since the start */
};

/* Bytes of one slot. */
static inline uint64_t trace_ring_slot_bytes(uint32_t payload_max)
{
	return sizeof(struct trace_record) + payload_max * 8ull;
}

/* `slots`: room for `capacity` slots, at least one. */
void trace_ring_init(struct trace_ring *ring, uint64_t *slots, uint32_t capacity, uint32_t payload_max);

/* Writes a record, over the oldest if the ring is full. `payload`: `words` of a message, of which as many are kept as fit. */
void trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const uint64_t *payload, uint32_t words);

/* The number of the oldest record that is still there; `written` if there is none. */
uint64_t trace_ring_oldest(const struct trace_ring *ring);

/* The record of that number and the words kept with it; NULL if it was overwritten or is not written yet. Until the next put. */
const struct trace_record *trace_ring_get(const struct trace_ring *ring, uint64_t number, const uint64_t **payload);

#endif
