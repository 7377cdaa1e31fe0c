/*
 * Tests of the time of day: what is said of it, how it goes on, what is refused and then left alone.
 */
#include "services/clock/wall_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ll
#define START  (1000 * SECOND)

static void nobody_has_said_what_time_it_is(void **state)
{
	struct wall_time wall = { 0 };
	struct wall_time_now now = wall_time_now(&wall, 5 * SECOND);

	(void)state;
	assert_int_equal(wall.source, TIME_SOURCE_NONE);
	assert_int_equal(wall.trust, TIME_TRUST_UNKNOWN);
	assert_int_equal(now.unix_ns, 0);
	assert_int_equal(now.uncertainty_ns, 0);
	assert_int_equal(wall_time_adjust(&wall, 1, 0, 0), STATUS_INVALID_ARGUMENT);
	assert_int_equal(wall.source, TIME_SOURCE_NONE);
}

static void the_battery_clock_is_not_trusted(void **state)
{
	struct wall_time wall = { 0 };

	(void)state;
	wall_time_begin(&wall, START, SECOND, 0);
	assert_int_equal(wall.source, TIME_SOURCE_RTC);
	assert_int_equal(wall.trust, TIME_TRUST_UNTRUSTED);
	assert_int_equal(wall.changes, 0);
}

static void it_goes_on_and_becomes_less_certain(void **state)
{
	struct wall_time wall = { 0 };
	struct wall_time_now now;

	(void)state;
	wall_time_begin(&wall, START, SECOND, 7 * SECOND);
	now = wall_time_now(&wall, 10007 * SECOND);
	assert_int_equal(now.unix_ns, START + 10000 * SECOND);
	assert_int_equal(now.uncertainty_ns, SECOND + 5 * SECOND);
}

static void who_controls_it_says_so(void **state)
{
	struct wall_time wall = { 0 };

	(void)state;
	assert_int_equal(wall_time_set(&wall, START, 10, 0), STATUS_OK);
	assert_int_equal(wall.source, TIME_SOURCE_CONTROL);
	assert_int_equal(wall.trust, TIME_TRUST_ASSERTED);
	assert_int_equal(wall_time_adjust(&wall, -3 * SECOND, 20, 2 * SECOND), STATUS_OK);
	assert_int_equal(wall_time_now(&wall, 2 * SECOND).unix_ns, START - SECOND);
	assert_int_equal(wall_time_now(&wall, 2 * SECOND).uncertainty_ns, 20);
	assert_int_equal(wall.changes, 2);
}

static void a_refusal_changes_nothing(void **state)
{
	struct wall_time wall = { 0 }, before;

	(void)state;
	wall_time_begin(&wall, START, SECOND, 0);
	before = wall;
	assert_int_equal(wall_time_set(&wall, -1, 0, 0), STATUS_INVALID_ARGUMENT);
	assert_int_equal(wall_time_adjust(&wall, -START - 1, 0, 0), STATUS_INVALID_ARGUMENT);
	assert_int_equal(wall_time_adjust(&wall, INT64_MAX, 0, 0), STATUS_INVALID_ARGUMENT);
	assert_memory_equal(&wall, &before, sizeof(wall));
}

static void numbers_do_not_come_round(void **state)
{
	struct wall_time wall = { 0 };
	struct wall_time_now now;

	(void)state;
	assert_int_equal(wall_time_set(&wall, INT64_MAX, UINT64_MAX, 0), STATUS_OK);
	now = wall_time_now(&wall, UINT64_MAX);
	assert_int_equal(now.unix_ns, INT64_MAX);
	assert_true(now.uncertainty_ns == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_has_said_what_time_it_is),
		cmocka_unit_test(the_battery_clock_is_not_trusted),
		cmocka_unit_test(it_goes_on_and_becomes_less_certain),
		cmocka_unit_test(who_controls_it_says_so),
		cmocka_unit_test(a_refusal_changes_nothing),
		cmocka_unit_test(numbers_do_not_come_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
