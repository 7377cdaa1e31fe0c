/*
 * Random messages by reflection: see random_message.h. Text is UTF-8 with everything that must be
 * escaped; floats are any bits that text can say exactly.
 */
#include "tests/capnp/random_message.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(random_next(state) >> 33) % limit;
}

static uint64_t random_bits(uint64_t *state, struct schema_type type)
{
	uint64_t bits = random_next(state);

	switch (schema_type_kind(type)) {
	case SCHEMA_ENUM_TYPE: {
		uint32_t count = schema_enumerant_count(schema_type_node(type));

		return count == 0 ? 0 : random_below(state, count);
	}
	case SCHEMA_FLOAT32:
		/* The tool writes eight digits at most, which is not enough for all: 1.0 to 1.998. */
		return 0x3f800000 | (bits & 0xff) << 15;
	case SCHEMA_FLOAT64:
		/* No NaN: its text does not keep the payload. */
		return (bits >> 52 & 0x7ff) == 0x7ff ? bits & (UINT64_C(1) << 63) : bits;
	case SCHEMA_BOOL:
		return bits >> 63;
	default:
		/* Small numbers as often as large ones. */
		return bits >> random_below(state, 64);
	}
}

static void struct_set_bits(struct capnp_struct_builder to, uint32_t offset, uint32_t width,
		uint64_t bits)
{
	switch (width) {
	case 1:
		capnp_set_bool(to, offset, (bits & 1) != 0);
		break;
	case 8:
		capnp_set_u8(to, offset, (uint8_t)bits);
		break;
	case 16:
		capnp_set_u16(to, offset * 2, (uint16_t)bits);
		break;
	case 32:
		capnp_set_u32(to, offset * 4, (uint32_t)bits);
		break;
	case 64:
		capnp_set_u64(to, offset * 8, bits);
		break;
	default:
		break;
	}
}

static void list_set_bits(struct capnp_list_builder to, uint32_t index, uint32_t width, uint64_t bits)
{
	struct capnp_struct_builder element = capnp_list_struct_builder(to, index);

	if (width == 1)
		capnp_list_set_bool(to, index, (bits & 1) != 0);
	else
		struct_set_bits(element, 0, width, bits);
}

static void random_text(uint64_t *state, struct capnp_any_builder to)
{
	/* Not the characters by which the tool finds, wrongly, where a text in a stream ends. */
	static const char *const pieces[] = { "a", "Z", "0", " ", "'", "\n", "\t", "\001",
		"\177", "\303\251", "\342\202\254", "[", "}", ",", "?" };
	char text[64];
	uint32_t bytes = 0;
	uint32_t count = random_below(state, 12);

	for (uint32_t i = 0; i < count; i++) {
		const char *piece = pieces[random_below(state, sizeof(pieces) / sizeof(pieces[0]))];

		while (*piece != '\0')
			text[bytes++] = *piece++;
	}
	capnp_set_text(to, capnp_text_of(text, bytes));
}

static void random_data(uint64_t *state, struct capnp_any_builder to)
{
	uint32_t count = random_below(state, 12);
	uint8_t *bytes = capnp_init_data(to, count);

	for (uint32_t i = 0; bytes != NULL && i < count; i++)
		do
			bytes[i] = (uint8_t)random_next(state);
		while (bytes[i] < 0x80);
}

static void random_pointer(uint64_t *state, struct schema_type type, struct capnp_any_builder to,
		uint32_t depth);

static void random_list(uint64_t *state, struct schema_type element, struct capnp_any_builder to,
		uint32_t depth)
{
	uint32_t count = random_below(state, 5);
	struct capnp_list_builder list;

	if (schema_type_kind(element) == SCHEMA_STRUCT_TYPE) {
		struct schema_node node = schema_type_node(element);

		list = capnp_init_struct_list(to, count, schema_struct_data_words(node),
				schema_struct_pointer_count(node));
		for (uint32_t i = 0; i < list.count; i++)
			random_struct(state, node, capnp_list_struct_builder(list, i), depth);
		return;
	}
	list = capnp_init_list(to, schema_type_size(element), count);
	for (uint32_t i = 0; i < list.count; i++) {
		if (schema_type_is_pointer(element))
			random_pointer(state, element, capnp_list_pointer_builder(list, i), depth);
		else
			list_set_bits(list, i, schema_type_bits(element), random_bits(state, element));
	}
}

static void random_pointer(uint64_t *state, struct schema_type type, struct capnp_any_builder to,
		uint32_t depth)
{
	struct schema_node node;

	switch (schema_type_kind(type)) {
	case SCHEMA_TEXT:
		random_text(state, to);
		break;
	case SCHEMA_DATA:
		random_data(state, to);
		break;
	case SCHEMA_LIST:
		random_list(state, schema_type_element(type), to, depth);
		break;
	case SCHEMA_STRUCT_TYPE:
		node = schema_type_node(type);
		random_struct(state, node, capnp_init_struct(to, schema_struct_data_words(node),
				schema_struct_pointer_count(node)), depth);
		break;
	default:
		break;
	}
}

static void random_field(uint64_t *state, struct schema_member field, struct capnp_struct_builder to,
		uint32_t depth)
{
	struct schema_type type = schema_field_type(field);

	if (schema_field_is_group(field))
		random_struct(state, schema_field_group(field), to, depth);
	else if (!schema_type_is_pointer(type))
		struct_set_bits(to, schema_field_offset(field), schema_type_bits(type),
				random_bits(state, type) ^ schema_value_bits(schema_field_default(field)));
	else if (depth > 0 && random_below(state, 3) != 0)
		random_pointer(state, type, capnp_pointer_builder(to, schema_field_offset(field)),
				depth - 1);
}

void random_struct(uint64_t *state, struct schema_node type, struct capnp_struct_builder to,
		uint32_t depth)
{
	uint32_t members = schema_struct_discriminant_count(type);
	uint32_t member = members == 0 ? SCHEMA_NO_DISCRIMINANT : random_below(state, members);

	if (members != 0)
		capnp_set_u16(to, schema_struct_discriminant_offset(type) * 2, (uint16_t)member);
	for (uint32_t i = 0; i < schema_field_count(type); i++) {
		struct schema_member field = schema_field_at(type, i);
		uint32_t tag = schema_field_discriminant(field);

		if (tag == SCHEMA_NO_DISCRIMINANT || tag == member)
			random_field(state, field, to, depth);
	}
}

/* Zeroed words that live until the test ends. */
static uint64_t *words_keep(uint64_t words)
{
	static uint64_t *kept[64];
	static uint32_t count;

	if (count == sizeof(kept) / sizeof(kept[0]))
		return NULL;
	kept[count] = calloc(words, 8);
	return kept[count++];
}

uint64_t *file_load(const char *path, uint64_t *words)
{
	FILE *file = fopen(path, "rb");
	uint64_t *buffer = NULL;
	long bytes = -1;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0)
		bytes = ftell(file);
	if (bytes >= 0)
		buffer = words_keep((uint64_t)bytes / 8 + 1);
	if (buffer == NULL || fseek(file, 0, SEEK_SET) != 0 ||
	    fread(buffer, 1, (size_t)bytes, file) != (size_t)bytes) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	*words = (uint64_t)bytes / 8;
	return buffer;
}

void file_save(const char *path, const void *bytes, uint64_t count)
{
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
		fprintf(stderr, "cannot write %s\n", path);
		exit(1);
	}
}

void schema_load(struct schema *schema, const char *path)
{
	uint64_t words;
	uint64_t *file = file_load(path, &words);
	uint64_t *arena = words_keep(words * 2 + 1024);

	if (arena == NULL ||
	    schema_open(schema, file, words, arena, (uint32_t)words * 2 + 1024) != CAPNP_OK) {
		fprintf(stderr, "%s is not a compiled schema\n", path);
		exit(1);
	}
}
