/*
 * Tests of the queues: against a model with random steps, at the edges of the indices, with a
 * peer that writes what it likes, and the promise that nobody sleeps for ever, by stepping two
 * sides in every order that matters.
 */
#include "queue/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/events.h"

#define ENTRIES 8u
#define STEPS   200000u
#define GUARD   0xa5

static _Alignas(64) uint8_t memory[1u << 16];
static struct queue_producer producer;
static struct queue_consumer consumer;
static uint64_t chance = 0x9e3779b97f4a7c15;

static uint32_t chance_below(uint32_t end)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return (uint32_t)(chance >> 32) % end;
}

static struct queue_descriptor numbered(uint32_t number)
{
	return (struct queue_descriptor){ number, ~number, number * 3, number ^ 0x55 };
}

static void check_number(const struct queue_descriptor *descriptor, uint32_t number)
{
	struct queue_descriptor expected = numbered(number);

	assert_memory_equal(descriptor, &expected, sizeof(expected));
}

/* Both sides at the same index, which may be any. */
static int begin_at(uint32_t index)
{
	memset(memory, 0, sizeof(memory));
	if (queue_producer_init(&producer, memory, ENTRIES) != STATUS_OK ||
			queue_consumer_init(&consumer, memory, ENTRIES) != STATUS_OK)
		return -1;
	producer.filled = producer.published = producer.freed = index;
	consumer.taken = consumer.freed = consumer.published = index;
	producer.shared->producer = (struct queue_line){ .index = index, .wake_at = index };
	producer.shared->consumer = (struct queue_line){ .index = index, .wake_at = index };
	memset(memory + queue_bytes(ENTRIES), GUARD, 64);
	return 0;
}

static int begin(void **state)
{
	return begin_at(0);
}

static int guarded(void **state)
{
	for (uint32_t i = 0; i < 64; i++)
		if (memory[queue_bytes(ENTRIES) + i] != GUARD)
			return -1;
	return 0;
}

static void only_powers_of_two_are_taken(void **state)
{
	static const uint32_t wrong[] = { 0, 3, 6, 12, QUEUE_ENTRIES_MAX * 2, UINT32_MAX };

	for (uint32_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(queue_producer_init(&producer, memory, wrong[i]), STATUS_INVALID_ARGUMENT);
		assert_int_equal(queue_consumer_init(&consumer, memory, wrong[i]), STATUS_INVALID_ARGUMENT);
	}
	assert_int_equal(queue_producer_init(&producer, memory + 8, 4), STATUS_INVALID_ARGUMENT);
	assert_int_equal(queue_bytes(1), 192);
	assert_int_equal(queue_bytes(8), 256);
}

/* What is filled is not seen before it is published, what is taken not reused before it is
 * freed. */
static void places_change_hands_when_told(void **state)
{
	struct queue_descriptor out, in = numbered(0);

	for (uint32_t i = 0; i < ENTRIES; i++) {
		in = numbered(i);
		assert_true(queue_fill(&producer, &in));
	}
	assert_false(queue_fill(&producer, &in));
	assert_false(queue_take(&consumer, &out));
	(void)!queue_publish(&producer);
	assert_int_equal(queue_available(&consumer, UINT32_MAX), ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i++) {
		assert_true(queue_take(&consumer, &out));
		check_number(&out, i);
	}
	assert_false(queue_take(&consumer, &out));
	assert_false(queue_fill(&producer, &in));
	(void)!queue_free(&consumer);
	assert_true(queue_fill(&producer, &in));
	assert_int_equal(producer.clamped + consumer.clamped, 0);
}

/* Every sleeper is signalled by the move that ends its reason to sleep, and only by that. */
static void a_sleeper_is_signalled_once(void **state)
{
	struct queue_descriptor item = numbered(1);

	assert_true(queue_await(&consumer, 1));
	assert_true(queue_fill(&producer, &item));
	assert_true(queue_publish(&producer));
	assert_true(queue_fill(&producer, &item));
	assert_false(queue_publish(&producer));
	assert_false(queue_publish(&producer)); /* nothing new */
	assert_false(queue_await(&consumer, 1));
	assert_false(queue_await(&consumer, 2));
	assert_true(queue_await(&consumer, 4)); /* wants two more */
	assert_true(queue_fill(&producer, &item));
	assert_false(queue_publish(&producer));
	assert_true(queue_fill(&producer, &item));
	assert_true(queue_publish(&producer));
	while (queue_fill(&producer, &item))
		continue;
	(void)!queue_publish(&producer);
	assert_true(queue_await_room(&producer, 3));
	assert_true(queue_take(&consumer, &item) && queue_take(&consumer, &item));
	assert_false(queue_free(&consumer));
	assert_true(queue_await_room(&producer, 3));
	assert_false(queue_await_room(&producer, 2));
	assert_true(queue_await_room(&producer, ENTRIES));
	while (queue_take(&consumer, &item))
		continue;
	assert_true(queue_free(&consumer));
	assert_false(queue_await_room(&producer, ENTRIES));
}

/* A model: two numbers that only rise. Both sides do what chance says; whoever found nothing
 * to do sleeps until it is signalled, and the two never sleep at once. */
static void random_use(uint32_t first)
{
	uint32_t filled = 0, published = 0, taken = 0, freed = 0;
	bool producer_sleeps = false, consumer_sleeps = false;

	assert_int_equal(begin_at(first), 0);
	for (uint32_t step = 0; step < STEPS; step++) {
		struct queue_descriptor item = numbered(filled);

		assert_false(producer_sleeps && consumer_sleeps);
		if (!producer_sleeps && chance_below(2)) {
			assert_int_equal(queue_fill(&producer, &item), filled - freed < ENTRIES);
			if (filled - freed < ENTRIES) {
				filled++;
			} else if (filled == published) {
				producer_sleeps = queue_await_room(&producer, 1 + chance_below(ENTRIES));
				assert_true(producer_sleeps || freed + ENTRIES > filled);
			}
			if (chance_below(3) == 0 || filled - freed == ENTRIES) {
				bool signal = queue_publish(&producer);

				published = filled;
				consumer_sleeps = consumer_sleeps && !signal;
			}
		}
		if (!consumer_sleeps && chance_below(2)) {
			assert_int_equal(queue_take(&consumer, &item), taken != published);
			if (taken != published)
				check_number(&item, taken++);
			else if (taken == freed)
				consumer_sleeps = queue_await(&consumer, 1);
			if (chance_below(3) == 0 || taken == published) {
				bool signal = queue_free(&consumer);

				freed = taken;
				producer_sleeps = producer_sleeps && !signal;
			}
		}
	}
	assert_true(filled > STEPS / 16);
	assert_int_equal(producer.clamped + consumer.clamped, 0);
}

static void random_use_agrees_with_a_model(void **state)
{
	random_use(0);
	random_use(UINT32_MAX - 1000); /* over the end of the indices */
}

/* Every index that a hostile peer may write: believed if it is possible, counted if not; the
 * queue goes on. */
static void wrong_indices_change_nothing(void **state)
{
	struct queue_descriptor item = numbered(7);
	uint32_t first = UINT32_MAX - 3;

	assert_int_equal(begin_at(first), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(queue_fill(&producer, &item));
	(void)!queue_publish(&producer);
	for (uint32_t step = 0; step < 100000; step++) {
		uint32_t index = step < 64 ? first - 32 + step : (uint32_t)chance_below(UINT32_MAX);
		uint32_t before = consumer.clamped;

		consumer.published = consumer.taken = consumer.freed = first;
		consumer.shared->producer.index = index;
		assert_int_equal(queue_available(&consumer, UINT32_MAX), index - first <= ENTRIES ? index - first : 0);
		assert_int_equal(consumer.clamped - before, index - first > ENTRIES);
		before = producer.clamped;
		producer.freed = first;
		producer.shared->consumer.index = index;
		assert_int_equal(queue_room(&producer, UINT32_MAX), ENTRIES - 3 + (index - first <= 3 ? index - first : 0));
		assert_int_equal(producer.clamped - before, index - first > 3);
	}
}

/* The peer writes anywhere in the shared memory between any two steps; both sides keep their
 * own invariants. */
static void a_scribbling_peer_is_survived(void **state)
{
	for (uint32_t step = 0; step < STEPS; step++) {
		struct queue_descriptor item = numbered(step);

		for (uint32_t i = chance_below(4); i > 0; i--) {
			uint32_t at = chance_below(4) ? chance_below(2) * 64 + chance_below(8) :
					chance_below((uint32_t)queue_bytes(ENTRIES));

			memory[at] = (uint8_t)chance_below(256);
		}
		switch (chance_below(6)) {
		case 0:
			(void)queue_fill(&producer, &item);
			break;
		case 1:
			(void)!queue_publish(&producer);
			break;
		case 2:
			(void)!queue_await_room(&producer, 1 + chance_below(ENTRIES));
			break;
		case 3:
			(void)queue_take(&consumer, &item);
			break;
		case 4:
			(void)!queue_free(&consumer);
			break;
		case 5:
			(void)!queue_await(&consumer, 1 + chance_below(ENTRIES));
			break;
		}
		assert_true(producer.filled - producer.freed <= ENTRIES);
		assert_true(producer.filled - producer.published <= producer.filled - producer.freed);
		assert_true(consumer.published - consumer.freed <= ENTRIES);
		assert_true(consumer.taken - consumer.freed <= consumer.published - consumer.freed);
	}
	assert_true(producer.clamped > 0 && consumer.clamped > 0);
}

/* --- Events ----------------------------------------------------------------------------------- */

#define SOURCES 40u

static struct event_producer teller;
static struct event_consumer reader;
static struct event_source sources[SOURCES];

static int events_begin(void **state)
{
	memset(memory, 0, sizeof(memory));
	memset(sources, 0, sizeof(sources));
	for (uint32_t i = 0; i < SOURCES; i++)
		sources[i].key = i;
	return event_producer_init(&teller, memory, SOURCES) == STATUS_OK &&
			event_consumer_init(&reader, memory, SOURCES) == STATUS_OK ? 0 : -1;
}

static void events_are_told_once_until_read(void **state)
{
	struct event event;

	assert_true(event_await(&reader));
	assert_true(event_tell(&teller, &sources[3], EVENT_READABLE));
	assert_false(event_tell(&teller, &sources[3], EVENT_READABLE));
	assert_false(event_tell(&teller, &sources[5], EVENT_CLOSED));
	assert_false(event_tell(&teller, &sources[3], EVENT_WRITABLE));
	assert_int_equal(teller.count, 3);
	assert_true(event_take(&reader, &event));
	assert_int_equal(event.key, 3);
	assert_int_equal(event.events, EVENT_READABLE);
	(void)!event_tell(&teller, &sources[3], EVENT_READABLE); /* the unread entry speaks for it too */
	assert_int_equal(teller.count, 3);
	assert_true(event_take(&reader, &event));
	assert_int_equal(event.key, 5);
	assert_true(event_take(&reader, &event));
	assert_int_equal(event.key, 3);
	assert_int_equal(event.events, EVENT_READABLE | EVENT_WRITABLE);
	assert_true(event_await(&reader));
}

/* Whatever was told of a source after its last event was read is told by an event that is
 * still to be read; and the queue never runs over, though its reader is slow. */
static void no_event_is_lost_and_the_queue_never_runs_over(void **state)
{
	uint32_t pending[SOURCES] = { 0 };

	for (uint32_t step = 0; step < STEPS; step++) {
		struct event event;

		if (chance_below(5) != 0) {
			uint32_t key = chance_below(SOURCES), events = 1u << chance_below(EVENT_KINDS);

			(void)!event_tell(&teller, &sources[key], events);
			pending[key] |= events;
		} else {
			for (uint32_t turn = step % 1000 == 0 ? 1000 : chance_below(3); turn > 0; turn--) {
				if (!event_take(&reader, &event))
					break;
				pending[event.key] &= ~event.events;
			}
		}
		assert_true(queue_available(&reader.queue, UINT32_MAX) <= SOURCES * EVENT_KINDS);
	}
	for (struct event event; event_take(&reader, &event);)
		pending[event.key] &= ~event.events;
	for (uint32_t i = 0; i < SOURCES; i++)
		assert_int_equal(pending[i], 0);
}

static void a_hostile_teller_cannot_keep_the_reader(void **state)
{
	struct event event;

	for (uint32_t step = 0; step < STEPS / 8; step++) {
		for (uint32_t i = 0; i < 4; i++)
			memory[chance_below((uint32_t)queue_bytes(events_entries(SOURCES)))] = (uint8_t)chance_below(256);
		teller.queue.shared->producer.index = reader.queue.taken + chance_below(events_entries(SOURCES) + 2);
		if (event_take(&reader, &event)) {
			assert_true(event.key < SOURCES);
			assert_true(event.events != 0 && event.events <= EVENT_ALL);
		}
	}
	assert_true(reader.strange > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_powers_of_two_are_taken),
		cmocka_unit_test_setup_teardown(places_change_hands_when_told, begin, guarded),
		cmocka_unit_test_setup_teardown(a_sleeper_is_signalled_once, begin, guarded),
		cmocka_unit_test_setup_teardown(random_use_agrees_with_a_model, begin, guarded),
		cmocka_unit_test_setup_teardown(wrong_indices_change_nothing, begin, guarded),
		cmocka_unit_test_setup_teardown(a_scribbling_peer_is_survived, begin, guarded),
		cmocka_unit_test_setup(events_are_told_once_until_read, events_begin),
		cmocka_unit_test_setup(no_event_is_lost_and_the_queue_never_runs_over, events_begin),
		cmocka_unit_test_setup(a_hostile_teller_cannot_keep_the_reader, events_begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
