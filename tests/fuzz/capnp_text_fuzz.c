/*
 * Fuzzer of the text parser: the first byte picks a type, the rest is text. An error must point into
 * the text; what is accepted must print as text that means the same.
 */
#include <stdlib.h>
#include <string.h>

#include "capnp/capnp_file.h"
#include "capnp/text.h"
#include "tests/capnp/random_message.h"

#define WORDS 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint64_t first[WORDS];
static uint64_t second[WORDS];
static char text[1 << 20];

static void check(bool condition)
{
	if (!condition)
		abort();
}

static enum capnp_name_result cap_of(void *arg, struct capnp_text name, uint64_t interface_id,
		struct capnp_builder *to, struct capnp_cap *cap)
{
	*cap = capnp_builder_add_cap(to, (struct capnp_cap_slot){ .id = 1 });
	return interface_id == 1 ? CAPNP_NAME_WRONG_TYPE : CAPNP_NAME_FOUND;
}

static struct capnp_text name_of(void *arg, const struct capnp_message *message, struct capnp_cap cap)
{
	return capnp_text("a");
}

static bool parse(struct capnp_builder *builder, uint64_t *words, struct capnp_text input,
		struct schema_node type)
{
	static struct capnp_cap_slot caps[8];
	static const struct capnp_names names = { name_of, cap_of, NULL };
	struct capnp_parse_error error;

	capnp_builder_init(builder, words, WORDS, caps, 8);
	if (capnp_parse_struct(input, type, capnp_init_struct(capnp_init_root(builder),
			schema_struct_data_words(type), schema_struct_pointer_count(type)), &names,
			NULL, &error))
		return true;
	check(error.column <= input.bytes && error.bytes <= input.bytes - error.column);
	check(strlen(error.message) > 0 && strlen(error.message) < sizeof(error.message));
	return false;
}

static uint32_t print(struct capnp_builder *builder, struct schema_node type, char *out,
		uint32_t capacity)
{
	static const struct capnp_names names = { name_of, cap_of, NULL };

	return capnp_print_struct(out, capacity, type,
			capnp_any_struct(capnp_root(capnp_builder_view(builder))), &names, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const char *const types[] = { "All", "Defaults", "Unions", "Pointers" };
	static char other[sizeof(text)];
	static struct schema schema;
	struct capnp_builder builder;
	struct schema_node type;
	uint32_t length;

	if (schema.order == NULL)
		schema_load(&schema, GEN_DIRECTORY "/tests/capnp/all.bin");
	if (bytes == 0 || bytes > 4096)
		return 0;
	type = schema_find_name(&schema, capnp_text(types[data[0] % 4]));
	if (!parse(&builder, first, capnp_text_of((const char *)data + 1, (uint32_t)bytes - 1), type))
		return 0;
	length = print(&builder, type, text, sizeof(text));
	/* More than a message may hold when spelled out; or beyond our buffer. */
	if (length > sizeof(text) || builder.used > WORDS / 4)
		return 0;
	check(parse(&builder, second, capnp_text_of(text, length), type));
	check(print(&builder, type, other, sizeof(other)) == length);
	check(memcmp(text, other, length) == 0);
	return 0;
}
