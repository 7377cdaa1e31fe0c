/*
 * The current output file and the few shapes that all parts write: comments, literals, words.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gen.h"

static FILE *output;

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("capnpc-capos: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* Makes the directories that lead to `path`. */
static void parents_make(const char *path)
{
	char *copy = strdup(path);

	if (copy == NULL)
		die("out of memory");
	for (char *c = copy; *c != '\0'; c++) {
		if (*c == '/' && c != copy) {
			*c = '\0';
			mkdir(copy, 0777);
			*c = '/';
		}
	}
	free(copy);
}

void emit_open(const char *path)
{
	parents_make(path);
	output = fopen(path, "w");
	if (output == NULL)
		die("cannot write %s", path);
}

void emit_close(void)
{
	if (fclose(output) != 0)
		die("cannot finish an output file");
	output = NULL;
}

void emit(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(output, format, args);
	va_end(args);
}

void emit_doc(struct capnp_text doc, const char *indent)
{
	uint32_t end = doc.bytes;

	while (end > 0 && (doc.chars[end - 1] == '\n' || doc.chars[end - 1] == ' '))
		end--;
	if (end == 0)
		return;
	emit("%s/* ", indent);
	for (uint32_t i = 0; i < end; i++) {
		char c = doc.chars[i];

		if (c == '\n')
			emit("\n%s * ", indent);
		else if (c == '/' && i > 0 && doc.chars[i - 1] == '*')
			emit(" /");
		else
			emit("%c", c);
	}
	emit(" */\n");
}

void emit_literal(struct capnp_text text)
{
	emit("\"");
	for (uint32_t i = 0; i < text.bytes; i++) {
		unsigned char c = (unsigned char)text.chars[i];

		if (c == '"' || c == '\\')
			emit("\\%c", c);
		else if (c == '\n')
			emit("\\n");
		else if (c < 0x20 || c >= 0x7f || c == '?')
			emit("\\%03o", c);
		else
			emit("%c", c);
	}
	emit("\"");
}

void emit_words(const char *name, struct capnp_any any)
{
	uint32_t capacity = any.message->count + 1;
	uint64_t *words = calloc(capacity, sizeof(*words));
	struct capnp_builder builder;

	if (words == NULL)
		die("out of memory");
	capnp_builder_init(&builder, words, capacity, NULL, 0);
	capnp_set_any(capnp_init_root(&builder), any);
	if (builder.status != CAPNP_OK)
		die("the value of %s cannot be copied", name);
	emit("static const uint64_t %s_words[] = {", name);
	for (uint32_t i = 0; i < builder.used; i++)
		emit("%s0x%016llx,", i % 4 == 0 ? "\n\t" : " ", (unsigned long long)words[i]);
	emit("\n};\n");
	/* Trusted, so never written, though readers want a pointer that is not const. */
	emit("static struct capnp_message %s_message = { %s_words, NULL, UINT64_MAX, %u, 0, CAPNP_OK };\n",
			name, name, builder.used);
	free(words);
}
