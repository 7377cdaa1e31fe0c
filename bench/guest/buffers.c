/*
 * Rows of shared buffers: streams of which some are idle, in one process, since only the queues
 * are meant; and a mebibyte passed between two.
 */
#include "bench/guest/buffers.h"

#include "bench/guest/bench.h"
#include "queue/buffer.h"
#include "rt/capability.h"
#include "rt/program.h"

/* --- Idle streams
 * ------------------------------------------------------------------------------- */

#define STREAMS_MAX 1000u
#define CHUNKS      16u

static _Alignas(BUFFER_PAGE) uint8_t memory[640u << 10];
static struct buffer_outlet outlets[STREAMS_MAX];
static struct queue_consumer inlets[STREAMS_MAX];
static struct buffer_chunk chunks[CHUNKS];
static struct buffer_sender sender;
static struct buffer_receiver receiver;

static bool streams_open(uint32_t streams)
{
	struct buffer_layout layout = { streams, 4, CHUNKS, 64 };

	if (sender.layout.streams == streams)
		return true;
	for (uint32_t i = 0; i < sizeof(memory); i++)
		memory[i] = 0;
	return buffer_bytes(&layout) <= sizeof(memory) &&
			buffer_sender_init(&sender, memory, &layout, outlets, chunks) == STATUS_OK &&
			buffer_receiver_init(&receiver, memory, &layout, inlets) == STATUS_OK;
}

/* Takes what there is, as a receiver does that slept. */
static uint32_t streams_drain(void)
{
	struct buffer_view view;
	struct event event;
	uint32_t count = 0;

	while (buffer_next_event(&receiver, &event)) {
		do {
			while (buffer_receive(&receiver, event.key, &view)) {
				buffer_return(&receiver, &view);
				count++;
			}
		} while (!buffer_await_stream(&receiver, event.key));
	}
	(void)!buffer_flush(&receiver);
	(void)!buffer_await_event(&receiver);
	return count;
}

static bool rounds(uint32_t streams, uint32_t count)
{
	uint32_t passed = 0;

	if (!streams_open(streams))
		return false;
	for (uint32_t round = 0; round < count; round++) {
		bool signal = false;

		for (uint32_t i = 0; i < BUFFERS_ACTIVE; i++) {
			uint32_t stream = i * (streams / BUFFERS_ACTIVE), chunk = buffer_take(&sender);

			if (buffer_send(&sender, stream, chunk, 64, &signal) != STATUS_OK)
				return false;
		}
		passed += streams_drain();
	}
	return passed == count * BUFFERS_ACTIVE;
}

bool buffers_streams_10(uint32_t count)
{
	return rounds(10, count);
}

bool buffers_streams_1000(uint32_t count)
{
	return rounds(STREAMS_MAX, count);
}

/* --- A mebibyte between two processes
 * ----------------------------------------------------------- */

#define BULK_CHUNKS 16u
#define BULK_BYTES  65536u
#define PAGE_WORDS  512u

static const struct buffer_layout bulk_layout = { 1, BULK_CHUNKS, BULK_CHUNKS, BULK_BYTES };
static struct buffer_sender bulk_sender;
static struct buffer_outlet bulk_outlet;
static struct buffer_chunk bulk_chunks[BULK_CHUNKS];
static uint32_t bulk_ping, bulk_pong;

uint64_t buffers_bulk_bytes(void)
{
	return buffer_bytes(&bulk_layout);
}

bool buffers_bulk_open(void *shared, uint32_t ping, uint32_t pong)
{
	bulk_ping = ping;
	bulk_pong = pong;
	return buffer_sender_init(&bulk_sender, shared, &bulk_layout, &bulk_outlet, bulk_chunks) == STATUS_OK;
}

/* Marks each page of all chunks, sends them and waits until they have come back. */
bool buffers_bulk_mebibyte(uint32_t count)
{
	uint64_t mark = 0;

	while (count-- > 0) {
		bool signal = false;
		uint32_t chunk;

		while ((chunk = buffer_take(&bulk_sender)) != BUFFER_NONE) {
			uint64_t *words = (uint64_t *)(void *)buffer_chunk_bytes(&bulk_sender, chunk);

			for (uint32_t word = 0; word < BULK_BYTES / 8; word += PAGE_WORDS)
				words[word] = ++mark;
			if (buffer_send(&bulk_sender, 0, chunk, BULK_BYTES, &signal) != STATUS_OK)
				return false;
		}
		if (signal && rt_signal(bulk_ping, 1) != STATUS_OK)
			return false;
		if (buffer_await_chunks(&bulk_sender, BULK_CHUNKS) && rt_wait_bits(bulk_pong, 1, NULL) != STATUS_OK)
			return false;
	}
	return bulk_sender.strange == 0;
}

static bool chunk_rises(const struct buffer_view *view)
{
	const uint64_t *words = (const uint64_t *)(const void *)view->bytes;

	for (uint32_t word = PAGE_WORDS; word < view->count / 8; word += PAGE_WORDS) {
		if (words[word] != words[word - PAGE_WORDS] + 1)
			return false;
	}
	return true;
}

int buffers_bulk_receive(void *shared, uint32_t ping, uint32_t pong)
{
	static struct buffer_receiver bulk;
	static struct queue_consumer inlet;
	struct buffer_view view;
	struct event event;

	if (buffer_receiver_init(&bulk, shared, &bulk_layout, &inlet) != STATUS_OK)
		return 1;
	for (;;) {
		while (buffer_next_event(&bulk, &event)) {
			do {
				while (buffer_receive(&bulk, event.key, &view)) {
					if (!chunk_rises(&view))
						return 1;
					buffer_return(&bulk, &view);
				}
			} while (!buffer_await_stream(&bulk, event.key));
		}
		if (buffer_flush(&bulk) && rt_signal(pong, 1) != STATUS_OK)
			return 1;
		if (buffer_await_event(&bulk) && rt_wait_bits(ping, 1, NULL) != STATUS_OK)
			return 1;
	}
}
