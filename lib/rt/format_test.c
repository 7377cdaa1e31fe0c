/*
 * Tests of formatting: each conversion against the host's own library, and every buffer size.
 */
#include "rt/format.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAME(...) \
	do { \
		char ours[128]; \
		char theirs[128]; \
		int length = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_int_equal(rt_snprintf(ours, sizeof(ours), __VA_ARGS__), length); \
		assert_string_equal(ours, theirs); \
	} while (0)

static void conversions_agree_with_the_host(void **state)
{
	(void)state;
	SAME("plain %% text");
	SAME("%d %i %d %d", 0, -1, INT32_MAX, INT32_MIN);
	SAME("%ld %lld %zu", INT64_MIN, (long long)INT64_MAX, SIZE_MAX);
	SAME("%hhd %hd %hhu %hu", (signed char)-3, (short)-300, (unsigned char)250,
			(unsigned short)65000);
	SAME("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, -42, 42, 42);
	SAME("[%8.3d] [%-8.3d] [%.0d]", 7, -7, 0);
	SAME("%x %X %#x %08x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
	SAME("%016lx", 0x1234567890abcdeful);
	SAME("[%s] [%10s] [%-10s] [%.2s] [%10.2s]", "text", "text", "text", "text", "text");
	SAME("[%*d] [%-*d] [%.*s] [%*s]", 6, 42, 6, 42, 3, "abcdef", -6, "ab");
	SAME("%c%c [%3c]", 'a', 'b', 'c');
	SAME("%p", (void *)(uintptr_t)0x1000);
}

static void result_is_cut_and_terminated(void **state)
{
	char buffer[16];
	size_t size;

	(void)state;
	for (size = 0; size < sizeof(buffer); size++) {
		size_t length;

		memset(buffer, '#', sizeof(buffer));
		length = format_into(buffer, size, "%s-%d", "abc", 1234);
		assert_int_equal(length, size == 0 ? 0 : size - 1 < 8 ? size - 1 : 8);
		assert_int_equal(rt_snprintf(NULL, 0, "%s-%d", "abc", 1234), 8);
		if (size != 0)
			assert_int_equal(buffer[length], '\0');
		assert_memory_equal(buffer, "abc-1234", length);
		assert_int_equal(buffer[size], '#');
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversions_agree_with_the_host),
		cmocka_unit_test(result_is_cut_and_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
