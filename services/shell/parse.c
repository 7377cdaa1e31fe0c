/*
 * The shell's language, its values and chains; see parse.h and docs/reference/shell.md. Commands and whole lines are
 * in statement.c. Recursive descent over the text itself: each function consumes one construct of the grammar and
 * leaves the blanks after it consumed too. The first error stops everything; running into the end of the line also
 * notes what was wanted there.
 */
#include "services/shell/parse_internal.h"

#include <stddef.h>
#include <string.h>

#include "abi/compiler.h"
#include "capnp/number.h"

/* --- Arena, errors, characters ---------------------------------------------------------------- */

void *shell_arena_take(struct shell_arena *arena, uint32_t bytes)
{
	uint32_t at = ALIGN_UP(arena->used, 8u);
	void *result;

	if (at > arena->size || bytes > arena->size - at)
		return NULL;
	result = arena->bytes + at;
	arena->used = at + bytes;
	memset(result, 0, bytes);
	return result;
}

bool parser_fail_at(struct parser *p, uint32_t at, const char *sentence)
{
	if (p->line->ok) {
		p->line->ok = false;
		p->line->error_at = MIN(at, p->bytes);
		p->line->error = sentence;
	}
	return false;
}

bool parser_fail(struct parser *p, const char *sentence)
{
	return parser_fail_at(p, p->at, sentence);
}

void *parser_take(struct parser *p, uint32_t bytes)
{
	void *result = shell_arena_take(p->arena, bytes);

	if (!result)
		parser_fail(p, "the line is too long to take in at once");
	return result;
}

void parser_blanks(struct parser *p)
{
	while (parser_peek(p) == ' ' || parser_peek(p) == '\t')
		p->at++;
	if (parser_peek(p) == '#')
		p->at = p->bytes;
}

/* Notes what could be written here if the line ends here. */
void parser_want(struct parser *p, enum shell_wanted wanted, struct shell_chain *chain)
{
	if (!parser_at_end(p) || !p->line->ok)
		return;
	p->line->wanted = wanted;
	if (chain)
		p->line->chain = chain;
	p->line->frame = p->frame;
}

bool parser_accept(struct parser *p, char c)
{
	if (parser_peek(p) != c)
		return false;
	p->at++;
	parser_blanks(p);
	return true;
}

bool parser_expect(struct parser *p, char c, const char *sentence)
{
	return parser_accept(p, c) || parser_fail(p, sentence);
}

bool shell_word_is(struct shell_word w, const char *text)
{
	return strlen(text) == w.bytes && memcmp(w.chars, text, w.bytes) == 0;
}

/* The name that begins here, without consuming it; bytes 0 where none does. */
struct shell_word parser_name_here(const struct parser *p)
{
	struct shell_word w = { p->text + p->at, 0, p->at };

	if (!shell_is_name_start(parser_peek(p)))
		return w;
	while (p->at + w.bytes < p->bytes && shell_is_name(w.chars[w.bytes]))
		w.bytes++;
	while (w.chars[w.bytes - 1] == '-')
		w.bytes--;
	return w;
}

bool parser_name(struct parser *p, struct shell_word *out, const char *sentence)
{
	*out = parser_name_here(p);
	if (out->bytes == 0)
		return parser_fail(p, sentence);
	p->at += out->bytes;
	parser_blanks(p);
	return true;
}

/* Whether the byte after this word, blanks aside, is `c`. */
bool parser_followed_by(const struct parser *p, struct shell_word w, char c)
{
	uint32_t at = w.at + w.bytes;

	while (at < p->bytes && (p->text[at] == ' ' || p->text[at] == '\t'))
		at++;
	return at < p->bytes && p->text[at] == c;
}

bool parser_keyword(struct parser *p, const char *word)
{
	struct shell_word w = parser_name_here(p);

	if (w.bytes == 0 || !shell_word_is(w, word))
		return false;
	p->at += w.bytes;
	parser_blanks(p);
	return true;
}

/* --- Numbers, text, data ---------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool whole_number(struct parser *p, struct shell_number *n, uint32_t base)
{
	uint32_t start = p->at;

	for (int digit; (digit = hex_digit(parser_peek(p))) >= 0 && (uint32_t)digit < base; p->at++) {
		if (n->whole && n->magnitude > (UINT64_MAX - (uint32_t)digit) / base)
			n->whole = false;
		n->magnitude = n->magnitude * base + (uint32_t)digit;
		n->real = n->real * base + digit;
	}
	return p->at > start || parser_fail(p, "digits are missing here");
}

/* The part after the point and the exponent of the number that began at `from`. */
static bool fraction(struct parser *p, struct shell_number *n, uint32_t from)
{
	uint64_t bits;

	n->whole = false;
	if (parser_peek(p) == '.') {
		do
			p->at++;
		while (is_digit(parser_peek(p)));
	}
	if (parser_peek(p) == 'e' || parser_peek(p) == 'E') {
		p->at++;
		if (parser_peek(p) == '-' || parser_peek(p) == '+')
			p->at++;
		for (; is_digit(parser_peek(p)); p->at++)
			;
	}
	if (!number_parse_float(p->text + from, p->at - from, false, &bits))
		return parser_fail(p, "digits are missing here");
	memcpy(&n->real, &bits, sizeof(bits));
	return true;
}

bool parser_number(struct parser *p, struct shell_value *v)
{
	struct shell_number *n = &v->number;
	uint32_t from;

	v->kind = SHELL_NUMBER;
	n->whole = true;
	if (parser_peek(p) == '-') {
		n->negative = true;
		p->at++;
		if (parser_keyword(p, "inf")) {
			n->whole = false;
			n->real = -__builtin_inf();
			return true;
		}
	}
	if (parser_peek(p) == '0' && p->at + 1 < p->bytes && (p->text[p->at + 1] | 0x20) == 'x') {
		p->at += 2;
		if (!whole_number(p, n, 16))
			return false;
	} else {
		from = p->at;
		if (!whole_number(p, n, 10))
			return false;
		if ((parser_peek(p) == '.' || parser_peek(p) == 'e' || parser_peek(p) == 'E') && !fraction(p, n, from))
			return false;
	}
	if (shell_is_name(parser_peek(p)))
		return parser_fail(p, "this does not belong to a number");
	if (n->negative)
		n->real = -n->real;
	parser_blanks(p);
	return true;
}

/* One character after a backslash, as in Cap'n Proto text. */
static bool escaped(struct parser *p, char *out)
{
	static const char letters[] = "abfnrtv\\'\"?";
	static const char meanings[] = "\a\b\f\n\r\t\v\\'\"?";
	char c = parser_peek(p);
	uint32_t value = 0;

	for (uint32_t i = 0; i + 1 < sizeof(letters); i++) {
		if (c == letters[i]) {
			*out = meanings[i];
			p->at++;
			return true;
		}
	}
	if (c == 'x' && p->at + 2 < p->bytes && hex_digit(p->text[p->at + 1]) >= 0 &&
			hex_digit(p->text[p->at + 2]) >= 0) {
		value = (uint32_t)(hex_digit(p->text[p->at + 1]) << 4 | hex_digit(p->text[p->at + 2]));
		p->at += 3;
	} else if (c >= '0' && c <= '7') {
		for (uint32_t i = 0; i < 3 && parser_peek(p) >= '0' && parser_peek(p) <= '7'; i++)
			value = value * 8 + (uint32_t)(p->text[p->at++] - '0');
	} else {
		return parser_fail(p, "there is no such escape; \\n, \\t, \\\", \\\\ and \\x41 are some that are");
	}
	if (value == 0 || value > 255)
		return parser_fail_at(p, p->at - 1, "text cannot hold this character");
	*out = (char)value;
	return true;
}

bool parser_text(struct parser *p, struct shell_value *v)
{
	uint32_t start = p->at;
	char *out = parser_take(p, p->bytes - p->at + 1);

	v->kind = SHELL_TEXT;
	v->word = (struct shell_word){ out, 0, start };
	if (!out)
		return false;
	for (p->at++; parser_peek(p) != '"'; ) {
		char c = parser_peek(p);

		if (parser_at_end(p))
			return parser_fail_at(p, start, "the text that begins here has no closing quote");
		if (c == 0)
			return parser_fail(p, "text cannot hold this character");
		p->at++;
		if (c == '\\' && !escaped(p, &c))
			return false;
		out[v->word.bytes++] = c;
	}
	p->at++;
	/* The arena took room for the rest of the line; give back what the text did not need. */
	p->arena->used -= p->bytes - start + 1 - (v->word.bytes + 1);
	parser_blanks(p);
	return true;
}

static bool data(struct parser *p, struct shell_value *v)
{
	uint32_t start = p->at;
	char *out = parser_take(p, (p->bytes - p->at) / 2 + 1);
	int high = -1;

	v->kind = SHELL_DATA;
	v->word = (struct shell_word){ out, 0, start };
	if (!out)
		return false;
	for (p->at += 3; parser_peek(p) != '"'; p->at++) {
		int digit = hex_digit(parser_peek(p));

		if (parser_at_end(p))
			return parser_fail_at(p, start, "the data that begins here has no closing quote");
		if (parser_peek(p) == ' ' && high < 0)
			continue;
		if (digit < 0)
			return parser_fail(p, "data is written in pairs of hexadecimal digits");
		if (high < 0) {
			high = digit;
		} else {
			out[v->word.bytes++] = (char)(high << 4 | digit);
			high = -1;
		}
	}
	if (high >= 0)
		return parser_fail(p, "data is written in pairs of hexadecimal digits");
	p->at++;
	parser_blanks(p);
	return true;
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool enter(struct parser *p, bool list, struct shell_value *v)
{
	struct shell_frame *frame = NEW(p, struct shell_frame);

	if (!frame)
		return false;
	if (p->depth == SHELL_DEPTH_MAX)
		return parser_fail(p, "values are nested too deep here");
	p->depth++;
	frame->outer = p->frame;
	frame->list = list;
	frame->value = v;
	p->frame = frame;
	return true;
}

static void leave(struct parser *p)
{
	p->depth--;
	p->frame = p->frame->outer;
}

/* name = value, after the opening bracket and up to the closing one. */
bool parser_fields(struct parser *p, struct shell_value *v, char close, const char *no_close)
{
	struct shell_field **tail = &v->fields;

	v->kind = SHELL_STRUCT;
	if (!enter(p, false, v))
		return false;
	for (;;) {
		struct shell_field *field;

		parser_want(p, SHELL_WANT_FIELD, NULL);
		if (parser_peek(p) == close)
			break;
		field = NEW(p, struct shell_field);
		if (!field || !parser_name(p, &field->name, "a field is written as name = value"))
			return false;
		p->frame->field = field->name;
		if (!parser_expect(p, '=', "a field is written as name = value; the = is missing"))
			return false;
		*tail = field;
		tail = &field->next;
		v->count++;
		if (!parser_value(p, &field->value))
			return false;
		if (parser_peek(p) != close && !parser_expect(p, ',', no_close))
			return false;
	}
	leave(p);
	p->at++;
	parser_blanks(p);
	return true;
}

static bool items(struct parser *p, struct shell_value *v)
{
	struct shell_value **tail = &v->items;

	v->kind = SHELL_LIST;
	if (!enter(p, true, v))
		return false;
	while (!parser_accept(p, ']')) {
		if (!parser_value(p, tail))
			return false;
		tail = &(*tail)->next;
		v->count++;
		if (parser_peek(p) != ']' && !parser_expect(p, ',', "a , or ] is missing here"))
			return false;
	}
	leave(p);
	return true;
}

static bool reference(struct parser *p, struct shell_value *v)
{
	v->kind = SHELL_REFERENCE;
	v->reference = parser_chain(p, false);
	return v->reference != NULL;
}

bool parser_value(struct parser *p, struct shell_value **out)
{
	struct shell_value *v = NEW(p, struct shell_value);
	char c = parser_peek(p);

	if (!v)
		return false;
	parser_want(p, SHELL_WANT_VALUE, NULL);
	v->at = p->at;
	*out = v;
	if (c == '"')
		return parser_text(p, v);
	if (c == '0' && p->at + 2 < p->bytes && p->text[p->at + 1] == 'x' && p->text[p->at + 2] == '"')
		return data(p, v);
	if (is_digit(c) || c == '-')
		return parser_number(p, v);
	if (c == '@' || c == '$')
		return reference(p, v);
	if (c == '[') {
		p->at++;
		parser_blanks(p);
		return items(p, v);
	}
	if (c == '(') {
		p->at++;
		parser_blanks(p);
		return parser_fields(p, v, ')', "a , or ) is missing here");
	}
	v->kind = SHELL_NAME;
	return parser_name(p, &v->word, "a value is missing here");
}

/* --- Chains ----------------------------------------------------------------------------------- */

static bool steps(struct parser *p, struct shell_chain *c, bool calls)
{
	struct shell_step **tail = &c->steps;

	while (parser_peek(p) == '.') {
		struct shell_step *step = NEW(p, struct shell_step);

		if (!step)
			return false;
		p->at++;
		parser_blanks(p);
		parser_want(p, SHELL_WANT_STEP, c);
		if (!parser_name(p, &step->name, "the name of a method or field is missing here"))
			return false;
		*tail = step;
		tail = &step->next;
		c->end = p->at;
		if (calls && parser_peek(p) == '(') {
			step->arguments = NEW(p, struct shell_value);
			if (!step->arguments)
				return false;
			step->arguments->at = p->at;
			p->line->chain = c;
			p->frame = NULL;
			p->at++;
			parser_blanks(p);
			if (!parser_fields(p, step->arguments, ')', "a , or ) is missing here"))
				return false;
		}
	}
	return true;
}

/* calls: arguments may follow a step; otherwise only fields are named. NULL: refused. */
struct shell_chain *parser_chain(struct parser *p, bool calls)
{
	struct shell_chain *c = NEW(p, struct shell_chain);
	struct shell_frame *frame = p->frame;
	char sigil = parser_peek(p);

	if (!c)
		return NULL;
	c->at = p->at;
	c->start.at = p->at;
	c->sigil = SHELL_PLAIN;
	if (sigil == '@' || sigil == '$') {
		c->sigil = sigil == '@' ? SHELL_CAPABILITY : SHELL_VALUE;
		p->at++;
		if (sigil == '$' && parser_accept(p, '?')) {
			c->sigil = SHELL_STATUS;
			c->end = p->at;
			return c;
		}
	}
	parser_want(p, SHELL_WANT_NAME, c);
	if (!parser_name(p, &c->start, "a name is missing here"))
		return NULL;
	c->end = p->at;
	if (!steps(p, c, calls))
		return NULL;
	p->frame = frame;
	return c;
}

bool parser_narrowed(struct parser *p, struct shell_chain *c)
{
	if (!parser_keyword(p, "as"))
		return true;
	parser_want(p, SHELL_WANT_INTERFACE, c);
	return parser_name(p, &c->narrow, "the name of an interface is missing here");
}
