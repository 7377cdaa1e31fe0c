/*
 * The shell: greets, reads a line, runs it, and says by its prompt how that went. See shell.h for what a
 * line does and docs/reference/shell.md for what a person can say.
 */
#include <string.h>

#include "capos/kernel.client.h"
#include "capos/manifest.capnp.h"
#include "rt/format.h"
#include "rt/program.h"
#include "services/shell/process.h"
#include "services/shell/tour.h"

/* Programs that drive the shell rely on these: seven characters, of which the sixth tells. */
#define PROMPT_OK     "capos> "
#define PROMPT_FAILED "capos! "

static struct shell_process process;

/* The manifest's greeting; {caps} is how many capabilities the person holds. */
static void greet(void)
{
	struct service_config_reader config = service_config_of_any(rt_config());
	struct capnp_text motd = service_config_get_motd(config);
	char number[16];

	format_into(number, sizeof(number), "%u", shell_capability_count(&process.shell));
	for (uint32_t at = 0; at < motd.bytes; at++) {
		char one[2] = { motd.chars[at], 0 };

		if (motd.bytes - at >= 6 && memcmp(motd.chars + at, "{caps}", 6) == 0) {
			process_say(number);
			at += 5;
		} else {
			process_say(one);
		}
	}
	if (motd.bytes > 0)
		process_say("\n");
}

/* Ctrl-D: leaving is asked about, because the shell may be all that there is. */
static void ask_to_leave(void)
{
	bool system = shell_find(&process.shell, "system", 6) != NULL;
	enum term_edit outcome = process_line(&process, system ? "Power off the system? [y/N] " :
			"Leave the shell? [y/N] ");

	if (outcome != TERM_EDIT_LINE || (process.editor.line[0] | 0x20) != 'y')
		return;
	if (system)
		(void)shell_run(&process.shell, "poweroff", 8);
	else
		process.shell.leave = true;
}

static void run_line(void)
{
	char line[SHELL_LINE_MAX + 1];
	uint32_t bytes = process.editor.bytes;

	if (process.editor.overfull) {
		format_into(line, sizeof(line), "the line is longer than %d bytes, and was not run", SHELL_LINE_MAX);
		shell_refuse(&process.shell, line);
		return;
	}
	memcpy(line, process.editor.line, bytes);	/* the tour edits lines of its own */
	line[bytes] = 0;
	(void)shell_run(&process.shell, line, bytes);
	if (!process.shell.sensitive)
		term_history_add(&process.history, line, bytes);
	if (process.shell.tour) {
		process.shell.tour = false;
		tour_run(&process);
		process.shell.status = 0;
	}
}

int main(int argc, char **argv)
{
	const char *problem = process_start(&process);

	if (problem) {
		rt_print("shell: %s", problem);
		return 1;
	}
	greet();
	while (!process.shell.leave && !process_is_alone()) {
		switch (process_line(&process, process.shell.status == 0 ? PROMPT_OK : PROMPT_FAILED)) {
		case TERM_EDIT_LINE: run_line(); break;
		case TERM_EDIT_END: ask_to_leave(); break;
		case TERM_EDIT_MORE:
		case TERM_EDIT_INTERRUPT:
		case TERM_EDIT_SUSPEND: break;
		}
	}
	process_flush();
	shell_fini(&process.shell);
	return (int)process.shell.leave_status;
}
