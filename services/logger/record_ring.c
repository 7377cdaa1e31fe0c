/*
 * A ring of log records. See record_ring.h. Called by main.c of the logger alone.
 */
#include "services/logger/record_ring.h"

void record_ring_init(struct record_ring *ring, struct record *records, uint32_t capacity)
{
	ring->records = records;
	ring->capacity = capacity;
	ring->next = 0;
}

/* Bytes of the text to keep: the cut moves back over the continuation bytes of a character. */
static uint32_t text_cut(struct capnp_text text)
{
	uint32_t bytes = text.bytes;

	if (bytes <= RECORD_TEXT_BYTES_MAX)
		return bytes;
	bytes = RECORD_TEXT_BYTES_MAX;
	while (bytes > 0 && ((uint8_t)text.chars[bytes] & 0xc0) == 0x80)
		bytes--;
	return bytes;
}

void record_ring_add(struct record_ring *ring, uint64_t time_ns, enum log_level level,
		uint16_t source, struct capnp_text text)
{
	struct record *record = &ring->records[ring->next % ring->capacity];
	uint32_t bytes = text_cut(text);

	record->time_ns = time_ns;
	record->source = source;
	record->level = (uint8_t)level;
	record->text_bytes = (uint8_t)bytes;
	if (bytes > 0)
		__builtin_memcpy(record->text, text.chars, bytes);
	ring->next++;
}

uint64_t record_ring_oldest(const struct record_ring *ring)
{
	return ring->next > ring->capacity ? ring->next - ring->capacity : 0;
}

const struct record *record_ring_get(const struct record_ring *ring, uint64_t sequence)
{
	if (sequence >= ring->next || sequence < record_ring_oldest(ring))
		return NULL;
	return &ring->records[sequence % ring->capacity];
}
