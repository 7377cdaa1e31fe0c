/*
 * The shell's language, its commands, launches and whole lines; see parse.h. Commands that stand for a call on a
 * capability are rewritten to it here, by one table.
 */
#include "services/shell/parse_internal.h"

#include <string.h>

#include "abi/compiler.h"

/* --- Commands that are calls ------------------------------------------------------------------ */

enum operand {
	OPERAND_NONE,
	OPERAND_PROCESS,	/* the capability that is called, or a process' number */
	OPERAND_NUMBER,		/* a number that must be there, as the field's value */
};

struct sugar {
	const char *word;
	const char *target;
	const char *interface;		/* of the target */
	const char *method;
	enum operand operand;
	const char *field;		/* of the number after it, or of the operand */
	uint64_t number;		/* where none is given */
	const char *meaning;
	const char *needs;		/* a sentence, where the operand is missing */
};

static const struct sugar sugars[] = {
	{ "kill", NULL, NULL, "kill", OPERAND_PROCESS, "status", 1, "p.kill(status = 1)",
	  "`kill p` takes a ProcessHandle (p = spawn ...) or a number from `ps`" },
	{ "lease", "isolation_control", "IsolationControl", "leases", OPERAND_NONE, NULL, 0,
	  "isolation_control.leases", NULL },
	{ "poweroff", "system", "SystemControl", "powerOff", OPERAND_NONE, "status", 0,
	  "system.powerOff(status = 0)", NULL },
	{ "reboot", "system", "SystemControl", "reboot", OPERAND_NONE, NULL, 0, "system.reboot",
	  NULL },
	{ "revoke", "authority", "CapabilityManager", "revoke", OPERAND_NUMBER, "grant", 0,
	  "authority.revoke(grant = 0x...)",
	  "`revoke 0x...` takes the number of a grant, as `holders x` shows it" },
	{ "wait", NULL, NULL, "wait", OPERAND_PROCESS, NULL, 0, "p.wait",
	  "`wait p` takes a ProcessHandle (p = spawn ...) or a number from `ps`" },
};

const char *const shell_commands[] = {
	"authority", "caps", "drop", "exit", "help", "history", "holders", "kill", "lease", "poweroff", "ps", "reach",
	"reboot", "revoke", "run", "spawn", "top", "tour", "trace", "wait", NULL,
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
	if (is_digit(parser_peek(p)) || parser_peek(p) == '-') {
		if (!parser_number(p, v))
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
	return parser_peek(p) == '@' || parser_peek(p) == '$' || shell_is_name_start(parser_peek(p));
}

/* The name of a capability that a command takes. */
static struct shell_chain *operand(struct parser *p, const char *needs)
{
	struct shell_chain *c;

	parser_want(p, SHELL_WANT_NAME, NULL);
	if (!begins_path(p)) {
		(void)parser_fail(p, needs);
		return NULL;
	}
	c = parser_chain(p, false);
	if (c)
		c->sigil = SHELL_CAPABILITY;
	return c;
}

/* A chain that begins where the command does, with a capability that it knows by name. */
static struct shell_chain *command_chain(struct parser *p, const char *target,
		const char *interface, uint32_t at)
{
	struct shell_chain *c = NEW(p, struct shell_chain);

	if (c) {
		c->start = word_at(target, at);
		c->interface = interface;
		c->at = at;
	}
	return c;
}

/* A handle by number: authority.open(processId = 6) */
static struct shell_chain *process_by_number(struct parser *p, uint32_t at)
{
	struct shell_chain *c = command_chain(p, "authority", "CapabilityManager", at);
	struct shell_step *step = NEW(p, struct shell_step);
	struct shell_value *v = NEW(p, struct shell_value);

	if (!c || !step || !v)
		return NULL;
	v->at = p->at;
	step->name = word_at("open", at);
	if (!parser_number(p, v) || !add_argument(p, step, "processId", v, v->at))
		return NULL;
	c->steps = step;
	return c;
}

static struct shell_chain *sugar(struct parser *p, const struct sugar *s, uint32_t at)
{
	struct shell_step *step = NEW(p, struct shell_step);
	struct shell_chain *c;

	if (!step)
		return NULL;
	step->name = word_at(s->method, at);
	if (s->operand == OPERAND_PROCESS) {
		c = is_digit(parser_peek(p)) ? process_by_number(p, at) : operand(p, s->needs);
	} else {
		c = command_chain(p, s->target, s->interface, at);
		if (c && s->operand == OPERAND_NUMBER && !is_digit(parser_peek(p))) {
			(void)parser_fail(p, s->needs);
			return NULL;
		}
	}
	if (!c || (s->field && !sugar_number(p, s, step, at)))
		return NULL;
	c->end = p->at;
	return sugar_step(p, c, step);
}

/* --- Launching -------------------------------------------------------------------------------- */

/* @name, or own: the address space that the program will have. */
static bool granted(struct parser *p, struct shell_grant *grant)
{
	if (grant->name.bytes > 0 && parser_keyword(p, "own"))
		return true;
	if (parser_peek(p) != '@') {
		parser_want(p, SHELL_WANT_NAME, NULL);
		return parser_fail(p, "a capability is granted as @name");
	}
	grant->capability = parser_chain(p, false);
	if (!grant->capability)
		return false;
	if (grant->name.bytes == 0)
		grant->name = grant->capability->start;
	return true;
}

static bool grants(struct parser *p, struct shell_launch *launch)
{
	struct shell_grant **tail = &launch->grants;

	if (!parser_expect(p, '{', "grants are written in braces: with { console: @console }"))
		return false;
	for (;;) {
		struct shell_grant *grant;

		parser_want(p, SHELL_WANT_GRANT, NULL);
		if (parser_accept(p, '}'))
			return true;
		grant = NEW(p, struct shell_grant);
		if (!grant)
			return false;
		if (parser_peek(p) != '@') {
			if (!parser_name(p, &grant->name, "a grant is written as name: @capability") ||
					!parser_expect(p, ':', "a grant is written as name: @capability; the : is missing"))
				return false;
		}
		if (!granted(p, grant))
			return false;
		*tail = grant;
		tail = &grant->next;
		if (parser_peek(p) != '}' && !parser_expect(p, ',', "a , or } is missing here"))
			return false;
	}
}

static bool environment(struct parser *p, struct shell_launch *launch)
{
	launch->env = NEW(p, struct shell_value);
	if (!launch->env)
		return false;
	launch->env->at = p->at;
	return parser_expect(p, '{', "the environment is written in braces: env { NAME = \"value\" }") &&
			parser_fields(p, launch->env, '}', "a , or } is missing here");
}

static bool arguments(struct parser *p, struct shell_launch *launch)
{
	if (parser_peek(p) != '[')
		return parser_fail(p, "arguments are written in brackets: args [\"-v\"]");
	return parser_value(p, &launch->args);
}

static bool program(struct parser *p, struct shell_launch *launch)
{
	struct shell_value v = { 0 };

	parser_want(p, SHELL_WANT_PROGRAM, NULL);
	if (parser_peek(p) != '"')
		return parser_name(p, &launch->program, "the name of a program is missing here");
	if (!parser_text(p, &v))
		return false;
	launch->program = v.word;
	return v.word.bytes > 0 || parser_fail_at(p, v.word.at, "the name of a program is missing here");
}

static bool launch_parts(struct parser *p, struct shell_launch *launch)
{
	bool granted = false;

	for (;;) {
		uint32_t at = p->at;
		bool again;
		bool ok;

		parser_want(p, SHELL_WANT_LAUNCH_WORD, NULL);
		if (parser_keyword(p, "with")) {
			again = granted;
			granted = true;
			ok = again || grants(p, launch);
		} else if (parser_keyword(p, "args")) {
			again = launch->args != NULL;
			ok = again || arguments(p, launch);
		} else if (parser_keyword(p, "env")) {
			again = launch->env != NULL;
			ok = again || environment(p, launch);
		} else {
			return true;
		}
		if (again)
			return parser_fail_at(p, at, "this may be said only once");
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
	parser_want(p, SHELL_WANT_TOPIC, NULL);
	(void)parser_accept(p, '@');
	if (!shell_is_name_start(parser_peek(p)))
		return true;
	if (!parser_name(p, &s->topic[0], ""))
		return false;
	if (parser_peek(p) != '.')
		return true;
	p->at++;
	s->chain = NEW(p, struct shell_chain);
	if (!s->chain)
		return false;
	s->chain->start = s->topic[0];
	parser_want(p, SHELL_WANT_STEP, s->chain);
	return parser_name(p, &s->topic[1], "the name of a method is missing here");
}

static bool drop(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_DROP;
	parser_want(p, SHELL_WANT_NAME, NULL);
	if (!begins_path(p))
		return parser_fail(p, "`drop x` takes a name");
	s->chain = parser_chain(p, false);
	if (!s->chain)
		return false;
	if (s->chain->steps)
		return parser_fail_at(p, s->chain->steps->name.at, "a name is dropped as a whole");
	return true;
}

static bool shell_exit(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_EXIT;
	if (shell_is_name_start(parser_peek(p)))
		return parser_fail(p, "an exit status is a number from 0 to 255");
	if (!is_digit(parser_peek(p)) && parser_peek(p) != '-')
		return true;
	return parser_value(p, &s->literal);
}

static bool holders(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_HOLDERS;
	s->chain = operand(p, "`holders x` takes the name of a capability; `caps` lists yours");
	return s->chain != NULL;
}

static bool reach(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_REACH;
	s->chain = operand(p, "`reach x` takes the name of a capability; `caps` lists yours");
	return s->chain != NULL;
}

/* Whether this option is written here; then it is consumed. */
static bool option(struct parser *p, const char *text)
{
	uint32_t bytes = (uint32_t)strlen(text);

	if (p->bytes - p->at < bytes || memcmp(p->text + p->at, text, bytes) != 0)
		return false;
	if (p->at + bytes < p->bytes && shell_is_name(p->text[p->at + bytes]))
		return false;
	p->at += bytes;
	parser_blanks(p);
	return true;
}

static bool number_literal(struct parser *p, struct shell_statement *s)
{
	s->literal = NEW(p, struct shell_value);
	if (!s->literal)
		return false;
	s->literal->at = p->at;
	return parser_number(p, s->literal);
}

/* top, top 3 */
static bool top(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_TOP;
	return !is_digit(parser_peek(p)) || number_literal(p, s);
}

/* authority, authority bank, authority 12, authority --dot */
static bool authority(struct parser *p, struct shell_statement *s)
{
	s->kind = SHELL_AUTHORITY;
	parser_want(p, SHELL_WANT_PROCESS, NULL);
	if (parser_peek(p) == '-') {
		s->graph = option(p, "--dot");
		return s->graph || parser_fail(p, "`authority` takes a process, or --dot for a graph");
	}
	if (is_digit(parser_peek(p)))
		return number_literal(p, s);
	(void)parser_accept(p, '@');
	return !shell_is_name_start(parser_peek(p)) || parser_name(p, &s->topic[0], "");
}

static bool statement(struct parser *p, struct shell_statement *s);

/* One statement, or several in braces. */
static bool trace_body(struct parser *p, struct shell_statement **tail)
{
	bool braces = parser_accept(p, '{');

	do {
		while (braces && parser_accept(p, ';'))
			;
		if (braces)
			parser_want(p, SHELL_WANT_STATEMENT, NULL);
		if (braces && parser_accept(p, '}'))
			return true;
		if (parser_at_end(p))
			return parser_fail(p, braces ? "a } is missing here" : "`trace` takes what to run: trace timer.now");
		*tail = NEW(p, struct shell_statement);
		if (!*tail || !statement(p, *tail))
			return false;
		tail = &(*tail)->next;
		if (braces && parser_peek(p) != '}' && parser_peek(p) != ';')
			return parser_fail(p, "a ; or } is missing here");
	} while (braces);
	return true;
}

static bool trace(struct parser *p, struct shell_statement *s)
{
	bool ok;

	s->kind = SHELL_TRACE;
	if (p->traced)
		return parser_fail_at(p, s->at, "a trace holds no other trace");
	parser_want(p, SHELL_WANT_TRACED, NULL);
	s->payload = option(p, "--payload");
	if (s->payload)
		parser_want(p, SHELL_WANT_STATEMENT, NULL);
	p->traced = true;
	ok = trace_body(p, &s->body);
	p->traced = false;
	return ok;
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
	if (shell_word_is(w, "holders"))
		return holders(p, s);
	if (shell_word_is(w, "reach"))
		return reach(p, s);
	if (shell_word_is(w, "authority"))
		return authority(p, s);
	if (shell_word_is(w, "trace"))
		return trace(p, s);
	if (shell_word_is(w, "top"))
		return top(p, s);
	s->kind = shell_word_is(w, "caps") ? SHELL_CAPS : shell_word_is(w, "ps") ? SHELL_PS :
			shell_word_is(w, "tour") ? SHELL_TOUR : SHELL_HISTORY;
	return true;
}

static bool binding(struct parser *p, struct shell_statement *s)
{
	struct shell_word w = parser_name_here(p);

	if (w.bytes == 0 || !parser_followed_by(p, w, '='))
		return true;
	if (is_command(w))
		return parser_fail(p, "this is the name of a command; choose another");
	s->bind = w;
	p->at += w.bytes;
	parser_blanks(p);
	p->at++;
	parser_blanks(p);
	parser_want(p, SHELL_WANT_STATEMENT, NULL);
	if (parser_at_end(p) || parser_peek(p) == ';')
		return parser_fail(p, "something to bind is missing here");
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
	w = parser_name_here(p);
	if (w.bytes > 0 && is_command(w) && !parser_followed_by(p, w, '.')) {
		p->at += w.bytes;
		parser_blanks(p);
		if (!command(p, s, w))
			return false;
	} else if (is_literal_start(parser_peek(p))) {
		s->kind = SHELL_LITERAL;
		if (!parser_value(p, &s->literal))
			return false;
	} else {
		s->kind = SHELL_CHAIN;
		if (!begins_path(p))
			return parser_fail(p, "a name or a command belongs here; `help` shows how lines are written");
		s->chain = parser_chain(p, true);
		if (!s->chain)
			return false;
	}
	if (s->kind == SHELL_CHAIN && !parser_narrowed(p, s->chain))
		return false;
	s->end = p->at;
	if (s->bind.bytes > 0 && !has_result(s))
		return parser_fail_at(p, w.at, "this command has no result to bind");
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
	case SHELL_HOLDERS:
	case SHELL_REACH: return "one capability is shown at a time; write ; between statements";
	case SHELL_AUTHORITY: return "`authority` takes one process, or --dot for a graph";
	case SHELL_DROP: return "one name is dropped at a time; write ; between statements";
	case SHELL_CAPS:
	case SHELL_HISTORY:
	case SHELL_PS:
	case SHELL_TOUR: return "this command takes nothing; write ; between statements";
	case SHELL_TOP: return "`top` takes how often it shows, or nothing";
	case SHELL_HELP: return "`help` takes one name, or name.method";
	case SHELL_LITERAL:
	case SHELL_TRACE:
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
		parser_blanks(&p);
		while (parser_accept(&p, ';'))
			;
		parser_want(&p, SHELL_WANT_STATEMENT, NULL);
		if (parser_at_end(&p))
			return;
		*tail = NEW(&p, struct shell_statement);
		if (!*tail || !statement(&p, *tail))
			return;
		if (parser_at_end(&p))
			return;
		if (!parser_accept(&p, ';')) {
			(void)parser_fail(&p, more_after(*tail));
			return;
		}
		tail = &(*tail)->next;
	}
}
