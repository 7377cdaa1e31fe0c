/*
 * Tests of the histogram: its ends, and that no quantile is told wrong by more than a sixteenth.
 */
#include "rt/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct histogram histogram;

static int prepare(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	return 0;
}

static void nothing_seen_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 500), 0);
	assert_int_equal(histogram.count, 0);
}

static void small_amounts_are_exact(void **state)
{
	(void)state;
	for (uint64_t amount = 1; amount <= 30; amount++)
		histogram_add(&histogram, amount);
	assert_int_equal(histogram.least, 1);
	assert_int_equal(histogram.most, 30);
	assert_int_equal(histogram_quantile(&histogram, 0), 1);
	assert_int_equal(histogram_quantile(&histogram, 500), 15);
	assert_int_equal(histogram_quantile(&histogram, 1000), 30);
}

static void every_amount_is_told_within_a_sixteenth(void **state)
{
	(void)state;
	for (uint32_t bit = 0; bit < 64; bit++) {
		for (int32_t off = -1; off <= 1; off++) {
			uint64_t amount = (1ull << bit) + (uint64_t)(int64_t)off, told;

			prepare(NULL);
			histogram_add(&histogram, amount);
			histogram_add(&histogram, UINT64_MAX);
			told = histogram_quantile(&histogram, 500);
			assert_true(told >= amount && told - amount <= amount / 16);
			assert_int_equal(histogram_quantile(&histogram, 1000), UINT64_MAX);
		}
	}
}

static void the_quantile_is_where_it_says(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 990; i++)
		histogram_add(&histogram, 5);
	for (uint32_t i = 0; i < 10; i++)
		histogram_add(&histogram, 1000);
	assert_int_equal(histogram_quantile(&histogram, 990), 5);
	assert_int_equal(histogram_quantile(&histogram, 991), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_seen_is_nothing, prepare),
		cmocka_unit_test_setup(small_amounts_are_exact, prepare),
		cmocka_unit_test_setup(every_amount_is_told_within_a_sixteenth, prepare),
		cmocka_unit_test_setup(the_quantile_is_where_it_says, prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
