/*
 * Printing Cap'n Proto values as text: see text.h. Layout and escapes are those of the official
 * tool, so that its output and ours compare equal.
 */
#include "capnp/number.h"
#include "capnp/text.h"

/* When values go on lines of their own (CAPNP_PRINT_LINES). */
#define INLINE_VALUE_MAX  24u
#define INLINE_RECORD_MAX 64u

struct printer {
	char *out;
	uint32_t capacity;
	uint32_t used;                  /* may pass capacity */
	uint32_t flags;
	uint32_t depth;
	uint32_t stop;                  /* measuring: beyond this length nothing matters */
	const struct capnp_names *names;
};

/* A value where it was found: bits of a scalar, or a pointer. */
struct slot {
	uint64_t bits;
	struct capnp_any any;
};

/* What stands between the parentheses of a struct or the brackets of a list. */
struct items {
	struct schema_type element;     /* list */
	struct capnp_list list;
	struct schema_node node;        /* struct */
	struct capnp_struct_reader s;
	bool is_list;
};

static void put(struct printer *p, char c)
{
	if (p->used < p->capacity)
		p->out[p->used] = c;
	p->used++;
}

static void put_text(struct printer *p, struct capnp_text text)
{
	for (uint32_t i = 0; i < text.bytes; i++)
		put(p, text.chars[i]);
}

static void put_string(struct printer *p, const char *string)
{
	put_text(p, capnp_text(string));
}

static void put_number(struct printer *p, uint64_t value)
{
	char digits[20];
	uint32_t n = 0;

	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	while (n > 0)
		put(p, digits[--n]);
}

static void put_signed(struct printer *p, uint64_t bits, uint32_t width)
{
	uint64_t sign = UINT64_C(1) << (width - 1);
	uint64_t value = ((bits & (sign | (sign - 1))) ^ sign) - sign;

	if ((int64_t)value < 0) {
		put(p, '-');
		value = 0 - value;
	}
	put_number(p, value);
}

static void put_float(struct printer *p, uint64_t bits, bool is_single)
{
	char text[NUMBER_FLOAT_BYTES];

	put_text(p, capnp_text_of(text, number_print_float(text, bits, is_single)));
}

/* Bytes above 0x7f stand for themselves in text, which is UTF-8, and not in data. */
static void put_quoted(struct printer *p, const char *chars, uint32_t bytes, bool is_text)
{
	static const char plain[] = "\a\b\f\n\r\t\v'\"\\";
	static const char letters[] = "abfnrtv'\"\\";

	put(p, '"');
	for (uint32_t i = 0; i < bytes && p->used <= p->stop; i++) {
		unsigned char c = (unsigned char)chars[i];
		const char *special = NULL;

		for (uint32_t j = 0; j < sizeof(plain) - 1 && special == NULL; j++)
			if (plain[j] == (char)c)
				special = &letters[j];
		if (special != NULL) {
			put(p, '\\');
			put(p, *special);
		} else if (c < 0x20 || c == 0x7f || (c > 0x7f && !is_text)) {
			put(p, '\\');
			put(p, (char)('0' + (c >> 6)));
			put(p, (char)('0' + (c >> 3 & 7)));
			put(p, (char)('0' + (c & 7)));
		} else {
			put(p, (char)c);
		}
	}
	put(p, '"');
}

/* --- Finding values -------------------------------------------------------------------------- */

static struct slot field_slot(struct schema_member field, struct capnp_struct_reader s)
{
	struct schema_type type = schema_field_type(field);
	struct capnp_struct_reader value = schema_field_default(field);
	uint32_t offset = schema_field_offset(field);
	uint64_t otherwise = schema_value_bits(value);
	struct slot slot = { 0, { NULL, NULL } };

	if (schema_type_is_pointer(type)) {
		slot.any = capnp_pointer(s, offset);
		return slot;
	}
	switch (schema_type_bits(type)) {
	case 1:
		slot.bits = capnp_get_bool(s, offset) ^ otherwise;
		break;
	case 8:
		slot.bits = capnp_get_u8(s, offset) ^ (uint8_t)otherwise;
		break;
	case 16:
		slot.bits = capnp_get_u16(s, offset * 2) ^ (uint16_t)otherwise;
		break;
	case 32:
		slot.bits = capnp_get_u32(s, offset * 4) ^ (uint32_t)otherwise;
		break;
	case 64:
		slot.bits = capnp_get_u64(s, offset * 8) ^ otherwise;
		break;
	default:
		break;
	}
	return slot;
}

static struct slot element_slot(struct schema_type type, struct capnp_list list, uint32_t index)
{
	struct slot slot = { 0, { NULL, NULL } };

	if (schema_type_is_pointer(type)) {
		slot.any = capnp_list_pointer(list, index);
		return slot;
	}
	switch (schema_type_bits(type)) {
	case 1:
		slot.bits = capnp_list_bool(list, index);
		break;
	case 8:
		slot.bits = capnp_list_u8(list, index);
		break;
	case 16:
		slot.bits = capnp_list_u16(list, index);
		break;
	case 32:
		slot.bits = capnp_list_u32(list, index);
		break;
	case 64:
		slot.bits = capnp_list_u64(list, index);
		break;
	default:
		break;
	}
	return slot;
}

/* --- Values ---------------------------------------------------------------------------------- */

static void print_items(struct printer *p, const struct items *items, bool is_bare);

static void print_cap(struct printer *p, struct capnp_any any)
{
	struct capnp_cap cap = capnp_any_cap(any);
	struct capnp_text name = { NULL, 0 };

	if (p->names != NULL && p->names->name_of != NULL && !capnp_cap_is_null(cap))
		name = p->names->name_of(p->names->arg, any.message, cap);
	if (name.bytes == 0) {
		put_string(p, "<external capability>");
		return;
	}
	put(p, '@');
	put_text(p, name);
}

static void print_any(struct printer *p, struct capnp_any any)
{
	if (capnp_any_kind(any) == CAPNP_KIND_CAP)
		print_cap(p, any);
	else
		put_string(p, "<opaque pointer>");
}

static void print_enum(struct printer *p, struct schema_type type, uint64_t bits)
{
	struct schema_node node = schema_type_node(type);

	if (bits < schema_enumerant_count(node)) {
		put_text(p, schema_member_name(schema_enumerant_at(node, (uint32_t)bits)));
		return;
	}
	put(p, '(');
	put_number(p, bits);
	put(p, ')');
}

static void print_struct(struct printer *p, struct schema_node node, struct capnp_struct_reader s,
		bool is_bare)
{
	struct items items = { .node = node, .s = s };

	put(p, '(');
	print_items(p, &items, is_bare);
	put(p, ')');
}

static void print_list(struct printer *p, struct schema_type type, struct capnp_any any, bool is_bare)
{
	struct items items = { .element = schema_type_element(type), .is_list = true };

	items.list = capnp_any_list(any, schema_type_size(items.element));
	put(p, '[');
	print_items(p, &items, is_bare);
	put(p, ']');
}

static void print_value(struct printer *p, struct schema_type type, struct slot slot, bool is_bare)
{
	switch (schema_type_kind(type)) {
	case SCHEMA_VOID:
		put_string(p, "void");
		break;
	case SCHEMA_BOOL:
		put_string(p, slot.bits != 0 ? "true" : "false");
		break;
	case SCHEMA_INT8:
	case SCHEMA_INT16:
	case SCHEMA_INT32:
	case SCHEMA_INT64:
		put_signed(p, slot.bits, schema_type_bits(type));
		break;
	case SCHEMA_UINT8:
	case SCHEMA_UINT16:
	case SCHEMA_UINT32:
	case SCHEMA_UINT64:
		put_number(p, slot.bits);
		break;
	case SCHEMA_FLOAT32:
	case SCHEMA_FLOAT64:
		put_float(p, slot.bits, schema_type_kind(type) == SCHEMA_FLOAT32);
		break;
	case SCHEMA_TEXT: {
		struct capnp_text text = capnp_any_text(slot.any);

		put_quoted(p, text.chars, text.bytes, true);
		break;
	}
	case SCHEMA_DATA: {
		struct capnp_data data = capnp_any_data(slot.any);

		put_quoted(p, (const char *)data.bytes, data.count, false);
		break;
	}
	case SCHEMA_LIST:
		print_list(p, type, slot.any, is_bare);
		break;
	case SCHEMA_ENUM_TYPE:
		print_enum(p, type, slot.bits);
		break;
	case SCHEMA_STRUCT_TYPE:
		print_struct(p, schema_type_node(type), capnp_any_struct(slot.any), is_bare);
		break;
	case SCHEMA_INTERFACE_TYPE:
		print_cap(p, slot.any);
		break;
	case SCHEMA_ANY_POINTER:
		print_any(p, slot.any);
		break;
	}
}

static void print_field_value(struct printer *p, struct schema_member field,
		struct capnp_struct_reader s)
{
	struct capnp_struct_reader ignored;
	struct capnp_struct_reader value;
	struct slot slot;

	if ((p->flags & CAPNP_PRINT_REDACT) != 0 &&
	    schema_annotation_find(schema_member_annotations(field), SCHEMA_ANNOTATION_SENSITIVE,
			&ignored)) {
		put_string(p, "<redacted>");
		return;
	}
	if (schema_field_is_group(field)) {
		print_struct(p, schema_field_group(field), s, false);
		return;
	}
	slot = field_slot(field, s);
	value = schema_field_default(field);
	if (capnp_any_is_null(slot.any) && schema_field_has_explicit_default(field))
		slot.any = schema_value_pointer(value);
	print_value(p, schema_field_type(field), slot, false);
}

/* --- Items ----------------------------------------------------------------------------------- */

static uint32_t union_tag(const struct items *items)
{
	if (schema_struct_discriminant_count(items->node) == 0)
		return SCHEMA_NO_DISCRIMINANT;
	return capnp_get_u16(items->s, schema_struct_discriminant_offset(items->node) * 2);
}

/* Whether a field is printed: scalars and groups always, pointers unless null, of a union only the
 * member that is set. */
static bool field_is_shown(const struct items *items, struct schema_member field)
{
	uint32_t tag = schema_field_discriminant(field);
	bool is_pointer = !schema_field_is_group(field) &&
		schema_type_is_pointer(schema_field_type(field));

	if (tag != SCHEMA_NO_DISCRIMINANT) {
		if (tag != union_tag(items))
			return false;
		if (tag != 0)
			return true;
	}
	return !is_pointer || capnp_has(items->s, schema_field_offset(field));
}

static uint32_t items_count(const struct items *items)
{
	return items->is_list ? items->list.count : schema_field_count(items->node);
}

static bool item_is_shown(const struct items *items, uint32_t index)
{
	return items->is_list || field_is_shown(items, schema_field_at(items->node, index));
}

static void item_print(struct printer *p, const struct items *items, uint32_t index)
{
	struct schema_member field;

	if (!items->is_list) {
		field = schema_field_at(items->node, index);
		put_text(p, schema_member_name(field));
		put_string(p, " = ");
		print_field_value(p, field, items->s);
	} else if (schema_type_kind(items->element) == SCHEMA_STRUCT_TYPE) {
		print_struct(p, schema_type_node(items->element),
				capnp_list_struct(items->list, index), true);
	} else {
		print_value(p, items->element, element_slot(items->element, items->list, index), true);
	}
}

/* Whether everything fits on one line: each item is short, and those of a struct together. */
static bool items_are_inline(struct printer *p, const struct items *items)
{
	uint32_t count = items_count(items);
	uint32_t total = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct printer measure = { .names = p->names, .depth = p->depth,
			.flags = p->flags & ~CAPNP_PRINT_LINES, .stop = INLINE_VALUE_MAX };

		if (!item_is_shown(items, i))
			continue;
		item_print(&measure, items, i);
		total += measure.used;
		if (measure.used > INLINE_VALUE_MAX ||
		    (!items->is_list && total > INLINE_RECORD_MAX))
			return false;
	}
	return true;
}

static void line_break(struct printer *p, uint32_t depth)
{
	put(p, '\n');
	for (uint32_t i = 0; i < depth; i++)
		put_string(p, "  ");
}

static void print_items(struct printer *p, const struct items *items, bool is_bare)
{
	uint32_t count = items_count(items);
	uint32_t shown = 0;
	bool is_inline;

	if (p->depth >= CAPNP_DEPTH_MAX) {
		put_string(p, "...");
		return;
	}
	p->depth++;
	is_inline = (p->flags & CAPNP_PRINT_LINES) == 0 || items_are_inline(p, items);
	for (uint32_t i = 0; i < count && p->used <= p->stop; i++) {
		if (!item_is_shown(items, i))
			continue;
		if (shown++ > 0)
			put_string(p, is_inline ? ", " : ",");
		if (!is_inline && (shown > 1 || !is_bare))
			line_break(p, p->depth);
		else if (!is_inline)
			put(p, ' ');
		item_print(p, items, i);
	}
	if (!is_inline)
		put(p, ' ');
	p->depth--;
}

/* --- Doors ----------------------------------------------------------------------------------- */

uint32_t capnp_print_struct(char *out, uint32_t capacity, struct schema_node type,
		struct capnp_struct_reader value, const struct capnp_names *names, uint32_t flags)
{
	struct printer p = { .out = out, .capacity = capacity, .flags = flags, .stop = UINT32_MAX,
		.names = names };

	print_struct(&p, type, value, true);
	return p.used;
}

uint32_t capnp_print_field(char *out, uint32_t capacity, struct schema_member field,
		struct capnp_struct_reader value, const struct capnp_names *names, uint32_t flags)
{
	struct printer p = { .out = out, .capacity = capacity, .flags = flags, .stop = UINT32_MAX,
		.names = names };

	print_field_value(&p, field, value);
	return p.used;
}
