/*
 * The launch parameters as a program sees them: name, arguments, environment, configuration,
 * grants.
 */
#include "rt/program.h"

#include "capos/kernel.client.h"
#include "rt/capability.h"
#include "rt/format.h"
#include "rt/start.h"

#define LINE_BYTES 900u

/* No capability has this number. */
#define GRANT_MISSING UINT32_MAX

static struct capnp_message message;
static struct launch_parameters_reader parameters;

/* A word with the message's length stands before it. The launcher is not distrusted (it could as
 * well have given another program), but its message is read like any other. */
void program_parameters_open(const uint64_t *words)
{
	static const uint64_t none;

	if (words == NULL)
		words = &none;
	capnp_message_init_trusted(&message, words + 1, (uint32_t)words[0], NULL, 0);
	parameters = launch_parameters_get_root(&message);
}

/* Texts end with a NUL that stands in the message. Programs may not write to argv's strings. */
int program_args_fill(char **argv, uint32_t args_max)
{
	struct capnp_list list = launch_parameters_get_args(parameters);
	uint32_t count = list.count < args_max ? list.count : args_max;
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct capnp_text text = capnp_list_text(list, i);

		argv[i] = (char *)(uintptr_t)(text.bytes != 0 ? text.chars : "");
	}
	argv[count] = NULL;
	return (int)count;
}

struct capnp_text rt_name(void)
{
	return launch_parameters_get_name(parameters);
}

struct capnp_text rt_env(const char *name)
{
	struct capnp_list list = launch_parameters_get_env(parameters);
	uint32_t i;

	for (i = 0; i < list.count; i++) {
		struct environment_variable_reader variable = environment_variable_at(list, i);

		if (capnp_text_equals(environment_variable_get_name(variable), name))
			return environment_variable_get_value(variable);
	}
	return capnp_text_of("", 0);
}

struct capnp_any rt_config(void)
{
	return launch_parameters_get_config(parameters);
}

uint32_t rt_grant_count(void)
{
	return launch_parameters_get_grants(parameters).count;
}

struct rt_grant_info rt_grant_at(uint32_t index)
{
	struct named_grant_reader grant =
			named_grant_at(launch_parameters_get_grants(parameters), index);

	return (struct rt_grant_info){
		.name = named_grant_get_name(grant),
		.id = named_grant_get_id(grant),
		.interfaces = named_grant_get_interfaces(grant),
	};
}

static bool interfaces_have(struct capnp_list interfaces, uint64_t interface_id)
{
	uint32_t i;

	for (i = 0; i < interfaces.count; i++) {
		if (interface_row_get_id(interface_row_at(interfaces, i)) == interface_id)
			return true;
	}
	return false;
}

struct client_ref rt_grant(const char *name, uint64_t interface_id)
{
	uint32_t count = rt_grant_count();
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct rt_grant_info grant = rt_grant_at(i);

		if (capnp_text_equals(grant.name, name) &&
				interfaces_have(grant.interfaces, interface_id))
			return rt_ref(grant.id);
	}
	return rt_ref(0);
}

struct client_ref rt_grant_known(uint32_t *known, const char *name, uint64_t interface_id)
{
	uint32_t id = __atomic_load_n(known, __ATOMIC_RELAXED);

	if (id == 0) {
		struct client_ref ref = rt_grant(name, interface_id);

		id = client_ref_is_null(ref) ? GRANT_MISSING : rt_id(ref);
		__atomic_store_n(known, id, __ATOMIC_RELAXED);
	}
	return rt_ref(id == GRANT_MISSING ? 0 : id);
}

void rt_print(const char *format, ...)
{
	struct console_ref console = RT_GRANT(console, "console");
	char line[LINE_BYTES + 1];
	va_list args;
	size_t count;

	if (client_ref_is_null(console.ref))
		return;
	va_start(args, format);
	count = format_into_va(line, sizeof(line), format, args);
	va_end(args);
	if (console_write(console, capnp_text_of(line, (uint32_t)count)) != STATUS_OK)
		return;
}
