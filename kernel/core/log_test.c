/*
 * Tests of formatting against the host's own, and of what the log writes for a line.
 */
#include "kernel/core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "kernel/core/spinlock.h"

static char written[1024];
static size_t written_count;

void arch_console_write(const char *chars, size_t count)
{
	assert_true(written_count + count < sizeof(written));
	memcpy(written + written_count, chars, count);
	written_count += count;
	written[written_count] = '\0';
}

void spin_debug_acquire(struct spinlock *lock)
{
}

void spin_debug_release(struct spinlock *lock)
{
}

static int setup(void **state)
{
	written_count = 0;
	written[0] = '\0';
	log_set_level(LOG_INFO);
	return 0;
}

#define ASSERT_SAME(...) \
	do { \
		char ours[200], theirs[200]; \
		size_t count = format_chars(ours, sizeof(ours), __VA_ARGS__); \
		snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_string_equal(ours, theirs); \
		assert_int_equal(count, strlen(ours)); \
	} while (0)

static void formats_as_the_host_does(void **state)
{
	static const long numbers[] = { 0, 1, -1, 9, 10, -10, INT64_MAX, INT64_MIN, 123456789 };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		unsigned long u = (unsigned long)numbers[i];

		ASSERT_SAME("%ld %lu %lx", numbers[i], u, u);
		ASSERT_SAME("%d %u %x", (int)numbers[i], (unsigned int)u, (unsigned int)u);
		ASSERT_SAME("%5d|%-5d|%05d|%20ld|%020ld", (int)numbers[i] % 1000,
				(int)numbers[i] % 1000, (int)numbers[i] % 1000, numbers[i],
				numbers[i]);
		ASSERT_SAME("%016lx %zu", u, (size_t)u);
	}
	ASSERT_SAME("%s|%8s|%-8s|%2s|%c|%%", "abc", "abc", "abc", "abc", 'x');
	ASSERT_SAME("%p", (void *)0x1234);
	ASSERT_SAME("nothing");
}

static void cuts_where_the_buffer_ends(void **state)
{
	char buffer[8];

	memset(buffer, 0x55, sizeof(buffer));
	assert_int_equal(format_chars(buffer, 4, "%s", "abcdef"), 3);
	assert_string_equal(buffer, "abc");
	assert_int_equal(buffer[4], 0x55);
	assert_int_equal(format_chars(buffer, 1, "%d", 123), 0);
	assert_string_equal(buffer, "");
	assert_int_equal(format_chars(buffer, 0, "%d", 123), 0);
}

static void a_line_has_a_prefix_and_an_end(void **state)
{
	log_line(LOG_INFO, "%u pages", 7);
	log_line(LOG_WARNING, "odd");
	log_line(LOG_DEBUG, "not shown");
	log_set_level(LOG_DEBUG);
	log_line(LOG_DEBUG, "shown");
	assert_string_equal(written, "capos: 7 pages\nWARNING: odd\ncapos: shown\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	char text[400];

	memset(text, 'x', sizeof(text));
	text[399] = '\0';
	log_line(LOG_INFO, "%s", text);
	assert_true(written_count <= 256);
	assert_int_equal(written[written_count - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(formats_as_the_host_does, setup),
		cmocka_unit_test_setup(cuts_where_the_buffer_ends, setup),
		cmocka_unit_test_setup(a_line_has_a_prefix_and_an_end, setup),
		cmocka_unit_test_setup(a_long_line_is_cut_and_still_ends, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
