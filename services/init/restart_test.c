/*
 * Tests of the restart policy: who is restarted, how long each waits, when init gives up.
 */
#include "services/init/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static struct plan_restart policy;
static struct restart_history history;
static uint64_t delay_ns;

static int three_a_minute(void **state)
{
	(void)state;
	policy = (struct plan_restart){
		.policy = RESTART_POLICY_ALWAYS,
		.budget = 3,
		.window_ns = 60 * SECOND_NS,
		.backoff_ns = SECOND_NS,
		.backoff_max_ns = 3 * SECOND_NS,
	};
	history = (struct restart_history){ 0 };
	delay_ns = UINT64_MAX;
	return 0;
}

static enum restart_verdict end_at(uint64_t now_ns, bool failed)
{
	return restart_decide(&policy, &history, failed, now_ns, &delay_ns);
}

static void never_means_never(void **state)
{
	(void)state;
	policy.policy = RESTART_POLICY_NEVER;
	assert_int_equal(end_at(0, true), RESTART_NEVER);
	assert_int_equal(history.count, 0);
}

static void on_failure_spares_an_orderly_end(void **state)
{
	(void)state;
	policy.policy = RESTART_POLICY_ON_FAILURE;
	assert_int_equal(end_at(0, false), RESTART_NEVER);
	assert_int_equal(end_at(0, true), RESTART_LATER);
}

static void each_restart_waits_twice_as_long_up_to_the_maximum(void **state)
{
	(void)state;
	assert_int_equal(end_at(0, false), RESTART_LATER);
	assert_int_equal(delay_ns, 1 * SECOND_NS);
	assert_int_equal(end_at(1, false), RESTART_LATER);
	assert_int_equal(delay_ns, 2 * SECOND_NS);
	assert_int_equal(end_at(2, false), RESTART_LATER);
	assert_int_equal(delay_ns, 3 * SECOND_NS);
}

static void the_budget_ends(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(end_at(60 * SECOND_NS, true), RESTART_LATER);
	assert_int_equal(end_at(60 * SECOND_NS, true), RESTART_GIVE_UP);
}

static void a_new_window_has_a_new_budget(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(end_at(5, true), RESTART_LATER);
	assert_int_equal(end_at(5 + 60 * SECOND_NS, true), RESTART_GIVE_UP);
	assert_int_equal(end_at(6 + 60 * SECOND_NS, true), RESTART_LATER);
	assert_int_equal(delay_ns, 1 * SECOND_NS);
}

static void a_budget_of_nothing_gives_up_at_once(void **state)
{
	(void)state;
	policy.budget = 0;
	assert_int_equal(end_at(0, true), RESTART_GIVE_UP);
}

static void forgetting_gives_the_whole_budget_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(end_at(0, true), RESTART_LATER);
	restart_forget(&history);
	assert_int_equal(end_at(0, true), RESTART_LATER);
	assert_int_equal(delay_ns, 1 * SECOND_NS);
}

static void no_back_off_stays_none(void **state)
{
	(void)state;
	policy.backoff_ns = 0;
	policy.budget = 1000;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(end_at(0, true), RESTART_LATER);
	assert_int_equal(delay_ns, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, three_a_minute)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(never_means_never),
		TEST(on_failure_spares_an_orderly_end),
		TEST(each_restart_waits_twice_as_long_up_to_the_maximum),
		TEST(the_budget_ends),
		TEST(a_new_window_has_a_new_budget),
		TEST(a_budget_of_nothing_gives_up_at_once),
		TEST(forgetting_gives_the_whole_budget_back),
		TEST(no_back_off_stays_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
