/*
 * Typed clients and server skeletons over the byte-stream double: every case of client_cases.c, each
 * leaving nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

/* First: cmocka has a macro with the name of a method. */
#include "tests/capnp/stream_transport.h"

#include <cmocka.h>

static void every_case_passes_and_leaves_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < client_case_count; i++) {
		struct worker_ref root = stream_connect();
		const char *wrong = client_cases[i].run(root);

		if (wrong != NULL)
			fail_msg("%s: %s", client_cases[i].name, wrong);
		if (stream_held() != 1 || stream_questions() != 0 || workers_used() != 1)
			fail_msg("%s: %u held, %u questions, %u workers", client_cases[i].name,
					stream_held(), stream_questions(), workers_used());
	}
}

static void questions_run_out_as_overload(void **state)
{
	struct worker_ref root = stream_connect();
	struct worker_add_call calls[20];
	uint32_t refused = 0;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		calls[i] = worker_add_start(root, i, i);
	for (uint32_t i = 0; i < 20; i++) {
		status_t status = worker_add_wait(&calls[i]);

		refused += status == STATUS_OVERLOADED;
		worker_add_done(&calls[i]);
	}
	assert_int_equal(refused, 4);
	assert_int_equal(stream_questions(), 0);
}

static void done_before_the_answer_cancels(void **state)
{
	struct worker_ref root = stream_connect();
	struct worker_later_call call = worker_later_start(root);

	(void)state;
	worker_later_done(&call);
	assert_int_equal(stream_questions(), 0);
	assert_int_equal(stream_held(), 1);
}

static void cancelled_call_says_so(void **state)
{
	struct worker_ref root = stream_connect();
	struct worker_later_call call = worker_later_start(root);

	(void)state;
	client_cancel(&call.call);
	assert_int_equal(worker_later_wait(&call), STATUS_CANCELLED);
	worker_later_done(&call);
}

static void interfaces_describe_themselves(void **state)
{
	(void)state;
	assert_int_equal(worker_interface.id, WORKER_INTERFACE_ID);
	assert_string_equal(worker_interface.name, "Worker");
	assert_int_equal(worker_interface.method_count, WORKER_METHOD_COUNT);
	assert_string_equal(worker_interface.methods[WORKER_METHOD_FEED].name, "feed");
	assert_int_equal(worker_interface.methods[WORKER_METHOD_FEED].flags, CAPNP_METHOD_STREAM);
	assert_int_equal(boss_interface.ancestor_count, 2);
	assert_ptr_equal(boss_interface.ancestors[0], &worker_interface);
	assert_ptr_equal(boss_interface.ancestors[1], &named2_interface);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_passes_and_leaves_nothing),
		cmocka_unit_test(questions_run_out_as_overload),
		cmocka_unit_test(done_before_the_answer_cancels),
		cmocka_unit_test(cancelled_call_says_so),
		cmocka_unit_test(interfaces_describe_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
