/*
 * Any bytes as a line for the shell: the parser ends, stays within its arena, and every place that
 * it names lies within the line.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "services/shell/parse.h"

static uint32_t length;

static void check(int holds)
{
	if (!holds)
		abort();
}

static void walk_value(const struct shell_value *v);

static void walk_chain(const struct shell_chain *c)
{
	check(c->at <= length && c->end <= length && c->start.at <= length);
	for (const struct shell_step *s = c->steps; s; s = s->next) {
		check(s->name.bytes > 0 && s->name.at <= length);
		if (s->arguments)
			walk_value(s->arguments);
	}
}

static void walk_value(const struct shell_value *v)
{
	uint32_t count = 0;

	check(v->at <= length && v->word.at <= length);
	if (v->kind == SHELL_REFERENCE)
		walk_chain(v->reference);
	for (const struct shell_value *item = v->items; item; item = item->next, count++)
		walk_value(item);
	for (const struct shell_field *field = v->fields; field; field = field->next, count++)
		walk_value(field->value);
	check(count == v->count);
}

static void walk_statement(const struct shell_statement *s)
{
	check(s->at <= length && s->end <= length);
	if (s->chain)
		walk_chain(s->chain);
	if (s->literal)
		walk_value(s->literal);
	if (s->launch) {
		check(s->launch->program.bytes > 0);
		for (const struct shell_grant *g = s->launch->grants; g; g = g->next)
			if (g->capability)
				walk_chain(g->capability);
		if (s->launch->args)
			walk_value(s->launch->args);
		if (s->launch->env)
			walk_value(s->launch->env);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static _Alignas(8) uint8_t memory[65536];
	struct shell_arena arena = { memory, sizeof(memory), 0 };
	struct shell_line line;
	char *text;

	if (count > 2000)
		return 0;
	text = malloc(count + 1);	/* of exactly this size, so that a read beyond it is seen */
	check(text != NULL);
	memcpy(text, bytes, count);
	text = realloc(text, count ? count : 1);
	check(text != NULL);
	length = (uint32_t)count;
	shell_parse(&arena, text, length, &line);
	check(arena.used <= arena.size);
	if (line.ok) {
		for (const struct shell_statement *s = line.statements; s; s = s->next)
			walk_statement(s);
	} else {
		check(line.error != NULL && line.error_at <= length);
	}
	free(text);
	return 0;
}
