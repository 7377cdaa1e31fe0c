/*
 * run and spawn: a program with exactly the capabilities that the line names. The process is made by
 * shell_ops.launch; what is granted, waited for and told is decided here. See shell.h.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "services/shell/shell.h"

static bool add_grant(struct shell *sh, const struct shell_grant *g, struct shell_launch_request *request,
		struct thing *held)
{
	struct shell_launch_grant *grant = &request->grants[request->grant_count];
	struct thing cap;

	if (request->grant_count == SHELL_GRANTS_MAX)
		return shell_fail(sh, g->name.at, "at most %d capabilities can be granted", SHELL_GRANTS_MAX);
	for (uint32_t i = 0; i < request->grant_count; i++) {
		if (capnp_text_is(request->grants[i].name, capnp_text_of(g->name.chars, g->name.bytes)))
			return shell_fail(sh, g->name.at, "%.*s is granted twice", (int)g->name.bytes, g->name.chars);
	}
	if (!g->capability) {
		*held = (struct thing){ .kind = THING_NOTHING };
		*grant = (struct shell_launch_grant){ .name = capnp_text_of(g->name.chars, g->name.bytes),
			.own_memory = true, .interface = schema_find(sh->schema, VIRTUAL_MEMORY_INTERFACE_ID) };
		request->grant_count++;
		return true;
	}
	if (!shell_follow(sh, g->capability, false, held))
		return false;
	if (!thing_as_capability(*held, &cap)) {
		thing_put(*held);
		return shell_fail(sh, g->capability->at, "this is not a capability");
	}
	*grant = (struct shell_launch_grant){ .name = capnp_text_of(g->name.chars, g->name.bytes),
		.capability = cap.capability, .interface = cap.node };
	request->grant_count++;
	return true;
}

/* A text that was written or is bound. */
static bool text_value(struct shell *sh, const struct shell_value *v, struct capnp_text *out)
{
	struct thing t;
	bool ok = false;

	if (v->kind == SHELL_TEXT) {
		*out = capnp_text_of(v->word.chars, v->word.bytes);
		return true;
	}
	if (v->kind == SHELL_REFERENCE && v->reference->sigil == SHELL_VALUE) {
		if (!shell_follow(sh, v->reference, false, &t))
			return false;
		if (t.kind == THING_LITERAL && t.literal->kind == SHELL_TEXT) {
			*out = capnp_text_of(t.literal->word.chars, t.literal->word.bytes);
			ok = true;
		} else if (t.kind == THING_FIELD && schema_type_kind(t.type) == SCHEMA_TEXT) {
			*out = capnp_any_text(t.any);
			ok = true;
		}
		thing_put(t);	/* the name keeps it while the line runs */
	}
	return ok || shell_fail(sh, v->at, "a text in quotes is wanted here");
}

static bool add_strings(struct shell *sh, const struct shell_launch *launch, struct shell_launch_request *request)
{
	for (const struct shell_value *v = launch->args ? launch->args->items : NULL; v; v = v->next) {
		if (request->arg_count == SHELL_STRINGS_MAX)
			return shell_fail(sh, v->at, "there are too many arguments");
		if (!text_value(sh, v, &request->args[request->arg_count++]))
			return false;
	}
	for (const struct shell_field *f = launch->env ? launch->env->fields : NULL; f; f = f->next) {
		struct shell_launch_variable *variable = &request->env[request->env_count];

		if (request->env_count == SHELL_STRINGS_MAX)
			return shell_fail(sh, f->name.at, "there are too many environment variables");
		variable->name = capnp_text_of(f->name.chars, f->name.bytes);
		if (!text_value(sh, f->value, &variable->value))
			return false;
		request->env_count++;
	}
	return true;
}

static bool start(struct shell *sh, const struct shell_launch *launch, const struct shell_launch_request *request,
		uint32_t *process)
{
	char reason[160];
	status_t status;
	const char *sentence;

	reason[0] = 0;
	sh->ops->flush(sh->arg);
	status = sh->ops->launch(sh->arg, request, process, reason, sizeof(reason));
	if (status == STATUS_OK)
		return true;
	sh->failure = status;
	sentence = reason[0] ? reason : status_sentence(status);
	return shell_fail(sh, launch->program.at, "%.*s: %s", (int)launch->program.bytes, launch->program.chars,
			sentence);
}

/* --- How a program ended ---------------------------------------------------------------------- */

/* One call of a method without parameters on the process; the caller ends it. */
static struct client_call ask(struct shell *sh, uint32_t process, uint16_t method, uint32_t words, bool foreground)
{
	struct client_begin what = {
		.target = client_ref_of(sh->transport, process),
		.interface_id = PROCESS_OBSERVER_INTERFACE_ID,
		.method = method,
		.params_words = 8,
		.reply_words = words,
	};
	struct client_call call = client_call_begin(&what);
	struct capnp_builder *params = client_params(&call);

	if (params)
		(void)capnp_init_struct(capnp_init_root(params), 0, 0);
	client_send(&call);
	if (call.status == STATUS_OK)
		client_fail(&call, foreground ? sh->ops->await_process(sh->arg, &call, process) :
				sh->ops->await(sh->arg, &call));
	return call;
}

static void tell_crash(struct shell *sh, uint32_t process, struct capnp_text name)
{
	struct client_call call = ask(sh, process, PROCESS_OBSERVER_METHOD_CRASH, 256, false);
	struct crash_record_reader record;

	if (call.status == STATUS_OK) {
		record = process_observer_crash_results_get_record(
				(struct process_observer_crash_results_reader){ client_results_struct(&call) });
		shell_print(sh, "%.*s crashed: %s at 0x%llx, instruction 0x%llx\n", (int)name.bytes, name.chars,
				crash_kind_name(crash_record_get_kind(record)),
				(unsigned long long)crash_record_get_address(record),
				(unsigned long long)crash_record_get_instruction(record));
	}
	client_done(&call);
}

/* Waits for the program's end and makes it the outcome of the statement. */
static bool wait_for(struct shell *sh, const struct shell_launch *launch, uint32_t process)
{
	struct client_call call = ask(sh, process, PROCESS_OBSERVER_METHOD_WAIT, 32, true);
	struct capnp_text name = capnp_text_of(launch->program.chars, launch->program.bytes);
	struct exit_status_reader exit;
	enum process_state state = PROCESS_STATE_NONE;
	int64_t status = 0;

	if (call.status == STATUS_OK) {
		exit = process_observer_wait_results_get_exit(
				(struct process_observer_wait_results_reader){ client_results_struct(&call) });
		state = (enum process_state)exit_status_get_state(exit);
		status = exit_status_get_status(exit);
	}
	sh->failure = call.status != STATUS_OK ? call.status : status != 0 ? status : SHELL_REFUSED;
	if (call.status != STATUS_OK)
		(void)shell_fail(sh, launch->program.at, "%s", status_sentence(call.status));
	client_done(&call);
	if (state == PROCESS_STATE_EXITED && status == 0)
		return true;
	if (state == PROCESS_STATE_EXITED)
		shell_print(sh, "%.*s ended with status %lld\n", (int)name.bytes, name.chars, (long long)status);
	else if (state == PROCESS_STATE_KILLED)
		shell_print(sh, "%.*s was killed\n", (int)name.bytes, name.chars);
	else if (state == PROCESS_STATE_CRASHED)
		tell_crash(sh, process, name);
	return false;
}

/* Takes the object, which holds the process. */
static bool launched(struct shell *sh, const struct shell_statement *s, struct shell_object *object,
		struct thing *out)
{
	uint32_t process = object->caps[0].id;
	bool ok = true;

	*out = thing_of_capability(object, schema_find(sh->schema, PROCESS_HANDLE_INTERFACE_ID));
	if (s->launch->foreground) {
		ok = wait_for(sh, s->launch, process);
		if (!ok || s->bind.bytes == 0) {
			thing_put(*out);
			out->kind = THING_NOTHING;
		}
	}
	return ok;
}

bool shell_launch(struct shell *sh, const struct shell_statement *s, struct thing *out)
{
	struct shell_launch_request *request = calloc(1, sizeof(*request));
	struct shell_object *object = object_of_capability(sh, 0);	/* made first: a process is not lost */
	struct thing held[SHELL_GRANTS_MAX];
	bool ok = request && object;

	out->kind = THING_NOTHING;
	if (!ok) {
		free(request);
		object_put(object);
		return shell_fail(sh, s->at, "the shell has no memory for this");
	}
	request->program = capnp_text_of(s->launch->program.chars, s->launch->program.bytes);
	request->foreground = s->launch->foreground;
	for (const struct shell_grant *g = s->launch->grants; g && ok; g = g->next)
		ok = add_grant(sh, g, request, &held[MIN(request->grant_count, SHELL_GRANTS_MAX - 1)]);
	ok = ok && add_strings(sh, s->launch, request) && start(sh, s->launch, request, &object->caps[0].id);
	for (uint32_t i = 0; i < request->grant_count; i++)
		thing_put(held[i]);
	free(request);
	if (ok)
		return launched(sh, s, object, out);
	object_put(object);
	return false;
}
