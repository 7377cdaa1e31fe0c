/*
 * The logger's memory: a fixed number of records, of which the oldest gives way to the newest.
 *
 * Sequence numbers count every record ever added, so a reader that asks for one which is no longer
 * kept learns how many it missed. Always true: the records kept are those with sequence
 * record_ring_oldest() to `next` - 1, and record n stands at n modulo the capacity.
 */
#ifndef LOGGER_RECORD_RING_H
#define LOGGER_RECORD_RING_H

#include <stdint.h>

#include "capnp/capnp.h"
#include "capos/log.capnp.h"

#define RECORD_TEXT_BYTES_MAX 240u

struct record {
	uint64_t time_ns;
	uint16_t source; /* the logger's number for the holder of the sink */
	uint8_t level;   /* enum log_level */
	uint8_t text_bytes;
	char text[RECORD_TEXT_BYTES_MAX];
};

struct record_ring {
	struct record *records; /* the caller's, `capacity` of them */
	uint32_t capacity;
	uint64_t next; /* sequence of the record that comes next */
};

/* `capacity` must not be 0. */
void record_ring_init(struct record_ring *ring, struct record *records, uint32_t capacity);

/* Keeps a record; text beyond RECORD_TEXT_BYTES_MAX is cut, never inside a UTF-8 character. */
void record_ring_add(struct record_ring *ring, uint64_t time_ns, enum log_level level,
		uint16_t source, struct capnp_text text);

/* The sequence of the oldest record kept; `next` when there is none. */
uint64_t record_ring_oldest(const struct record_ring *ring);

/* The record with this sequence, until more are added; NULL when it is not kept. */
const struct record *record_ring_get(const struct record_ring *ring, uint64_t sequence);

#endif
