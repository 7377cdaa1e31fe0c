/*
 * The lists of guest tests, one a file, and the roles that children of theirs play.
 */
#ifndef TESTS_GUEST_TESTS_H
#define TESTS_GUEST_TESTS_H

#include "tests/guest/tap.h"
#include "tests/guest/world.h"

struct test_list {
	const struct test *tests;
	uint32_t count;
};

extern const struct test_list
		entry_tests,
		call_tests,
		pipeline_tests,
		argument_tests,
		direct_tests,
		promise_tests,
		transfer_tests,
		export_tests,
		grant_tests,
		session_tests,
		manager_tests,
		process_tests,
		register_tests,
		budget_tests,
		lease_tests,
		policy_tests,
		poller_tests,
		death_tests,
		ledger_tests,
		memory_tests,
		share_tests,
		pager_tests,
		object_tests,
		thread_tests,
		thread_control_tests,
		event_tests,
		park_tests,
		knot_tests,
		trace_tests;
int trace_role(const char *arg);
int threads_role(const char *arg);
int thread_control_role(const char *arg);
int event_role(const char *arg);
int park_role(const char *arg);
int budget_work_role(const char *arg);
int budget_call_role(const char *arg);
int policy_again_role(const char *arg);
int poll_flood_role(const char *arg);
int poll_spoil_role(const char *arg);
int register_serve_role(const char *arg);
int register_spin_role(const char *arg);
extern const struct test_list notification_tests;
extern const struct role peer_roles[];
extern const uint32_t peer_role_count;

#define TEST_LIST(name, array) const struct test_list name = { array, ARRAY_LEN(array) }

#endif
