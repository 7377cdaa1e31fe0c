/*
 * Terminal; see terminal.h.
 * Input: terminal_input() queues, pump() gives the top session what it waits for. Ctrl-C and Ctrl-Z
 * act when they arrive if a program is waiting for the event, else when a read comes to them. Ctrl-\
 * is never left to the program in the foreground, and cuts it off.
 */
#include "term/terminal.h"

#include <string.h>

#include "abi/compiler.h"
#include "term/utf8.h"

#define CTRL_C 0x03
#define CTRL_Z 0x1A
#define CTRL_BACKSLASH 0x1C
#define NO_SESSION UINT32_MAX

static void pump(struct terminal *t);
static void hide_line(struct terminal_session *s);
static void show_line(struct terminal_session *s);

/* --- Output ----------------------------------------------------------------------------------- */

static void put(struct terminal *t, const char *bytes, uint32_t count)
{
	uint32_t from = 0;

	for (uint32_t at = 0; at < count; at++) {
		if (bytes[at] == '\n' && !t->after_return) {
			if (at > from)
				t->ops->output(t->arg, bytes + from, at - from);
			t->ops->output(t->arg, "\r\n", 2);
			from = at + 1;
		}
		t->after_return = bytes[at] == '\r';
	}
	if (count > from)
		t->ops->output(t->arg, bytes + from, count - from);
}

void terminal_write(struct terminal *t, const char *bytes, uint32_t count, uint32_t rows)
{
	t->drawn = true;
	t->drawn_rows = MIN(rows, t->rows);
	put(t, bytes, count);
}

static bool is_printable(uint32_t c)
{
	return c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0) && c != UTF8_REPLACEMENT;
}

/* Text with its control characters made visible; line feeds and tabs stay. */
static void write_visible(struct terminal *t, const char *text, uint32_t bytes)
{
	uint32_t from = 0;
	uint32_t used;

	for (uint32_t at = 0; at < bytes; at += used) {
		uint32_t c = utf8_decode(text + at, bytes - at, &used);
		char shown[2] = { '^', (char)((c & 0x1F) | 0x40) };

		if (c == '\n' || c == '\t' || is_printable(c))
			continue;
		put(t, text + from, at - from);
		from = at + used;
		if (c == 0x7F)
			put(t, "^?", 2);
		else if (c < 0x20)
			put(t, shown, 2);
		else
			put(t, "\xef\xbf\xbd", 3);
	}
	put(t, text + from, bytes - from);
}

static void editor_output(void *arg, const char *bytes, uint32_t count)
{
	put(arg, bytes, count);
}

/* --- Sessions and events ---------------------------------------------------------------------- */

static uint32_t top(const struct terminal *t)
{
	uint32_t best = NO_SESSION;

	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		if (!t->session[i].open || t->session[i].cut)
			continue;
		if (best == NO_SESSION || t->session[i].order > t->session[best].order)
			best = i;
	}
	return best;
}

static void send_event(struct terminal *t, struct terminal_session *s, enum terminal_event event)
{
	terminal_waiter who = s->event_waiter;

	if (!who) {
		s->events |= 1u << event;
		return;
	}
	s->event_waiter = 0;
	t->ops->answer_event(t->arg, who, event);
}

/* The line is gone for this session: what waits is answered. */
static void session_end(struct terminal *t, struct terminal_session *s)
{
	enum terminal_read read = s->read;

	s->read = TERMINAL_READ_NONE;
	s->line_shown = false;
	if (read == TERMINAL_READ_LINE)
		t->ops->answer_line(t->arg, s->reader, "", 0, LINE_OUTCOME_END_OF_INPUT);
	else if (read == TERMINAL_READ_KEYS)
		t->ops->answer_keys(t->arg, s->reader, "", 0, true);
	if (s->event_waiter)
		send_event(t, s, TERMINAL_EVENT_HANG_UP);
}

/* Interrupts the oldest session that waits for events, unless it is the one in the foreground, and
 * cuts off those above it: whomever the terminal was lent to, a person gets it back. */
static bool take_back(struct terminal *t)
{
	struct terminal_session *oldest = NULL;

	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (s->open && !s->cut && s->event_waiter && (!oldest || s->order < oldest->order))
			oldest = s;
	}
	if (!oldest || oldest == &t->session[top(t)])
		return false;
	hide_line(&t->session[top(t)]);
	send_event(t, oldest, TERMINAL_EVENT_INTERRUPT);
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (!s->open || s->cut || s->order <= oldest->order)
			continue;
		s->cut = true;
		session_end(t, s);
	}
	t->queued = 0;
	show_line(oldest);
	return true;
}

/* Gives interrupt or suspend to the newest session that waits for events; false: none does. */
static bool signal_newest(struct terminal *t, enum terminal_event event)
{
	struct terminal_session *newest = NULL;

	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (s->open && s->event_waiter && (!newest || s->order > newest->order))
			newest = s;
	}
	if (!newest)
		return false;
	send_event(t, newest, event);
	return true;
}

static void hide_line(struct terminal_session *s)
{
	if (s->line_shown)
		term_editor_erase(&s->editor);
	s->line_shown = false;
}

static void show_line(struct terminal_session *s)
{
	if (s->read == TERMINAL_READ_LINE && !s->line_shown) {
		term_editor_redraw(&s->editor);
		s->line_shown = true;
	}
}

/* Takes the line that the session in front has drawn off the screen. */
static void erase_drawn(struct terminal *t)
{
	for (uint32_t row = 0; row < t->drawn_rows; row++)
		put(t, "\x1b[A", 3);
	put(t, "\r\x1b[J", 4);
}

void terminal_print(struct terminal *t, const char *text, uint32_t bytes)
{
	uint32_t above = top(t);
	struct terminal_session *s = above == NO_SESSION ? NULL : &t->session[above];
	bool line = s && s->read == TERMINAL_READ_LINE;
	bool keys = s && s->read == TERMINAL_READ_KEYS;

	if (line)
		hide_line(s);
	else if (keys && t->drawn)
		erase_drawn(t);
	write_visible(t, text, bytes);
	if (bytes == 0 || text[bytes - 1] != '\n')
		put(t, "\n", 1);
	if (line)
		show_line(s);
	else if (keys && t->drawn)
		send_event(t, s, TERMINAL_EVENT_REDRAW);
	t->drawn_rows = 0;
	t->drawn = false;	/* until it has drawn again, there is nothing to erase or to tell */
}

bool terminal_session_open(struct terminal *t, uint32_t *session)
{
	uint32_t below = top(t);

	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (s->open)
			continue;
		if (below != NO_SESSION)
			hide_line(&t->session[below]);
		memset(s, 0, sizeof(*s));
		s->open = true;
		s->order = t->next_order++;
		term_keys_init(&s->keys);
		term_editor_init(&s->editor, t->columns, editor_output, t);
		*session = i;
		return true;
	}
	return false;
}

void terminal_session_close(struct terminal *t, uint32_t session)
{
	uint32_t now_top;

	hide_line(&t->session[session]);
	t->session[session].open = false;
	t->session[session].read = TERMINAL_READ_NONE;
	t->session[session].event_waiter = 0;
	now_top = top(t);
	if (now_top != NO_SESSION) {
		show_line(&t->session[now_top]);
		pump(t);
	}
}

/* --- Reads ------------------------------------------------------------------------------------ */

static void finish_line(struct terminal *t, struct terminal_session *s, enum line_outcome outcome)
{
	s->read = TERMINAL_READ_NONE;
	s->line_shown = false;
	t->ops->answer_line(t->arg, s->reader, s->editor.line, outcome == LINE_OUTCOME_LINE ? s->editor.bytes : 0,
			outcome);
	if (s->editor.hidden)
		memset(s->editor.line, 0, sizeof(s->editor.line));
}

static char queue_take(struct terminal *t)
{
	char byte = t->queue[t->first];

	t->queue[t->first] = 0;	/* it may be part of a password */
	t->first = (t->first + 1) % TERMINAL_QUEUE_MAX;
	t->queued--;
	return byte;
}

/* One byte for a line being edited. */
static void line_byte(struct terminal *t, struct terminal_session *s, char byte)
{
	struct term_key_event key;

	if (!term_keys_feed(&s->keys, (uint8_t)byte, &key))
		return;
	switch (term_editor_key(&s->editor, &key)) {
	case TERM_EDIT_MORE:
		return;
	case TERM_EDIT_LINE:
		finish_line(t, s, LINE_OUTCOME_LINE);
		return;
	case TERM_EDIT_END:
		finish_line(t, s, LINE_OUTCOME_END_OF_INPUT);
		return;
	case TERM_EDIT_INTERRUPT:
		finish_line(t, s, LINE_OUTCOME_INTERRUPTED);
		(void)signal_newest(t, TERMINAL_EVENT_INTERRUPT);
		return;
	case TERM_EDIT_SUSPEND:
		(void)signal_newest(t, TERMINAL_EVENT_SUSPEND);
		term_editor_redraw(&s->editor);
		return;
	}
}

/* Everything queued that a key read may have; Ctrl-C and Ctrl-Z only where they are keys. */
static void give_keys(struct terminal *t, struct terminal_session *s)
{
	static char bytes[TERMINAL_KEYS_MAX];
	uint32_t count = 0;

	while (t->queued > 0 && count < s->keys_max) {
		char byte = queue_take(t);

		if (s->control_keys || (byte != CTRL_C && byte != CTRL_Z))
			bytes[count++] = byte;
		else
			(void)signal_newest(t, byte == CTRL_C ? TERMINAL_EVENT_INTERRUPT : TERMINAL_EVENT_SUSPEND);
	}
	if (count == 0)
		return;
	s->read = TERMINAL_READ_NONE;
	t->ops->answer_keys(t->arg, s->reader, bytes, count, false);
	memset(bytes, 0, count);
}

/* Gives the top session what it waits for, as far as the queue goes. An answer may lead to the next
 * call at once, so each turn looks anew. */
static void pump(struct terminal *t)
{
	while (t->queued > 0) {
		uint32_t above = top(t);
		struct terminal_session *s = above == NO_SESSION ? NULL : &t->session[above];

		if (!s || s->read == TERMINAL_READ_NONE)
			return;
		if (s->read == TERMINAL_READ_KEYS)
			give_keys(t, s);
		else
			line_byte(t, s, queue_take(t));
	}
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* A prompt is text in one row: what is before its last line end is printed, controls are shown. */
static void start_line(struct terminal *t, struct terminal_session *s, const char *prompt, uint32_t bytes,
		bool hidden, bool shows)
{
	char shown[TERM_PROMPT_MAX];
	uint32_t count = 0;
	uint32_t from = bytes;
	uint32_t used;

	while (from > 0 && prompt[from - 1] != '\n')
		from--;
	if (shows)
		write_visible(t, prompt, from);
	for (; from < bytes && count + 4 <= sizeof(shown); from += used) {
		if (is_printable(utf8_decode(prompt + from, bytes - from, &used))) {
			memcpy(shown + count, prompt + from, used);
			count += used;
		} else {
			shown[count++] = ' ';
		}
	}
	s->editor.columns = MAX(t->columns, 2u);
	term_editor_reset(&s->editor, shown, count, hidden);
	if (shows)
		show_line(s);
}

bool terminal_read_line(struct terminal *t, uint32_t session, terminal_waiter who, const char *prompt,
		uint32_t prompt_bytes, bool hidden)
{
	struct terminal_session *s = &t->session[session];

	if (s->read != TERMINAL_READ_NONE)
		return false;
	if (t->hung_up || s->cut) {
		t->ops->answer_line(t->arg, who, "", 0, LINE_OUTCOME_END_OF_INPUT);
		return true;
	}
	s->read = TERMINAL_READ_LINE;
	s->reader = who;
	start_line(t, s, prompt, prompt_bytes, hidden, top(t) == session);
	pump(t);
	return true;
}

bool terminal_read_keys(struct terminal *t, uint32_t session, terminal_waiter who, uint32_t max,
		bool control_keys)
{
	struct terminal_session *s = &t->session[session];

	if (s->read != TERMINAL_READ_NONE)
		return false;
	if (t->hung_up || s->cut || max == 0) {
		t->ops->answer_keys(t->arg, who, "", 0, t->hung_up || s->cut);
		return true;
	}
	s->read = TERMINAL_READ_KEYS;
	s->reader = who;
	s->keys_max = MIN(max, TERMINAL_KEYS_MAX);
	s->control_keys = control_keys;
	pump(t);
	return true;
}

bool terminal_next_event(struct terminal *t, uint32_t session, terminal_waiter who)
{
	struct terminal_session *s = &t->session[session];

	if (s->event_waiter)
		return false;
	s->event_waiter = who;
	if (t->hung_up || s->cut) {
		send_event(t, s, TERMINAL_EVENT_HANG_UP);
	} else if (s->events) {
		enum terminal_event event = (enum terminal_event)__builtin_ctz(s->events);

		s->events &= s->events - 1;
		send_event(t, s, event);
	}
	return true;
}

void terminal_cancel(struct terminal *t, terminal_waiter who)
{
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (!s->open)
			continue;
		if (s->event_waiter == who)
			s->event_waiter = 0;
		if (s->read != TERMINAL_READ_NONE && s->reader == who) {
			hide_line(s);
			s->read = TERMINAL_READ_NONE;
		}
	}
}

/* --- The line --------------------------------------------------------------------------------- */

uint32_t terminal_input_room(const struct terminal *t)
{
	return TERMINAL_QUEUE_MAX - t->queued;
}

/* Whether the byte acts at once: somebody waits for the event and nobody reads it as a key. What
 * was typed before an interrupt and is not read yet goes with it. */
static bool acts_now(struct terminal *t, char byte)
{
	uint32_t above = top(t);

	if (byte == CTRL_BACKSLASH)
		return take_back(t);
	if (byte != CTRL_C && byte != CTRL_Z)
		return false;
	if (above != NO_SESSION && t->session[above].read != TERMINAL_READ_NONE)
		return false;
	if (!signal_newest(t, byte == CTRL_C ? TERMINAL_EVENT_INTERRUPT : TERMINAL_EVENT_SUSPEND))
		return false;
	if (byte == CTRL_C)
		t->queued = 0;
	return true;
}

void terminal_input(struct terminal *t, const char *bytes, uint32_t count)
{
	if (t->hung_up)
		return;
	for (uint32_t i = 0; i < count; i++) {
		if (acts_now(t, bytes[i]) || t->queued == TERMINAL_QUEUE_MAX)
			continue;
		t->queue[(t->first + t->queued) % TERMINAL_QUEUE_MAX] = bytes[i];
		t->queued++;
	}
	pump(t);
}

void terminal_hang_up(struct terminal *t)
{
	t->hung_up = true;
	t->queued = 0;
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		if (t->session[i].open)
			session_end(t, &t->session[i]);
	}
}

void terminal_resize(struct terminal *t, uint32_t columns, uint32_t rows)
{
	t->columns = columns == 0 ? 80 : columns;
	t->rows = rows == 0 ? 24 : rows;
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		struct terminal_session *s = &t->session[i];

		if (!s->open)
			continue;
		if (s->line_shown)
			term_editor_resize(&s->editor, t->columns);
		else
			s->editor.columns = MAX(t->columns, 2u);
		send_event(t, s, TERMINAL_EVENT_RESIZE);
	}
}

void terminal_init(struct terminal *t, const struct terminal_ops *ops, void *arg, uint32_t columns,
		uint32_t rows)
{
	uint32_t first;

	memset(t, 0, sizeof(*t));
	t->ops = ops;
	t->arg = arg;
	t->columns = columns == 0 ? 80 : columns;
	t->rows = rows == 0 ? 24 : rows;
	(void)terminal_session_open(t, &first);
}

void terminal_check(const struct terminal *t)
{
	uint32_t above = top(t);

	if (t->queued > TERMINAL_QUEUE_MAX || t->first >= TERMINAL_QUEUE_MAX)
		__builtin_trap();
	for (uint32_t i = 0; i < TERMINAL_SESSIONS_MAX; i++) {
		const struct terminal_session *s = &t->session[i];

		if (s->line_shown && (s->read != TERMINAL_READ_LINE || i != above))
			__builtin_trap();
		if (!s->open && (s->read != TERMINAL_READ_NONE || s->event_waiter))
			__builtin_trap();
		if (s->editor.cursor > s->editor.bytes || s->editor.bytes > TERM_LINE_MAX)
			__builtin_trap();
	}
}
