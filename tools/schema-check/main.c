/*
 * schema-check: whether the schemas still keep what releases promised.
 *
 *   schema-check SCHEMAS.BIN RELEASE...     compares with schema/released/<version> directories
 *   schema-check --release SCHEMAS.BIN DIR  writes such a directory
 *
 * A release keeps its compiled schemas (schemas.bin) and golden messages. Kept must be: every id and
 * its kind; of structs each field's name, place, offset, type, default and union tag; of enums each
 * value's name, number and code; of interfaces each method's name, number and structs, and every
 * ancestor; constants; layouts. Added may be: anything at the end. Exit status 1 tells of a breach,
 * 2 that the tool could not do its work.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "tests/capnp/random_message.h"

static uint32_t complaint_count;

void complain(struct schema_node node, const char *format, ...)
{
	struct capnp_text name = schema_node_display_name(node);
	va_list args;

	complaint_count++;
	printf("%.*s: ", (int)name.bytes, name.chars);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

uint32_t complaints(void)
{
	return complaint_count;
}

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("schema-check: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void release_check(const struct schema *now, const char *directory)
{
	struct schema old;
	char path[1024];

	snprintf(path, sizeof(path), "%s/schemas.bin", directory);
	schema_load(&old, path);
	schemas_compare(&old, now);
	golden_check(now, directory);
}

static void release_write(const char *schemas, const char *directory)
{
	struct schema schema;
	char path[1024];
	uint64_t words;
	uint64_t *file;
	FILE *out;

	schema_load(&schema, schemas);
	file = file_load(schemas, &words);
	mkdir(directory, 0777);
	snprintf(path, sizeof(path), "%s/schemas.bin", directory);
	out = fopen(path, "wbx");
	if (out == NULL)
		die("cannot write %s; a release is written once", path);
	fwrite(file, 8, words, out);
	if (fclose(out) != 0)
		die("cannot finish %s", path);
	golden_write(&schema, directory);
}

int main(int argc, char **argv)
{
	struct schema now;

	if (argc == 4 && strcmp(argv[1], "--release") == 0) {
		release_write(argv[2], argv[3]);
		return 0;
	}
	if (argc < 2)
		die("usage: schema-check SCHEMAS.BIN RELEASE... | --release SCHEMAS.BIN DIRECTORY");
	schema_load(&now, argv[1]);
	for (int i = 2; i < argc; i++)
		release_check(&now, argv[i]);
	if (complaints() > 0)
		printf("schema-check: %u promises are not kept\n", complaints());
	return complaints() > 0;
}
