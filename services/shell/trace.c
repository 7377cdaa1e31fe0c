/*
 * trace: runs statements while the kernel records what happens, then shows who called whom: the calls that the statements
 * made, what their servers called meanwhile, and the processes that they started. See shell.h.
 *
 * The events of a Trace (schema/capos/trace.capnp) become nodes of a tree by one rule: a call belongs below the call that
 * its caller was serving, or below the process that the statements started; the shell's own are those that were noted when
 * they were sent. All else that happened meanwhile is not shown. Messages, where they were kept, are decoded by the schemas,
 * and $sensitive fields are not shown: nothing here prints a message in another way than print_message().
 */
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "capos/trace.client.h"
#include "rt/format.h"
#include "rt/reason.h"
#include "services/shell/shell.h"

#define EVENTS            1000u		/* asked for, of each processor */
#define EVENTS_MAX        4096u		/* looked at */
#define NODES_MAX         400u
#define NOTES_MAX         64u
#define NAMES_MAX         24u
#define INDENT            2u
#define INDENT_MAX        24u
#define LEFT_BYTES        120u
#define TIMES_COLUMNS     10u		/* of each of the three */
#define COLUMNS_TIMED     60u		/* a narrower terminal shows no times */
#define MESSAGE_BYTES     400u
#define CAPABILITIES_MAX  32u		/* of a message, that are told from none */

/* A call that the shell made: how its events are known. */
struct note {
	uint64_t interface_id;
	uint16_t method;
	uint16_t question;
};

struct shell_tracing {
	struct note notes[NOTES_MAX];
	uint32_t count;
	bool full;			/* there were more */
};

struct event {
	uint64_t time_ns;
	uint64_t call;
	uint64_t within;
	uint64_t interface_id;
	uint64_t detail;
	uint64_t position;
	uint32_t process;
	uint32_t other;
	int32_t status;
	enum trace_kind kind;
	uint16_t method;
	uint16_t question;
	uint16_t words;
	uint16_t processor;
	uint8_t capabilities;		/* that the message carried */
};

enum node_kind { NODE_ROOT, NODE_CALL, NODE_REFUSED, NODE_PROCESS, NODE_TRANSFER, NODE_FAULT };

/* Links are indices; 0, the root, for none. */
struct node {
	enum node_kind kind;
	uint32_t parent, child, last_child, next;
	struct event event;		/* that began it */
	uint32_t server;		/* call: process id, 0 the kernel; process: its id */
	bool is_served;			/* call: by a process */
	bool ended;
	int32_t status;
	uint64_t delivered_ns;		/* 0: not */
	uint64_t end_ns;
	struct event answer;		/* kind NONE: there is none */
};

struct name {
	uint32_t process;
	char chars[32];
};

/* Everything about one trace, from the events to the lines. */
struct tree {
	struct shell *sh;
	struct trace_ref trace;
	struct payload_trace_ref payload;	/* null: headers only */
	uint32_t self;				/* the shell's process id */
	const struct shell_tracing *noted;
	uint32_t noted_used;
	struct event *events;
	uint32_t event_count;
	uint64_t lost;
	bool cut;				/* more happened than is shown */
	struct node *nodes;
	uint32_t node_count;
	struct name names[NAMES_MAX];
	uint32_t name_count;
	uint32_t left_columns;
	uint32_t status_columns;
};

void shell_trace_note(struct shell *sh, const struct client_call *call, uint64_t interface_id, uint16_t method)
{
	struct shell_tracing *tracing = sh->tracing;

	if (!tracing)
		return;
	tracing->full |= tracing->count == NOTES_MAX;
	if (tracing->count < NOTES_MAX)
		tracing->notes[tracing->count++] = (struct note){ interface_id, method,
			(uint16_t)call->question };
}

/* --- Talking to the tracer ---------------------------------------------------------------------- */

static status_t settle(struct shell *sh, struct client_call *call)
{
	if (call->status == STATUS_OK)
		client_fail(call, sh->ops->await(sh->arg, call));
	return call->status;
}

static bool refused(struct shell *sh, const struct shell_statement *s, status_t status)
{
	char sentence[160];

	(void)reason_into(sentence, sizeof(sentence), status, sh->ops->detail ? sh->ops->detail(sh->arg) : 0);
	sh->failure = status;
	return shell_fail(sh, s->at, "the tracer refused: %s", sentence);
}

static status_t start_headers(struct shell *sh, struct client_ref tracer, const enum trace_kind *kinds, uint32_t count,
		struct trace_ref *trace)
{
	struct tracer_start_params_builder params;
	struct tracer_start_call call = tracer_start_begin((struct tracer_ref){ tracer }, &params);
	struct capnp_list_builder list = tracer_start_params_init_kinds(params, count);
	status_t status;

	tracer_start_params_set_events(params, EVENTS);
	for (uint32_t i = 0; i < count; i++)
		capnp_list_set_u16(list, i, (uint16_t)kinds[i]);
	tracer_start_send(&call);
	status = settle(sh, &call.call);
	if (status == STATUS_OK)
		status = tracer_start_take_trace(&call, trace);
	tracer_start_done(&call);
	return status;
}

static status_t start_payload(struct shell *sh, struct client_ref tracer, const enum trace_kind *kinds, uint32_t count,
		struct payload_trace_ref *trace)
{
	struct payload_tracer_start_payload_params_builder params;
	struct payload_tracer_start_payload_call call = payload_tracer_start_payload_begin(
			(struct payload_tracer_ref){ tracer }, &params);
	struct capnp_list_builder list = payload_tracer_start_payload_params_init_kinds(params, count);
	status_t status;

	payload_tracer_start_payload_params_set_events(params, EVENTS);
	payload_tracer_start_payload_params_set_words(params, TRACE_PAYLOAD_MAX);
	for (uint32_t i = 0; i < count; i++)
		capnp_list_set_u16(list, i, (uint16_t)kinds[i]);
	payload_tracer_start_payload_send(&call);
	status = settle(sh, &call.call);
	if (status == STATUS_OK)
		status = payload_tracer_start_payload_take_trace(&call, trace);
	payload_tracer_start_payload_done(&call);
	return status;
}

/* Begins to record all but what the processor switches between. */
static bool start(struct tree *t, const struct shell_statement *s)
{
	static const enum trace_kind kinds[] = { TRACE_KIND_CALL, TRACE_KIND_REFUSED, TRACE_KIND_DELIVERY, TRACE_KIND_ANSWER,
		TRACE_KIND_COMPLETION, TRACE_KIND_TRANSFER, TRACE_KIND_FAULT, TRACE_KIND_PROCESS_START,
		TRACE_KIND_PROCESS_END };
	struct shell *sh = t->sh;
	struct client_ref tracer;
	struct thing cap;
	status_t status;

	if (!shell_need(sh, s->at, "tracer", TRACER_INTERFACE_ID, &cap))
		return false;
	if (s->payload && !shell_interface_is(cap.node, PAYLOAD_TRACER_INTERFACE_ID))
		return shell_fail(sh, s->at, "tracer shows headers only; messages need a PayloadTracer");
	tracer = client_ref_of(sh->transport, cap.capability);
	sh->ops->flush(sh->arg);
	if (s->payload) {
		status = start_payload(sh, tracer, kinds, ARRAY_LEN(kinds), &t->payload);
		t->trace.ref = t->payload.ref;
	} else {
		status = start_headers(sh, tracer, kinds, ARRAY_LEN(kinds), &t->trace);
	}
	return status == STATUS_OK || refused(sh, s, status);
}

static struct event event_of(struct trace_event_reader in, uint64_t position)
{
	return (struct event){
		.time_ns = trace_event_get_time_ns(in), .call = trace_event_get_call(in),
		.within = trace_event_get_within(in), .interface_id = trace_event_get_interface_id(in),
		.detail = trace_event_get_detail(in), .position = position,
		.process = trace_event_get_process_id(in), .other = trace_event_get_other_id(in),
		.status = trace_event_get_status(in), .kind = trace_event_get_kind(in),
		.method = trace_event_get_method(in), .question = trace_event_get_question(in),
		.words = trace_event_get_words(in), .processor = trace_event_get_processor(in),
		.capabilities = trace_event_get_capabilities(in),
	};
}

/* The next events of a processor; *position moves on. False: that was all, or it was refused. */
static bool read_some(struct tree *t, uint16_t processor, uint64_t *position, status_t *status)
{
	struct trace_read_call call = trace_read_start(t->trace, processor, *position);
	struct trace_read_results_reader in;
	struct capnp_list list;
	bool more = false;

	*status = settle(t->sh, &call.call);
	if (*status == STATUS_OK) {
		in = trace_read_results(&call);
		list = trace_read_results_get_events(in);
		t->lost += trace_read_results_get_lost(in);
		*position = trace_read_results_get_next(in);
		t->cut |= list.count > EVENTS_MAX - t->event_count;
		for (uint32_t i = 0; i < list.count && t->event_count < EVENTS_MAX; i++)
			t->events[t->event_count++] = event_of(trace_event_at(list, i), *position - list.count + i);
		more = list.count > 0 && t->event_count < EVENTS_MAX;
	}
	trace_read_done(&call);
	return more;
}

/* Processors tell each their own; together they are told in the order of time. Nearly sorted as they come. */
static void sort_by_time(struct tree *t)
{
	for (uint32_t i = 1; i < t->event_count; i++) {
		struct event event = t->events[i];
		uint32_t at = i;

		for (; at > 0 && t->events[at - 1].time_ns > event.time_ns; at--)
			t->events[at] = t->events[at - 1];
		t->events[at] = event;
	}
}

static status_t read_all(struct tree *t)
{
	struct trace_stop_call stop = trace_stop_start(t->trace);
	struct trace_info_call info;
	uint16_t processors;
	status_t status = settle(t->sh, &stop.call);

	trace_stop_done(&stop);
	if (status != STATUS_OK)
		return status;
	info = trace_info_start(t->trace);
	status = settle(t->sh, &info.call);
	processors = trace_info_results_get_processors(trace_info_results(&info));
	trace_info_done(&info);
	for (uint16_t processor = 0; processor < processors && status == STATUS_OK; processor++) {
		uint64_t position = 0;

		while (read_some(t, processor, &position, &status))
			;
	}
	sort_by_time(t);
	return status;
}

/* --- From events to nodes ----------------------------------------------------------------------- */

static struct node *node_add(struct tree *t, enum node_kind kind, uint32_t parent, const struct event *event)
{
	uint32_t index = t->node_count;
	struct node *node = &t->nodes[index];

	if (index == NODES_MAX) {
		t->cut = true;
		return NULL;
	}
	t->node_count++;
	*node = (struct node){ .kind = kind, .parent = parent, .event = *event };
	if (t->nodes[parent].last_child)
		t->nodes[t->nodes[parent].last_child].next = index;
	else
		t->nodes[parent].child = index;
	t->nodes[parent].last_child = index;
	return node;
}

static struct node *find_call(struct tree *t, uint64_t call)
{
	for (uint32_t i = t->node_count; call != 0 && i-- > 1;) {
		if (t->nodes[i].kind == NODE_CALL && t->nodes[i].event.call == call)
			return &t->nodes[i];
	}
	return NULL;
}

static struct node *find_process(struct tree *t, uint32_t process)
{
	for (uint32_t i = 1; i < t->node_count; i++) {
		if (t->nodes[i].kind == NODE_PROCESS && t->nodes[i].server == process)
			return &t->nodes[i];
	}
	return NULL;
}

/* The shell's own calls come in the order in which they were noted; others of its process lie between them. */
static bool take_note(struct tree *t, const struct event *e)
{
	const struct note *note = &t->noted->notes[t->noted_used];

	if (e->process != t->self || t->noted_used == t->noted->count || note->interface_id != e->interface_id ||
			note->method != e->method || note->question != e->question)
		return false;
	t->noted_used++;
	return true;
}

/* Where what this process did belongs: *parent; false: nowhere. */
static bool place(struct tree *t, const struct event *e, uint32_t *parent)
{
	const struct node *node = e->within ? find_call(t, e->within) : find_process(t, e->process);

	*parent = node ? (uint32_t)(node - t->nodes) : 0;
	return node != NULL;
}

static void on_call(struct tree *t, const struct event *e)
{
	uint32_t parent = 0;
	struct node *node;

	if (!take_note(t, e) && !place(t, e, &parent))
		return;
	node = node_add(t, e->kind == TRACE_KIND_REFUSED ? NODE_REFUSED : NODE_CALL, parent, e);
	if (!node)
		return;
	node->server = e->other;
	node->is_served = e->detail != 0;
	node->status = e->status;
	node->end_ns = e->time_ns;
	node->ended = e->kind == TRACE_KIND_REFUSED;
}

static void on_answer(struct tree *t, const struct event *e)
{
	struct node *node = find_call(t, e->call);

	if (!node)
		return;
	if (e->kind == TRACE_KIND_DELIVERY) {
		node->server = e->process;
		node->delivered_ns = e->time_ns;
	} else if (e->kind == TRACE_KIND_ANSWER) {
		node->answer = *e;
	} else {
		node->ended = true;
		node->status = e->status;
		node->end_ns = e->time_ns;
	}
}

static void on_process(struct tree *t, const struct event *e)
{
	struct node *node = find_process(t, e->kind == TRACE_KIND_PROCESS_START ? e->other : e->process);

	if (e->kind == TRACE_KIND_PROCESS_START) {
		if (!node && e->other != t->self)
			return;
		node = node_add(t, NODE_PROCESS, node ? (uint32_t)(node - t->nodes) : 0, e);
		if (node)
			node->server = e->process;
	} else if (node) {
		node->ended = true;
		node->status = e->status;
		node->answer = *e;
		node->end_ns = e->time_ns;
	}
}

static void grow(struct tree *t)
{
	t->node_count = 1;
	t->nodes[0] = (struct node){ .kind = NODE_ROOT };
	for (uint32_t i = 0; i < t->event_count; i++) {
		const struct event *e = &t->events[i];
		const struct node *call;
		uint32_t parent;

		switch (e->kind) {
		case TRACE_KIND_CALL:
		case TRACE_KIND_REFUSED: on_call(t, e); break;
		case TRACE_KIND_DELIVERY:
		case TRACE_KIND_ANSWER:
		case TRACE_KIND_COMPLETION: on_answer(t, e); break;
		case TRACE_KIND_TRANSFER:
			call = find_call(t, e->call);
			if (call)
				(void)node_add(t, NODE_TRANSFER, (uint32_t)(call - t->nodes), e);
			break;
		case TRACE_KIND_FAULT:
			if (place(t, e, &parent))
				(void)node_add(t, NODE_FAULT, parent, e);
			break;
		case TRACE_KIND_PROCESS_START:
		case TRACE_KIND_PROCESS_END: on_process(t, e); break;
		case TRACE_KIND_NONE:
		case TRACE_KIND_SWITCH: break;
		}
	}
}

/* --- Names -------------------------------------------------------------------------------------- */

static const char *ask_name(struct tree *t, uint32_t process)
{
	struct trace_process_call call = trace_process_start(t->trace, process);
	struct name *name = &t->names[MIN(t->name_count, NAMES_MAX - 1)];
	struct capnp_text text = capnp_text("");

	if (settle(t->sh, &call.call) == STATUS_OK)
		text = trace_process_results_get_name(trace_process_results(&call));
	name->process = process;
	if (text.bytes > 0)
		format_into(name->chars, sizeof(name->chars), "%.*s", (int)text.bytes, text.chars);
	else
		format_into(name->chars, sizeof(name->chars), "process %u", process);
	t->name_count = MIN(t->name_count + 1, NAMES_MAX);
	trace_process_done(&call);
	return name->chars;
}

static const char *name_of(struct tree *t, uint32_t process)
{
	if (process == 0)
		return "kernel";
	for (uint32_t i = 0; i < t->name_count; i++) {
		if (t->names[i].process == process)
			return t->names[i].chars;
	}
	return ask_name(t, process);
}

static struct capnp_text interface_name(struct tree *t, uint64_t id)
{
	struct schema_node node = schema_find(t->sh->schema, id);

	return schema_node_is_null(node) ? capnp_text("Capability") : schema_node_name(node);
}

/* The method of an event, if the schemas know it. */
static bool find_method(struct tree *t, const struct event *e, struct schema_member *method)
{
	struct schema_node node = schema_find(t->sh->schema, e->interface_id);

	if (schema_node_is_null(node) || schema_node_kind(node) != SCHEMA_INTERFACE || e->method >= schema_method_count(node))
		return false;
	*method = schema_method_at(node, e->method);
	return true;
}

/* --- Lines -------------------------------------------------------------------------------------- */

static uint32_t depth_of(const struct tree *t, const struct node *node)
{
	uint32_t depth = 0;

	while (node->parent) {
		node = &t->nodes[node->parent];
		depth++;
	}
	return depth;
}

static uint32_t indent_of(const struct tree *t, const struct node *node)
{
	return MIN(depth_of(t, node) * INDENT, INDENT_MAX);
}

static uint32_t put_method(struct tree *t, const struct event *e, char *out, uint32_t bytes)
{
	struct capnp_text interface = interface_name(t, e->interface_id);
	struct schema_member method;
	struct capnp_text name;

	if (!find_method(t, e, &method))
		return (uint32_t)format_into(out, bytes, "%.*s method %u", (int)interface.bytes, interface.chars, e->method);
	name = schema_member_name(method);
	return (uint32_t)format_into(out, bytes, "%.*s.%.*s", (int)interface.bytes, interface.chars, (int)name.bytes,
			name.chars);
}

/* What stands before status and times. Answers its columns: names of processes are plain, those of schemas ASCII. */
static uint32_t put_left(struct tree *t, const struct node *node, char out[LEFT_BYTES])
{
	uint32_t used = (uint32_t)format_into(out, LEFT_BYTES, "%*s", (int)indent_of(t, node), "");
	char *rest = out + used;
	uint32_t room = LEFT_BYTES - used;
	struct capnp_text interface = interface_name(t, node->event.interface_id);

	switch (node->kind) {
	case NODE_ROOT: break;
	case NODE_CALL:
		used += (uint32_t)format_into(rest, room, "%s: ", node->is_served && node->server == 0 ? "(not running)" :
				name_of(t, node->server));
		used += put_method(t, &node->event, out + used, LEFT_BYTES - used);
		break;
	case NODE_REFUSED:
		used += (uint32_t)format_into(rest, room, "(refused) ");
		used += put_method(t, &node->event, out + used, LEFT_BYTES - used);
		break;
	case NODE_PROCESS:
		used += (uint32_t)format_into(rest, room, "%s runs as process %u", name_of(t, node->server), node->server);
		break;
	case NODE_TRANSFER:
		used += (uint32_t)format_into(rest, room, "+ %.*s for %s", (int)interface.bytes, interface.chars,
				name_of(t, node->event.other));
		break;
	case NODE_FAULT:
		used += (uint32_t)format_into(rest, room, "! exception %d at 0x%llx", node->event.status,
				(unsigned long long)node->event.detail);
		break;
	}
	shell_make_printable(out, used);
	return used;
}

static const char *status_of(const struct node *node)
{
	if (node->kind == NODE_TRANSFER || node->kind == NODE_FAULT)
		return "";
	if (node->kind == NODE_PROCESS)
		return node->ended ? process_state_name((enum process_state)node->status) : "running";
	return node->ended ? status_name(node->status) : "waits";
}

/* One line: what is left of the columns, which are cut to their width, and nothing behind the last of them. */
static void print_line(struct tree *t, const char *left, const char *status, const char *at, const char *waited,
		const char *took)
{
	bool fits = strlen(left) <= t->left_columns;
	int columns = (int)t->left_columns - (fits ? 0 : 3);
	char line[2 * LEFT_BYTES];
	size_t used = format_into(line, sizeof(line), "%-*.*s%s  %-*s", columns, columns, left, fits ? "" : "...",
			(int)t->status_columns, status);

	if (t->sh->columns >= COLUMNS_TIMED)
		used += format_into(line + used, sizeof(line) - used, "%*s%*s%*s", (int)TIMES_COLUMNS, at,
				(int)TIMES_COLUMNS, waited, (int)TIMES_COLUMNS, took);
	while (used > 0 && line[used - 1] == ' ')
		used--;
	shell_print(t->sh, "%.*s\n", (int)used, line);
}

static const char *time_text(bool known, uint64_t ns, char text[SHELL_DURATION_BYTES])
{
	text[0] = 0;
	if (known)
		(void)shell_duration(ns, text);
	return text;
}

/* --- Messages ----------------------------------------------------------------------------------- */

/* The words that were kept of the event's message: how many, at most `max`. */
static uint32_t read_payload(struct tree *t, const struct event *e, uint64_t *words, uint32_t max)
{
	struct payload_trace_payload_call call = payload_trace_payload_start(t->payload, e->processor, e->position);
	struct capnp_list list;
	uint32_t count = 0;

	if (settle(t->sh, &call.call) == STATUS_OK) {
		list = payload_trace_payload_results_get_words(payload_trace_payload_results(&call));
		for (; count < list.count && count < max; count++)
			words[count] = capnp_list_u64(list, count);
	}
	payload_trace_payload_done(&call);
	return count;
}

/* One message in one line, without what is sensitive. */
static void print_message(struct tree *t, const struct event *e, struct schema_node type, const char *arrow, uint32_t indent)
{
	uint64_t words[TRACE_PAYLOAD_MAX];
	struct capnp_cap_slot slots[CAPABILITIES_MAX];
	struct capnp_message message;
	char text[MESSAGE_BYTES];
	uint32_t count, bytes, room = t->sh->columns - 1 - MIN(indent + 3, t->sh->columns - 8);

	if (schema_field_count(type) == 0)
		return;
	count = read_payload(t, e, words, TRACE_PAYLOAD_MAX);
	/* That a capability stood there is all that the trace tells of it. */
	for (uint32_t i = 0; i < CAPABILITIES_MAX; i++)
		slots[i] = (struct capnp_cap_slot){ .kind = 1, .id = i + 1 };
	capnp_message_init(&message, words, count, slots, MIN(e->capabilities, CAPABILITIES_MAX));
	bytes = shell_line_of_thing(t->sh, (struct thing){ .kind = THING_STRUCT, .node = type,
			.s = capnp_any_struct(capnp_root(&message)) }, true, text, sizeof(text));
	if (count < e->words)
		bytes = (uint32_t)format_into(text, sizeof(text), "(%u words, more than a trace keeps)", e->words);
	else if (message.status != CAPNP_OK)
		bytes = (uint32_t)format_into(text, sizeof(text), "(not readable)");
	if (bytes > room) {
		for (bytes = room - 3; bytes > 0 && ((uint8_t)text[bytes] & 0xC0) == 0x80; bytes--)
			;
		format_into(text + bytes, sizeof(text) - bytes, "...");
	}
	shell_print(t->sh, "%*s%s ", (int)indent, "", arrow);
	shell_print_text(t->sh, text, (uint32_t)strlen(text));
	shell_print(t->sh, "\n");
}

static void print_messages(struct tree *t, const struct node *node)
{
	uint32_t indent = indent_of(t, node) + INDENT;
	struct schema_member method;

	if (client_ref_is_null(t->payload.ref) || node->kind != NODE_CALL || !find_method(t, &node->event, &method))
		return;
	print_message(t, &node->event, schema_method_params(method), "<-", indent);
	if (node->answer.kind == TRACE_KIND_ANSWER && node->answer.status == STATUS_OK)
		print_message(t, &node->answer, schema_method_results(method), "->", indent);
}

/* --- The tree ----------------------------------------------------------------------------------- */

/* The node after this one, children first; 0: that was the last. */
static uint32_t next_of(const struct tree *t, uint32_t index)
{
	if (t->nodes[index].child)
		return t->nodes[index].child;
	while (index && !t->nodes[index].next)
		index = t->nodes[index].parent;
	return index ? t->nodes[index].next : 0;
}

static void print_node(struct tree *t, const struct node *node, uint64_t origin_ns)
{
	bool timed = node->kind == NODE_CALL || node->kind == NODE_PROCESS;
	char left[LEFT_BYTES];
	char at[SHELL_DURATION_BYTES];
	char waited[SHELL_DURATION_BYTES];
	char took[SHELL_DURATION_BYTES];

	(void)put_left(t, node, left);
	print_line(t, left, status_of(node), time_text(true, node->event.time_ns - origin_ns, at),
			time_text(node->delivered_ns != 0, node->delivered_ns - node->event.time_ns, waited),
			time_text(timed && node->ended, node->end_ns - node->event.time_ns, took));
	print_messages(t, node);
}

/* Columns as wide as what stands in them, within the terminal's. */
static void measure(struct tree *t)
{
	uint32_t fixed;
	char left[LEFT_BYTES];

	t->left_columns = 12;
	t->status_columns = 6;
	for (uint32_t i = next_of(t, 0); i; i = next_of(t, i)) {
		t->left_columns = MAX(t->left_columns, put_left(t, &t->nodes[i], left));
		t->status_columns = MAX(t->status_columns, (uint32_t)strlen(status_of(&t->nodes[i])));
	}
	fixed = 3 + t->status_columns + (t->sh->columns >= COLUMNS_TIMED ? 3 * TIMES_COLUMNS : 0);
	t->left_columns = MIN(t->left_columns, t->sh->columns > fixed + 12 ? t->sh->columns - fixed : 12);
}

static void print_tree(struct tree *t)
{
	uint32_t first = next_of(t, 0);
	char head[LEFT_BYTES];

	if (first == 0) {
		if (!t->sh->failed)	/* a line that was refused did nothing to show */
			shell_print(t->sh, "no call was made\n");
	} else {
		measure(t);
		format_into(head, sizeof(head), "%s calls", name_of(t, t->self));
		shell_make_printable(head, (uint32_t)strlen(head));
		print_line(t, head, "status", "at", "waited", "took");
		for (uint32_t i = first; i; i = next_of(t, i))
			print_node(t, &t->nodes[i], t->nodes[first].event.time_ns);
	}
	if (t->lost > 0)
		shell_print(t->sh, "(%llu older events were overwritten)\n", (unsigned long long)t->lost);
	if (t->cut)
		shell_print(t->sh, "(more happened than is shown)\n");
}

/* --- The command -------------------------------------------------------------------------------- */

static bool run_traced(struct tree *t, const struct shell_statement *s, struct shell_tracing *tracing)
{
	struct shell *sh = t->sh;
	bool ok = true;
	status_t status;

	if (!start(t, s))
		return false;
	sh->tracing = tracing;
	for (const struct shell_statement *body = s->body; body && ok; body = body->next)
		ok = shell_run_statement(sh, body);
	sh->tracing = NULL;
	t->cut |= tracing->full;
	status = read_all(t);
	if (status == STATUS_OK) {
		grow(t);
		print_tree(t);
	}
	client_release(t->trace.ref);
	return ok && (status == STATUS_OK || refused(sh, s, status));
}

bool shell_trace(struct shell *sh, const struct shell_statement *s)
{
	struct shell_tracing *tracing = calloc(1, sizeof(*tracing));
	struct tree *t = calloc(1, sizeof(*t));
	bool ok = false;

	if (tracing && t) {
		t->sh = sh;
		t->noted = tracing;
		t->self = sh->ops->process_id ? sh->ops->process_id(sh->arg) : 0;
		t->events = calloc(EVENTS_MAX, sizeof(*t->events));
		t->nodes = calloc(NODES_MAX, sizeof(*t->nodes));
	}
	if (t && t->events && t->nodes)
		ok = run_traced(t, s, tracing);
	else
		(void)shell_fail(sh, s->at, "the shell has no memory for this");
	if (t) {
		free(t->events);
		free(t->nodes);
	}
	free(t);
	free(tracing);
	return ok;
}
