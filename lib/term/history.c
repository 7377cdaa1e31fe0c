/* History of typed lines; see history.h. */
#include "term/history.h"

#include <stddef.h>
#include <string.h>

void term_history_init(struct term_history *h)
{
	h->used = 0;
	h->count = 0;
}

static void drop_oldest(struct term_history *h)
{
	uint32_t bytes = (uint32_t)strlen(h->text) + 1;

	memmove(h->text, h->text + bytes, h->used - bytes);
	h->used -= bytes;
	h->count--;
}

void term_history_add(struct term_history *h, const char *line, uint32_t bytes)
{
	uint32_t newest_bytes = 0;
	const char *newest = term_history_line(h, 0, &newest_bytes);

	if (bytes == 0 || bytes >= TERM_HISTORY_BYTES)
		return;
	if (newest && newest_bytes == bytes && memcmp(newest, line, bytes) == 0)
		return;
	while (TERM_HISTORY_BYTES - h->used < bytes + 1)
		drop_oldest(h);
	memcpy(h->text + h->used, line, bytes);
	h->text[h->used + bytes] = 0;
	h->used += bytes + 1;
	h->count++;
}

const char *term_history_line(const struct term_history *h, uint32_t back, uint32_t *bytes)
{
	const char *line = h->text;

	if (back >= h->count)
		return NULL;
	for (uint32_t skip = h->count - 1 - back; skip > 0; skip--)
		line += strlen(line) + 1;
	*bytes = (uint32_t)strlen(line);
	return line;
}
