/*
 * Enums with their tables of names and sentences, constants, and C layouts of shared memory.
 */
#include <stdlib.h>
#include <string.h>

#include "gen.h"

/* --- Enums ----------------------------------------------------------------------------------- */

static const char *enumerant_c(struct schema_node node, uint32_t index)
{
	struct capnp_text name = schema_member_name(schema_enumerant_at(node, index));

	return name_format("%s_%s", name_node_upper(node), name_upper(name));
}

static bool enumerant_annotation(struct schema_node node, uint32_t index, uint64_t id,
		struct capnp_struct_reader *value)
{
	return schema_annotation_find(schema_member_annotations(schema_enumerant_at(node, index)), id,
			value);
}

static bool enum_has(struct schema_node node, uint64_t annotation)
{
	struct capnp_struct_reader value;

	for (uint32_t i = 0; i < schema_enumerant_count(node); i++)
		if (enumerant_annotation(node, i, annotation, &value))
			return true;
	return false;
}

bool enum_has_codes(struct schema_node node)
{
	return enum_has(node, SCHEMA_ANNOTATION_CODE);
}

void enum_emit(struct schema_node node)
{
	uint32_t count = schema_enumerant_count(node);
	bool codes = enum_has_codes(node);
	bool has_count = false;

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("enum %s {\n", name_node(node));
	for (uint32_t i = 0; i < count; i++) {
		struct capnp_struct_reader value;
		int64_t code = i;

		if (enumerant_annotation(node, i, SCHEMA_ANNOTATION_CODE, &value))
			code = (int64_t)schema_value_bits(value);
		has_count |= capnp_text_equals(schema_member_name(schema_enumerant_at(node, i)),
				"count");
		emit_doc(schema_member_doc(node, i), "\t");
		emit("\t%s = %lld,\n", enumerant_c(node, i), (long long)code);
	}
	emit("};\n");
	if (!has_count)
		emit("#define %s_COUNT %u%s\n", name_node_upper(node), count,
				codes ? " /* how many, not a bound of the codes */" : "");
}

static void enum_switch_emit(struct schema_node node, const char *what, bool is_sentence)
{
	const char *name = name_node(node);

	emit("\nstatic inline const char *%s_%s(enum %s value)\n{\n\tswitch (value) {\n", name, what,
			name);
	for (uint32_t i = 0; i < schema_enumerant_count(node); i++) {
		struct capnp_text text = schema_member_name(schema_enumerant_at(node, i));
		struct capnp_struct_reader value;

		if (is_sentence) {
			if (!enumerant_annotation(node, i, SCHEMA_ANNOTATION_SENTENCE, &value))
				continue;
			text = capnp_any_text(schema_value_pointer(value));
		}
		emit("\tcase %s:\n\t\treturn ", enumerant_c(node, i));
		emit_literal(text);
		emit(";\n");
	}
	emit("\tdefault:\n\t\treturn \"unknown\";\n\t}\n}\n");
}

/* Where the C value is not the ordinal, the wire's value is translated. */
static void enum_ordinals_emit(struct schema_node node)
{
	const char *name = name_node(node);
	uint32_t count = schema_enumerant_count(node);

	emit("\nstatic inline enum %s %s_of_ordinal(uint16_t ordinal)\n{\n\tswitch (ordinal) {\n", name,
			name);
	for (uint32_t i = 0; i < count; i++)
		emit("\tcase %u:\n\t\treturn %s;\n", i, enumerant_c(node, i));
	emit("\tdefault:\n\t\treturn (enum %s)ordinal;\n\t}\n}\n", name);
	emit("\nstatic inline uint16_t %s_ordinal(enum %s value)\n{\n\tswitch (value) {\n", name, name);
	for (uint32_t i = 0; i < count; i++)
		emit("\tcase %s:\n\t\treturn %u;\n", enumerant_c(node, i), i);
	emit("\tdefault:\n\t\treturn (uint16_t)value;\n\t}\n}\n");
}

void enum_helpers_emit(struct schema_node node)
{
	enum_switch_emit(node, "name", false);
	if (enum_has(node, SCHEMA_ANNOTATION_SENTENCE))
		enum_switch_emit(node, "sentence", true);
	if (enum_has_codes(node))
		enum_ordinals_emit(node);
}

/* --- Constants ------------------------------------------------------------------------------- */

bool const_needs_struct(struct schema_node node)
{
	enum schema_type_kind kind = schema_type_kind(schema_const_type(node));

	return kind == SCHEMA_LIST || kind == SCHEMA_STRUCT_TYPE || kind == SCHEMA_DATA;
}

static void const_float_emit(const char *name, struct schema_type type, uint64_t bits)
{
	double wide;
	float narrow;
	uint32_t low = (uint32_t)bits;

	emit("#ifndef CAPOS_KERNEL\n");
	if (schema_type_kind(type) == SCHEMA_FLOAT32) {
		memcpy(&narrow, &low, sizeof(narrow));
		emit("#define %s %af\n", name, (double)narrow);
	} else {
		memcpy(&wide, &bits, sizeof(wide));
		emit("#define %s %a\n", name, wide);
	}
	emit("#endif\n");
}

static void const_pointer_emit(struct schema_node node, struct schema_type type,
		struct capnp_any any)
{
	const char *name = name_node(node);

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit_words(name, any);
	switch (schema_type_kind(type)) {
	case SCHEMA_DATA:
		emit("static inline struct capnp_data %s(void)\n{\n\treturn "
				"capnp_any_data(capnp_root(&%s_message));\n}\n", name, name);
		break;
	case SCHEMA_LIST:
		emit("static inline struct capnp_list %s(void)\n{\n\treturn "
				"capnp_any_list(capnp_root(&%s_message), %s);\n}\n", name, name,
				type_size_c(schema_type_element(type)));
		break;
	default: {
		const char *c = name_node(schema_type_node(type));

		emit("static inline struct %s_reader %s(void)\n{\n\treturn (struct %s_reader){ "
				"capnp_any_struct(capnp_root(&%s_message)) };\n}\n", c, name, c, name);
		break;
	}
	}
}

void const_emit(struct schema_node node)
{
	struct schema_type type = schema_const_type(node);
	struct capnp_struct_reader value = schema_const_value(node);
	const char *name = name_node_upper(node);
	uint64_t bits = schema_value_bits(value);
	uint32_t width = schema_type_bits(type);

	if (const_needs_struct(node)) {
		const_pointer_emit(node, type, schema_value_pointer(value));
		return;
	}
	emit_doc(schema_node_doc(node), "");
	switch (schema_type_kind(type)) {
	case SCHEMA_VOID:
		break;
	case SCHEMA_BOOL:
		emit("#define %s %s\n", name, bits != 0 ? "true" : "false");
		break;
	case SCHEMA_INT64:
		if ((int64_t)bits == INT64_MIN) {
			emit("#define %s INT64_MIN\n", name);
			break;
		}
		__attribute__((fallthrough));
	case SCHEMA_INT8:
	case SCHEMA_INT16:
	case SCHEMA_INT32:
		emit("#define %s (%sINT%u_C(%lld))\n", name, (int64_t)bits < 0 ? "-" : "", width,
				llabs((long long)bits));
		break;
	case SCHEMA_FLOAT32:
	case SCHEMA_FLOAT64:
		const_float_emit(name, type, bits);
		break;
	case SCHEMA_TEXT:
		emit("#define %s ", name);
		emit_literal(capnp_any_text(schema_value_pointer(value)));
		emit("\n");
		break;
	case SCHEMA_ENUM_TYPE:
		emit("#define %s %s\n", name, enumerant_c(schema_type_node(type), (uint32_t)bits));
		break;
	default:
		emit("#define %s UINT%u_C(%llu)\n", name, width, (unsigned long long)bits);
		break;
	}
}

/* --- Layouts --------------------------------------------------------------------------------- */

static uint32_t annotation_number(struct capnp_list annotations, uint64_t id, uint32_t otherwise)
{
	struct capnp_struct_reader value;

	return schema_annotation_find(annotations, id, &value) ? (uint32_t)schema_value_bits(value) :
		otherwise;
}

bool layout_is(struct schema_node node)
{
	return annotation_number(schema_node_annotations(node), SCHEMA_ANNOTATION_ABI, 0) != 0;
}

static uint32_t layout_offset(struct schema_member field)
{
	uint32_t offset = annotation_number(schema_member_annotations(field), SCHEMA_ANNOTATION_AT,
			UINT32_MAX);

	if (offset == UINT32_MAX)
		die("a field of a layout has no offset: %s", name_field(field));
	return offset;
}

/* The field that stands at or first after `offset`. */
static bool layout_next(struct schema_node node, uint32_t offset, struct schema_member *next)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);
		uint32_t at = layout_offset(field);

		if (at >= offset && at < best) {
			best = at;
			*next = field;
		}
	}
	return best != UINT32_MAX;
}

static void layout_padding_emit(uint32_t from, uint32_t to)
{
	if (to > from)
		emit("\tuint8_t reserved_%u[%u];\n", from, to - from);
}

static void layout_assertions_emit(struct schema_node node, uint32_t bytes)
{
	const char *name = name_node(node);

	emit("_Static_assert(sizeof(struct %s) == %u, \"%s\");\n", name, bytes, name);
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		emit("_Static_assert(__builtin_offsetof(struct %s, %s) == %u, \"%s\");\n", name,
				name_field(field), layout_offset(field), name_field(field));
	}
}

void layout_emit(struct schema_node node)
{
	uint32_t bytes = annotation_number(schema_node_annotations(node), SCHEMA_ANNOTATION_ABI, 0);
	uint32_t fields = 0;
	struct schema_member field;
	uint32_t offset = 0;

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("struct %s {\n", name_node(node));
	while (layout_next(node, offset, &field)) {
		struct schema_type type = schema_field_type(field);
		uint32_t times = annotation_number(schema_member_annotations(field),
				SCHEMA_ANNOTATION_TIMES, 0);
		uint32_t at = layout_offset(field);

		uint64_t end = at + (uint64_t)schema_type_bits(type) / 8 * (times != 0 ? times : 1);

		if (schema_type_bits(type) < 8 || end > bytes)
			die("a field of the layout %s does not fit in it", name_node(node));
		layout_padding_emit(offset, at);
		emit_doc(schema_member_doc(node, field.index), "\t");
		emit("\t%s %s", type_scalar_c(type), name_field(field));
		if (times != 0)
			emit("[%u]", times);
		emit(";\n");
		offset = (uint32_t)end;
		fields++;
	}
	if (fields != schema_field_count(node))
		die("fields of the layout %s overlap", name_node(node));
	layout_padding_emit(offset, bytes);
	emit("};\n");
	layout_assertions_emit(node, bytes);
}
