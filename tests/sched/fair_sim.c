/*
 * Seeded workloads on simulated processors (sim.h), and what must never happen in them: one test each.
 *
 *     fair_sim                     the seeds of the tests
 *     fair_sim --figures [SEEDS]   what each kind of workload comes to, as docs/design/0010 has it;
 *                                  start_time_sim does the same with the order of start_time_queue.c
 *
 * A finding prints the seed; the same seed comes to the same place.
 */
#include "tests/sched/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef SEEDS
#define SEEDS 40u
#endif
#define SECONDS 3u
#define TICKS   (SECONDS * 1000 * SIM_MS)

/* In slices, of those there are the longest. A lag that somebody brings or leaves is shared by the others, so those are a little
 * beyond one where threads come and go. */
#define STEADY_LIMIT      1.0
#define WINDOW_LIMIT      1.5
#define MANY_WINDOW_LIMIT 2.0
#define LAG_LIMIT         4.0
/* Its own request and one of another's, and what others bring. */
#define WAIT_LIMIT        2.2
/* Those who wake often for little wait for no more than one slice of somebody else's. */
#define LATENCY_LIMIT_TICKS (17 * SIM_MS)
#define LATENCY_MEAN_US     300

enum { STEADY, CLASSES, INTERACTIVE, MIXED, PROCESSORS };

struct kind {
	const char *name;
	void      (*fill)(struct sim_setup *setup, uint64_t *dice);
};

static uint32_t any_weight(uint64_t *dice)
{
	static const uint32_t ranges[] = { 10, 100, 1000, SCHED_WEIGHT_MAX };

	return (uint32_t)(1 + sim_below(dice, ranges[sim_below(dice, 4)]));
}

static struct sim_habit hog(uint32_t weight, enum sim_class class)
{
	return (struct sim_habit){ .weight = weight, .class = class, .affinity = SCHED_ANYWHERE,
		.work_ticks = SIM_NEVER, .life_ticks = SIM_NEVER };
}

/* Threads that only compute, one slice for all: each has its share at any time, to one slice. */
static void fill_steady(struct sim_setup *setup, uint64_t *dice)
{
	setup->processors = 1;
	setup->threads = (uint32_t)(2 + sim_below(dice, 20));
	setup->window_limit = setup->lag_limit = STEADY_LIMIT;
	for (uint32_t i = 0; i < setup->threads; i++)
		setup->habits[i] = hog(any_weight(dice), SIM_NORMAL);
}

/* The same with all classes. */
static void fill_classes(struct sim_setup *setup, uint64_t *dice)
{
	fill_steady(setup, dice);
	for (uint32_t i = 0; i < setup->threads; i++)
		setup->habits[i].class = (enum sim_class)sim_below(dice, SIM_CLASSES);
}

/* Many that compute, and a few that wake often for little: they must run soon. */
static void fill_interactive(struct sim_setup *setup, uint64_t *dice)
{
	uint32_t sleepers = (uint32_t)(1 + sim_below(dice, 3));

	setup->latency_limit = LATENCY_LIMIT_TICKS;
	setup->processors = 1;
	setup->threads = (uint32_t)(8 + sim_below(dice, 8));
	for (uint32_t i = 0; i < setup->threads; i++) {
		setup->habits[i] = hog(100, i % 3 ? SIM_NORMAL : SIM_BATCH);
		if (i >= sleepers)
			continue;
		setup->habits[i].class = SIM_INTERACTIVE;
		setup->habits[i].work_ticks = 100 * SIM_US;
		setup->habits[i].sleep_ticks = 20 * SIM_MS;
	}
}

/* Anything: sleepers, bursts, yields, ends and arrivals, on one processor. */
static void fill_mixed(struct sim_setup *setup, uint64_t *dice)
{
	setup->processors = 1;
	setup->threads = (uint32_t)(2 + sim_below(dice, 30));
	for (uint32_t i = 0; i < setup->threads; i++) {
		struct sim_habit *habit = &setup->habits[i];

		*habit = hog(any_weight(dice), (enum sim_class)sim_below(dice, SIM_CLASSES));
		habit->arrives_at = sim_below(dice, 2) ? 0 : sim_below(dice, setup->ticks / 2);
		if (sim_below(dice, 3) == 0)
			continue;
		habit->work_ticks = 20 * SIM_US << sim_below(dice, 10);
		if (sim_below(dice, 4) != 0)
			habit->sleep_ticks = 50 * SIM_US << sim_below(dice, 11);
		if (sim_below(dice, 3) == 0)
			habit->life_ticks = 100 * SIM_MS;
	}
}

/* The same on several processors, with affinities, and somebody who changes everything. */
static void fill_processors(struct sim_setup *setup, uint64_t *dice)
{
	fill_mixed(setup, dice);
	setup->processors = (uint32_t)(2 + sim_below(dice, SIM_PROCESSORS_MAX - 1));
	setup->changes = sim_below(dice, 2);
	setup->window_limit = MANY_WINDOW_LIMIT;
	for (uint32_t i = 0; i < setup->threads; i++) {
		if (sim_below(dice, 4) == 0)
			setup->habits[i].affinity = 1ull << sim_below(dice, setup->processors);
	}
}

static const struct kind kinds[] = {
	[STEADY] = { "steady", fill_steady },
	[CLASSES] = { "classes", fill_classes },
	[INTERACTIVE] = { "interactive", fill_interactive },
	[MIXED] = { "mixed", fill_mixed },
	[PROCESSORS] = { "processors", fill_processors },
};

static struct sim_setup setup_new(uint64_t seed)
{
	return (struct sim_setup){ .seed = seed, .ticks = TICKS, .latency_limit = SIM_NEVER, .window_limit = WINDOW_LIMIT,
		.lag_limit = LAG_LIMIT, .wait_limit = WAIT_LIMIT };
}

static void run(const struct kind *kind, uint64_t seed)
{
	struct sim_setup setup = setup_new(seed);
	uint64_t dice = seed * 0x2545f4914f6cdd1dull + 7;

	(void)sim_random(&dice);
	kind->fill(&setup, &dice);
	(void)sim_run(&setup);
}

/* --- Figures ------------------------------------------------------------------------------------ */

static double mean(double sum, uint64_t count)
{
	return count ? sum / (double)count / SIM_US : 0;
}

static void print_figures(const struct kind *kind, uint32_t seeds)
{
	const struct sim_figures *figures = &sim_figures;

	memset(&sim_figures, 0, sizeof(sim_figures));
	for (uint64_t seed = 1; seed <= seeds; seed++)
		run(kind, seed);
	printf("%-11s | %6.2f | %5.2f %5.2f | %5.2f | %8lu | %6lu", kind->name, figures->window_max, figures->lag_min,
			figures->lag_max, figures->owed_max, figures->switches, figures->moves);
	for (uint32_t i = 0; i < SIM_CLASSES; i++)
		printf(" | %7.0f %8.0f", mean(figures->latency_sum[i], figures->wakes[i]),
				(double)figures->latency_max[i] / SIM_US);
	printf("\n");
}

static void print_all_figures(uint32_t seeds)
{
	printf("%u seeds of %u s each; slices; microseconds from waking to running, mean and longest\n"
			"workload    | window | lag         | waits | switches | moves  | interactive      | normal           "
			"| batch\n", seeds, SECONDS);
	for (uint32_t i = 0; i < ARRAY_LEN(kinds); i++)
		print_figures(&kinds[i], seeds);
}

/* --- What is found in no workload ----------------------------------------------------------------- */

static int run_all(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			run(&kinds[i], seed);
	}
	return 0;
}

static void queues_are_as_they_always_are(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_SHAPE]);
}

static void lags_are_what_the_model_says(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_ACCOUNT]);
}

static void each_has_its_share_to_a_slice(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_SHARE]);
}

static void nobody_starves(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_STARVED]);
}

static void nobody_is_where_it_may_not_run(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_AFFINITY]);
}

static void moves_are_bounded(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_MOVES]);
	assert_true(sim_figures.moves > 100);
}

static void nobody_idles_beside_those_who_wait(void **state)
{
	struct sim_setup setup = setup_new(1);

	(void)state;
	assert_false(sim_found[SIM_IDLE]);
	/* Of four on two processors those two end that are on the same one: the others have one each. */
	setup.processors = 2;
	setup.threads = 4;
	for (uint32_t i = 0; i < setup.threads; i++) {
		setup.habits[i] = hog(100, SIM_NORMAL);
		if (i % 2) {
			setup.habits[i].life_ticks = 20 * SIM_MS;
			setup.habits[i].sleep_ticks = 2 * TICKS;
		}
	}
	assert_true(sim_run(&setup));
	assert_true(sim_service[0] > TICKS * 9 / 10);
	assert_true(sim_service[2] > TICKS * 9 / 10);
}

static void interactive_threads_run_soon(void **state)
{
	(void)state;
	assert_false(sim_found[SIM_LATENCY]);
	memset(&sim_figures, 0, sizeof(sim_figures));
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run(&kinds[INTERACTIVE], seed);
	assert_true(sim_figures.wakes[SIM_INTERACTIVE] > 1000);
	assert_true(mean(sim_figures.latency_sum[SIM_INTERACTIVE], sim_figures.wakes[SIM_INTERACTIVE])
			< LATENCY_MEAN_US);
}

/* --- Those who try to get more ------------------------------------------------------------------ */

/* A heavy thread that computes beside a light one that should have a thousandth, less than a slice. Answers how many it gets. */
static double light_gets(struct sim_habit light)
{
	struct sim_setup setup = setup_new(1);

	setup.processors = 1;
	setup.threads = 2;
	setup.habits[0] = hog(1000, SIM_NORMAL);
	setup.habits[1] = light;
	assert_true(sim_run(&setup));
	return (double)sim_service[1] / sim_slices[SIM_NORMAL];
}

static void who_sleeps_for_a_moment_gains_nothing(void **state)
{
	struct sim_habit light = hog(1, SIM_NORMAL);

	(void)state;
	light.work_ticks = SIM_MS;
	light.sleep_ticks = 10 * SIM_US;
	assert_true(light_gets(light) < 3);
}

static void who_dies_and_is_made_anew_gains_little(void **state)
{
	struct sim_habit light = hog(1, SIM_NORMAL);

	(void)state;
	light.life_ticks = SIM_MS;
	light.sleep_ticks = 10 * SIM_US;
	assert_true(light_gets(light) < 12);
}

/* Yielding keeps nobody from its share, and who does it all the time leaves the processor to the other. */
static void who_yields_takes_turns(void **state)
{
	struct sim_setup setup = setup_new(1);

	(void)state;
	setup.processors = 1;
	setup.threads = 2;
	for (uint32_t i = 0; i < setup.threads; i++) {
		setup.habits[i] = hog(100, SIM_NORMAL);
		setup.habits[i].work_ticks = 10 * SIM_US;
	}
	memset(&sim_figures, 0, sizeof(sim_figures));
	assert_true(sim_run(&setup));
	assert_true((double)sim_figures.switches > 0.9 * TICKS / (12.5 * SIM_US));
	assert_true((double)sim_service[0] / (double)sim_service[1] > 0.97);
	assert_true((double)sim_service[0] / (double)sim_service[1] < 1.03);
}

/* Moves go round between equals, so none of three has a processor of its own for good. */
static void three_share_two_processors(void **state)
{
	struct sim_setup setup = setup_new(1);

	(void)state;
	setup.processors = 2;
	setup.threads = 3;
	setup.ticks = 10 * TICKS;
	setup.window_limit = MANY_WINDOW_LIMIT;
	for (uint32_t i = 0; i < setup.threads; i++)
		setup.habits[i] = hog(100, SIM_NORMAL);
	assert_true(sim_run(&setup));
	for (uint32_t i = 0; i < setup.threads; i++) {
		assert_true(sim_service[i] > 10 * TICKS * 2 / 3 * 9 / 10);
		assert_true(sim_service[i] < 10 * TICKS * 2 / 3 * 11 / 10);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_are_as_they_always_are),
		cmocka_unit_test(lags_are_what_the_model_says),
		cmocka_unit_test(each_has_its_share_to_a_slice),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(nobody_is_where_it_may_not_run),
		cmocka_unit_test(moves_are_bounded),
		cmocka_unit_test(nobody_idles_beside_those_who_wait),
		cmocka_unit_test(interactive_threads_run_soon),
		cmocka_unit_test(who_sleeps_for_a_moment_gains_nothing),
		cmocka_unit_test(who_dies_and_is_made_anew_gains_little),
		cmocka_unit_test(who_yields_takes_turns),
		cmocka_unit_test(three_share_two_processors),
	};

	if (argc > 1 && strcmp(argv[1], "--figures") == 0) {
		print_all_figures(argc > 2 ? (uint32_t)atoi(argv[2]) : SEEDS);
		return 0;
	}
	return cmocka_run_group_tests(tests, run_all, NULL);
}
