/*
 * The battery clock; see rtc.h. Registers are those of the MC146818A's data sheet; the century is where PC firmware
 * puts it unless ACPI says otherwise (offset 0x32), and is left out of account if it makes no sense.
 *
 * The clock counts while it is read. It says when it is about to, but that may begin between two registers: the date
 * is read until two readings agree.
 */
#include "services/clock/rtc.h"

#include <stdbool.h>
#include <string.h>

#include "abi/compiler.h"
#include "time/calendar.h"

#define REGISTER_A        0x0a
#define A_UPDATING        0x80
#define B_BINARY          0x04
#define B_24_HOURS        0x02
#define HOUR_AFTERNOON    0x80

#define READ_TRIES 1000u      /* an update takes 2 ms at most, a try some microseconds */

/* Of a date, in this order, and how its numbers are written. */
enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, FORMAT, FIELDS };
static const uint8_t registers[FIELDS] = { 0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32, 0x0b };

/* --- What the registers say ----------------------------------------------------------------------- */

/* A number in the clock's format; *good turns false where it is none. */
static uint32_t number(uint8_t value, bool binary, bool *good)
{
	if (binary)
		return value;
	*good = *good && (value & 0xf) < 10 && value >> 4 < 10;
	return (value >> 4) * 10u + (value & 0xf);
}

static uint32_t hour_of_day(uint8_t value, bool binary, bool is_24_hours, bool *good)
{
	uint32_t hour;

	if (is_24_hours)
		return number(value, binary, good);
	hour = number(value & (uint8_t)~HOUR_AFTERNOON, binary, good);
	*good = *good && hour >= 1 && hour <= 12;
	return hour % 12 + ((value & HOUR_AFTERNOON) != 0 ? 12 : 0);
}

static status_t decode(const uint8_t fields[FIELDS], uint64_t *seconds)
{
	bool binary = (fields[FORMAT] & B_BINARY) != 0;
	bool good = true, has_century = true;
	uint32_t century = number(fields[CENTURY], binary, &has_century);
	struct calendar_date date = {
		.year = number(fields[YEAR], binary, &good),
		.month = number(fields[MONTH], binary, &good),
		.day = number(fields[DAY], binary, &good),
		.hour = hour_of_day(fields[HOUR], binary, (fields[FORMAT] & B_24_HOURS) != 0, &good),
		.minute = number(fields[MINUTE], binary, &good),
		.second = number(fields[SECOND], binary, &good),
	};

	good = good && date.year < 100;
	date.year += has_century && century >= 19 && century < 100 ? century * 100 : 2000;
	if (!good || !calendar_is_date(&date))
		return STATUS_FAILED;
	*seconds = calendar_seconds(&date);
	return STATUS_OK;
}

/* --- Reading -------------------------------------------------------------------------------------- */

static status_t fields_read(rtc_register_read *read, void *context, uint8_t fields[FIELDS])
{
	status_t st = STATUS_OK;

	for (uint32_t i = 0; i < FIELDS && st == STATUS_OK; i++)
		st = read(context, registers[i], &fields[i]);
	return st;
}

status_t rtc_read(rtc_register_read *read, void *context, uint64_t *seconds)
{
	uint8_t fields[FIELDS], last[FIELDS] = { 0 };
	bool have_last = false;

	for (uint32_t try = 0; try < READ_TRIES; try++) {
		uint8_t a = 0;
		status_t st = read(context, REGISTER_A, &a);

		if (st == STATUS_OK && (a & A_UPDATING) != 0)
			continue;
		if (st == STATUS_OK)
			st = fields_read(read, context, fields);
		if (st != STATUS_OK)
			return st;
		if (have_last && memcmp(fields, last, sizeof(last)) == 0)
			return decode(fields, seconds);
		memcpy(last, fields, sizeof(last));
		have_last = true;
	}
	return STATUS_FAILED;
}
