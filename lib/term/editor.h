/*
 * Line editor: keys in, a line and the escape sequences that show it out. A pure state machine; the
 * terminal service uses it for cooked lines, the shell for its prompt.
 *
 * The prompt and the line begin at column 0 and wrap at the terminal's width. Only what changed is
 * drawn again. Always true: cursor and bytes lie on character boundaries of a line that holds
 * printable UTF-8 only, at most TERM_LINE_MAX bytes.
 */
#ifndef LIB_TERM_EDITOR_H
#define LIB_TERM_EDITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "term/history.h"
#include "term/keys.h"

#define TERM_LINE_MAX 1000
#define TERM_PROMPT_MAX 200
#define TERM_CANDIDATES_MAX 96
#define TERM_CANDIDATE_BYTES 3072
#define TERM_OUTPUT_BYTES 256

enum term_edit {
	TERM_EDIT_MORE,
	TERM_EDIT_LINE,		/* Enter: the line is ready in `line`; see `overfull` */
	TERM_EDIT_INTERRUPT,	/* Ctrl-C */
	TERM_EDIT_END,		/* Ctrl-D on an empty line */
	TERM_EDIT_SUSPEND,	/* Ctrl-Z */
};

/* What Tab could put between `from` and the cursor. Filled by the editor's completion callback. */
struct term_candidates {
	const char *prefix;	/* what stands there now; borrowed from the line */
	uint32_t prefix_bytes;
	uint32_t from;
	uint32_t count;
	bool more;		/* some did not fit */
	struct {
		uint16_t at;
		uint16_t bytes;
		char suffix[3];	/* typed after it when it is the only one; "" for nothing */
	} item[TERM_CANDIDATES_MAX];
	char text[TERM_CANDIDATE_BYTES];
	uint32_t text_bytes;
};

struct term_place {
	uint32_t row;		/* from the row of the prompt */
	uint32_t column;
};

struct term_editor {
	/* Set once, borrowed. */
	void (*output)(void *arg, const char *bytes, uint32_t count);
	void (*complete)(void *arg, const char *line, uint32_t bytes, uint32_t cursor,
			struct term_candidates *out);	/* NULL without */
	void *arg;
	struct term_history *history;			/* may be NULL */
	struct term_candidates *candidates;		/* scratch for completion; NULL without */

	uint32_t columns;
	char prompt[TERM_PROMPT_MAX];
	uint32_t prompt_bytes;
	bool hidden;

	char line[TERM_LINE_MAX + 1];	/* a zero byte follows */
	uint32_t bytes;
	uint32_t cursor;
	bool overfull;			/* something typed had no room, and nothing was erased since */

	char cut[TERM_LINE_MAX];
	uint32_t cut_bytes;

	uint32_t recalled;		/* 1 + how far back in the history; 0: the line being typed */
	char draft[TERM_LINE_MAX];	/* that line, kept while another is recalled */
	uint32_t draft_bytes;

	uint32_t changed_from;		/* first byte not shown as it is; above bytes: nothing changed */
	uint32_t shown_offset;		/* of the cursor in the line, as it is shown */
	struct term_place shown_cursor;
	struct term_place shown_end;

	char out[TERM_OUTPUT_BYTES];
	uint32_t out_bytes;
};

/* columns 0: unknown, taken as 80. */
void term_editor_init(struct term_editor *e, uint32_t columns,
		void (*output)(void *arg, const char *bytes, uint32_t count), void *arg);

/* Begins an empty line. reset shows nothing yet: redraw does. The prompt is cut at TERM_PROMPT_MAX. */
void term_editor_reset(struct term_editor *e, const char *prompt, uint32_t prompt_bytes, bool hidden);
void term_editor_start(struct term_editor *e, const char *prompt, uint32_t prompt_bytes, bool hidden);

/* One key. After anything but MORE the cursor stands on a fresh row and a new line may start. */
enum term_edit term_editor_key(struct term_editor *e, const struct term_key_event *key);

/* Ends the line as if Ctrl-C had been typed. */
void term_editor_interrupt(struct term_editor *e);

/* Takes the line off the screen, or shows it from column 0 of the row where the cursor is. */
void term_editor_erase(struct term_editor *e);
void term_editor_redraw(struct term_editor *e);

/* The terminal has another width now. */
void term_editor_resize(struct term_editor *e, uint32_t columns);

/* For completion callbacks: the word to complete begins at `from`; then each candidate, which is
 * taken if it begins with that word and is not there yet. */
void term_candidates_begin(struct term_candidates *c, const char *line, uint32_t cursor, uint32_t from);
void term_candidates_add(struct term_candidates *c, const char *text, uint32_t bytes, const char *suffix);

#endif
