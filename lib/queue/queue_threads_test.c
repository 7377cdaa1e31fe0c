/*
 * Two threads at the two ends of a queue, under ThreadSanitizer: what is taken is what was
 * filled, in order; nobody sleeps for ever; and no access races with another. The notification is
 * a semaphore.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/events.h"
#include "queue/queue.h"

#define ENTRIES  16u
#define COUNT    300000u
#define SOURCES  50u
#define ROUNDS   2000u
#define PATIENCE 120u /* seconds until a sleep counts as for ever */

static _Alignas(64) uint8_t memory[1u << 16];
static sem_t wake_producer, wake_consumer;
static uint32_t wrong;

static void note_wrong(uint32_t count)
{
	(void)__atomic_fetch_add(&wrong, count, __ATOMIC_RELAXED);
}

static void sleep_on(sem_t *bits)
{
	while (sem_wait(bits) != 0)
		continue;
}

static void *produce(void *arg)
{
	struct queue_producer producer;
	uint32_t batch = 1;

	if (queue_producer_init(&producer, memory, ENTRIES) != STATUS_OK)
		return NULL;
	for (uint32_t i = 0; i < COUNT; i++) {
		struct queue_descriptor item = { i, i + 1, i + 2, i + 3 };

		while (!queue_fill(&producer, &item)) {
			if (queue_publish(&producer))
				sem_post(&wake_consumer);
			if (queue_await_room(&producer, 1 + i % ENTRIES))
				sleep_on(&wake_producer);
		}
		if (i % batch == 0) {
			batch = 1 + i * 7 % 5;
			if (queue_publish(&producer))
				sem_post(&wake_consumer);
		}
	}
	if (queue_publish(&producer))
		sem_post(&wake_consumer);
	note_wrong(producer.clamped);
	return NULL;
}

static void *consume(void *arg)
{
	struct queue_consumer consumer;
	struct queue_descriptor item;

	if (queue_consumer_init(&consumer, memory, ENTRIES) != STATUS_OK)
		return NULL;
	for (uint32_t i = 0; i < COUNT; i++) {
		while (!queue_take(&consumer, &item)) {
			if (queue_free(&consumer))
				sem_post(&wake_producer);
			if (queue_await(&consumer, 1))
				sleep_on(&wake_consumer);
		}
		if (item.offset != i || item.bytes != i + 1 || item.key != i + 2 || item.flags != i + 3)
			note_wrong(1);
		if (i % 3 == 0 && queue_free(&consumer))
			sem_post(&wake_producer);
	}
	note_wrong(consumer.clamped);
	return NULL;
}

static void run(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t threads[2];

	memset(memory, 0, sizeof(memory));
	sem_init(&wake_producer, 0, 0);
	sem_init(&wake_consumer, 0, 0);
	wrong = 0;
	alarm(PATIENCE);
	assert_int_equal(pthread_create(&threads[0], NULL, first, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, second, NULL), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	alarm(0);
	assert_int_equal(wrong, 0);
}

static void two_threads_pass_descriptors_in_order(void **state)
{
	run(produce, consume);
}

/* Each source is a number that the teller raises and then tells of; the reader looks at it
 * after each event of it. At the end the reader must have seen every source's last number. */
static uint32_t numbers[SOURCES];

static void *tell(void *arg)
{
	static struct event_source sources[SOURCES];
	struct event_producer teller;

	if (event_producer_init(&teller, memory, SOURCES) != STATUS_OK)
		return NULL;
	for (uint32_t i = 0; i < SOURCES * ROUNDS; i++) {
		uint32_t key = i * 31 % SOURCES;

		sources[key].key = key;
		__atomic_fetch_add(&numbers[key], 1, __ATOMIC_RELEASE);
		if (event_tell(&teller, &sources[key], EVENT_READABLE))
			sem_post(&wake_consumer);
	}
	return NULL;
}

static void *hear(void *arg)
{
	struct event_consumer reader;
	uint32_t finished = 0;
	bool seen[SOURCES] = { false };

	if (event_consumer_init(&reader, memory, SOURCES) != STATUS_OK)
		return NULL;
	while (finished < SOURCES) {
		struct event event;

		if (!event_take(&reader, &event)) {
			if (event_await(&reader))
				sleep_on(&wake_consumer);
			continue;
		}
		if (!seen[event.key] && __atomic_load_n(&numbers[event.key], __ATOMIC_ACQUIRE) == ROUNDS) {
			seen[event.key] = true;
			finished++;
		}
	}
	return NULL;
}

static void a_reader_of_events_sees_the_last_state_of_all(void **state)
{
	run(tell, hear);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_pass_descriptors_in_order),
		cmocka_unit_test(a_reader_of_events_sees_the_last_state_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
