/*
 * What a release promised and a later schema must keep: see docs of schema-check in main.c. Nodes are
 * found by id, members by their place (the order of ordinals).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "capnp/capnp_file.h"
#include "check.h"

#define VALUE_WORDS   4096u
#define ANCESTORS_MAX 64u

/* --- Values and types ------------------------------------------------------------------------ */

static bool any_is_same(struct capnp_any a, struct capnp_any b)
{
	static uint64_t words[2][VALUE_WORDS];
	struct capnp_any from[2] = { a, b };
	struct capnp_builder forms[2];

	for (uint32_t i = 0; i < 2; i++) {
		capnp_builder_init(&forms[i], words[i], VALUE_WORDS, NULL, 0);
		capnp_set_any(capnp_init_root(&forms[i]), from[i]);
		if (forms[i].status != CAPNP_OK)
			die("a default value is too large to be compared");
	}
	return forms[0].used == forms[1].used && memcmp(words[0], words[1], forms[0].used * 8) == 0;
}

static bool value_is_same(struct capnp_struct_reader a, struct capnp_struct_reader b)
{
	return schema_value_bits(a) == schema_value_bits(b) &&
		any_is_same(schema_value_pointer(a), schema_value_pointer(b));
}

static bool type_is_same(struct schema_type a, struct schema_type b)
{
	for (uint32_t depth = 0; depth < CAPNP_DEPTH_MAX; depth++) {
		enum schema_type_kind kind = schema_type_kind(a);

		if (kind != schema_type_kind(b))
			return false;
		if (kind == SCHEMA_ENUM_TYPE || kind == SCHEMA_STRUCT_TYPE || kind == SCHEMA_INTERFACE_TYPE)
			return schema_type_id(a) == schema_type_id(b);
		if (kind != SCHEMA_LIST)
			return true;
		a = schema_type_element(a);
		b = schema_type_element(b);
	}
	return false;
}

/* Annotations that say something about the ABI rather than to a reader. */
static bool abi_annotations_are_same(struct capnp_list a, struct capnp_list b)
{
	static const uint64_t ids[] = { SCHEMA_ANNOTATION_CODE, SCHEMA_ANNOTATION_ABI,
		SCHEMA_ANNOTATION_AT, SCHEMA_ANNOTATION_TIMES };

	for (uint32_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct capnp_struct_reader left;
		struct capnp_struct_reader right;
		bool has = schema_annotation_find(a, ids[i], &left);

		if (has != schema_annotation_find(b, ids[i], &right))
			return false;
		if (has && !value_is_same(left, right))
			return false;
	}
	return true;
}

static const char *name_of(struct schema_member member)
{
	static char name[256];
	struct capnp_text text = schema_member_name(member);

	snprintf(name, sizeof(name), "%.*s", (int)text.bytes, text.chars);
	return name;
}

static bool member_is_kept(struct schema_node node, struct schema_member old, struct schema_member now)
{
	if (!capnp_text_is(schema_member_name(old), schema_member_name(now))) {
		complain(node, "number %u was named %s", old.index, name_of(old));
		return false;
	}
	if (!abi_annotations_are_same(schema_member_annotations(old), schema_member_annotations(now)))
		complain(node, "%s has another code, offset or count", name_of(old));
	return true;
}

/* --- Kinds of nodes -------------------------------------------------------------------------- */

static void field_compare(struct schema_node node, struct schema_member old, struct schema_member now)
{
	if (!member_is_kept(node, old, now))
		return;
	if (schema_field_discriminant(old) != schema_field_discriminant(now))
		complain(node, "%s has moved into, out of or inside a union", name_of(old));
	if (schema_field_is_group(old) != schema_field_is_group(now)) {
		complain(node, "%s has become a group or ceased to be one", name_of(old));
		return;
	}
	if (schema_field_is_group(old)) {
		if (schema_node_id(schema_field_group(old)) != schema_node_id(schema_field_group(now)))
			complain(node, "%s is another group", name_of(old));
		return;
	}
	if (schema_field_offset(old) != schema_field_offset(now))
		complain(node, "%s has moved", name_of(old));
	if (!type_is_same(schema_field_type(old), schema_field_type(now)))
		complain(node, "%s has another type", name_of(old));
	if (!value_is_same(schema_field_default(old), schema_field_default(now)))
		complain(node, "%s has another default", name_of(old));
}

static void struct_compare(struct schema_node old, struct schema_node now)
{
	uint32_t count = schema_field_count(old);

	if (schema_struct_data_words(now) < schema_struct_data_words(old) ||
	    schema_struct_pointer_count(now) < schema_struct_pointer_count(old))
		complain(old, "the struct has become smaller");
	if (schema_struct_discriminant_count(old) != 0 &&
	    schema_struct_discriminant_offset(old) != schema_struct_discriminant_offset(now))
		complain(old, "the union's tag has moved");
	if (schema_field_count(now) < count) {
		complain(old, "%u fields are missing", count - schema_field_count(now));
		count = schema_field_count(now);
	}
	for (uint32_t i = 0; i < count; i++)
		field_compare(old, schema_field_at(old, i), schema_field_at(now, i));
}

static void enum_compare(struct schema_node old, struct schema_node now)
{
	uint32_t count = schema_enumerant_count(old);

	if (schema_enumerant_count(now) < count) {
		complain(old, "%u values are missing", count - schema_enumerant_count(now));
		count = schema_enumerant_count(now);
	}
	for (uint32_t i = 0; i < count; i++)
		(void)member_is_kept(old, schema_enumerant_at(old, i), schema_enumerant_at(now, i));
}

static void ancestors_compare(struct schema_node old, struct schema_node now)
{
	struct schema_node before[ANCESTORS_MAX];
	struct schema_node after[ANCESTORS_MAX];
	uint32_t count = schema_ancestors(old, before, ANCESTORS_MAX);
	uint32_t after_count = schema_ancestors(now, after, ANCESTORS_MAX);

	for (uint32_t i = 0; i < count; i++) {
		struct capnp_text name = schema_node_path(before[i]);
		bool found = false;

		for (uint32_t j = 0; j < after_count; j++)
			found |= schema_node_id(after[j]) == schema_node_id(before[i]);
		if (!found)
			complain(old, "no longer extends %.*s", (int)name.bytes, name.chars);
	}
}

static void interface_compare(struct schema_node old, struct schema_node now)
{
	uint32_t count = schema_method_count(old);

	ancestors_compare(old, now);
	if (schema_method_count(now) < count) {
		complain(old, "%u methods are missing", count - schema_method_count(now));
		count = schema_method_count(now);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct schema_member before = schema_method_at(old, i);
		struct schema_member after = schema_method_at(now, i);

		if (!member_is_kept(old, before, after))
			continue;
		if (schema_node_id(schema_method_params(before)) !=
		    schema_node_id(schema_method_params(after)))
			complain(old, "%s takes another struct", name_of(before));
		if (schema_method_is_stream(before) != schema_method_is_stream(after) ||
		    schema_node_id(schema_method_results(before)) !=
		    schema_node_id(schema_method_results(after)))
			complain(old, "%s answers another struct", name_of(before));
	}
}

static void const_compare(struct schema_node old, struct schema_node now)
{
	if (!type_is_same(schema_const_type(old), schema_const_type(now)) ||
	    !value_is_same(schema_const_value(old), schema_const_value(now)))
		complain(old, "the constant has another value");
}

static void annotation_compare(struct schema_node old, struct schema_node now)
{
	if (!type_is_same(schema_const_type(old), schema_const_type(now)))
		complain(old, "the annotation has another type");
}

static void node_compare(struct schema_node old, struct schema_node now)
{
	if (schema_node_is_null(now)) {
		complain(old, "there is no node with id 0x%016" PRIx64 " any more", schema_node_id(old));
		return;
	}
	if (schema_node_kind(old) != schema_node_kind(now)) {
		complain(old, "the node is of another kind");
		return;
	}
	if (!abi_annotations_are_same(schema_node_annotations(old), schema_node_annotations(now)))
		complain(old, "the layout has another size");
	switch (schema_node_kind(old)) {
	case SCHEMA_FILE:
		break;
	case SCHEMA_STRUCT:
		struct_compare(old, now);
		break;
	case SCHEMA_ENUM:
		enum_compare(old, now);
		break;
	case SCHEMA_INTERFACE:
		interface_compare(old, now);
		break;
	case SCHEMA_CONST:
		const_compare(old, now);
		break;
	case SCHEMA_ANNOTATION:
		annotation_compare(old, now);
		break;
	}
}

void schemas_compare(const struct schema *old, const struct schema *now)
{
	for (uint32_t i = 0; i < schema_node_count(old); i++) {
		struct schema_node node = schema_node_at(old, i);

		node_compare(node, schema_find(now, schema_node_id(node)));
	}
}
