/*
 * Typed clients: for each method the started form (begin, send, wait, results, done), and where
 * parameters and results are simple enough to be C parameters, `start` and the blocking form. A method
 * `-> stream` has the forms of a call in a stream besides.
 */
#include <string.h>

#include "gen.h"

#define ANCESTORS_MAX 64
#define PLAIN_DEPTH 8
/* CLIENT_SCALAR_* of lib/capnp/client.h */
#define SCALAR_PARAMS_WORDS CAPNP_SCALARS_WORDS
#define SCALAR_RESULTS_WORDS CAPNP_REPLY_WORDS_DEFAULT

/* A method being written. */
struct method {
	struct schema_member member;
	struct schema_node node;
	struct schema_node params;
	struct schema_node results;     /* null: a stream */
	const char *owner;      /* "timer" */
	const char *name;       /* "timer_now" */
	bool is_stream;
};

static bool field_is_cap(struct schema_type type)
{
	return schema_type_kind(type) == SCHEMA_INTERFACE_TYPE || schema_type_is_capability(type);
}

static bool field_is_scalar(struct schema_type type)
{
	return !schema_type_is_pointer(type) && schema_type_kind(type) != SCHEMA_VOID;
}

/* Whether every field can be a C parameter. Text and data can go in; only what needs no borrowing
 * comes out. */
static bool struct_is_flat(struct schema_node node, bool allow_bytes)
{
	if (schema_struct_discriminant_count(node) != 0)
		return false;
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);
		struct schema_type type = schema_field_type(field);
		enum schema_type_kind kind;

		if (schema_field_is_group(field))
			return false;
		kind = schema_type_kind(type);
		if (kind == SCHEMA_VOID || field_is_scalar(type) || field_is_cap(type))
			continue;
		if (!allow_bytes || (kind != SCHEMA_TEXT && kind != SCHEMA_DATA))
			return false;
	}
	return true;
}

/* Whether a message of this type can hold no capability, wherever in it. Types that go deeper than
 * `depth`, or round in circles, count as able to. */
static bool struct_is_plain(struct schema_node node, uint32_t depth);

static bool type_is_plain(struct schema_type type, uint32_t depth)
{
	switch (schema_type_kind(type)) {
	case SCHEMA_INTERFACE_TYPE:
	case SCHEMA_ANY_POINTER:
		return false;
	case SCHEMA_LIST:
		return type_is_plain(schema_type_element(type), depth);
	case SCHEMA_STRUCT_TYPE:
		return depth != 0 && struct_is_plain(schema_type_node(type), depth - 1);
	default:
		return true;
	}
}

static bool struct_is_plain(struct schema_node node, uint32_t depth)
{
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		if (schema_field_is_group(field)) {
			if (depth == 0 || !struct_is_plain(schema_field_group(field), depth - 1))
				return false;
		} else if (!type_is_plain(schema_field_type(field), depth)) {
			return false;
		}
	}
	return true;
}

/* Whether the struct is scalars and nothing else, few enough for a scalar call of clients. */
static bool struct_is_scalar(struct schema_node node, uint32_t words_max)
{
	return schema_struct_pointer_count(node) == 0 && struct_is_flat(node, false) &&
			schema_struct_data_words(node) < words_max;
}

/* The C type of a capability: a typed reference, or any. */
static const char *ref_type(struct schema_type type)
{
	if (schema_type_kind(type) != SCHEMA_INTERFACE_TYPE)
		return "struct client_ref";
	return name_format("struct %s_ref", name_node(schema_type_node(type)));
}

static const char *ref_member(struct schema_type type)
{
	return schema_type_kind(type) == SCHEMA_INTERFACE_TYPE ? ".ref" : "";
}

static const char *flat_type(struct schema_type type)
{
	switch (schema_type_kind(type)) {
	case SCHEMA_TEXT:
		return "struct capnp_text";
	case SCHEMA_DATA:
		return "struct capnp_data";
	default:
		return field_is_cap(type) ? ref_type(type) : type_scalar_c(type);
	}
}

/* A parameter's name, which must not be one that the function uses itself. */
static const char *flat_name(struct schema_member field)
{
	static const char *const used[] = { "self", "started", "params", "status", "message",
		"method", "results", "transport", "stream" };
	const char *name = name_field(field);

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (strcmp(name, used[i]) == 0)
			return name_format("%s_", name);
	return name;
}

static void flat_params_emit(const struct method *m)
{
	for (uint32_t i = 0; i < schema_field_count(m->params); i++) {
		struct schema_member field = schema_field_at(m->params, i);
		struct schema_type type = schema_field_type(field);

		if (schema_type_kind(type) != SCHEMA_VOID)
			emit(", %s %s", flat_type(type), flat_name(field));
	}
}

static void flat_arguments_emit(const struct method *m)
{
	for (uint32_t i = 0; i < schema_field_count(m->params); i++) {
		struct schema_member field = schema_field_at(m->params, i);

		if (schema_type_kind(schema_field_type(field)) != SCHEMA_VOID)
			emit(", %s", flat_name(field));
	}
}

static void flat_outs_emit(const struct method *m)
{
	for (uint32_t i = 0; i < schema_field_count(m->results); i++) {
		struct schema_member field = schema_field_at(m->results, i);
		struct schema_type type = schema_field_type(field);

		if (schema_type_kind(type) != SCHEMA_VOID)
			emit(", %s *out_%s", flat_type(type), name_member(field));
	}
}

/* --- The forms ------------------------------------------------------------------------------- */

/* The body of a function that begins a call by `begin`. */
static void begin_body_emit(const struct method *m, const char *begin)
{
	const char *params = name_node(m->params);
	const char *upper = name_node_upper(m->node);
	const char *method = name_upper(schema_member_name(m->member));
	const char *flags = m->is_stream ? "CAPNP_METHOD_STREAM | CLIENT_PLAIN_RESULTS" :
			struct_is_plain(m->results, PLAIN_DEPTH) ? "CLIENT_PLAIN_RESULTS" : "0";

	emit("\tstruct client_begin what = { .target = self.ref, .interface_id = %s_INTERFACE_ID,\n"
			"\t\t.method = %s_METHOD_%s, .flags = %s, .params_words = params_words,\n"
			"\t\t.reply_words = %s_REPLY_WORDS_%s };\n", upper, upper, method,
			flags, upper, method);
	emit("\tstruct %s_call started = { %s&what) };\n"
	     "\tstruct capnp_builder *builder = client_params(&started.call);\n\n",
			m->name, begin);
	emit("\t*params = (struct %s_builder){ 0 };\n\tif (builder != NULL)\n"
			"\t\t*params = %s_init_root(builder);\n\treturn started;\n}\n", params, params);
}

static void begin_emit(const struct method *m)
{
	const char *params = name_node(m->params);

	emit("\nstruct %s_call {\n\tstruct client_call call;\n};\n", m->name);
	emit("\nstatic inline struct %s_call %s_begin_sized(struct %s_ref self, uint32_t "
	     "params_words,\n"
	     "\t\tstruct %s_builder *params)\n{\n",
			m->name, m->name, m->owner, params);
	begin_body_emit(m, "client_call_begin(");
	emit("\n/* Begins a call whose parameters are then set; see %s_send. */\n", m->name);
	emit("static inline struct %s_call %s_begin(struct %s_ref self, struct %s_builder *params)\n{\n"
			"\treturn %s_begin_sized(self, CLIENT_PARAMS_WORDS, params);\n}\n", m->name,
			m->name, m->owner, params, m->name);
}

static void common_emit(const struct method *m)
{
	emit("\nstatic inline void %s_send(struct %s_call *started)\n{\n"
			"\tclient_send(&started->call);\n}\n", m->name, m->name);
	emit("\nstatic inline status_t %s_wait(struct %s_call *started)\n{\n"
			"\treturn client_wait(&started->call);\n}\n", m->name, m->name);
	emit("\n/* Both in one. */\nstatic inline status_t %s_ask(struct %s_call *started)\n{\n"
			"\treturn client_send_and_wait(&started->call);\n}\n", m->name, m->name);
	emit("\nstatic inline void %s_then(struct %s_call *started, client_then_fn *then, void *arg)\n{\n"
			"\tclient_then(&started->call, then, arg);\n}\n", m->name, m->name);
	emit("\nstatic inline void %s_done(struct %s_call *started)\n{\n"
			"\tclient_done(&started->call);\n}\n", m->name, m->name);
	if (!m->is_stream)
		emit("\nstatic inline struct %s_reader %s_results(const struct %s_call *started)\n{\n"
				"\treturn (struct %s_reader){ client_results_sized(&started->call,\n"
				"\t\t\t%s_DATA_WORDS, %s_POINTERS) };\n}\n",
				name_node(m->results), m->name, m->name, name_node(m->results),
				name_node_upper(m->results), name_node_upper(m->results));
}

static bool suffix_is_taken(const char *name)
{
	static const char *const taken[] = { "begin", "begin_sized", "send", "wait", "ask", "then", "done",
		"results", "prepare", "start", "call" };

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0)
			return true;
	return false;
}

/* Capabilities in the results: pipelined or borrowed, and taken. */
static void result_caps_emit(const struct method *m)
{
	for (uint32_t i = 0; i < schema_field_count(m->results); i++) {
		struct schema_member field = schema_field_at(m->results, i);
		struct schema_type type = schema_field_type(field);
		const char *name = name_member(field);
		const char *ref;
		bool typed;

		if (schema_field_is_group(field) || !field_is_cap(type) ||
		    schema_field_discriminant(field) != SCHEMA_NO_DISCRIMINANT)
			continue;
		ref = ref_type(type);
		typed = schema_type_kind(type) == SCHEMA_INTERFACE_TYPE;
		emit("\nstatic inline %s %s_%s%s(const struct %s_call *started)\n{\n", ref, m->name,
				name, suffix_is_taken(name) ? "_" : "", m->name);
		if (typed)
			emit("\treturn (%s){ client_pipeline(&started->call, %u) };\n}\n", ref,
					schema_field_offset(field));
		else
			emit("\treturn client_pipeline(&started->call, %u);\n}\n",
					schema_field_offset(field));
		emit("\nstatic inline status_t %s_take_%s(struct %s_call *started, %s *out)\n{\n"
				"\treturn client_take(&started->call, %s_get_%s(%s_results(started)), "
				"%s);\n}\n", m->name, name, m->name, ref, name_node(m->results), name,
				m->name, typed ? "&out->ref" : "out");
	}
}

/* Words of the parameters: exact, texts and data included. */
static void params_words_emit(const struct method *m)
{
	emit("1 + %s_DATA_WORDS + %s_POINTERS", name_node_upper(m->params), name_node_upper(m->params));
	for (uint32_t i = 0; i < schema_field_count(m->params); i++) {
		struct schema_member field = schema_field_at(m->params, i);
		enum schema_type_kind kind = schema_type_kind(schema_field_type(field));

		if (kind == SCHEMA_TEXT)
			emit(" + %s.bytes / 8 + 1", flat_name(field));
		else if (kind == SCHEMA_DATA)
			emit(" + (%s.count + 7) / 8", flat_name(field));
	}
}

/* Sets the parameters of `started` from C parameters. */
static void params_set_emit(const struct method *m)
{
	const char *params = name_node(m->params);

	for (uint32_t i = 0; i < schema_field_count(m->params); i++) {
		struct schema_member field = schema_field_at(m->params, i);
		struct schema_type type = schema_field_type(field);
		const char *name = name_member(field);

		if (schema_type_kind(type) == SCHEMA_VOID)
			continue;
		if (field_is_cap(type))
			emit("\t%s_set_%s(params, client_cap(&started.call, %s%s));\n", params, name,
					flat_name(field), ref_member(type));
		else
			emit("\t%s_set_%s(params, %s);\n", params, name, flat_name(field));
	}
}

/* What begins a call and sets its parameters. */
static void prepare_emit(const struct method *m)
{
	emit("\n/* Begins a call with its parameters, which is then sent. */\n"
	     "static inline struct %s_call %s_prepare(struct %s_ref self",
			m->name, m->name, m->owner);
	flat_params_emit(m);
	emit(")\n{\n\tstruct %s_builder params;\n\tstruct %s_call started = %s_begin_sized(self, ",
			name_node(m->params), m->name, m->name);
	params_words_emit(m);
	emit(",\n\t\t\t&params);\n\n");
	params_set_emit(m);
	emit("\treturn started;\n}\n");
}

/* A call in a stream, in two steps: the counterparts of `begin_sized` and `send`. */
static void stream_parts_emit(const struct method *m)
{
	emit("\n/* Begins a call of a stream, once there is room for it; see %s_send_stream. */\n",
			m->name);
	emit("static inline struct %s_call %s_begin_stream(struct %s_ref self, struct "
	     "client_stream *stream,\n"
	     "\t\tuint32_t params_words, struct %s_builder *params)\n{\n",
			m->name, m->name, m->owner, name_node(m->params));
	begin_body_emit(m, "client_stream_begin(stream, ");
	emit("\n/* Sends it. Answers the stream's first failure so far. */\n"
	     "static inline status_t %s_send_stream(struct %s_call *started, struct client_stream "
	     "*stream)\n{\n"
	     "\treturn client_stream_send(stream, &started->call);\n}\n",
			m->name, m->name);
}

/* Both with C parameters. */
static void stream_flat_emit(const struct method *m)
{
	emit("\n/* A call in a stream, answered later; answers the stream's first failure so far. "
	     "*/\n"
	     "static inline status_t %s_stream(struct %s_ref self, struct client_stream *stream",
			m->name, m->owner);
	flat_params_emit(m);
	emit(")\n{\n\tstruct %s_builder params;\n\tstruct %s_call started = %s_begin_stream(self, "
	     "stream, ",
			name_node(m->params), m->name, m->name);
	params_words_emit(m);
	emit(",\n\t\t\t&params);\n\n");
	params_set_emit(m);
	emit("\treturn %s_send_stream(&started, stream);\n}\n", m->name);
}

static void start_emit(const struct method *m)
{
	emit("\nstatic inline struct %s_call %s_start(struct %s_ref self", m->name, m->name, m->owner);
	flat_params_emit(m);
	emit(")\n{\n\tstruct %s_call started = %s_prepare(self", m->name, m->name);
	flat_arguments_emit(m);
	emit(");\n\n\t%s_send(&started);\n\treturn started;\n}\n", m->name);
}

static void out_emit(const struct method *m, struct schema_member field)
{
	struct schema_type type = schema_field_type(field);
	const char *name = name_member(field);

	if (schema_type_kind(type) == SCHEMA_VOID)
		return;
	if (field_is_cap(type))
		emit("\tif (status == STATUS_OK && out_%s != NULL)\n"
				"\t\tstatus = %s_take_%s(&started, out_%s);\n", name, m->name, name, name);
	else
		emit("\tif (status == STATUS_OK && out_%s != NULL)\n"
				"\t\t*out_%s = %s_get_%s(results);\n", name, name, name_node(m->results),
				name);
}

/* Whether a result is read from the answer's struct. */
static bool has_scalar_outs(const struct method *m)
{
	for (uint32_t i = 0; !m->is_stream && i < schema_field_count(m->results); i++) {
		struct schema_type type = schema_field_type(schema_field_at(m->results, i));

		if (schema_type_kind(type) != SCHEMA_VOID && !field_is_cap(type))
			return true;
	}
	return false;
}

/* The first line of the blocking form. */
static void blocking_open(const struct method *m)
{
	emit("\n");
	emit_doc(schema_member_doc(m->node, m->member.index), "");
	emit("static inline status_t %s(struct %s_ref self", m->name, m->owner);
	flat_params_emit(m);
	if (!m->is_stream)
		flat_outs_emit(m);
	emit(")\n{\n");
}

static void outs_emit(const struct method *m)
{
	for (uint32_t i = 0; !m->is_stream && i < schema_field_count(m->results); i++)
		out_emit(m, schema_field_at(m->results, i));
}

static void blocking_emit(const struct method *m)
{
	bool reads = has_scalar_outs(m);

	blocking_open(m);
	emit("\tstruct %s_call started = %s_prepare(self", m->name, m->name);
	flat_arguments_emit(m);
	emit(");\n\tstruct capnp_message *message;\n\tstatus_t status = client_ask(&started.call, &message);\n");
	if (reads)
		emit("\tstruct %s_reader results = { client_message_sized(message, %s_DATA_WORDS,\n"
				"\t\t\t%s_POINTERS) };\n", name_node(m->results),
				name_node_upper(m->results), name_node_upper(m->results));
	emit("\n");
	outs_emit(m);
	emit("\t%s_done(&started);\n\treturn status;\n}\n", m->name);
}

/* Whether the blocking form can be a scalar call. */
static bool method_is_scalar(const struct method *m)
{
	return struct_is_scalar(m->params, SCALAR_PARAMS_WORDS) &&
			(m->is_stream || struct_is_scalar(m->results, SCALAR_RESULTS_WORDS)) &&
			method_reply_words(m->member) <= SCALAR_RESULTS_WORDS;
}

static void scalar_method_emit(const struct method *m)
{
	const char *upper = name_node_upper(m->node);
	const char *words = m->is_stream ? "0" :
			name_format("%s_DATA_WORDS", name_node_upper(m->results));

	emit("\tstatic const struct client_scalar_method method = { .interface_id = %s_INTERFACE_ID,\n"
			"\t\t.method = %s_METHOD_%s, .flags = %s,\n"
			"\t\t.params_words = 1 + %s_DATA_WORDS,\n\t\t.results_words = %s,\n"
			"\t\t.results_root = CAPNP_ROOT_POINTER(%s, 0) };\n", upper, upper,
			name_upper(schema_member_name(m->member)),
			m->is_stream ? "CAPNP_METHOD_STREAM" : "0", name_node_upper(m->params), words, words);
}

/* The blocking form where nothing but scalars goes and comes. */
static void scalar_blocking_emit(const struct method *m)
{
	const char *params = name_node(m->params);
	bool reads = has_scalar_outs(m);

	blocking_open(m);
	scalar_method_emit(m);
	emit("\tstruct transport *transport = self.ref.transport;\n\tstruct %s_builder params;\n", params);
	if (reads)
		emit("\tstruct %s_reader results;\n", name_node(m->results));
	emit("\tstatus_t status;\n\n\tif (transport == NULL)\n\t\treturn STATUS_BAD_CAPABILITY;\n"
			"\tparams.s = client_scalar_params(transport, %s_DATA_WORDS);\n",
			name_node_upper(m->params));
	for (uint32_t i = 0; i < schema_field_count(m->params); i++) {
		struct schema_member field = schema_field_at(m->params, i);

		if (schema_type_kind(schema_field_type(field)) != SCHEMA_VOID)
			emit("\t%s_set_%s(params, %s);\n", params, name_member(field), flat_name(field));
	}
	emit("\tstatus = client_ask_scalars(self.ref, &method);\n");
	if (reads)
		emit("\tresults.s = client_scalar_results(transport, %s_DATA_WORDS);\n",
				name_node_upper(m->results));
	outs_emit(m);
	emit("\treturn status;\n}\n");
}

static void method_emit(struct schema_node node, uint32_t index)
{
	struct method m = { .member = schema_method_at(node, index), .node = node };

	m.owner = name_node(node);
	m.name = name_format("%s_%s", m.owner, name_member(m.member));
	m.params = schema_method_params(m.member);
	m.is_stream = schema_method_is_stream(m.member);
	m.results = schema_method_results(m.member);
	emit("\n/* --- %s.%s --- */\n", name_of_text(schema_node_path(node)),
			name_of_text(schema_member_name(m.member)));
	begin_emit(&m);
	common_emit(&m);
	if (m.is_stream)
		stream_parts_emit(&m);
	else
		result_caps_emit(&m);
	if (!struct_is_flat(m.params, true))
		return;
	if (m.is_stream)
		stream_flat_emit(&m);
	prepare_emit(&m);
	start_emit(&m);
	if (method_is_scalar(&m))
		scalar_blocking_emit(&m);
	else if (m.is_stream || struct_is_flat(m.results, false))
		blocking_emit(&m);
}

void client_declare(struct schema_node node)
{
	emit("\n");
	emit_doc(schema_node_doc(node), "");
	emit("struct %s_ref {\n\tstruct client_ref ref;\n};\n", name_node(node));
}

void client_emit(struct schema_node node)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t ancestor_count = schema_ancestors(node, ancestors, ANCESTORS_MAX);
	const char *name = name_node(node);

	for (uint32_t i = 0; i < ancestor_count; i++) {
		const char *ancestor = name_node(ancestors[i]);

		emit("\nstatic inline struct %s_ref %s_as_%s(struct %s_ref self)\n{\n"
				"\treturn (struct %s_ref){ self.ref };\n}\n", ancestor, name, ancestor,
				name, ancestor);
	}
	for (uint32_t i = 0; i < schema_method_count(node); i++)
		method_emit(node, i);
}
