/*
 * Any bytes as what happens to a terminal: input, calls of several sessions, printing, resizing, hanging
 * up. The invariants hold after each, every call is answered at most once, and the small screen knows
 * every sequence that was sent.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi/compiler.h"
#include "term/screen.h"
#include "term/terminal.h"

#define WAITERS 512

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static struct terminal term;
static struct term_screen screen;
static uint8_t answered[WAITERS];
static bool raw_written;	/* a session has sent bytes of its own, which may be anything */

static void answer(terminal_waiter who)
{
	if (who == 0 || who >= WAITERS || answered[who]++)
		abort();
}

static void on_output(void *arg, const char *bytes, uint32_t count)
{
	term_screen_write(&screen, bytes, count);
}

static void on_line(void *arg, terminal_waiter who, const char *line, uint32_t bytes, enum line_outcome outcome)
{
	if (bytes > TERM_LINE_MAX || (bytes > 0 && memchr(line, 0, bytes)))
		abort();
	answer(who);
}

static void on_keys(void *arg, terminal_waiter who, const char *bytes, uint32_t count, bool end)
{
	if (count > TERMINAL_KEYS_MAX || (count == 0 && !end && !term.hung_up))
		abort();
	answer(who);
}

static void on_event(void *arg, terminal_waiter who, enum terminal_event event)
{
	answer(who);
}

static const struct terminal_ops ops = { on_output, on_line, on_keys, on_event };

static void step(uint8_t what, const char *data, uint32_t count, terminal_waiter who)
{
	uint32_t session = (what >> 4) % TERMINAL_SESSIONS_MAX;
	uint32_t opened;

	if (!term.session[session].open)
		session = 0;
	switch (what & 15) {
	case 0: (void)terminal_read_line(&term, session, who, data, count, what & 64); break;
	case 1: (void)terminal_read_keys(&term, session, who, 1 + count, what & 64); break;
	case 2: (void)terminal_next_event(&term, session, who); break;
	case 3: terminal_cancel(&term, who > 3 ? who - 3 : 1); break;
	case 4: (void)terminal_session_open(&term, &opened); break;
	case 5:
		if (session != 0)
			terminal_session_close(&term, session);
		break;
	case 6: terminal_print(&term, data, count); break;
	case 7: terminal_resize(&term, what >> 4, count); break;
	case 8:
		terminal_write(&term, data, count, count % 7);
		raw_written = true;
		break;
	case 9:
		if (count == 7)
			terminal_hang_up(&term);
		break;
	default: terminal_input(&term, data, count); break;
	}
	terminal_check(&term);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	size_t at = 0;

	memset(answered, 0, sizeof(answered));
	raw_written = false;
	term_screen_init(&screen, 30, 20);
	terminal_init(&term, &ops, NULL, 30, 20);
	for (terminal_waiter who = 1; who < WAITERS && at + 2 <= count; who++) {
		uint32_t length = bytes[at + 1] % 32;

		length = (uint32_t)MIN(length, count - at - 2);
		step(bytes[at], (const char *)bytes + at + 2, length, who);
		at += 2 + length;
	}
	if (!raw_written && screen.unknown > 0)
		abort();
	return 0;
}
