/*
 * Tests of the battery clock against a model of its registers: both formats of numbers, both of hours, centuries,
 * garbage, and a clock that counts while it is read.
 */
#include "services/clock/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define DECIMAL_24 0x02
#define DECIMAL_12 0x00
#define BINARY_24  0x06
#define BINARY_12  0x04

/* 2026-11-22 20:30:15 */
#define SECONDS 1795379415

#define NEW_YEAR 946684800      /* 2000-01-01 00:00:00 */

#define FIELDS 8u      /* second, minute, hour, day, month, year, century, format */

static const uint8_t new_year[FIELDS] = { 0, 0, 0, 1, 1, 0, 20, BINARY_24 };

static struct {
	uint8_t fields[FIELDS];
	uint32_t reads;
	uint32_t updating;         /* readings of register A that say so */
	uint32_t ticks_at;         /* the new year comes before this reading; 0: never */
	bool restless, refused;
} chip;

static status_t chip_read(void *context, uint8_t index, uint8_t *value)
{
	static const uint8_t places[FIELDS] = { 0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32, 0x0b };

	if (chip.refused)
		return STATUS_INVALID_ARGUMENT;
	if (chip.restless)
		chip.fields[0]++;
	if (++chip.reads == chip.ticks_at)
		memcpy(chip.fields, new_year, sizeof(new_year));
	*value = 0;
	if (index == 0x0a && chip.updating > 0) {
		chip.updating--;
		*value = 0x80;
	}
	for (uint32_t i = 0; i < FIELDS; i++)
		*value = places[i] == index ? chip.fields[i] : *value;
	return STATUS_OK;
}

static status_t decode(const uint8_t fields[FIELDS], uint64_t *seconds)
{
	memset(&chip, 0, sizeof(chip));
	memcpy(chip.fields, fields, sizeof(chip.fields));
	return rtc_read(chip_read, NULL, seconds);
}

static void every_format_says_the_same(void **state)
{
	static const uint8_t formats[][FIELDS] = {
		{ 0x15, 0x30, 0x20, 0x22, 0x11, 0x26, 0x20, DECIMAL_24 },
		{ 0x15, 0x30, 0x88, 0x22, 0x11, 0x26, 0x20, DECIMAL_12 },
		{ 15, 30, 20, 22, 11, 26, 20, BINARY_24 },
		{ 15, 30, 0x88, 22, 11, 26, 20, BINARY_12 },
		{ 0x15, 0x30, 0x20, 0x22, 0x11, 0x26, 0xff, DECIMAL_24 },      /* no century */
		{ 0x15, 0x30, 0x20, 0x22, 0x11, 0x26, 0x00, DECIMAL_24 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		uint64_t seconds = 0;

		assert_int_equal(decode(formats[i], &seconds), STATUS_OK);
		assert_int_equal(seconds, SECONDS);
	}
}

static void twelve_comes_before_one(void **state)
{
	uint8_t fields[FIELDS] = { 0, 0, 0x12, 0x01, 0x01, 0x70, 0x19, DECIMAL_12 };
	uint64_t seconds = 1;

	(void)state;
	assert_int_equal(decode(fields, &seconds), STATUS_OK);
	assert_int_equal(seconds, 0);
	fields[2] = 0x92;
	assert_int_equal(decode(fields, &seconds), STATUS_OK);
	assert_int_equal(seconds, 12 * 3600);
}

static void garbage_is_no_date(void **state)
{
	static const uint8_t garbage[][FIELDS] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0, 0, 0, 0, 0, 0, 0, 0 },
		{ 0x15, 0x30, 0x2a, 0x22, 0x11, 0x26, 0x20, DECIMAL_24 },
		{ 0x15, 0x30, 0x24, 0x22, 0x11, 0x26, 0x20, DECIMAL_24 },
		{ 0x15, 0x30, 0x13, 0x22, 0x11, 0x26, 0x20, DECIMAL_12 },
		{ 0x15, 0x30, 0x00, 0x22, 0x11, 0x26, 0x20, DECIMAL_12 },
		{ 0x15, 0x30, 0x20, 0x31, 0x11, 0x26, 0x20, DECIMAL_24 },
		{ 15, 30, 20, 22, 11, 126, 20, BINARY_24 },
		{ 0x15, 0x30, 0x20, 0x22, 0x11, 0x69, 0x19, DECIMAL_24 },      /* 1969 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		uint64_t seconds = 77;

		assert_int_equal(decode(garbage[i], &seconds), STATUS_FAILED);
		assert_int_equal(seconds, 77);
	}
}

/* At the end of a year all fields change at once: whenever that happens, what is read is one date or the other. */
static void a_clock_that_counts_is_read_again(void **state)
{
	static const uint8_t before[FIELDS] = { 59, 59, 23, 31, 12, 99, 19, BINARY_24 };
	uint64_t seconds = 0;

	(void)state;
	for (uint32_t at = 1; at < 40; at++) {
		memset(&chip, 0, sizeof(chip));
		memcpy(chip.fields, before, sizeof(before));
		chip.ticks_at = at;
		chip.updating = 3;
		assert_int_equal(rtc_read(chip_read, NULL, &seconds), STATUS_OK);
		assert_true(seconds == NEW_YEAR || seconds == NEW_YEAR - 1);
	}
}

static void a_clock_that_never_rests_or_answers_is_given_up(void **state)
{
	uint64_t seconds = 77;

	(void)state;
	memset(&chip, 0, sizeof(chip));
	chip.restless = true;
	assert_int_equal(rtc_read(chip_read, NULL, &seconds), STATUS_FAILED);
	memset(&chip, 0, sizeof(chip));
	chip.updating = UINT32_MAX;
	assert_int_equal(rtc_read(chip_read, NULL, &seconds), STATUS_FAILED);
	chip.refused = true;
	assert_int_equal(rtc_read(chip_read, NULL, &seconds), STATUS_INVALID_ARGUMENT);
	assert_int_equal(seconds, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_says_the_same),
		cmocka_unit_test(twelve_comes_before_one),
		cmocka_unit_test(garbage_is_no_date),
		cmocka_unit_test(a_clock_that_counts_is_read_again),
		cmocka_unit_test(a_clock_that_never_rests_or_answers_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
