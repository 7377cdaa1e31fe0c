/*
 * History of typed lines, newest last, in a fixed buffer: the oldest give way to the newest.
 * Always true: the buffer holds whole lines only, each followed by a zero byte.
 */
#ifndef LIB_TERM_HISTORY_H
#define LIB_TERM_HISTORY_H

#include <stdint.h>

#define TERM_HISTORY_BYTES 4096

struct term_history {
	char text[TERM_HISTORY_BYTES];
	uint32_t used;
	uint32_t count;
};

void term_history_init(struct term_history *h);

/* Keeps a copy of the line, which holds no zero byte. Empty lines, repeats of the newest and lines too long are not kept. */
void term_history_add(struct term_history *h, const char *line, uint32_t bytes);

/* Line `back` counted from the newest (0), or NULL; *bytes is its length. Borrowed until the next add. */
const char *term_history_line(const struct term_history *h, uint32_t back, uint32_t *bytes);

#endif
