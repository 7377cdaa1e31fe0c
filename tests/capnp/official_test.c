/*
 * lib/capnp against the official `capnp` tool, both ways: random messages of the test schema and of
 * randomly made schemas. Our messages are decoded by the tool and compared with our text; its
 * messages, made from our text, are read by us and compared in canonical form; packed and canonical
 * forms are compared byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capnp/capnp_file.h"
#include "capnp/text.h"
#include "tests/capnp/random_message.h"

#define MESSAGE_WORDS  16384u
#define TEXT_BYTES     (1u << 20)
#define MESSAGES       40u

static char directory[64];

static const char *path_in(const char *name)
{
	static char paths[8][160];
	static unsigned next;

	next = (next + 1) % 8;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", directory, name);
	return paths[next];
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		assert_true(false);
	}
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/capnp-official-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* A message and its framing as the tool reads it. */
struct framed {
	uint64_t header;
	uint64_t words[MESSAGE_WORDS];
};

static struct framed message;
static struct capnp_builder builder;

static void message_make(uint64_t *random, struct schema_node type)
{
	capnp_builder_init(&builder, message.words, MESSAGE_WORDS, NULL, 0);
	random_struct(random, type, capnp_init_struct(capnp_init_root(&builder),
			schema_struct_data_words(type), schema_struct_pointer_count(type)), 3);
	assert_int_equal(builder.status, CAPNP_OK);
	message.header = capnp_file_header(builder.used);
}

static struct capnp_struct_reader builder_root(struct capnp_builder *from)
{
	return capnp_any_struct(capnp_root(capnp_builder_view(from)));
}

/* Compares two structs in canonical form. */
static void check_same(struct capnp_struct_reader a, struct capnp_struct_reader b)
{
	static uint64_t words[2][MESSAGE_WORDS];
	struct capnp_builder forms[2];

	capnp_builder_init(&forms[0], words[0], MESSAGE_WORDS, NULL, 0);
	capnp_builder_init(&forms[1], words[1], MESSAGE_WORDS, NULL, 0);
	assert_int_equal(capnp_canonical(a, &forms[0]), CAPNP_OK);
	assert_int_equal(capnp_canonical(b, &forms[1]), CAPNP_OK);
	assert_int_equal(forms[0].used, forms[1].used);
	assert_memory_equal(words[0], words[1], forms[0].used * 8);
}

/* Prints the message of `builder` and parses the text into `to`. */
static void parse_again(struct schema_node type, struct capnp_builder *to)
{
	static uint64_t words[MESSAGE_WORDS];
	static char text[TEXT_BYTES];
	struct capnp_parse_error error;
	uint32_t bytes = capnp_print_struct(text, TEXT_BYTES, type, builder_root(&builder), NULL, 0);
	struct capnp_struct_builder root;

	capnp_builder_init(to, words, MESSAGE_WORDS, NULL, 0);
	root = capnp_init_struct(capnp_init_root(to), schema_struct_data_words(type),
			schema_struct_pointer_count(type));
	if (!capnp_parse_struct(capnp_text_of(text, bytes), type, root, NULL, NULL, &error))
		fail_msg("column %u: %s", error.column, error.message);
}

/* Reads what the tool made of our text and compares it with what our own parser makes of it. The
 * messages come again from the seed. */
static void compare_messages(const char *path, struct schema_node type, uint64_t seed)
{
	static uint64_t flat[MESSAGE_WORDS];
	uint64_t count;
	uint64_t *file = file_load(path, &count);
	uint64_t *at = file;

	for (uint32_t i = 0; i < MESSAGES; i++) {
		uint64_t words = capnp_file_message_words(at, count);
		struct capnp_builder theirs;
		struct capnp_builder ours;

		assert_true(words > 0);
		message_make(&seed, type);
		capnp_builder_init(&theirs, flat, MESSAGE_WORDS, NULL, 0);
		assert_int_equal(capnp_file_copy(at, count, &theirs), CAPNP_OK);
		parse_again(type, &ours);
		check_same(builder_root(&theirs), builder_root(&ours));
		at += words;
		count -= words;
	}
	assert_int_equal(count, 0);
}

static void check_against_tool(const struct schema *schema, const char *source, const char *name,
		uint64_t seed)
{
	static char text[TEXT_BYTES];
	static char lines[TEXT_BYTES];
	struct schema_node type = schema_find_name(schema, capnp_text(name));
	FILE *messages = fopen(path_in("ours.bin"), "wb");
	FILE *texts = fopen(path_in("ours.txt"), "wb");
	FILE *pretty = fopen(path_in("ours.pretty"), "wb");
	uint64_t random = seed;

	assert_false(schema_node_is_null(type));
	assert_true(messages != NULL && texts != NULL && pretty != NULL);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		uint32_t bytes;

		message_make(&random, type);
		assert_int_equal(fwrite(&message, 8, builder.used + 1, messages), builder.used + 1);
		bytes = capnp_print_struct(text, TEXT_BYTES, type, builder_root(&builder), NULL, 0);
		assert_true(bytes < TEXT_BYTES);
		fprintf(texts, "%.*s\n", (int)bytes, text);
		bytes = capnp_print_struct(lines, TEXT_BYTES, type, builder_root(&builder), NULL,
				CAPNP_PRINT_LINES);
		assert_true(bytes < TEXT_BYTES);
		fprintf(pretty, "%.*s\n", (int)bytes, lines);
	}
	fclose(messages);
	fclose(texts);
	fclose(pretty);
	shell("capnp decode -I schema --short %s %s < %s > %s", source, name, path_in("ours.bin"),
			path_in("theirs.txt"));
	shell("diff %s %s", path_in("ours.txt"), path_in("theirs.txt"));
	shell("capnp decode -I schema %s %s < %s > %s", source, name, path_in("ours.bin"),
			path_in("theirs.pretty"));
	shell("diff %s %s", path_in("ours.pretty"), path_in("theirs.pretty"));
	shell("capnp encode -I schema %s %s < %s > %s", source, name, path_in("ours.txt"),
			path_in("theirs.bin"));
	compare_messages(path_in("theirs.bin"), type, seed);
	/* Small segments: every second pointer of theirs is a far one. */
	shell("capnp encode -I schema --segment-size=1 %s %s < %s > %s", source, name,
			path_in("ours.txt"), path_in("theirs.bin"));
	compare_messages(path_in("theirs.bin"), type, seed);
}

static void test_schema_messages_agree(void **state)
{
	static const char *const types[] = { "All", "Defaults", "Unions" };
	struct schema schema;

	(void)state;
	shell("capnp compile -I schema -o- tests/capnp/all.capnp > %s", path_in("all.bin"));
	schema_load(&schema, path_in("all.bin"));
	for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		check_against_tool(&schema, "tests/capnp/all.capnp", types[i], 1000 + i);
}

/* What the tool packed is, unpacked by us, the message of `builder`. */
static void check_unpack(const char *path)
{
	static uint64_t unpacked[MESSAGE_WORDS];
	static uint8_t packed[MESSAGE_WORDS * 10];
	struct capnp_message theirs;
	uint64_t words;
	FILE *file = fopen(path, "rb");
	uint64_t bytes;

	assert_non_null(file);
	bytes = fread(packed, 1, sizeof(packed), file);
	fclose(file);
	assert_int_equal(capnp_unpack(packed, bytes, unpacked, MESSAGE_WORDS, &words), CAPNP_OK);
	assert_int_equal(capnp_file_open(unpacked, words, NULL, 0, &theirs), CAPNP_OK);
	check_same(capnp_any_struct(capnp_root(&theirs)), builder_root(&builder));
}

static void packed_and_canonical_agree(void **state)
{
	static uint8_t packed[MESSAGE_WORDS * 10];
	static uint64_t canonical[MESSAGE_WORDS];
	struct schema schema;
	struct schema_node type;
	uint64_t random = 77;

	(void)state;
	shell("capnp compile -I schema -o- tests/capnp/all.capnp > %s", path_in("all.bin"));
	schema_load(&schema, path_in("all.bin"));
	type = schema_find_name(&schema, capnp_text("All"));
	for (uint32_t i = 0; i < 8; i++) {
		struct capnp_builder form;
		uint64_t bytes;
		uint64_t words;
		uint64_t *file;

		message_make(&random, type);
		file_save(path_in("one.bin"), &message, (builder.used + 1) * 8);
		assert_int_equal(capnp_pack(&message.header, builder.used + 1, packed, sizeof(packed),
				&bytes), CAPNP_OK);
		file_save(path_in("one.packed"), packed, bytes);
		shell("capnp convert --segment-size=100000 binary:packed < %s > %s",
				path_in("one.bin"), path_in("their.packed"));
		shell("capnp convert packed:canonical < %s > %s", path_in("one.packed"),
				path_in("one.canonical"));
		check_unpack(path_in("their.packed"));
		capnp_builder_init(&form, canonical, MESSAGE_WORDS, NULL, 0);
		assert_int_equal(capnp_canonical(builder_root(&builder), &form), CAPNP_OK);
		file = file_load(path_in("one.canonical"), &words);
		assert_int_equal(words, form.used);
		assert_memory_equal(file, canonical, words * 8);
		}
}

/* --- Schemas made at random ------------------------------------------------------------------ */

static void type_write(FILE *file, uint64_t *random, unsigned structs, unsigned depth)
{
	static const char *const scalars[] = { "Void", "Bool", "Int8", "Int16", "Int32", "Int64",
		"UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Text", "Data", "E" };
	unsigned pick = (unsigned)(random_next(random) >> 40) % 19;

	if (pick < 15) {
		fputs(scalars[pick], file);
	} else if (pick < 17 || depth == 0) {
		fprintf(file, "S%u", (unsigned)(random_next(random) >> 40) % structs);
	} else {
		fputs("List(", file);
		type_write(file, random, structs, depth - 1);
		fputs(")", file);
	}
}

/* A struct of plain fields, a group and a union. Fields are numbered as they come. */
static void struct_write(FILE *file, uint64_t *random, unsigned number, unsigned structs)
{
	unsigned ordinal = 0;
	unsigned fields = 3 + (unsigned)(random_next(random) >> 40) % 8;

	fprintf(file, "struct S%u {\n", number);
	for (unsigned i = 0; i < fields; i++) {
		const char *indent = "";

		if (i == 1)
			fprintf(file, "grp :group {\n");
		if (i + 2 == fields)
			fprintf(file, "union {\n");
		fprintf(file, "%sf%u @%u :", indent, ordinal, ordinal);
		type_write(file, random, structs, 2);
		fprintf(file, ";\n");
		ordinal++;
		if (i == 1 && fields > 3)
			fprintf(file, "}\n");
		if (i == 1 && fields == 3)
			fprintf(file, "h @%u :UInt8; i @%u :Text; }\n", ordinal + 1, ordinal + 2);
	}
	fprintf(file, "}\n}\n");
}

static void random_schemas_agree(void **state)
{
	uint64_t random = 42;
	char source[160];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct schema schema;
		FILE *file = fopen(path_in("random.capnp"), "w");

		assert_non_null(file);
		fprintf(file, "@0x%llx;\nenum E { a @0; b @1; cDe @2; }\n",
				(unsigned long long)(random_next(&random) | UINT64_C(1) << 63));
		for (unsigned s = 0; s < 5; s++)
			struct_write(file, &random, s, 5);
		fclose(file);
		shell("capnp compile -o- %s > %s", path_in("random.capnp"), path_in("random.bin"));
		schema_load(&schema, path_in("random.bin"));
		snprintf(source, sizeof(source), "%s", path_in("random.capnp"));
		check_against_tool(&schema, source, "S0", 5000 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_messages_agree),
		cmocka_unit_test(packed_and_canonical_agree),
		cmocka_unit_test(random_schemas_agree),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
