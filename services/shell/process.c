/*
 * The shell as a process; see process.h.
 *
 * Waiting is one function, wait_for_something(): it runs the loop until a callback has noted that keys,
 * an event or an answer arrived. Keys are asked for only while a line is edited; at other times what is
 * typed stays with the terminal, and Ctrl-C comes as an event.
 */
#include "services/shell/process.h"

#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.client.h"
#include "capos/terminal.client.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/launch.h"
#include "rt/program.h"
#include "rt/reason.h"
#include "rt/server.h"

#define OUT_BYTES 960
#define KEYS_MAX 256
#define INTERRUPTED_STATUS 130
#define REFUSED_PAUSE_NS UINT64_C(50000000)
#define LOST_MAX 20

static struct loop loop;
static struct terminal_session_ref term;
static struct boot_package_ref package;
static struct launch_authority authority;
static struct schema schema;
static char out[OUT_BYTES];
static uint32_t out_bytes;
static const struct term_editor *edited;	/* whose line is on the screen; NULL: none */

/* What callbacks have noted. */
static struct {
	char keys[KEYS_MAX];
	uint32_t first;
	uint32_t count;
	bool reading;
	bool hung_up;
	bool interrupted;
	bool resized;
	bool redraw;
} heard;

/* --- Output ------------------------------------------------------------------------------------- */

/* rows: see TerminalSession.writeBytes. */
static void flush_out(uint32_t rows)
{
	if (out_bytes > 0 && !heard.hung_up)
		(void)terminal_session_write_bytes(term, capnp_data_of(out, out_bytes), (uint16_t)rows);
	out_bytes = 0;
}

void process_flush(void)
{
	flush_out(edited ? edited->shown_cursor.row : 0);
}

static void write_out(void *arg, const char *bytes, uint32_t count)
{
	while (count > 0) {
		uint32_t some = MIN(count, OUT_BYTES - out_bytes);

		memcpy(out + out_bytes, bytes, some);
		out_bytes += some;
		bytes += some;
		count -= some;
		if (out_bytes == OUT_BYTES)
			flush_out(0);
	}
}

void process_say(const char *text)
{
	write_out(NULL, text, (uint32_t)strlen(text));
}

/* --- Waiting ------------------------------------------------------------------------------------ */

static void listen(void);

/* Whether the terminal is still there. One that refuses is: somebody else reads the same session, or its
 * service has no room just now. One whose service starts again is too, and one that was given up is not.
 * A terminal that is asked again is asked after a pause. */
static bool is_there(status_t status)
{
	static uint32_t lost;	/* how often one after the other */

	if (status == STATUS_OK) {
		lost = 0;
		return true;
	}
	if (status == STATUS_DISCONNECTED ? ++lost > LOST_MAX :
			status != STATUS_FAILED && status != STATUS_OVERLOADED)
		return false;
	(void)timer_sleep(RT_GRANT(timer, "timer"), REFUSED_PAUSE_NS);
	return true;
}

static void wait_for_something(void)
{
	process_flush();
	loop_init(&loop);
	(void)loop_run(&loop);
}

static void on_event(void *arg, struct client_call *answer)
{
	struct terminal_session_next_event_call call = { *answer };
	enum terminal_event event =
		terminal_session_next_event_results_get_event(terminal_session_next_event_results(&call));
	status_t status = call.call.status;

	terminal_session_next_event_done(&call);
	loop_stop(&loop, STATUS_OK);
	if (!is_there(status))
		event = TERMINAL_EVENT_HANG_UP;
	switch (event) {
	case TERMINAL_EVENT_INTERRUPT: heard.interrupted = true; break;
	case TERMINAL_EVENT_RESIZE: heard.resized = true; break;
	case TERMINAL_EVENT_REDRAW: heard.redraw = true; break;
	case TERMINAL_EVENT_HANG_UP: heard.hung_up = true; return;
	case TERMINAL_EVENT_NONE:
	case TERMINAL_EVENT_SUSPEND: break;
	}
	listen();
}

static void listen(void)
{
	struct terminal_session_next_event_call call = terminal_session_next_event_start(term);

	terminal_session_next_event_then(&call, on_event, NULL);
}

static void on_keys(void *arg, struct client_call *answer)
{
	struct terminal_session_read_keys_call call = { *answer };
	struct terminal_session_read_keys_results_reader in = terminal_session_read_keys_results(&call);
	struct capnp_data bytes = terminal_session_read_keys_results_get_bytes(in);
	status_t status = call.call.status;

	heard.reading = false;
	heard.first = 0;
	heard.count = MIN(bytes.count, KEYS_MAX);
	memcpy(heard.keys, bytes.bytes, heard.count);
	if (terminal_session_read_keys_results_get_end(in) || !is_there(status))
		heard.hung_up = true;
	terminal_session_read_keys_done(&call);
	loop_stop(&loop, STATUS_OK);
}

static void read_keys(void)
{
	struct terminal_session_read_keys_call call = terminal_session_read_keys_start(term, KEYS_MAX, true);

	heard.reading = true;
	terminal_session_read_keys_then(&call, on_keys, NULL);
}

static void on_answer(void *arg, struct client_call *call)
{
	*(bool *)arg = true;
	loop_stop(&loop, STATUS_OK);
}

/* What was typed before an interrupt goes with it. */
static void forget_interrupt(void)
{
	if (heard.interrupted)
		heard.first = heard.count;
	heard.interrupted = false;
}

static status_t await(void *arg, struct client_call *call)
{
	bool answered = false;

	client_then(call, on_answer, &answered);
	while (!answered) {
		if (heard.interrupted || heard.hung_up)
			client_cancel(call);
		forget_interrupt();
		wait_for_something();
	}
	return client_wait(call);
}

static status_t await_process(void *arg, struct client_call *call, uint32_t process)
{
	struct process_handle_ref handle = { rt_ref(process) };
	bool answered = false;

	client_then(call, on_answer, &answered);
	while (!answered) {
		if (heard.interrupted || heard.hung_up)
			(void)process_handle_kill(handle, INTERRUPTED_STATUS);
		forget_interrupt();
		wait_for_something();
	}
	return client_wait(call);
}

bool process_is_alone(void)
{
	return heard.hung_up;
}

/* --- Editing a line ----------------------------------------------------------------------------- */

static void take_size(struct shell_process *p)
{
	uint16_t columns = 0;
	uint16_t rows = 0;

	if (terminal_session_size(term, &columns, &rows) == STATUS_OK && columns > 0)
		p->shell.columns = MAX(columns, (uint16_t)2);
	if (rows > 0)
		p->shell.rows = rows;
}

/* What happened to the terminal while a line is edited. */
static bool attend(struct shell_process *p)
{
	if (heard.resized) {
		take_size(p);
		term_editor_resize(&p->editor, p->shell.columns);
	} else if (heard.redraw) {
		/* Also right where the line was drawn after the other's text and before this was heard. */
		process_say("\r\x1b[J");
		term_editor_redraw(&p->editor);
	}
	heard.resized = false;
	heard.redraw = false;
	if (!heard.interrupted)
		return false;
	heard.interrupted = false;
	term_editor_interrupt(&p->editor);
	return true;
}

static enum term_edit edit(struct shell_process *p)
{
	for (;;) {
		struct term_key_event key;
		enum term_edit outcome;

		if (attend(p))
			return TERM_EDIT_INTERRUPT;
		if (heard.first == heard.count) {
			if (heard.hung_up)
				return TERM_EDIT_END;
			if (!heard.reading)
				read_keys();
			wait_for_something();
			continue;
		}
		if (!term_keys_feed(&p->keys, (uint8_t)heard.keys[heard.first++], &key))
			continue;
		outcome = term_editor_key(&p->editor, &key);
		if (outcome != TERM_EDIT_MORE)
			return outcome;
	}
}

enum term_edit process_line(struct shell_process *p, const char *prompt)
{
	enum term_edit outcome;

	heard.interrupted = false;
	heard.redraw = false;
	p->editor.columns = p->shell.columns;
	term_editor_start(&p->editor, prompt, (uint32_t)strlen(prompt), false);
	edited = &p->editor;
	outcome = edit(p);
	edited = NULL;
	return outcome;
}

/* --- Launching ---------------------------------------------------------------------------------- */

/* What a capability is to its new holder: the interface and each ancestor, and who descends from whom. */
static uint32_t rows_of(struct schema_node interface, struct launch_row *rows)
{
	struct schema_node nodes[LAUNCH_ROWS_MAX];
	uint32_t count = 0;

	if (schema_node_is_null(interface))
		return 0;
	nodes[count++] = interface;
	count += MIN(schema_ancestors(interface, nodes + 1, LAUNCH_ROWS_MAX - 1), LAUNCH_ROWS_MAX - 1);
	for (uint32_t i = 0; i < count; i++) {
		rows[i] = (struct launch_row){ schema_node_id(nodes[i]), (uint16_t)schema_method_count(nodes[i]), 0 };
		for (uint32_t other = 0; other < count; other++) {
			if (other != i && shell_interface_is(nodes[i], schema_node_id(nodes[other])))
				rows[i].ancestors = (uint16_t)(rows[i].ancestors | 1u << other);
		}
	}
	return count;
}

struct launch_room {
	struct launch_grant grants[SHELL_GRANTS_MAX];
	struct launch_row rows[SHELL_GRANTS_MAX][LAUNCH_ROWS_MAX];
	uint32_t owned[SHELL_GRANTS_MAX];	/* sessions made for the child; released after the launch */
	struct capnp_text args[SHELL_STRINGS_MAX + 1];
	struct launch_variable env[SHELL_STRINGS_MAX];
};

/* A terminal that goes to a foreground program is a session of its own, so that input comes back. */
static status_t foreground(const struct shell_launch_grant *grant, uint32_t *session)
{
	struct terminal_session_ref given = { rt_ref(grant->capability) };
	struct terminal_session_ref made = { { 0 } };
	struct terminal_session_foreground_call call = terminal_session_foreground_start(given);
	/* Whoever serves it may be anybody: Ctrl-C gets the person back. */
	status_t status = await(NULL, &call.call);

	if (status == STATUS_OK)
		status = terminal_session_foreground_take_session(&call, &made);
	terminal_session_foreground_done(&call);
	*session = rt_id(made.ref);
	return status;
}

static status_t fill_grants(const struct shell_launch_request *request, struct launch_room *room)
{
	for (uint32_t i = 0; i < request->grant_count; i++) {
		const struct shell_launch_grant *from = &request->grants[i];
		struct launch_grant *to = &room->grants[i];

		to->name = from->name;
		to->capability = from->capability;
		to->own_memory = from->own_memory;
		to->rows = room->rows[i];
		to->row_count = rows_of(from->interface, room->rows[i]);
		if (request->foreground && !schema_node_is_null(from->interface) &&
				shell_interface_is(from->interface, TERMINAL_SESSION_INTERFACE_ID)) {
			status_t status = foreground(from, &room->owned[i]);

			if (status != STATUS_OK)
				return status;
			to->capability = room->owned[i];
		}
	}
	return STATUS_OK;
}

static void fill_strings(const struct shell_launch_request *request, struct launch_room *room)
{
	room->args[0] = request->program;
	memcpy(room->args + 1, request->args, request->arg_count * sizeof(room->args[0]));
	for (uint32_t i = 0; i < request->env_count; i++)
		room->env[i] = (struct launch_variable){ request->env[i].name, request->env[i].value };
}

/* What could not be done, and why if the kernel refused it. */
static void explain_launch(const struct launch_result *result, status_t status, char *reason, uint32_t reason_bytes)
{
	char why[120];

	(void)reason_into(why, sizeof(why), status, rt_detail());
	format_into(reason, reason_bytes, result->step == LAUNCH_STEP_IMAGE ? "%s" : "%s: %s", launch_sentence(result),
			why);
}

static status_t launch_image(const struct shell_launch_request *request, const struct launch_file *file,
		uint32_t *process, char *reason, uint32_t reason_bytes)
{
	struct launch_room *room = calloc(1, sizeof(*room));
	struct launch_result result = { .step = LAUNCH_STEP_NONE };
	struct launch_request asked;
	status_t status;

	if (!room)
		return STATUS_OVERLOADED;
	fill_strings(request, room);
	status = fill_grants(request, room);
	asked = (struct launch_request){
		.image = file->bytes, .image_bytes = file->count, .image_view = file->view,
		.name = request->program,
		.args = room->args, .arg_count = request->arg_count + 1,
		.env = room->env, .env_count = request->env_count,
		.grants = room->grants, .grant_count = request->grant_count,
	};
	asked.name.bytes = MIN(asked.name.bytes, 31u);
	if (status == STATUS_OK) {
		status = launch(&authority, &asked, &result);
		if (status != STATUS_OK)
			explain_launch(&result, status, reason, reason_bytes);
	}
	for (uint32_t i = 0; i < request->grant_count; i++)
		rt_release(room->owned[i]);
	free(room);
	*process = rt_id(result.process.ref);
	return status;
}

/* Of what starting a program takes, what is not held: "`spawner`, `factory`". */
static bool launch_lacks(char *names, size_t bytes)
{
	const struct {
		const char *name;
		struct client_ref ref;
	} needed[] = {
		{ "package", package.ref }, { "spawner", authority.spawner.ref }, { "factory",
		  authority.factory.ref },
		{ "memory", authority.memory.ref },
	};
	size_t used = 0;

	for (uint32_t i = 0; i < ARRAY_LEN(needed); i++) {
		if (client_ref_is_null(needed[i].ref))
			used += format_into(names + used, bytes - used, "%s`%s`", used ? ", " : "",
					needed[i].name);
	}
	return used > 0;
}

static status_t launch_program(void *arg, const struct shell_launch_request *request, uint32_t *process,
		char *reason, uint32_t reason_bytes)
{
	struct launch_file file = { 0 };
	char name[64], missing[64];
	status_t status;

	format_into(name, sizeof(name), "%s%.*s", memchr(request->program.chars, '/', request->program.bytes) ?
			"" : "bin/", (int)request->program.bytes, request->program.chars);
	if (launch_lacks(missing, sizeof(missing))) {
		format_into(reason, reason_bytes, "starting programs needs %s, too", missing);
		return STATUS_FAILED;
	}
	status = launch_file_open(package, authority.memory, capnp_text(name), &file);
	if (status == STATUS_OK && !file.bytes) {
		format_into(reason, reason_bytes, "there is no such program");
		return STATUS_FAILED;
	}
	if (status != STATUS_OK)
		return status;
	status = launch_image(request, &file, process, reason, reason_bytes);
	launch_file_close(authority.memory, &file);
	return status;
}

static void list_programs(void *arg, struct term_candidates *candidates)
{
	uint32_t start = 0;
	uint32_t total = 1;

	while (start < total) {
		struct boot_package_list_call call = boot_package_list_start(package, start);
		struct boot_package_list_results_reader in;
		struct capnp_list files;

		if (boot_package_list_wait(&call) != STATUS_OK) {
			boot_package_list_done(&call);
			return;
		}
		in = boot_package_list_results(&call);
		total = boot_package_list_results_get_total(in);
		files = boot_package_list_results_get_files(in);
		for (uint32_t i = 0; i < files.count; i++) {
			struct capnp_text name = boot_file_get_name(boot_file_at(files, i));

			if (name.bytes > 4 && memcmp(name.chars, "bin/", 4) == 0)
				term_candidates_add(candidates, name.chars + 4, name.bytes - 4, " ");
		}
		start = files.count > 0 ? start + files.count : total;
		boot_package_list_done(&call);
	}
}

static status_t narrow(void *arg, uint32_t capability, uint64_t interface_id, uint32_t *narrowed)
{
	return rt_narrow(capability, interface_id, narrowed);
}

static void flush(void *arg)
{
	process_flush();
}

static uint64_t detail(void *arg)
{
	return rt_detail();
}

static uint32_t process_id(void *arg)
{
	return ring_self()->header->process_id;
}

static const struct shell_ops process_ops = {
	.output = write_out, .flush = flush, .await = await, .await_process = await_process, .narrow = narrow,
	.launch = launch_program, .detail = detail, .programs = list_programs,
	.process_id = process_id,
};

/* --- Starting ----------------------------------------------------------------------------------- */

static const char *open_schemas(void)
{
	struct launch_file file = { 0 };
	uint32_t arena_words;
	uint64_t *arena;

	if (launch_file_open(package, authority.memory, capnp_text("schemas.bin"), &file) != STATUS_OK || !file.bytes)
		return "the boot package has no schemas.bin";
	arena_words = (uint32_t)(file.count / 8) + 4096;
	arena = malloc((size_t)arena_words * sizeof(uint64_t));
	if (!arena)
		return "there is no memory for the schemas";
	if (schema_open(&schema, file.bytes, file.count / 8, arena, arena_words) != CAPNP_OK)
		return "schemas.bin is damaged";
	return NULL;	/* file and arena stay for as long as the process */
}

/* The shell lives by these itself; the person gets copies, so that a `drop` does not end it. */
static bool is_own(uint32_t id)
{
	return id == rt_id(term.ref) || id == rt_id(package.ref) || id == rt_id(authority.spawner.ref) ||
			id == rt_id(authority.factory.ref) || id == rt_id(authority.memory.ref);
}

static void take_grants(struct shell_process *p)
{
	for (uint32_t i = 0; i < rt_grant_count(); i++) {
		struct rt_grant_info grant = rt_grant_at(i);
		uint32_t id = grant.id;
		char name[SHELL_NAME_BYTES];

		if (capnp_text_equals(grant.name, "serve") || (is_own(id) && rt_copy(id, &id) != STATUS_OK))
			continue;
		format_into(name, sizeof(name), "%.*s", (int)grant.name.bytes, grant.name.chars);
		if (shell_bind_capability(&p->shell, name, id,
				interface_row_get_id(interface_row_at(grant.interfaces, 0))) == STATUS_OK)
			continue;
		process_say("the shell has no room for ");
		process_say(name);
		process_say("\n");
	}
}

const char *process_start(struct shell_process *p)
{
	const char *problem;

	term = RT_GRANT(terminal_session, "term");
	package = RT_GRANT(boot_package, "package");
	authority.spawner = RT_GRANT(process_spawner, "spawner");
	authority.factory = RT_GRANT(object_factory, "factory");
	authority.memory = RT_GRANT(virtual_memory, "memory");
	if (client_ref_is_null(term.ref))
		return "the shell needs a terminal granted as `term`";
	problem = open_schemas();
	if (problem)
		return problem;
	shell_init(&p->shell, &schema, term.ref.transport, &process_ops, p);
	term_keys_init(&p->keys);
	term_history_init(&p->history);
	take_grants(p);
	take_size(p);
	term_editor_init(&p->editor, p->shell.columns, write_out, p);
	p->editor.history = &p->history;
	p->editor.candidates = &p->candidates;
	p->editor.complete = shell_complete;
	p->shell.history = &p->history;
	listen();
	return NULL;
}
