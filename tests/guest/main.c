/*
 * The functional tests of ring, capabilities, endpoints, grants, ledgers, memory and processes: the
 * first process of the package test-guest, or a child of it in a role. Always true: each test
 * leaves the ledger of this process as it found it.
 */
#include "tests/guest/tests.h"

#include "rt/program.h"
#include "rt/thread.h"

static struct usage usage_before;

static void before(void)
{
	usage_before = usage_self();
}

static void after(void)
{
	CHECK(usage_settles(&usage_before));
	kernel_check();
}

static void run(const struct test_list *list)
{
	tap_run(list->tests, list->count, before, after);
}

static int64_t come_and_go(void *argument)
{
	return 0;
}

/* For the threads to come. */
static void keep_a_stack(void)
{
	struct thread *thread;

	if (thread_start(&(struct thread_request){ .run = come_and_go }, &thread) == STATUS_OK)
		(void)!thread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	role_main(argc, argv, peer_roles, peer_role_count);
	world_init(true);
	/* What the runtime keeps for good is there before the first ledger is read. */
	(void)now_ns();
	keep_a_stack();
	(void)child_finish(child_start(&(struct child_spec){ .role = "end" }));
	/* First, while the table is small: an id comes back after 4096 uses of each free slot. */
	run(&direct_tests);
	run(&entry_tests);
	run(&call_tests);
	run(&pipeline_tests);
	run(&argument_tests);
	run(&promise_tests);
	run(&transfer_tests);
	run(&export_tests);
	run(&grant_tests);
	run(&session_tests);
	run(&manager_tests);
	run(&knot_tests);
	run(&notification_tests);
	run(&process_tests);
	run(&register_tests);
	run(&budget_tests);
	run(&lease_tests);
	run(&policy_tests);
	run(&poller_tests);
	run(&death_tests);
	run(&ledger_tests);
	run(&memory_tests);
	run(&trace_tests);
	run(&share_tests);
	run(&pager_tests);
	run(&thread_tests);
	run(&thread_control_tests);
	run(&event_tests);
	run(&park_tests);
	/* Makes page tables, which stay: its ledger is not compared. */
	tap_run(object_tests.tests, object_tests.count, NULL, kernel_check);
	tap_end();
}
