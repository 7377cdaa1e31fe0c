/*
 * The shell's language: one line of text becomes statements. Pure: no schema, no capability is
 * known here, so a line is refused for its form only; evaluate.c gives it meaning. The grammar is
 * docs/reference/shell.md.
 *
 * Commands that stand for a capability call (`ps`, `kill p`) are rewritten to that call here, by one
 * table. Always true: every node lies in the caller's arena and borrows the caller's text; offsets
 * are bytes from the start of the line and at most its length.
 */
#ifndef SERVICES_SHELL_PARSE_H
#define SERVICES_SHELL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#define SHELL_DEPTH_MAX 32

struct shell_arena {
	uint8_t *bytes;		/* 8-byte aligned */
	uint32_t size;
	uint32_t used;
};

/* A piece of text with its place in the line. Words that sugar added lie outside the line; their
 * `at` is that of the command. Text values are decoded: `chars` may point into the arena. */
struct shell_word {
	const char *chars;
	uint32_t bytes;
	uint32_t at;
};

enum shell_value_kind {
	SHELL_NUMBER,		/* number */
	SHELL_TEXT,		/* word, decoded */
	SHELL_DATA,		/* word, decoded */
	SHELL_NAME,		/* word: an enumerant, true, false, void, inf, nan */
	SHELL_STRUCT,		/* fields */
	SHELL_LIST,		/* items */
	SHELL_REFERENCE,	/* reference: @x.y a capability, $x.y a value, $? the status */
};

struct shell_number {
	bool negative;
	bool whole;		/* magnitude is exact; else only `real` counts */
	uint64_t magnitude;
	double real;
};

enum shell_sigil { SHELL_PLAIN, SHELL_CAPABILITY, SHELL_VALUE, SHELL_STATUS };

struct shell_value {
	struct shell_value *next;	/* in a list */
	enum shell_value_kind kind;
	uint32_t at;
	struct shell_word word;
	struct shell_number number;
	struct shell_field *fields;
	struct shell_value *items;
	uint32_t count;			/* of fields or items */
	struct shell_chain *reference;
};

struct shell_field {
	struct shell_field *next;
	struct shell_word name;
	struct shell_value *value;	/* NULL while the line ends before it */
};

/* name.step.step(arguments): where it starts and the ways from there. */
struct shell_step {
	struct shell_step *next;
	struct shell_word name;
	struct shell_value *arguments;	/* a SHELL_STRUCT, or NULL where none were written */
};

struct shell_chain {
	enum shell_sigil sigil;
	struct shell_word start;	/* empty for $? */
	struct shell_step *steps;
	const char *interface;		/* of `start`, where a command chose it; else NULL */
	struct shell_word narrow;	/* interface after `as`; bytes 0 for none */
	uint32_t at;
	uint32_t end;
};

struct shell_grant {
	struct shell_grant *next;
	struct shell_word name;
	struct shell_chain *capability;	/* NULL: `own`, the program's own address space */
};

struct shell_launch {
	bool foreground;		/* run; false: spawn */
	struct shell_word program;
	struct shell_grant *grants;
	struct shell_value *args;	/* SHELL_LIST or NULL */
	struct shell_value *env;	/* SHELL_STRUCT or NULL */
};

enum shell_statement_kind {
	SHELL_CHAIN,
	SHELL_LITERAL,
	SHELL_LAUNCH,
	SHELL_CAPS,
	SHELL_HELP,
	SHELL_HISTORY,
	SHELL_DROP,
	SHELL_TOUR,
	SHELL_TRACE,
	SHELL_EXIT,
	SHELL_HOLDERS,
	SHELL_REACH,
	SHELL_AUTHORITY,
	SHELL_PS,
	SHELL_TOP,
};

struct shell_statement {
	struct shell_statement *next;
	enum shell_statement_kind kind;
	uint32_t at;
	uint32_t end;
	struct shell_word bind;		/* the name before `=`; bytes 0 for none */
	struct shell_chain *chain;	/* CHAIN; HOLDERS, REACH: a path; DROP: start only */
	/* LITERAL; EXIT: the status; AUTHORITY: a process' number; TOP: how often. NULL: none */
	struct shell_value *literal;
	bool graph;			/* AUTHORITY --dot */
	struct shell_launch *launch;
	struct shell_word topic[2];	/* HELP: name and method; AUTHORITY: a process' name; empty where not given */
	struct shell_statement *body;	/* TRACE: what is traced */
	bool payload;			/* TRACE: with messages */
};

/* What could stand where the line ends: for completion. */
enum shell_wanted {
	SHELL_WANT_NOTHING,
	SHELL_WANT_STATEMENT,		/* a command or a name */
	SHELL_WANT_NAME,		/* a bound name, after @ or $ or a command that takes one */
	SHELL_WANT_STEP,		/* a method or field of `chain` as far as it goes */
	SHELL_WANT_FIELD,		/* a field of `frame` */
	SHELL_WANT_VALUE,		/* a value for `field` of `frame` */
	SHELL_WANT_INTERFACE,
	SHELL_WANT_PROGRAM,
	SHELL_WANT_PROCESS,
	SHELL_WANT_TRACED,		/* what `trace` takes: a statement, or --payload first */
	SHELL_WANT_LAUNCH_WORD,		/* with, args, env */
	SHELL_WANT_GRANT,		/* the name of a grant */
	SHELL_WANT_TOPIC,
};

/* The struct or list being written, innermost first. */
struct shell_frame {
	struct shell_frame *outer;	/* NULL: these are the arguments of chain's last step */
	bool list;
	struct shell_value *value;	/* what is there already */
	struct shell_word field;	/* in a struct: the field whose value is being written */
};

struct shell_line {
	struct shell_statement *statements;
	bool ok;
	uint32_t error_at;		/* where it is not ok */
	const char *error;		/* a sentence */
	enum shell_wanted wanted;
	struct shell_chain *chain;
	struct shell_frame *frame;
};

/* Parses one line. Not ok: nothing may be run; error_at <= bytes. */
void shell_parse(struct shell_arena *arena, const char *text, uint32_t bytes, struct shell_line *out);

/* The words that begin a command, in alphabetical order, ended by NULL. */
extern const char *const shell_commands[];

/* The line that a sugared command stands for ("authority.processes"), or NULL: for help. */
const char *shell_sugar_meaning(const char *word, uint32_t bytes);

bool shell_word_is(struct shell_word w, const char *text);
void *shell_arena_take(struct shell_arena *arena, uint32_t bytes);

static inline bool shell_is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static inline bool shell_is_name(char c)
{
	return shell_is_name_start(c) || (c >= '0' && c <= '9') || c == '-';
}

#endif
