/*
 * Printing what came back: Cap'n Proto text with units, in one line where it fits, else a field a
 * line; a list of plain structs as a table. See shell.h.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capnp/number.h"
#include "rt/format.h"
#include "services/shell/shell.h"
#include "term/utf8.h"
#include "time/calendar.h"

#define PAGE_BYTES 32768
#define COLUMNS_MAX 16
#define CELL_BYTES 64

/* What is being written, before it is shown. */
struct page {
	struct shell *sh;
	struct capnp_text bound;	/* the name under which capabilities can be reached; may be empty */
	char *bytes;
	uint32_t used;
	uint32_t depth;			/* of values in values */
	bool cut;
	bool redact;			/* what is $sensitive is not shown */
};

static void render(struct page *p, struct thing t, uint32_t indent);
static void flat(struct page *p, struct thing t);

/* --- What may reach the terminal -------------------------------------------------------------- */

bool shell_is_printable(const char *chars, uint32_t bytes, uint32_t *used)
{
	uint32_t c = utf8_decode(chars, bytes, used);

	return c >= 0x20 && !(c >= 0x7F && c < 0xA0) && c != UTF8_REPLACEMENT;
}

void shell_make_printable(char *chars, uint32_t bytes)
{
	for (uint32_t at = 0, used; at < bytes; at += used) {
		if (!shell_is_printable(chars + at, bytes - at, &used))
			memset(chars + at, ' ', used);
	}
}

/* --- Page ------------------------------------------------------------------------------------- */

static void put(struct page *p, const char *chars, uint32_t bytes)
{
	uint32_t some = MIN(bytes, PAGE_BYTES - p->used);

	memcpy(p->bytes + p->used, chars, some);
	p->used += some;
	p->cut |= some < bytes;
}

static void put_text(struct page *p, struct capnp_text text)
{
	put(p, text.chars, text.bytes);
}

static void putf(struct page *p, const char *format, ...) PRINTF_LIKE(2, 3);

static void putf(struct page *p, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	put(p, text, (uint32_t)format_into_va(text, sizeof(text), format, args));
	va_end(args);
}

static void put_blanks(struct page *p, uint32_t count)
{
	while (count-- > 0)
		put(p, " ", 1);
}

static uint32_t columns_of(const char *chars, uint32_t bytes)
{
	uint32_t columns = 0;

	for (uint32_t i = 0; i < bytes; i++)
		columns += ((uint8_t)chars[i] & 0xC0) != 0x80;
	return columns;
}

/* --- Words within the terminal's width -------------------------------------------------------- */

static void print_word(struct shell *sh, const char *word, size_t bytes)
{
	size_t from = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (word[i] != SHELL_TIED[0])
			continue;
		shell_print_text(sh, word + from, (uint32_t)(i - from));
		shell_print_text(sh, " ", 1);
		from = i + 1;
	}
	shell_print_text(sh, word + from, (uint32_t)(bytes - from));
}

void shell_print_wrapped(struct shell *sh, const char *text, size_t bytes, uint32_t first, uint32_t rest)
{
	uint32_t width = MIN(sh->columns, 100u) - 1;
	uint32_t column = 0;
	size_t at = 0;

	while (at < bytes) {
		size_t word = 0;
		uint32_t columns;

		while (at < bytes && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
			at++;
		while (at + word < bytes && text[at + word] != ' ' && text[at + word] != '\n')
			word++;
		if (word == 0)
			break;
		columns = columns_of(text + at, (uint32_t)word);
		if (column > 0 && column + 1 + columns > width) {
			shell_print(sh, "\n%*s", (int)rest, "");
			column = rest;
		} else if (column > 0) {
			shell_print(sh, " ");
			column++;
		} else {
			shell_print(sh, "%*s", (int)first, "");
			column = first;
		}
		print_word(sh, text + at, word);
		column += columns;
		at += word;
	}
	if (column > 0)
		shell_print(sh, "\n");
}

/* --- Scalars ---------------------------------------------------------------------------------- */

static void put_float(struct page *p, uint64_t bits, bool is_single)
{
	char text[NUMBER_FLOAT_BYTES];

	put(p, text, number_print_float(text, bits, is_single));
}

static struct capnp_text unit_of(struct thing t)
{
	struct capnp_struct_reader value;

	if (!t.field.schema || !schema_annotation_find(schema_member_annotations(t.field), SCHEMA_ANNOTATION_UNIT,
			&value))
		return capnp_text_of("", 0);
	return capnp_any_text(schema_value_pointer(value));
}

/* An identity, an address or a set of bits. */
static bool is_hexadecimal(struct thing t)
{
	struct capnp_struct_reader value;

	return t.field.schema &&
			schema_annotation_find(schema_member_annotations(t.field), SCHEMA_ANNOTATION_HEXADECIMAL, &value);
}

/* A field called interfaceId is shown with the name of the interface. */
static struct schema_node interface_of(struct thing t)
{
	struct schema_node none = { .schema = t.type.schema };

	if (!t.field.schema || schema_type_kind(t.type) != SCHEMA_UINT64 ||
			!capnp_text_equals(schema_member_name(t.field), "interfaceId"))
		return none;
	return schema_find(t.type.schema, t.bits);
}

static void put_enumerant(struct page *p, struct thing t)
{
	struct schema_node node = schema_type_node(t.type);

	if (t.bits < schema_enumerant_count(node))
		put_text(p, schema_member_name(schema_enumerant_at(node, (uint32_t)t.bits)));
	else
		putf(p, "%llu", (unsigned long long)t.bits);
}

static void put_number(struct page *p, struct thing t)
{

	switch (schema_type_kind(t.type)) {
	case SCHEMA_VOID: putf(p, "void"); break;
	case SCHEMA_BOOL: putf(p, "%s", t.bits ? "true" : "false"); break;
	case SCHEMA_INT8:
	case SCHEMA_INT16:
	case SCHEMA_INT32:
	case SCHEMA_INT64: putf(p, "%lld", (long long)t.bits); break;
	case SCHEMA_FLOAT32: put_float(p, t.bits & UINT32_MAX, true); break;
	case SCHEMA_FLOAT64: put_float(p, t.bits, false); break;
	case SCHEMA_ENUM_TYPE: put_enumerant(p, t); break;
	default: putf(p, is_hexadecimal(t) ? "0x%llx" : "%llu", (unsigned long long)t.bits); break;
	}
}

static void put_quoted(struct page *p, struct capnp_text text)
{
	put(p, "\"", 1);
	for (uint32_t at = 0, used; at < text.bytes; at += used) {
		const char *c = text.chars + at;

		if (shell_is_printable(c, text.bytes - at, &used)) {
			if (*c == '"' || *c == '\\')
				put(p, "\\", 1);
			put(p, c, used);
			continue;
		}
		used = 1;
		if (*c == '\n')
			put(p, "\\n", 2);
		else if (*c == '\t')
			put(p, "\\t", 2);
		else
			putf(p, "\\x%02x", (unsigned)(uint8_t)*c);
	}
	put(p, "\"", 1);
}

static void put_data(struct page *p, struct capnp_data data)
{
	putf(p, "0x\"");
	for (uint32_t i = 0; i < data.count; i++)
		putf(p, "%s%02x", i > 0 && i % 4 == 0 ? " " : "", (unsigned)data.bytes[i]);
	putf(p, "\"");
}

static void put_capability(struct page *p, struct thing t)
{
	struct capnp_text interface = schema_node_name(t.node);
	struct capnp_text field = t.field.schema ? schema_member_name(t.field) : capnp_text_of("", 0);

	if (t.capability == 0)
		putf(p, "null");
	else if (p->bound.bytes > 0 && field.bytes > 0)
		putf(p, "@%.*s.%.*s", (int)p->bound.bytes, p->bound.chars, (int)field.bytes, field.chars);
	else
		putf(p, "<%.*s>", interface.bytes > 0 ? (int)interface.bytes : 10,
				interface.bytes > 0 ? interface.chars : "Capability");
}

/* --- Lists ------------------------------------------------------------------------------------ */

static uint64_t element_bits(struct capnp_list list, uint32_t index, enum schema_type_kind kind)
{
	switch (kind) {
	case SCHEMA_BOOL: return capnp_list_bool(list, index);
	case SCHEMA_INT8: return (uint64_t)(int64_t)capnp_list_i8(list, index);
	case SCHEMA_INT16: return (uint64_t)(int64_t)capnp_list_i16(list, index);
	case SCHEMA_INT32: return (uint64_t)(int64_t)capnp_list_i32(list, index);
	case SCHEMA_UINT8: return capnp_list_u8(list, index);
	case SCHEMA_UINT16:
	case SCHEMA_ENUM_TYPE: return capnp_list_u16(list, index);
	case SCHEMA_UINT32:
	case SCHEMA_FLOAT32: return capnp_list_u32(list, index);
	case SCHEMA_VOID: return 0;
	default: return capnp_list_u64(list, index);
	}
}

static struct thing element_of(struct thing t, struct capnp_list list, uint32_t index)
{
	struct schema_type type = schema_type_element(t.type);
	struct thing e = { .kind = THING_FIELD, .object = t.object, .type = type };

	if (schema_type_kind(type) == SCHEMA_STRUCT_TYPE) {
		e.kind = THING_STRUCT;
		e.node = schema_type_node(type);
		e.s = capnp_list_struct(list, index);
	} else if (schema_type_kind(type) == SCHEMA_INTERFACE_TYPE) {
		const struct capnp_cap_slot *slot = capnp_cap_slot(list.message, capnp_list_cap(list, index));

		e.kind = THING_CAPABILITY;
		e.node = schema_type_node(type);
		e.capability = slot ? slot->id : 0;
	} else if (schema_type_is_pointer(type)) {
		e.any = capnp_list_pointer(list, index);
	} else {
		e.field = t.field;	/* its unit is that of each element */
		e.bits = element_bits(list, index, schema_type_kind(type));
	}
	return e;
}

static void flat_list(struct page *p, struct thing t)
{
	struct capnp_list list = capnp_any_list_any(t.any);

	putf(p, "[");
	for (uint32_t i = 0; i < list.count && !p->cut; i++) {
		putf(p, "%s", i > 0 ? ", " : "");
		flat(p, element_of(t, list, i));
	}
	putf(p, "]");
}

/* --- Literals --------------------------------------------------------------------------------- */

static void put_literal(struct page *p, const struct shell_value *v)
{
	uint64_t bits;

	switch (v->kind) {
	case SHELL_NUMBER:
		memcpy(&bits, &v->number.real, sizeof(bits));
		if (v->number.whole)
			putf(p, "%s%llu", v->number.negative ? "-" : "", (unsigned long long)v->number.magnitude);
		else
			put_float(p, bits, false);
		break;
	case SHELL_TEXT: put_quoted(p, capnp_text_of(v->word.chars, v->word.bytes)); break;
	case SHELL_DATA: put_data(p, capnp_data_of(v->word.chars, v->word.bytes)); break;
	case SHELL_NAME: put(p, v->word.chars, v->word.bytes); break;
	case SHELL_STRUCT:
		putf(p, "(");
		for (const struct shell_field *f = v->fields; f; f = f->next) {
			putf(p, "%s%.*s = ", f == v->fields ? "" : ", ", (int)f->name.bytes, f->name.chars);
			put_literal(p, f->value);
		}
		putf(p, ")");
		break;
	case SHELL_LIST:
		putf(p, "[");
		for (const struct shell_value *item = v->items; item; item = item->next) {
			putf(p, "%s", item == v->items ? "" : ", ");
			put_literal(p, item);
		}
		putf(p, "]");
		break;
	case SHELL_REFERENCE: break;	/* a kept literal has none */
	}
}

/* --- One line --------------------------------------------------------------------------------- */

/* Behind a number of nanoseconds since 1970. */
static void put_date(struct page *p, int64_t unix_ns)
{
	struct calendar_date date = calendar_date_of(unix_ns < 0 ? 0 : (uint64_t)unix_ns / 1000000000);

	putf(p, " ns");
	if (unix_ns > 0)
		putf(p, " (%04u-%02u-%02u %02u:%02u:%02u UTC)", date.year, date.month, date.day, date.hour,
				date.minute, date.second);
}

static void flat_field(struct page *p, struct thing t)
{
	struct capnp_text unit = unit_of(t);
	struct schema_node interface = interface_of(t);
	struct capnp_text name;

	switch (schema_type_kind(t.type)) {
	case SCHEMA_TEXT: put_quoted(p, capnp_any_text(t.any)); return;
	case SCHEMA_DATA: put_data(p, capnp_any_data(t.any)); return;
	case SCHEMA_LIST: flat_list(p, t); return;
	case SCHEMA_ANY_POINTER: putf(p, "%s", capnp_any_is_null(t.any) ? "null" : "<any>"); return;
	default: break;
	}
	if (!schema_node_is_null(interface)) {
		name = schema_node_name(interface);
		putf(p, "0x%llx (%.*s)", (unsigned long long)t.bits, (int)name.bytes, name.chars);
		return;
	}
	put_number(p, t);
	if (capnp_text_equals(unit, "unix ns")) {
		put_date(p, (int64_t)t.bits);
		return;
	}
	if (t.bits == 1 && unit.bytes > 2 && unit.chars[unit.bytes - 1] == 's')
		unit.bytes--;		/* 1 word, but 1 ns */
	if (unit.bytes > 0)
		putf(p, " %.*s", (int)unit.bytes, unit.chars);
}

static bool is_hidden(const struct page *p, struct schema_member field)
{
	struct capnp_struct_reader value;

	return p->redact && schema_annotation_find(schema_member_annotations(field),
			SCHEMA_ANNOTATION_SENSITIVE, &value);
}

static void flat_struct(struct page *p, struct thing t)
{
	bool first = true;

	putf(p, "(");
	for (uint32_t i = 0; i < schema_field_count(t.node) && !p->cut; i++) {
		struct schema_member field = schema_field_at(t.node, i);

		if (!thing_field_is_set(t, field))
			continue;
		putf(p, "%s", first ? "" : ", ");
		put_text(p, schema_member_name(field));
		putf(p, " = ");
		if (is_hidden(p, field))
			putf(p, "<redacted>");
		else
			flat(p, thing_field(t, field));
		first = false;
	}
	putf(p, ")");
}

static void flat(struct page *p, struct thing t)
{
	if (p->depth == SHELL_DEPTH_MAX) {
		putf(p, "...");
		return;
	}
	p->depth++;
	switch (t.kind) {
	case THING_STRUCT: flat_struct(p, t); break;
	case THING_FIELD: flat_field(p, t); break;
	case THING_CAPABILITY: put_capability(p, t); break;
	case THING_LITERAL: put_literal(p, t.literal); break;
	case THING_NOTHING: break;
	}
	p->depth--;
}

/* --- Several lines ---------------------------------------------------------------------------- */

static void render_struct(struct page *p, struct thing t, uint32_t indent)
{
	bool first = true;

	putf(p, "(");
	for (uint32_t i = 0; i < schema_field_count(t.node) && !p->cut; i++) {
		struct schema_member field = schema_field_at(t.node, i);

		if (!thing_field_is_set(t, field))
			continue;
		putf(p, "%s\n%*s", first ? "" : ",", (int)indent + 2, "");
		put_text(p, schema_member_name(field));
		putf(p, " = ");
		render(p, thing_field(t, field), indent + 2);
		first = false;
	}
	putf(p, ")");
}

static void render_list(struct page *p, struct thing t, uint32_t indent)
{
	struct capnp_list list = capnp_any_list_any(t.any);

	putf(p, "[");
	for (uint32_t i = 0; i < list.count && !p->cut; i++) {
		putf(p, "%s\n%*s", i > 0 ? "," : "", (int)indent + 2, "");
		render(p, element_of(t, list, i), indent + 2);
	}
	putf(p, "]");
}

/* In one line if the width allows, else broken. */
static void render(struct page *p, struct thing t, uint32_t indent)
{
	uint32_t start = p->used;
	uint32_t line = start;

	while (line > 0 && p->bytes[line - 1] != '\n')
		line--;
	flat(p, t);
	if (columns_of(p->bytes + line, p->used - line) < p->sh->columns || p->cut ||
			p->depth == SHELL_DEPTH_MAX)
		return;
	p->depth++;
	if (t.kind == THING_STRUCT && schema_field_count(t.node) > 0) {
		p->used = start;
		render_struct(p, t, indent);
	} else if (t.kind == THING_FIELD && schema_type_kind(t.type) == SCHEMA_LIST) {
		p->used = start;
		render_list(p, t, indent);
	}
	p->depth--;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static bool is_plain(struct schema_node node)
{
	uint32_t count = schema_field_count(node);

	for (uint32_t i = 0; i < count; i++) {
		struct schema_member field = schema_field_at(node, i);

		if (schema_field_is_group(field) || schema_field_discriminant(field) != SCHEMA_NO_DISCRIMINANT)
			return false;
		if (schema_type_is_pointer(schema_field_type(field)) &&
				schema_type_kind(schema_field_type(field)) != SCHEMA_TEXT)
			return false;
	}
	return count > 0 && count <= COLUMNS_MAX;
}

static bool is_table(struct thing t)
{
	return t.kind == THING_FIELD && schema_type_kind(t.type) == SCHEMA_LIST &&
			schema_type_kind(schema_type_element(t.type)) == SCHEMA_STRUCT_TYPE &&
			is_plain(schema_type_node(schema_type_element(t.type))) &&
			capnp_any_list_any(t.any).count > 0;
}

uint32_t shell_duration(uint64_t ns, char out[SHELL_DURATION_BYTES])
{
	static const struct { uint64_t least; const char *unit; } units[] = {
		{ UINT64_C(1000000000), "s" }, { 1000000, "ms" }, { 1000, "us" },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(units); i++) {
		uint64_t tenths = ns / (units[i].least / 10);

		if (ns >= units[i].least)
			return (uint32_t)format_into(out, SHELL_DURATION_BYTES, "%llu.%llu %s", (unsigned long long)(tenths / 10),
					(unsigned long long)(tenths % 10), units[i].unit);
	}
	return (uint32_t)format_into(out, SHELL_DURATION_BYTES, "%llu ns", (unsigned long long)ns);
}

/* A table's cell, without unit and quotes, cut at CELL_BYTES. */
static uint32_t cell(struct page *p, struct thing t, char *out)
{
	struct page scratch = { .sh = p->sh, .bound = p->bound };
	struct schema_node interface = interface_of(t);
	struct capnp_text text;
	char *memory = p->bytes + PAGE_BYTES;	/* room for one more cell stands behind the page */

	if (capnp_text_equals(unit_of(t), "ns"))
		return shell_duration(t.bits, out);
	if (!schema_node_is_null(interface)) {
		text = schema_node_name(interface);
	} else if (schema_type_kind(t.type) == SCHEMA_TEXT) {
		text = capnp_any_text(t.any);
	} else {
		scratch.bytes = memory;
		put_number(&scratch, t);
		text = capnp_text_of(memory, scratch.used);
	}
	text.bytes = MIN(text.bytes, CELL_BYTES - 1);
	memcpy(out, text.chars, text.bytes);
	shell_make_printable(out, text.bytes);
	return text.bytes;
}

static bool is_number(struct schema_type type)
{
	enum schema_type_kind kind = schema_type_kind(type);

	return kind >= SCHEMA_INT8 && kind <= SCHEMA_FLOAT64;
}

static void put_cell(struct page *p, const char *chars, uint32_t bytes, uint32_t width, bool right, bool last)
{
	uint32_t columns = columns_of(chars, bytes);
	uint32_t blanks = width > columns ? width - columns : 0;

	if (right)
		put_blanks(p, blanks);
	put(p, chars, bytes);
	if (!right && !last)
		put_blanks(p, blanks);
}

static void put_row(struct page *p, struct schema_node node, const struct thing *row, const uint32_t *width,
		uint32_t gap)
{
	uint32_t count = schema_field_count(node);
	char text[CELL_BYTES];

	for (uint32_t c = 0; c < count; c++) {
		struct schema_member field = schema_field_at(node, c);
		bool right = is_number(schema_field_type(field)) &&
				!capnp_text_equals(schema_member_name(field), "interfaceId");

		if (c > 0)
			put_blanks(p, gap);
		if (row) {
			uint32_t bytes = cell(p, thing_field(*row, field), text);

			put_cell(p, text, bytes, width[c], right, c + 1 == count);
		} else {
			struct capnp_text name = schema_member_name(field);

			put_cell(p, name.chars, name.bytes, width[c], right, c + 1 == count);
		}
	}
	while (p->used > 0 && p->bytes[p->used - 1] == ' ')
		p->used--;
	putf(p, "\n");
}

/* False: it is too wide for the terminal, and nothing was written. */
static bool table(struct page *p, struct thing t)
{
	struct capnp_list list = capnp_any_list_any(t.any);
	struct schema_node node = schema_type_node(schema_type_element(t.type));
	uint32_t count = schema_field_count(node);
	uint32_t width[COLUMNS_MAX];
	uint32_t total = 0;
	uint32_t gap;
	char text[CELL_BYTES];

	for (uint32_t c = 0; c < count; c++) {
		width[c] = schema_member_name(schema_field_at(node, c)).bytes;
		for (uint32_t i = 0; i < list.count; i++) {
			uint32_t bytes = cell(p, thing_field(element_of(t, list, i), schema_field_at(node, c)), text);

			width[c] = MAX(width[c], columns_of(text, bytes));
		}
		total += width[c];
	}
	gap = total + 2 * (count - 1) < p->sh->columns ? 2 : 1;
	if (total + gap * (count - 1) >= p->sh->columns)
		return false;
	put_row(p, node, NULL, width, gap);
	for (uint32_t i = 0; i < list.count; i++) {
		struct thing row = element_of(t, list, i);

		put_row(p, node, &row, width, gap);
	}
	return true;
}

/* --- A whole result --------------------------------------------------------------------------- */

static bool is_empty(struct thing t)
{
	if (t.kind == THING_CAPABILITY)
		return t.capability == 0;
	if (t.kind != THING_FIELD)
		return false;
	return schema_type_is_pointer(t.type) ? capnp_any_is_null(t.any) : t.bits == 0;
}

/* A result of several fields: tables first as tables, then what else is not empty. */
static bool with_tables(struct page *p, struct thing t)
{
	uint32_t tables = 0;

	for (uint32_t i = 0; i < schema_field_count(t.node); i++) {
		struct thing value = thing_field(t, schema_field_at(t.node, i));

		if (is_table(value)) {
			if (!table(p, value))
				return false;
			tables++;
		}
	}
	for (uint32_t i = 0; i < schema_field_count(t.node) && tables > 0; i++) {
		struct thing value = thing_field(t, schema_field_at(t.node, i));

		if (is_table(value) || is_empty(value) || !thing_field_is_set(t, schema_field_at(t.node, i)))
			continue;
		put_text(p, schema_member_name(schema_field_at(t.node, i)));
		putf(p, " = ");
		render(p, value, 0);
		putf(p, "\n");
	}
	return tables > 0;
}

static void whole(struct page *p, struct thing t)
{
	struct thing single = thing_single(t);
	struct capnp_text name;

	if (t.kind == THING_STRUCT && schema_field_count(t.node) == 0)
		return;
	if (t.kind == THING_STRUCT && with_tables(p, t))
		return;
	p->used = 0;
	if (is_table(t) && table(p, t))
		return;
	p->used = 0;
	if (t.kind == THING_CAPABILITY && t.capability != 0) {
		name = schema_node_name(t.node);
		putf(p, "%.*s%s%.*s\n", (int)p->bound.bytes, p->bound.chars, p->bound.bytes > 0 ? ": " : "",
				(int)name.bytes, name.chars);
		return;
	}
	if (p->bound.bytes > 0) {
		putf(p, "%.*s = ", (int)p->bound.bytes, p->bound.chars);
	} else if (t.kind == THING_STRUCT && schema_field_count(t.node) == 1) {
		put_text(p, schema_member_name(schema_field_at(t.node, 0)));
		putf(p, " = ");
		t = single;
	}
	render(p, t, 0);
	putf(p, "\n");
}

void shell_print_thing(struct shell *sh, struct thing t, struct capnp_text bound)
{
	struct page p = { .sh = sh, .bound = bound,
		.bytes = malloc(PAGE_BYTES + CELL_BYTES + PAGE_BYTES / 8) };

	if (!p.bytes) {
		shell_print(sh, "(the shell has no memory to show the result)\n");
		return;
	}
	object_renew(t.object);
	whole(&p, t);
	shell_print_text(sh, p.bytes, p.used);
	if (p.cut)
		shell_print(sh, "... (cut here)\n");
	free(p.bytes);
}

uint32_t shell_line_of_thing(struct shell *sh, struct thing t, bool redact, char *out,
		uint32_t bytes)
{
	struct page p = { .sh = sh, .bytes = malloc(PAGE_BYTES), .redact = redact };
	uint32_t used = 0;

	if (p.bytes) {
		flat(&p, t);
		used = MIN(p.used, bytes - 1);
		memcpy(out, p.bytes, used);
	}
	out[used] = 0;
	free(p.bytes);
	return used;
}
