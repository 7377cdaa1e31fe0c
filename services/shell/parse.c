/*
 * The shell's language; see parse.h and docs/reference/shell.md. Recursive descent over the text
 * itself: each function consumes one construct of the grammar and leaves the blanks after it
 * consumed too. The first error stops everything; running into the end of the line also notes what
 * was wanted there.
 */
#include "services/shell/parse.h"

#include <stddef.h>
#include <string.h>

#include "abi/compiler.h"
#include "capnp/number.h"

struct parser {
	const char *text;
	uint32_t bytes;
	uint32_t at;
	uint32_t depth;
	struct shell_arena *arena;
	struct shell_line *line;
	struct shell_frame *frame;
};

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

static bool fail_at(struct parser *p, uint32_t at, const char *sentence)
{
	if (p->line->ok) {
		p->line->ok = false;
		p->line->error_at = MIN(at, p->bytes);
		p->line->error = sentence;
	}
	return false;
}

static bool fail(struct parser *p, const char *sentence)
{
	return fail_at(p, p->at, sentence);
}

static void *take(struct parser *p, uint32_t bytes)
{
	void *result = shell_arena_take(p->arena, bytes);

	if (!result)
		fail(p, "the line is too long to take in at once");
	return result;
}

#define NEW(p, type) ((type *)take(p, (uint32_t)sizeof(type)))

static bool at_end(const struct parser *p)
{
	return p->at >= p->bytes;
}

static char peek(const struct parser *p)
{
	return at_end(p) ? 0 : p->text[p->at];
}

static void blanks(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t')
		p->at++;
	if (peek(p) == '#')
		p->at = p->bytes;
}

/* Notes what could be written here if the line ends here. */
static void want(struct parser *p, enum shell_wanted wanted, struct shell_chain *chain)
{
	if (!at_end(p) || !p->line->ok)
		return;
	p->line->wanted = wanted;
	if (chain)
		p->line->chain = chain;
	p->line->frame = p->frame;
}

static bool accept(struct parser *p, char c)
{
	if (peek(p) != c)
		return false;
	p->at++;
	blanks(p);
	return true;
}

static bool expect(struct parser *p, char c, const char *sentence)
{
	return accept(p, c) || fail(p, sentence);
}

bool shell_word_is(struct shell_word w, const char *text)
{
	return strlen(text) == w.bytes && memcmp(w.chars, text, w.bytes) == 0;
}

/* The name that begins here, without consuming it; bytes 0 where none does. */
static struct shell_word name_here(const struct parser *p)
{
	struct shell_word w = { p->text + p->at, 0, p->at };

	if (!shell_is_name_start(peek(p)))
		return w;
	while (p->at + w.bytes < p->bytes && shell_is_name(w.chars[w.bytes]))
		w.bytes++;
	while (w.chars[w.bytes - 1] == '-')
		w.bytes--;
	return w;
}

static bool name(struct parser *p, struct shell_word *out, const char *sentence)
{
	*out = name_here(p);
	if (out->bytes == 0)
		return fail(p, sentence);
	p->at += out->bytes;
	blanks(p);
	return true;
}

/* Whether the byte after this word, blanks aside, is `c`. */
static bool followed_by(const struct parser *p, struct shell_word w, char c)
{
	uint32_t at = w.at + w.bytes;

	while (at < p->bytes && (p->text[at] == ' ' || p->text[at] == '\t'))
		at++;
	return at < p->bytes && p->text[at] == c;
}

static bool keyword(struct parser *p, const char *word)
{
	struct shell_word w = name_here(p);

	if (w.bytes == 0 || !shell_word_is(w, word))
		return false;
	p->at += w.bytes;
	blanks(p);
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

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool whole_number(struct parser *p, struct shell_number *n, uint32_t base)
{
	uint32_t start = p->at;

	for (int digit; (digit = hex_digit(peek(p))) >= 0 && (uint32_t)digit < base; p->at++) {
		if (n->whole && n->magnitude > (UINT64_MAX - (uint32_t)digit) / base)
			n->whole = false;
		n->magnitude = n->magnitude * base + (uint32_t)digit;
		n->real = n->real * base + digit;
	}
	return p->at > start || fail(p, "digits are missing here");
}

/* The part after the point and the exponent of the number that began at `from`. */
static bool fraction(struct parser *p, struct shell_number *n, uint32_t from)
{
	uint64_t bits;

	n->whole = false;
	if (peek(p) == '.') {
		do
			p->at++;
		while (is_digit(peek(p)));
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		p->at++;
		if (peek(p) == '-' || peek(p) == '+')
			p->at++;
		for (; is_digit(peek(p)); p->at++)
			;
	}
	if (!number_parse_float(p->text + from, p->at - from, false, &bits))
		return fail(p, "digits are missing here");
	memcpy(&n->real, &bits, sizeof(bits));
	return true;
}

static bool number(struct parser *p, struct shell_value *v)
{
	struct shell_number *n = &v->number;
	uint32_t from;

	v->kind = SHELL_NUMBER;
	n->whole = true;
	if (peek(p) == '-') {
		n->negative = true;
		p->at++;
		if (keyword(p, "inf")) {
			n->whole = false;
			n->real = -__builtin_inf();
			return true;
		}
	}
	if (peek(p) == '0' && p->at + 1 < p->bytes && (p->text[p->at + 1] | 0x20) == 'x') {
		p->at += 2;
		if (!whole_number(p, n, 16))
			return false;
	} else {
		from = p->at;
		if (!whole_number(p, n, 10))
			return false;
		if ((peek(p) == '.' || peek(p) == 'e' || peek(p) == 'E') && !fraction(p, n, from))
			return false;
	}
	if (shell_is_name(peek(p)))
		return fail(p, "this does not belong to a number");
	if (n->negative)
		n->real = -n->real;
	blanks(p);
	return true;
}

/* One character after a backslash, as in Cap'n Proto text. */
static bool escaped(struct parser *p, char *out)
{
	static const char letters[] = "abfnrtv\\'\"?";
	static const char meanings[] = "\a\b\f\n\r\t\v\\'\"?";
	char c = peek(p);
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
		for (uint32_t i = 0; i < 3 && peek(p) >= '0' && peek(p) <= '7'; i++)
			value = value * 8 + (uint32_t)(p->text[p->at++] - '0');
	} else {
		return fail(p, "there is no such escape; \\n, \\t, \\\", \\\\ and \\x41 are some that are");
	}
	if (value == 0 || value > 255)
		return fail_at(p, p->at - 1, "text cannot hold this character");
	*out = (char)value;
	return true;
}

static bool text(struct parser *p, struct shell_value *v)
{
	uint32_t start = p->at;
	char *out = take(p, p->bytes - p->at + 1);

	v->kind = SHELL_TEXT;
	v->word = (struct shell_word){ out, 0, start };
	if (!out)
		return false;
	for (p->at++; peek(p) != '"'; ) {
		char c = peek(p);

		if (at_end(p))
			return fail_at(p, start, "the text that begins here has no closing quote");
		if (c == 0)
			return fail(p, "text cannot hold this character");
		p->at++;
		if (c == '\\' && !escaped(p, &c))
			return false;
		out[v->word.bytes++] = c;
	}
	p->at++;
	/* The arena took room for the rest of the line; give back what the text did not need. */
	p->arena->used -= p->bytes - start + 1 - (v->word.bytes + 1);
	blanks(p);
	return true;
}

static bool data(struct parser *p, struct shell_value *v)
{
	uint32_t start = p->at;
	char *out = take(p, (p->bytes - p->at) / 2 + 1);
	int high = -1;

	v->kind = SHELL_DATA;
	v->word = (struct shell_word){ out, 0, start };
	if (!out)
		return false;
	for (p->at += 3; peek(p) != '"'; p->at++) {
		int digit = hex_digit(peek(p));

		if (at_end(p))
			return fail_at(p, start, "the data that begins here has no closing quote");
		if (peek(p) == ' ' && high < 0)
			continue;
		if (digit < 0)
			return fail(p, "data is written in pairs of hexadecimal digits");
		if (high < 0) {
			high = digit;
		} else {
			out[v->word.bytes++] = (char)(high << 4 | digit);
			high = -1;
		}
	}
	if (high >= 0)
		return fail(p, "data is written in pairs of hexadecimal digits");
	p->at++;
	blanks(p);
	return true;
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool value(struct parser *p, struct shell_value **out);
static struct shell_chain *chain(struct parser *p, bool calls);

static bool enter(struct parser *p, bool list, struct shell_value *v)
{
	struct shell_frame *frame = NEW(p, struct shell_frame);

	if (!frame)
		return false;
	if (p->depth == SHELL_DEPTH_MAX)
		return fail(p, "values are nested too deep here");
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
static bool fields(struct parser *p, struct shell_value *v, char close, const char *no_close)
{
	struct shell_field **tail = &v->fields;

	v->kind = SHELL_STRUCT;
	if (!enter(p, false, v))
		return false;
	for (;;) {
		struct shell_field *field;

		want(p, SHELL_WANT_FIELD, NULL);
		if (peek(p) == close)
			break;
		field = NEW(p, struct shell_field);
		if (!field || !name(p, &field->name, "a field is written as name = value"))
			return false;
		p->frame->field = field->name;
		if (!expect(p, '=', "a field is written as name = value; the = is missing"))
			return false;
		*tail = field;
		tail = &field->next;
		v->count++;
		if (!value(p, &field->value))
			return false;
		if (peek(p) != close && !expect(p, ',', no_close))
			return false;
	}
	leave(p);
	p->at++;
	blanks(p);
	return true;
}

static bool items(struct parser *p, struct shell_value *v)
{
	struct shell_value **tail = &v->items;

	v->kind = SHELL_LIST;
	if (!enter(p, true, v))
		return false;
	while (!accept(p, ']')) {
		if (!value(p, tail))
			return false;
		tail = &(*tail)->next;
		v->count++;
		if (peek(p) != ']' && !expect(p, ',', "a , or ] is missing here"))
			return false;
	}
	leave(p);
	return true;
}

static bool reference(struct parser *p, struct shell_value *v)
{
	v->kind = SHELL_REFERENCE;
	v->reference = chain(p, false);
	return v->reference != NULL;
}

static bool value(struct parser *p, struct shell_value **out)
{
	struct shell_value *v = NEW(p, struct shell_value);
	char c = peek(p);

	if (!v)
		return false;
	want(p, SHELL_WANT_VALUE, NULL);
	v->at = p->at;
	*out = v;
	if (c == '"')
		return text(p, v);
	if (c == '0' && p->at + 2 < p->bytes && p->text[p->at + 1] == 'x' && p->text[p->at + 2] == '"')
		return data(p, v);
	if (is_digit(c) || c == '-')
		return number(p, v);
	if (c == '@' || c == '$')
		return reference(p, v);
	if (c == '[') {
		p->at++;
		blanks(p);
		return items(p, v);
	}
	if (c == '(') {
		p->at++;
		blanks(p);
		return fields(p, v, ')', "a , or ) is missing here");
	}
	v->kind = SHELL_NAME;
	return name(p, &v->word, "a value is missing here");
}

/* --- Chains ----------------------------------------------------------------------------------- */

static bool steps(struct parser *p, struct shell_chain *c, bool calls)
{
	struct shell_step **tail = &c->steps;

	while (peek(p) == '.') {
		struct shell_step *step = NEW(p, struct shell_step);

		if (!step)
			return false;
		p->at++;
		blanks(p);
		want(p, SHELL_WANT_STEP, c);
		if (!name(p, &step->name, "the name of a method or field is missing here"))
			return false;
		*tail = step;
		tail = &step->next;
		c->end = p->at;
		if (calls && peek(p) == '(') {
			step->arguments = NEW(p, struct shell_value);
			if (!step->arguments)
				return false;
			step->arguments->at = p->at;
			p->line->chain = c;
			p->frame = NULL;
			p->at++;
			blanks(p);
			if (!fields(p, step->arguments, ')', "a , or ) is missing here"))
				return false;
		}
	}
	return true;
}

/* calls: arguments may follow a step; otherwise only fields are named. NULL: refused. */
static struct shell_chain *chain(struct parser *p, bool calls)
{
	struct shell_chain *c = NEW(p, struct shell_chain);
	struct shell_frame *frame = p->frame;
	char sigil = peek(p);

	if (!c)
		return NULL;
	c->at = p->at;
	c->start.at = p->at;
	c->sigil = SHELL_PLAIN;
	if (sigil == '@' || sigil == '$') {
		c->sigil = sigil == '@' ? SHELL_CAPABILITY : SHELL_VALUE;
		p->at++;
		if (sigil == '$' && accept(p, '?')) {
			c->sigil = SHELL_STATUS;
			c->end = p->at;
			return c;
		}
	}
	want(p, SHELL_WANT_NAME, c);
	if (!name(p, &c->start, "a name is missing here"))
		return NULL;
	c->end = p->at;
	if (!steps(p, c, calls))
		return NULL;
	p->frame = frame;
	return c;
}

static bool narrowed(struct parser *p, struct shell_chain *c)
{
	if (!keyword(p, "as"))
		return true;
	want(p, SHELL_WANT_INTERFACE, c);
	return name(p, &c->narrow, "the name of an interface is missing here");
}

/* --- Commands that are calls ------------------------------------------------------------------ */

enum operand {
	OPERAND_NONE,
	OPERAND_TARGET,		/* the capability that is called */
	OPERAND_FIELD,		/* a capability, as the field's value */
};

struct sugar {
	const char *word;
	const char *target;
	const char *method;
	enum operand operand;
	const char *field;		/* of the number after it, or of the operand */
	uint64_t number;		/* where none is given */
	const char *meaning;
	const char *needs;		/* a sentence, where the operand is missing */
};

static const struct sugar sugars[] = {
	{ "holders", "authority", "holders", OPERAND_FIELD, "capability", 0, "authority.holders(capability = @x)",
	  "`holders @x` takes the name of a capability" },
	{ "kill", NULL, "kill", OPERAND_TARGET, "status", 1, "p.kill(status = 1)",
	  "`kill p` takes the name of a ProcessHandle, as in p = spawn ..." },
	{ "poweroff", "system", "powerOff", OPERAND_NONE, "status", 0, "system.powerOff(status = 0)", NULL },
	{ "ps", "authority", "processes", OPERAND_NONE, NULL, 0, "authority.processes", NULL },
	{ "reboot", "system", "reboot", OPERAND_NONE, NULL, 0, "system.reboot", NULL },
	{ "wait", NULL, "wait", OPERAND_TARGET, NULL, 0, "p.wait",
	  "`wait p` takes the name of a ProcessHandle, as in p = spawn ..." },
};

const char *const shell_commands[] = {
	"caps", "drop", "exit", "help", "history", "holders", "kill", "poweroff", "ps", "reboot", "run",
	"spawn", "tour", "wait", NULL,
};

static bool is_command(struct shell_word w)
{
	for (uint32_t i = 0; shell_commands[i]; i++) {
		if (shell_word_is(w, shell_commands[i]))
			return true;
	}
	return false;
}

static const struct sugar *find_sugar(struct shell_word w)
{
	for (uint32_t i = 0; i < ARRAY_LEN(sugars); i++) {
		if (shell_word_is(w, sugars[i].word))
			return &sugars[i];
	}
	return NULL;
}

const char *shell_sugar_meaning(const char *word, uint32_t bytes)
{
	const struct sugar *s = find_sugar((struct shell_word){ word, bytes, 0 });

	return s ? s->meaning : NULL;
}

static struct shell_word word_at(const char *chars, uint32_t at)
{
	return (struct shell_word){ chars, (uint32_t)strlen(chars), at };
}

/* Adds field = value to the arguments of the step. */
static bool add_argument(struct parser *p, struct shell_step *step, const char *field_name,
		struct shell_value *v, uint32_t at)
{
	struct shell_field *field = NEW(p, struct shell_field);

	step->arguments = NEW(p, struct shell_value);
	if (!field || !step->arguments)
		return false;
	*field = (struct shell_field){ NULL, word_at(field_name, at), v };
	step->arguments->kind = SHELL_STRUCT;
	step->arguments->at = at;
	step->arguments->fields = field;
	step->arguments->count = 1;
	return true;
}

static bool sugar_number(struct parser *p, const struct sugar *s, struct shell_step *step, uint32_t at)
{
	struct shell_value *v = NEW(p, struct shell_value);

	if (!v)
		return false;
	v->at = p->at;
	if (is_digit(peek(p)) || peek(p) == '-') {
		if (!number(p, v))
			return false;
		at = v->at;
	} else {
		v->kind = SHELL_NUMBER;
		v->at = at;
		v->number = (struct shell_number){ false, true, s->number, (double)s->number };
	}
	return add_argument(p, step, s->field, v, at);
}

/* Appends the sugar's method to the chain it is called on. */
static struct shell_chain *sugar_step(struct parser *p, struct shell_chain *c, struct shell_step *step)
{
	struct shell_step **tail = &c->steps;

	while (*tail)
		tail = &(*tail)->next;
	*tail = step;
	return c;
}

static bool begins_path(const struct parser *p)
{
	return peek(p) == '@' || peek(p) == '$' || shell_is_name_start(peek(p));
}

static struct shell_chain *sugar(struct parser *p, const struct sugar *s, uint32_t at)
{
	struct shell_step *step = NEW(p, struct shell_step);
	struct shell_chain *operand = NULL;
	struct shell_chain *c;

	if (!step)
		return NULL;
	step->name = word_at(s->method, at);
	if (s->operand != OPERAND_NONE) {
		want(p, SHELL_WANT_NAME, NULL);
		operand = begins_path(p) ? chain(p, false) : NULL;
		if (!operand)
			(void)fail(p, s->needs);
		if (!operand)
			return NULL;
		operand->sigil = SHELL_CAPABILITY;
	}
	if (s->operand == OPERAND_TARGET) {
		c = operand;
	} else {
		c = NEW(p, struct shell_chain);
		if (!c)
			return NULL;
		c->start = word_at(s->target, at);
		c->at = at;
	}
	if (s->operand == OPERAND_FIELD) {
		struct shell_value *v = NEW(p, struct shell_value);

		if (!v)
			return NULL;
		v->kind = SHELL_REFERENCE;
		v->at = operand->at;
		v->reference = operand;
		if (!add_argument(p, step, s->field, v, operand->at))
			return NULL;
	} else if (s->field && !sugar_number(p, s, step, at)) {
		return NULL;
	}
	c->end = p->at;
	return sugar_step(p, c, step);
}

/* --- Launching -------------------------------------------------------------------------------- */

/* @name, or own: the address space that the program will have. */
static bool granted(struct parser *p, struct shell_grant *grant)
{
	if (grant->name.bytes > 0 && keyword(p, "own"))
		return true;
	if (peek(p) != '@') {
		want(p, SHELL_WANT_NAME, NULL);
		return fail(p, "a capability is granted as @name");
	}
	grant->capability = chain(p, false);
	if (!grant->capability)
		return false;
	if (grant->name.bytes == 0)
		grant->name = grant->capability->start;
	return true;
}

static bool grants(struct parser *p, struct shell_launch *launch)
{
	struct shell_grant **tail = &launch->grants;

	if (!expect(p, '{', "grants are written in braces: with { console: @console }"))
		return false;
	for (;;) {
		struct shell_grant *grant;

		want(p, SHELL_WANT_GRANT, NULL);
		if (accept(p, '}'))
			return true;
		grant = NEW(p, struct shell_grant);
		if (!grant)
			return false;
		if (peek(p) != '@') {
			if (!name(p, &grant->name, "a grant is written as name: @capability") ||
					!expect(p, ':', "a grant is written as name: @capability; the : is missing"))
				return false;
		}
		if (!granted(p, grant))
			return false;
		*tail = grant;
		tail = &grant->next;
		if (peek(p) != '}' && !expect(p, ',', "a , or } is missing here"))
			return false;
	}
}

static bool environment(struct parser *p, struct shell_launch *launch)
{
	launch->env = NEW(p, struct shell_value);
	if (!launch->env)
		return false;
	launch->env->at = p->at;
	return expect(p, '{', "the environment is written in braces: env { NAME = \"value\" }") &&
			fields(p, launch->env, '}', "a , or } is missing here");
}

static bool arguments(struct parser *p, struct shell_launch *launch)
{
	if (peek(p) != '[')
		return fail(p, "arguments are written in brackets: args [\"-v\"]");
	return value(p, &launch->args);
}

static bool program(struct parser *p, struct shell_launch *launch)
{
	struct shell_value v = { 0 };

	want(p, SHELL_WANT_PROGRAM, NULL);
	if (peek(p) != '"')
		return name(p, &launch->program, "the name of a program is missing here");
	if (!text(p, &v))
		return false;
	launch->program = v.word;
	return v.word.bytes > 0 || fail_at(p, v.word.at, "the name of a program is missing here");
}

static bool launch_parts(struct parser *p, struct shell_launch *launch)
{
	bool granted = false;

	for (;;) {
		uint32_t at = p->at;
		bool again;
		bool ok;

		want(p, SHELL_WANT_LAUNCH_WORD, NULL);
		if (keyword(p, "with")) {
			again = granted;
			granted = true;
			ok = again || grants(p, launch);
		} else if (keyword(p, "args")) {
			again = launch->args != NULL;
			ok = again || arguments(p, launch);
		} else if (keyword(p, "env")) {
			again = launch->env != NULL;
			ok = again || environment(p, launch);
		} else {
			return true;
		}
		if (again)
			return fail_at(p, at, "this may be said only once");
		if (!ok)
			return false;
	}
}

/* --- Statements ------------------------------------------------------------------------------- */

static bool launch(struct parser *p, struct shell_statement *s, bool foreground)
{
	s->kind = SHELL_LAUNCH;
	s->launch = NEW(p, struct shell_launch);
	if (!s->launch)
		return false;
	s->launch->foreground = foreground;
	return program(p, s->launch) && launch_parts(p, s->launch);
}

static bool help(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_HELP;
	want(p, SHELL_WANT_TOPIC, NULL);
	(void)accept(p, '@');
	if (!shell_is_name_start(peek(p)))
		return true;
	if (!name(p, &s->topic[0], ""))
		return false;
	if (peek(p) != '.')
		return true;
	p->at++;
	s->chain = NEW(p, struct shell_chain);
	if (!s->chain)
		return false;
	s->chain->start = s->topic[0];
	want(p, SHELL_WANT_STEP, s->chain);
	return name(p, &s->topic[1], "the name of a method is missing here");
}

static bool drop(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_DROP;
	want(p, SHELL_WANT_NAME, NULL);
	if (!begins_path(p))
		return fail(p, "`drop x` takes a name");
	s->chain = chain(p, false);
	if (!s->chain)
		return false;
	if (s->chain->steps)
		return fail_at(p, s->chain->steps->name.at, "a name is dropped as a whole");
	return true;
}

static bool shell_exit(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_EXIT;
	if (shell_is_name_start(peek(p)))
		return fail(p, "an exit status is a number from 0 to 255");
	if (!is_digit(peek(p)) && peek(p) != '-')
		return true;
	return value(p, &s->literal);
}

/* A statement that begins with a command's name; the name is consumed. */
static bool command(struct parser *p, struct shell_statement *s, struct shell_word w)
{
	const struct sugar *call = find_sugar(w);

	if (call) {
		s->kind = SHELL_CHAIN;
		s->chain = sugar(p, call, w.at);
		return s->chain != NULL;
	}
	if (shell_word_is(w, "run"))
		return launch(p, s, true);
	if (shell_word_is(w, "spawn"))
		return launch(p, s, false);
	if (shell_word_is(w, "help"))
		return help(p, s);
	if (shell_word_is(w, "drop"))
		return drop(p, s);
	if (shell_word_is(w, "exit"))
		return shell_exit(p, s);
	s->kind = shell_word_is(w, "caps") ? SHELL_CAPS : shell_word_is(w, "tour") ? SHELL_TOUR : SHELL_HISTORY;
	return true;
}

static bool binding(struct parser *p, struct shell_statement *s)
{
	struct shell_word w = name_here(p);

	if (w.bytes == 0 || !followed_by(p, w, '='))
		return true;
	if (is_command(w))
		return fail(p, "this is the name of a command; choose another");
	s->bind = w;
	p->at += w.bytes;
	blanks(p);
	p->at++;
	blanks(p);
	want(p, SHELL_WANT_STATEMENT, NULL);
	if (at_end(p) || peek(p) == ';')
		return fail(p, "something to bind is missing here");
	return true;
}

static bool has_result(const struct shell_statement *s)
{
	return s->kind == SHELL_CHAIN || s->kind == SHELL_LITERAL || s->kind == SHELL_LAUNCH;
}

static bool is_literal_start(char c)
{
	return c == '"' || c == '[' || c == '(' || c == '-' || is_digit(c);
}

static bool statement(struct parser *p, struct shell_statement *s)
{
	struct shell_word w;

	s->at = p->at;
	if (!binding(p, s))
		return false;
	w = name_here(p);
	if (w.bytes > 0 && is_command(w) && !followed_by(p, w, '.')) {
		p->at += w.bytes;
		blanks(p);
		if (!command(p, s, w))
			return false;
	} else if (is_literal_start(peek(p))) {
		s->kind = SHELL_LITERAL;
		if (!value(p, &s->literal))
			return false;
	} else {
		s->kind = SHELL_CHAIN;
		if (!begins_path(p))
			return fail(p, "a name or a command belongs here; `help` shows how lines are written");
		s->chain = chain(p, true);
		if (!s->chain)
			return false;
	}
	if (s->kind == SHELL_CHAIN && !narrowed(p, s->chain))
		return false;
	s->end = p->at;
	if (s->bind.bytes > 0 && !has_result(s))
		return fail_at(p, w.at, "this command has no result to bind");
	return true;
}

/* What somebody probably meant who wrote more after this statement: a sentence. */
static const char *more_after(const struct shell_statement *s)
{
	const struct shell_step *last = s->chain ? s->chain->steps : NULL;

	while (last && last->next)
		last = last->next;
	switch (s->kind) {
	case SHELL_CHAIN:
		if (s->chain->sigil == SHELL_STATUS || s->chain->narrow.bytes > 0 || (last && last->arguments))
			break;
		if (last && last->name.at <= s->chain->at)	/* a command that is a call */
			return "this command takes nothing more; write ; between statements";
		return "a call is written name.method(field = value); `help` shows how";
	case SHELL_LAUNCH: return "after the program come with { ... }, args [ ... ] and env { ... }";
	case SHELL_DROP: return "one name is dropped at a time; write ; between statements";
	case SHELL_CAPS:
	case SHELL_HISTORY:
	case SHELL_TOUR: return "this command takes nothing; write ; between statements";
	case SHELL_HELP: return "`help` takes one name, or name.method";
	case SHELL_LITERAL:
	case SHELL_EXIT: break;
	}
	return "this does not belong to the statement before; write ; between statements";
}

void shell_parse(struct shell_arena *arena, const char *text_, uint32_t bytes, struct shell_line *out)
{
	struct parser p = { .text = text_, .bytes = bytes, .arena = arena, .line = out };
	struct shell_statement **tail = &out->statements;

	memset(out, 0, sizeof(*out));
	out->ok = true;
	for (;;) {
		blanks(&p);
		while (accept(&p, ';'))
			;
		want(&p, SHELL_WANT_STATEMENT, NULL);
		if (at_end(&p))
			return;
		*tail = NEW(&p, struct shell_statement);
		if (!*tail || !statement(&p, *tail))
			return;
		if (at_end(&p))
			return;
		if (!accept(&p, ';')) {
			(void)fail(&p, more_after(*tail));
			return;
		}
		tail = &(*tail)->next;
	}
}
