/*
 * Tests of plain_text_copy: what passes, and what becomes '?'.
 */
#include "kernel/core/plain_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_becomes(const char *in, const char *expected)
{
	char out[64] = { 0 };

	assert_int_equal(strlen(in), strlen(expected));
	plain_text_copy(out, in, strlen(in));
	assert_string_equal(out, expected);
}

static void text_passes(void **state)
{
	(void)state;
	assert_becomes("plain ~!\t[x]", "plain ~!\t[x]");
	assert_becomes("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
			"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_becomes("\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf",
			"\xc2\xa0\xed\x9f\xbf\xf4\x8f\xbf\xbf");
}

static void controls_do_not(void **state)
{
	(void)state;
	assert_becomes("\x1b[2J\r\x07\x7f\n", "?[2J????");
	assert_becomes("\xc2\x9b"
		       "31m",
			"??31m"); /* CSI as one character */
	assert_becomes("\x9b"
		       "31m",
			"?31m");
}

static void broken_characters_do_not(void **state)
{
	(void)state;
	assert_becomes("\xc3", "?");
	assert_becomes("\xe2\x82", "??");
	assert_becomes("\xe2\x82x", "??x");
	assert_becomes("\xc0\xaf\xe0\x80\xaf", "?????");
	assert_becomes("\xed\xa0\x80", "???");
	assert_becomes("\xf4\x90\x80\x80\xff", "?????");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_passes),
		cmocka_unit_test(controls_do_not),
		cmocka_unit_test(broken_characters_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
