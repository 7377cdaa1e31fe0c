/*
 * Reads from the terminal in the way its first argument says and shows what it got, for the tests of
 * foreground programs: line, hidden, keys (Ctrl-C included), or mute (reads nothing, for ever).
 */
#include <string.h>

#include "capos/kernel.client.h"
#include "capos/terminal.client.h"
#include "rt/format.h"
#include "rt/program.h"

static struct terminal_session_ref term;

static int show(const char *what, const char *chars, uint32_t bytes)
{
	struct console_ref console = terminal_session_as_console(term);
	char line[200];

	format_into(line, sizeof(line), "%s: %.*s", what, (int)bytes, chars);
	return console_write(console, capnp_text(line)) == STATUS_OK ? 0 : 1;
}

static int read_line(bool hidden)
{
	struct terminal_session_read_line_call call =
		terminal_session_read_line_start(term, capnp_text("reader? "), hidden);
	struct terminal_session_read_line_results_reader in;
	struct capnp_text line;

	if (terminal_session_read_line_wait(&call) != STATUS_OK)
		return 2;
	in = terminal_session_read_line_results(&call);
	line = terminal_session_read_line_results_get_line(in);
	switch (terminal_session_read_line_results_get_outcome(in)) {
	case LINE_OUTCOME_LINE: return show("line", line.chars, line.bytes);
	case LINE_OUTCOME_END_OF_INPUT: return show("end", "", 0);
	default: return 3;
	}
}

static int read_keys(void)
{
	struct terminal_session_read_keys_call call;
	char number[8];

	/* Asked for before it is said, so that whoever sees that types into this call. */
	call = terminal_session_read_keys_start(term, 1, true);
	if (show("waits", "", 0) != 0 || terminal_session_read_keys_wait(&call) != STATUS_OK)
		return 2;
	format_into(number, sizeof(number), "%u", (unsigned)terminal_session_read_keys_results_get_bytes(
			terminal_session_read_keys_results(&call)).bytes[0]);
	return show("key", number, (uint32_t)strlen(number));
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "line";

	term = RT_GRANT(terminal_session, "term");
	if (client_ref_is_null(term.ref))
		return 1;
	if (strcmp(how, "keys") == 0)
		return read_keys();
	if (strcmp(how, "mute") == 0)
		return show("waits", "", 0) == 0 &&
				timer_sleep(RT_GRANT(timer, "timer"), UINT64_C(1000000000000)) == STATUS_OK ? 0 : 1;
	return read_line(strcmp(how, "hidden") == 0);
}
