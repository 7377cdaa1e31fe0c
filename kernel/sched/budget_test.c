/*
 * Tests of budgets: by hand, over seeded histories of wanting, being kept and overrunning, and
 * with several budgets on one processor, the earliest deadline first. Time goes in steps here.
 */
#include "kernel/sched/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kernel/core/panic.h"

#define STEP_NS   BUDGET_NS_MIN
#define STEPS     20000u
#define HISTORIES 60u

void panic(const char *format, ...)
{
	fprintf(stderr, "%s\n", format);
	abort();
}

static uint64_t chance_state;

static uint32_t chance_below(uint32_t end)
{
	chance_state = chance_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(chance_state >> 33) % end;
}

static void a_budget_comes_back_one_period_after_it_could_be_used(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, 1000000, 10000000, 500);
	assert_int_equal(budget_available_ns(&budget, 499), 0);
	assert_int_equal(budget_available_ns(&budget, 500), 1000000);
	assert_int_equal(budget_deadline_ns(&budget), 10000500);
	budget_charge(&budget, 400000);
	assert_int_equal(budget_available_ns(&budget, 400500), 600000);
	budget_begin(&budget, 5000000);
	budget_charge(&budget, 600000);
	assert_int_equal(budget_available_ns(&budget, 5600000), 0);
	assert_int_equal(budget_eligible_ns(&budget), 10000500);
	assert_int_equal(budget_available_ns(&budget, 10000500), 400000);
	assert_int_equal(budget_available_ns(&budget, 15000000), 1000000);
	budget_check(&budget);
}

static void an_overrun_is_paid_back(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, 1000000, 10000000, 0);
	budget_charge(&budget, 1300000);
	budget_check(&budget);
	assert_int_equal(budget_eligible_ns(&budget), 10000000);
	assert_int_equal(budget_available_ns(&budget, 10000000), 700000);
	budget_charge(&budget, 700000);
	assert_int_equal(budget_available_ns(&budget, 20000000), 1000000);
	/* An hour in one go: as many periods as budgets were used, and nothing lost. */
	budget_charge(&budget, 3600000000000ull);
	budget_check(&budget);
	assert_int_equal(budget_eligible_ns(&budget), 20000000 + 3600000ull * 10000000);
}

static void crumbs_wait_until_they_are_worth_a_switch(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, 20000, 1000000, 0);
	budget_charge(&budget, 1000);
	budget_begin(&budget, 300000);
	budget_charge(&budget, 19000);
	assert_int_equal(budget_available_ns(&budget, 1000000), 0);
	assert_int_equal(budget_eligible_ns(&budget), 1300000);
	assert_int_equal(budget_available_ns(&budget, 1300000), 20000);
}

static void more_parts_than_there_are_places_for_come_back_later_and_whole(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, 1000000, 10000000, 0);
	for (uint64_t i = 0; i < 20; i++) {
		budget_begin(&budget, i * 100000);
		budget_charge(&budget, 20000);
		budget_check(&budget);
	}
	assert_int_equal(budget.count, BUDGET_REFILLS);
	assert_int_equal(budget_available_ns(&budget, 1900000 + 10000000), 1000000);
}

static void what_cannot_be_a_budget_is_refused(void **state)
{
	(void)state;
	assert_true(budget_is_valid(BUDGET_NS_MIN, BUDGET_PERIOD_NS_MIN));
	assert_true(budget_is_valid(BUDGET_PERIOD_NS_MAX, BUDGET_PERIOD_NS_MAX));
	assert_false(budget_is_valid(BUDGET_NS_MIN - 1, BUDGET_PERIOD_NS_MIN));
	assert_false(budget_is_valid(BUDGET_NS_MIN, BUDGET_PERIOD_NS_MIN - 1));
	assert_false(budget_is_valid(BUDGET_NS_MIN, BUDGET_PERIOD_NS_MAX + 1));
	assert_false(budget_is_valid(BUDGET_PERIOD_NS_MIN + 1, BUDGET_PERIOD_NS_MIN));
}

/* --- Histories ------------------------------------------------------------------------------ */

/* What happened in each step, as sums from the start. */
static uint64_t used_until[STEPS + 1];

struct history {
	bool others;   /* somebody else takes the processor now and then */
	bool overruns; /* the end of the budget is noticed late now and then */
};

/* One holder that wants for a while and sleeps for a while; answers the longest overrun. */
static uint64_t play(const struct history *history, struct budget *budget)
{
	bool wants = false, kept = false;
	uint64_t late = 0, over = 0, over_max = 0;

	for (uint32_t step = 0; step < STEPS; step++) {
		uint64_t now_ns = step * STEP_NS;
		bool can, runs;

		if (chance_below(wants ? 9 : 5) == 0) {
			wants = !wants;
			if (wants)
				budget_begin(budget, now_ns);
		}
		if (chance_below(6) == 0)
			kept = history->others && chance_below(2);
		can = budget_available_ns(budget, now_ns) > 0;
		if (can)
			late = history->overruns && chance_below(4) == 0 ? chance_below(5) : 0;
		runs = wants && !kept &&
				(can || (late && used_until[step] > used_until[step ? step - 1 : 0]));
		over = runs && !can ? over + STEP_NS : 0;
		late -= runs && !can;
		over_max = over > over_max ? over : over_max;
		if (runs && now_ns >= budget->period_ns)
			budget_begin(budget, now_ns - budget->period_ns);
		if (runs)
			budget_charge(budget, STEP_NS);
		budget_check(budget);
		used_until[step + 1] = used_until[step] + (runs ? STEP_NS : 0);
	}
	return over_max;
}

static void check_windows(const struct budget *budget, uint64_t most_ns)
{
	uint32_t period = (uint32_t)(budget->period_ns / STEP_NS);

	for (uint32_t from = 0; from + period <= STEPS; from++) {
		uint64_t used = used_until[from + period] - used_until[from];

		assert_true(used <= most_ns);
	}
}

static void play_many(const struct history *history)
{
	for (uint32_t seed = 0; seed < HISTORIES; seed++) {
		uint64_t period = 10 + chance_below(90), amount = 1 + chance_below((uint32_t)period);
		struct budget budget;
		uint64_t over_max;

		chance_state = seed;
		budget_init(&budget, amount * STEP_NS, period * STEP_NS, 0);
		over_max = play(history, &budget);
		check_windows(&budget, budget.budget_ns * (history->others ? 2 : 1) + over_max);
	}
}

static void no_window_has_more_than_the_budget(void **state)
{
	(void)state;
	play_many(&(struct history){ 0 });
}

static void who_is_kept_from_it_has_no_more_than_twice(void **state)
{
	(void)state;
	play_many(&(struct history){ .others = true });
}

static void an_overrun_is_all_that_comes_on_top(void **state)
{
	(void)state;
	play_many(&(struct history){ .overruns = true });
	play_many(&(struct history){ .others = true, .overruns = true });
}

/* --- Several -------------------------------------------------------------------------------- */

#define HOLDERS 12u

struct holder {
	struct budget budget;
	uint64_t used_ns;
};

/* Of those that can run, the one whose deadline is earliest. */
static struct holder *earliest(struct holder *holders, uint32_t count, uint64_t now_ns)
{
	struct holder *first = NULL;

	for (uint32_t i = 0; i < count; i++) {
		struct holder *holder = &holders[i];

		if (budget_available_ns(&holder->budget, now_ns) &&
				(!first || budget_deadline_ns(&holder->budget) <
								budget_deadline_ns(&first->budget)))
			first = holder;
	}
	return first;
}

/* As many as are admitted; all of them want all the time. */
static uint32_t admit_many(struct holder *holders)
{
	struct admission admission = { 0 };
	uint32_t count = 0;

	for (uint32_t tries = 0; tries < 100 && count < HOLDERS; tries++) {
		uint64_t period = 10 + chance_below(190), amount = 1 + chance_below((uint32_t)period / 3);

		if (!admission_take(&admission, amount * STEP_NS, period * STEP_NS))
			continue;
		holders[count] = (struct holder){ 0 };
		budget_init(&holders[count++].budget, amount * STEP_NS, period * STEP_NS, 0);
	}
	return count;
}

static void all_that_are_admitted_get_their_budget_in_every_period(void **state)
{
	static struct holder holders[HOLDERS];

	(void)state;
	for (uint32_t seed = 0; seed < HISTORIES; seed++) {
		uint32_t count;

		chance_state = seed + 1000;
		count = admit_many(holders);
		assert_true(count >= 2);
		for (uint64_t now_ns = 0; now_ns < STEPS * STEP_NS; now_ns += STEP_NS) {
			struct holder *runs = earliest(holders, count, now_ns);

			for (uint32_t i = 0; i < count; i++) {
				const struct budget *budget = &holders[i].budget;
				uint64_t periods = now_ns / budget->period_ns;

				assert_true(holders[i].used_ns >= periods * budget->budget_ns);
				assert_true(holders[i].used_ns <= (periods + 1) * budget->budget_ns);
			}
			if (runs) {
				budget_charge(&runs->budget, STEP_NS);
				runs->used_ns += STEP_NS;
			}
		}
	}
}

static void admission_is_exact(void **state)
{
	struct admission admission = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 9; i++)
		assert_true(admission_take(&admission, 1000000, 10000000));
	assert_int_equal(admission.promised, BUDGET_PROMISED);
	assert_false(admission_take(&admission, BUDGET_NS_MIN, BUDGET_PERIOD_NS_MAX));
	assert_int_equal(admission.promised, BUDGET_PROMISED);
	admission_give(&admission, 1000000, 10000000);
	assert_true(admission_take(&admission, 100000000, 1000000000));
	/* Thirds are rounded up: three of them and a tenth less than nothing do not fit into nine tenths. */
	admission = (struct admission){ 0 };
	assert_true(admission_take(&admission, 3000000, 10000000 * 1ull));
	assert_true(admission_take(&admission, 1000000, 3000000));
	assert_false(admission_take(&admission, 8000000, 30000000));
	assert_true(admission_take(&admission, 7999999, 30000000));
	admission_give(&admission, 7999999, 30000000);
	admission_give(&admission, 1000000, 3000000);
	admission_give(&admission, 3000000, 10000000);
	assert_int_equal(admission.promised, 0);
	assert_false(admission_take(&admission, BUDGET_PERIOD_NS_MAX, BUDGET_PERIOD_NS_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_budget_comes_back_one_period_after_it_could_be_used),
		cmocka_unit_test(an_overrun_is_paid_back),
		cmocka_unit_test(crumbs_wait_until_they_are_worth_a_switch),
		cmocka_unit_test(more_parts_than_there_are_places_for_come_back_later_and_whole),
		cmocka_unit_test(what_cannot_be_a_budget_is_refused),
		cmocka_unit_test(no_window_has_more_than_the_budget),
		cmocka_unit_test(who_is_kept_from_it_has_no_more_than_twice),
		cmocka_unit_test(an_overrun_is_all_that_comes_on_top),
		cmocka_unit_test(all_that_are_admitted_get_their_budget_in_every_period),
		cmocka_unit_test(admission_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
