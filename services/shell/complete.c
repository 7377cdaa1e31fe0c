/*
 * Completion by reflection: the parser tells what could follow, the schemas and the bound names tell
 * what there is. No call is ever made for it. See shell.h.
 */
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "services/shell/shell.h"

struct completer {
	struct shell *sh;
	const struct shell_line *line;
	struct term_candidates *out;
};

static void add(struct completer *c, struct capnp_text text, const char *suffix)
{
	term_candidates_add(c->out, text.chars, text.bytes, suffix);
}

static void add_word(struct completer *c, const char *word, const char *suffix)
{
	term_candidates_add(c->out, word, (uint32_t)strlen(word), suffix);
}

/* --- What a chain leads to, without calling --------------------------------------------------- */

/* A type known from the schema: a struct, or an interface. */
struct place {
	struct schema_node node;
	struct schema_member method;	/* the last step was this method; else schema NULL */
};

static struct place of_field(struct schema_member field)
{
	struct place p = { .node = { .schema = field.schema } };

	p.node = schema_field_is_group(field) ? schema_field_group(field) :
			schema_type_node(schema_field_type(field));
	return p;
}

/* The interface that is meant where the struct has exactly one; a null node otherwise. */
static struct schema_node single_interface(struct schema_node node)
{
	struct schema_node found = { .schema = node.schema };
	uint32_t count = 0;

	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		if (!schema_field_is_group(field) &&
				schema_type_kind(schema_field_type(field)) == SCHEMA_INTERFACE_TYPE) {
			found = schema_type_node(schema_field_type(field));
			count++;
		}
	}
	if (count != 1)
		memset(&found.s, 0, sizeof(found.s));
	return found;
}

static bool place_step(struct place *p, struct capnp_text name)
{
	struct schema_node interface = p->node;
	struct schema_node declared;
	struct schema_member member;

	if (schema_node_is_null(p->node))
		return false;
	if (schema_node_kind(p->node) == SCHEMA_STRUCT) {
		if (schema_field_find(p->node, name, &member)) {
			*p = of_field(member);
			return true;
		}
		interface = single_interface(p->node);
		if (schema_node_is_null(interface))
			return false;
	}
	if (schema_node_kind(interface) != SCHEMA_INTERFACE || !schema_method_find(interface, name, &declared, &member))
		return false;
	p->method = member;
	p->node = schema_method_results(member);
	return true;
}

static bool place_of(struct shell *sh, const struct shell_chain *chain, struct place *p)
{
	struct shell_name *name = chain ? shell_find(sh, chain->start.chars, chain->start.bytes) : NULL;

	memset(p, 0, sizeof(*p));
	if (!name || (name->thing.kind != THING_STRUCT && name->thing.kind != THING_CAPABILITY))
		return false;
	p->node = name->thing.node;
	for (const struct shell_step *step = chain->steps; step; step = step->next) {
		if (!place_step(p, capnp_text_of(step->name.chars, step->name.bytes)))
			return false;
	}
	return !schema_node_is_null(p->node);
}

/* --- Kinds of candidates ---------------------------------------------------------------------- */

/* The handles of processes that are bound. */
static void handles(struct completer *c)
{
	for (uint32_t i = 0; i < c->sh->name_count; i++) {
		struct thing cap;

		if (thing_as_capability(c->sh->names[i].thing, &cap) &&
				shell_interface_is(cap.node, PROCESS_OBSERVER_INTERFACE_ID))
			add_word(c, c->sh->names[i].name, "");
	}
}

static void names(struct completer *c, bool capabilities_only, const char *suffix)
{
	for (uint32_t i = 0; i < c->sh->name_count; i++) {
		struct thing cap;

		if (!capabilities_only || thing_as_capability(c->sh->names[i].thing, &cap))
			add_word(c, c->sh->names[i].name, suffix);
	}
}

static void statements(struct completer *c)
{
	for (uint32_t i = 0; shell_commands[i]; i++)
		add_word(c, shell_commands[i], " ");
	names(c, false, "");
}

static void methods(struct completer *c, struct schema_node interface)
{
	struct schema_node all[17];
	uint32_t count = 1 + MIN(schema_ancestors(interface, all + 1, 16), 16u);

	all[0] = interface;
	for (uint32_t a = 0; a < count; a++) {
		for (uint32_t i = 0; i < schema_method_count(all[a]); i++) {
			struct schema_member method = schema_method_at(all[a], i);
			bool takes = schema_field_count(schema_method_params(method)) > 0;

			add(c, schema_member_name(method), takes ? "(" : "");
		}
	}
}

static void fields(struct completer *c, struct schema_node node, const char *suffix)
{
	for (uint32_t i = 0; i < schema_field_count(node); i++)
		add(c, schema_member_name(schema_field_at(node, i)), suffix);
}

static void steps(struct completer *c)
{
	struct schema_node interface;
	struct place p;

	if (!place_of(c->sh, c->line->chain, &p))
		return;
	if (schema_node_kind(p.node) == SCHEMA_INTERFACE) {
		methods(c, p.node);
		return;
	}
	fields(c, p.node, "");
	interface = single_interface(p.node);
	if (!schema_node_is_null(interface))
		methods(c, interface);
}

/* The struct that is being written at the frame, by the parameters of the chain's last method. */
static struct schema_node frame_node(struct completer *c, const struct shell_frame *frame)
{
	struct schema_node none = { .schema = c->sh->schema };
	const struct shell_frame *holder;
	struct schema_member field;
	struct schema_type type;
	struct schema_node node;
	uint32_t lists = 0;
	struct place p;

	if (!frame->outer) {
		if (!place_of(c->sh, c->line->chain, &p) || !p.method.schema)
			return none;
		return schema_method_params(p.method);
	}
	for (holder = frame->outer; holder && holder->list; holder = holder->outer)
		lists++;
	if (!holder)
		return none;
	node = frame_node(c, holder);
	if (!schema_field_find(node, capnp_text_of(holder->field.chars, holder->field.bytes), &field))
		return none;
	if (schema_field_is_group(field))
		return schema_field_group(field);
	type = schema_field_type(field);
	for (; lists > 0; lists--)
		type = schema_type_element(type);
	return schema_type_node(type);
}

static bool written(const struct shell_value *v, struct capnp_text name)
{
	for (const struct shell_field *f = v->fields; f; f = f->next) {
		if (capnp_text_is(capnp_text_of(f->name.chars, f->name.bytes), name))
			return true;
	}
	return false;
}

static void frame_fields(struct completer *c)
{
	struct schema_node node;

	if (!c->line->frame || c->line->frame->list)
		return;
	node = frame_node(c, c->line->frame);
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct capnp_text name = schema_member_name(schema_field_at(node, i));

		if (!written(c->line->frame->value, name))
			add(c, name, " =");
	}
}

/* The names that a parameter of this interface could be given, with their @. */
static void capabilities_of(struct completer *c, struct schema_type type)
{
	for (uint32_t i = 0; i < c->sh->name_count; i++) {
		char text[SHELL_NAME_BYTES + 1] = "@";
		struct thing cap;

		if (!thing_as_capability(c->sh->names[i].thing, &cap))
			continue;
		if (!schema_type_is_capability(type) && !shell_interface_is(cap.node, schema_type_id(type)))
			continue;
		memcpy(text + 1, c->sh->names[i].name, strlen(c->sh->names[i].name) + 1);
		add_word(c, text, "");
	}
}

static void values_of(struct completer *c, struct schema_type type)
{
	enum schema_type_kind kind = schema_type_kind(type);
	struct schema_node node;

	if (kind == SCHEMA_INTERFACE_TYPE || schema_type_is_capability(type)) {
		capabilities_of(c, type);
	} else if (kind == SCHEMA_BOOL) {
		add_word(c, "true", "");
		add_word(c, "false", "");
	} else if (kind == SCHEMA_ENUM_TYPE) {
		node = schema_type_node(type);
		for (uint32_t i = 0; i < schema_enumerant_count(node); i++)
			add(c, schema_member_name(schema_enumerant_at(node, i)), "");
	}
}

static void values(struct completer *c)
{
	const struct shell_frame *frame = c->line->frame;
	struct schema_member field;
	struct schema_type type;
	uint32_t lists = 0;

	for (; frame && frame->list; frame = frame->outer)
		lists++;
	if (!frame || !schema_field_find(frame_node(c, frame),
			capnp_text_of(frame->field.chars, frame->field.bytes), &field) ||
			schema_field_is_group(field))
		return;
	type = schema_field_type(field);
	for (; lists > 0; lists--)
		type = schema_type_element(type);
	values_of(c, type);
}

static void types(struct completer *c, bool interfaces_only)
{
	for (uint32_t i = 0; i < schema_node_count(c->sh->schema); i++) {
		struct schema_node node = schema_node_at(c->sh->schema, i);
		enum schema_kind kind = schema_node_kind(node);
		struct capnp_text name = schema_node_path(node);

		if (kind == SCHEMA_INTERFACE || (!interfaces_only && kind == SCHEMA_ENUM) ||
				(!interfaces_only && kind == SCHEMA_STRUCT && !memchr(name.chars, '$', name.bytes) &&
				!schema_struct_is_group(node)))
			add(c, name, "");
	}
}

static void topics(struct completer *c)
{
	statements(c);
	if (c->out->prefix_bytes > 0 && c->out->prefix[0] >= 'A' && c->out->prefix[0] <= 'Z')
		types(c, false);
}

void shell_complete(void *shell, const char *line, uint32_t bytes, uint32_t cursor, struct term_candidates *out)
{
	struct shell *sh = shell;
	struct shell_line parsed;
	struct completer c = { sh, &parsed, out };
	uint32_t from = cursor;

	while (from > 0 && shell_is_name(line[from - 1]))
		from--;
	term_candidates_begin(out, line, cursor, from);
	sh->arena = (struct shell_arena){ sh->arena_bytes, sizeof(sh->arena_bytes), 0 };
	shell_parse(&sh->arena, line, from, &parsed);
	switch (parsed.wanted) {
	case SHELL_WANT_NOTHING: break;
	case SHELL_WANT_STATEMENT: statements(&c); break;
	case SHELL_WANT_NAME: names(&c, from == 0 || line[from - 1] != '$', ""); break;
	case SHELL_WANT_STEP: steps(&c); break;
	case SHELL_WANT_FIELD: frame_fields(&c); break;
	case SHELL_WANT_VALUE: values(&c); break;
	case SHELL_WANT_INTERFACE: types(&c, true); break;
	case SHELL_WANT_PROGRAM:
		if (sh->ops->programs)
			sh->ops->programs(sh->arg, out);
		break;
	case SHELL_WANT_PROCESS:	/* most are named as their program */
		handles(&c);
		if (sh->ops->programs)
			sh->ops->programs(sh->arg, out);
		break;
	case SHELL_WANT_TRACED:
		add_word(&c, "--payload", " ");
		statements(&c);
		break;
	case SHELL_WANT_LAUNCH_WORD:
		add_word(&c, "with", " {");
		add_word(&c, "args", " [");
		add_word(&c, "env", " {");
		break;
	case SHELL_WANT_GRANT: break;
	case SHELL_WANT_TOPIC: topics(&c); break;
	}
}
