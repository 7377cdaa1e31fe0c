/*
 * Shared buffers; see buffer.h. Made of queue.c and events.c; window.c adds memory and
 * notifications.
 * Always true: a chunk is free, or taken by the sender's program, or sent; only sent ones are
 * accepted back. The queue of returned chunks has a place for every chunk, and that of events for
 * every event, so neither side of an honest pair ever finds one full.
 */
#include "queue/buffer.h"

/* --- Layout ----------------------------------------------------------------------------------- */

struct places {
	uint64_t returns;
	uint64_t streams;
	uint64_t data;
	uint64_t end;
};

static uint32_t returns_entries(const struct buffer_layout *layout)
{
	uint32_t entries = 1;

	while (entries < layout->chunks)
		entries *= 2;
	return entries;
}

static bool layout_valid(const struct buffer_layout *layout)
{
	return layout->streams != 0 && layout->streams <= BUFFER_STREAMS_MAX && queue_entries_valid(layout->entries) &&
			layout->entries <= BUFFER_ENTRIES_MAX && layout->chunks != 0 && layout->chunks <= BUFFER_CHUNKS_MAX &&
			layout->chunk_bytes != 0 && layout->chunk_bytes % QUEUE_ALIGN == 0 &&
			layout->chunk_bytes <= BUFFER_CHUNK_MAX;
}

/* Where everything stands. The layout is valid, so no sum is near 2^64. */
static struct places places_of(const struct buffer_layout *layout)
{
	struct places places;

	places.returns = queue_bytes(events_entries(layout->streams));
	places.streams = places.returns + queue_bytes(returns_entries(layout));
	places.data = ALIGN_UP(places.streams + layout->streams * queue_bytes(layout->entries), (uint64_t)BUFFER_PAGE);
	places.end = ALIGN_UP(places.data + (uint64_t)layout->chunks * layout->chunk_bytes, (uint64_t)BUFFER_PAGE);
	return places;
}

uint64_t buffer_bytes(const struct buffer_layout *layout)
{
	uint64_t bytes = layout_valid(layout) ? places_of(layout).end : 0;

	return bytes <= UINT32_MAX ? bytes : 0;
}

/* --- The sender ------------------------------------------------------------------------------- */

status_t buffer_sender_init(struct buffer_sender *sender, void *memory, const struct buffer_layout *layout,
		struct buffer_outlet *outlets, struct buffer_chunk *chunks)
{
	uint8_t *bytes = memory;
	struct places places;
	status_t status;

	if (buffer_bytes(layout) == 0 || (uintptr_t)memory % BUFFER_PAGE != 0)
		return STATUS_INVALID_ARGUMENT;
	places = places_of(layout);
	*sender = (struct buffer_sender){ .layout = *layout, .data = bytes + places.data, .outlets = outlets, .chunks = chunks,
			.free = BUFFER_NONE };
	for (uint32_t chunk = layout->chunks; chunk > 0; chunk--)
		buffer_put_back(sender, chunk - 1);
	status = event_producer_init(&sender->events, memory, layout->streams);
	if (status == STATUS_OK)
		status = queue_consumer_init(&sender->returns, bytes + places.returns, returns_entries(layout));
	for (uint32_t i = 0; i < layout->streams && status == STATUS_OK; i++) {
		outlets[i].source = (struct event_source){ .key = i };
		status = queue_producer_init(&outlets[i].queue, bytes + places.streams + i * queue_bytes(layout->entries),
				layout->entries);
	}
	return status;
}

void buffer_put_back(struct buffer_sender *sender, uint32_t chunk)
{
	sender->chunks[chunk] = (struct buffer_chunk){ .next = sender->free };
	sender->free = chunk;
	sender->free_count++;
}

/* Takes back what the receiver has returned. At most as many as there are places: it cannot
 * keep the sender here. */
static void take_returns(struct buffer_sender *sender)
{
	struct queue_descriptor back;

	for (uint32_t tries = sender->returns.entries; tries > 0 && queue_take(&sender->returns, &back); tries--) {
		if (back.key < sender->layout.chunks && sender->chunks[back.key].sent)
			buffer_put_back(sender, back.key);
		else
			sender->strange++;
	}
	/* The receiver never sleeps for room there. */
	(void)!queue_free(&sender->returns);
}

uint32_t buffer_take(struct buffer_sender *sender)
{
	uint32_t chunk;

	if (sender->free == BUFFER_NONE)
		take_returns(sender);
	chunk = sender->free;
	if (chunk == BUFFER_NONE)
		return BUFFER_NONE;
	sender->free = sender->chunks[chunk].next;
	sender->free_count--;
	return chunk;
}

static status_t outlet_send(struct buffer_sender *sender, uint32_t stream, const struct queue_descriptor *descriptor, bool *signal)
{
	struct buffer_outlet *outlet = &sender->outlets[stream];

	if (!queue_fill(&outlet->queue, descriptor))
		return STATUS_OVERLOADED;
	if (queue_publish(&outlet->queue) && event_tell(&sender->events, &outlet->source, EVENT_READABLE))
		*signal = true;
	return STATUS_OK;
}

status_t buffer_send(struct buffer_sender *sender, uint32_t stream, uint32_t chunk, uint32_t bytes, bool *signal)
{
	struct queue_descriptor descriptor = { .offset = chunk, .bytes = bytes };
	status_t status;

	if (stream >= sender->layout.streams || chunk >= sender->layout.chunks || bytes > sender->layout.chunk_bytes)
		return STATUS_INVALID_ARGUMENT;
	sender->chunks[chunk].sent = true;
	status = outlet_send(sender, stream, &descriptor, signal);
	if (status != STATUS_OK)
		sender->chunks[chunk].sent = false;
	return status;
}

status_t buffer_end(struct buffer_sender *sender, uint32_t stream, bool *signal)
{
	struct queue_descriptor descriptor = { .flags = BUFFER_END };

	if (stream >= sender->layout.streams)
		return STATUS_INVALID_ARGUMENT;
	return outlet_send(sender, stream, &descriptor, signal);
}

bool buffer_await_chunks(struct buffer_sender *sender, uint32_t wanted)
{
	uint32_t before = sender->free_count;

	take_returns(sender);
	return sender->free_count == before && queue_await(&sender->returns, wanted);
}

/* --- The receiver ----------------------------------------------------------------------------- */

status_t buffer_receiver_init(struct buffer_receiver *receiver, void *memory, const struct buffer_layout *layout,
		struct queue_consumer *inlets)
{
	uint8_t *bytes = memory;
	struct places places;
	status_t status;

	if (buffer_bytes(layout) == 0 || (uintptr_t)memory % BUFFER_PAGE != 0)
		return STATUS_INVALID_ARGUMENT;
	places = places_of(layout);
	*receiver = (struct buffer_receiver){ .layout = *layout, .data = bytes + places.data, .inlets = inlets };
	status = event_consumer_init(&receiver->events, memory, layout->streams);
	if (status == STATUS_OK)
		status = queue_producer_init(&receiver->returns, bytes + places.returns, returns_entries(layout));
	for (uint32_t i = 0; i < layout->streams && status == STATUS_OK; i++)
		status = queue_consumer_init(&inlets[i], bytes + places.streams + i * queue_bytes(layout->entries),
				layout->entries);
	return status;
}

/* What a descriptor names; false if there is no such thing. */
static bool view_of(const struct buffer_receiver *receiver, const struct queue_descriptor *descriptor, struct buffer_view *view)
{
	const struct buffer_layout *layout = &receiver->layout;

	if (descriptor->flags == BUFFER_END) {
		*view = (struct buffer_view){ .chunk = BUFFER_NONE };
		return true;
	}
	if (descriptor->flags != 0 || descriptor->offset >= layout->chunks || descriptor->bytes > layout->chunk_bytes)
		return false;
	*view = (struct buffer_view){ receiver->data + (uint64_t)descriptor->offset * layout->chunk_bytes, descriptor->bytes,
			descriptor->offset };
	return true;
}

bool buffer_receive(struct buffer_receiver *receiver, uint32_t stream, struct buffer_view *view)
{
	struct queue_consumer *inlet = &receiver->inlets[stream];
	struct queue_descriptor descriptor;

	for (uint32_t tries = inlet->entries; tries > 0 && queue_take(inlet, &descriptor); tries--) {
		/* A sender that finds the queue full looks again after a chunk has come back,
		 * so it does not sleep for this. */
		(void)!queue_free(inlet);
		if (view_of(receiver, &descriptor, view))
			return true;
		receiver->strange++;
	}
	return false;
}

void buffer_return(struct buffer_receiver *receiver, const struct buffer_view *view)
{
	struct queue_descriptor back = { .key = view->chunk };

	/* Full only if the sender sent chunks twice: then it has itself to thank. */
	if (view->chunk != BUFFER_NONE && !queue_fill(&receiver->returns, &back))
		receiver->strange++;
}

bool buffer_flush(struct buffer_receiver *receiver)
{
	return queue_publish(&receiver->returns);
}

bool buffer_await_stream(struct buffer_receiver *receiver, uint32_t stream)
{
	return queue_await(&receiver->inlets[stream], 1);
}
