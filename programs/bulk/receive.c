/*
 * The receiving end of a bulk transfer. Chunks are looked at where they are and returned; the
 * only thing this process keeps of them is a count.
 */
#include <stdlib.h>

#include "programs/bulk/bulk.h"

#define BURST 16u /* chunks of one stream before the next has its turn */

struct transfer {
	const struct bulk_order *order;
	struct bulk_report *report;
	struct window_receiver receiver;
	uint64_t *pages;                /* of each stream, received */
	uint32_t *again;                /* streams that had their turn and may have more: a ring */
	uint32_t again_first;
	uint32_t again_count;
	uint32_t ended;                 /* streams */
};

static uint64_t ticks_read(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static bool chunk_is_right(const struct transfer *transfer, uint32_t stream, const struct buffer_view *view, uint64_t page)
{
	const uint64_t *words = (const uint64_t *)(const void *)view->bytes;
	uint32_t step = transfer->order->filled ? 1 : BULK_PAGE_WORDS;

	if (view->count != BULK_CHUNK_BYTES)
		return false;
	for (uint32_t word = 0; word < BULK_CHUNK_BYTES / 8; word += step) {
		if (words[word] != bulk_mark(stream, page + word / BULK_PAGE_WORDS, word % BULK_PAGE_WORDS))
			return false;
	}
	return true;
}

/* Receives up to a burst of one stream. True: there may be more. */
static bool receive_some(struct transfer *transfer, uint32_t stream)
{
	struct buffer_receiver *buffer = &transfer->receiver.buffer;
	struct buffer_view view;

	transfer->report->looks++;
	for (uint32_t i = 0; i < BURST; i++) {
		if (!buffer_receive(buffer, stream, &view))
			return !buffer_await_stream(buffer, stream);
		if (view.chunk == BUFFER_NONE) {
			transfer->ended++;
		} else if (chunk_is_right(transfer, stream, &view, transfer->pages[stream])) {
			transfer->report->chunks++;
			transfer->pages[stream] += BULK_CHUNK_PAGES;
		} else {
			transfer->report->wrong++;
		}
		buffer_return(buffer, &view);
	}
	return true;
}

static void turn(struct transfer *transfer, uint32_t stream)
{
	if (receive_some(transfer, stream)) {
		transfer->again[(transfer->again_first + transfer->again_count) % transfer->order->streams] = stream;
		transfer->again_count++;
	}
}

/* Everything that there is now, streams in turn. A stream in the ring of those to be looked at
 * again asks for no event, so the ring never holds one twice; a sender that tells events
 * nobody asked for is looked at in vain. */
static void receive_all(struct transfer *transfer)
{
	struct event event;

	while (transfer->again_count < transfer->order->streams && buffer_next_event(&transfer->receiver.buffer, &event)) {
		transfer->report->events++;
		turn(transfer, event.key);
	}
	for (uint32_t count = transfer->again_count; count > 0; count--) {
		uint32_t stream = transfer->again[transfer->again_first];

		transfer->again_first = (transfer->again_first + 1) % transfer->order->streams;
		transfer->again_count--;
		turn(transfer, stream);
	}
	if (buffer_flush(&transfer->receiver.buffer)) {
		transfer->report->signals++;
		window_signal(&transfer->receiver.window);
	}
}

static status_t receive_until_ended(struct transfer *transfer)
{
	status_t status = STATUS_OK;

	for (receive_all(transfer); status == STATUS_OK && transfer->ended < transfer->order->active; receive_all(transfer)) {
		uint64_t bits = 0;

		if (transfer->again_count > 0 || !buffer_await_event(&transfer->receiver.buffer))
			continue;
		transfer->report->sleeps++;
		status = window_wait(&transfer->receiver.window, &bits);
		if (status == STATUS_OK && (bits & WINDOW_GONE))
			status = STATUS_DISCONNECTED;
	}
	return status;
}

static status_t transfer_run(struct transfer *transfer, const struct window_authority *authority, struct shared_buffer_ref buffer)
{
	uint64_t started = ticks_read();
	status_t status = window_receiver_open(&transfer->receiver, authority, buffer);

	if (status != STATUS_OK)
		return status;
	if (transfer->receiver.buffer.layout.streams == transfer->order->streams)
		status = receive_until_ended(transfer);
	else
		status = STATUS_FAILED;
	transfer->report->ticks = ticks_read() - started;
	window_receiver_close(&transfer->receiver);
	return status;
}

status_t bulk_receive(const struct window_authority *authority, struct bulk_ref source, const struct bulk_order *order,
		struct bulk_report *report)
{
	struct transfer transfer = { .order = order, .report = report };
	struct shared_buffer_ref buffer;
	status_t status = bulk_open(source, order->streams, order->active, order->mebibytes, order->filled, &buffer);

	*report = (struct bulk_report){ 0 };
	if (status != STATUS_OK)
		return status;
	transfer.pages = calloc(order->streams, sizeof(*transfer.pages));
	transfer.again = calloc(order->streams, sizeof(*transfer.again));
	status = transfer.pages && transfer.again ? transfer_run(&transfer, authority, buffer) : STATUS_OVERLOADED;
	free(transfer.pages);
	free(transfer.again);
	client_release(buffer.ref);
	return status;
}
