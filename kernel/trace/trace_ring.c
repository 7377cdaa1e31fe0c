/*
 * The ring of trace records; see trace_ring.h. Record n stands in slot n modulo capacity.
 * Always true: the records from oldest to written - 1 are whole.
 */
#include "kernel/trace/trace_ring.h"

#include "kernel/core/string.h"

static uint64_t *slot_of(const struct trace_ring *ring, uint64_t number)
{
	return ring->slots + number % ring->capacity * (trace_ring_slot_bytes(ring->payload_max) / 8);
}

void trace_ring_init(struct trace_ring *ring, uint64_t *slots, uint32_t capacity, uint32_t payload_max)
{
	*ring = (struct trace_ring){ .slots = slots, .capacity = capacity, .payload_max = payload_max };
}

void trace_ring_put(struct trace_ring *ring, const struct trace_record *record, const uint64_t *payload, uint32_t words)
{
	uint64_t *slot = slot_of(ring, ring->written);
	struct trace_record *to = (struct trace_record *)slot;

	*to = *record;
	to->payload_words = (uint8_t)MIN(words, ring->payload_max);
	if (to->payload_words)
		memcpy(to + 1, payload, to->payload_words * 8ul);
	ring->written++;
}

uint64_t trace_ring_oldest(const struct trace_ring *ring)
{
	return ring->written > ring->capacity ? ring->written - ring->capacity : 0;
}

const struct trace_record *trace_ring_get(const struct trace_ring *ring, uint64_t number, const uint64_t **payload)
{
	const struct trace_record *record;

	if (number >= ring->written || number < trace_ring_oldest(ring))
		return NULL;
	record = (const struct trace_record *)slot_of(ring, number);
	*payload = (const uint64_t *)(record + 1);
	return record;
}
