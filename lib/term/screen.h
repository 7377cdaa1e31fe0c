/*
 * A small terminal: what a person sees after a program has sent its bytes. Tests compare its rows
 * instead of escape sequences. It knows what lib/term sends and what xterm does with it, late
 * wrapping included, and counts everything else in `unknown`.
 */
#ifndef LIB_TERM_SCREEN_H
#define LIB_TERM_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#define TERM_SCREEN_COLUMNS_MAX 132
#define TERM_SCREEN_ROWS_MAX 60

struct term_screen {
	uint32_t columns;
	uint32_t rows;
	uint32_t row;
	uint32_t column;		/* may equal columns: written to the edge, not wrapped yet */
	bool new_line;			/* a line feed also returns, as a terminal driver makes it */
	uint32_t scrolled;		/* rows that left at the top */
	uint32_t unknown;
	char cell[TERM_SCREEN_ROWS_MAX][TERM_SCREEN_COLUMNS_MAX][5];	/* UTF-8, zero-ended; "" after a wide one */
	char partial[32];		/* an unfinished sequence or character */
	uint32_t partial_bytes;
	char text[TERM_SCREEN_COLUMNS_MAX * 4 + 1];
};

void term_screen_init(struct term_screen *s, uint32_t columns, uint32_t rows);
void term_screen_write(struct term_screen *s, const char *bytes, uint32_t count);

/* A row as text without the blanks at its end; borrowed until the next call. */
const char *term_screen_row(struct term_screen *s, uint32_t row);

#endif
