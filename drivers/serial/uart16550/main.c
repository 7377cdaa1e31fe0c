/*
 * The serial driver: a 16550 as a ByteStream. device.c knows the registers; this file connects it
 * to the interrupt and to the calls of clients.
 *
 * The interrupt line is waited for with one call that is always under way. When it answers, the
 * device is served until it has nothing more to say, the line is acknowledged, the device is served
 * once more, and callers who waited are answered. A `read` waits for bytes, a `write` for room; both
 * queues are answered in the order of the calls.
 */
#include <stdlib.h>
#include <string.h>

#include "capos/kernel.client.h"
#include "capos/log.client.h"
#include "capos/terminal.server.h"
#include "drivers/serial/uart16550/device.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"

#define READ_BYTES_MAX  1024u
#define WRITE_BYTES_MAX 1024u

/* A deferred call. For a read, `count` is what may be answered; for a write, bytes up to `count` are
 * still to be queued from `done` on. */
struct pending {
	struct pending *next;
	struct pending_list *list;
	struct call *call;
	uint32_t count;
	uint32_t done;
	uint8_t bytes[];
};

struct pending_list {
	struct pending *first;
	struct pending **last;
};

static struct loop loop;
static struct server server;
static struct server_object line;
static struct uart uart;
static struct interrupt_ref interrupt;
static struct log_sink_ref log;
static struct pending_list reads;
static struct pending_list writes;

static void say_done(void *arg, struct client_call *call)
{
	client_done(call);
}

/* Logs without waiting for it: a driver does not depend on the logger. */
static void say(const char *text)
{
	struct log_sink_write_call call =
			log_sink_write_start(log, LOG_LEVEL_INFO, capnp_text(text));

	log_sink_write_then(&call, say_done, NULL);
}

/* --- Calls that wait ---------------------------------------------------------------------------- */

static void pending_init(struct pending_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void pending_remove(struct pending *pending)
{
	struct pending_list *list = pending->list;
	struct pending **link = &list->first;

	while (*link != pending)
		link = &(*link)->next;
	*link = pending->next;
	if (list->last == &pending->next)
		list->last = link;
	free(pending);
}

static void pending_cancelled(struct call *call, void *context)
{
	pending_remove(context);
	call_answer(call, STATUS_FAILED);
}

/* Defers the call. `bytes` is what a write has left, NULL for a read. */
static status_t pending_add(
		struct pending_list *list, struct call *call, const uint8_t *bytes, uint32_t count)
{
	struct pending *pending = malloc(sizeof(*pending) + (bytes != NULL ? count : 0));

	if (pending == NULL)
		return STATUS_OVERLOADED;
	*pending = (struct pending){ .list = list, .call = call, .count = count };
	if (bytes != NULL)
		memcpy(pending->bytes, bytes, count);
	*list->last = pending;
	list->last = &pending->next;
	call_on_cancel(call, pending_cancelled, pending);
	call_defer(call);
	return STATUS_OK;
}

/* --- Reading ------------------------------------------------------------------------------------ */

static status_t read_into(
		struct call *call, struct byte_source_read_results_builder out, uint32_t max)
{
	uint8_t bytes[READ_BYTES_MAX];
	uint32_t count;
	status_t st = uart_take(&uart, bytes, MIN(max, READ_BYTES_MAX), &count);

	if (st == STATUS_OK)
		byte_source_read_results_set_bytes(out, capnp_data_of(bytes, count));
	return st;
}

static status_t line_read(void *self, struct call *call, struct byte_source_read_params_reader in,
		struct byte_source_read_results_builder *out)
{
	uint32_t max = byte_source_read_params_get_max(in);

	if (max == 0)
		return STATUS_INVALID_ARGUMENT;
	if (reads.first != NULL || byte_queue_count(&uart.received) == 0)
		return call_may_wait(call) ? pending_add(&reads, call, NULL, max) :
				STATUS_OVERLOADED;
	return read_into(call, *out, max);
}

static void reads_answer(void)
{
	while (reads.first != NULL && byte_queue_count(&uart.received) > 0) {
		struct call *call = reads.first->call;
		uint32_t max = reads.first->count;
		status_t st = read_into(
				call, byte_source_read_results_init_root(call_results(call)), max);

		pending_remove(reads.first);
		call_answer(call, st);
	}
}

/* --- Writing ------------------------------------------------------------------------------------ */

static status_t line_write(void *self, struct call *call, struct byte_sink_write_params_reader in,
		struct byte_sink_write_results_builder *out)
{
	struct capnp_data data = byte_sink_write_params_get_bytes(in);
	uint32_t taken = 0;
	status_t st = STATUS_OK;

	if (data.count > WRITE_BYTES_MAX)
		return STATUS_INVALID_ARGUMENT;
	if (writes.first == NULL)
		st = uart_send(&uart, data.bytes, data.count, &taken);
	if (st != STATUS_OK || taken == data.count)
		return st;
	return pending_add(&writes, call, data.bytes + taken, data.count - taken);
}

static void writes_answer(void)
{
	while (writes.first != NULL) {
		struct pending *pending = writes.first;
		struct call *call = pending->call;
		uint32_t taken = 0;
		status_t st = uart_send(&uart, pending->bytes + pending->done,
				pending->count - pending->done, &taken);

		pending->done += taken;
		if (st == STATUS_OK && pending->done < pending->count)
			return;
		(void)byte_sink_write_results_init_root(call_results(call));
		pending_remove(pending);
		call_answer(call, st);
	}
}

/* A line has no end. */
static status_t line_finish(void *self, struct call *call, struct byte_sink_finish_params_reader in,
		struct byte_sink_finish_results_builder *out)
{
	return STATUS_OK;
}

static const struct byte_stream_server line_handlers = {
	.byte_source = { .read = line_read },
	.byte_sink = { .write = line_write, .finish = line_finish },
};
SERVER_CLASS(line_class, byte_stream, line_handlers, NULL);

/* --- The interrupt ------------------------------------------------------------------------------ */

static void interrupt_arm(void);

/* Opens the line again. What the device had to say since it was last served raised its line while
 * that was masked; such an edge is lost, so the device is asked. */
static status_t interrupt_reopen(void)
{
	status_t st = interrupt_acknowledge(interrupt);

	return st == STATUS_OK ? uart_service(&uart) : st;
}

static void interrupt_arrived(void *arg, struct client_call *answer)
{
	struct interrupt_wait_call call = { *answer };
	status_t st = call.call.status;

	interrupt_wait_done(&call);
	if (st == STATUS_OK)
		st = uart_service(&uart);
	if (st == STATUS_OK)
		st = interrupt_reopen();
	if (st != STATUS_OK) {
		/* Without its device the driver is of no use; init decides whether to try again. */
		loop_stop(&loop, st);
		return;
	}
	reads_answer();
	writes_answer();
	interrupt_arm();
}

static void interrupt_arm(void)
{
	struct interrupt_wait_call call = interrupt_wait_start(interrupt);

	interrupt_wait_then(&call, interrupt_arrived, NULL);
}

int main(int argc, char **argv)
{
	status_t st;

	log = RT_GRANT(log_sink, "log");
	interrupt = RT_GRANT(interrupt, "interrupt");
	pending_init(&reads);
	pending_init(&writes);
	loop_init(&loop);
	server_root(&server, &line, 0, &line_class, NULL);
	/* The previous driver may have left an interrupt unacknowledged. */
	st = uart_init(&uart, RT_GRANT(io_ports, "ports"));
	if (st == STATUS_OK)
		st = interrupt_reopen();
	if (st == STATUS_OK)
		st = loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID)));
	if (st == STATUS_OK) {
		interrupt_arm();
		say("serial line ready, 115200 8N1");
		st = loop_run(&loop);
	}
	return st == STATUS_OK ? 0 : 1;
}
