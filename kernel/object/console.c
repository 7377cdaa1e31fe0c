/*
 * Console: lines of programs in the kernel's log. Each line begins with the name of the process
 * that wrote it, in brackets, and control characters become '?', so that no program can write a
 * line that looks like the kernel's or another's, nor a terminal sequence.
 */
#include "capos/kernel.server.h"
#include "kernel/core/log.h"
#include "kernel/core/panic.h"
#include "kernel/core/plain_text.h"
#include "kernel/core/string.h"
#include "kernel/object/call.h"
#include "kernel/object/process.h"
#include "kernel/object/roots.h"

#define CONSOLE_TEXT_MAX  960 /* bytes a call */
#define CONSOLE_LINES_MAX 64  /* a call; each costs a prefix as well */

/* Puts "[name] " at `out`; a bracket in the name becomes '?', as it would end the name early. */
static size_t prefix_write(char *out, const char *name)
{
	size_t count = strlen(name);

	out[0] = '[';
	plain_text_copy(out + 1, name, count);
	for (size_t i = 1; i <= count; i++) {
		if (out[i] == ']')
			out[i] = '?';
	}
	out[count + 1] = ']';
	out[count + 2] = ' ';
	return count + 3;
}

static size_t line_bytes(const char *text, size_t left)
{
	size_t count = 0;

	while (count < left && text[count] != '\n')
		count++;
	return count;
}

static uint32_t line_count(struct capnp_text text)
{
	uint32_t count = 0;

	for (size_t at = 0; at < text.bytes; at += line_bytes(text.chars + at, text.bytes - at) + 1)
		count++;
	return count;
}

static status_t method_write(void *self, struct call *call, struct console_write_params_reader in,
		struct console_write_results_builder *out)
{
	char line[PROCESS_NAME_MAX + 3 + CONSOLE_TEXT_MAX + 1];
	struct capnp_text text = console_write_params_get_text(in);
	status_t status = call_ready(call);
	size_t prefix = prefix_write(line, call->process->name);

	if (status != STATUS_OK)
		return status;
	if (text.bytes > CONSOLE_TEXT_MAX)
		return call_fail_argument(call, 0, CONSOLE_TEXT_MAX);
	if (line_count(text) > CONSOLE_LINES_MAX)
		return call_fail_argument(call, 0, CONSOLE_LINES_MAX);
	for (size_t at = 0; at < text.bytes;) {
		size_t count = line_bytes(text.chars + at, text.bytes - at);

		plain_text_copy(line + prefix, text.chars + at, count);
		line[prefix + count] = '\n';
		log_chars(line, prefix + count + 1);
		at += count + 1;
	}
	return STATUS_OK;
}

static status_t console_call(
		struct object *object, struct call *call, uint64_t interface_id, uint16_t method)
{
	static const struct console_server server = { .write = method_write };

	return console_dispatch(&server, object, call, interface_id, method);
}

static const struct object_type console_type = { .name = "console", .call = console_call };

struct object *console_object(void)
{
	static struct object console = ROOT_OBJECT(&console_type);

	return &console;
}
