/*
 * What the shell tells about itself and about types: all of it from the schemas, with their own
 * comments. Nothing here is known about any one interface. See shell.h.
 */
#include <string.h>

#include "abi/compiler.h"
#include "rt/format.h"
#include "services/shell/shell.h"

#define SIGNATURE_BYTES 900
#define CAPS_COLUMNS_WIDE 60	/* from here on `caps` has room for documentation */

struct phrase {
	char chars[SIGNATURE_BYTES];
	size_t used;
};

static void add(struct phrase *p, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct phrase *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	p->used += format_into_va(p->chars + p->used, sizeof(p->chars) - p->used, format, args);
	va_end(args);
}

static void print_doc(struct shell *sh, struct capnp_text doc, uint32_t indent)
{
	shell_print_wrapped(sh, doc.chars, doc.bytes, indent, indent);
}

/* --- Signatures ------------------------------------------------------------------------------- */

static void add_type(struct phrase *p, struct schema_type type)
{
	static const char *const names[] = {
		"Void", "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32",
		"Float64", "Text", "Data",
	};
	enum schema_type_kind kind = schema_type_kind(type);
	struct capnp_text name;

	if (kind == SCHEMA_LIST) {
		add(p, "List(");
		add_type(p, schema_type_element(type));
		add(p, ")");
	} else if (kind < ARRAY_LEN(names)) {
		add(p, "%s", names[kind]);
	} else if (kind == SCHEMA_ANY_POINTER) {
		add(p, "%s", schema_type_is_capability(type) ? "Capability" : "AnyPointer");
	} else {
		name = schema_node_path(schema_type_node(type));
		add(p, "%.*s", (int)name.bytes, name.chars);
	}
}

static void add_field(struct phrase *p, struct schema_member field)
{
	struct capnp_text name = schema_member_name(field);
	struct capnp_struct_reader value;
	struct capnp_text unit;

	add(p, "%.*s" SHELL_TIED ":", (int)name.bytes, name.chars);
	if (schema_field_is_group(field)) {
		add(p, "group");
		return;
	}
	add_type(p, schema_field_type(field));
	if (schema_annotation_find(schema_member_annotations(field), SCHEMA_ANNOTATION_UNIT, &value)) {
		unit = capnp_any_text(schema_value_pointer(value));
		if (unit.bytes > 0)
			add(p, SHELL_TIED "in" SHELL_TIED "%.*s", (int)unit.bytes, unit.chars);
	}
}

static void add_fields(struct phrase *p, struct schema_node node)
{
	add(p, "(");
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		add(p, "%s", i > 0 ? ", " : "");
		add_field(p, schema_field_at(node, i));
	}
	add(p, ")");
}

static struct capnp_text annotated(struct capnp_list annotations, uint64_t annotation)
{
	struct capnp_struct_reader value;

	if (!schema_annotation_find(annotations, annotation, &value))
		return capnp_text_of("", 0);
	return capnp_any_text(schema_value_pointer(value));
}

static void show_method(struct shell *sh, struct schema_node interface, struct schema_member method)
{
	struct capnp_text name = schema_member_name(method);
	struct capnp_text example = annotated(schema_member_annotations(method),
			SCHEMA_ANNOTATION_EXAMPLE);
	struct schema_node results = schema_method_results(method);
	struct phrase p = { .used = 0 };

	add(&p, "%.*s", (int)name.bytes, name.chars);
	if (schema_field_count(schema_method_params(method)) > 0) {
		add(&p, " ");
		add_fields(&p, schema_method_params(method));
	}
	if (schema_field_count(results) > 0) {
		add(&p, " -> ");
		add_fields(&p, results);
	}
	shell_print_wrapped(sh, p.chars, p.used, 2, 8);
	print_doc(sh, schema_member_doc(interface, method.index), 6);
	if (example.bytes > 0)
		shell_print(sh, "      example: %.*s\n", (int)example.bytes, example.chars);
}

static void show_methods(struct shell *sh, struct schema_node interface)
{
	for (uint32_t i = 0; i < schema_method_count(interface); i++)
		show_method(sh, interface, schema_method_at(interface, i));
}

/* --- Types ------------------------------------------------------------------------------------ */

static void show_interface(struct shell *sh, struct schema_node interface)
{
	struct schema_node ancestors[16];
	uint32_t count = MIN(schema_ancestors(interface, ancestors, 16), 16u);

	print_doc(sh, schema_node_doc(interface), 2);
	show_methods(sh, interface);
	for (uint32_t i = 0; i < count; i++) {
		struct capnp_text name = schema_node_name(ancestors[i]);

		shell_print(sh, "as a %.*s:\n", (int)name.bytes, name.chars);
		show_methods(sh, ancestors[i]);
	}
}

static void show_struct(struct shell *sh, struct schema_node node)
{
	print_doc(sh, schema_node_doc(node), 2);
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct phrase p = { .used = 0 };

		add_field(&p, schema_field_at(node, i));
		shell_print_wrapped(sh, p.chars, p.used, 2, 8);
		print_doc(sh, schema_member_doc(node, i), 6);
	}
}

static void show_enum(struct shell *sh, struct schema_node node)
{
	print_doc(sh, schema_node_doc(node), 2);
	for (uint32_t i = 0; i < schema_enumerant_count(node); i++) {
		struct capnp_text name = schema_member_name(schema_enumerant_at(node, i));

		shell_print(sh, "  %.*s\n", (int)name.bytes, name.chars);
		print_doc(sh, annotated(schema_member_annotations(schema_enumerant_at(node, i)),
				SCHEMA_ANNOTATION_SENTENCE), 6);
		print_doc(sh, schema_member_doc(node, i), 6);
	}
}

static bool show_type(struct shell *sh, struct shell_word topic, struct schema_node node)
{
	struct capnp_text name = schema_node_path(node);

	switch (schema_node_kind(node)) {
	case SCHEMA_INTERFACE:
		shell_print(sh, "%.*s: an interface\n", (int)name.bytes, name.chars);
		show_interface(sh, node);
		return true;
	case SCHEMA_STRUCT:
		shell_print(sh, "%.*s: a struct\n", (int)name.bytes, name.chars);
		show_struct(sh, node);
		return true;
	case SCHEMA_ENUM:
		shell_print(sh, "%.*s: an enum\n", (int)name.bytes, name.chars);
		show_enum(sh, node);
		return true;
	default:
		return shell_fail(sh, topic.at, "there is nothing to tell about this");
	}
}

static bool show_one_method(struct shell *sh, struct schema_node interface, struct shell_word topic)
{
	struct schema_node declared;
	struct schema_member method;
	struct capnp_text name = capnp_text_of(topic.chars, topic.bytes);

	if (schema_node_kind(interface) != SCHEMA_INTERFACE)
		return shell_fail(sh, topic.at, "this type has no methods");
	if (!schema_method_find(interface, name, &declared, &method))
		return shell_no_method(sh, topic.at, interface, name);
	show_method(sh, declared, method);
	return true;
}

/* --- The shell's own words -------------------------------------------------------------------- */

#define USAGE_COLUMNS 29

#define LAUNCH_FORM "prog with { log: @console, memory: own } args [\"-v\"] env { A = \"b\" }"

#define PROCESS_WORD "p is a bound ProcessHandle, or a number from `ps`."

static const struct {
	const char *word;
	const char *usage;
	const char *does;
	const char *form;	/* what `help word` adds: all that may be written, and more about it */
	const char *more;
	const char *together;	/* usage in the overview, with that of other words; "": such a line has it */
	const char *they_do;
} words[] = {
	{ .word = "caps", .usage = "caps", .does = "lists the capabilities that you hold" },
	{ .word = "help", .usage = "help [name[.method]]", .does = "tells about a capability, method, type or word" },
	{ .word = "run", .usage = "run hello with { @console }", .does = "starts a program with these capabilities, waits",
	  .form = "run " LAUNCH_FORM },
	{ .word = "spawn", .usage = "p = spawn prog with { ... }", .does = "starts it and goes on; p is its ProcessHandle",
	  .form = "p = spawn " LAUNCH_FORM },
	{ .word = "wait", .usage = "wait p", .does = "waits for the end of a process",
	  .more = PROCESS_WORD,
	  .together = "wait p, kill p [status]", .they_do = "waits for the end of a process; ends it" },
	{ .word = "kill", .usage = "kill p [status]", .does = "ends a process", .together = "",
	  .more = PROCESS_WORD },
	{ .word = "ps", .usage = "ps", .does = "lists all processes",
	  .more = "share: of the time that all of them have used. Weight, class and where it may run are what its new threads "
	  "have; authority.processes tells everything.",
	  .together = "top [n], ps, lease", .they_do = "who uses time; processes; leased processors" },
	{ .word = "top", .usage = "top [n]", .does = "shows who used the processors, each second",
	  .more = "n times, or until Ctrl-C. share: of one processor, in the last second. context: what of its budget "
	  "is used, in each period.",
	  .together = "" },
	{ .word = "lease", .usage = "lease", .does = "lists leased processors, and to whom", .together = "",
	  .more = "l = isolation.lease(thread = @p) leases one to a process, l.end ends that. It needs a second processor, and "
	  "what the operator's rule allows: isolation.rule. What nobody holds by a name has ended. "
	  "isolation_control.revoke(id = 1) ends one of anybody's, isolation_control.islands lists islands." },
	{ .word = "holders", .usage = "holders x", .does = "draws who holds the object, and from whom",
	  .more = "On the right is the grant: `revoke` ends it, and all that hangs below it.",
	  .together = "holders x, reach x", .they_do = "draws who holds the object; who can reach it" },
	{ .word = "reach", .usage = "reach x", .does = "draws who can reach it, through which services",
	  .more = "First come those who hold or serve the object, below each those who can call it, and so on: every "
	  "process by its shortest way. Whether a service does what it is asked is up to the service.",
	  .together = "" },
	{ .word = "authority", .usage = "authority [process]",
	  .does = "draws what every process, or one, may do",
	  .form = "authority, authority bank, authority 5, authority p, authority --dot",
	  .more = "Of one process it also draws to whom each capability was given on, and who can call it. "
	  "--dot writes a graph for Graphviz." },
	{ .word = "revoke", .usage = "revoke 0x900000004", .does = "ends a grant and all that was derived from it",
	  .more = "`holders x` and `authority bank` show grants." },
	{ .word = "drop", .usage = "drop x", .does = "forgets the name and releases its capability" },
	{ .word = "history", .usage = "history", .does = "shows the lines typed before" },
	{ .word = "trace", .usage = "trace timer.now", .does = "runs it and shows who called whom",
	  .form = "trace x.method, trace { a = x.method; b }, trace run prog, trace --payload x.method",
	  .more = "--payload shows what is said, too, but for what is sensitive." },
	{ .word = "tour", .usage = "tour", .does = "shows around in five minutes" },
	{ .word = "exit", .usage = "exit [status]", .does = "ends this shell" },
	{ .word = "reboot", .usage = "reboot", .does = "starts the machine again", .together = "" },
	{ .word = "poweroff", .usage = "poweroff [status]", .does = "ends the system in order",
	  .together = "poweroff [status], reboot", .they_do = "ends the system; starts the machine again" },
};

static void show_word(struct shell *sh, const char *usage, const char *does)
{
	if (sh->columns >= 80) {
		shell_print(sh, "  %-*s%s\n", USAGE_COLUMNS, usage, does);
		return;
	}
	shell_print(sh, "  %s\n", usage);
	shell_print_wrapped(sh, does, strlen(does), 6, 6);
}

static void show_whole_word(struct shell *sh, uint32_t i)
{
	const char *stands_for = shell_sugar_meaning(words[i].word, (uint32_t)strlen(words[i].word));

	show_word(sh, words[i].usage, words[i].does);
	if (words[i].form)
		shell_print_wrapped(sh, words[i].form, strlen(words[i].form), 2, 8);
	if (words[i].more)
		shell_print_wrapped(sh, words[i].more, strlen(words[i].more), 2, 2);
	if (stands_for)
		shell_print(sh, "  short for %s\n", stands_for);
}

static void show_overview(struct shell *sh)
{
	static const char *const lines[] = {
		"A line calls a method of a capability that you hold, and may keep the result:",
		"  timer.now",
		"  console.write(text = \"hi\")",
		"  acct = bank.open(owner = \"ann\"); acct.deposit(amount = 5)",
		"@x gives a capability, $x a value; `c = @term as Console` has fewer methods.",
		"Tab completes, ; separates, # begins a comment, $? is how the last line ended.",
		"Commands:",
	};

	for (uint32_t i = 0; i < ARRAY_LEN(lines); i++) {
		uint32_t indent = lines[i][0] == ' ' ? 2 : 0;

		shell_print_wrapped(sh, lines[i], strlen(lines[i]), indent, 6);
	}
	for (uint32_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!words[i].together)
			show_word(sh, words[i].usage, words[i].does);
		else if (words[i].together[0])
			show_word(sh, words[i].together, words[i].they_do);
	}
}

/* Tells about a command; false: there is none of this name. */
static bool show_command(struct shell *sh, struct shell_word topic)
{
	for (uint32_t i = 0; i < ARRAY_LEN(words); i++) {
		if (shell_word_is(topic, words[i].word)) {
			show_whole_word(sh, i);
			return true;
		}
	}
	return false;
}

bool shell_help(struct shell *sh, const struct shell_statement *s)
{
	const struct shell_word *topic = s->topic;
	struct shell_name *bound = shell_find(sh, topic[0].chars, topic[0].bytes);
	struct schema_node node;
	struct thing cap;

	if (topic[0].bytes == 0) {
		show_overview(sh);
		return true;
	}
	if (bound && thing_as_capability(bound->thing, &cap)) {
		struct capnp_text name = schema_node_name(cap.node);

		if (topic[1].bytes > 0)
			return show_one_method(sh, cap.node, topic[1]);
		(void)show_command(sh, topic[0]);	/* `authority` is both */
		shell_print(sh, "%s: %.*s\n", bound->name, (int)name.bytes, name.chars);
		show_interface(sh, cap.node);
		return true;
	}
	if (show_command(sh, topic[0]))
		return true;
	node = schema_find_name(sh->schema, capnp_text_of(topic[0].chars, topic[0].bytes));
	if (schema_node_is_null(node))
		return shell_fail(sh, topic[0].at, "there is no capability, type or command %.*s",
				(int)topic[0].bytes, topic[0].chars);
	if (topic[1].bytes == 0)
		return show_type(sh, topic[0], node);
	return show_one_method(sh, node, topic[1]);
}

/* The first sentence of a comment. */
static struct capnp_text first_sentence(struct capnp_text doc)
{
	for (uint32_t i = 0; i < doc.bytes; i++) {
		if (doc.chars[i] == '\n' || (doc.chars[i] == '.' && (i + 1 == doc.bytes || doc.chars[i + 1] <= ' ')))
			return capnp_text_of(doc.chars, doc.chars[i] == '.' ? i + 1 : i);
	}
	return doc;
}

/* As many whole words as fit; *rest is what to put behind them. */
static struct capnp_text fitting(struct capnp_text text, uint32_t columns, const char **rest)
{
	*rest = "";
	if (text.bytes <= columns)
		return text;
	*rest = " ...";
	text.bytes = columns > 4 ? columns - 4 : 0;
	while (text.bytes > 0 && text.chars[text.bytes] != ' ')
		text.bytes--;
	return text;
}

void shell_caps(struct shell *sh)
{
	for (uint32_t i = 0; i < sh->name_count; i++) {
		struct thing t = sh->names[i].thing;
		struct thing cap;
		struct capnp_text name;
		struct capnp_text doc;
		const char *rest;
		uint32_t room;

		if (!thing_as_capability(t, &cap))
			continue;
		name = schema_node_name(cap.node);
		doc = shell_is_revoked(sh, cap.capability) ? capnp_text("(revoked)") :
				first_sentence(schema_node_doc(cap.node));
		if (sh->columns < CAPS_COLUMNS_WIDE) {
			shell_print(sh, "  %s: %.*s%s\n", sh->names[i].name, (int)name.bytes,
					name.chars,
					capnp_text_equals(doc, "(revoked)") ? " (revoked)" : "");
			continue;
		}
		room = sh->columns - 36;
		doc = fitting(doc, room, &rest);
		shell_print(sh, "  %-11s %-18.*s  %.*s%s\n", sh->names[i].name, (int)name.bytes, name.chars,
				(int)doc.bytes, doc.chars, rest);
	}
}
