/*
 * Windows; see window.h. Uses buffer.c and events.c for what is in the memory, lib/rt for
 * everything else.
 * Always true: what an open function made is undone by its close function, also when opening
 * failed half-way.
 */
#include "queue/window.h"

#include <stdlib.h>

#include "capos/buffer.server.h"
#include "rt/capability.h"
#include "rt/program.h"

/* --- What all windows have -------------------------------------------------------------------- */

static status_t window_map(struct window *window, uint64_t bytes)
{
	uint64_t address = 0;
	status_t status = virtual_memory_map(window->authority.memory, memory_object_as_memory_view(window->memory), 0, bytes, 0,
			ACCESS_READ_WRITE, &address);

	if (status != STATUS_OK)
		return status;
	window->bytes = (uint8_t *)(uintptr_t)address;
	window->count = bytes;
	return STATUS_OK;
}

static status_t window_notify(struct window *window)
{
	uint32_t narrowed = 0;
	status_t status = object_factory_notification(window->authority.factory, &window->notification);

	if (status == STATUS_OK)
		status = rt_narrow(rt_id(window->notification.ref), SIGNAL_INTERFACE_ID, &narrowed);
	window->own_signal.ref = rt_ref(narrowed);
	return status;
}

static void window_begin(struct window *window, const struct window_authority *authority)
{
	struct client_ref none = rt_ref(0);

	*window = (struct window){ .authority = *authority, .memory = { none }, .notification = { none }, .own_signal = { none },
			.peer = { none } };
}

/* Memory of our own. */
static status_t window_make(struct window *window, const struct window_authority *authority, uint64_t bytes)
{
	status_t status;

	window_begin(window, authority);
	if (bytes == 0)
		return STATUS_INVALID_ARGUMENT;
	status = object_factory_memory(authority->factory, bytes, &window->memory);
	if (status == STATUS_OK)
		status = window_map(window, bytes);
	if (status == STATUS_OK)
		status = window_notify(window);
	return status;
}

/* Memory of the peer's, if it is as large as it must be. */
static status_t window_adopt(struct window *window, uint64_t bytes)
{
	uint64_t there = 0;
	status_t status = memory_view_info(memory_object_as_memory_view(window->memory), &there);

	if (status != STATUS_OK)
		return status;
	return bytes == 0 || there < bytes ? STATUS_FAILED : window_map(window, bytes);
}

static void window_end(struct window *window)
{
	if (window->bytes != NULL)
		(void)!virtual_memory_unmap(window->authority.memory, (uint64_t)(uintptr_t)window->bytes, window->count);
	client_release(window->memory.ref);
	client_release(window->own_signal.ref);
	client_release(window->notification.ref);
	client_release(window->peer.ref);
	window_begin(window, &window->authority);
}

void window_signal(struct window *window)
{
	/* A peer that cannot be signalled any more has gone, which is told otherwise. */
	if (!client_ref_is_null(window->peer.ref))
		(void)!rt_signal(rt_id(window->peer.ref), window->peer_bits);
}

status_t window_wait(struct window *window, uint64_t *bits)
{
	return rt_wait_bits(rt_id(window->notification.ref), UINT64_MAX, bits);
}

/* The peer of a window that is served: whose signal came with a call of attach. */
static status_t window_admit(struct window *window, struct call *call, struct capnp_cap wake, uint64_t bits)
{
	struct client_ref peer;

	if (!client_ref_is_null(window->peer.ref))
		return call_fail(call, STATUS_FAILED, "it has been attached to already");
	if (bits == 0)
		return call_fail(call, STATUS_INVALID_ARGUMENT, "no bits to be signalled by");
	peer = call_take(call, wake);
	if (client_ref_is_null(peer))
		return call_fail(call, STATUS_INVALID_ARGUMENT, "nothing to be signalled by");
	window->peer.ref = peer;
	window->peer_bits = bits;
	return STATUS_OK;
}

/* --- Sending ---------------------------------------------------------------------------------- */

static status_t sender_attach(void *self, struct call *call, struct shared_buffer_attach_params_reader in,
		struct shared_buffer_attach_results_builder *out)
{
	struct window_sender *sender = self;
	struct window *window = &sender->window;
	const struct buffer_layout *from = &sender->buffer.layout;
	struct buffer_layout_builder layout;
	status_t status = window_admit(window, call, shared_buffer_attach_params_get_wake(in),
			shared_buffer_attach_params_get_bits(in));

	if (status != STATUS_OK)
		return status;
	shared_buffer_attach_results_set_memory(*out, call_copy(call, window->memory.ref));
	shared_buffer_attach_results_set_wake(*out, call_copy(call, window->own_signal.ref));
	shared_buffer_attach_results_set_bits(*out, WINDOW_WORK);
	layout = shared_buffer_attach_results_init_layout(*out);
	buffer_layout_set_streams(layout, from->streams);
	buffer_layout_set_entries(layout, from->entries);
	buffer_layout_set_chunks(layout, from->chunks);
	buffer_layout_set_chunk_bytes(layout, from->chunk_bytes);
	/* The work begins when the answer has gone. */
	return rt_signal(rt_id(window->notification.ref), WINDOW_WORK);
}

static void sender_no_holders(void *self)
{
	struct window_sender *sender = self;

	sender->gone(sender);
}

static const struct shared_buffer_server sender_handlers = { .attach = sender_attach };
SERVER_CLASS(sender_class, shared_buffer, sender_handlers, sender_no_holders);

static void sender_woken(void *context, status_t status, uint64_t bits)
{
	struct window_sender *sender = context;

	if (status == STATUS_OK && !client_ref_is_null(sender->window.peer.ref))
		sender->work(sender);
}

status_t window_sender_open(struct window_sender *sender, struct loop *loop, const struct window_authority *authority,
		const struct buffer_layout *layout)
{
	status_t status = window_make(&sender->window, authority, buffer_bytes(layout));

	sender->outlets = NULL;
	sender->chunks = NULL;
	if (status != STATUS_OK)
		goto undo;
	sender->outlets = calloc(layout->streams, sizeof(*sender->outlets));
	sender->chunks = calloc(layout->chunks, sizeof(*sender->chunks));
	status = sender->outlets && sender->chunks ? buffer_sender_init(&sender->buffer, sender->window.bytes, layout,
			sender->outlets, sender->chunks) : STATUS_OVERLOADED;
	if (status == STATUS_OK)
		status = loop_watch_bits(loop, &sender->watch, rt_id(sender->window.notification.ref), WINDOW_WORK, sender_woken,
				sender);
	if (status == STATUS_OK)
		return STATUS_OK;
undo:
	window_sender_close(sender);
	return status;
}

void window_sender_close(struct window_sender *sender)
{
	loop_watch_stop(&sender->watch);
	window_end(&sender->window);
	free(sender->outlets);
	free(sender->chunks);
	sender->outlets = NULL;
	sender->chunks = NULL;
}

struct capnp_cap window_sender_give(struct window_sender *sender, struct call *call, status_t *status)
{
	return call_export(call, &sender->object, &sender_class, sender, status);
}

/* --- Telling ---------------------------------------------------------------------------------- */

static status_t teller_attach(void *self, struct call *call, struct event_queue_attach_params_reader in,
		struct event_queue_attach_results_builder *out)
{
	struct window_teller *teller = self;
	status_t status = window_admit(&teller->window, call, event_queue_attach_params_get_wake(in),
			event_queue_attach_params_get_bits(in));

	if (status != STATUS_OK)
		return status;
	event_queue_attach_results_set_memory(*out, call_copy(call, teller->window.memory.ref));
	event_queue_attach_results_set_sources(*out, teller->sources);
	return STATUS_OK;
}

static void teller_no_holders(void *self)
{
	struct window_teller *teller = self;

	teller->gone(teller);
}

static const struct event_queue_server teller_handlers = { .attach = teller_attach };
SERVER_CLASS(teller_class, event_queue, teller_handlers, teller_no_holders);

static uint64_t events_bytes(uint32_t sources)
{
	if (sources == 0 || sources > EVENT_SOURCES_MAX)
		return 0;
	return ALIGN_UP(queue_bytes(events_entries(sources)), (uint64_t)BUFFER_PAGE);
}

status_t window_teller_open(struct window_teller *teller, const struct window_authority *authority, uint32_t sources)
{
	status_t status = window_make(&teller->window, authority, events_bytes(sources));

	teller->sources = sources;
	if (status == STATUS_OK)
		status = event_producer_init(&teller->events, teller->window.bytes, sources);
	if (status != STATUS_OK)
		window_teller_close(teller);
	return status;
}

void window_teller_close(struct window_teller *teller)
{
	window_end(&teller->window);
}

struct capnp_cap window_teller_give(struct window_teller *teller, struct call *call, status_t *status)
{
	return call_export(call, &teller->object, &teller_class, teller, status);
}

/* --- Attaching -------------------------------------------------------------------------------- */

/* A notification that also hears of the end of what is attached to. */
static status_t attach_begin(struct window *window, const struct window_authority *authority, struct client_ref served,
		struct binding_ref *end)
{
	status_t status;

	window_begin(window, authority);
	end->ref = rt_ref(0);
	status = window_notify(window);
	if (status == STATUS_OK)
		status = signal_bind_end(window->own_signal, WINDOW_GONE, served, end);
	return status;
}

static status_t receiver_ask(struct window_receiver *receiver, struct shared_buffer_ref buffer, struct buffer_layout *layout)
{
	struct window *window = &receiver->window;
	struct shared_buffer_attach_call call = shared_buffer_attach_start(buffer, window->own_signal, WINDOW_WORK);
	status_t status = shared_buffer_attach_wait(&call);

	if (status == STATUS_OK) {
		struct shared_buffer_attach_results_reader results = shared_buffer_attach_results(&call);
		struct buffer_layout_reader from = shared_buffer_attach_results_get_layout(results);

		*layout = (struct buffer_layout){ buffer_layout_get_streams(from), buffer_layout_get_entries(from),
				buffer_layout_get_chunks(from), buffer_layout_get_chunk_bytes(from) };
		window->peer_bits = shared_buffer_attach_results_get_bits(results);
		status = shared_buffer_attach_take_memory(&call, &window->memory);
		if (status == STATUS_OK)
			status = shared_buffer_attach_take_wake(&call, &window->peer);
	}
	shared_buffer_attach_done(&call);
	return status;
}

status_t window_receiver_open(struct window_receiver *receiver, const struct window_authority *authority,
		struct shared_buffer_ref buffer)
{
	struct buffer_layout layout = { 0 };
	status_t status = attach_begin(&receiver->window, authority, buffer.ref, &receiver->end);

	receiver->inlets = NULL;
	if (status == STATUS_OK)
		status = receiver_ask(receiver, buffer, &layout);
	if (status == STATUS_OK)
		status = window_adopt(&receiver->window, buffer_bytes(&layout));
	if (status == STATUS_OK) {
		receiver->inlets = calloc(layout.streams, sizeof(*receiver->inlets));
		status = receiver->inlets ? buffer_receiver_init(&receiver->buffer, receiver->window.bytes, &layout,
				receiver->inlets) : STATUS_OVERLOADED;
	}
	if (status != STATUS_OK)
		window_receiver_close(receiver);
	return status;
}

void window_receiver_close(struct window_receiver *receiver)
{
	client_release(receiver->end.ref);
	receiver->end.ref = rt_ref(0);
	window_end(&receiver->window);
	free(receiver->inlets);
	receiver->inlets = NULL;
}

status_t window_reader_open(struct window_reader *reader, const struct window_authority *authority, struct event_queue_ref queue)
{
	uint32_t sources = 0;
	status_t status = attach_begin(&reader->window, authority, queue.ref, &reader->end);

	if (status == STATUS_OK)
		status = event_queue_attach(queue, reader->window.own_signal, WINDOW_WORK, &reader->window.memory, &sources);
	if (status == STATUS_OK)
		status = window_adopt(&reader->window, events_bytes(sources));
	if (status == STATUS_OK)
		status = event_consumer_init(&reader->events, reader->window.bytes, sources);
	if (status != STATUS_OK)
		window_reader_close(reader);
	return status;
}

void window_reader_close(struct window_reader *reader)
{
	client_release(reader->end.ref);
	reader->end.ref = rt_ref(0);
	window_end(&reader->window);
}
