/*
 * Schemas as data: see schema.h. Offsets are those of CodeGeneratorRequest, Node, Field, Type and
 * Value in the official schema.capnp.
 */
#include "capnp/schema.h"

#include "capnp/capnp_file.h"

/* A list of structs. Elements without any size are nothing that a compiler writes; half a billion of
 * them fit in two words, and nobody is to walk those. */
static struct capnp_list records(struct capnp_any any)
{
	struct capnp_list list = capnp_any_list(any, CAPNP_COMPOSITE);

	if (list.step_bits == 0)
		list.count = 0;
	return list;
}

/* Sorts node numbers by id, so that schema_find is a binary search. Shell sort: small, in place,
 * no recursion. */
static void order_sort(struct schema *schema, uint32_t count)
{
	uint32_t *order = schema->order;

	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	for (uint32_t gap = count / 2; gap > 0; gap /= 2) {
		for (uint32_t i = gap; i < count; i++) {
			uint32_t moved = order[i];
			uint64_t id = schema_node_id(schema_node_at(schema, moved));
			uint32_t j = i;

			while (j >= gap && schema_node_id(schema_node_at(schema, order[j - gap])) > id) {
				order[j] = order[j - gap];
				j -= gap;
			}
			order[j] = moved;
		}
	}
}

int32_t schema_open(struct schema *schema, const uint64_t *file, uint64_t count, uint64_t *arena,
		uint32_t arena_words)
{
	struct capnp_struct_reader root;
	uint32_t order_words;
	uint32_t used;
	int32_t status;

	__builtin_memset(schema, 0, sizeof(*schema));
	status = capnp_file_open(file, count, arena, arena_words, &schema->message);
	if (status != CAPNP_OK)
		return status;
	root = capnp_any_struct(capnp_root(&schema->message));
	schema->nodes = records(capnp_pointer(root, 0));
	schema->files = records(capnp_pointer(root, 1));
	schema->sources = records(capnp_pointer(root, 3));
	if (schema->message.status != CAPNP_OK)
		return schema->message.status;
	used = schema->message.words == arena ? schema->message.count : 0;
	order_words = schema->nodes.count / 2 + 1;
	if (order_words > arena_words - used)
		return CAPNP_TOO_LARGE;
	schema->order = (uint32_t *)(void *)(arena + used);
	order_sort(schema, schema->nodes.count);
	return CAPNP_OK;
}

struct capnp_list schema_file_imports(struct capnp_struct_reader file)
{
	return records(capnp_pointer(file, 1));
}

/* --- Nodes ----------------------------------------------------------------------------------- */

static struct schema_node node_null(const struct schema *schema)
{
	struct schema_node node;

	__builtin_memset(&node, 0, sizeof(node));
	node.schema = schema;
	node.s.message = schema->nodes.message;
	return node;
}

uint32_t schema_node_count(const struct schema *schema)
{
	return schema->nodes.count;
}

struct schema_node schema_node_at(const struct schema *schema, uint32_t index)
{
	return (struct schema_node){ schema, capnp_list_struct(schema->nodes, index) };
}

struct schema_node schema_find(const struct schema *schema, uint64_t id)
{
	uint32_t low = 0;
	uint32_t high = schema->nodes.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct schema_node node = schema_node_at(schema, schema->order[middle]);
		uint64_t node_id = schema_node_id(node);

		if (node_id == id)
			return node;
		if (node_id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return node_null(schema);
}

struct schema_node schema_find_name(const struct schema *schema, struct capnp_text name)
{
	for (uint32_t i = 0; i < schema->nodes.count; i++) {
		struct schema_node node = schema_node_at(schema, i);

		if (schema_node_kind(node) != SCHEMA_FILE &&
		    capnp_text_is(schema_node_path(node), name))
			return node;
	}
	return node_null(schema);
}

uint64_t schema_node_id(struct schema_node node)
{
	return capnp_get_u64(node.s, 0);
}

enum schema_kind schema_node_kind(struct schema_node node)
{
	return (enum schema_kind)capnp_get_u16(node.s, 12);
}

uint64_t schema_node_scope(struct schema_node node)
{
	return capnp_get_u64(node.s, 16);
}

struct capnp_text schema_node_display_name(struct schema_node node)
{
	return capnp_any_text(capnp_pointer(node.s, 0));
}

static struct capnp_text text_from(struct capnp_text text, uint32_t start)
{
	if (start > text.bytes)
		start = text.bytes;
	return capnp_text_of(text.chars + start, text.bytes - start);
}

struct capnp_text schema_node_name(struct schema_node node)
{
	return text_from(schema_node_display_name(node), capnp_get_u32(node.s, 8));
}

struct capnp_text schema_node_path(struct schema_node node)
{
	struct capnp_text name = schema_node_display_name(node);
	uint32_t start = name.bytes;

	while (start > 0 && name.chars[start - 1] != ':')
		start--;
	return text_from(name, start);
}

bool schema_node_is_generic(struct schema_node node)
{
	return capnp_get_bool(node.s, 288);
}

struct capnp_list schema_node_annotations(struct schema_node node)
{
	return records(capnp_pointer(node.s, 2));
}

static struct capnp_struct_reader node_source(struct schema_node node)
{
	uint64_t id = schema_node_id(node);

	for (uint32_t i = 0; i < node.schema->sources.count; i++) {
		struct capnp_struct_reader source = capnp_list_struct(node.schema->sources, i);

		if (capnp_get_u64(source, 0) == id)
			return source;
	}
	return capnp_list_struct(node.schema->sources, UINT32_MAX);
}

struct capnp_text schema_node_doc(struct schema_node node)
{
	return capnp_any_text(capnp_pointer(node_source(node), 0));
}

struct capnp_text schema_member_doc(struct schema_node node, uint32_t index)
{
	struct capnp_list members = records(capnp_pointer(node_source(node), 1));

	return capnp_any_text(capnp_pointer(capnp_list_struct(members, index), 0));
}

/* --- Structs --------------------------------------------------------------------------------- */

uint32_t schema_struct_data_words(struct schema_node node)
{
	return capnp_get_u16(node.s, 14);
}

uint32_t schema_struct_pointer_count(struct schema_node node)
{
	return capnp_get_u16(node.s, 24);
}

bool schema_struct_is_group(struct schema_node node)
{
	return capnp_get_bool(node.s, 224);
}

uint32_t schema_struct_discriminant_count(struct schema_node node)
{
	return capnp_get_u16(node.s, 30);
}

uint32_t schema_struct_discriminant_offset(struct schema_node node)
{
	return capnp_get_u32(node.s, 32);
}

/* Fields, enumerants and methods all stand at pointer 3 of their node. */
static struct capnp_list node_members(struct schema_node node, enum schema_kind kind)
{
	struct capnp_any any = capnp_pointer(node.s, 3);

	if (schema_node_kind(node) != kind)
		any.pointer = NULL;
	return records(any);
}

static struct schema_member member_at(struct schema_node node, enum schema_kind kind, uint32_t index)
{
	return (struct schema_member){ node.schema, capnp_list_struct(node_members(node, kind), index),
		index };
}

uint32_t schema_field_count(struct schema_node node)
{
	return node_members(node, SCHEMA_STRUCT).count;
}

struct schema_member schema_field_at(struct schema_node node, uint32_t index)
{
	return member_at(node, SCHEMA_STRUCT, index);
}

bool schema_field_find(struct schema_node node, struct capnp_text name, struct schema_member *field)
{
	uint32_t count = schema_field_count(node);

	for (uint32_t i = 0; i < count; i++) {
		*field = schema_field_at(node, i);
		if (capnp_text_is(schema_member_name(*field), name))
			return true;
	}
	return false;
}

bool schema_field_of_tag(struct schema_node node, uint32_t tag, struct schema_member *field)
{
	uint32_t count = schema_field_count(node);

	for (uint32_t i = 0; i < count; i++) {
		*field = schema_field_at(node, i);
		if (schema_field_discriminant(*field) == tag && tag != SCHEMA_NO_DISCRIMINANT)
			return true;
	}
	return false;
}

bool schema_field_is_group(struct schema_member field)
{
	return capnp_get_u16(field.s, 8) == 1;
}

uint32_t schema_field_discriminant(struct schema_member field)
{
	return capnp_get_u16(field.s, 2) ^ SCHEMA_NO_DISCRIMINANT;
}

uint32_t schema_field_code_order(struct schema_member field)
{
	return capnp_get_u16(field.s, 0);
}

uint32_t schema_field_offset(struct schema_member field)
{
	return capnp_get_u32(field.s, 4);
}

struct schema_type schema_field_type(struct schema_member field)
{
	return (struct schema_type){ field.schema, capnp_any_struct(capnp_pointer(field.s, 2)) };
}

struct capnp_struct_reader schema_field_default(struct schema_member field)
{
	return capnp_any_struct(capnp_pointer(field.s, 3));
}

bool schema_field_has_explicit_default(struct schema_member field)
{
	return capnp_get_bool(field.s, 128);
}

struct schema_node schema_field_group(struct schema_member field)
{
	return schema_find(field.schema, capnp_get_u64(field.s, 16));
}

struct capnp_text schema_member_name(struct schema_member member)
{
	return capnp_any_text(capnp_pointer(member.s, 0));
}

struct capnp_list schema_member_annotations(struct schema_member member)
{
	return records(capnp_pointer(member.s, 1));
}

/* --- Enums ----------------------------------------------------------------------------------- */

uint32_t schema_enumerant_count(struct schema_node node)
{
	return node_members(node, SCHEMA_ENUM).count;
}

struct schema_member schema_enumerant_at(struct schema_node node, uint32_t index)
{
	return member_at(node, SCHEMA_ENUM, index);
}

/* --- Interfaces ------------------------------------------------------------------------------ */

uint32_t schema_method_count(struct schema_node node)
{
	return node_members(node, SCHEMA_INTERFACE).count;
}

struct schema_member schema_method_at(struct schema_node node, uint32_t index)
{
	return member_at(node, SCHEMA_INTERFACE, index);
}

struct schema_node schema_method_params(struct schema_member method)
{
	return schema_find(method.schema, capnp_get_u64(method.s, 8));
}

struct schema_node schema_method_results(struct schema_member method)
{
	return schema_find(method.schema, capnp_get_u64(method.s, 16));
}

bool schema_method_is_stream(struct schema_member method)
{
	return capnp_get_u64(method.s, 16) == SCHEMA_STREAM_RESULT_ID;
}

static struct capnp_list node_supers(struct schema_node node)
{
	struct capnp_any any = capnp_pointer(node.s, 4);

	if (schema_node_kind(node) != SCHEMA_INTERFACE)
		any.pointer = NULL;
	return records(any);
}

uint32_t schema_super_count(struct schema_node node)
{
	return node_supers(node).count;
}

struct schema_node schema_super_at(struct schema_node node, uint32_t index)
{
	return schema_find(node.schema, capnp_get_u64(capnp_list_struct(node_supers(node), index), 0));
}

static bool ancestors_have(const struct schema_node *list, uint32_t count, uint64_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (schema_node_id(list[i]) == id)
			return true;
	return false;
}

uint32_t schema_ancestors(struct schema_node node, struct schema_node *out, uint32_t max)
{
	uint32_t count = 0;
	uint32_t done = 0;

	/* Breadth first: the list itself is the queue. A cycle ends because each enters once. */
	for (;;) {
		uint32_t supers = schema_super_count(node);

		for (uint32_t i = 0; i < supers; i++) {
			struct schema_node super = schema_super_at(node, i);

			if (schema_node_is_null(super) || ancestors_have(out, count, schema_node_id(super)))
				continue;
			if (count == max)
				return count;
			out[count++] = super;
		}
		if (done == count)
			return count;
		node = out[done++];
	}
}

#define ANCESTORS_MAX 32

bool schema_method_find(struct schema_node node, struct capnp_text name,
		struct schema_node *declared_in, struct schema_member *method)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t ancestor_count = schema_ancestors(node, ancestors, ANCESTORS_MAX);

	for (uint32_t i = 0; i <= ancestor_count; i++) {
		uint32_t count;

		*declared_in = i == 0 ? node : ancestors[i - 1];
		count = schema_method_count(*declared_in);
		for (uint32_t j = 0; j < count; j++) {
			*method = schema_method_at(*declared_in, j);
			if (capnp_text_is(schema_member_name(*method), name))
				return true;
		}
	}
	return false;
}

/* --- Types and values ------------------------------------------------------------------------ */

enum schema_type_kind schema_type_kind(struct schema_type type)
{
	uint16_t kind = capnp_get_u16(type.s, 0);

	return kind <= SCHEMA_ANY_POINTER ? (enum schema_type_kind)kind : SCHEMA_VOID;
}

uint64_t schema_type_id(struct schema_type type)
{
	return capnp_get_u64(type.s, 8);
}

struct schema_node schema_type_node(struct schema_type type)
{
	return schema_find(type.schema, schema_type_id(type));
}

struct schema_type schema_type_element(struct schema_type type)
{
	return (struct schema_type){ type.schema, capnp_any_struct(capnp_pointer(type.s, 0)) };
}

bool schema_type_is_capability(struct schema_type type)
{
	return schema_type_kind(type) == SCHEMA_ANY_POINTER && capnp_get_u16(type.s, 8) == 0 &&
		capnp_get_u16(type.s, 10) == 3;
}

bool schema_type_is_pointer(struct schema_type type)
{
	enum schema_type_kind kind = schema_type_kind(type);

	return kind >= SCHEMA_TEXT && kind != SCHEMA_ENUM_TYPE;
}

uint32_t schema_type_bits(struct schema_type type)
{
	static const uint8_t bits[] = { 0, 1, 8, 16, 32, 64, 8, 16, 32, 64, 32, 64, 64, 64, 64, 16, 64,
		64, 64 };

	return bits[schema_type_kind(type)];
}

enum capnp_size schema_type_size(struct schema_type type)
{
	if (schema_type_kind(type) == SCHEMA_STRUCT_TYPE)
		return CAPNP_COMPOSITE;
	if (schema_type_is_pointer(type))
		return CAPNP_POINTER;
	switch (schema_type_bits(type)) {
	case 0:
		return CAPNP_VOID;
	case 1:
		return CAPNP_BIT;
	case 8:
		return CAPNP_BYTE;
	case 16:
		return CAPNP_TWO_BYTES;
	case 32:
		return CAPNP_FOUR_BYTES;
	default:
		return CAPNP_EIGHT_BYTES;
	}
}

struct schema_type schema_const_type(struct schema_node node)
{
	return (struct schema_type){ node.schema, capnp_any_struct(capnp_pointer(node.s, 3)) };
}

struct capnp_struct_reader schema_const_value(struct schema_node node)
{
	return capnp_any_struct(capnp_pointer(node.s, 4));
}

uint64_t schema_value_bits(struct capnp_struct_reader value)
{
	switch (capnp_get_u16(value, 0)) {
	case SCHEMA_BOOL:
		return capnp_get_bool(value, 16);
	case SCHEMA_INT8:
		return (uint64_t)(int64_t)capnp_get_i8(value, 2);
	case SCHEMA_INT16:
		return (uint64_t)(int64_t)capnp_get_i16(value, 2);
	case SCHEMA_INT32:
		return (uint64_t)(int64_t)capnp_get_i32(value, 4);
	case SCHEMA_UINT8:
		return capnp_get_u8(value, 2);
	case SCHEMA_UINT16:
	case SCHEMA_ENUM_TYPE:
		return capnp_get_u16(value, 2);
	case SCHEMA_UINT32:
	case SCHEMA_FLOAT32:
		return capnp_get_u32(value, 4);
	case SCHEMA_INT64:
	case SCHEMA_UINT64:
	case SCHEMA_FLOAT64:
		return capnp_get_u64(value, 8);
	default:
		return 0;
	}
}

struct capnp_any schema_value_pointer(struct capnp_struct_reader value)
{
	return capnp_pointer(value, 0);
}

bool schema_annotation_find(struct capnp_list annotations, uint64_t id,
		struct capnp_struct_reader *value)
{
	for (uint32_t i = 0; i < annotations.count; i++) {
		struct capnp_struct_reader annotation = capnp_list_struct(annotations, i);

		if (capnp_get_u64(annotation, 0) == id) {
			*value = capnp_any_struct(capnp_pointer(annotation, 0));
			return true;
		}
	}
	return false;
}
