/*
 * Fuzzer of message reading: any words as a message, as a framed file and as packed input. What can be
 * read is printed by reflection, copied and brought into canonical form; nothing may leave the
 * input, take longer than the traversal budget allows, or differ after a copy.
 */
#include <stdlib.h>
#include <string.h>

#include "capnp/capnp_file.h"
#include "capnp/text.h"
#include "tests/capnp/random_message.h"

#define OUT_WORDS 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint64_t out[OUT_WORDS];
static uint64_t again[OUT_WORDS];
static char text[1 << 16];

static void check(bool condition)
{
	if (!condition)
		abort();
}

static struct schema_node all_type(void)
{
	static struct schema schema;

	if (schema.order == NULL)
		schema_load(&schema, GEN_DIRECTORY "/tests/capnp/all.bin");
	return schema_find_name(&schema, capnp_text("All"));
}

/* The canonical form of a canonical form is itself. */
static void check_canonical(struct capnp_struct_reader root)
{
	struct capnp_builder first;
	struct capnp_builder second;
	struct capnp_message message;

	capnp_builder_init(&first, out, OUT_WORDS, NULL, 0);
	if (capnp_canonical(root, &first) != CAPNP_OK)
		return;
	capnp_message_init_trusted(&message, out, first.used, NULL, 0);
	capnp_builder_init(&second, again, OUT_WORDS, NULL, 0);
	check(capnp_canonical(capnp_any_struct(capnp_root(&message)), &second) == CAPNP_OK);
	check(first.used == second.used && memcmp(out, again, first.used * 8) == 0);
}

static void read_message(const uint64_t *words, uint32_t count)
{
	struct capnp_message message;
	struct capnp_builder copy;

	capnp_message_init(&message, words, count, NULL, 0);
	(void)capnp_print_struct(text, sizeof(text), all_type(),
			capnp_any_struct(capnp_root(&message)), NULL, CAPNP_PRINT_LINES);
	capnp_message_init(&message, words, count, NULL, 0);
	check_canonical(capnp_any_struct(capnp_root(&message)));
	capnp_message_init(&message, words, count, NULL, 0);
	capnp_builder_init(&copy, out, OUT_WORDS, NULL, 0);
	capnp_set_any(capnp_init_root(&copy), capnp_root(&message));
	check(copy.used <= OUT_WORDS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	/* Exactly as large as the input, so that the sanitizer sees the first step outside. */
	uint64_t *words = malloc(bytes / 8 * 8 + 1);
	struct capnp_builder builder;
	uint64_t used;

	check(words != NULL);
	memcpy(words, data, bytes / 8 * 8);
	read_message(words, (uint32_t)(bytes / 8));
	capnp_builder_init(&builder, out, OUT_WORDS, NULL, 0);
	if (capnp_file_copy(words, bytes / 8, &builder) == CAPNP_OK) {
		/* What was copied is sound, except for capabilities, which a file cannot have. */
		struct capnp_builder copy;

		capnp_builder_init(&copy, again, OUT_WORDS, NULL, 0);
		capnp_set_any(capnp_init_root(&copy), capnp_root(capnp_builder_view(&builder)));
		check(copy.used <= builder.used);
	}
	free(words);
	if (capnp_unpack(data, bytes, out, OUT_WORDS, &used) == CAPNP_OK) {
		uint64_t packed;
		static uint8_t pack[OUT_WORDS * 10];

		check(capnp_pack(out, used, pack, sizeof(pack), &packed) == CAPNP_OK);
		memcpy(again, out, used * 8);
		check(capnp_unpack(pack, packed, out, OUT_WORDS, &used) == CAPNP_OK);
		check(memcmp(again, out, used * 8) == 0);
	}
	return 0;
}
