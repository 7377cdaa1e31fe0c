/*
 * The calendar; see calendar.h. Years are counted from March, so that the leap day is a year's last: then a month
 * begins on a day that depends on its number alone, and 400 years have the same number of days wherever they begin.
 */
#include "time/calendar.h"

#define DAY_SECONDS    86400u
#define YEAR_DAYS      365u
#define CYCLE_YEARS    400u
#define CYCLE_DAYS     146097u
#define DAYS_TO_1970   719468u      /* from 1 March of the year 0 */

static bool is_leap_year(uint32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap_year(year) ? 1u : 0u);
}

bool calendar_is_date(const struct calendar_date *date)
{
	return date->year >= CALENDAR_YEAR_MIN && date->year <= CALENDAR_YEAR_MAX &&
			date->month >= 1 && date->month <= 12 &&
			date->day >= 1 && date->day <= month_days(date->year, date->month) &&
			date->hour < 24 && date->minute < 60 && date->second < 60;
}

/* Days of a year that begins in March before its month: 31 30 31 30 31, twice, then 31. */
static uint32_t days_before(uint32_t month_from_march)
{
	return (153 * month_from_march + 2) / 5;
}

static uint64_t leap_days(uint64_t years)
{
	return years / 4 - years / 100 + years / 400;
}

uint64_t calendar_seconds(const struct calendar_date *date)
{
	uint64_t year = date->year - (date->month <= 2);
	uint32_t month = (date->month + 9) % 12;
	uint64_t days = year * YEAR_DAYS + leap_days(year) + days_before(month) + date->day - 1 - DAYS_TO_1970;

	return days * DAY_SECONDS + date->hour * 3600u + date->minute * 60u + date->second;
}

struct calendar_date calendar_date_of(uint64_t seconds)
{
	uint64_t days = seconds / DAY_SECONDS + DAYS_TO_1970;
	uint32_t rest = (uint32_t)(seconds % DAY_SECONDS);
	uint32_t day = (uint32_t)(days % CYCLE_DAYS);
	/* Leap days that have passed in the cycle are taken off: one each 1461 days, but for the centuries' */
	uint32_t year = (day - day / 1460 + day / 36524 - day / (CYCLE_DAYS - 1)) / YEAR_DAYS;
	uint32_t month;

	day -= year * YEAR_DAYS + (uint32_t)leap_days(year);
	month = (5 * day + 2) / 153;
	return (struct calendar_date){
		.year = (uint32_t)(days / CYCLE_DAYS * CYCLE_YEARS) + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day - days_before(month) + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
	};
}
