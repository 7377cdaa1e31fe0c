/*
 * Writes the reference pages: one Markdown file for each schema, made of the compiled schemas and
 * their own comments. Run by `make reference`; output goes to the build directory.
 *
 *   capos-reference schemas.bin DIRECTORY
 *
 * Each page has the same order: interfaces (with ancestors and methods), structs, layouts, enums
 * (with codes and sentences), constants. Nothing here knows any one of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/compiler.h"
#include "capnp/schema.h"

#define ARENA_WORDS (1u << 20)
#define ANCESTORS_MAX 32

static FILE *out;

static void put(const char *format, ...) PRINTF_LIKE(1, 2);

static void put(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
}

static void put_text(struct capnp_text text)
{
	fwrite(text.chars, 1, text.bytes, out);
}

/* A comment in one line, with what Markdown tables cannot bear taken out. */
static void put_line(struct capnp_text text)
{
	for (uint32_t i = 0; i < text.bytes; i++) {
		char c = text.chars[i];

		if (c == '\n')
			c = ' ';
		if (c == '|')
			put("\\");
		if (c != ' ' || i + 1 < text.bytes)
			fputc(c, out);
	}
}

static void put_paragraph(struct capnp_text text)
{
	if (text.bytes == 0)
		return;
	put_line(text);
	put("\n\n");
}

static void put_type(struct schema_type type)
{
	static const char *const names[] = { "Void", "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16",
		"UInt32", "UInt64", "Float32", "Float64", "Text", "Data" };
	enum schema_type_kind kind = schema_type_kind(type);

	if (kind == SCHEMA_LIST) {
		put("List(");
		put_type(schema_type_element(type));
		put(")");
	} else if ((size_t)kind < ARRAY_LEN(names)) {
		put("%s", names[kind]);
	} else if (kind == SCHEMA_ANY_POINTER) {
		put("%s", schema_type_is_capability(type) ? "Capability" : "AnyPointer");
	} else {
		put_text(schema_node_path(schema_type_node(type)));
	}
}

static bool annotation_text(struct capnp_list annotations, uint64_t id, struct capnp_text *text)
{
	struct capnp_struct_reader value;

	if (!schema_annotation_find(annotations, id, &value))
		return false;
	*text = capnp_any_text(schema_value_pointer(value));
	return true;
}

static bool annotation_number(struct capnp_list annotations, uint64_t id, int64_t *number)
{
	struct capnp_struct_reader value;

	if (!schema_annotation_find(annotations, id, &value))
		return false;
	*number = (int64_t)schema_value_bits(value);
	return true;
}

/* "(text :Text, count :UInt32 bytes)" */
static void put_fields(struct schema_node node)
{
	struct capnp_text unit;

	put("(");
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		put("%s", i ? ", " : "");
		put_text(schema_member_name(field));
		put(" :");
		if (schema_field_is_group(field))
			put("group");
		else
			put_type(schema_field_type(field));
		if (annotation_text(schema_member_annotations(field), SCHEMA_ANNOTATION_UNIT, &unit)) {
			put(" ");
			put_text(unit);
		}
	}
	put(")");
}

static void put_interface(struct schema_node node)
{
	struct schema_node ancestors[ANCESTORS_MAX];
	uint32_t count = MIN(schema_ancestors(node, ancestors, ANCESTORS_MAX), (uint32_t)ANCESTORS_MAX);
	struct capnp_text example;

	put("### ");
	put_text(schema_node_path(node));
	put("\n\n");
	put_paragraph(schema_node_doc(node));
	put("Interface id `0x%016llx`.", (unsigned long long)schema_node_id(node));
	for (uint32_t i = 0; i < count; i++) {
		put("%s", i ? ", " : " Also a ");
		put_text(schema_node_path(ancestors[i]));
	}
	put("%s\n\n", count ? "." : "");
	for (uint32_t i = 0; i < schema_method_count(node); i++) {
		struct schema_member method = schema_method_at(node, i);

		put("- `");
		put_text(schema_member_name(method));
		put("` @%u ", i);
		put_fields(schema_method_params(method));
		put(" -> ");
		if (schema_method_is_stream(method))
			put("stream");
		else
			put_fields(schema_method_results(method));
		put("\n");
		if (schema_member_doc(node, i).bytes) {
			put("  ");
			put_line(schema_member_doc(node, i));
			put("\n");
		}
		if (annotation_text(schema_member_annotations(method), SCHEMA_ANNOTATION_EXAMPLE, &example)) {
			put("  Example: `");
			put_text(example);
			put("`\n");
		}
	}
	put("\n");
}

static void put_struct(struct schema_node node)
{
	struct capnp_list annotations = schema_node_annotations(node);
	int64_t bytes, at, times;
	bool layout = annotation_number(annotations, SCHEMA_ANNOTATION_ABI, &bytes);

	put("### ");
	put_text(schema_node_path(node));
	put("\n\n");
	put_paragraph(schema_node_doc(node));
	if (layout)
		put("A layout in shared memory of %lld bytes.\n\n", (long long)bytes);
	put("| %s | type | |\n| --- | --- | --- |\n", layout ? "byte: field" : "field");
	for (uint32_t i = 0; i < schema_field_count(node); i++) {
		struct schema_member field = schema_field_at(node, i);

		put("| ");
		if (annotation_number(schema_member_annotations(field), SCHEMA_ANNOTATION_AT, &at))
			put("%lld: ", (long long)at);
		put_text(schema_member_name(field));
		put(" | ");
		if (schema_field_is_group(field))
			put_fields(schema_field_group(field));
		else
			put_type(schema_field_type(field));
		if (annotation_number(schema_member_annotations(field), SCHEMA_ANNOTATION_TIMES, &times))
			put(" x %lld", (long long)times);
		put(" | ");
		put_line(schema_member_doc(node, i));
		put(" |\n");
	}
	put("\n");
}

static void put_enum(struct schema_node node)
{
	struct capnp_text sentence;
	int64_t code;

	put("### ");
	put_text(schema_node_path(node));
	put("\n\n");
	put_paragraph(schema_node_doc(node));
	put("| number | name | |\n| ---: | --- | --- |\n");
	for (uint32_t i = 0; i < schema_enumerant_count(node); i++) {
		struct schema_member enumerant = schema_enumerant_at(node, i);

		if (!annotation_number(schema_member_annotations(enumerant), SCHEMA_ANNOTATION_CODE, &code))
			code = i;
		put("| %lld | ", (long long)code);
		put_text(schema_member_name(enumerant));
		put(" | ");
		if (annotation_text(schema_member_annotations(enumerant), SCHEMA_ANNOTATION_SENTENCE, &sentence))
			put_line(sentence);
		else
			put_line(schema_member_doc(node, i));
		put(" |\n");
	}
	put("\n");
}

static void put_const(struct schema_node node)
{
	struct schema_type type = schema_const_type(node);

	if (schema_type_is_pointer(type))
		return;
	put("- `");
	put_text(schema_node_path(node));
	put("` = %llu", (unsigned long long)schema_value_bits(schema_const_value(node)));
	if (schema_node_doc(node).bytes) {
		put(": ");
		put_line(schema_node_doc(node));
	}
	put("\n");
}

struct section {
	const char *title;
	enum schema_kind kind;
	void (*write)(struct schema_node node);
};

/* "capos/kernel.capnp" of "capos/kernel.capnp:Timer" */
static struct capnp_text file_of(struct schema_node node)
{
	struct capnp_text name = schema_node_display_name(node);
	const char *colon = memchr(name.chars, ':', name.bytes);

	return colon ? capnp_text_of(name.chars, (uint32_t)(colon - name.chars)) : name;
}

/* Parameter structs, groups and the like are told where they are used. */
static bool has_page_entry(const struct schema *schema, struct schema_node node)
{
	struct schema_node scope;

	if (schema_node_kind(node) == SCHEMA_STRUCT && schema_struct_is_group(node))
		return false;
	if (schema_node_scope(node) == 0)
		return false;
	scope = schema_find(schema, schema_node_scope(node));
	return !schema_node_is_null(scope);
}

static void put_section(const struct schema *schema, struct capnp_text file, const struct section *section)
{
	bool any = false;

	for (uint32_t i = 0; i < schema_node_count(schema); i++) {
		struct schema_node node = schema_node_at(schema, i);

		if (schema_node_kind(node) != section->kind || !capnp_text_is(file_of(node), file) ||
				!has_page_entry(schema, node))
			continue;
		if (!any)
			put("## %s\n\n", section->title);
		any = true;
		section->write(node);
	}
	if (any && section->kind == SCHEMA_CONST)
		put("\n");
}

static void put_page(const struct schema *schema, struct schema_node file, const char *directory)
{
	static const struct section sections[] = {
		{ "Interfaces", SCHEMA_INTERFACE, put_interface },
		{ "Structs", SCHEMA_STRUCT, put_struct },
		{ "Enumerations", SCHEMA_ENUM, put_enum },
		{ "Constants", SCHEMA_CONST, put_const },
	};
	struct capnp_text name = schema_node_display_name(file);
	const char *base = name.chars;
	char path[512];

	for (uint32_t i = 0; i < name.bytes; i++) {
		if (name.chars[i] == '/')
			base = name.chars + i + 1;
	}
	snprintf(path, sizeof(path), "%s/%.*s.md", directory,
			(int)(name.bytes - (uint32_t)(base - name.chars) - strlen(".capnp")), base);
	out = fopen(path, "w");
	if (!out) {
		fprintf(stderr, "capos-reference: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	put("<!-- Generated by tools/reference from ");
	put_text(name);
	put(" -->\n\n# ");
	put_text(name);
	put("\n\n");
	put_paragraph(schema_node_doc(file));
	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		put_section(schema, name, &sections[i]);
	fclose(out);
}

static uint64_t *read_words(const char *path, uint64_t *count)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	uint64_t *words;

	if (!file || fstat(fileno(file), &info) != 0) {
		fprintf(stderr, "capos-reference: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	*count = (uint64_t)info.st_size / 8;
	words = calloc(*count + 1, 8);
	if (!words || fread(words, 8, *count, file) != *count) {
		fprintf(stderr, "capos-reference: %s cannot be read\n", path);
		exit(1);
	}
	fclose(file);
	return words;
}

int main(int argc, char **argv)
{
	uint64_t *arena = calloc(ARENA_WORDS, 8), *words, count;
	struct schema schema;

	if (argc != 3) {
		fprintf(stderr, "usage: capos-reference SCHEMAS.BIN DIRECTORY\n");
		return 2;
	}
	words = read_words(argv[1], &count);
	if (!arena || schema_open(&schema, words, count, arena, ARENA_WORDS) != CAPNP_OK) {
		fprintf(stderr, "capos-reference: %s is not a compiled schema\n", argv[1]);
		return 1;
	}
	for (uint32_t i = 0; i < schema_node_count(&schema); i++) {
		struct schema_node node = schema_node_at(&schema, i);

		if (schema_node_kind(node) == SCHEMA_FILE)
			put_page(&schema, node, argv[2]);
	}
	free(words);
	free(arena);
	return 0;
}
