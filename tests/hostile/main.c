/*
 * The hostile tests: the first process of the package test-hostile, which starts hostile children
 * and looks afterwards whether anything came of it. Always true: after each test the ledger is what
 * it was, every walk of the kernel's own checks passes, and an honest child still runs.
 */
#include "tests/hostile/hostile.h"

#include <string.h>

static const struct role roles[] = {
	{ "entries", evil_entries },
	{ "header", evil_header },
	{ "ids", evil_ids },
	{ "returns", evil_returns },
	{ "messages", evil_messages },
	{ "storm", evil_storm },
	{ "unmap", evil_unmap },
	{ "caller", evil_caller },
	{ "echo", evil_echo },
	{ "end", evil_end },
	{ "deed", evil_deed },
};

uint32_t hostile_seed;
static struct usage usage_before;

static void before(void)
{
	usage_before = usage_self();
}

static void after(void)
{
	CHECK(usage_settles(&usage_before));
	kernel_check();
	CHECK_EQUAL(child_finish(child_start(&(struct child_spec){ .role = "end", .arg = "7" }))
					.status,
			7);
}

static void run(const struct test_list *list)
{
	tap_run(list->tests, list->count, before, after);
}

int main(int argc, char **argv)
{
	role_main(argc, argv, roles, ARRAY_LEN(roles));
	world_init(true);
	if (argc > 1 && strncmp(argv[1], "seed=", 5) == 0)
		hostile_seed = (uint32_t)number_of(argv[1] + 5);
	(void)child_finish(child_start(&(struct child_spec){ .role = "end" }));
	CHECK(image_tests_prepare());
	run(&evil_tests);
	run(&image_tests);
	run(&allocation_tests);
	tap_end();
}
