/*
 * Tests inside a booted capOS: a list of functions, run in order, whose outcome goes to the
 * kernel's console as lines that begin with "TAP". The runner (tools/runner/test.py) reads them
 * from the kernel log.
 *
 * A failed check is noted with its place and the test goes on; REQUIRE leaves the test.
 */
#ifndef TESTS_GUEST_TAP_H
#define TESTS_GUEST_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/compiler.h"

struct test {
	const char *name;
	void (*run)(void);
};

/* Runs tests one after the other. `before` and `after` stand around each (NULL: nothing). */
void tap_run(const struct test *tests, uint32_t count, void (*before)(void), void (*after)(void));

/* Prints the plan and powers the machine off: status 0 if every test passed. */
NORETURN void tap_end(void);

/* Notes a failure of the running test unless `passed`; answers `passed`. */
bool tap_check(bool passed, const char *file, int line, const char *what);
bool tap_check_equal(int64_t value, int64_t expected, const char *file, int line, const char *what);
/* A remark in the log. */
void tap_note(const char *format, ...) PRINTF_LIKE(1, 2);

#define CHECK(condition) ((void)tap_check((condition), __FILE__, __LINE__, #condition))
#define CHECK_EQUAL(value, expected) \
	((void)tap_check_equal((int64_t)(value), (int64_t)(expected), __FILE__, __LINE__, #value))
#define REQUIRE(condition)                                                   \
	do {                                                                 \
		if (!tap_check((condition), __FILE__, __LINE__, #condition)) \
			return;                                              \
	} while (0)
#define REQUIRE_OK(status)                                                      \
	do {                                                                    \
		if (!tap_check_equal((status), 0, __FILE__, __LINE__, #status)) \
			return;                                                 \
	} while (0)

#endif
