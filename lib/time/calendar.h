/*
 * The calendar: seconds since 1970-01-01 00:00:00 UTC, without leap seconds, and the date that they are. Gregorian
 * throughout. Pure; for services that tell the time and for those who print it.
 */
#ifndef LIB_TIME_CALENDAR_H
#define LIB_TIME_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define CALENDAR_YEAR_MIN 1970u
#define CALENDAR_YEAR_MAX 9999u

struct calendar_date {
	uint32_t year;
	uint32_t month;       /* 1 to 12 */
	uint32_t day;         /* 1 to 31 */
	uint32_t hour, minute, second;
};

/* Whether there is such a date, from CALENDAR_YEAR_MIN to CALENDAR_YEAR_MAX. Second 60 is none. */
bool calendar_is_date(const struct calendar_date *date);

/* Of a date that there is. */
uint64_t calendar_seconds(const struct calendar_date *date);

/* Years beyond CALENDAR_YEAR_MAX are counted on. */
struct calendar_date calendar_date_of(uint64_t seconds);

#endif
