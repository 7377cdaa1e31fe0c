/*
 * The sending end of bulk transfers: one buffer at a time. It marks chunks where they are and
 * sends them; when all are with the receiver it sleeps until half of them have come back.
 */
#include "capos/kernel.capnp.h"
#include "programs/bulk/bulk.h"
#include "programs/bulk/bulk.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

#define CHUNKS_PER_MEBIBYTE (1048576u / BULK_CHUNK_BYTES)

static struct loop loop;
static struct server server;
static struct server_object bulk;
static struct window_authority authority;
static struct window_sender sender;
static bool in_use;
static bool stopped;                    /* all has been sent */
static struct bulk_order order;
static uint64_t chunk_total;
static uint64_t chunk_next;             /* chunks and then ends of streams, dealt to the streams in turn */

static void chunk_mark(uint32_t chunk, uint32_t stream, uint64_t page)
{
	uint64_t *words = (uint64_t *)(void *)buffer_chunk_bytes(&sender.buffer, chunk);
	uint32_t step = order.filled ? 1 : BULK_PAGE_WORDS;

	for (uint32_t word = 0; word < BULK_CHUNK_BYTES / 8; word += step)
		words[word] = bulk_mark(stream, page + word / BULK_PAGE_WORDS, word % BULK_PAGE_WORDS);
}

/* Sends the next chunk or end. False: it must wait until chunks have come back. */
static bool send_next(bool *signal)
{
	uint32_t stream = bulk_stream((uint32_t)(chunk_next % order.active), order.active, order.streams), chunk;

	if (chunk_next >= chunk_total)
		return buffer_end(&sender.buffer, bulk_stream((uint32_t)(chunk_next - chunk_total), order.active,
				order.streams), signal) == STATUS_OK;
	chunk = buffer_take(&sender.buffer);
	if (chunk == BUFFER_NONE)
		return false;
	chunk_mark(chunk, stream, chunk_next / order.active * BULK_CHUNK_PAGES);
	if (buffer_send(&sender.buffer, stream, chunk, BULK_CHUNK_BYTES, signal) == STATUS_OK)
		return true;
	buffer_put_back(&sender.buffer, chunk);
	return false;
}

static void work(struct window_sender *self)
{
	bool signal = false;

	while (!stopped) {
		if (send_next(&signal)) {
			stopped = ++chunk_next == chunk_total + order.active;
			continue;
		}
		if (signal)
			window_signal(&sender.window);
		signal = false;
		if (buffer_await_chunks(&sender.buffer, BULK_CHUNKS / 2))
			return;
	}
	if (signal)
		window_signal(&sender.window);
}

static void gone(struct window_sender *self)
{
	window_sender_close(&sender);
	in_use = false;
}

static status_t method_open(void *self, struct call *call, struct bulk_open_params_reader in, struct bulk_open_results_builder *out)
{
	struct buffer_layout layout = { bulk_open_params_get_streams(in), BULK_ENTRIES, BULK_CHUNKS, BULK_CHUNK_BYTES };
	uint32_t active = bulk_open_params_get_active(in);
	status_t status;

	if (in_use)
		return call_fail(call, STATUS_OVERLOADED, "there is one buffer at a time");
	if (active == 0 || active > layout.streams || buffer_bytes(&layout) == 0)
		return call_fail(call, STATUS_INVALID_ARGUMENT, "there is no such buffer");
	order = (struct bulk_order){ layout.streams, active, bulk_open_params_get_mebibytes(in), bulk_open_params_get_filled(in) };
	chunk_total = (uint64_t)order.mebibytes * CHUNKS_PER_MEBIBYTE;
	chunk_next = 0;
	stopped = false;
	sender.work = work;
	sender.gone = gone;
	status = window_sender_open(&sender, &loop, &authority, &layout);
	if (status != STATUS_OK)
		return status;
	bulk_open_results_set_buffer(*out, window_sender_give(&sender, call, &status));
	if (status != STATUS_OK)
		window_sender_close(&sender);
	in_use = status == STATUS_OK;
	return status;
}

static const struct bulk_server bulk_handlers = { .open = method_open };
SERVER_CLASS(bulk_class, bulk, bulk_handlers, NULL);

int main(int argc, char **argv)
{
	status_t status;

	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	loop_init(&loop);
	server_root(&server, &bulk, 0, &bulk_class, NULL);
	status = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (status == STATUS_OK)
		status = loop_run(&loop);
	return status == STATUS_OK ? 0 : 1;
}
