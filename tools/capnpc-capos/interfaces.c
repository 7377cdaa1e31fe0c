/*
 * Interfaces: descriptions, server skeletons and typed clients.
 */
#include "gen.h"

#define ANCESTORS_MAX 64

static uint32_t method_reply_words(struct schema_member method)
{
	struct capnp_struct_reader value;

	if (schema_annotation_find(schema_member_annotations(method), SCHEMA_ANNOTATION_REPLY_WORDS,
			&value))
		return (uint32_t)schema_value_bits(value);
	return CAPNP_REPLY_WORDS_DEFAULT;
}

void interface_declare(struct schema_node node)
{
	const char *upper = name_node_upper(node);
	uint32_t count = schema_method_count(node);

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("#define %s_INTERFACE_ID UINT64_C(0x%016llx)\n", upper,
			(unsigned long long)schema_node_id(node));
	emit("#define %s_METHOD_COUNT %uu\n", upper, count);
	for (uint32_t i = 0; i < count; i++) {
		struct schema_member method = schema_method_at(node, i);

		emit_doc(schema_member_doc(node, i), "");
		emit("#define %s_METHOD_%s %uu\n", upper, name_upper(schema_member_name(method)), i);
		emit("#define %s_REPLY_WORDS_%s %uu\n", upper,
				name_upper(schema_member_name(method)), method_reply_words(method));
	}
	emit("extern const struct capnp_interface %s_interface;\n", name_node(node));
}

static void methods_define(struct schema_node node)
{
	uint32_t count = schema_method_count(node);

	if (count == 0)
		return;
	emit("\nstatic const struct capnp_method %s_methods[] = {\n", name_node(node));
	for (uint32_t i = 0; i < count; i++) {
		struct schema_member method = schema_method_at(node, i);
		struct capnp_struct_reader value;
		bool idempotent = schema_annotation_find(schema_member_annotations(method),
				SCHEMA_ANNOTATION_IDEMPOTENT, &value);

		emit("\t{ ");
		emit_literal(schema_member_name(method));
		emit(", %u, %s%s%s },\n", method_reply_words(method),
				idempotent ? "CAPNP_METHOD_IDEMPOTENT" : "",
				idempotent && schema_method_is_stream(method) ? " | " : "",
				schema_method_is_stream(method) ? "CAPNP_METHOD_STREAM" :
				idempotent ? "" : "0");
	}
	emit("};\n");
}

void interface_define(struct schema_node node)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t ancestor_count = schema_ancestors(node, ancestors, ANCESTORS_MAX);
	const char *name = name_node(node);
	uint32_t count = schema_method_count(node);

	methods_define(node);
	if (ancestor_count > 0) {
		emit("\nstatic const struct capnp_interface *const %s_ancestors[] = {\n", name);
		for (uint32_t i = 0; i < ancestor_count; i++)
			emit("\t&%s_interface,\n", name_node(ancestors[i]));
		emit("};\n");
	}
	emit("\nconst struct capnp_interface %s_interface = {\n", name);
	emit("\t.id = %s_INTERFACE_ID,\n\t.name = ", name_node_upper(node));
	emit_literal(schema_node_path(node));
	emit(",\n\t.method_count = %u,\n", count);
	if (count > 0)
		emit("\t.methods = %s_methods,\n", name);
	if (ancestor_count > 0)
		emit("\t.ancestors = %s_ancestors,\n\t.ancestor_count = %u,\n", name, ancestor_count);
	emit("};\n");
}

void server_emit(struct schema_node node)
{
	(void)node;
}

void client_emit(struct schema_node node)
{
	(void)node;
}
