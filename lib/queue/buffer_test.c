/*
 * Tests of shared buffers: what is sent arrives, chunks come back, idle streams cost nothing, and
 * peers that lie get no further than the data.
 */
#include "queue/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STREAMS 1000u
#define CHUNKS  64u
#define BYTES   256u
#define STEPS   100000u

static struct buffer_sender sender;
static struct buffer_receiver receiver;
static struct buffer_outlet outlets[STREAMS];
static struct buffer_chunk chunks[CHUNKS];
static struct queue_consumer inlets[STREAMS];
static uint8_t *memory;
static uint64_t memory_bytes;
static uint64_t chance = 88172645463325252ull;

static uint32_t chance_below(uint32_t end)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 32) % end;
}

static void open_buffer(uint32_t streams, uint32_t entries)
{
	struct buffer_layout layout = { streams, entries, CHUNKS, BYTES };

	memory_bytes = buffer_bytes(&layout);
	assert_true(memory_bytes != 0);
	memory = aligned_alloc(BUFFER_PAGE, memory_bytes);
	memset(memory, 0, memory_bytes);
	assert_int_equal(buffer_sender_init(&sender, memory, &layout, outlets, chunks), STATUS_OK);
	assert_int_equal(buffer_receiver_init(&receiver, memory, &layout, inlets), STATUS_OK);
}

static void close_buffer(void)
{
	free(memory);
	memory = NULL;
}

static void impossible_layouts_are_refused(void **state)
{
	static const struct buffer_layout wrong[] = {
		{ 0, 4, 4, 64 }, { 1, 0, 4, 64 }, { 1, 3, 4, 64 }, { 1, 4, 0, 64 }, { 1, 4, 4, 0 }, { 1, 4, 4, 65 },
		{ BUFFER_STREAMS_MAX + 1, 4, 4, 64 }, { 1, BUFFER_ENTRIES_MAX * 2, 4, 64 }, { 1, 4, BUFFER_CHUNKS_MAX + 1, 64 },
		{ 1, 4, 4, BUFFER_CHUNK_MAX + 64 }, { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
		{ 1, 4, BUFFER_CHUNKS_MAX, BUFFER_CHUNK_MAX },
	};
	static _Alignas(4096) uint8_t page[8192];
	struct buffer_layout right = { 1, 4, 4, 64 };

	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(buffer_bytes(&wrong[i]), 0);
		assert_int_equal(buffer_sender_init(&sender, page, &wrong[i], outlets, chunks), STATUS_INVALID_ARGUMENT);
		assert_int_equal(buffer_receiver_init(&receiver, page, &wrong[i], inlets), STATUS_INVALID_ARGUMENT);
	}
	assert_int_equal(buffer_bytes(&right), sizeof(page));
	assert_int_equal(buffer_sender_init(&sender, page + 64, &right, outlets, chunks), STATUS_INVALID_ARGUMENT);
}

/* All chunks go over and come back; what is read is what was written, at the same place. */
static void bytes_are_passed_without_copying(void **state)
{
	struct buffer_view view;
	bool signal = false;

	open_buffer(3, 64);
	assert_true(buffer_await_event(&receiver));
	for (uint32_t round = 0; round < 3; round++) {
		uint32_t sent = 0;

		for (uint32_t chunk; (chunk = buffer_take(&sender)) != BUFFER_NONE; sent++) {
			memset(buffer_chunk_bytes(&sender, chunk), (int)(round + sent), BYTES);
			assert_int_equal(buffer_send(&sender, round, chunk, sent % BYTES, &signal), STATUS_OK);
		}
		assert_int_equal(sent, CHUNKS);
		assert_true(buffer_await_chunks(&sender, CHUNKS));
		for (uint32_t i = 0; i < CHUNKS; i++) {
			assert_true(buffer_receive(&receiver, round, &view));
			assert_int_equal(view.count, i % BYTES);
			assert_ptr_equal(view.bytes, buffer_chunk_bytes(&sender, view.chunk));
			assert_int_equal(view.bytes[0], round + i);
			buffer_return(&receiver, &view);
		}
		assert_false(buffer_receive(&receiver, round, &view));
		assert_true(buffer_flush(&receiver));
		assert_false(buffer_flush(&receiver));
	}
	assert_true(signal);
	assert_int_equal(buffer_end(&sender, 1, &signal), STATUS_OK);
	assert_true(buffer_receive(&receiver, 1, &view));
	assert_int_equal(view.chunk, BUFFER_NONE);
	assert_int_equal(view.count, 0);
	buffer_return(&receiver, &view);
	assert_int_equal(sender.strange + receiver.strange, 0);
	close_buffer();
}

static void a_full_stream_is_refused_and_the_chunk_kept(void **state)
{
	struct buffer_view view;
	bool signal = false;
	uint32_t chunk;

	open_buffer(2, 2);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(buffer_send(&sender, 0, buffer_take(&sender), 1, &signal), STATUS_OK);
	chunk = buffer_take(&sender);
	assert_int_equal(buffer_send(&sender, 0, chunk, 1, &signal), STATUS_OVERLOADED);
	assert_int_equal(buffer_end(&sender, 0, &signal), STATUS_OVERLOADED);
	assert_int_equal(buffer_send(&sender, 2, chunk, 1, &signal), STATUS_INVALID_ARGUMENT);
	assert_int_equal(buffer_send(&sender, 1, chunk, BYTES + 1, &signal), STATUS_INVALID_ARGUMENT);
	assert_int_equal(buffer_send(&sender, 1, CHUNKS, 1, &signal), STATUS_INVALID_ARGUMENT);
	assert_true(buffer_await_chunks(&sender, 1));
	assert_true(buffer_receive(&receiver, 0, &view));
	buffer_return(&receiver, &view);
	assert_true(buffer_flush(&receiver));
	assert_false(buffer_await_chunks(&sender, 1)); /* one has come: look again */
	assert_int_equal(buffer_send(&sender, 0, chunk, 1, &signal), STATUS_OK);
	close_buffer();
}

/* --- Cost ------------------------------------------------------------------------------------- */

/* What each round of work is made of, at both ends. */
struct cost {
	uint64_t events;
	uint64_t looks;
	uint64_t signals;
	uint64_t chunks;
};

static void drain(struct cost *cost)
{
	struct buffer_view view;
	struct event event;

	while (buffer_next_event(&receiver, &event)) {
		cost->events++;
		do {
			cost->looks++;
			while (buffer_receive(&receiver, event.key, &view)) {
				cost->chunks++;
				buffer_return(&receiver, &view);
			}
		} while (!buffer_await_stream(&receiver, event.key));
	}
	cost->signals += buffer_flush(&receiver);
	assert_true(buffer_await_event(&receiver));
}

static struct cost cost_of(uint32_t streams, uint32_t active)
{
	struct cost cost = { 0 };

	open_buffer(streams, 4);
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < active; i++) {
			bool signal = false;

			assert_int_equal(buffer_send(&sender, i * (streams / active), buffer_take(&sender), 1, &signal),
					STATUS_OK);
			cost.signals += signal;
		}
		drain(&cost);
	}
	close_buffer();
	return cost;
}

static void idle_streams_cost_nothing(void **state)
{
	struct cost few = cost_of(10, 10), many = cost_of(STREAMS, 10);

	assert_memory_equal(&few, &many, sizeof(few));
	assert_int_equal(few.events, 500);
	assert_int_equal(few.looks, 500);
	assert_int_equal(few.chunks, 500);
}

/* --- Peers that lie --------------------------------------------------------------------------- */

static void returns_of_what_was_not_sent_are_counted(void **state)
{
	struct buffer_view view = { .chunk = 3 };
	uint32_t taken = 0;
	bool signal;

	open_buffer(1, 4);
	assert_int_equal(buffer_send(&sender, 0, buffer_take(&sender), 1, &signal), STATUS_OK);
	for (uint32_t i = 0; i < 2; i++) { /* one that is free, and then one twice */
		buffer_return(&receiver, &view);
		view.chunk = 0;
	}
	buffer_return(&receiver, &view);
	view.chunk = CHUNKS;
	buffer_return(&receiver, &view);
	(void)!buffer_flush(&receiver);
	while (buffer_take(&sender) != BUFFER_NONE)
		taken++;
	assert_int_equal(taken, CHUNKS); /* no chunk twice */
	assert_int_equal(sender.strange, 3);
	close_buffer();
}

static void check_view(const struct buffer_view *view)
{
	if (view->chunk == BUFFER_NONE) {
		assert_int_equal(view->count, 0);
		return;
	}
	assert_true(view->chunk < CHUNKS && view->count <= BYTES);
	assert_true(view->bytes >= sender.data && view->bytes + view->count <= memory + memory_bytes);
}

/* Somebody writes anywhere in the memory between any two steps of either side. */
static void scribbling_peers_are_survived(void **state)
{
	bool signal;

	open_buffer(5, 8);
	for (uint32_t step = 0; step < STEPS; step++) {
		struct buffer_view view;
		struct event event;
		uint32_t chunk;

		for (uint32_t i = chance_below(6); i > 0; i--)
			memory[chance_below((uint32_t)(sender.data - memory))] =
					(uint8_t)(chance_below(2) ? chance_below(9) : chance_below(256));
		switch (chance_below(5)) {
		case 0:
			chunk = buffer_take(&sender);
			if (chunk == BUFFER_NONE)
				break;
			assert_true(chunk < CHUNKS);
			if (buffer_send(&sender, chance_below(5), chunk, chance_below(BYTES), &signal) != STATUS_OK)
				buffer_put_back(&sender, chunk);
			break;
		case 1:
			if (buffer_receive(&receiver, chance_below(5), &view)) {
				check_view(&view);
				buffer_return(&receiver, &view);
			}
			break;
		case 2:
			(void)!buffer_flush(&receiver);
			(void)!buffer_await_chunks(&sender, 1);
			break;
		case 3:
			if (buffer_next_event(&receiver, &event))
				assert_true(event.key < 5);
			break;
		case 4:
			(void)!buffer_await_stream(&receiver, chance_below(5));
			(void)!buffer_await_event(&receiver);
			break;
		}
		assert_true(sender.free_count <= CHUNKS);
	}
	assert_true(sender.strange > 0 && receiver.strange > 0);
	close_buffer();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(impossible_layouts_are_refused),
		cmocka_unit_test(bytes_are_passed_without_copying),
		cmocka_unit_test(a_full_stream_is_refused_and_the_chunk_kept),
		cmocka_unit_test(idle_streams_cost_nothing),
		cmocka_unit_test(returns_of_what_was_not_sent_are_counted),
		cmocka_unit_test(scribbling_peers_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
