/*
 * The current output file and the few shapes that all parts write: comments, literals, words.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gen.h"

/* The output is collected here and written when it is complete, and only if the file would change:
 * what is built from an unchanged header need not be built again. */
static FILE *output;
static char *output_text;
static size_t output_bytes;
static char *output_path;

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
	output_path = strdup(path);
	output = open_memstream(&output_text, &output_bytes);
	if (output_path == NULL || output == NULL)
		die("out of memory");
}

static bool output_is_unchanged(void)
{
	FILE *file = fopen(output_path, "r");
	bool is_same = file != NULL;

	for (size_t i = 0; i < output_bytes && is_same; i++)
		is_same = getc(file) == (unsigned char)output_text[i];
	is_same = is_same && getc(file) == EOF;
	if (file != NULL)
		fclose(file);
	return is_same;
}

static void output_write(void)
{
	FILE *file;

	parents_make(output_path);
	file = fopen(output_path, "w");
	if (file == NULL || fwrite(output_text, 1, output_bytes, file) != output_bytes ||
	    fclose(file) != 0)
		die("cannot write %s", output_path);
}

void emit_close(void)
{
	fclose(output);
	if (!output_is_unchanged())
		output_write();
	free(output_text);
	free(output_path);
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
