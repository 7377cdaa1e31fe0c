/*
 * Golden messages: what programs of a release have written to disks and wires. golden.bin holds framed
 * messages, golden.txt a line for each: the id of its struct and its text then. They are kept if
 * today's schema reads the text, and the message that it makes of it is the one in golden.bin.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capnp/capnp_file.h"
#include "capnp/text.h"
#include "check.h"
#include "tests/capnp/random_message.h"

#define MESSAGE_WORDS 65536u
#define LINE_BYTES    (1u << 20)

static char line[LINE_BYTES];

static FILE *golden_open(const char *directory, const char *name, const char *mode)
{
	char path[1024];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, mode);
	if (file == NULL)
		die("cannot open %s", path);
	return file;
}

static struct capnp_struct_builder root_make(struct capnp_builder *builder, struct schema_node node)
{
	return capnp_init_struct(capnp_init_root(builder), schema_struct_data_words(node),
			schema_struct_pointer_count(node));
}

static struct capnp_struct_reader root_of(struct capnp_builder *builder)
{
	return capnp_any_struct(capnp_root(capnp_builder_view(builder)));
}

/* Structs that travel: not groups, not layouts. */
static bool node_is_message(struct schema_node node)
{
	struct capnp_struct_reader value;

	return schema_node_kind(node) == SCHEMA_STRUCT && !schema_struct_is_group(node) &&
		!schema_annotation_find(schema_node_annotations(node), SCHEMA_ANNOTATION_ABI, &value);
}

/* A random message as text in `line`, and what parsing the text makes: text says the same for a
 * null and an empty value, a message does not. */
static void message_make(uint64_t *random, struct schema_node node, struct capnp_builder *message,
		uint32_t *bytes)
{
	static uint64_t words[MESSAGE_WORDS];
	struct capnp_parse_error error;
	struct capnp_builder first;

	capnp_builder_init(&first, words, MESSAGE_WORDS, NULL, 0);
	random_struct(random, node, root_make(&first, node), 2);
	*bytes = capnp_print_struct(line, LINE_BYTES, node, root_of(&first), NULL, 0);
	if (first.status != CAPNP_OK || *bytes > LINE_BYTES)
		die("a golden message is too large");
	if (!capnp_parse_struct(capnp_text_of(line, *bytes), node, root_make(message, node), NULL, NULL,
			&error))
		die("a golden message does not read back: %s", error.message);
}

void golden_write(const struct schema *schema, const char *directory)
{
	static uint64_t words[MESSAGE_WORDS];
	FILE *messages = golden_open(directory, "golden.bin", "wb");
	FILE *texts = golden_open(directory, "golden.txt", "w");
	uint64_t random = 1;

	for (uint32_t i = 0; i < schema_node_count(schema); i++) {
		struct schema_node node = schema_node_at(schema, i);
		struct capnp_builder message;
		uint64_t header;
		uint32_t bytes;

		if (!node_is_message(node))
			continue;
		capnp_builder_init(&message, words, MESSAGE_WORDS, NULL, 0);
		message_make(&random, node, &message, &bytes);
		header = capnp_file_header(message.used);
		fwrite(&header, 8, 1, messages);
		fwrite(words, 8, message.used, messages);
		fprintf(texts, "0x%016" PRIx64 " %.*s\n", schema_node_id(node), (int)bytes, line);
	}
	if (fclose(messages) != 0 || fclose(texts) != 0)
		die("cannot finish the golden messages");
}

/* Whether the text, read today, is the message. */
static void line_check(struct schema_node node, struct capnp_text text,
		struct capnp_struct_reader golden)
{
	static uint64_t words[3][MESSAGE_WORDS];
	struct capnp_builder builders[3];
	struct capnp_parse_error error;

	for (uint32_t i = 0; i < 3; i++)
		capnp_builder_init(&builders[i], words[i], MESSAGE_WORDS, NULL, 0);
	if (!capnp_parse_struct(text, node, root_make(&builders[0], node), NULL, NULL, &error)) {
		complain(node, "the golden text is not understood: %s", error.message);
		return;
	}
	if (capnp_canonical(root_of(&builders[0]), &builders[1]) != CAPNP_OK ||
	    capnp_canonical(golden, &builders[2]) != CAPNP_OK ||
	    builders[1].used != builders[2].used ||
	    memcmp(words[1], words[2], builders[1].used * 8) != 0)
		complain(node, "the golden message means something else");
}

void golden_check(const struct schema *now, const char *directory)
{
	static uint64_t words[MESSAGE_WORDS];
	FILE *texts = golden_open(directory, "golden.txt", "r");
	char path[1024];
	uint64_t *at;
	uint64_t count;

	snprintf(path, sizeof(path), "%s/golden.bin", directory);
	at = file_load(path, &count);
	while (fgets(line, sizeof(line), texts) != NULL) {
		uint64_t message_words = capnp_file_message_words(at, count);
		struct capnp_builder golden;
		struct schema_node node;
		char *text;

		node = schema_find(now, strtoull(line, &text, 16));
		capnp_builder_init(&golden, words, MESSAGE_WORDS, NULL, 0);
		if (capnp_file_copy(at, count, &golden) != CAPNP_OK)
			die("%s is damaged", path);
		if (!schema_node_is_null(node))
			line_check(node, capnp_text(text), root_of(&golden));
		at += message_words;
		count -= message_words;
	}
	fclose(texts);
}
