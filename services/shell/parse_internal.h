/*
 * The parser's parts for each other: parse.c reads values and chains, statement.c commands and whole lines. A function
 * that answers false has noted the error, or what was wanted where the line ends.
 */
#ifndef SERVICES_SHELL_PARSE_INTERNAL_H
#define SERVICES_SHELL_PARSE_INTERNAL_H

#include "services/shell/parse.h"

struct parser {
	const char *text;
	uint32_t bytes;
	uint32_t at;
	uint32_t depth;
	struct shell_arena *arena;
	struct shell_line *line;
	struct shell_frame *frame;
	bool traced;			/* within a trace */
};

static inline bool parser_at_end(const struct parser *p)
{
	return p->at >= p->bytes;
}

static inline char parser_peek(const struct parser *p)
{
	return parser_at_end(p) ? 0 : p->text[p->at];
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Zeroed; NULL: the line is too long. */
void *parser_take(struct parser *p, uint32_t bytes);
#define NEW(p, type) ((type *)parser_take(p, (uint32_t)sizeof(type)))

bool parser_fail_at(struct parser *p, uint32_t at, const char *sentence);
bool parser_fail(struct parser *p, const char *sentence);
void parser_blanks(struct parser *p);
/* Notes what could be written here if the line ends here. */
void parser_want(struct parser *p, enum shell_wanted wanted, struct shell_chain *chain);

bool parser_accept(struct parser *p, char c);
bool parser_expect(struct parser *p, char c, const char *sentence);
bool parser_keyword(struct parser *p, const char *word);
/* The name that begins here, without consuming it; bytes 0 where none does. */
struct shell_word parser_name_here(const struct parser *p);
bool parser_name(struct parser *p, struct shell_word *out, const char *sentence);
/* Whether the byte after this word, blanks aside, is `c`. */
bool parser_followed_by(const struct parser *p, struct shell_word w, char c);

bool parser_number(struct parser *p, struct shell_value *v);
bool parser_text(struct parser *p, struct shell_value *v);
bool parser_value(struct parser *p, struct shell_value **out);
/* The fields of a struct whose bracket is open, up to `close`. */
bool parser_fields(struct parser *p, struct shell_value *v, char close, const char *no_close);
/* A path, or with `calls` a chain of calls; NULL: failed. */
struct shell_chain *parser_chain(struct parser *p, bool calls);
bool parser_narrowed(struct parser *p, struct shell_chain *c);

#endif
