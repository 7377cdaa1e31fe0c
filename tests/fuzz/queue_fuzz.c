/*
 * Any bytes as what two sides of a shared buffer do, and as what a third one writes over the
 * memory meanwhile: nobody leaves the memory, no chunk is handed out twice, and every step ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/buffer.h"

#define STREAMS 3u
#define CHUNKS  8u
#define BYTES   128u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct buffer_sender sender;
static struct buffer_receiver receiver;
static struct buffer_outlet outlets[STREAMS];
static struct buffer_chunk chunks[CHUNKS];
static struct queue_consumer inlets[STREAMS];
static bool held[CHUNKS]; /* taken by the sender's program */

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void send(uint32_t stream, uint32_t count)
{
	uint32_t chunk = buffer_take(&sender);
	bool signal;

	if (chunk == BUFFER_NONE)
		return;
	must(chunk < CHUNKS && !held[chunk]);
	memset(buffer_chunk_bytes(&sender, chunk), (int)count, BYTES);
	if (count % 5 == 0)
		held[chunk] = true; /* kept */
	else if (buffer_send(&sender, stream, chunk, count % (BYTES + 1), &signal) != STATUS_OK)
		buffer_put_back(&sender, chunk);
}

static void receive(uint32_t stream, bool keep)
{
	struct buffer_view view;
	uint8_t sum = 0;

	if (!buffer_receive(&receiver, stream, &view))
		return;
	must(view.count <= BYTES && (view.chunk < CHUNKS || (view.chunk == BUFFER_NONE && view.count == 0)));
	for (uint32_t i = 0; i < view.count; i++)
		sum = (uint8_t)(sum + view.bytes[i]);
	*(volatile uint8_t *)&sum = sum;
	if (!keep)
		buffer_return(&receiver, &view);
}

static void step(uint8_t *memory, uint32_t control, const uint8_t *what)
{
	uint32_t stream = what[1] % STREAMS;
	struct event event;

	switch (what[0] % 8) {
	case 0: send(stream, what[2]); break;
	case 1: receive(stream, what[2] & 1); break;
	case 2: (void)!buffer_flush(&receiver); break;
	case 3: (void)!buffer_await_stream(&receiver, stream); break;
	case 4:
		if (buffer_next_event(&receiver, &event))
			must(event.key < STREAMS && event.events != 0);
		break;
	case 5: (void)!buffer_await_chunks(&sender, 1 + what[2] % CHUNKS); break;
	default: memory[(what[0] / 8u * 65536u + what[1] * 256u + what[2]) % control] = what[3]; break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static const struct buffer_layout layout = { STREAMS, 4, CHUNKS, BYTES };
	uint64_t size = buffer_bytes(&layout);
	uint8_t *memory = aligned_alloc(BUFFER_PAGE, size);
	uint32_t lent = 0;

	must(memory != NULL);
	memset(memory, 0, size);
	memset(held, 0, sizeof(held));
	must(buffer_sender_init(&sender, memory, &layout, outlets, chunks) == STATUS_OK);
	must(buffer_receiver_init(&receiver, memory, &layout, inlets) == STATUS_OK);
	for (size_t at = 0; at + 4 <= count; at += 4)
		step(memory, (uint32_t)(sender.data - memory), bytes + at);
	for (uint32_t chunk = 0; chunk < CHUNKS; chunk++)
		lent += held[chunk] || chunks[chunk].sent;
	must(lent + sender.free_count == CHUNKS);
	free(memory);
	return 0;
}
