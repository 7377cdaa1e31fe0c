/*
 * Tests of the calendar: known dates, every day of two cycles there and back, and what is no date.
 */
#include "time/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DAY 86400u

static void known_dates(void **state)
{
	static const struct { struct calendar_date date; uint64_t seconds; } known[] = {
		{ { 1970, 1, 1, 0, 0, 0 }, 0 },
		{ { 2000, 2, 29, 23, 59, 59 }, 951868799 },
		{ { 2001, 9, 9, 1, 46, 40 }, 1000000000 },
		{ { 2038, 1, 19, 3, 14, 8 }, 2147483648 },
		{ { 2100, 3, 1, 0, 0, 0 }, 4107542400 },
		{ { 9999, 12, 31, 23, 59, 59 }, 253402300799 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct calendar_date date = calendar_date_of(known[i].seconds);

		assert_int_equal(calendar_seconds(&known[i].date), known[i].seconds);
		assert_memory_equal(&date, &known[i].date, sizeof(date));
	}
}

/* Each day is the one before plus one, in the way that calendars are read. */
static void days_follow_each_other(void **state)
{
	struct calendar_date last = { 1969, 12, 31, 0, 0, 0 };

	(void)state;
	for (uint64_t day = 0; day < 2 * 146097; day++) {
		struct calendar_date date = calendar_date_of(day * DAY);

		assert_true(calendar_is_date(&date));
		assert_int_equal(calendar_seconds(&date), day * DAY);
		if (date.day != last.day + 1) {
			last.day++;
			assert_false(last.year >= 1970 && calendar_is_date(&last));
			assert_int_equal(date.day, 1);
			assert_int_equal(date.month, last.month % 12 + 1);
			assert_int_equal(date.year, last.year + (last.month == 12));
		}
		last = date;
	}
}

static void what_is_no_date(void **state)
{
	static const struct calendar_date wrong[] = {
		{ 1969, 12, 31, 0, 0, 0 }, { 10000, 1, 1, 0, 0, 0 }, { 2026, 0, 1, 0, 0, 0 }, { 2026, 13, 1, 0, 0, 0 },
		{ 2026, 2, 29, 0, 0, 0 }, { 2100, 2, 29, 0, 0, 0 }, { 2026, 4, 31, 0, 0, 0 }, { 2026, 1, 0, 0, 0, 0 },
		{ 2026, 1, 1, 24, 0, 0 }, { 2026, 1, 1, 0, 60, 0 }, { 2026, 1, 1, 0, 0, 60 },
	};
	static const struct calendar_date right[] = { { 2024, 2, 29, 0, 0, 0 }, { 2000, 2, 29, 23, 59, 59 } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(calendar_is_date(&wrong[i]));
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(calendar_is_date(&right[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_dates),
		cmocka_unit_test(days_follow_each_other),
		cmocka_unit_test(what_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
