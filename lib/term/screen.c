/* A small terminal for tests; see screen.h. Sequences as in ECMA-48. */
#include "term/screen.h"

#include <string.h>

#include "abi/compiler.h"
#include "term/utf8.h"

static void blank(struct term_screen *s, uint32_t row, uint32_t from, uint32_t to)
{
	for (uint32_t column = from; column < to; column++)
		memcpy(s->cell[row][column], " ", 2);
}

void term_screen_init(struct term_screen *s, uint32_t columns, uint32_t rows)
{
	memset(s, 0, sizeof(*s));
	s->columns = MIN(columns, TERM_SCREEN_COLUMNS_MAX);
	s->rows = MIN(rows, TERM_SCREEN_ROWS_MAX);
	for (uint32_t row = 0; row < s->rows; row++)
		blank(s, row, 0, s->columns);
}

static void row_down(struct term_screen *s)
{
	if (s->row + 1 < s->rows) {
		s->row++;
		return;
	}
	memmove(s->cell[0], s->cell[1], sizeof(s->cell[0]) * (s->rows - 1));
	blank(s, s->rows - 1, 0, s->columns);
	s->scrolled++;
}

static void show(struct term_screen *s, uint32_t c)
{
	uint32_t columns = utf8_columns(c);

	if (columns == 0)
		return;
	if (s->column + columns > s->columns) {
		s->column = 0;
		row_down(s);
	}
	memset(s->cell[s->row][s->column], 0, sizeof(s->cell[0][0]));
	(void)utf8_encode(c, s->cell[s->row][s->column]);
	if (columns == 2)
		s->cell[s->row][s->column + 1][0] = 0;
	s->column += columns;
}

static void erase_display(struct term_screen *s, uint32_t how)
{
	uint32_t first = how == 2 ? 0 : s->row + 1;

	if (how != 2)
		blank(s, s->row, MIN(s->column, s->columns - 1), s->columns);
	for (uint32_t row = first; row < s->rows; row++)
		blank(s, row, 0, s->columns);
}

static void csi(struct term_screen *s, char final, uint32_t number, bool given)
{
	uint32_t n = given ? number : 1;

	switch (final) {
	case 'A': s->row -= MIN(n, s->row); break;
	case 'B': s->row = MIN(s->row + n, s->rows - 1); break;
	case 'C': s->column = MIN(s->column + n, s->columns - 1); break;
	case 'D':
		s->column = MIN(s->column, s->columns - 1);
		s->column -= MIN(n, s->column);
		break;
	case 'H': s->row = 0; s->column = 0; break;
	case 'J': erase_display(s, given ? number : 0); break;
	case 'K': blank(s, s->row, MIN(s->column, s->columns - 1), s->columns); break;
	case 'm': break;
	default: s->unknown++; break;
	}
}

/* True: the sequence in `partial` is complete and done. */
static bool sequence(struct term_screen *s)
{
	uint32_t number = 0;
	bool given = false;
	char last = s->partial[s->partial_bytes - 1];

	if (s->partial_bytes == 1 || (s->partial_bytes == 2 && last == '['))
		return false;
	if (s->partial[1] != '[') {
		s->unknown++;
		return true;
	}
	if (last < 0x40 && s->partial_bytes < sizeof(s->partial))
		return false;
	for (uint32_t i = 2; i + 1 < s->partial_bytes; i++) {
		if (s->partial[i] >= '0' && s->partial[i] <= '9') {
			number = number * 10 + (uint32_t)(s->partial[i] - '0');
			given = true;
		}
	}
	csi(s, last, number, given);
	return true;
}

static void control(struct term_screen *s, char byte)
{
	switch (byte) {
	case '\r': s->column = 0; break;
	case '\n':
		row_down(s);
		if (s->new_line)
			s->column = 0;
		break;
	case '\b':
		s->column = MIN(s->column, s->columns - 1);
		s->column -= s->column > 0;
		break;
	case '\t': s->column = MIN((s->column | 7) + 1, s->columns - 1); break;
	case '\a': break;
	default: s->unknown++; break;
	}
}

static void byte_in(struct term_screen *s, char byte)
{
	uint32_t used;

	if (s->partial_bytes == 0 && (uint8_t)byte < 0x20 && byte != 0x1B) {
		control(s, byte);
		return;
	}
	s->partial[s->partial_bytes++] = byte;
	if (s->partial[0] == 0x1B) {
		if (sequence(s))
			s->partial_bytes = 0;
		return;
	}
	if (s->partial_bytes < utf8_length((uint8_t)s->partial[0]))
		return;
	show(s, utf8_decode(s->partial, s->partial_bytes, &used));
	s->partial_bytes = 0;
}

void term_screen_write(struct term_screen *s, const char *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		byte_in(s, bytes[i]);
}

const char *term_screen_row(struct term_screen *s, uint32_t row)
{
	uint32_t bytes = 0;
	uint32_t end = 0;

	for (uint32_t column = 0; column < s->columns; column++) {
		uint32_t length = (uint32_t)strlen(s->cell[row][column]);

		memcpy(s->text + bytes, s->cell[row][column], length);
		bytes += length;
		if (length > 0 && s->cell[row][column][0] != ' ')
			end = bytes;
	}
	s->text[end] = 0;
	return s->text;
}
