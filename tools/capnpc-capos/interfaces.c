/*
 * Interfaces: descriptions and server skeletons.
 */
#include <string.h>

#include "gen.h"

#define ANCESTORS_MAX 64

uint32_t method_reply_words(struct schema_member method)
{
	struct capnp_struct_reader value;

	if (schema_annotation_find(schema_member_annotations(method), SCHEMA_ANNOTATION_REPLY_WORDS,
			&value))
		return (uint32_t)schema_value_bits(value);
	return schema_method_is_stream(method) ? CAPNP_REPLY_WORDS_STREAM
					       : CAPNP_REPLY_WORDS_DEFAULT;
}

bool interface_streams(struct schema_node node)
{
	for (uint32_t i = 0; i < schema_method_count(node); i++)
		if (schema_method_is_stream(schema_method_at(node, i)))
			return true;
	return false;
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

/* --- Server skeletons ------------------------------------------------------------------------ */

static const char *method_c(struct schema_member method)
{
	return name_field(method);
}

static bool has_method(struct schema_node node, const char *name)
{
	for (uint32_t i = 0; i < schema_method_count(node); i++)
		if (strcmp(method_c(schema_method_at(node, i)), name) == 0)
			return true;
	return false;
}

/* The member that holds an ancestor's handlers has the ancestor's name, unless a method has it. */
static const char *super_member(struct schema_node node, struct schema_node super)
{
	const char *name = name_node(super);

	return has_method(node, name) ? name_format("%s_base", name) : name;
}

static void server_struct_emit(struct schema_node node)
{
	uint32_t supers = schema_super_count(node);
	uint32_t methods = schema_method_count(node);

	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("struct %s_server {\n", name_node(node));
	for (uint32_t i = 0; i < supers; i++) {
		struct schema_node super = schema_super_at(node, i);

		emit("\tstruct %s_server %s;\n", name_node(super), super_member(node, super));
	}
	for (uint32_t i = 0; i < methods; i++) {
		struct schema_member method = schema_method_at(node, i);

		emit_doc(schema_member_doc(node, i), "\t");
		emit("\tstatus_t (*%s)(void *self, struct call *call, struct %s_reader in",
				method_c(method), name_node(schema_method_params(method)));
		if (!schema_method_is_stream(method))
			emit(",\n\t\t\tstruct %s_builder *out",
					name_node(schema_method_results(method)));
		emit(");\n");
	}
	if (supers + methods == 0)
		emit("\tuint8_t nothing;\n");
	emit("};\n");
}

static bool params_are_scalars(struct schema_node params)
{
	return schema_struct_pointer_count(params) == 0 &&
			schema_struct_data_words(params) < CAPNP_SCALARS_WORDS;
}

/* What calls the handler of a method; results that do not fit are known before anything has happened. One
 * function each: handlers are inlined here, and none is to cost the others registers and stack. */
static void serve_emit(struct schema_node node, struct schema_member method)
{
	struct schema_node params = schema_method_params(method);
	bool has_results = !schema_method_is_stream(method);
	const char *owner = name_node(node);
	const char *name = method_c(method);

	emit("\nstatic NOINLINE inline status_t %s_serve_%s(const struct %s_server *server, void *self,\n"
			"\t\tstruct call *call)\n{\n\tstruct %s_reader in;\n", owner, name, owner,
			name_node(params));
	if (has_results)
		emit("\tstruct %s_builder out;\n", name_node(schema_method_results(method)));
	emit("\n\tif (server->%s == NULL)\n\t\treturn STATUS_UNIMPLEMENTED;\n", name);
	if (has_results)
		emit("\tout = %s_init_root(call_results(call));\n"
				"\tif (out.s.data == NULL)\n"
				"\t\treturn STATUS_OK; /* call_results says that they do not fit */\n",
				name_node(schema_method_results(method)));
	if (params_are_scalars(params))
		emit("\tin.s = capnp_root_scalars(call_params(call), %s_DATA_WORDS);\n",
				name_node_upper(params));
	else
		emit("\tin = %s_get_root(call_params(call));\n", name_node(params));
	if (has_results)
		emit("\treturn handler_status(server->%s(self, call, in, &out));\n}\n", name);
	else
		emit("\tcall_stream_entered(call);\n\treturn call_stream_left(call, "
		     "server->%s(self, call, in));\n}\n",
				name);
}

static void dispatch_own_emit(struct schema_node node)
{
	const char *owner = name_node(node);
	uint32_t count = schema_method_count(node);

	for (uint32_t i = 0; i < count; i++)
		serve_emit(node, schema_method_at(node, i));
	emit("\nstatic inline status_t %s_dispatch_own(const struct %s_server *server, void *self,\n"
			"\t\tstruct call *call, uint16_t method)\n{\n\tswitch (method) {\n", owner, owner);
	for (uint32_t i = 0; i < count; i++) {
		struct schema_member method = schema_method_at(node, i);

		emit("\tcase %s_METHOD_%s:\n\t\treturn %s_serve_%s(server, self, call);\n",
				name_node_upper(node), name_upper(schema_member_name(method)), owner,
				method_c(method));
	}
	emit("\tdefault:\n\t\treturn STATUS_UNIMPLEMENTED;\n\t}\n}\n");
}

static bool is_or_extends(struct schema_node node, uint64_t wanted)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t count = schema_ancestors(node, ancestors, ANCESTORS_MAX);

	for (uint32_t i = 0; i < count; i++)
		if (schema_node_id(ancestors[i]) == wanted)
			return true;
	return schema_node_id(node) == wanted;
}

/* The expression that leads from a server's table to the table of an ancestor inside it. */
static const char *super_path(struct schema_node node, uint64_t wanted)
{
	const char *path = "";

	for (uint32_t steps = 0; steps < ANCESTORS_MAX && schema_node_id(node) != wanted; steps++) {
		struct schema_node super = node;

		for (uint32_t i = 0; i < schema_super_count(node); i++) {
			super = schema_super_at(node, i);
			if (is_or_extends(super, wanted))
				break;
		}
		path = name_format("%s%s%s", path, steps > 0 ? "." : "", super_member(node, super));
		node = super;
	}
	return path;
}

#define INTERFACES_MAX 4096

static uint64_t emitted[INTERFACES_MAX];
static uint32_t emitted_count;

/* Whether this is the first time; a table contains its ancestors', so those come before it. */
static bool server_is_new(struct schema_node node)
{
	for (uint32_t i = 0; i < emitted_count; i++)
		if (emitted[i] == schema_node_id(node))
			return false;
	if (emitted_count == INTERFACES_MAX)
		die("more than %d interfaces", INTERFACES_MAX);
	emitted[emitted_count++] = schema_node_id(node);
	return true;
}

void servers_restart(void)
{
	emitted_count = 0;
}

void server_emit(struct schema_node node)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t ancestor_count = schema_ancestors(node, ancestors, ANCESTORS_MAX);
	const char *name = name_node(node);

	if (!server_is_new(node))
		return;
	for (uint32_t i = ancestor_count; i > 0; i--)
		if (strcmp(name_file(ancestors[i - 1]), name_file(node)) == 0)
			server_emit(ancestors[i - 1]);
	server_struct_emit(node);
	dispatch_own_emit(node);
	emit("\n/* Calls the handler of a method; STATUS_UNIMPLEMENTED for a pair that there is not. */\n");
	emit("static inline status_t %s_dispatch(const struct %s_server *server, void *self,\n"
			"\t\tstruct call *call, uint64_t interface_id, uint16_t method)\n{\n"
			"\tswitch (interface_id) {\n", name, name);
	emit("\tcase %s_INTERFACE_ID:\n\t\treturn %s_dispatch_own(server, self, call, method);\n",
			name_node_upper(node), name);
	for (uint32_t i = 0; i < ancestor_count; i++) {
		emit("\tcase %s_INTERFACE_ID:\n\t\treturn %s_dispatch_own(&server->%s, self, call, "
				"method);\n", name_node_upper(ancestors[i]), name_node(ancestors[i]),
				super_path(node, schema_node_id(ancestors[i])));
	}
	emit("\tdefault:\n\t\treturn STATUS_UNIMPLEMENTED;\n\t}\n}\n");
}
