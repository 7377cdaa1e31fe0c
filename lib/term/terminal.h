/*
 * Terminal: what stands between a byte stream and the sessions that programs hold on it. Line
 * discipline, foreground sessions, events and output mapping as one pure state machine; serial
 * ports, SSH and web terminals differ only in who calls it.
 *
 * Bytes typed wait in a queue until somebody reads. A line read is edited and echoed here (with the
 * line editor); a key read takes the bytes as they are. Waiting calls are known by the caller's
 * token and answered once each through terminal_ops.
 *
 * Always true: sessions form a stack in order of opening and only the top one reads; a session has
 * at most one read and one event call waiting.
 */
#ifndef LIB_TERM_TERMINAL_H
#define LIB_TERM_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "capos/terminal.capnp.h"
#include "term/editor.h"
#include "term/keys.h"

#define TERMINAL_SESSIONS_MAX 8
#define TERMINAL_QUEUE_MAX 2048
#define TERMINAL_KEYS_MAX 1024

/* Who waits: chosen by the caller, never 0. */
typedef uint64_t terminal_waiter;

struct terminal_ops {
	/* Bytes for the screen, ready to send. Borrowed during the call. */
	void (*output)(void *arg, const char *bytes, uint32_t count);
	void (*answer_line)(void *arg, terminal_waiter who, const char *line, uint32_t bytes,
			enum line_outcome outcome);
	void (*answer_keys)(void *arg, terminal_waiter who, const char *bytes, uint32_t count, bool end);
	void (*answer_event)(void *arg, terminal_waiter who, enum terminal_event event);
};

enum terminal_read { TERMINAL_READ_NONE, TERMINAL_READ_LINE, TERMINAL_READ_KEYS };

struct terminal_session {
	bool open;
	bool cut;			/* Ctrl-\ took the terminal from it; to it the line is gone */
	uint32_t order;			/* later ones are above earlier ones */
	enum terminal_read read;
	terminal_waiter reader;
	terminal_waiter event_waiter;	/* 0: nobody */
	uint32_t events;		/* set of 1 << event, not delivered yet: resize and redraw only */
	uint32_t keys_max;
	bool control_keys;
	bool line_shown;		/* the editor's line is on the screen */
	struct term_keys keys;
	struct term_editor editor;
};

struct terminal {
	const struct terminal_ops *ops;
	void *arg;
	uint32_t columns;
	uint32_t rows;
	bool hung_up;
	bool after_return;		/* of the output */
	bool drawn;			/* a session has written since the last text was printed */
	uint32_t drawn_rows;		/* above the cursor, to erase with its row */
	uint32_t next_order;
	uint32_t first;			/* of the queue */
	uint32_t queued;
	char queue[TERMINAL_QUEUE_MAX];
	struct terminal_session session[TERMINAL_SESSIONS_MAX];
};

/* Session 0 is open from the start. columns, rows 0: unknown, taken as 80 by 24. */
void terminal_init(struct terminal *t, const struct terminal_ops *ops, void *arg, uint32_t columns,
		uint32_t rows);

/* A session above all others; false: there are TERMINAL_SESSIONS_MAX. */
bool terminal_session_open(struct terminal *t, uint32_t *session);

/* Its last holder is gone. Its waiting calls are forgotten without an answer. */
void terminal_session_close(struct terminal *t, uint32_t session);

/* Bytes from the line; what the queue has no room for is dropped. */
void terminal_input(struct terminal *t, const char *bytes, uint32_t count);

/* How many bytes of input would be taken now without loss. */
uint32_t terminal_input_room(const struct terminal *t);

/* The line is gone. Every waiting and later call is answered at once. */
void terminal_hang_up(struct terminal *t);

void terminal_resize(struct terminal *t, uint32_t columns, uint32_t rows);

/* The calls of a session. A read or event call while one waits answers false, without effect. */
bool terminal_read_line(struct terminal *t, uint32_t session, terminal_waiter who, const char *prompt,
		uint32_t prompt_bytes, bool hidden);
bool terminal_read_keys(struct terminal *t, uint32_t session, terminal_waiter who, uint32_t max,
		bool control_keys);
bool terminal_next_event(struct terminal *t, uint32_t session, terminal_waiter who);

/* The caller of a waiting call went away. */
void terminal_cancel(struct terminal *t, terminal_waiter who);

/* Text from a program that only prints: a line end is added, control characters are shown. */
void terminal_print(struct terminal *t, const char *text, uint32_t bytes);

/* Bytes from a session: as they are, but a line feed becomes a new line. rows: how many rows above the
 * cursor are then of a line that the session draws itself and will draw again where others print. */
void terminal_write(struct terminal *t, const char *bytes, uint32_t count, uint32_t rows);

/* Walks the invariants. */
void terminal_check(const struct terminal *t);

#endif
