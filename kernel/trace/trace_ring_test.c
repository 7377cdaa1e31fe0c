/*
 * The ring of trace records against a model that keeps everything: whatever is written, what can be read is the newest, whole
 * and in order, and the reader's count of what it lost is exact.
 */
#include "kernel/trace/trace_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WRITES_MAX  4000u
#define PAYLOAD_MAX 64u

static struct {
	struct trace_record record;
	uint64_t            payload[PAYLOAD_MAX + 8];
	uint32_t            words;
} model[WRITES_MAX];

static uint64_t seed;

static uint64_t chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t below(uint32_t end)
{
	return (uint32_t)((chance() >> 32) % end);
}

static void fill(void *bytes, size_t count)
{
	uint8_t *to = bytes;

	while (count-- > 0)
		*to++ = (uint8_t)(chance() >> 24);
}

static void write_one(struct trace_ring *ring, uint32_t number)
{
	fill(&model[number].record, sizeof(model[number].record));
	fill(model[number].payload, sizeof(model[number].payload));
	model[number].words = below(PAYLOAD_MAX + 8);
	model[number].record.words = (uint16_t)model[number].words;
	trace_ring_put(ring, &model[number].record, model[number].payload, model[number].words);
}

static void check_record(const struct trace_ring *ring, uint64_t number)
{
	const uint64_t *payload;
	const struct trace_record *record = trace_ring_get(ring, number, &payload);
	struct trace_record expected = model[number].record;

	expected.payload_words = (uint8_t)MIN(model[number].words, ring->payload_max);
	assert_non_null(record);
	assert_memory_equal(record, &expected, sizeof(expected));
	assert_memory_equal(payload, model[number].payload, expected.payload_words * 8ul);
}

static void check_all(const struct trace_ring *ring, uint32_t written)
{
	uint64_t oldest = trace_ring_oldest(ring);
	const uint64_t *payload;

	assert_int_equal(ring->written, written);
	assert_int_equal(written - oldest, MIN(written, ring->capacity));
	for (uint64_t number = 0; number < oldest; number++)
		assert_null(trace_ring_get(ring, number, &payload));
	for (uint64_t number = oldest; number < written; number++)
		check_record(ring, number);
	assert_null(trace_ring_get(ring, written, &payload));
	assert_null(trace_ring_get(ring, UINT64_MAX, &payload));
}

/* A reader that comes now and then: what it reads and what it lost is together all that was written. */
struct reader {
	uint64_t next, read, lost;
};

static void read_some(struct reader *reader, const struct trace_ring *ring, uint32_t max)
{
	uint64_t oldest = trace_ring_oldest(ring);
	const uint64_t *payload;

	if (reader->next < oldest) {
		reader->lost += oldest - reader->next;
		reader->next = oldest;
	}
	for (; max > 0 && trace_ring_get(ring, reader->next, &payload); max--) {
		check_record(ring, reader->next++);
		reader->read++;
	}
}

static void random_writes_and_readers(void **state)
{
	for (uint64_t round = 1; round <= 60; round++) {
		struct reader readers[2] = { { 0 } };
		struct trace_ring ring;
		uint32_t capacity, payload_max, writes, bytes;
		uint64_t *slots;

		seed = round * 0x9e3779b97f4a7c15ull;
		capacity = 1 + below(100);
		payload_max = below(2) ? 0 : below(PAYLOAD_MAX + 1);
		writes = below(WRITES_MAX);
		bytes = (uint32_t)(capacity * trace_ring_slot_bytes(payload_max));
		slots = malloc(bytes);     /* exactly: a write beyond is found by the sanitizer */
		trace_ring_init(&ring, slots, capacity, payload_max);
		check_all(&ring, 0);
		for (uint32_t number = 0; number < writes; number++) {
			write_one(&ring, number);
			if (below(20) == 0)
				read_some(&readers[0], &ring, below(capacity));
			if (below(300) == 0)
				read_some(&readers[1], &ring, UINT32_MAX);
			if (below(97) == 0)
				check_all(&ring, number + 1);
		}
		check_all(&ring, writes);
		for (uint32_t i = 0; i < 2; i++) {
			read_some(&readers[i], &ring, UINT32_MAX);
			assert_int_equal(readers[i].next, writes);
			assert_int_equal(readers[i].read + readers[i].lost, writes);
		}
		free(slots);
	}
}

static void numbers_pass_the_end_of_32_bits(void **state)
{
	static uint64_t slots[3 * 8];
	struct trace_record record = { .kind = 1 };
	struct trace_ring ring;
	const uint64_t *payload;

	trace_ring_init(&ring, slots, 3, 0);
	ring.written = UINT32_MAX - 1ull;
	for (uint64_t i = 0; i < 5; i++) {
		record.call = i;
		trace_ring_put(&ring, &record, NULL, 0);
	}
	assert_int_equal(trace_ring_oldest(&ring), UINT32_MAX + 1ull);
	assert_int_equal(trace_ring_get(&ring, UINT32_MAX + 3ull, &payload)->call, 4);
	assert_int_equal(trace_ring_get(&ring, UINT32_MAX + 1ull, &payload)->call, 2);
	assert_null(trace_ring_get(&ring, UINT32_MAX, &payload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_writes_and_readers),
		cmocka_unit_test(numbers_pass_the_end_of_32_bits),
	};

	return cmocka_run_group_tests_name("trace_ring", tests, NULL, NULL);
}
