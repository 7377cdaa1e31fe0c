/*
 * The terminal service: byte streams become terminals. All that a terminal is lives in lib/term; this
 * file connects its state machine with a stream on one side and calls of sessions on the other.
 *
 * One terminal is there from the start, on the granted "stream"; a holder of the factory makes more. Input
 * is read with one call that is always under way. Output is collected while a call is handled and
 * written before it is answered, so whoever prints too fast waits for the line and not in our memory.
 */
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.client.h"
#include "capos/terminal.client.h"
#include "capos/terminal.server.h"
#include "rt/capability.h"
#include "rt/program.h"
#include "rt/server.h"
#include "term/terminal.h"

#define LINES_MAX 4
#define WRITE_BYTES 960
#define READ_BYTES 512
#define RETRY_NS UINT64_C(50000000)
#define PAUSE_NS UINT64_C(200000000)
#define RETRIES_MAX 200

struct line;

struct session {
	struct server_object object;
	struct line *line;
	uint32_t index;
};

enum line_state { LINE_FREE, LINE_OPEN, LINE_CLOSING };

struct line {
	enum line_state state;
	struct byte_stream_ref stream;
	struct terminal terminal;
	struct session session[TERMINAL_SESSIONS_MAX];
	struct byte_source_read_call reading;
	struct loop_timer retry;
	bool paused;			/* nothing is read from the stream until there is room; retry ends it too */
	uint32_t failures;		/* of reads, one after the other */
	char out[WRITE_BYTES];
	uint32_t out_bytes;
};

static struct loop loop;
static struct server server;
static struct server_object factory;
static struct line lines[LINES_MAX];

static void line_read(struct line *line);
static void line_resume(struct line *line);

/* --- Output ------------------------------------------------------------------------------------- */

/* Writes what was collected. A driver that was restarted meanwhile gets it again; bytes that cannot be
 * written are lost, as on any line. */
static void line_flush(struct line *line)
{
	struct byte_sink_ref sink = byte_stream_as_byte_sink(line->stream);
	struct capnp_data bytes = capnp_data_of(line->out, line->out_bytes);

	if (line->out_bytes == 0)
		return;
	if (byte_sink_write(sink, bytes) == STATUS_DISCONNECTED)
		(void)byte_sink_write(sink, bytes);
	line->out_bytes = 0;
}

static void on_output(void *arg, const char *bytes, uint32_t count)
{
	struct line *line = arg;

	while (count > 0) {
		uint32_t some = MIN(count, WRITE_BYTES - line->out_bytes);

		memcpy(line->out + line->out_bytes, bytes, some);
		line->out_bytes += some;
		bytes += some;
		count -= some;
		if (line->out_bytes == WRITE_BYTES)
			line_flush(line);
	}
}

/* --- Answers ------------------------------------------------------------------------------------ */

static struct call *call_of(terminal_waiter who)
{
	return (struct call *)(uintptr_t)who;
}

static terminal_waiter waiter_of(struct call *call)
{
	return (uintptr_t)call;
}

static void on_line(void *arg, terminal_waiter who, const char *text, uint32_t bytes,
		enum line_outcome outcome)
{
	struct terminal_session_read_line_results_builder out =
		terminal_session_read_line_results_init_root(call_results(call_of(who)));

	terminal_session_read_line_results_set_line(out, capnp_text_of(text, bytes));
	terminal_session_read_line_results_set_outcome(out, outcome);
	line_flush(arg);
	call_answer(call_of(who), STATUS_OK);
}

static void on_keys(void *arg, terminal_waiter who, const char *bytes, uint32_t count, bool end)
{
	struct terminal_session_read_keys_results_builder out =
		terminal_session_read_keys_results_init_root(call_results(call_of(who)));

	terminal_session_read_keys_results_set_bytes(out, capnp_data_of(bytes, count));
	terminal_session_read_keys_results_set_end(out, end);
	call_answer(call_of(who), STATUS_OK);
}

static void on_event(void *arg, terminal_waiter who, enum terminal_event event)
{
	struct terminal_session_next_event_results_builder out =
		terminal_session_next_event_results_init_root(call_results(call_of(who)));

	terminal_session_next_event_results_set_event(out, event);
	line_flush(arg);
	call_answer(call_of(who), STATUS_OK);
}

static const struct terminal_ops line_ops = { on_output, on_line, on_keys, on_event };

/* --- Calls of sessions -------------------------------------------------------------------------- */

static void on_cancel(struct call *call, void *context)
{
	struct line *line = context;

	terminal_cancel(&line->terminal, waiter_of(call));
	line_flush(line);
	call_answer(call, STATUS_FAILED);
}

static void wait_for_answer(struct call *call, struct line *line)
{
	call_on_cancel(call, on_cancel, line);
	call_defer(call);
}

static status_t busy(struct call *call)
{
	return call_fail(call, STATUS_FAILED, "this session is being read already");
}

static status_t session_write(void *self, struct call *call, struct console_write_params_reader in,
		struct console_write_results_builder *out)
{
	struct session *session = self;
	struct capnp_text text = console_write_params_get_text(in);

	terminal_print(&session->line->terminal, text.chars, text.bytes);
	line_flush(session->line);
	return STATUS_OK;
}

static status_t session_write_bytes(void *self, struct call *call,
		struct terminal_session_write_bytes_params_reader in,
		struct terminal_session_write_bytes_results_builder *out)
{
	struct session *session = self;
	struct capnp_data data = terminal_session_write_bytes_params_get_bytes(in);

	terminal_write(&session->line->terminal, (const char *)data.bytes, data.count,
			terminal_session_write_bytes_params_get_rows(in));
	line_flush(session->line);
	return STATUS_OK;
}

static bool is_reading(const struct session *session)
{
	return session->line->terminal.session[session->index].read != TERMINAL_READ_NONE;
}

static status_t session_read_line(void *self, struct call *call,
		struct terminal_session_read_line_params_reader in,
		struct terminal_session_read_line_results_builder *out)
{
	struct session *session = self;
	struct capnp_text prompt = terminal_session_read_line_params_get_prompt(in);

	if (is_reading(session))
		return busy(call);
	wait_for_answer(call, session->line);
	(void)terminal_read_line(&session->line->terminal, session->index, waiter_of(call), prompt.chars,
			prompt.bytes, terminal_session_read_line_params_get_hidden(in));
	line_flush(session->line);
	line_resume(session->line);
	return STATUS_OK;
}

static status_t session_read_keys(void *self, struct call *call,
		struct terminal_session_read_keys_params_reader in,
		struct terminal_session_read_keys_results_builder *out)
{
	struct session *session = self;

	if (is_reading(session))
		return busy(call);
	wait_for_answer(call, session->line);
	(void)terminal_read_keys(&session->line->terminal, session->index, waiter_of(call),
			terminal_session_read_keys_params_get_max(in),
			terminal_session_read_keys_params_get_control_keys(in));
	line_flush(session->line);
	line_resume(session->line);
	return STATUS_OK;
}

static status_t session_size(void *self, struct call *call, struct terminal_session_size_params_reader in,
		struct terminal_session_size_results_builder *out)
{
	struct session *session = self;

	terminal_session_size_results_set_columns(*out, (uint16_t)session->line->terminal.columns);
	terminal_session_size_results_set_rows(*out, (uint16_t)session->line->terminal.rows);
	return STATUS_OK;
}

static status_t session_set_size(void *self, struct call *call,
		struct terminal_session_set_size_params_reader in,
		struct terminal_session_set_size_results_builder *out)
{
	struct session *session = self;

	terminal_resize(&session->line->terminal, terminal_session_set_size_params_get_columns(in),
			terminal_session_set_size_params_get_rows(in));
	line_flush(session->line);
	return STATUS_OK;
}

static status_t session_next_event(void *self, struct call *call,
		struct terminal_session_next_event_params_reader in,
		struct terminal_session_next_event_results_builder *out)
{
	struct session *session = self;

	if (session->line->terminal.session[session->index].event_waiter)
		return busy(call);
	wait_for_answer(call, session->line);
	(void)terminal_next_event(&session->line->terminal, session->index, waiter_of(call));
	return STATUS_OK;
}

static status_t session_foreground(void *self, struct call *call,
		struct terminal_session_foreground_params_reader in,
		struct terminal_session_foreground_results_builder *out);

static const struct terminal_session_server session_handlers = {
	.console = { .write = session_write },
	.read_line = session_read_line,
	.read_keys = session_read_keys,
	.write_bytes = session_write_bytes,
	.size = session_size,
	.next_event = session_next_event,
	.foreground = session_foreground,
	.set_size = session_set_size,
};

static void session_on_no_holders(void *self);

SERVER_CLASS(session_class, terminal_session, session_handlers, session_on_no_holders);

static status_t session_foreground(void *self, struct call *call,
		struct terminal_session_foreground_params_reader in,
		struct terminal_session_foreground_results_builder *out)
{
	struct line *line = ((struct session *)self)->line;
	struct session *child;
	uint32_t index;
	status_t status;

	if (line->terminal.session[((struct session *)self)->index].cut)
		return call_fail(call, STATUS_FAILED, "the terminal was taken back from this session");
	if (!terminal_session_open(&line->terminal, &index))
		return call_fail(call, STATUS_OVERLOADED, "the terminal has no room for another session");
	child = &line->session[index];
	child->line = line;
	child->index = index;
	terminal_session_foreground_results_set_session(*out,
			call_export(call, &child->object, &session_class, child, &status));
	if (status != STATUS_OK)
		terminal_session_close(&line->terminal, index);
	line_flush(line);
	return status;
}

/* --- Lines -------------------------------------------------------------------------------------- */

static void retry_read(void *context)
{
	struct line *line = context;

	line->paused = false;
	line_read(line);
}

/* Somebody has read: a stream that was left alone for want of room is read again. */
static void line_resume(struct line *line)
{
	if (!line->paused || terminal_input_room(&line->terminal) < READ_BYTES)
		return;
	loop_timer_stop(&loop, &line->retry);
	retry_read(line);
}

/* Reads on. While the queue is full the stream waits, so that nothing pasted is lost; but not for long, as
 * Ctrl-C may be in it. */
static void line_continue(struct line *line)
{
	line->paused = terminal_input_room(&line->terminal) < READ_BYTES &&
			loop_after(&loop, &line->retry, PAUSE_NS, retry_read, line) == STATUS_OK;
	if (!line->paused)
		line_read(line);
}

static void line_end(struct line *line)
{
	client_release(line->stream.ref);
	line->stream = (struct byte_stream_ref){ { 0 } };
	line->state = LINE_FREE;
}

/* The answer of a read. A failed one is repeated for a while: the driver may be starting again. */
static void line_input(void *context, struct client_call *answer)
{
	struct line *line = context;
	struct byte_source_read_call call = { *answer };
	struct byte_source_read_results_reader in = byte_source_read_results(&call);
	struct capnp_data bytes = byte_source_read_results_get_bytes(in);
	bool end = byte_source_read_results_get_end(in);
	bool ok = call.call.status == STATUS_OK;

	if (line->state == LINE_CLOSING) {
		byte_source_read_done(&call);
		line_end(line);
		return;
	}
	line->failures = ok ? 0 : line->failures + 1;
	if (ok)
		terminal_input(&line->terminal, (const char *)bytes.bytes, bytes.count);
	byte_source_read_done(&call);
	line_flush(line);
	if (end || line->failures > RETRIES_MAX) {
		terminal_hang_up(&line->terminal);
		line->reading.call.question = CLIENT_NO_QUESTION;
	} else if (ok) {
		line_continue(line);
	} else if (loop_after(&loop, &line->retry, RETRY_NS, retry_read, line) != STATUS_OK) {
		terminal_hang_up(&line->terminal);
	}
}

static void line_read(struct line *line)
{
	line->reading = byte_source_read_start(byte_stream_as_byte_source(line->stream), READ_BYTES);
	byte_source_read_then(&line->reading, line_input, line);
}

static struct line *line_open(struct byte_stream_ref stream, uint32_t columns, uint32_t rows)
{
	for (uint32_t i = 0; i < LINES_MAX; i++) {
		struct line *line = &lines[i];

		if (line->state != LINE_FREE)
			continue;
		memset(line, 0, sizeof(*line));
		line->state = LINE_OPEN;
		line->stream = stream;
		line->session[0].line = line;
		terminal_init(&line->terminal, &line_ops, line, columns, rows);
		return line;
	}
	return NULL;
}

/* Nobody holds a session of this line any more. */
static void line_close(struct line *line)
{
	line->state = LINE_CLOSING;
	if (line->retry.armed || line->reading.call.question == CLIENT_NO_QUESTION) {
		loop_timer_stop(&loop, &line->retry);
		line_end(line);
		return;
	}
	client_cancel(&line->reading.call);
}

static bool has_sessions(const struct line *line)
{
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		if (line->terminal.session[i].open)
			return true;
	}
	return false;
}

static void session_on_no_holders(void *self)
{
	struct session *session = self;
	struct line *line = session->line;

	terminal_session_close(&line->terminal, session->index);
	line_flush(line);
	if (!has_sessions(line))
		line_close(line);
}

/* --- The factory -------------------------------------------------------------------------------- */

static status_t factory_open(void *self, struct call *call, struct terminal_factory_open_params_reader in,
		struct terminal_factory_open_results_builder *out)
{
	struct client_ref stream = call_take(call, terminal_factory_open_params_get_stream(in));
	struct line *line;
	status_t status;

	if (client_ref_is_null(stream))
		return call_fail(call, STATUS_INVALID_ARGUMENT, "a terminal needs a stream");
	line = line_open((struct byte_stream_ref){ stream }, terminal_factory_open_params_get_columns(in),
			terminal_factory_open_params_get_rows(in));
	if (!line) {
		client_release(stream);
		return call_fail(call, STATUS_OVERLOADED, "there is no room for another terminal");
	}
	terminal_factory_open_results_set_session(*out,
			call_export(call, &line->session[0].object, &session_class, &line->session[0], &status));
	if (status != STATUS_OK)
		line_end(line);
	else
		line_read(line);
	return status;
}

static const struct terminal_factory_server factory_handlers = { .open = factory_open };
SERVER_CLASS(factory_class, terminal_factory, factory_handlers, NULL);

int main(int argc, char **argv)
{
	struct byte_stream_ref stream = RT_GRANT(byte_stream, "stream");
	struct line *line = line_open(stream, 0, 0);

	loop_init(&loop);
	server_root(&server, &line->session[0].object, 0, &session_class, &line->session[0]);
	server_root(&server, &factory, 1, &factory_class, NULL);
	if (loop_serve(&loop, &server, rt_id(rt_grant("serve", ENDPOINT_INTERFACE_ID))) != STATUS_OK)
		return 1;
	if (client_ref_is_null(stream.ref))
		terminal_hang_up(&line->terminal);
	else
		line_read(line);
	return loop_run(&loop) == STATUS_OK ? 0 : 1;
}
