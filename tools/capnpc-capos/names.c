/*
 * C names from schema names. All strings live until names_free.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

struct name {
	struct name *next;
	char text[];
};

static struct name *names;

/* Room for so many bytes and a NUL. */
static char *text_new(size_t bytes)
{
	struct name *name = malloc(sizeof(*name) + bytes + 1);

	if (name == NULL)
		die("out of memory");
	name->next = names;
	names = name;
	return name->text;
}

void names_free(void)
{
	while (names != NULL) {
		struct name *next = names->next;

		free(names);
		names = next;
	}
}

const char *name_format(const char *format, ...)
{
	va_list args;
	char *text;
	int bytes;

	va_start(args, format);
	bytes = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = text_new((size_t)bytes);
	va_start(args, format);
	vsnprintf(text, (size_t)bytes + 1, format, args);
	va_end(args);
	return text;
}

const char *name_of_text(struct capnp_text text)
{
	char *name = text_new(text.bytes);

	memcpy(name, text.chars, text.bytes);
	name[text.bytes] = '\0';
	return name;
}

/* Whether an underscore belongs before the capital at `i`: after a small letter or digit, and
 * before the last capital of an acronym that a word follows. */
static bool word_starts(struct capnp_text text, uint32_t i)
{
	const char *c = text.chars;

	if (i == 0 || !isupper((unsigned char)c[i]) || !isalnum((unsigned char)c[i - 1]))
		return false;
	return !isupper((unsigned char)c[i - 1]) ||
		(i + 1 < text.bytes && islower((unsigned char)c[i + 1]));
}

const char *name_snake(struct capnp_text text)
{
	char *name = text_new((size_t)text.bytes * 2);
	size_t n = 0;

	for (uint32_t i = 0; i < text.bytes; i++) {
		if (word_starts(text, i))
			name[n++] = '_';
		if (isalnum((unsigned char)text.chars[i]))
			name[n++] = (char)tolower((unsigned char)text.chars[i]);
		else
			name[n++] = '_';
	}
	name[n] = '\0';
	return name;
}

static const char *upper(const char *snake)
{
	char *name = text_new(strlen(snake));

	for (size_t i = 0; i <= strlen(snake); i++)
		name[i] = (char)toupper((unsigned char)snake[i]);
	return name;
}

const char *name_upper(struct capnp_text text)
{
	return upper(name_snake(text));
}

static bool is_keyword(const char *name)
{
	static const char *const keywords[] = {
		"asm", "auto", "bool", "break", "case", "char", "const", "continue", "default", "do",
		"double", "else", "enum", "extern", "false", "float", "for", "goto", "if", "inline",
		"int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static",
		"struct", "switch", "true", "typedef", "typeof", "union", "unsigned", "void",
		"volatile", "while",
	};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(name, keywords[i]) == 0)
			return true;
	return false;
}

const char *name_member(struct schema_member member)
{
	const char *snake = name_snake(schema_member_name(member));

	return strcmp(snake, "root") == 0 ? "root_" : snake;
}

const char *name_field(struct schema_member member)
{
	const char *snake = name_snake(schema_member_name(member));

	return is_keyword(snake) ? name_format("%s_", snake) : snake;
}

const char *name_node(struct schema_node node)
{
	return name_snake(schema_node_path(node));
}

const char *name_node_upper(struct schema_node node)
{
	return upper(name_node(node));
}

const char *name_file(struct schema_node node)
{
	struct capnp_text name = schema_node_display_name(node);
	uint32_t bytes = 0;

	while (bytes < name.bytes && name.chars[bytes] != ':')
		bytes++;
	return name_of_text(capnp_text_of(name.chars, bytes));
}

const char *name_guard(const char *file, const char *suffix)
{
	char *name = text_new(strlen(file) + strlen(suffix) + 1);
	size_t n = 0;

	for (const char *c = file; *c != '\0'; c++)
		name[n++] = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
	name[n++] = '_';
	strcpy(name + n, suffix);
	return name;
}
