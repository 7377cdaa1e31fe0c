/*
 * Readers and builders of structs: one static inline function for each thing that can be asked of
 * a field. A group is the same struct under another name.
 */
#include <string.h>

#include "gen.h"

/* What every accessor of a field needs to be written. */
struct accessor {
	struct schema_node node;
	struct schema_member field;
	struct schema_type type;
	const char *owner;      /* C name of the struct */
	uint32_t offset;        /* bytes; bits for Bool; pointers for pointers */
	uint64_t bits;          /* default of a scalar */
	bool in_union;
};

/* --- Types ----------------------------------------------------------------------------------- */

const char *type_scalar_c(struct schema_type type)
{
	static const char *const names[] = { "void", "bool", "int8_t", "int16_t", "int32_t", "int64_t",
		"uint8_t", "uint16_t", "uint32_t", "uint64_t", "float", "double" };
	enum schema_type_kind kind = schema_type_kind(type);

	if (kind == SCHEMA_ENUM_TYPE)
		return name_format("enum %s", name_node(schema_type_node(type)));
	if (kind > SCHEMA_FLOAT64)
		die("a scalar was expected");
	return names[kind];
}

const char *type_accessor(struct schema_type type)
{
	static const char *const names[] = { "void", "bool", "i8", "i16", "i32", "i64", "u8", "u16",
		"u32", "u64", "f32", "f64" };
	enum schema_type_kind kind = schema_type_kind(type);

	return kind == SCHEMA_ENUM_TYPE ? "u16" : names[kind];
}

const char *type_size_c(struct schema_type element)
{
	static const char *const names[] = { "CAPNP_VOID", "CAPNP_BIT", "CAPNP_BYTE", "CAPNP_TWO_BYTES",
		"CAPNP_FOUR_BYTES", "CAPNP_EIGHT_BYTES", "CAPNP_POINTER", "CAPNP_COMPOSITE" };

	return names[schema_type_size(element)];
}

bool type_is_float(struct schema_type type)
{
	enum schema_type_kind kind = schema_type_kind(type);

	return kind == SCHEMA_FLOAT32 || kind == SCHEMA_FLOAT64;
}

/* --- Unions ---------------------------------------------------------------------------------- */

/* Opens the body of a getter; returns `otherwise` where another member of the union is set. */
static void union_guard_emit(const struct accessor *a, const char *otherwise)
{
	if (a->in_union)
		emit("\tif (%s_which(r) != %s_WHICH_%s)\n\t\treturn %s;\n", a->owner,
				name_node_upper(a->node), name_upper(schema_member_name(a->field)),
				otherwise);
}

/* Selects the member in a setter. */
static void union_select_emit(const struct accessor *a)
{
	if (a->in_union)
		emit("\tcapnp_set_u16(b.s, %u, %s_WHICH_%s);\n",
				schema_struct_discriminant_offset(a->node) * 2, name_node_upper(a->node),
				name_upper(schema_member_name(a->field)));
}

static void which_emit(struct schema_node node)
{
	const char *owner = name_node(node);

	emit("\nenum %s_which {\n", owner);
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		if (schema_field_discriminant(field) != SCHEMA_NO_DISCRIMINANT)
			emit("\t%s_WHICH_%s = %u,\n", name_node_upper(node),
					name_upper(schema_member_name(field)),
					schema_field_discriminant(field));
	}
	emit("};\n\n");
	emit("/* Which member of the union is set; a newer peer may send another number. */\n");
	emit("static inline enum %s_which %s_which(struct %s_reader r)\n{\n", owner, owner, owner);
	emit("\treturn (enum %s_which)capnp_get_u16(r.s, %u);\n}\n", owner,
			schema_struct_discriminant_offset(node) * 2);
}

/* --- Functions' first lines ------------------------------------------------------------------ */

static void getter_open(const struct accessor *a, const char *type)
{
	emit("\nstatic inline %s %s_get_%s(struct %s_reader r)\n{\n", type, a->owner,
			name_member(a->field), a->owner);
}

static void setter_open(const struct accessor *a, const char *parameter)
{
	emit("\nstatic inline void %s_set_%s(struct %s_builder b%s%s)\n{\n", a->owner,
			name_member(a->field), a->owner,
			parameter[0] != '\0' ? ", " : "", parameter);
	union_select_emit(a);
}

static void init_open(const struct accessor *a, const char *type, const char *parameter)
{
	emit("\nstatic inline %s%s%s_init_%s(struct %s_builder b%s%s)\n{\n", type,
			type[strlen(type) - 1] == '*' ? "" : " ", a->owner,
			name_member(a->field), a->owner,
			parameter[0] != '\0' ? ", " : "", parameter);
	union_select_emit(a);
}

/* --- Scalars --------------------------------------------------------------------------------- */

static void void_emit(const struct accessor *a)
{
	if (!a->in_union)
		return;
	setter_open(a, "");
	emit("}\n");
}

static void bool_emit(const struct accessor *a)
{
	const char *sign = a->bits != 0 ? "!" : "";

	getter_open(a, "bool");
	union_guard_emit(a, a->bits != 0 ? "true" : "false");
	emit("\treturn %scapnp_get_bool(r.s, %u);\n}\n", sign, a->offset);
	setter_open(a, "bool value");
	emit("\tcapnp_set_bool(b.s, %u, %svalue);\n}\n", a->offset, sign);
}

/* Bits of a number as an unsigned constant of its width. */
static const char *bits_literal(const struct accessor *a)
{
	uint32_t width = schema_type_bits(a->type);
	uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;

	return name_format("UINT%u_C(0x%llx)", width, (unsigned long long)(a->bits & mask));
}

static void integer_emit(const struct accessor *a)
{
	const char *type = type_scalar_c(a->type);
	uint32_t width = schema_type_bits(a->type);

	getter_open(a, type);
	union_guard_emit(a, a->bits != 0 ? name_format("(%s)%s", type, bits_literal(a)) : "0");
	if (a->bits == 0)
		emit("\treturn capnp_get_%s(r.s, %u);\n}\n", type_accessor(a->type), a->offset);
	else
		emit("\treturn (%s)(capnp_get_u%u(r.s, %u) ^ %s);\n}\n", type, width, a->offset,
				bits_literal(a));
	setter_open(a, name_format("%s value", type));
	if (a->bits == 0)
		emit("\tcapnp_set_%s(b.s, %u, value);\n}\n", type_accessor(a->type), a->offset);
	else
		emit("\tcapnp_set_u%u(b.s, %u, (uint%u_t)((uint%u_t)value ^ %s));\n}\n", width,
				a->offset, width, width, bits_literal(a));
}

static void enum_field_emit(const struct accessor *a)
{
	struct schema_node node = schema_type_node(a->type);
	const char *name = name_node(node);
	bool codes = enum_has_codes(node);
	const char *type = name_format("enum %s", name);
	const char *wire = name_format("capnp_get_u16(r.s, %u)", a->offset);

	if (a->bits != 0)
		wire = name_format("(uint16_t)(%s ^ %s)", wire, bits_literal(a));
	getter_open(a, type);
	union_guard_emit(a, name_format(codes ? "%s_of_ordinal(%u)" : "(enum %s)%u", name,
			(unsigned)a->bits));
	emit(codes ? "\treturn %s_of_ordinal(%s);\n}\n" : "\treturn (enum %s)%s;\n}\n", name, wire);
	setter_open(a, name_format("%s value", type));
	wire = codes ? name_format("%s_ordinal(value)", name) : "(uint16_t)value";
	if (a->bits != 0)
		wire = name_format("(uint16_t)(%s ^ %s)", wire, bits_literal(a));
	emit("\tcapnp_set_u16(b.s, %u, %s);\n}\n", a->offset, wire);
}

/* Floats go through their bits; the kernel, which has no floating point, sees only those. */
static void float_emit(const struct accessor *a)
{
	const char *type = type_scalar_c(a->type);
	const char *field = name_member(a->field);
	uint32_t width = schema_type_bits(a->type);

	emit("\nstatic inline uint%u_t %s_get_%s_bits(struct %s_reader r)\n{\n", width, a->owner, field,
			a->owner);
	union_guard_emit(a, bits_literal(a));
	emit("\treturn capnp_get_u%u(r.s, %u) ^ %s;\n}\n", width, a->offset, bits_literal(a));
	emit("\nstatic inline void %s_set_%s_bits(struct %s_builder b, uint%u_t bits)\n{\n", a->owner,
			field, a->owner, width);
	union_select_emit(a);
	emit("\tcapnp_set_u%u(b.s, %u, bits ^ %s);\n}\n", width, a->offset, bits_literal(a));
	emit("#ifndef CAPOS_KERNEL\n");
	emit("static inline %s %s_get_%s(struct %s_reader r)\n{\n", type, a->owner, field, a->owner);
	emit("\tuint%u_t bits = %s_get_%s_bits(r);\n\t%s value;\n\n", width, a->owner, field, type);
	emit("\t__builtin_memcpy(&value, &bits, sizeof(value));\n\treturn value;\n}\n");
	emit("\nstatic inline void %s_set_%s(struct %s_builder b, %s value)\n{\n", a->owner, field,
			a->owner, type);
	emit("\tuint%u_t bits;\n\n\t__builtin_memcpy(&bits, &value, sizeof(bits));\n", width);
	emit("\t%s_set_%s_bits(b, bits);\n}\n#endif\n", a->owner, field);
}

/* --- Pointers -------------------------------------------------------------------------------- */

static void has_emit(const struct accessor *a)
{
	emit("\nstatic inline bool %s_has_%s(struct %s_reader r)\n{\n", a->owner,
			name_member(a->field), a->owner);
	union_guard_emit(a, "false");
	emit("\treturn capnp_has(r.s, %u);\n}\n", a->offset);
}

/* The words of a pointer's default, before its getter. Their name, or NULL if there is none. */
static const char *pointer_default_emit(const struct accessor *a)
{
	struct capnp_struct_reader value = schema_field_default(a->field);
	struct capnp_any any = schema_value_pointer(value);
	const char *name;

	if (!schema_field_has_explicit_default(a->field) || capnp_any_is_null(any))
		return NULL;
	name = name_format("%s_%s_default", a->owner, name_member(a->field));
	emit("\n");
	emit_words(name, any);
	return name;
}

/* Sets `any` to the pointer: nothing where another member of the union is set, the default's root
 * where there is nothing. */
static void pick_emit(const struct accessor *a, const char *default_name)
{
	emit("\tstruct capnp_any any = capnp_pointer(r.s, %u);\n\n", a->offset);
	if (a->in_union)
		emit("\tif (%s_which(r) != %s_WHICH_%s)\n\t\tany.pointer = 0;\n", a->owner,
				name_node_upper(a->node), name_upper(schema_member_name(a->field)));
	if (default_name != NULL)
		emit("\tif (capnp_any_is_null(any))\n\t\tany = capnp_root(&%s_message);\n",
				default_name);
}

/* A getter that returns `before`, the pointer, `after`. */
static void pointer_getter_emit(const struct accessor *a, const char *type, const char *before,
		const char *after)
{
	const char *default_name = pointer_default_emit(a);

	getter_open(a, type);
	if (default_name != NULL || a->in_union) {
		pick_emit(a, default_name);
		emit("\treturn %sany%s;\n}\n", before, after);
	} else {
		emit("\treturn %scapnp_pointer(r.s, %u)%s;\n}\n", before, a->offset, after);
	}
	has_emit(a);
}

static void simple_setter_emit(const struct accessor *a, const char *parameter, const char *function,
		const char *argument)
{
	setter_open(a, parameter);
	emit("\t%s(capnp_pointer_builder(b.s, %u), %s);\n}\n", function, a->offset, argument);
}

static void text_emit(const struct accessor *a)
{
	pointer_getter_emit(a, "struct capnp_text", "capnp_any_text(", ")");
	simple_setter_emit(a, "struct capnp_text value", "capnp_set_text", "value");
	init_open(a, "char *", "uint32_t bytes");
	emit("\treturn capnp_init_text(capnp_pointer_builder(b.s, %u), bytes);\n}\n", a->offset);
}

static void data_emit(const struct accessor *a)
{
	pointer_getter_emit(a, "struct capnp_data", "capnp_any_data(", ")");
	simple_setter_emit(a, "struct capnp_data value", "capnp_set_data", "value");
	init_open(a, "uint8_t *", "uint32_t count");
	emit("\treturn capnp_init_data(capnp_pointer_builder(b.s, %u), count);\n}\n", a->offset);
}

static bool type_is_integer(struct schema_type type)
{
	switch (schema_type_kind(type)) {
	case SCHEMA_INT8:
	case SCHEMA_INT16:
	case SCHEMA_INT32:
	case SCHEMA_INT64:
	case SCHEMA_UINT8:
	case SCHEMA_UINT16:
	case SCHEMA_UINT32:
	case SCHEMA_UINT64:
		return true;
	default:
		return false;
	}
}

/* A list of integers as an array. */
static void array_emit(const struct accessor *a, struct schema_type element)
{
	const char *accessor = type_accessor(element);

	emit("\n/* As init; every element is to be set. */\n"
			"static inline struct capnp_%ss_builder %s_fill_%s(struct %s_builder b, uint32_t count)\n{\n",
			accessor, a->owner, name_member(a->field), a->owner);
	union_select_emit(a);
	emit("\treturn capnp_fill_%ss(capnp_pointer_builder(b.s, %u), count);\n}\n", accessor, a->offset);
}

static void list_emit(const struct accessor *a)
{
	struct schema_type element = schema_type_element(a->type);
	const char *size = type_size_c(element);
	bool is_numbers = type_is_integer(element);

	pointer_getter_emit(a, "struct capnp_list", is_numbers ? "capnp_any_numbers(" : "capnp_any_list(",
			name_format(", %s)", size));
	simple_setter_emit(a, "struct capnp_list value", "capnp_set_list", "value");
	init_open(a, "struct capnp_list_builder", "uint32_t count");
	if (schema_type_kind(element) == SCHEMA_STRUCT_TYPE)
		emit("\treturn capnp_init_struct_list(capnp_pointer_builder(b.s, %u), count, %u, %u);\n",
				a->offset, schema_struct_data_words(schema_type_node(element)),
				schema_struct_pointer_count(schema_type_node(element)));
	else
		emit("\treturn capnp_init_list(capnp_pointer_builder(b.s, %u), %s, count);\n",
				a->offset, size);
	emit("}\n");
	if (is_numbers)
		array_emit(a, element);
}

static void struct_field_emit(const struct accessor *a)
{
	struct schema_node node = schema_type_node(a->type);
	const char *name = name_node(node);
	const char *reader = name_format("struct %s_reader", name);
	const char *builder = name_format("struct %s_builder", name);

	pointer_getter_emit(a, reader, name_format("(%s){ capnp_any_struct(", reader), ") }");
	simple_setter_emit(a, name_format("%s value", reader), "capnp_set_struct", "value.s");
	init_open(a, builder, "");
	emit("\treturn (%s){ capnp_init_struct(capnp_pointer_builder(b.s, %u), %u, %u) };\n}\n", builder,
			a->offset, schema_struct_data_words(node), schema_struct_pointer_count(node));
}

static void cap_emit(const struct accessor *a)
{
	pointer_getter_emit(a, "struct capnp_cap", "capnp_any_cap(", ")");
	simple_setter_emit(a, "struct capnp_cap value", "capnp_set_cap", "value");
}

static void any_emit(const struct accessor *a)
{
	pointer_getter_emit(a, "struct capnp_any", "", "");
	simple_setter_emit(a, "struct capnp_any value", "capnp_set_any", "value");
	init_open(a, "struct capnp_any_builder", "");
	emit("\treturn capnp_pointer_builder(b.s, %u);\n}\n", a->offset);
}

/* --- Groups ---------------------------------------------------------------------------------- */

/* Clears what a union's group may find left by another member. */
static void group_clear_emit(struct schema_node group, uint32_t depth)
{
	if (depth == 0)
		die("groups are nested too deeply");
	if (schema_struct_discriminant_count(group) != 0)
		emit("\tcapnp_set_u16(b.s, %u, 0);\n", schema_struct_discriminant_offset(group) * 2);
	for (uint32_t i = 0; i < schema_field_count(group); i++) {
		struct schema_member field = schema_field_at(group, i);
		struct schema_type type = schema_field_type(field);
		uint32_t bits = schema_type_bits(type);
		uint32_t offset = schema_field_offset(field);

		if (schema_field_is_group(field))
			group_clear_emit(schema_field_group(field), depth - 1);
		else if (schema_type_is_pointer(type))
			emit("\tcapnp_set_null(capnp_pointer_builder(b.s, %u));\n", offset);
		else if (bits == 1)
			emit("\tcapnp_set_bool(b.s, %u, false);\n", offset);
		else if (bits != 0)
			emit("\tcapnp_set_u%u(b.s, %u, 0);\n", bits, offset * bits / 8);
	}
}

static void group_emit(const struct accessor *a)
{
	struct schema_node group = schema_field_group(a->field);
	const char *name = name_node(group);
	const char *type = name_format("struct %s_reader", name);

	getter_open(a, type);
	if (a->in_union)
		emit("\tif (%s_which(r) != %s_WHICH_%s) {\n\t\tr.s.data_bytes = 0;\n"
				"\t\tr.s.pointer_count = 0;\n\t}\n", a->owner, name_node_upper(a->node),
				name_upper(schema_member_name(a->field)));
	emit("\treturn (%s){ r.s };\n}\n", type);
	type = name_format("struct %s_builder", name);
	init_open(a, type, "");
	if (a->in_union)
		group_clear_emit(group, CAPNP_DEPTH_MAX);
	emit("\treturn (%s){ b.s };\n}\n", type);
}

/* --- Fields and structs ---------------------------------------------------------------------- */

static void slot_emit(const struct accessor *a)
{
	switch (schema_type_kind(a->type)) {
	case SCHEMA_VOID:
		void_emit(a);
		break;
	case SCHEMA_BOOL:
		bool_emit(a);
		break;
	case SCHEMA_FLOAT32:
	case SCHEMA_FLOAT64:
		float_emit(a);
		break;
	case SCHEMA_TEXT:
		text_emit(a);
		break;
	case SCHEMA_DATA:
		data_emit(a);
		break;
	case SCHEMA_LIST:
		list_emit(a);
		break;
	case SCHEMA_ENUM_TYPE:
		enum_field_emit(a);
		break;
	case SCHEMA_STRUCT_TYPE:
		struct_field_emit(a);
		break;
	case SCHEMA_INTERFACE_TYPE:
		cap_emit(a);
		break;
	case SCHEMA_ANY_POINTER:
		if (schema_type_is_capability(a->type))
			cap_emit(a);
		else
			any_emit(a);
		break;
	default:
		integer_emit(a);
		break;
	}
}

static void field_emit(struct schema_node node, struct schema_member field)
{
	struct accessor a = { .node = node, .field = field };
	uint32_t bits;

	a.owner = name_node(node);
	a.in_union = schema_field_discriminant(field) != SCHEMA_NO_DISCRIMINANT;
	if (schema_field_is_group(field)) {
		group_emit(&a);
		return;
	}
	a.type = schema_field_type(field);
	bits = schema_type_bits(a.type);
	a.offset = schema_field_offset(field);
	if (bits > 1 && !schema_type_is_pointer(a.type))
		a.offset *= bits / 8;
	a.bits = schema_value_bits(schema_field_default(field));
	slot_emit(&a);
}

void struct_declare(struct schema_node node)
{
	const char *name = name_node(node);

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("struct %s_reader {\n\tstruct capnp_struct_reader s;\n};\n", name);
	emit("struct %s_builder {\n\tstruct capnp_struct_builder s;\n};\n", name);
}

/* What a struct has and a group has not: a size, roots, elements of lists. */
static void whole_struct_emit(struct schema_node node)
{
	const char *name = name_node(node);
	const char *upper = name_node_upper(node);

	emit("\n#define %s_DATA_WORDS %uu\n#define %s_POINTERS %uu\n", upper,
			schema_struct_data_words(node), upper, schema_struct_pointer_count(node));
	emit("\nstatic inline struct %s_reader %s_get_root(struct capnp_message *message)\n{\n"
			"\treturn (struct %s_reader){ capnp_root_struct(message, %s_DATA_WORDS, "
			"%s_POINTERS) };\n}\n", name, name, name, upper, upper);
	emit("\nstatic inline struct %s_builder %s_init_root(struct capnp_builder *builder)\n{\n"
			"\treturn (struct %s_builder){ capnp_init_root_struct(builder, "
			"%s_DATA_WORDS, %s_POINTERS) };\n}\n", name, name, name, upper, upper);
	emit("\nstatic inline struct %s_reader %s_at(struct capnp_list list, uint32_t index)\n{\n"
			"\treturn (struct %s_reader){ capnp_list_struct(list, index) };\n}\n", name, name,
			name);
	emit("\nstatic inline struct %s_builder %s_builder_at(struct capnp_list_builder list, "
			"uint32_t index)\n{\n\treturn (struct %s_builder){ "
			"capnp_list_struct_builder(list, index) };\n}\n", name, name, name);
	/* AnyPointer and generic fields hold any struct. */
	emit("\nstatic inline struct %s_reader %s_of_any(struct capnp_any any)\n{\n"
			"\treturn (struct %s_reader){ capnp_any_struct(any) };\n}\n", name, name, name);
	emit("\nstatic inline struct %s_builder %s_build_any(struct capnp_any_builder any)\n{\n"
			"\treturn (struct %s_builder){ capnp_init_struct(any, %s_DATA_WORDS, "
			"%s_POINTERS) };\n}\n", name, name, name, upper, upper);
}

void struct_emit(struct schema_node node)
{
	const char *name = name_node(node);

	emit("\n/* --- %s --- */\n", name_of_text(schema_node_path(node)));
	if (!schema_struct_is_group(node))
		whole_struct_emit(node);
	emit("\nstatic inline struct %s_reader %s_as_reader(struct %s_builder b)\n{\n"
			"\treturn (struct %s_reader){ capnp_struct_as_reader(b.s) };\n}\n", name, name,
			name, name);
	if (schema_struct_discriminant_count(node) != 0)
		which_emit(node);
	for (uint32_t i = 0; i < schema_field_count(node); i++)
		field_emit(node, schema_field_at(node, i));
}
