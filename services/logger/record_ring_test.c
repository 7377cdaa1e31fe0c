/*
 * Tests of the logger's ring: what is kept, what gives way, and where long text is cut.
 */
#include "services/logger/record_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CAPACITY 4u

static struct record storage[CAPACITY];
static struct record_ring ring;

static int empty_ring(void **state)
{
	(void)state;
	memset(storage, 0xa5, sizeof(storage));
	record_ring_init(&ring, storage, CAPACITY);
	return 0;
}

static void add(uint64_t time_ns, const char *text)
{
	record_ring_add(&ring, time_ns, LOG_LEVEL_INFO, 7, capnp_text(text));
}

static void an_empty_ring_has_no_record(void **state)
{
	(void)state;
	assert_int_equal(record_ring_oldest(&ring), 0);
	assert_null(record_ring_get(&ring, 0));
	assert_null(record_ring_get(&ring, UINT64_MAX));
}

static void a_record_keeps_what_was_said(void **state)
{
	const struct record *record;

	(void)state;
	record_ring_add(&ring, 12, LOG_LEVEL_ERROR, 3, capnp_text("door open"));
	record = record_ring_get(&ring, 0);
	assert_non_null(record);
	assert_int_equal(record->time_ns, 12);
	assert_int_equal(record->level, LOG_LEVEL_ERROR);
	assert_int_equal(record->source, 3);
	assert_int_equal(record->text_bytes, 9);
	assert_memory_equal(record->text, "door open", 9);
}

static void the_oldest_gives_way(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < CAPACITY + 2; i++)
		add(i, "x");
	assert_int_equal(record_ring_oldest(&ring), 2);
	assert_null(record_ring_get(&ring, 1));
	for (uint64_t i = 2; i < CAPACITY + 2; i++)
		assert_int_equal(record_ring_get(&ring, i)->time_ns, i);
	assert_null(record_ring_get(&ring, CAPACITY + 2));
}

static void long_text_is_cut(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	record_ring_add(&ring, 0, LOG_LEVEL_INFO, 0, capnp_text_of(text, sizeof(text)));
	assert_int_equal(record_ring_get(&ring, 0)->text_bytes, RECORD_TEXT_BYTES_MAX);
}

static void the_cut_spares_a_character_of_several_bytes(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + RECORD_TEXT_BYTES_MAX - 2, "\xe2\x82\xac", 3);
	record_ring_add(&ring, 0, LOG_LEVEL_INFO, 0, capnp_text_of(text, sizeof(text)));
	assert_int_equal(record_ring_get(&ring, 0)->text_bytes, RECORD_TEXT_BYTES_MAX - 2);
}

static void text_of_continuation_bytes_alone_is_cut_to_nothing(void **state)
{
	char text[300];

	(void)state;
	memset(text, 0x80, sizeof(text));
	record_ring_add(&ring, 0, LOG_LEVEL_INFO, 0, capnp_text_of(text, sizeof(text)));
	assert_int_equal(record_ring_get(&ring, 0)->text_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_ring_has_no_record, empty_ring),
		cmocka_unit_test_setup(a_record_keeps_what_was_said, empty_ring),
		cmocka_unit_test_setup(the_oldest_gives_way, empty_ring),
		cmocka_unit_test_setup(long_text_is_cut, empty_ring),
		cmocka_unit_test_setup(the_cut_spares_a_character_of_several_bytes, empty_ring),
		cmocka_unit_test_setup(
				text_of_continuation_bytes_alone_is_cut_to_nothing, empty_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
