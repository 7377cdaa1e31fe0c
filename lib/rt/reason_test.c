/*
 * Refusals in words: what a person reads when the kernel says no.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "rt/reason.h"

static uint64_t detail_of(uint32_t reason, uint32_t class_, uint32_t id, uint64_t limit)
{
	return reason | (uint64_t)class_ << 8 | (uint64_t)id << 16 | limit << 32;
}

static void expect(status_t status, uint64_t detail, const char *sentence)
{
	char out[200];

	assert_int_equal(reason_into(out, sizeof(out), status, detail), strlen(sentence));
	assert_string_equal(out, sentence);
}

static void a_ledger_names_resource_ledger_and_limit(void **state)
{
	expect(STATUS_OVERLOADED, detail_of(REASON_LEDGER, RESOURCE_CLASS_FRAMES, 7, 6144),
			"memory pages are used up in ledger 7 (limit 6144)");
}

static void sizes_are_both_told(void **state)
{
	expect(STATUS_TOO_LARGE, detail_of(REASON_SIZE, 0, 300, 256), "300 words were offered where 256 are taken");
}

static void without_a_detail_the_status_speaks(void **state)
{
	expect(STATUS_BAD_CAPABILITY, 0, status_sentence(STATUS_BAD_CAPABILITY));
	expect(STATUS_FAILED, detail_of(0xff, 1, 2, 3), status_sentence(STATUS_FAILED));
}

static void a_small_buffer_is_cut(void **state)
{
	char out[8];

	assert_int_equal(reason_into(out, sizeof(out), STATUS_OVERLOADED, detail_of(REASON_LEDGER, 1, 2, 3)), 7);
	assert_string_equal(out, "capabil");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ledger_names_resource_ledger_and_limit),
		cmocka_unit_test(sizes_are_both_told),
		cmocka_unit_test(without_a_detail_the_status_speaks),
		cmocka_unit_test(a_small_buffer_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
