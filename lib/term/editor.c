/*
 * Line editor; see editor.h.
 * Three layers: output (bytes collected, then handed out), drawing (places on the screen, what
 * changed), editing (the line). Editing marks the first changed byte; refresh() draws from there.
 */
#include "term/editor.h"

#include <string.h>

#include "abi/compiler.h"
#include "term/utf8.h"

#define COLUMNS_UNKNOWN 80
#define COLUMNS_MIN 2
#define UNCHANGED UINT32_MAX

/* --- Output ----------------------------------------------------------------------------------- */

static void flush(struct term_editor *e)
{
	if (e->out_bytes > 0)
		e->output(e->arg, e->out, e->out_bytes);
	e->out_bytes = 0;
}

static void put(struct term_editor *e, const char *bytes, uint32_t count)
{
	while (count > 0) {
		uint32_t some = MIN(count, TERM_OUTPUT_BYTES - e->out_bytes);

		memcpy(e->out + e->out_bytes, bytes, some);
		e->out_bytes += some;
		bytes += some;
		count -= some;
		if (e->out_bytes == TERM_OUTPUT_BYTES)
			flush(e);
	}
}

static void puts_(struct term_editor *e, const char *text)
{
	put(e, text, (uint32_t)strlen(text));
}

/* CSI number final, the number left out where it is 1. */
static void put_move(struct term_editor *e, uint32_t number, char final)
{
	char text[16];
	uint32_t at = sizeof(text);

	if (number == 0)
		return;
	text[--at] = final;
	if (number > 1) {
		for (uint32_t n = number; n > 0; n /= 10)
			text[--at] = (char)('0' + n % 10);
	}
	text[--at] = '[';
	text[--at] = 0x1B;
	put(e, text + at, (uint32_t)sizeof(text) - at);
}

/* --- Drawing ---------------------------------------------------------------------------------- */

/* Moves `p` over the text as the terminal's cursor would, wrapping late: column may equal columns. */
static struct term_place place_after(const struct term_editor *e, struct term_place p, const char *text,
		uint32_t bytes)
{
	for (uint32_t at = 0, used; at < bytes; at += used) {
		uint32_t columns = utf8_columns(utf8_decode(text + at, bytes - at, &used));

		if (p.column + columns > e->columns) {
			p.row++;
			p.column = 0;
		}
		p.column += columns;
	}
	return p;
}

/* Where the character at this offset of the line stands, or would stand. */
static struct term_place place_of(const struct term_editor *e, uint32_t offset)
{
	struct term_place p = place_after(e, (struct term_place){ 0, 0 }, e->prompt, e->prompt_bytes);
	uint32_t next = 1;
	uint32_t used;

	if (!e->hidden) {
		p = place_after(e, p, e->line, offset);
		if (offset < e->bytes)
			next = utf8_columns(utf8_decode(e->line + offset, e->bytes - offset, &used));
	}
	if (p.column + next > e->columns) {
		p.row++;
		p.column = 0;
	}
	return p;
}

static void move_to(struct term_editor *e, struct term_place to)
{
	struct term_place from = e->shown_cursor;

	if (to.row < from.row)
		put_move(e, from.row - to.row, 'A');
	for (; from.row < to.row; from.row++) {
		puts_(e, "\r\n");	/* not CSI B: the row may be new */
		from.column = 0;
	}
	if (to.column < from.column && from.column - to.column <= 3) {
		for (uint32_t n = from.column - to.column; n > 0; n--)
			puts_(e, "\b");
	} else if (to.column < from.column && to.column == 0) {
		puts_(e, "\r");
	} else if (to.column < from.column) {
		put_move(e, from.column - to.column, 'D');
	} else {
		put_move(e, to.column - from.column, 'C');
	}
	e->shown_cursor = to;
}

static bool place_before(struct term_place a, struct term_place b)
{
	return a.row < b.row || (a.row == b.row && a.column < b.column);
}

static void draw_from(struct term_editor *e, uint32_t offset)
{
	struct term_place end = place_of(e, e->bytes);
	struct term_place raw;

	move_to(e, place_of(e, offset));
	put(e, e->line + offset, e->bytes - offset);
	raw = place_after(e, e->shown_cursor, e->line + offset, e->bytes - offset);
	if (raw.column == e->columns)
		puts_(e, "\r\n");	/* leaves the state in which the terminal has not wrapped yet */
	e->shown_cursor = end;
	if (place_before(end, e->shown_end))
		puts_(e, "\x1b[J");
	e->shown_end = end;
}

static void refresh(struct term_editor *e)
{
	bool same = e->changed_from > e->bytes && e->cursor == e->shown_offset;

	/* What is pasted into a full line changes nothing, and there may be much of it. */
	if (!e->hidden && !same) {
		if (e->changed_from <= e->bytes)
			draw_from(e, e->changed_from);
		e->changed_from = UNCHANGED;
		move_to(e, place_of(e, e->cursor));
		e->shown_offset = e->cursor;
	}
	flush(e);
}

/* Shows prompt and line; the cursor stands at column 0 of an empty row. */
static void draw_all(struct term_editor *e)
{
	struct term_place end;

	put(e, e->prompt, e->prompt_bytes);
	end = place_after(e, (struct term_place){ 0, 0 }, e->prompt, e->prompt_bytes);
	if (end.column == e->columns) {
		puts_(e, "\r\n");
		end = (struct term_place){ end.row + 1, 0 };
	}
	e->shown_cursor = end;
	e->shown_end = end;
	e->changed_from = 0;
	refresh(e);
}

void term_editor_redraw(struct term_editor *e)
{
	draw_all(e);
}

void term_editor_erase(struct term_editor *e)
{
	move_to(e, (struct term_place){ 0, 0 });
	puts_(e, "\x1b[J");
	flush(e);
}

void term_editor_resize(struct term_editor *e, uint32_t columns)
{
	term_editor_erase(e);
	e->columns = columns == 0 ? COLUMNS_UNKNOWN : MAX(columns, COLUMNS_MIN);
	draw_all(e);
}

/* Leaves the line as it is on the screen and goes to a fresh row below it. */
static void leave(struct term_editor *e, const char *mark)
{
	e->cursor = e->bytes;
	refresh(e);
	puts_(e, mark);
	if (e->hidden || mark[0] || e->shown_cursor.column > 0 || e->bytes == 0)
		puts_(e, "\r\n");
	flush(e);
}

/* --- The line --------------------------------------------------------------------------------- */

static void changed(struct term_editor *e, uint32_t from)
{
	e->line[e->bytes] = 0;
	e->changed_from = MIN(e->changed_from, from);
}

/* What has no room is dropped whole; the bell tells once. */
static bool insert(struct term_editor *e, const char *bytes, uint32_t count)
{
	if (count > TERM_LINE_MAX - e->bytes) {
		if (!e->overfull)
			puts_(e, "\a");
		e->overfull = true;
		return false;
	}
	memmove(e->line + e->cursor + count, e->line + e->cursor, e->bytes - e->cursor);
	memcpy(e->line + e->cursor, bytes, count);
	e->bytes += count;
	changed(e, e->cursor);
	e->cursor += count;
	return true;
}

static void erase(struct term_editor *e, uint32_t from, uint32_t to)
{
	if (from >= to)
		return;
	memmove(e->line + from, e->line + to, e->bytes - to);
	e->bytes -= to - from;
	e->cursor = from;
	e->overfull = false;
	changed(e, from);
}

/* Erases and remembers, for Ctrl-Y. */
static void cut(struct term_editor *e, uint32_t from, uint32_t to)
{
	if (from >= to)
		return;
	if (!e->hidden) {
		memcpy(e->cut, e->line + from, to - from);
		e->cut_bytes = to - from;
	}
	erase(e, from, to);
}

static void replace(struct term_editor *e, const char *line, uint32_t bytes)
{
	bytes = MIN(bytes, TERM_LINE_MAX);
	memcpy(e->line, line, bytes);
	e->bytes = bytes;
	e->cursor = bytes;
	e->overfull = false;
	changed(e, 0);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			(uint8_t)c >= 0x80;
}

static uint32_t word_left(const struct term_editor *e)
{
	uint32_t at = e->cursor;

	while (at > 0 && !is_word(e->line[at - 1]))
		at--;
	while (at > 0 && is_word(e->line[at - 1]))
		at--;
	return at;
}

static uint32_t word_right(const struct term_editor *e)
{
	uint32_t at = e->cursor;

	while (at < e->bytes && !is_word(e->line[at]))
		at++;
	while (at < e->bytes && is_word(e->line[at]))
		at++;
	return at;
}

/* Where Ctrl-W cuts from: words of Ctrl-W are what blanks separate. */
static uint32_t blank_left(const struct term_editor *e)
{
	uint32_t at = e->cursor;

	while (at > 0 && e->line[at - 1] == ' ')
		at--;
	while (at > 0 && e->line[at - 1] != ' ')
		at--;
	return at;
}

/* --- History ---------------------------------------------------------------------------------- */

/* Shows line `recalled` (see the field) in place of the present one. */
static void recall(struct term_editor *e, uint32_t recalled)
{
	uint32_t bytes;
	const char *line;

	if (!e->history || e->hidden || recalled > e->history->count)
		return;
	if (e->recalled == 0) {
		memcpy(e->draft, e->line, e->bytes);
		e->draft_bytes = e->bytes;
	}
	if (recalled == 0) {
		replace(e, e->draft, e->draft_bytes);
	} else {
		line = term_history_line(e->history, recalled - 1, &bytes);
		replace(e, line, bytes);
	}
	e->recalled = recalled;
}

static bool contains(const char *text, uint32_t bytes, const char *part, uint32_t part_bytes)
{
	for (uint32_t at = 0; at + part_bytes <= bytes; at++) {
		if (memcmp(text + at, part, part_bytes) == 0)
			return true;
	}
	return false;
}

/* Ctrl-R: the next older line that contains what was typed. */
static void recall_match(struct term_editor *e)
{
	const char *part = e->recalled == 0 ? e->line : e->draft;
	uint32_t part_bytes = e->recalled == 0 ? e->bytes : e->draft_bytes;

	for (uint32_t back = e->recalled; e->history && back < e->history->count; back++) {
		uint32_t bytes;
		const char *line = term_history_line(e->history, back, &bytes);

		if (contains(line, bytes, part, part_bytes)) {
			recall(e, back + 1);
			return;
		}
	}
}

/* --- Completion ------------------------------------------------------------------------------- */

void term_candidates_begin(struct term_candidates *c, const char *line, uint32_t cursor, uint32_t from)
{
	c->from = MIN(from, cursor);
	c->prefix = line + c->from;
	c->prefix_bytes = cursor - c->from;
	c->count = 0;
	c->text_bytes = 0;
	c->more = false;
}

void term_candidates_add(struct term_candidates *c, const char *text, uint32_t bytes, const char *suffix)
{
	if (bytes < c->prefix_bytes || memcmp(text, c->prefix, c->prefix_bytes) != 0)
		return;
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->item[i].bytes == bytes && memcmp(c->text + c->item[i].at, text, bytes) == 0)
			return;
	}
	if (c->count == TERM_CANDIDATES_MAX || bytes > TERM_CANDIDATE_BYTES - c->text_bytes) {
		c->more = true;
		return;
	}
	memcpy(c->text + c->text_bytes, text, bytes);
	c->item[c->count].at = (uint16_t)c->text_bytes;
	c->item[c->count].bytes = (uint16_t)bytes;
	memset(c->item[c->count].suffix, 0, sizeof(c->item[0].suffix));
	memcpy(c->item[c->count].suffix, suffix, MIN(strlen(suffix), sizeof(c->item[0].suffix) - 1));
	c->text_bytes += bytes;
	c->count++;
}

/* How many bytes all candidates have in common, in whole characters. */
static uint32_t common_bytes(const struct term_candidates *c)
{
	const char *first = c->text + c->item[0].at;
	uint32_t common = c->item[0].bytes;
	uint32_t whole = 0;

	for (uint32_t i = 1; i < c->count; i++) {
		const char *other = c->text + c->item[i].at;
		uint32_t same = 0;

		while (same < common && same < c->item[i].bytes && first[same] == other[same])
			same++;
		common = same;
	}
	while (whole < common && utf8_next(first, c->item[0].bytes, whole) <= common)
		whole = utf8_next(first, c->item[0].bytes, whole);
	return whole;
}

static void list_candidates(struct term_editor *e)
{
	struct term_candidates *c = e->candidates;
	uint32_t widest = 0;
	uint32_t per_row;
	uint32_t cursor = e->cursor;

	for (uint32_t i = 0; i < c->count; i++)
		widest = MAX(widest, c->item[i].bytes);
	per_row = MAX(e->columns / (widest + 2), 1u);
	leave(e, "");
	for (uint32_t i = 0; i < c->count; i++) {
		bool last = (i + 1) % per_row == 0 || i + 1 == c->count;

		put(e, c->text + c->item[i].at, c->item[i].bytes);
		for (uint32_t n = c->item[i].bytes; !last && n < widest + 2; n++)
			puts_(e, " ");
		if (last)
			puts_(e, "\r\n");
	}
	if (c->more)
		puts_(e, "and more\r\n");
	e->cursor = cursor;
	draw_all(e);
}

static void complete(struct term_editor *e)
{
	struct term_candidates *c = e->candidates;
	uint32_t common;

	if (!e->complete || !c || e->hidden)
		return;
	term_candidates_begin(c, e->line, e->cursor, e->cursor);
	e->complete(e->arg, e->line, e->bytes, e->cursor, c);
	if (c->count == 0)
		return;
	common = common_bytes(c);
	if (common > c->prefix_bytes || c->count == 1) {
		bool fits = insert(e, c->text + c->item[0].at + c->prefix_bytes, common - c->prefix_bytes);

		if (fits && c->count == 1)
			(void)insert(e, c->item[0].suffix, (uint32_t)strlen(c->item[0].suffix));
		return;
	}
	list_candidates(e);
}

/* --- Keys ------------------------------------------------------------------------------------- */

static void clear_screen(struct term_editor *e)
{
	puts_(e, "\x1b[H\x1b[2J");
	draw_all(e);
}

static enum term_edit control_key(struct term_editor *e, uint32_t letter)
{
	switch (letter) {
	case 'A': e->cursor = 0; break;
	case 'B': e->cursor = utf8_previous(e->line, e->cursor); break;
	case 'C': term_editor_interrupt(e); return TERM_EDIT_INTERRUPT;
	case 'D':
		if (e->bytes == 0) {
			leave(e, "");
			return TERM_EDIT_END;
		}
		erase(e, e->cursor, utf8_next(e->line, e->bytes, e->cursor));
		break;
	case 'E': e->cursor = e->bytes; break;
	case 'F': e->cursor = utf8_next(e->line, e->bytes, e->cursor); break;
	case 'K': cut(e, e->cursor, e->bytes); break;
	case 'L': clear_screen(e); break;
	case 'N': recall(e, e->recalled > 0 ? e->recalled - 1 : 0); break;
	case 'P': recall(e, e->recalled + 1); break;
	case 'R': recall_match(e); break;
	case 'U': cut(e, 0, e->cursor); break;
	case 'W': cut(e, blank_left(e), e->cursor); break;
	case 'Y': (void)insert(e, e->cut, e->cut_bytes); break;
	case 'Z': leave(e, "^Z"); return TERM_EDIT_SUSPEND;
	default: break;
	}
	return TERM_EDIT_MORE;
}

static void alt_key(struct term_editor *e, uint32_t letter)
{
	uint32_t cursor = e->cursor;

	switch (letter) {
	case 'b': e->cursor = word_left(e); break;
	case 'f': e->cursor = word_right(e); break;
	case 'd': cut(e, cursor, word_right(e)); break;
	default: break;
	}
}

static void character_key(struct term_editor *e, const struct term_key_event *key)
{
	char bytes[4];

	if (key->alt) {
		alt_key(e, key->character);
		return;
	}
	if (key->character < 0x20 || (key->character >= 0x7F && key->character < 0xA0))
		return;
	(void)insert(e, bytes, utf8_encode(key->character, bytes));
}

enum term_edit term_editor_key(struct term_editor *e, const struct term_key_event *key)
{
	enum term_edit edit = TERM_EDIT_MORE;

	switch (key->key) {
	case TERM_KEY_CHARACTER: character_key(e, key); break;
	case TERM_KEY_CONTROL: edit = control_key(e, key->character); break;
	case TERM_KEY_ENTER: leave(e, ""); return TERM_EDIT_LINE;
	case TERM_KEY_TAB: complete(e); break;
	case TERM_KEY_BACKSPACE:
		if (key->word)
			cut(e, word_left(e), e->cursor);
		else
			erase(e, utf8_previous(e->line, e->cursor), e->cursor);
		break;
	case TERM_KEY_DELETE: erase(e, e->cursor, utf8_next(e->line, e->bytes, e->cursor)); break;
	case TERM_KEY_LEFT: e->cursor = key->word ? word_left(e) : utf8_previous(e->line, e->cursor); break;
	case TERM_KEY_RIGHT:
		e->cursor = key->word ? word_right(e) : utf8_next(e->line, e->bytes, e->cursor);
		break;
	case TERM_KEY_UP: recall(e, e->recalled + 1); break;
	case TERM_KEY_DOWN: recall(e, e->recalled > 0 ? e->recalled - 1 : 0); break;
	case TERM_KEY_HOME: e->cursor = 0; break;
	case TERM_KEY_END: e->cursor = e->bytes; break;
	case TERM_KEY_NONE:
	case TERM_KEY_PAGE_UP:
	case TERM_KEY_PAGE_DOWN:
	case TERM_KEY_INSERT:
	case TERM_KEY_ESCAPE:
	case TERM_KEY_UNKNOWN: break;
	}
	if (edit == TERM_EDIT_MORE)
		refresh(e);
	return edit;
}

void term_editor_interrupt(struct term_editor *e)
{
	leave(e, "^C");
}

/* --- Beginning -------------------------------------------------------------------------------- */

void term_editor_init(struct term_editor *e, uint32_t columns,
		void (*output)(void *arg, const char *bytes, uint32_t count), void *arg)
{
	memset(e, 0, sizeof(*e));
	e->columns = columns == 0 ? COLUMNS_UNKNOWN : MAX(columns, COLUMNS_MIN);
	e->output = output;
	e->arg = arg;
}

void term_editor_reset(struct term_editor *e, const char *prompt, uint32_t prompt_bytes, bool hidden)
{
	e->prompt_bytes = MIN(prompt_bytes, TERM_PROMPT_MAX);
	memcpy(e->prompt, prompt, e->prompt_bytes);
	e->hidden = hidden;
	e->bytes = 0;
	e->cursor = 0;
	e->overfull = false;
	e->line[0] = 0;
	e->recalled = 0;
}

void term_editor_start(struct term_editor *e, const char *prompt, uint32_t prompt_bytes, bool hidden)
{
	term_editor_reset(e, prompt, prompt_bytes, hidden);
	draw_all(e);
}
