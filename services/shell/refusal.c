/*
 * Why a call failed, in the words of whoever typed it: the kernel names parameters, capabilities and
 * methods by their numbers (Reason in schema/capos/status.capnp), and the schemas know what they are
 * called. What is not about something that was typed is lib/rt/reason.c's. See shell.h.
 */
#include <string.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "rt/format.h"
#include "rt/reason.h"
#include "services/shell/shell.h"

#define NO_CAPABILITY 0xffu		/* the kernel's number for one that was not given */

bool shell_is_revoked(struct shell *sh, uint32_t capability)
{
	struct client_ref copy;
	status_t status = client_copy(client_ref_of(sh->transport, capability), &copy);

	client_release(copy);
	return status == STATUS_DISCONNECTED;
}

bool shell_lacks(struct shell *sh, uint32_t at, const char *name, const char *interface)
{
	return shell_fail(sh, at, "this needs `%s`, a %s, and you hold none", name, interface);
}

bool shell_need(struct shell *sh, uint32_t at, const char *name, uint64_t interface_id,
		struct thing *cap)
{
	struct shell_name *bound = shell_find(sh, name, (uint32_t)strlen(name));
	struct capnp_text interface = schema_node_name(schema_find(sh->schema, interface_id));
	char type[SHELL_NAME_BYTES];

	(void)format_into(type, sizeof(type), "%.*s", (int)interface.bytes, interface.chars);
	if (!bound)
		return shell_lacks(sh, at, name, type);
	return (thing_as_capability(bound->thing, cap) && shell_interface_is(cap->node,
			interface_id)) ||
			shell_fail(sh, at, "this needs a %s under the name `%s`", type, name);
}

/* What was written for a parameter; NULL: nothing. */
static const struct shell_value *written(const struct shell_asked *asked,
		struct schema_member field)
{
	const struct shell_value *arguments = asked->arguments;

	for (const struct shell_field *f = arguments ? arguments->fields : NULL; f; f = f->next) {
		if (capnp_text_is(capnp_text_of(f->name.chars, f->name.bytes),
				schema_member_name(field)))
			return f->value;
	}
	return NULL;
}

/* Whether the value says more than the limit: then it is clear what is wrong with it. */
static bool exceeds(const struct shell_value *v, uint64_t limit)
{
	return limit > 0 && ((v->kind == SHELL_NUMBER && v->number.magnitude > limit &&
			!v->number.negative) ||
			(v->kind == SHELL_LIST && v->count > limit));
}

static size_t argument_into(char *out, size_t size, const struct shell_asked *asked, uint32_t index,
		uint32_t limit)
{
	struct schema_node params = schema_method_params(asked->method);
	struct schema_member field;
	struct capnp_text name;
	const struct shell_value *v;

	if (index >= schema_field_count(params))
		return 0;
	field = schema_field_at(params, index);
	name = schema_member_name(field);
	v = written(asked, field);
	if (!v)
		return format_into(out, size, "%.*s is missing", (int)name.bytes, name.chars);
	if (exceeds(v, limit))
		return format_into(out, size, "%.*s: at most %u", (int)name.bytes, name.chars,
				limit);
	if (limit == 0)
		return format_into(out, size, "%.*s is not acceptable", (int)name.bytes,
				name.chars);
	return format_into(out, size, "%.*s is out of range (limit %u)", (int)name.bytes,
			name.chars, limit);
}

/* The first parameter that takes a capability and was given none. */
static size_t missing_into(char *out, size_t size, const struct shell_asked *asked)
{
	struct schema_node params = schema_method_params(asked->method);

	for (uint32_t i = 0; i < schema_field_count(params); i++) {
		struct schema_member field = schema_field_at(params, i);
		struct capnp_text name = schema_member_name(field);
		struct schema_type type;

		if (schema_field_is_group(field) || written(asked, field))
			continue;
		type = schema_field_type(field);
		if (schema_type_kind(type) == SCHEMA_INTERFACE_TYPE ||
				schema_type_is_capability(type))
			return format_into(out, size, "%.*s is missing", (int)name.bytes,
					name.chars);
	}
	return 0;
}

static size_t passed_into(char *out, size_t size, const struct shell *sh, uint32_t index,
		const char *what)
{
	if (index >= sh->passed_count)
		return 0;
	return format_into(out, size, "%.*s %s", (int)sh->passed[index].name.bytes,
			sh->passed[index].name.chars, what);
}

static size_t revoked_into(char *out, size_t size, struct shell *sh)
{
	for (uint32_t i = 0; i < sh->passed_count; i++) {
		if (shell_is_revoked(sh, sh->passed[i].capability))
			return passed_into(out, size, sh, i,
					"was revoked: this capability cannot be given on");
	}
	return 0;
}

/* A refusal that tells nothing: what was left out is what one looks at first. */
static size_t left_out_into(char *out, size_t size, const struct shell_asked *asked)
{
	struct schema_node params = schema_method_params(asked->method);
	size_t used = 0;

	for (uint32_t i = 0; i < schema_field_count(params); i++) {
		struct schema_member field = schema_field_at(params, i);
		struct capnp_text name = schema_member_name(field);

		if (written(asked, field))
			continue;
		used += format_into(out + used, size - used, used ? ", %.*s" :
				"an argument is not acceptable; not given: %.*s", (int)name.bytes,
				name.chars);
	}
	return used;
}

static size_t named_into(char *out, size_t size, struct shell *sh, const struct shell_asked *asked,
		status_t status,
		uint64_t detail)
{
	uint32_t number = (uint32_t)(detail >> 8) & 0xff;
	struct schema_node params = schema_method_params(asked->method);
	struct capnp_text name;

	if (status == STATUS_DISCONNECTED)
		return revoked_into(out, size, sh);
	switch ((enum reason)(detail & 0xff)) {
	case REASON_NONE:
		return status == STATUS_INVALID_ARGUMENT ? left_out_into(out, size, asked) : 0;
	case REASON_ARGUMENT:
		return argument_into(out, size, asked, number, (uint32_t)(detail >> 32));
	case REASON_WRONG_TYPE:
		return number == NO_CAPABILITY || sh->passed_count == 0 ? missing_into(out, size,
		asked) :
				passed_into(out, size, sh, number,
				"does not have the interface needed");
	case REASON_SCOPE:
		return passed_into(out, size, sh, number,
				"may not be given to a process of another session, or only by its service");
	case REASON_NOT_FOUND:
		if (number >= schema_field_count(params))
			return 0;
		name = schema_member_name(schema_field_at(params, number));
		return format_into(out, size, "no such %.*s", (int)name.bytes, name.chars);
	case REASON_NO_METHOD:
		name = schema_node_name(asked->declared);
		return format_into(out, size, "this capability was made for fewer methods of %.*s",
				(int)name.bytes,
				name.chars);
	default:
		return 0;
	}
}

void shell_refusal_into(char *out, size_t size, struct shell *sh, const struct shell_asked *asked,
		status_t status)
{
	uint64_t detail = sh->ops->detail ? sh->ops->detail(sh->arg) : 0;

	if (status == STATUS_CANCELLED)
		(void)format_into(out, size, "interrupted");
	else if (named_into(out, size, sh, asked, status, detail) == 0)
		(void)reason_into(out, size, status, detail);
}
