/*
 * Readers and builders through generated accessors: values and defaults, unions and groups, old and
 * new structs, what does not fit, and messages that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "capnp/capnp_file.h"
#include "tests/capnp/all.capnp.h"

#define WORDS 512u

static uint64_t words[WORDS];
static struct capnp_cap_slot caps[4];
static struct capnp_builder builder;
static struct capnp_message message;

static int setup(void **state)
{
	(void)state;
	memset(words, 0xa5, sizeof(words));
	capnp_builder_init(&builder, words, WORDS, caps, 4);
	return 0;
}

/* Opens what was built as a message of somebody else's. */
static struct capnp_message *reopen(void)
{
	assert_int_equal(builder.status, CAPNP_OK);
	capnp_message_init(&message, words, capnp_builder_words(&builder), caps, builder.cap_count);
	return &message;
}

static struct capnp_message *open_words(const uint64_t *from, uint32_t count)
{
	capnp_message_init(&message, from, count, NULL, 0);
	return &message;
}

/* --- Values ---------------------------------------------------------------------------------- */

static void scalars_come_back(void **state)
{
	struct all_builder b = all_init_root(&builder);
	struct all_reader r;

	(void)state;
	all_set_bool_field(b, true);
	all_set_int8_field(b, -128);
	all_set_int16_field(b, -32768);
	all_set_int32_field(b, INT32_MIN);
	all_set_int64_field(b, INT64_MIN);
	all_set_uint8_field(b, 255);
	all_set_uint16_field(b, 65535);
	all_set_uint32_field(b, UINT32_MAX);
	all_set_uint64_field(b, UINT64_MAX);
	all_set_float32_field(b, 1.5f);
	all_set_float64_field(b, -1e300);
	all_set_enum_field(b, COLOR_BLUE_GREEN);
	all_set_return(b, 7);
	r = all_get_root(reopen());
	assert_true(all_get_bool_field(r));
	assert_int_equal(all_get_int8_field(r), -128);
	assert_int_equal(all_get_int16_field(r), -32768);
	assert_int_equal(all_get_int32_field(r), INT32_MIN);
	assert_true(all_get_int64_field(r) == INT64_MIN);
	assert_int_equal(all_get_uint8_field(r), 255);
	assert_int_equal(all_get_uint16_field(r), 65535);
	assert_int_equal(all_get_uint32_field(r), UINT32_MAX);
	assert_true(all_get_uint64_field(r) == UINT64_MAX);
	assert_true(all_get_float32_field(r) == 1.5f);
	assert_true(all_get_float64_field(r) == -1e300);
	assert_int_equal(all_get_enum_field(r), COLOR_BLUE_GREEN);
	assert_int_equal(all_get_return(r), 7);
	assert_int_equal(message.status, CAPNP_OK);
}

static void pointers_come_back(void **state)
{
	struct all_builder b = all_init_root(&builder);
	struct capnp_list_builder points;
	struct capnp_list_builder nested;
	struct all_reader r;

	(void)state;
	all_set_text_field(b, capnp_text("hello"));
	all_set_data_field(b, capnp_data_of("\0\1\2", 3));
	all_set_int32_field(all_init_struct_field(b), -9);
	points = all_init_points(b, 3);
	for (uint32_t i = 0; i < 3; i++)
		point_set_x(point_builder_at(points, i), (int32_t)i);
	nested = all_init_nested(b, 2);
	capnp_list_set_i16(capnp_init_list(capnp_list_pointer_builder(nested, 1), CAPNP_TWO_BYTES, 2),
			1, -5);
	capnp_list_set_text(all_init_text_list(b, 2), 1, capnp_text("second"));
	capnp_list_set_bool(all_init_bool_list(b, 10), 9, true);
	r = all_get_root(reopen());
	assert_true(capnp_text_equals(all_get_text_field(r), "hello"));
	assert_int_equal(all_get_data_field(r).count, 3);
	assert_int_equal(all_get_data_field(r).bytes[2], 2);
	assert_int_equal(all_get_int32_field(all_get_struct_field(r)), -9);
	assert_int_equal(all_get_points(r).count, 3);
	assert_int_equal(point_get_x(point_at(all_get_points(r), 2)), 2);
	assert_int_equal(point_get_x(point_at(all_get_points(r), 3)), 0);
	assert_int_equal(capnp_list_i16(capnp_list_list(all_get_nested(r), 1, CAPNP_TWO_BYTES), 1), -5);
	assert_true(capnp_text_equals(capnp_list_text(all_get_text_list(r), 1), "second"));
	assert_int_equal(capnp_list_text(all_get_text_list(r), 0).bytes, 0);
	assert_true(capnp_list_bool(all_get_bool_list(r), 9));
	assert_false(capnp_list_bool(all_get_bool_list(r), 8));
	assert_true(all_has_points(r));
	assert_false(all_has_struct_list(r));
	assert_int_equal(message.status, CAPNP_OK);
}

static void unset_fields_have_their_defaults(void **state)
{
	struct defaults_builder b = defaults_init_root(&builder);
	struct defaults_reader r = defaults_get_root(reopen());

	(void)state;
	assert_true(defaults_get_bool_field(r));
	assert_int_equal(defaults_get_int8_field(r), -7);
	assert_int_equal(defaults_get_int32_field(r), -123456);
	assert_true(defaults_get_int64_field(r) == -1);
	assert_int_equal(defaults_get_uint16_field(r), 65535);
	assert_true(defaults_get_float32_field(r) == 1.5f);
	assert_true(defaults_get_float64_field(r) == -1e100);
	assert_int_equal(defaults_get_enum_field(r), COLOR_BLUE_GREEN);
	assert_true(capnp_text_equals(defaults_get_text_field(r), "default"));
	assert_int_equal(defaults_get_data_field(r).count, 5);
	assert_int_equal(point_get_y(defaults_get_struct_field(r)), 4);
	assert_int_equal(capnp_list_i32(defaults_get_list_field(r), 1), -2);
	assert_int_equal(point_get_y(point_at(defaults_get_point_list(r), 1)), 2);
	/* A default that was set is zero on the wire, and reads back as itself. */
	defaults_set_int8_field(b, -7);
	defaults_set_bool_field(b, false);
	assert_int_equal(defaults_get_int8_field(defaults_as_reader(b)), -7);
	assert_false(defaults_get_bool_field(defaults_as_reader(b)));
}

static void constants_are_there(void **state)
{
	(void)state;
	assert_int_equal(ANSWER, -42);
	assert_string_equal(LABEL, "a \"label\"\n");
	assert_int_equal(primes().count, 4);
	assert_int_equal(capnp_list_u16(primes(), 3), 7);
	assert_int_equal(point_get_y(origin()), -2);
	assert_int_equal(blob().bytes[1], 0xff);
	assert_true(HALF == 0.5);
	assert_true(THIRD == 0.1f);
}

static void union_has_one_member(void **state)
{
	struct unions_builder b = unions_init_root(&builder);
	struct unions_reader r = unions_as_reader(b);
	struct unions_place_builder place;

	(void)state;
	assert_int_equal(unions_which(r), UNIONS_WHICH_NOTHING);
	unions_set_number(b, -1);
	assert_int_equal(unions_which(r), UNIONS_WHICH_NUMBER);
	assert_true(unions_get_number(r) == -1);
	assert_int_equal(unions_get_words(r).bytes, 0);
	/* The group starts clear, whatever the number left in its place. */
	place = unions_init_place(b);
	assert_int_equal(unions_get_number(r), 0);
	assert_int_equal(unions_place_get_house(unions_get_place(r)), 0);
	assert_true(unions_place_get_flag(unions_get_place(r)));
	unions_place_set_street(place, capnp_text("Main"));
	assert_true(capnp_text_equals(unions_place_get_street(unions_get_place(unions_as_reader(b))),
			"Main"));
	unions_set_words(b, capnp_text("w"));
	assert_int_equal(unions_place_get_street(unions_get_place(unions_as_reader(b))).bytes, 0);
	unions_set_nothing(b);
	assert_false(unions_has_words(unions_as_reader(b)));
	assert_true(unions_inner_get_a(unions_get_inner(r)) == false);
	unions_plain_set_left(unions_init_plain(b), 12);
	assert_int_equal(unions_plain_get_left(unions_get_plain(r)), 12);
}

static void capabilities_index_the_table(void **state)
{
	struct pointers_builder b = pointers_init_root(&builder);
	struct pointers_reader r;

	(void)state;
	pointers_set_worker(b, capnp_builder_add_cap(&builder, (struct capnp_cap_slot){ .id = 10 }));
	pointers_set_capability(b, capnp_builder_add_cap(&builder, (struct capnp_cap_slot){ .id = 11 }));
	r = pointers_get_root(reopen());
	assert_int_equal(capnp_cap_slot(&message, pointers_get_worker(r))->id, 10);
	assert_int_equal(capnp_cap_slot(&message, pointers_get_capability(r))->id, 11);
	assert_null(capnp_cap_slot(&message, CAPNP_CAP_NULL));
	/* An index beyond the table. */
	capnp_message_init(&message, words, builder.used, caps, 1);
	assert_true(capnp_cap_is_null(pointers_get_capability(pointers_get_root(&message))));
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
}

static void generic_fields_hold_anything(void **state)
{
	struct pointers_builder b = pointers_init_root(&builder);
	struct pair_builder pair = pointers_init_pair(b);
	struct pair_reader r;

	(void)state;
	point_set_x(point_build_any(pair_init_first(pair)), 8);
	capnp_set_text(pair_init_second(pair), capnp_text("two"));
	point_set_y(point_build_any(pointers_init_any(b)), 9);
	r = pointers_get_pair(pointers_get_root(reopen()));
	assert_int_equal(point_get_x(point_of_any(pair_get_first(r))), 8);
	assert_true(capnp_text_equals(capnp_any_text(pair_get_second(r)), "two"));
	assert_int_equal(point_get_y(point_of_any(pointers_get_any(pointers_get_root(&message)))), 9);
}

static void copies_are_deep(void **state)
{
	uint64_t other_words[WORDS];
	struct capnp_builder other;
	struct all_builder b = all_init_root(&builder);
	struct all_builder c;
	struct all_reader r;

	(void)state;
	all_set_text_field(all_init_struct_field(b), capnp_text("deep"));
	point_set_x(point_builder_at(all_init_points(b, 2), 1), 5);
	capnp_list_set_bool(all_init_bool_list(b, 3), 2, true);
	capnp_builder_init(&other, other_words, WORDS, NULL, 0);
	c = all_init_root(&other);
	all_set_struct_field(c, all_get_root(reopen()));
	all_set_points(c, all_get_points(all_get_root(&message)));
	assert_int_equal(other.status, CAPNP_OK);
	memset(words, 0, sizeof(words));
	r = all_as_reader(c);
	assert_int_equal(point_get_x(point_at(all_get_points(r), 1)), 5);
	r = all_get_struct_field(r);
	assert_true(capnp_list_bool(all_get_bool_list(r), 2));
	assert_true(capnp_text_equals(all_get_text_field(all_get_struct_field(r)), "deep"));
}

/* --- Evolution ------------------------------------------------------------------------------- */

static void old_message_reads_as_new_struct(void **state)
{
	struct age_old_builder b = age_old_init_root(&builder);
	struct age_new_reader r;

	(void)state;
	age_old_set_a(b, 5);
	age_old_set_t(b, capnp_text("old"));
	r = age_new_get_root(reopen());
	assert_int_equal(age_new_get_a(r), 5);
	assert_true(capnp_text_equals(age_new_get_t(r), "old"));
	assert_int_equal(age_new_get_b(r), 77);
	assert_true(capnp_text_equals(age_new_get_u(r), "later"));
	assert_int_equal(age_new_get_more(r).count, 0);
	assert_int_equal(message.status, CAPNP_OK);
}

static void new_message_reads_as_old_struct(void **state)
{
	struct age_new_builder b = age_new_init_root(&builder);
	struct age_old_reader r;
	uint64_t copy_words[WORDS];
	struct capnp_builder copy;

	(void)state;
	age_new_set_a(b, 5);
	age_new_set_b(b, 6);
	age_new_set_u(b, capnp_text("kept"));
	r = age_old_get_root(reopen());
	assert_int_equal(age_old_get_a(r), 5);
	/* What the old code does not know survives a copy by it. */
	capnp_builder_init(&copy, copy_words, WORDS, NULL, 0);
	capnp_set_struct(capnp_init_root(&copy), r.s);
	capnp_message_init(&message, copy_words, copy.used, NULL, 0);
	assert_int_equal(age_new_get_b(age_new_get_root(&message)), 6);
	assert_true(capnp_text_equals(age_new_get_u(age_new_get_root(&message)), "kept"));
}

static void lists_upgrade_to_structs_and_back(void **state)
{
	struct list_old_builder old = list_old_init_root(&builder);
	struct list_new_builder new;
	struct capnp_list_builder items = list_old_init_items(old, 2);
	struct list_new_reader n;
	struct list_old_reader o;

	(void)state;
	capnp_list_set_u32(items, 1, 99);
	capnp_list_set_text(list_old_init_names(old, 1), 0, capnp_text("n"));
	n = list_new_get_root(reopen());
	assert_int_equal(item_get_value(item_at(list_new_get_items(n), 1)), 99);
	assert_int_equal(item_get_note(item_at(list_new_get_items(n), 1)).bytes, 0);
	assert_true(capnp_text_equals(named_get_name(named_at(list_new_get_names(n), 0)), "n"));
	assert_int_equal(named_get_rank(named_at(list_new_get_names(n), 0)), 9);
	assert_int_equal(message.status, CAPNP_OK);

	new = list_new_init_root(&builder);
	items = list_new_init_items(new, 2);
	item_set_value(item_builder_at(items, 1), 98);
	item_set_note(item_builder_at(items, 1), capnp_text("x"));
	named_set_name(named_builder_at(list_new_init_names(new, 1), 0), capnp_text("m"));
	o = list_old_get_root(reopen());
	assert_int_equal(capnp_list_u32(list_old_get_items(o), 1), 98);
	assert_true(capnp_text_equals(capnp_list_text(list_old_get_names(o), 0), "m"));
	assert_int_equal(message.status, CAPNP_OK);
}

/* Sums a list of UInt32 by arrays of at most two elements; *parts is how many there were. */
static uint64_t sum_in_parts(struct capnp_list list, uint32_t *parts)
{
	struct capnp_u32s part;
	uint32_t pad[2];
	uint64_t sum = 0;

	*parts = 0;
	for (uint32_t first = 0; first < list.count; first += part.count, ++*parts) {
		part = capnp_list_u32s(list, first, pad, 2);
		assert_in_range(part.count, 1, list.count - first);
		for (uint32_t i = 0; i < part.count; i++)
			sum += part.at[i];
	}
	return sum;
}

static void lists_are_read_as_arrays(void **state)
{
	struct list_old_builder b = list_old_init_root(&builder);
	struct capnp_u32s_builder items = capnp_list_u32s_builder(list_old_init_items(b, 5));
	struct capnp_list list;
	uint32_t parts;

	(void)state;
	assert_int_equal(items.count, 5);
	for (uint32_t i = 0; i < items.count; i++) {
		assert_int_equal(items.at[i], 0);
		items.at[i] = i + 1;
	}
	list = list_old_get_items(list_old_get_root(reopen()));
	assert_int_equal(sum_in_parts(list, &parts), 15);
	assert_int_equal(parts, 1);
	assert_ptr_equal(capnp_list_u32s(list, 2, NULL, 0).at, items.at + 2);
	assert_int_equal(capnp_list_u32s(list, 2, NULL, 0).count, 3);
	assert_int_equal(capnp_list_u32s(list, 5, NULL, 0).count, 0);
	assert_int_equal(capnp_list_u32s(list, 6, NULL, 0).count, 0);
}

/* What is filled by its caller is as it was set, and its padding is zero, whatever stood there. */
static void arrays_are_filled_over_old_words(void **state)
{
	struct capnp_any_builder root;
	struct capnp_u8s_builder bytes;
	struct capnp_list list;

	(void)state;
	memset(builder.words, 0xff, builder.capacity * 8);
	root = capnp_init_root(&builder);
	bytes = capnp_fill_u8s(root, 11);
	assert_int_equal(bytes.count, 11);
	for (uint32_t i = 0; i < 11; i++) {
		assert_int_equal(bytes.at[i], CAPNP_UNSET);
		bytes.at[i] = (uint8_t)(i + 1);
	}
	for (uint32_t i = 11; i < 16; i++)
		assert_int_equal(bytes.at[i], 0);
	list = capnp_any_numbers(capnp_root(reopen()), CAPNP_BYTE);
	assert_int_equal(list.count, 11);
	assert_int_equal(capnp_list_u8(list, 10), 11);
	memset(builder.words, 0xff, builder.capacity * 8);
	capnp_set_text(capnp_init_root(&builder), capnp_text("twelve chars"));
	assert_true(capnp_text_equals(capnp_any_text(capnp_root(reopen())), "twelve chars"));
	assert_memory_equal(builder.words + 1, "twelve chars\0\0\0", 16);
	capnp_set_data(capnp_init_root(&builder), capnp_data_of("123", 3));
	assert_memory_equal(builder.words + 1, "123\0\0\0\0", 8);
	/* No room, and none again after that. */
	assert_int_equal(capnp_fill_u64s(capnp_init_root(&builder), builder.capacity).count, 0);
	assert_int_equal(builder.status, CAPNP_TOO_LARGE);
	assert_int_equal(capnp_fill_u64s(capnp_init_root(&builder), 1).count, 0);
}

/* The quick way to a list of numbers refuses what the other does, and leaves to it what is not just that. */
static void numbers_are_followed_as_lists_are(void **state)
{
	/* offset, element size, count; in a message of four words */
	static const struct { int32_t offset; uint32_t size, count; } cases[] = {
		{ 0, CAPNP_EIGHT_BYTES, 3 }, { 1, CAPNP_EIGHT_BYTES, 2 }, { 2, CAPNP_EIGHT_BYTES, 1 },
		{ 0, CAPNP_EIGHT_BYTES, 4 }, { 1, CAPNP_EIGHT_BYTES, 3 }, { 3, CAPNP_EIGHT_BYTES, 0 },
		{ 4, CAPNP_EIGHT_BYTES, 0 }, { -1, CAPNP_EIGHT_BYTES, 4 }, { -2, CAPNP_EIGHT_BYTES, 1 },
		{ 0, CAPNP_EIGHT_BYTES, (1u << 29) - 1 }, { 0, CAPNP_FOUR_BYTES, 6 }, { 0, CAPNP_BYTE, 8 },
		{ 0, CAPNP_POINTER, 2 }, { 0, CAPNP_BIT, 64 }, { 0, CAPNP_VOID, 9 }, { 0, CAPNP_COMPOSITE, 2 },
	};
	struct capnp_message one, other;

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct capnp_list quick, list;

		words[0] = (uint64_t)(uint32_t)(cases[i].offset * 4) | 1 | (uint64_t)cases[i].size << 32 |
				(uint64_t)cases[i].count << 35;
		capnp_message_init(&one, words, 4, NULL, 0);
		other = one;
		quick = capnp_any_numbers(capnp_root(&one), CAPNP_EIGHT_BYTES);
		list = capnp_any_list(capnp_root(&other), CAPNP_EIGHT_BYTES);
		assert_int_equal(one.status, other.status);
		assert_int_equal(one.budget, other.budget);
		assert_int_equal(quick.count, list.count);
		assert_ptr_equal(quick.data, list.data);
		assert_int_equal(quick.step_bits, list.step_bits);
		assert_int_equal(quick.data_bytes, list.data_bytes);
		assert_int_equal(quick.size, list.size);
	}
	/* The budget ends for both. */
	words[0] = 1 | (uint64_t)CAPNP_EIGHT_BYTES << 32 | (uint64_t)3 << 35;
	capnp_message_init(&one, words, 4, NULL, 0);
	one.budget = 5;
	assert_int_equal(capnp_any_numbers(capnp_root(&one), CAPNP_EIGHT_BYTES).count, 3);
	assert_int_equal(capnp_any_numbers(capnp_root(&one), CAPNP_EIGHT_BYTES).count, 0);
	assert_int_equal(one.status, CAPNP_BAD_MESSAGE);
}

/* Elements that became structs are copied together, those that are shorter are filled up. */
static void lists_of_another_age_are_read_as_arrays(void **state)
{
	struct list_new_builder b = list_new_init_root(&builder);
	struct capnp_list_builder items = list_new_init_items(b, 5);
	struct capnp_list list;
	uint32_t parts;
	uint64_t pad[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		item_set_value(item_builder_at(items, i), i + 1);
	list = list_old_get_items(list_old_get_root(reopen()));
	assert_int_equal(sum_in_parts(list, &parts), 15);
	assert_int_equal(parts, 3);
	assert_int_equal(capnp_list_u64s(list, 3, pad, 5).count, 2);
	assert_int_equal(pad[0], 4);
	assert_int_equal(pad[1], 5);
	assert_int_equal(capnp_list_u64s(list, 5, pad, 5).count, 0);
	/* What is asked for is wider than what there is. */
	list = capnp_list_as_reader(list_old_init_items(list_old_init_root(&builder), 2));
	assert_int_equal(capnp_list_u64s(list, 0, pad, 5).count, 2);
	assert_int_equal(pad[0] | pad[1], 0);
}

static void arrays_of_what_was_not_built_are_empty(void **state)
{
	struct list_new_builder b = list_new_init_root(&builder);
	struct capnp_list_builder items = list_new_init_items(b, 3);

	(void)state;
	/* Structs are no array of numbers. */
	assert_int_equal(capnp_list_u32s_builder(items).count, 0);
	assert_int_equal(capnp_list_u16s_builder(list_old_init_items(list_old_init_root(&builder), 3)).count, 0);
	/* No room. */
	items = list_old_init_items(list_old_init_root(&builder), WORDS * 2);
	assert_int_equal(capnp_list_u32s_builder(items).count, 0);
	assert_int_equal(builder.status, CAPNP_TOO_LARGE);
}

/* A root of scalars at an odd place, too short, and each that is not to be trusted. */
static void scalar_roots_are_fitted(void **state)
{
	static const uint64_t odd[] = { CAPNP_STRUCT_POINTER(2, 2, 1), 1, 2, 30, 40, 0 };
	struct capnp_struct_reader r;

	(void)state;
	memcpy(words, odd, sizeof(odd));
	r = capnp_root_scalars(open_words(words, 6), 3);
	assert_int_equal(message.status, CAPNP_OK);
	assert_int_equal(words[0], CAPNP_ROOT_POINTER(3, 0));
	assert_int_equal(r.data_bytes, 24);
	assert_int_equal(capnp_get_u64(r, 0), 30);
	assert_int_equal(capnp_get_u64(r, 8), 40);
	assert_int_equal(capnp_get_u64(r, 16), 0);
	/* An older writer's: what follows the message is not read. */
	words[0] = CAPNP_ROOT_POINTER(1, 0);
	r = capnp_root_scalars(open_words(words, 2), 2);
	assert_int_equal(capnp_get_u64(r, 0), 30);
	assert_int_equal(capnp_get_u64(r, 8), 0);
	/* A newer writer's stays as it is. */
	words[0] = CAPNP_STRUCT_POINTER(0, 2, 1);
	r = capnp_root_scalars(open_words(words, 4), 1);
	assert_int_equal(capnp_get_u64(r, 0), 30);
	assert_int_equal(words[0], CAPNP_STRUCT_POINTER(0, 2, 1));
	/* One that begins with its own pointer. */
	words[0] = CAPNP_STRUCT_POINTER(0x3fffffff, 3, 0);
	r = capnp_root_scalars(open_words(words, 4), 3);
	assert_int_equal(message.status, CAPNP_OK);
	assert_int_equal(capnp_get_u64(r, 8), 30);
	/* No message at all. */
	r = capnp_root_scalars(open_words(words, 0), 3);
	assert_int_equal(message.status, CAPNP_OK);
	assert_int_equal(capnp_get_u64(r, 0) | capnp_get_u64(r, 8) | capnp_get_u64(r, 16), 0);
}

static void scalar_roots_that_lie_are_zero(void **state)
{
	static const uint64_t roots[] = { CAPNP_STRUCT_POINTER(0, 2, 0), CAPNP_STRUCT_POINTER(7, 1, 0),
		1 | UINT64_C(5) << 32 | UINT64_C(1) << 35, 3, 2 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		struct capnp_struct_reader r;

		words[0] = roots[i];
		words[1] = words[2] = UINT64_MAX;
		r = capnp_root_scalars(open_words(words, 2), 2);
		assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
		assert_int_equal(capnp_get_u64(r, 0) | capnp_get_u64(r, 8), 0);
	}
}

/* --- What does not fit ----------------------------------------------------------------------- */

static void overflow_latches_and_drops(void **state)
{
	struct all_builder b;

	(void)state;
	for (uint32_t capacity = 0; capacity < 60; capacity++) {
		memset(words, 0xa5, sizeof(words));
		capnp_builder_init(&builder, words, capacity, NULL, 0);
		b = all_init_root(&builder);
		all_set_uint64_field(b, 1);
		all_set_text_field(b, capnp_text("some text that takes a few words"));
		all_set_text_field(all_init_struct_field(b), capnp_text("inner"));
		point_set_x(point_builder_at(all_init_points(b, 2), 1), 1);
		assert_true(builder.used <= capacity);
		for (uint32_t i = capacity; i < 80; i++)
			assert_true(words[i] == UINT64_C(0xa5a5a5a5a5a5a5a5));
		if (capacity < 10)
			assert_int_equal(builder.status, CAPNP_TOO_LARGE);
	}
	capnp_builder_init(&builder, words, WORDS, caps, 0);
	assert_true(capnp_cap_is_null(capnp_builder_add_cap(&builder, caps[0])));
	assert_int_equal(builder.status, CAPNP_TOO_LARGE);
	capnp_builder_init(&builder, words, WORDS, caps, 0);
	(void)all_init_int8_list(all_init_root(&builder), UINT32_MAX);
	assert_int_equal(builder.status, CAPNP_TOO_LARGE);
}

/* No byte of what was in the buffer before reaches a message. */
static void nothing_old_leaks(void **state)
{
	struct all_builder b = all_init_root(&builder);
	const uint8_t *bytes = (const uint8_t *)words;

	(void)state;
	all_set_text_field(b, capnp_text("abc"));
	all_set_data_field(b, capnp_data_of("xyz", 3));
	(void)all_init_bool_list(b, 5);
	(void)all_init_points(b, 3);
	(void)all_init_int16_list(b, 3);
	for (uint32_t i = 0; i < builder.used * 8; i++)
		assert_int_not_equal(bytes[i], 0xa5);
}

/* --- Messages that lie ----------------------------------------------------------------------- */

static void empty_message_is_empty(void **state)
{
	(void)state;
	assert_int_equal(all_get_text_field(all_get_root(open_words(words, 0))).bytes, 0);
	assert_int_equal(message.status, CAPNP_OK);
}

static void every_truncation_is_refused_or_harmless(void **state)
{
	struct all_builder b = all_init_root(&builder);
	struct capnp_list_builder list;
	uint32_t used;

	(void)state;
	all_set_text_field(b, capnp_text("hello there"));
	list = all_init_struct_list(b, 2);
	all_set_text_field(all_builder_at(list, 1), capnp_text("in a list"));
	used = builder.used;
	for (uint32_t count = 0; count < used; count++) {
		uint64_t exact[WORDS];
		struct all_reader r;

		memcpy(exact, words, count * 8);
		r = all_get_root(open_words(exact, count));
		(void)all_get_text_field(r);
		(void)all_get_text_field(all_at(all_get_struct_list(r), 1));
		if (count > 0)
			assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	}
}

static void text_without_nul_is_refused(void **state)
{
	uint8_t *bytes;

	(void)state;
	bytes = capnp_init_data(capnp_pointer_builder(all_init_root(&builder).s, 0), 4);
	memcpy(bytes, "abcd", 4);
	assert_int_equal(all_get_text_field(all_get_root(reopen())).bytes, 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
}

static void wrong_kinds_are_refused(void **state)
{
	struct all_builder b;

	(void)state;
	/* A list where a struct is expected, and the other way round, and too small elements. */
	b = all_init_root(&builder);
	capnp_init_list(capnp_pointer_builder(b.s, 2), CAPNP_BYTE, 4);
	capnp_init_struct(capnp_pointer_builder(b.s, 0), 1, 0);
	capnp_init_list(capnp_pointer_builder(b.s, 12), CAPNP_BYTE, 4);
	capnp_init_list(capnp_pointer_builder(b.s, 4), CAPNP_BYTE, 4);
	assert_int_equal(all_get_int8_field(all_get_struct_field(all_get_root(reopen()))), 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	assert_int_equal(all_get_text_field(all_get_root(reopen())).bytes, 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	assert_int_equal(all_get_uint64_list(all_get_root(reopen())).count, 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	assert_int_equal(all_get_bool_list(all_get_root(reopen())).count, 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	/* Far pointers have no place in a message of one segment. */
	words[0] = 2;
	assert_int_equal(all_get_int8_field(all_get_root(reopen())), 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	/* Capabilities are no structs. */
	words[0] = 3;
	assert_int_equal(all_get_int8_field(all_get_root(reopen())), 0);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
}

static void pointers_outside_are_refused(void **state)
{
	static const uint64_t cases[] = {
		0x0000000100000004,     /* a struct that starts behind the end */
		0x0000ffff00000000,     /* one that is too long */
		0xffff000000000000,
		0x00000001fffffff4,     /* one that starts before the message */
		0x000000017ffffffc,     /* the largest offset */
		0x0000000180000000,     /* the smallest */
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t two[2] = { cases[i], 0 };

		assert_int_equal(all_get_int8_field(all_get_root(open_words(two, 2))), 0);
		assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	}
}

static void lying_lists_are_refused(void **state)
{
	static const uint64_t cases[][3] = {
		/* list pointer in a struct of one pointer, and what stands behind it */
		{ 0x0001000000000000, 0xfffffffd00000001, 0 },  /* half a billion pointers... */
		{ 0x0001000000000000, 0xffffffff00000001, 0 },  /* words of structs */
		{ 0x0001000000000000, 0x0000000700000001, 0x00000001000000fc }, /* count over words */
		{ 0x0001000000000000, 0x0000000700000001, 0x00000000fffffffc }, /* no size, many */
		{ 0x0001000000000000, 0x0000000700000001, 0x0000000000000001 }, /* tag is a list */
		{ 0x0001000000000000, 0xfffffff800000001, 0 },  /* half a billion voids */
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct capnp_any any;

		open_words(cases[i], 3);
		any = capnp_pointer(capnp_any_struct(capnp_root(&message)), 0);
		assert_int_equal(capnp_any_list(any, CAPNP_COMPOSITE).count, 0);
		assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
	}
}

static void loops_end(void **state)
{
	/* A struct whose pointer points to itself. */
	static const uint64_t loop[2] = { 0x0001000000000000, 0x00010000fffffffc };
	uint64_t out[WORDS];
	struct capnp_builder copy;
	struct capnp_struct_reader s;
	uint32_t steps = 0;

	(void)state;
	s = capnp_any_struct(capnp_root(open_words(loop, 2)));
	while (message.status == CAPNP_OK && steps < 1000) {
		s = capnp_any_struct(capnp_pointer(s, 0));
		steps++;
	}
	assert_true(steps <= 2 * CAPNP_BUDGET_FACTOR);
	/* Code that recurses ends by depth even where the budget does not bound it. */
	capnp_message_init_trusted(&message, loop, 2, NULL, 0);
	capnp_builder_init(&copy, out, WORDS, NULL, 0);
	capnp_set_any(capnp_init_root(&copy), capnp_root(&message));
	assert_int_equal(copy.status, CAPNP_BAD_MESSAGE);
}

static void amplification_is_bounded(void **state)
{
	struct all_builder b = all_init_root(&builder);
	struct capnp_list_builder list = all_init_text_list(b, 64);
	struct capnp_list texts;
	uint32_t read = 0;

	(void)state;
	/* Sixty-four pointers to the same long text. */
	capnp_list_set_text(list, 0, capnp_text("a text that is some words long, and shared by many"));
	for (uint32_t i = 1; i < 64; i++) {
		uint64_t *slots = (uint64_t *)(void *)list.data;

		slots[i] = slots[0] - ((uint64_t)i << 2);
	}
	texts = all_get_text_list(all_get_root(reopen()));
	for (uint32_t i = 0; i < 64; i++)
		read += capnp_list_text(texts, i).bytes;
	assert_true(read / 8 <= builder.used * CAPNP_BUDGET_FACTOR);
	for (uint32_t i = 0; i < 64; i++)
		(void)capnp_list_text(texts, i);
	for (uint32_t i = 0; i < 64; i++)
		(void)capnp_list_text(texts, i);
	assert_int_equal(message.status, CAPNP_BAD_MESSAGE);
}

/* --- Files ----------------------------------------------------------------------------------- */

static void bad_framing_is_refused(void **state)
{
	static const uint64_t cases[][2] = {
		{ 0x0000000200000000, 0 },      /* longer than the file */
		{ 0x00000000ffffffff, 0 },      /* 2^32 segments */
		{ 0x0000000000000200, 0 },      /* more segments than are allowed */
		{ 0x0000000000000001, 0 },      /* two empty segments */
	};

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		capnp_builder_init(&builder, words, WORDS, NULL, 0);
		assert_int_equal(capnp_file_copy(cases[i], 2, &builder), CAPNP_BAD_MESSAGE);
	}
	assert_int_equal(capnp_file_message_words(cases[0], 0), 0);
}

static void far_pointers_are_followed(void **state)
{
	/* Three segments: the root is double-far to a struct of one data word in the third, by a pad
	 * in the second. */
	static const uint64_t file[] = {
		0x0000000100000002, 0x0000000100000002,         /* 3 segments of 1, 2, 1 words */
		0x0000000100000006,                             /* double far to segment 1, word 0 */
		0x0000000200000002, 0x0000000100000000,         /* pad: far to segment 2; tag */
		0x000000000000002a,
	};
	uint64_t bad[6];

	(void)state;
	assert_int_equal(capnp_file_copy(file, 6, &builder), CAPNP_OK);
	assert_int_equal(point_get_x(point_get_root(reopen())), 42);
	/* Each way in which the far pointers can be wrong. */
	memcpy(bad, file, sizeof(bad));
	bad[2] = 0x0000000900000006;
	assert_int_equal(capnp_file_copy(bad, 6, &builder), CAPNP_BAD_MESSAGE);
	memcpy(bad, file, sizeof(bad));
	bad[2] = 0x000000010000000e;
	capnp_builder_init(&builder, words, WORDS, NULL, 0);
	assert_int_equal(capnp_file_copy(bad, 6, &builder), CAPNP_BAD_MESSAGE);
	memcpy(bad, file, sizeof(bad));
	bad[3] = 0x0000000200000006;
	capnp_builder_init(&builder, words, WORDS, NULL, 0);
	assert_int_equal(capnp_file_copy(bad, 6, &builder), CAPNP_BAD_MESSAGE);
	memcpy(bad, file, sizeof(bad));
	bad[3] = 0x000000020000000a;
	capnp_builder_init(&builder, words, WORDS, NULL, 0);
	assert_int_equal(capnp_file_copy(bad, 6, &builder), CAPNP_BAD_MESSAGE);
}

static void packed_input_may_end_anywhere(void **state)
{
	static const uint8_t packed[] = { 0x51, 0x08, 0x03, 0x02, 0x00, 0x01, 0xff, 1, 2, 3, 4, 5, 6, 7,
		8, 0x01, 1, 2, 3, 4, 5, 6, 7, 8 };
	uint64_t out[8];
	uint64_t used;

	(void)state;
	assert_int_equal(capnp_unpack(packed, sizeof(packed), out, 8, &used), CAPNP_OK);
	assert_int_equal(used, 5);
	assert_true(out[0] == 0x0002000300000008 && out[2] == 0 && out[4] == 0x0807060504030201);
	for (uint64_t bytes = 0; bytes < sizeof(packed); bytes++) {
		if (bytes == 0 || bytes == 4 || bytes == 6)
			continue;
		assert_int_equal(capnp_unpack(packed, bytes, out, 8, &used), CAPNP_BAD_MESSAGE);
	}
	for (uint64_t room = 0; room < 5; room++)
		assert_int_equal(capnp_unpack(packed, sizeof(packed), out, room, &used),
				CAPNP_TOO_LARGE);
}

static void canonical_form_has_no_capabilities(void **state)
{
	struct pointers_builder b = pointers_init_root(&builder);
	uint64_t out[WORDS];
	struct capnp_builder form;

	(void)state;
	pointers_set_worker(b, capnp_builder_add_cap(&builder, (struct capnp_cap_slot){ .id = 10 }));
	capnp_builder_init(&form, out, WORDS, NULL, 0);
	assert_int_equal(capnp_canonical(pointers_as_reader(b).s, &form), CAPNP_BAD_MESSAGE);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars_come_back),
		TEST(pointers_come_back),
		TEST(unset_fields_have_their_defaults),
		TEST(constants_are_there),
		TEST(union_has_one_member),
		TEST(capabilities_index_the_table),
		TEST(generic_fields_hold_anything),
		TEST(copies_are_deep),
		TEST(old_message_reads_as_new_struct),
		TEST(lists_are_read_as_arrays),
		TEST(arrays_are_filled_over_old_words),
		TEST(numbers_are_followed_as_lists_are),
		TEST(lists_of_another_age_are_read_as_arrays),
		TEST(arrays_of_what_was_not_built_are_empty),
		TEST(scalar_roots_are_fitted),
		TEST(scalar_roots_that_lie_are_zero),
		TEST(new_message_reads_as_old_struct),
		TEST(lists_upgrade_to_structs_and_back),
		TEST(overflow_latches_and_drops),
		TEST(nothing_old_leaks),
		TEST(empty_message_is_empty),
		TEST(every_truncation_is_refused_or_harmless),
		TEST(text_without_nul_is_refused),
		TEST(wrong_kinds_are_refused),
		TEST(pointers_outside_are_refused),
		TEST(lying_lists_are_refused),
		TEST(loops_end),
		TEST(amplification_is_bounded),
		TEST(bad_framing_is_refused),
		TEST(far_pointers_are_followed),
		TEST(packed_input_may_end_anywhere),
		TEST(canonical_form_has_no_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
