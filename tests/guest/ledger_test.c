/*
 * Ledgers: running out of each class is an answer that names it, and the end of a process gives
 * everything back.
 */
#include "tests/guest/tests.h"

#include "rt/capability.h"
#include "rt/launch.h"

static void exhaust(const char *what, enum resource_class class, uint64_t limit)
{
	const struct launch_limit limits[] = { { class, limit } };
	struct child_spec spec = { .role = "exhaust",
		.arg = what,
		.limits = limits,
		.limit_count = 1,
		.grants = { { "timer", rt_id(world.timer.ref) },
				{ "factory", rt_id(world.factory.ref) }, { "memory", 0 } } };
	struct child_end end = child_finish(child_start(&spec));

	CHECK_EQUAL(end.state, PROCESS_STATE_EXITED);
	CHECK_EQUAL(end.status, class);
}

static void frames_run_out(void)
{
	exhaust("f", RESOURCE_CLASS_FRAMES, 200);
}

static void slots_run_out(void)
{
	exhaust("s", RESOURCE_CLASS_SLOTS, 300);
}

static void objects_run_out(void)
{
	exhaust("o", RESOURCE_CLASS_OBJECTS, 50);
}

static void exports_run_out(void)
{
	exhaust("e", RESOURCE_CLASS_EXPORTS, 10);
}

static void service_calls_run_out(void)
{
	exhaust("c", RESOURCE_CLASS_CALLS, 100);
}

static void timers_run_out(void)
{
	exhaust("t", RESOURCE_CLASS_TIMERS, 5);
}

static void threads_run_out(void)
{
	const struct launch_limit limits[] = { { RESOURCE_CLASS_THREADS, 0 } };
	struct child_spec spec = { .role = "end", .limits = limits, .limit_count = 1 };
	struct process_handle_ref process;

	CHECK_EQUAL(child_try(&spec, &process), STATUS_OVERLOADED);
	CHECK_EQUAL(reason_of(rt_detail()), REASON_LEDGER);
	CHECK_EQUAL(class_of(rt_detail()), RESOURCE_CLASS_THREADS);
}

/* A child cannot be given what its maker does not have. */
static void limits_are_carved(void)
{
	for (enum resource_class class = RESOURCE_CLASS_FRAMES; class <= RESOURCE_CLASS_THREADS;
			class ++) {
		const uint64_t wanted[] = { UINT64_MAX, 1ull << 40 };

		for (uint32_t i = 0; i < ARRAY_LEN(wanted); i++) {
			const struct launch_limit limits[] = { { class, wanted[i] } };
			struct child_spec spec = {
				.role = "end", .limits = limits, .limit_count = 1
			};
			struct process_handle_ref process;

			CHECK_EQUAL(child_try(&spec, &process), STATUS_OVERLOADED);
			CHECK_EQUAL(reason_of(rt_detail()), REASON_LEDGER);
			CHECK_EQUAL(class_of(rt_detail()), class);
		}
	}
}

static const struct test tests[] = {
	{ "frames run out", frames_run_out },
	{ "slots run out", slots_run_out },
	{ "objects run out", objects_run_out },
	{ "exports run out", exports_run_out },
	{ "service calls run out", service_calls_run_out },
	{ "timers run out", timers_run_out },
	{ "threads run out", threads_run_out },
	{ "limits are carved", limits_are_carved },
};

TEST_LIST(ledger_tests, tests);
