/*
 * Shared buffers and queues of events between processes: a gibibyte without copying, streams that
 * are idle, peers that scribble and peers that end. Prints TAP and powers off.
 */
#include <string.h>

#include "capos/kernel.client.h"
#include "programs/bulk/bulk.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "tests/guest/tap.h"
#include "tests/guest/world.h"
#include "tests/queue/queue_peer.client.h"

#define MEBIBYTES 1024u
#define CHUNKS_PER_MEBIBYTE (1048576u / BULK_CHUNK_BYTES)
#define DEADLINE_NS 20000000000ull

static struct window_authority authority;
static struct bulk_ref bulk;
static struct queue_peer_ref peer;
static struct timer_ref timer;

static void note_cost(const struct bulk_report *report)
{
	tap_note("%lu chunks, %lu events, %lu looks, %lu sleeps, %lu signals", (unsigned long)report->chunks,
			(unsigned long)report->events, (unsigned long)report->looks, (unsigned long)report->sleeps,
			(unsigned long)report->signals);
}

static void a_gibibyte_is_moved_through_four_mebibytes(void)
{
	struct bulk_order order = { .streams = 1, .active = 1, .mebibytes = MEBIBYTES };
	struct bulk_report report;

	REQUIRE_OK(bulk_receive(&authority, bulk, &order, &report));
	note_cost(&report);
	CHECK_EQUAL(report.chunks, MEBIBYTES * CHUNKS_PER_MEBIBYTE);
	CHECK_EQUAL(report.wrong, 0);
	/* Signals and sleeps are for batches, not for chunks. */
	CHECK(report.sleeps < report.chunks / 8);
	CHECK(report.signals < report.chunks / 8);
}

static void every_word_arrives(void)
{
	struct bulk_order order = { .streams = 7, .active = 7, .mebibytes = 32, .filled = true };
	struct bulk_report report;

	REQUIRE_OK(bulk_receive(&authority, bulk, &order, &report));
	CHECK_EQUAL(report.chunks, order.mebibytes * CHUNKS_PER_MEBIBYTE);
	CHECK_EQUAL(report.wrong, 0);
}

/* A few times a run the processor is taken from one end before it sleeps: then the other says so once more. */
#define SLICES 3u

/* On one processor both counts are the same. On several the ends run at a time, and how much one finds
 * when it looks is chance; 990 idle streams would still be a hundred times as much. */
#define SPREAD 8u

/* The same work at both ends, counted, whether 10 streams are there or 1000. */
static void idle_streams_cost_nothing(void)
{
	struct bulk_order order = { .streams = 10, .active = 10, .mebibytes = 64 };
	struct bulk_report few, many;

	REQUIRE_OK(bulk_receive(&authority, bulk, &order, &few));
	order.streams = 1000;
	REQUIRE_OK(bulk_receive(&authority, bulk, &order, &many));
	note_cost(&few);
	note_cost(&many);
	CHECK_EQUAL(many.chunks, order.mebibytes * CHUNKS_PER_MEBIBYTE);
	CHECK_EQUAL(many.wrong, 0);
	CHECK(many.events <= SPREAD * few.events);
	CHECK(many.looks <= SPREAD * few.looks);
	CHECK(many.sleeps <= SPREAD * few.sleeps + SLICES);
	CHECK(many.signals <= SPREAD * few.signals + SLICES);
}

static void a_buffer_has_one_receiver(void)
{
	struct window_receiver first, second;
	struct shared_buffer_ref buffer;
	struct bulk_report report;
	struct bulk_order order = { .streams = 1, .active = 1, .mebibytes = 1 };

	REQUIRE_OK(bulk_open(bulk, 1, 1, 1, false, &buffer));
	REQUIRE_OK(window_receiver_open(&first, &authority, buffer));
	CHECK_EQUAL(window_receiver_open(&second, &authority, buffer), STATUS_FAILED);
	CHECK_EQUAL(bulk_receive(&authority, bulk, &order, &report), STATUS_OVERLOADED);
	window_receiver_close(&first);
	client_release(buffer.ref);
}

/* A receiver that writes everywhere and goes; the sender serves the next one as if nothing had
 * been. */
static void a_hostile_receiver_leaves_the_sender_as_it_was(void)
{
	struct bulk_order order = { .streams = 4, .active = 4, .mebibytes = 8 };
	struct bulk_report report;

	for (uint32_t pattern = 0; pattern < 8; pattern++) {
		struct window_receiver receiver;
		struct shared_buffer_ref buffer;
		uint64_t bits;

		REQUIRE_OK(bulk_open(bulk, 4, 4, 8, false, &buffer));
		REQUIRE_OK(window_receiver_open(&receiver, &authority, buffer));
		CHECK_EQUAL(window_wait(&receiver.window, &bits), STATUS_OK);
		for (uint32_t round = 0; round < 16; round++) {
			uint32_t control = (uint32_t)(receiver.buffer.data - receiver.window.bytes);

			for (uint32_t i = 0; i < control; i++)
				receiver.window.bytes[i] = (uint8_t)(pattern < 2 ? pattern * 255 : i * pattern + round);
			window_signal(&receiver.window);
			rt_yield();
		}
		window_receiver_close(&receiver);
		client_release(buffer.ref);
	}
	REQUIRE_OK(bulk_receive(&authority, bulk, &order, &report));
	CHECK_EQUAL(report.chunks, order.mebibytes * CHUNKS_PER_MEBIBYTE);
	CHECK_EQUAL(report.wrong, 0);
}

/* --- Events ----------------------------------------------------------------------------------- */

/* In each round some sources are told of, and the reader, which sleeps, is woken and finds
 * those and no others. */
static status_t read_events(uint32_t sources, uint32_t active, uint32_t rounds)
{
	struct window_reader reader;
	struct event_queue_ref queue;
	status_t status = queue_peer_events(peer, sources, &queue);

	if (status != STATUS_OK)
		return status;
	status = window_reader_open(&reader, &authority, queue);
	for (uint32_t round = 0; status == STATUS_OK && round < rounds; round++) {
		struct event event;
		uint64_t bits = 0;

		CHECK(event_await(&reader.events));
		status = queue_peer_tell(peer, active, EVENT_READABLE | EVENT_OTHER);
		if (status == STATUS_OK)
			status = window_wait(&reader.window, &bits);
		CHECK_EQUAL(bits, WINDOW_WORK);
		for (uint32_t i = 0; i < active; i++) {
			CHECK(event_take(&reader.events, &event));
			CHECK_EQUAL(event.key, i * (sources / active));
			CHECK_EQUAL(event.events, EVENT_READABLE | EVENT_OTHER);
		}
		CHECK(!event_take(&reader.events, &event));
	}
	window_reader_close(&reader);
	client_release(queue.ref);
	return status;
}

static void events_of_a_thousand_sources_are_those_of_ten(void)
{
	REQUIRE_OK(read_events(10, 10, 20));
	REQUIRE_OK(read_events(1000, 10, 20));
	REQUIRE_OK(read_events(10000, 3, 2));
	CHECK_EQUAL(read_events(EVENT_SOURCES_MAX + 1, 3, 1), STATUS_INVALID_ARGUMENT);
	CHECK_EQUAL(read_events(0, 1, 1), STATUS_INVALID_ARGUMENT);
}

/* --- The scribbler ---------------------------------------------------------------------------- */

static void look_at_everything(struct window_receiver *receiver, uint64_t *views)
{
	const uint8_t *first = receiver->window.bytes, *end = first + receiver->window.count;
	struct event event;

	for (uint32_t i = 0; i < 100 && buffer_next_event(&receiver->buffer, &event); i++)
		CHECK(event.key < receiver->buffer.layout.streams);
	for (uint32_t stream = 0; stream < receiver->buffer.layout.streams; stream++) {
		struct buffer_view view;

		for (uint32_t i = 0; i < 100 && buffer_receive(&receiver->buffer, stream, &view); i++) {
			CHECK(view.chunk == BUFFER_NONE ? view.count == 0
							: view.bytes > first && view.bytes + view.count <= end);
			for (uint32_t at = 0; at < view.count; at += 64)
				(void)*(const volatile uint8_t *)&view.bytes[at];
			buffer_return(&receiver->buffer, &view);
			++*views;
		}
		(void)!buffer_await_stream(&receiver->buffer, stream);
	}
	window_flush(receiver);
	(void)!buffer_await_event(&receiver->buffer);
}

/* Its sender writes anywhere in the shared memory while it is used, and ends at last: which is
 * heard of. A deadline is bound to the same notification, in case it is not. */
static void a_scribbling_sender_is_survived(void)
{
	struct window_receiver receiver;
	struct shared_buffer_ref buffer;
	struct binding_ref deadline;
	uint64_t now_ns = 0, bits = 0, views = 0;

	REQUIRE_OK(queue_peer_evil(peer, 4711, 400, &buffer));
	REQUIRE_OK(window_receiver_open(&receiver, &authority, buffer));
	REQUIRE_OK(timer_now(timer, &now_ns));
	REQUIRE_OK(signal_bind_timer(receiver.window.own_signal, 4, timer, now_ns + DEADLINE_NS, 0, &deadline));
	while (!(bits & (WINDOW_GONE | 4))) {
		look_at_everything(&receiver, &views);
		CHECK_EQUAL(window_wait(&receiver.window, &bits), STATUS_OK);
	}
	CHECK(bits & WINDOW_GONE);
	tap_note("%lu views; %u descriptors were strange", (unsigned long)views, receiver.buffer.strange);
	CHECK(views > 0);
	CHECK(receiver.buffer.strange > 0);
	client_release(deadline.ref);
	window_receiver_close(&receiver);
	client_release(buffer.ref);
}

static const struct test tests[] = {
	{ "a gibibyte is moved through four mebibytes", a_gibibyte_is_moved_through_four_mebibytes },
	{ "every word arrives", every_word_arrives },
	{ "idle streams cost nothing", idle_streams_cost_nothing },
	{ "a buffer has one receiver", a_buffer_has_one_receiver },
	{ "a hostile receiver leaves the sender as it was", a_hostile_receiver_leaves_the_sender_as_it_was },
	{ "events of a thousand sources are those of ten", events_of_a_thousand_sources_are_those_of_ten },
	{ "a scribbling sender is survived", a_scribbling_sender_is_survived },
};

int main(int argc, char **argv)
{
	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	bulk = RT_GRANT(bulk, "bulk");
	peer = RT_GRANT(queue_peer, "peer");
	timer = RT_GRANT(timer, "timer");
	world.system = RT_GRANT(system_control, "system");
	tap_run(tests, ARRAY_LEN(tests), NULL, NULL);
	tap_end();
}
