/*
 * Arguments: values written by a person become the fields of a message, checked against the schema.
 * Every refusal names what is wanted and points at the word that is wrong. See shell.h.
 */
#include <string.h>

#include "abi/compiler.h"
#include "rt/format.h"
#include "services/shell/shell.h"

#define NAMES_SHOWN_BYTES 200

struct encoder {
	struct shell *sh;
	struct client_call *call;
	uint32_t at;		/* of the reference, while a kept literal is encoded; else UINT32_MAX */
	uint32_t depth;
};

static bool encode_struct(struct encoder *e, struct capnp_struct_builder to, struct schema_node node,
		const struct shell_value *v, struct capnp_text what);
static bool encode_pointer(struct encoder *e, struct capnp_any_builder to, struct schema_type type,
		const struct shell_value *v, struct capnp_text what);

static uint32_t place(const struct encoder *e, uint32_t at)
{
	return e->at != UINT32_MAX ? e->at : at;
}

static struct capnp_text text_of(struct shell_word w)
{
	return capnp_text_of(w.chars, w.bytes);
}

/* --- What types are called -------------------------------------------------------------------- */

static const char *const type_names[] = {
	"void", "a Bool", "an Int8", "an Int16", "an Int32", "an Int64", "a UInt8", "a UInt16", "a UInt32",
	"a UInt64", "a Float32", "a Float64", "a text in quotes", "data as 0x\"..\"", "a list in [ ]", "an enum",
	"a struct in ( )", "a capability", "any pointer",
};

const char *shell_type_name(struct schema_type type, char *buffer, uint32_t bytes)
{
	enum schema_type_kind kind = schema_type_kind(type);
	struct capnp_text name;

	if (kind == SCHEMA_ENUM_TYPE || kind == SCHEMA_STRUCT_TYPE || kind == SCHEMA_INTERFACE_TYPE) {
		name = schema_node_name(schema_type_node(type));
		format_into(buffer, bytes, "%s%.*s", kind == SCHEMA_INTERFACE_TYPE ? "a capability of type " :
				kind == SCHEMA_STRUCT_TYPE ? "a struct " : "a word of ", (int)name.bytes, name.chars);
		return buffer;
	}
	if (schema_type_is_capability(type))
		return "a capability";
	return type_names[MIN((uint32_t)kind, (uint32_t)SCHEMA_ANY_POINTER)];
}

static const char *value_name(const struct shell_value *v)
{
	switch (v->kind) {
	case SHELL_NUMBER: return "a number";
	case SHELL_TEXT: return "a text";
	case SHELL_DATA: return "data";
	case SHELL_NAME: return "a word";
	case SHELL_STRUCT: return "a struct";
	case SHELL_LIST: return "a list";
	case SHELL_REFERENCE: return v->reference->sigil == SHELL_CAPABILITY ? "a capability" : "a value";
	}
	return "this";
}

static COLD bool wrong_type(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what)
{
	char buffer[80];
	const char *hint = "";

	if (schema_type_kind(type) == SCHEMA_INTERFACE_TYPE && v->kind == SHELL_NAME)
		hint = "; write @ before the name";
	return shell_fail(e->sh, place(e, v->at), "%.*s takes %s, not %s%s", (int)what.bytes, what.chars,
			shell_type_name(type, buffer, sizeof(buffer)), value_name(v), hint);
}

/* The names of an enum's words or a struct's fields, as far as they fit, for a sentence. */
static void list_names(struct schema_node node, bool enumerants, char *out, uint32_t bytes)
{
	uint32_t count = enumerants ? schema_enumerant_count(node) : schema_field_count(node);
	size_t used = 0;

	out[0] = 0;
	for (uint32_t i = 0; i < count && used + 1 < bytes; i++) {
		struct capnp_text name = schema_member_name(enumerants ? schema_enumerant_at(node, i) :
				schema_field_at(node, i));

		used += format_into(out + used, bytes - used, "%s%.*s", i == 0 ? "" : ", ", (int)name.bytes,
				name.chars);
	}
}

/* --- Scalars ---------------------------------------------------------------------------------- */

static void set_scalar(struct capnp_struct_builder to, struct schema_type type, uint32_t offset, uint64_t bits)
{
	switch (schema_type_bits(type)) {
	case 1: capnp_set_bool(to, offset, bits != 0); break;
	case 8: capnp_set_u8(to, offset, (uint8_t)bits); break;
	case 16: capnp_set_u16(to, offset * 2, (uint16_t)bits); break;
	case 32: capnp_set_u32(to, offset * 4, (uint32_t)bits); break;
	case 64: capnp_set_u64(to, offset * 8, bits); break;
	default: break;
	}
}

static void set_element(struct capnp_list_builder to, struct schema_type type, uint32_t index, uint64_t bits)
{
	switch (schema_type_bits(type)) {
	case 1: capnp_list_set_bool(to, index, bits != 0); break;
	case 8: capnp_list_set_u8(to, index, (uint8_t)bits); break;
	case 16: capnp_list_set_u16(to, index, (uint16_t)bits); break;
	case 32: capnp_list_set_u32(to, index, (uint32_t)bits); break;
	case 64: capnp_list_set_u64(to, index, bits); break;
	default: break;
	}
}

static bool is_signed(enum schema_type_kind kind)
{
	return kind >= SCHEMA_INT8 && kind <= SCHEMA_INT64;
}

static bool is_whole(enum schema_type_kind kind)
{
	return kind >= SCHEMA_INT8 && kind <= SCHEMA_UINT64;
}

/* A whole number for an integer type, or a sentence with the type's range. */
static bool integer(struct encoder *e, uint32_t at, struct shell_number n, struct schema_type type,
		struct capnp_text what, uint64_t *bits)
{
	uint32_t width = schema_type_bits(type);
	bool with_sign = is_signed(schema_type_kind(type));
	uint64_t most = UINT64_MAX >> (64 - width + (with_sign ? 1 : 0));
	uint64_t least = with_sign ? most + 1 : 0;	/* its magnitude */

	if (n.whole && n.magnitude <= (n.negative ? least : most)) {
		*bits = n.negative ? (uint64_t)0 - n.magnitude : n.magnitude;
		return true;
	}
	return shell_fail(e->sh, at, "%.*s takes a whole number from %s%llu to %llu", (int)what.bytes, what.chars,
			with_sign ? "-" : "", (unsigned long long)least, (unsigned long long)most);
}

static uint64_t float_bits(double value, enum schema_type_kind kind)
{
	float narrow = (float)value;
	uint32_t bits32;
	uint64_t bits;

	if (kind == SCHEMA_FLOAT32) {
		memcpy(&bits32, &narrow, sizeof(bits32));
		return bits32;
	}
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static COLD bool enumerant(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what, uint64_t *bits)
{
	struct schema_node node = schema_type_node(type);
	struct capnp_text name = schema_node_name(node);
	char names[NAMES_SHOWN_BYTES];

	for (uint32_t i = 0; i < schema_enumerant_count(node); i++) {
		if (capnp_text_is(schema_member_name(schema_enumerant_at(node, i)), text_of(v->word))) {
			*bits = i;
			return true;
		}
	}
	list_names(node, true, names, sizeof(names));
	return shell_fail(e->sh, place(e, v->at), "%.*s has no %.*s; it has %s", (int)name.bytes, name.chars,
			(int)v->word.bytes, v->word.chars, names);
}

static bool word_scalar(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what, uint64_t *bits)
{
	enum schema_type_kind kind = schema_type_kind(type);

	if (kind == SCHEMA_ENUM_TYPE)
		return enumerant(e, v, type, what, bits);
	*bits = 0;
	if (kind == SCHEMA_VOID && shell_word_is(v->word, "void"))
		return true;
	if (kind == SCHEMA_BOOL && (shell_word_is(v->word, "true") || shell_word_is(v->word, "false"))) {
		*bits = shell_word_is(v->word, "true");
		return true;
	}
	if ((kind == SCHEMA_FLOAT32 || kind == SCHEMA_FLOAT64) &&
			(shell_word_is(v->word, "inf") || shell_word_is(v->word, "nan"))) {
		*bits = float_bits(shell_word_is(v->word, "inf") ? __builtin_inf() : __builtin_nan(""), kind);
		return true;
	}
	return wrong_type(e, v, type, what);
}

static bool number_scalar(struct encoder *e, const struct shell_value *v, struct shell_number n,
		struct schema_type type, struct capnp_text what, uint64_t *bits)
{
	enum schema_type_kind kind = schema_type_kind(type);

	if (is_whole(kind))
		return integer(e, place(e, v->at), n, type, what, bits);
	if (kind != SCHEMA_FLOAT32 && kind != SCHEMA_FLOAT64)
		return wrong_type(e, v, type, what);
	*bits = float_bits(n.real, kind);
	return true;
}

static double float_value(struct thing t)
{
	float narrow;
	double wide;
	uint32_t bits32 = (uint32_t)t.bits;

	memcpy(&narrow, &bits32, sizeof(narrow));
	memcpy(&wide, &t.bits, sizeof(wide));
	return schema_type_kind(t.type) == SCHEMA_FLOAT32 ? (double)narrow : wide;
}

/* A bound value as a number; false: it is none. */
static bool thing_number(struct thing t, struct shell_number *n)
{
	enum schema_type_kind kind = schema_type_kind(t.type);

	if (t.kind != THING_FIELD)
		return false;
	*n = (struct shell_number){ .whole = true };
	if (kind == SCHEMA_FLOAT32 || kind == SCHEMA_FLOAT64) {
		n->whole = false;
		n->real = float_value(t);
		return true;
	}
	if (!is_whole(kind))
		return false;
	n->negative = is_signed(kind) && (int64_t)t.bits < 0;
	n->magnitude = n->negative ? (uint64_t)0 - t.bits : t.bits;
	n->real = n->negative ? -(double)n->magnitude : (double)n->magnitude;
	return true;
}

/* --- References ------------------------------------------------------------------------------- */

/* Where a reference leads: a thing that holds its object, or the number in $?. */
static bool resolve(struct encoder *e, const struct shell_value *v, struct thing *t, struct shell_number *n)
{
	int64_t status = e->sh->status;

	*t = (struct thing){ .kind = THING_NOTHING };
	if (v->reference->sigil == SHELL_STATUS) {
		*n = (struct shell_number){ status < 0, true, status < 0 ? (uint64_t)0 - (uint64_t)status :
				(uint64_t)status, (double)status };
		return true;
	}
	return shell_follow(e->sh, v->reference, false, t);
}

static bool referred_scalar(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what, uint64_t *bits);

/* A scalar of any type from a written value. */
static bool scalar(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what, uint64_t *bits)
{
	switch (v->kind) {
	case SHELL_NUMBER: return number_scalar(e, v, v->number, type, what, bits);
	case SHELL_NAME: return word_scalar(e, v, type, what, bits);
	case SHELL_REFERENCE: return referred_scalar(e, v, type, what, bits);
	default: return wrong_type(e, v, type, what);
	}
}

static bool referred_scalar(struct encoder *e, const struct shell_value *v, struct schema_type type,
		struct capnp_text what, uint64_t *bits)
{
	struct shell_number n;
	struct thing t;
	bool ok;

	if (!resolve(e, v, &t, &n))
		return false;
	if (t.kind == THING_LITERAL) {
		struct encoder inner = *e;

		inner.at = place(e, v->at);
		ok = scalar(&inner, t.literal, type, what, bits);
	} else if (t.kind == THING_NOTHING || thing_number(t, &n)) {
		ok = number_scalar(e, v, n, type, what, bits);
	} else if (t.kind == THING_FIELD && schema_type_kind(t.type) == schema_type_kind(type) &&
			schema_type_id(t.type) == schema_type_id(type) && !schema_type_is_pointer(type)) {
		*bits = t.bits;
		ok = true;
	} else {
		ok = wrong_type(e, v, type, what);
	}
	thing_put(t);
	return ok;
}

bool shell_interface_is(struct schema_node interface, uint64_t id)
{
	struct schema_node ancestors[16];
	uint32_t count;

	if (schema_node_id(interface) == id)
		return true;
	count = schema_ancestors(interface, ancestors, ARRAY_LEN(ancestors));
	for (uint32_t i = 0; i < MIN(count, (uint32_t)ARRAY_LEN(ancestors)); i++) {
		if (schema_node_id(ancestors[i]) == id)
			return true;
	}
	return false;
}

/* Enters a capability in the message, and notes for which parameter. */
static void pass(struct encoder *e, struct capnp_any_builder to, struct capnp_text what,
		uint32_t capability)
{
	struct capnp_cap cap = client_cap(e->call, client_ref_of(e->sh->transport, capability));

	capnp_set_cap(to, cap);
	if (cap.index == e->sh->passed_count && cap.index < SHELL_PASSED_MAX)
		e->sh->passed[e->sh->passed_count++] = (struct shell_passed){ what, capability };
}

static COLD bool capability(struct encoder *e, struct capnp_any_builder to, struct schema_type type,
		const struct shell_value *v, struct capnp_text what)
{
	struct schema_node wanted = schema_type_node(type);
	struct shell_number n;
	struct thing t;
	struct thing cap;
	bool ok = true;

	if (v->kind != SHELL_REFERENCE)
		return wrong_type(e, v, type, what);
	if (!resolve(e, v, &t, &n))
		return false;
	if (!thing_as_capability(t, &cap)) {
		ok = shell_fail(e->sh, place(e, v->at), "%.*s takes a capability, and this is none",
				(int)what.bytes, what.chars);
	} else if (!schema_type_is_capability(type) && !schema_node_is_null(cap.node) &&
			!shell_interface_is(cap.node, schema_node_id(wanted))) {
		struct capnp_text has = schema_node_name(cap.node);
		struct capnp_text wants = schema_node_name(wanted);

		ok = shell_fail(e->sh, place(e, v->at), "%.*s takes a capability of type %.*s, and this is a %.*s",
				(int)what.bytes, what.chars, (int)wants.bytes, wants.chars, (int)has.bytes,
				has.chars);
	} else {
		pass(e, to, what, cap.capability);
	}
	thing_put(t);
	return ok;
}

/* A pointer copied from a bound value of the same type. */
static bool referred_pointer(struct encoder *e, struct capnp_any_builder to, struct schema_type type,
		const struct shell_value *v, struct capnp_text what)
{
	struct shell_number n;
	struct thing t;
	bool ok = true;

	if (!resolve(e, v, &t, &n))
		return false;
	if (t.kind == THING_LITERAL) {
		struct encoder inner = *e;

		inner.at = place(e, v->at);
		ok = encode_pointer(&inner, to, type, t.literal, what);
	} else if (t.kind == THING_STRUCT && schema_type_kind(type) == SCHEMA_STRUCT_TYPE &&
			schema_node_id(t.node) == schema_type_id(type) && t.object->cap_count == 0) {
		capnp_set_struct(to, t.s);
	} else if (t.kind == THING_FIELD && schema_type_kind(t.type) == schema_type_kind(type) &&
			schema_type_id(t.type) == schema_type_id(type) && t.object->cap_count == 0) {
		capnp_set_any(to, t.any);
	} else {
		ok = wrong_type(e, v, type, what);
	}
	thing_put(t);
	return ok;
}

/* --- Pointers --------------------------------------------------------------------------------- */

static bool encode_list(struct encoder *e, struct capnp_any_builder to, struct schema_type element,
		const struct shell_value *v, struct capnp_text what)
{
	struct schema_node node = schema_type_node(element);
	bool structs = schema_type_kind(element) == SCHEMA_STRUCT_TYPE;
	struct capnp_list_builder list;
	uint32_t index = 0;

	if (structs)
		list = capnp_init_struct_list(to, v->count, schema_struct_data_words(node),
				schema_struct_pointer_count(node));
	else
		list = capnp_init_list(to, schema_type_size(element), v->count);
	for (const struct shell_value *item = v->items; item; item = item->next, index++) {
		uint64_t bits;

		if (structs && item->kind == SHELL_STRUCT) {
			if (!encode_struct(e, capnp_list_struct_builder(list, index), node, item,
					schema_node_name(node)))
				return false;
		} else if (structs) {
			return wrong_type(e, item, element, what);
		} else if (schema_type_is_pointer(element)) {
			if (!encode_pointer(e, capnp_list_pointer_builder(list, index), element, item, what))
				return false;
		} else {
			if (!scalar(e, item, element, what, &bits))
				return false;
			set_element(list, element, index, bits);
		}
	}
	return true;
}

static bool encode_pointer(struct encoder *e, struct capnp_any_builder to, struct schema_type type,
		const struct shell_value *v, struct capnp_text what)
{
	enum schema_type_kind kind = schema_type_kind(type);
	struct schema_node node;

	if (kind == SCHEMA_INTERFACE_TYPE || schema_type_is_capability(type))
		return capability(e, to, type, v, what);
	if (v->kind == SHELL_REFERENCE)
		return referred_pointer(e, to, type, v, what);
	if (kind == SCHEMA_TEXT && v->kind == SHELL_TEXT) {
		capnp_set_text(to, text_of(v->word));
		return true;
	}
	if (kind == SCHEMA_DATA && (v->kind == SHELL_DATA || v->kind == SHELL_TEXT)) {
		capnp_set_data(to, capnp_data_of(v->word.chars, v->word.bytes));
		return true;
	}
	if (kind == SCHEMA_LIST && v->kind == SHELL_LIST)
		return encode_list(e, to, schema_type_element(type), v, what);
	if (kind == SCHEMA_STRUCT_TYPE && v->kind == SHELL_STRUCT) {
		node = schema_type_node(type);
		return encode_struct(e, capnp_init_struct(to, schema_struct_data_words(node),
				schema_struct_pointer_count(node)), node, v, schema_node_name(node));
	}
	return wrong_type(e, v, type, what);
}

/* --- Structs ---------------------------------------------------------------------------------- */

static bool encode_field(struct encoder *e, struct capnp_struct_builder to, struct schema_node node,
		struct schema_member field, const struct shell_value *v)
{
	struct capnp_text what = schema_member_name(field);
	struct capnp_struct_reader ignored;
	struct schema_type type;
	uint64_t bits;

	if (schema_field_discriminant(field) != SCHEMA_NO_DISCRIMINANT)
		capnp_set_u16(to, schema_struct_discriminant_offset(node) * 2,
				(uint16_t)schema_field_discriminant(field));
	if (schema_annotation_find(schema_member_annotations(field), SCHEMA_ANNOTATION_SENSITIVE, &ignored))
		e->sh->sensitive = true;
	if (schema_field_is_group(field)) {
		if (v->kind != SHELL_STRUCT)
			return shell_fail(e->sh, place(e, v->at), "%.*s takes a struct in ( ), not %s",
					(int)what.bytes, what.chars, value_name(v));
		return encode_struct(e, to, schema_field_group(field), v, what);
	}
	type = schema_field_type(field);
	if (schema_type_is_pointer(type))
		return encode_pointer(e, capnp_pointer_builder(to, schema_field_offset(field)), type, v, what);
	if (!scalar(e, v, type, what, &bits))
		return false;
	set_scalar(to, type, schema_field_offset(field), bits ^ schema_value_bits(schema_field_default(field)));
	return true;
}

static COLD bool unknown_field(struct encoder *e, struct schema_node node, struct shell_word name,
		struct capnp_text what)
{
	char names[NAMES_SHOWN_BYTES];

	list_names(node, false, names, sizeof(names));
	if (names[0] == 0)
		return shell_fail(e->sh, place(e, name.at), "%.*s takes nothing", (int)what.bytes, what.chars);
	return shell_fail(e->sh, place(e, name.at), "%.*s has no %.*s; it has %s", (int)what.bytes, what.chars,
			(int)name.bytes, name.chars, names);
}

static bool encode_struct(struct encoder *e, struct capnp_struct_builder to, struct schema_node node,
		const struct shell_value *v, struct capnp_text what)
{
	if (e->depth == SHELL_DEPTH_MAX)
		return shell_fail(e->sh, place(e, v->at), "values are nested too deep here");
	e->depth++;
	for (const struct shell_field *f = v->fields; f; f = f->next) {
		struct schema_member field;

		if (!schema_field_find(node, text_of(f->name), &field))
			return unknown_field(e, node, f->name, what);
		for (const struct shell_field *other = v->fields; other != f; other = other->next) {
			if (capnp_text_is(text_of(other->name), text_of(f->name)))
				return shell_fail(e->sh, place(e, f->name.at), "%.*s is given twice",
						(int)f->name.bytes, f->name.chars);
		}
		if (!encode_field(e, to, node, field, f->value))
			return false;
	}
	e->depth--;
	return true;
}

bool shell_encode(struct shell *sh, struct client_call *call, struct capnp_struct_builder to,
		struct schema_node node, const struct shell_value *fields, struct capnp_text what)
{
	struct encoder e = { sh, call, UINT32_MAX, 0 };

	return encode_struct(&e, to, node, fields, what);
}
