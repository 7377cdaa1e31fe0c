/*
 * TAP on the kernel's console; see tap.h. Always true: each test makes exactly one line "ok" or
 * "not ok", after the remarks about its failed checks.
 */
#include "tests/guest/tap.h"

#include <stdarg.h>

#include "rt/format.h"
#include "rt/program.h"
#include "tests/guest/world.h"

#define NOTES_MAX 8u /* of one test; more would only repeat */

static uint32_t number;
static uint32_t failed_tests;
static uint32_t failed_checks;

void tap_note(const char *format, ...)
{
	char line[400];
	va_list args;

	va_start(args, format);
	format_into_va(line, sizeof(line), format, args);
	va_end(args);
	rt_print("TAP # %s", line);
}

bool tap_check(bool passed, const char *file, int line, const char *what)
{
	if (!passed && failed_checks++ < NOTES_MAX)
		tap_note("%s:%d: not true: %s", file, line, what);
	return passed;
}

bool tap_check_equal(int64_t value, int64_t expected, const char *file, int line, const char *what)
{
	if (value != expected && failed_checks++ < NOTES_MAX)
		tap_note("%s:%d: %s is %ld, not %ld", file, line, what, (long)value,
				(long)expected);
	return value == expected;
}

void tap_run(const struct test *tests, uint32_t count, void (*before)(void), void (*after)(void))
{
	for (uint32_t i = 0; i < count; i++) {
		failed_checks = 0;
		if (before)
			before();
		tests[i].run();
		if (after)
			after();
		if (failed_checks)
			failed_tests++;
		rt_print("TAP %s %u - %s", failed_checks ? "not ok" : "ok", ++number,
				tests[i].name);
	}
}

void tap_end(void)
{
	rt_print("TAP 1..%u", number);
	(void)!system_control_power_off(world.system, failed_tests ? 1 : 0);
	rt_exit(1);
}
