/*
 * Text by reflection: capabilities by name, errors at their column, redaction, numbers. That the text
 * is the official tool's is checked in tests/capnp/official_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "capnp/number.h"
#include "capnp/text.h"
#include "tests/capnp/all.capnp.h"
#include "tests/capnp/random_message.h"

#define WORDS 4096u

static struct schema schema;
static uint64_t words[WORDS];
static struct capnp_cap_slot caps[4];
static struct capnp_builder builder;
static struct capnp_parse_error error;

static enum capnp_name_result cap_of(void *arg, struct capnp_text name, uint64_t interface_id,
		struct capnp_builder *to, struct capnp_cap *cap)
{
	(void)arg;
	if (capnp_text_equals(name, "other") && interface_id != 0)
		return CAPNP_NAME_WRONG_TYPE;
	if (!capnp_text_equals(name, "bob") && !capnp_text_equals(name, "other"))
		return CAPNP_NAME_UNKNOWN;
	*cap = capnp_builder_add_cap(to, (struct capnp_cap_slot){ .id = name.bytes });
	return CAPNP_NAME_FOUND;
}

static struct capnp_text name_of(void *arg, const struct capnp_message *message, struct capnp_cap cap)
{
	const struct capnp_cap_slot *slot = capnp_cap_slot(message, cap);

	(void)arg;
	return slot != NULL && slot->id == 3 ? capnp_text("bob") : capnp_text("");
}

static const struct capnp_names names = { name_of, cap_of, NULL };

static int setup(void **state)
{
	(void)state;
	schema_load(&schema, GEN_DIRECTORY "/tests/capnp/all.bin");
	return 0;
}

static struct schema_node node(const char *name)
{
	struct schema_node found = schema_find_name(&schema, capnp_text(name));

	assert_false(schema_node_is_null(found));
	return found;
}

static bool parse(const char *type, const char *text)
{
	struct schema_node n = node(type);

	capnp_builder_init(&builder, words, WORDS, caps, 4);
	return capnp_parse_struct(capnp_text(text), n, capnp_init_struct(capnp_init_root(&builder),
			schema_struct_data_words(n), schema_struct_pointer_count(n)), &names, NULL,
			&error);
}

static const char *print(const char *type, uint32_t flags)
{
	static char out[4096];
	uint32_t bytes = capnp_print_struct(out, sizeof(out) - 1, node(type),
			capnp_any_struct(capnp_root(capnp_builder_view(&builder))), &names, flags);

	assert_true(bytes < sizeof(out));
	out[bytes] = '\0';
	return out;
}

static void capabilities_have_names(void **state)
{
	(void)state;
	assert_true(parse("Pointers", "(worker = @bob, capability = @other, workers = [@bob], any = @bob)"));
	assert_int_equal(builder.cap_count, 4);
	assert_string_equal(print("Pointers", 0), "(any = @bob, worker = @bob, "
			"capability = <external capability>, workers = [@bob])");
}

static void errors_name_the_place(void **state)
{
	static const struct {
		const char *type;
		const char *text;
		uint32_t column;
		uint32_t bytes;
		const char *message;
	} cases[] = {
		{ "Point", "", 0, 0, "( is expected here" },
		{ "Point", "x = 1", 0, 1, "( is expected here" },
		{ "Point", "(x = 1", 6, 0, "a comma or ) is expected here" },
		{ "Point", "(z = 1)", 1, 1, "there is no field z here" },
		{ "Point", "(x 1)", 3, 1, "= is expected here" },
		{ "Point", "(x = 1, x = 2)", 8, 1, "the field x is given twice" },
		{ "Point", "(x = 1) y", 8, 1, "nothing more is expected here" },
		{ "Point", "(x = \"1\")", 5, 1, "a whole number is expected here" },
		{ "Point", "(x = 2147483648)", 5, 10, "this number is out of the range of its type" },
		{ "Point", "(x = -2147483649)", 5, 11, "this number is out of the range of its type" },
		{ "Point", "(x = 12abc)", 5, 5, "this is not a whole number of at most 64 bits" },
		{ "Point", "(x = 1, 5)", 8, 1, "the name of a field is expected here" },
		{ "All", "(uint8Field = 256)", 14, 3, "this number is too large for its type" },
		{ "All", "(uint8Field = -1)", 14, 2, "this number cannot be negative" },
		{ "All", "(uint64Field = 18446744073709551616)", 15, 20,
			"this is not a whole number of at most 64 bits" },
		{ "All", "(boolField = yes)", 13, 3, "true or false is expected here" },
		{ "All", "(enumField = pink)", 13, 4, "a value of Color is expected here" },
		{ "All", "(textField = hello)", 13, 5, "a text in quotes is expected here" },
		{ "All", "(textField = \"abc)", 13, 5, "the closing quote is missing" },
		{ "All", "(textField = \"a\\q\")", 15, 2, "there is no such escape" },
		{ "All", "(dataField = 0x\"0g\")", 16, 1, "two hexadecimal digits are expected here" },
		{ "All", "(int8List = 1)", 12, 1, "a list in [ ] is expected here" },
		{ "All", "(int8List = [1 2])", 15, 1, "a comma or ] is expected here" },
		{ "All", "(int8List = [1,,2])", 15, 1, "a whole number is expected here" },
		{ "All", "(float64Field = one)", 16, 3, "a number is expected here" },
		{ "All", "(float64Field = 1.2.3)", 16, 5, "a number is expected here" },
		{ "All", "(structField = 1)", 15, 1, "( is expected here" },
		{ "Unions", "(number = 1, words = \"x\")", 13, 5,
			"only one of the alternatives can be given, not words too" },
		{ "Pointers", "(worker = bob)", 10, 3, "a capability (@name) is expected here" },
		{ "Pointers", "(worker = @ bob)", 10, 1, "a name is expected behind @" },
		{ "Pointers", "(worker = @alice)", 10, 6, "there is no capability @alice" },
		{ "Pointers", "(worker = @other)", 10, 6, "this capability is not a Worker" },
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(cases[i].type, cases[i].text))
			fail_msg("%s was accepted", cases[i].text);
		if (strcmp(error.message, cases[i].message) != 0 || error.column != cases[i].column ||
		    error.bytes != cases[i].bytes)
			fail_msg("%s: %u+%u %s", cases[i].text, error.column, error.bytes,
					error.message);
	}
}

static void spellings_that_are_accepted(void **state)
{
	(void)state;
	assert_true(parse("All", " # words\n ( int8Field=-0x10,uint8Field = 017 , textField = \"a\" \"\\x62\\143\","
			"dataField = 0x\"00 fF\", boolList = [true, false,], float64Field = 1e-3, "
			"float32Field = -inf, nested = [[], [1]], ) # end"));
	assert_true(capnp_text_equals(all_get_text_field(all_get_root(capnp_builder_view(&builder))),
			"abc"));
	assert_non_null(strstr(print("All", 0), "int8Field = -16"));
	assert_non_null(strstr(print("All", 0), "uint8Field = 15"));
	assert_non_null(strstr(print("All", 0), "dataField = \"\\000\\377\""));
	assert_non_null(strstr(print("All", 0), "float32Field = -inf"));
	assert_non_null(strstr(print("All", 0), "float64Field = 0.001"));
	assert_non_null(strstr(print("All", 0), "nested = [[], [1]]"));
	assert_true(parse("Unions", "(place = (street = \"a\\\\\\\"b\"), inner = (b = 2))"));
	assert_non_null(strstr(print("Unions", 0), "place = (street = \"a\\\\\\\"b\", house = 0, flag = true)"));
}

static void parsing_stops_where_told(void **state)
{
	struct schema_node n = node("Point");
	uint32_t end = 0;

	(void)state;
	capnp_builder_init(&builder, words, WORDS, NULL, 0);
	assert_true(capnp_parse_struct(capnp_text("(x = 1) | more"), n,
			capnp_init_struct(capnp_init_root(&builder), 1, 0), NULL, &end, &error));
	assert_int_equal(end, 7);
}

static void too_much_is_refused(void **state)
{
	char deep[2048];
	uint32_t n = 0;
	struct schema_node all = node("All");

	(void)state;
	for (uint32_t i = 0; i < 70; i++)
		n += (uint32_t)sprintf(deep + n, "(structField = ");
	for (uint32_t i = 0; i < 70; i++)
		deep[n++] = ')';
	deep[n] = '\0';
	assert_false(parse("All", deep));
	assert_string_equal(error.message, "this is nested too deeply");
	capnp_builder_init(&builder, words, 30, NULL, 0);
	assert_false(capnp_parse_struct(capnp_text("(textField = \"0123456789012345678901234567890\")"),
			all, capnp_init_struct(capnp_init_root(&builder), schema_struct_data_words(all),
			schema_struct_pointer_count(all)), NULL, NULL, &error));
	assert_string_equal(error.message, "this is more than a message can hold");
}

static void output_is_cut_but_measured(void **state)
{
	char out[10];

	(void)state;
	assert_true(parse("Point", "(x = 1, y = 2)"));
	memset(out, '!', sizeof(out));
	assert_int_equal(capnp_print_struct(out, 5, node("Point"),
			capnp_any_struct(capnp_root(capnp_builder_view(&builder))), NULL, 0), 14);
	assert_memory_equal(out, "(x = !!!!!", 10);
}

static void sensitive_fields_are_redacted(void **state)
{
	(void)state;
	assert_true(parse("Secret", "(user = \"ann\", password = \"hunter2\")"));
	assert_string_equal(print("Secret", CAPNP_PRINT_REDACT), "(user = \"ann\", password = <redacted>)");
	assert_string_equal(print("Secret", 0), "(user = \"ann\", password = \"hunter2\")");
}

static void every_random_message_reads_back(void **state)
{
	static char text[1 << 20];
	static uint64_t other[65536];
	static uint64_t first[65536];
	struct schema_node n = node("All");
	uint64_t random = 99;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		struct capnp_builder b;
		struct capnp_builder c;
		uint32_t bytes;

		capnp_builder_init(&b, first, 65536, NULL, 0);
		random_struct(&random, n, capnp_init_struct(capnp_init_root(&b),
				schema_struct_data_words(n), schema_struct_pointer_count(n)), 3);
		bytes = capnp_print_struct(text, sizeof(text), n,
				capnp_any_struct(capnp_root(capnp_builder_view(&b))), NULL,
				CAPNP_PRINT_LINES);
		capnp_builder_init(&c, other, 65536, NULL, 0);
		if (!capnp_parse_struct(capnp_text_of(text, bytes), n,
				capnp_init_struct(capnp_init_root(&c), schema_struct_data_words(n),
				schema_struct_pointer_count(n)), NULL, NULL, &error))
			fail_msg("column %u: %s", error.column, error.message);
		assert_true(c.used > 0);
	}
}

static void numbers_are_exact(void **state)
{
	static const double cases[] = { 0.1, 1.0, 123456.7, 1e100, 5e-324, 2.2250738585072014e-308,
		1.7976931348623157e308, 3.0, 1e15, 1e16, 123456789012345680.0, 9007199254740993.0,
		0.000123, 1e-5, 4.35, 0.3, 2.0 / 3 };

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[NUMBER_FLOAT_BYTES + 1];
		uint64_t bits;
		uint64_t again;
		uint32_t n;
		double read;

		memcpy(&bits, &cases[i], 8);
		n = number_print_float(text, bits, false);
		text[n] = '\0';
		assert_int_equal(sscanf(text, "%lf", &read), 1);
		assert_true(read == cases[i]);
		assert_true(number_parse_float(text, n, false, &again) && again == bits);
	}
}

static void random_floats_agree_with_libc(void **state)
{
	uint64_t random = 5;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t bits = random_next(&random);
		char text[64];
		uint64_t ours = 0;
		uint64_t theirs;
		uint32_t single = 0;
		double value;
		float narrow;

		if ((bits >> 52 & 0x7ff) == 0x7ff)
			continue;
		bits &= ~(UINT64_C(1) << 63);
		memcpy(&value, &bits, 8);
		/* Every precision, so that ties and carries come up. */
		snprintf(text, sizeof(text), "%.*e", (int)(i % 25), value);
		assert_int_equal(sscanf(text, "%lf", &value), 1);
		memcpy(&theirs, &value, 8);
		assert_true(number_parse_float(text, (uint32_t)strlen(text), false, &ours));
		if (ours != theirs)
			fail_msg("%s", text);
		snprintf(text, sizeof(text), "%.*e", (int)(i % 12), value / 1e290 * 1e30);
		if (sscanf(text, "%f", &narrow) != 1)
			continue;
		memcpy(&single, &narrow, 4);
		assert_true(number_parse_float(text, (uint32_t)strlen(text), true, &ours));
		if (ours != single)
			fail_msg("single %s", text);
	}
}

static void schemas_can_be_asked(void **state)
{
	struct schema_node worker = node("Worker");
	struct schema_node declared_in;
	struct schema_member method;
	struct schema_node ancestors[4];

	(void)state;
	assert_true(schema_method_find(node("Boss"), capnp_text("add"), &declared_in, &method));
	assert_int_equal(schema_node_id(declared_in), WORKER_INTERFACE_ID);
	assert_int_equal(method.index, WORKER_METHOD_ADD);
	assert_int_equal(schema_field_count(schema_method_params(method)), 2);
	assert_false(schema_method_find(worker, capnp_text("title"), &declared_in, &method));
	assert_int_equal(schema_ancestors(node("Boss"), ancestors, 4), 2);
	assert_int_equal(schema_ancestors(node("Boss"), ancestors, 1), 1);
	assert_true(capnp_text_equals(schema_node_doc(worker), "Does things.\n"));
	assert_true(schema_node_is_null(schema_find(&schema, 1)));
	assert_true(schema_node_is_null(schema_find_name(&schema, capnp_text("Nothing"))));
	assert_int_equal(schema_field_count(schema_find(&schema, 1)), 0);
	assert_true(capnp_text_equals(schema_node_path(node("Unions.place")), "Unions.place"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_have_names),
		cmocka_unit_test(errors_name_the_place),
		cmocka_unit_test(spellings_that_are_accepted),
		cmocka_unit_test(parsing_stops_where_told),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(output_is_cut_but_measured),
		cmocka_unit_test(sensitive_fields_are_redacted),
		cmocka_unit_test(every_random_message_reads_back),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(random_floats_agree_with_libc),
		cmocka_unit_test(schemas_can_be_asked),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
