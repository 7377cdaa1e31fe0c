/*
 * Evaluation of a line: follows chains of names, fields and calls, binds results, and reports the
 * first thing that goes wrong. See shell.h.
 *
 * A call is made wholly from the schema: the method is found by name in the interface or an ancestor,
 * parameters are encoded by encode.c, and the answer becomes a thing that holds its capabilities.
 */
#include <stdarg.h>
#include <string.h>

#include "abi/compiler.h"
#include "rt/format.h"
#include "services/shell/shell.h"

#define PARAMS_WORDS 480
#define REPLY_WORDS_LEAST 64
#define REPLY_WORDS_MOST 2000
#define PAGES_MAX 64

/* --- Saying things ---------------------------------------------------------------------------- */

bool shell_fail(struct shell *sh, uint32_t at, const char *format, ...)
{
	va_list args;

	if (sh->failed)
		return false;
	sh->failed = true;
	sh->failed_at = MIN(at, sh->line_bytes);
	va_start(args, format);
	format_into_va(sh->sentence, sizeof(sh->sentence), format, args);
	va_end(args);
	shell_make_printable(sh->sentence, (uint32_t)strlen(sh->sentence));
	return false;
}

/* Much of what is printed was said by others, and none of it may drive the terminal. */
void shell_print_text(struct shell *sh, const char *chars, uint32_t bytes)
{
	uint32_t from = 0;
	uint32_t used;

	for (uint32_t at = 0; at < bytes; at += used) {
		char c = chars[at];
		char shown[2] = { '^', (char)(c ^ 0x40) };

		if (shell_is_printable(chars + at, bytes - at, &used) || c == '\n' || c == '\t')
			continue;
		if (at > from)
			sh->ops->output(sh->arg, chars + from, at - from);
		if ((uint8_t)c < 0x80)
			sh->ops->output(sh->arg, shown, 2);
		else
			sh->ops->output(sh->arg, "\xef\xbf\xbd", 3);
		from = at + used;
	}
	if (bytes > from)
		sh->ops->output(sh->arg, chars + from, bytes - from);
	sh->printed |= bytes > 0;
}

void shell_print(struct shell *sh, const char *format, ...)
{
	char text[512];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = format_into_va(text, sizeof(text), format, args);
	va_end(args);
	shell_print_text(sh, text, (uint32_t)bytes);
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool lookup(struct shell *sh, const struct shell_chain *chain, struct thing *out)
{
	struct shell_name *name = shell_find(sh, chain->start.chars, chain->start.bytes);
	struct schema_node type;

	if (name) {
		*out = thing_get(name->thing);
		return true;
	}
	if (chain->interface) {
		char missing[SHELL_NAME_BYTES];

		(void)format_into(missing, sizeof(missing), "%.*s", (int)chain->start.bytes,
				chain->start.chars);
		return shell_lacks(sh, chain->start.at, missing, chain->interface);
	}
	type = schema_find_name(sh->schema, capnp_text_of(chain->start.chars, chain->start.bytes));
	if (!schema_node_is_null(type))
		return shell_fail(sh, chain->start.at, "%.*s is a type; `help %.*s` tells about it",
				(int)chain->start.bytes, chain->start.chars, (int)chain->start.bytes,
				chain->start.chars);
	if (!chain->steps && chain->sigil == SHELL_PLAIN)
		return shell_fail(sh, chain->start.at, "there is no command or name %.*s; `help` and `caps` list them",
				(int)chain->start.bytes, chain->start.chars);
	return shell_fail(sh, chain->start.at, "you hold nothing named %.*s; `caps` lists what you hold",
			(int)chain->start.bytes, chain->start.chars);
}

/* --- Calls ------------------------------------------------------------------------------------ */

static uint32_t reply_words(struct schema_member method)
{
	struct capnp_struct_reader value;
	uint64_t words = REPLY_WORDS_LEAST;

	if (schema_annotation_find(schema_member_annotations(method), SCHEMA_ANNOTATION_REPLY_WORDS, &value))
		words = MAX(words, schema_value_bits(value));
	return (uint32_t)MIN(words, REPLY_WORDS_MOST);
}

static void call_failed(struct shell *sh, const struct shell_step *step, struct capnp_text interface,
		const struct shell_asked *asked, const struct client_call *call)
{
	struct capnp_text reason = client_reason(call);
	char sentence[160];

	shell_refusal_into(sentence, sizeof(sentence), sh, asked, call->status);
	sh->failure = call->status;
	shell_fail(sh, step->name.at, "%.*s.%.*s: %.*s", (int)interface.bytes, interface.chars,
			(int)step->name.bytes, step->name.chars,
			reason.bytes > 0 ? (int)reason.bytes : (int)strlen(sentence),
			reason.bytes > 0 ? reason.chars : sentence);
}

/* One call with the written arguments; `start` replaces the parameter of that name if has_start. */
static bool call_once(struct shell *sh, struct thing target, struct schema_node declared,
		struct schema_member method, const struct shell_step *step, bool has_start, uint64_t start,
		struct thing *out)
{
	struct schema_node params = schema_method_params(method);
	struct client_begin what = {
		.target = client_ref_of(sh->transport, target.capability),
		.interface_id = schema_node_id(declared),
		.method = (uint16_t)method.index,
		.params_words = PARAMS_WORDS,
		.reply_words = reply_words(method),
	};
	const struct shell_asked asked = { declared, method, step->arguments };
	struct client_call call = client_call_begin(&what);
	struct capnp_builder *builder = client_params(&call);
	struct shell_object *object;
	struct capnp_struct_builder root;
	struct schema_member field;
	bool ok = true;

	sh->passed_count = 0;
	if (builder) {
		root = capnp_init_struct(capnp_init_root(builder), schema_struct_data_words(params),
				schema_struct_pointer_count(params));
		if (step->arguments)
			ok = shell_encode(sh, &call, root, params, step->arguments, schema_member_name(method));
		if (has_start && schema_field_find(params, capnp_text("start"), &field))
			capnp_set_u32(root, schema_field_offset(field) * 4, (uint32_t)start);
	}
	if (ok) {
		sh->ops->flush(sh->arg);
		shell_trace_note(sh, &call, what.interface_id, what.method);
		client_send(&call);
		if (call.status == STATUS_OK)
			client_fail(&call, sh->ops->await(sh->arg, &call));
		if (call.status != STATUS_OK) {
			call_failed(sh, step, schema_node_name(target.node), &asked, &call);
			ok = false;
		}
	}
	object = ok ? object_of_call(sh, &call) : NULL;
	client_done(&call);
	if (ok && !object)
		return shell_fail(sh, step->name.at, "the shell has no memory for the answer");
	if (ok)
		*out = thing_of_struct(object, schema_method_results(method));
	return ok;
}

/* --- Answers in pages ------------------------------------------------------------------------- */

/* A method that takes `start` and answers `next` beside a list of structs is read to its end. */
static bool is_paged(struct schema_member method, const struct shell_step *step, struct schema_member *next,
		struct schema_member *list)
{
	struct schema_node params = schema_method_params(method);
	struct schema_node results = schema_method_results(method);
	struct schema_member start;

	if (!schema_field_find(params, capnp_text("start"), &start) ||
			!schema_field_find(results, capnp_text("next"), next) ||
			schema_type_kind(schema_field_type(start)) != SCHEMA_UINT32 ||
			schema_type_kind(schema_field_type(*next)) != SCHEMA_UINT32)
		return false;
	for (const struct shell_field *f = step->arguments ? step->arguments->fields : NULL; f; f = f->next) {
		if (shell_word_is(f->name, "start"))
			return false;
	}
	*list = schema_field_at(results, 0);
	return schema_type_kind(schema_field_type(*list)) == SCHEMA_LIST &&
			schema_type_kind(schema_type_element(schema_field_type(*list))) == SCHEMA_STRUCT_TYPE;
}

struct pages {
	struct schema_node results;
	struct schema_member list;
	struct schema_member next;
	struct shell_object *page[PAGES_MAX];
	uint32_t count;
	uint64_t start;			/* of the page that would come next; 0: there is none */
};

static struct capnp_list rows_of(const struct pages *p, uint32_t page)
{
	return capnp_any_list_any(thing_field(thing_of_struct(p->page[page], p->results), p->list).any);
}

/* Puts the lists of all pages into one answer, whose `next` tells whether this is all. NULL: no memory,
 * or capabilities are in them. */
static struct shell_object *join(struct shell *sh, const struct pages *p)
{
	struct schema_node element = schema_type_node(schema_type_element(schema_field_type(p->list)));
	uint32_t words = 2;
	uint32_t rows = 0;
	uint32_t row = 0;
	struct shell_object *joined;
	struct capnp_builder builder;
	struct capnp_struct_builder root;
	struct capnp_list_builder all;

	for (uint32_t i = 0; i < p->count; i++) {
		words += p->page[i]->word_count + 4;
		rows += rows_of(p, i).count;
		if (p->page[i]->cap_count > 0)
			return NULL;
	}
	joined = object_of_words(sh, words);
	if (!joined)
		return NULL;
	capnp_builder_init(&builder, joined->words, words, NULL, 0);
	root = capnp_init_struct(capnp_init_root(&builder), schema_struct_data_words(p->results),
			schema_struct_pointer_count(p->results));
	capnp_set_u32(root, schema_field_offset(p->next) * 4, (uint32_t)p->start);
	all = capnp_init_struct_list(capnp_pointer_builder(root, schema_field_offset(p->list)), rows,
			schema_struct_data_words(element), schema_struct_pointer_count(element));
	for (uint32_t i = 0; i < p->count; i++) {
		struct capnp_list part = rows_of(p, i);

		for (uint32_t n = 0; n < part.count && row < rows; n++)
			capnp_copy_into(capnp_list_struct_builder(all, row++), capnp_list_struct(part, n));
	}
	joined->word_count = builder.used;
	capnp_message_init_trusted(&joined->message, joined->words, builder.used, NULL, 0);
	if (builder.status != CAPNP_OK) {
		object_put(joined);
		return NULL;
	}
	return joined;
}

static COLD bool call_pages(struct shell *sh, struct thing target, struct schema_node declared,
		struct schema_member method, const struct shell_step *step, struct pages *p, struct thing *out)
{
	bool ok;

	p->results = schema_method_results(method);
	do {
		ok = call_once(sh, target, declared, method, step, p->count > 0, p->start, out);
		if (!ok)
			break;
		p->page[p->count++] = out->object;
		p->start = thing_field(*out, p->next).bits;
	} while (p->start != 0 && p->count < PAGES_MAX);
	if (ok && p->count == 1)
		return true;
	if (ok) {
		struct shell_object *joined = join(sh, p);

		ok = joined || shell_fail(sh, step->name.at, "the shell has no memory for the answer");
		if (joined)
			*out = thing_of_struct(joined, p->results);
	}
	for (uint32_t i = 0; i < p->count; i++)
		object_put(p->page[i]);
	return ok;
}

/* --- Chains ----------------------------------------------------------------------------------- */

bool shell_no_method(struct shell *sh, uint32_t at, struct schema_node interface,
		struct capnp_text wanted)
{
	struct capnp_text type = schema_node_name(interface);
	struct schema_node ancestors[17];
	uint32_t count;
	char names[240];
	size_t used = 0;

	names[0] = 0;
	ancestors[0] = interface;
	count = 1 + MIN(schema_ancestors(interface, ancestors + 1, 16), 16u);
	for (uint32_t a = 0; a < count; a++) {
		for (uint32_t i = 0; i < schema_method_count(ancestors[a]); i++) {
			struct capnp_text name = schema_member_name(schema_method_at(ancestors[a], i));

			used += format_into(names + used, sizeof(names) - used, "%s%.*s", used ? ", " : "",
					(int)name.bytes, name.chars);
		}
	}
	return shell_fail(sh, at, "%.*s has no method %.*s; it has %s", (int)type.bytes, type.chars,
			(int)wanted.bytes, wanted.chars, names);
}

static bool call_step(struct shell *sh, struct thing target, const struct shell_step *step, struct thing *out)
{
	struct schema_node declared;
	struct schema_member method;
	struct pages pages = { .count = 0 };
	struct capnp_text name = capnp_text_of(step->name.chars, step->name.bytes);

	if (schema_node_is_null(target.node))
		return shell_fail(sh, step->name.at, "the shell does not know this capability's interface; "
				"say which, as in c = @term as Console");
	if (!schema_method_find(target.node, name, &declared, &method))
		return shell_no_method(sh, step->name.at, target.node, name);
	if (is_paged(method, step, &pages.next, &pages.list))
		return call_pages(sh, target, declared, method, step, &pages, out);
	return call_once(sh, target, declared, method, step, false, 0, out);
}

/* Whether exactly one field of the struct is for a capability. */
static bool takes_one_capability(struct schema_node node, struct schema_member *field)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member member = schema_field_at(node, i);

		if (schema_field_is_group(member) ||
				schema_type_kind(schema_field_type(member)) != SCHEMA_INTERFACE_TYPE)
			continue;
		*field = member;
		count++;
	}
	return count == 1;
}

static bool no_field(struct shell *sh, struct thing t, const struct shell_step *step)
{
	struct capnp_text type = schema_node_name(t.node);
	struct schema_member field;
	char value[160];

	if (t.kind == THING_STRUCT && takes_one_capability(t.node, &field)) {
		struct capnp_text name = schema_member_name(field);

		(void)shell_line_of_thing(sh, t, false, value, sizeof(value));
		return shell_fail(sh, step->name.at, "%.*s is null: the answer was %s",
				(int)name.bytes, name.chars,
				value);
	}
	if (t.kind == THING_STRUCT)
		return shell_fail(sh, step->name.at, "the result has no field %.*s, and not exactly one capability "
				"to call", (int)step->name.bytes, step->name.chars);
	if (t.kind == THING_CAPABILITY)
		return shell_fail(sh, step->name.at, "this %.*s is null: the answer held none", (int)type.bytes,
				type.chars);
	return shell_fail(sh, step->name.at, "this value has no fields and no methods");
}

/* One step; *t is replaced and keeps holding its object. */
static bool follow_step(struct shell *sh, const struct shell_step *step, bool calls, struct thing *t)
{
	struct capnp_text name = capnp_text_of(step->name.chars, step->name.bytes);
	struct schema_member field;
	struct thing target;
	struct thing result;

	if (t->kind == THING_STRUCT && !step->arguments && schema_field_find(t->node, name, &field)) {
		if (!thing_field_is_set(*t, field))
			return shell_fail(sh, step->name.at, "%.*s is not what the union holds", (int)name.bytes,
					name.chars);
		*t = thing_field(*t, field);
		return true;
	}
	/* A result with one field stands for that field. */
	result = thing_single(*t);
	if (result.kind == THING_STRUCT && t->kind == THING_STRUCT && result.s.data != t->s.data) {
		*t = result;
		return follow_step(sh, step, calls, t);
	}
	if (!thing_as_capability(*t, &target))
		return no_field(sh, *t, step);
	if (!calls)
		return shell_fail(sh, step->name.at, "only fields are named here; bind the result of a call first");
	if (!call_step(sh, target, step, &result))
		return false;
	thing_put(*t);
	*t = result;
	return true;
}

static bool narrow(struct shell *sh, const struct shell_chain *chain, struct thing *t)
{
	struct schema_node wanted = schema_find_name(sh->schema,
			capnp_text_of(chain->narrow.chars, chain->narrow.bytes));
	struct shell_object *object;
	struct thing cap;
	uint32_t narrowed;
	status_t status;

	if (schema_node_is_null(wanted) || schema_node_kind(wanted) != SCHEMA_INTERFACE)
		return shell_fail(sh, chain->narrow.at, "there is no interface %.*s", (int)chain->narrow.bytes,
				chain->narrow.chars);
	if (!thing_as_capability(*t, &cap))
		return shell_fail(sh, chain->at, "only a capability can be seen as an interface");
	if (!schema_node_is_null(cap.node) && !shell_interface_is(cap.node, schema_node_id(wanted))) {
		struct capnp_text has = schema_node_name(cap.node);

		return shell_fail(sh, chain->narrow.at, "a %.*s is not a %.*s", (int)has.bytes, has.chars,
				(int)chain->narrow.bytes, chain->narrow.chars);
	}
	status = sh->ops->narrow(sh->arg, cap.capability, schema_node_id(wanted), &narrowed);
	if (status != STATUS_OK) {
		sh->failure = status;
		return shell_fail(sh, chain->narrow.at, "%s", status_sentence(status));
	}
	object = object_of_capability(sh, narrowed);
	if (!object) {
		client_release(client_ref_of(sh->transport, narrowed));
		return shell_fail(sh, chain->at, "the shell has no memory for this");
	}
	thing_put(*t);
	*t = thing_of_capability(object, wanted);
	return true;
}

bool shell_follow(struct shell *sh, const struct shell_chain *chain, bool calls, struct thing *out)
{
	struct thing t;

	if (!lookup(sh, chain, &t))
		return false;
	for (const struct shell_step *step = chain->steps; step; step = step->next) {
		if (!follow_step(sh, step, calls, &t)) {
			thing_put(t);
			return false;
		}
	}
	if (chain->narrow.bytes > 0 && !narrow(sh, chain, &t)) {
		thing_put(t);
		return false;
	}
	*out = t;
	return true;
}

/* --- Statements ------------------------------------------------------------------------------- */

static bool run_chain(struct shell *sh, const struct shell_statement *s, struct thing *out)
{
	if (s->chain->sigil == SHELL_STATUS) {
		shell_print(sh, "%lld\n", (long long)sh->status);
		return true;
	}
	return shell_follow(sh, s->chain, true, out);
}

static bool run_literal(struct shell *sh, const struct shell_statement *s, struct thing *out)
{
	bool refers;

	*out = thing_literal(sh, s->literal, &refers);
	if (out->kind != THING_NOTHING)
		return true;
	return shell_fail(sh, s->literal->at, refers ? "a value that is kept cannot refer to other names" :
			"the shell has no memory for this");
}

static bool drop(struct shell *sh, const struct shell_statement *s)
{
	struct shell_name *name = shell_find(sh, s->chain->start.chars, s->chain->start.bytes);

	if (!name)
		return shell_fail(sh, s->chain->start.at, "nothing is bound to %.*s", (int)s->chain->start.bytes,
				s->chain->start.chars);
	shell_unbind(sh, name);
	return true;
}

static void show_history(struct shell *sh)
{
	for (uint32_t back = sh->history ? sh->history->count : 0; back > 0; back--) {
		uint32_t bytes;
		const char *line = term_history_line(sh->history, back - 1, &bytes);

		shell_print_text(sh, line, bytes);
		shell_print_text(sh, "\n", 1);
	}
}

static bool leave(struct shell *sh, const struct shell_statement *s)
{
	const struct shell_value *status = s->literal;

	if (status && (status->kind != SHELL_NUMBER || !status->number.whole || status->number.magnitude > 255))
		return shell_fail(sh, status->at, "an exit status is a number from 0 to 255");
	if (shell_find(sh, "system", 6))
		shell_print(sh, "This shell ends, and the names bound in it. `poweroff` ends the system.\n");
	sh->leave = true;
	sh->leave_status = status ? (int64_t)status->number.magnitude : 0;
	return true;
}

static bool finish(struct shell *sh, const struct shell_statement *s, struct thing result)
{
	if (result.kind == THING_NOTHING)
		return true;
	if (s->bind.bytes > 0) {
		result = thing_single(result);
		if (!shell_bind(sh, s->bind, result))
			return false;
		shell_print_thing(sh, result, capnp_text_of(s->bind.chars, s->bind.bytes));
		return true;
	}
	shell_print_thing(sh, result, s->chain && !s->chain->steps ?
			capnp_text_of(s->chain->start.chars, s->chain->start.bytes) : capnp_text_of("", 0));
	thing_put(result);
	return true;
}

bool shell_run_statement(struct shell *sh, const struct shell_statement *s)
{
	struct thing result = { .kind = THING_NOTHING };

	if (s->bind.bytes > 0 && !shell_can_bind(sh, s->bind))
		return false;	/* before anything is done whose result would be lost */
	switch (s->kind) {
	case SHELL_CHAIN: return run_chain(sh, s, &result) && finish(sh, s, result);
	case SHELL_LITERAL: return run_literal(sh, s, &result) && finish(sh, s, result);
	case SHELL_LAUNCH: return shell_launch(sh, s, &result) && finish(sh, s, result);
	case SHELL_CAPS: shell_caps(sh); return true;
	case SHELL_HELP: return shell_help(sh, s);
	case SHELL_HISTORY: show_history(sh); return true;
	case SHELL_DROP: return drop(sh, s);
	case SHELL_TOUR: sh->tour = true; return true;
	case SHELL_TRACE: return shell_trace(sh, s);
	case SHELL_EXIT: return leave(sh, s);
	case SHELL_HOLDERS: return shell_holders(sh, s);
	case SHELL_REACH: return shell_reach(sh, s);
	case SHELL_AUTHORITY: return shell_authority(sh, s);
	case SHELL_PS: return shell_ps(sh, s);
	case SHELL_TOP: return shell_top(sh, s);
	}
	return false;
}

/* The place of the error under the line as it was typed, or under a copy of it. */
static void show_place(struct shell *sh)
{
	uint32_t column = 0;
	bool fits = sh->line_bytes + 7 < sh->columns;

	for (uint32_t at = 0; at < sh->failed_at; at++)
		column += ((uint8_t)sh->line[at] & 0xC0) != 0x80;
	if (column + 8 > sh->columns) {
		shell_print(sh, "column %u: ", column + 1);
		return;
	}
	if (sh->printed || sh->reprint || !fits) {
		shell_print_text(sh, "       ", 7);
		shell_print_text(sh, sh->line, MIN(sh->line_bytes, sh->columns - 8));
		shell_print_text(sh, "\n", 1);
	}
	for (uint32_t n = 0; n < column + 7; n++)	/* the prompt's columns first */
		shell_print_text(sh, " ", 1);
	shell_print_text(sh, "^\n", 2);
}

static void say_error(struct shell *sh, const char *sentence)
{
	char text[SHELL_SENTENCE_BYTES + 8];
	size_t bytes = format_into(text, sizeof(text), "error: %s", sentence);

	shell_print_wrapped(sh, text, bytes, 0, 7);
}

void shell_refuse(struct shell *sh, const char *sentence)
{
	sh->status = SHELL_REFUSED;
	say_error(sh, sentence);
}

static void report(struct shell *sh)
{
	show_place(sh);
	say_error(sh, sh->sentence);
}

bool shell_run(struct shell *sh, const char *line, uint32_t bytes)
{
	struct shell_line parsed;
	const struct shell_statement *s;
	bool ok = true;

	sh->line = line;
	sh->line_bytes = bytes;
	sh->printed = false;
	sh->failed = false;
	sh->failure = SHELL_REFUSED;
	sh->sensitive = false;
	sh->arena = (struct shell_arena){ sh->arena_bytes, sizeof(sh->arena_bytes), 0 };
	shell_parse(&sh->arena, line, bytes, &parsed);
	if (!parsed.ok)
		ok = shell_fail(sh, parsed.error_at, "%s", parsed.error);
	for (s = ok ? parsed.statements : NULL; s && ok; s = s->next) {
		ok = shell_run_statement(sh, s);
		sh->status = 0;
	}
	if (!ok)
		sh->status = sh->failure;
	if (sh->failed)
		report(sh);
	return ok;
}

void shell_init(struct shell *sh, const struct schema *schema, struct transport *transport,
		const struct shell_ops *ops, void *arg)
{
	memset(sh, 0, sizeof(*sh));
	sh->schema = schema;
	sh->transport = transport;
	sh->ops = ops;
	sh->arg = arg;
	sh->columns = 80;
	sh->rows = 24;
}

void shell_fini(struct shell *sh)
{
	while (sh->name_count > 0)
		shell_unbind(sh, &sh->names[sh->name_count - 1]);
}
