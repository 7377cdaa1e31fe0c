/* holders, reach and authority on made-up systems: what is drawn, and that it fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "capos/log.capnp.h"
#include "programs/bank/bank.capnp.h"
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

#define TIMER 1		/* the double's capabilities of these names, which are its object numbers too */
#define BANK 4

static struct schema schema;
static struct shell sh;
static struct double_system system_;

static int open_schemas(void **state)
{
	static uint64_t arena[65536];

	return schema_open(&schema, test_schemas_start, (uint64_t)(test_schemas_end - test_schemas_start), arena,
			ARRAY_LEN(arena)) == CAPNP_OK ? 0 : 1;
}

static int begin(void **state)
{
	double_init(&system_);
	shell_init(&sh, &schema, &system_.transport, &double_ops, &system_);
	double_grant_all(&system_, &sh);
	return 0;
}

static int end(void **state)
{
	shell_fini(&sh);
	return double_holders(&system_) == 0 ? 0 : 1;
}

static bool run(const char *line)
{
	double_output[0] = 0;
	return shell_run(&sh, line, (uint32_t)strlen(line));
}

static void says(const char *line, const char *output)
{
	(void)run(line);
	assert_string_equal(double_output, output);
}

static void hold(const struct double_row *rows, uint32_t count)
{
	system_.rows = rows;
	system_.row_count = count;
}

/* No line of the output is wider than `columns`; answers how many there are. */
static uint32_t fits(uint32_t columns)
{
	uint32_t lines = 0;

	for (char *line = strtok(double_output, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		if (strlen(line) > columns)
			fail_msg("%zu columns: %s", strlen(line), line);
	}
	return lines;
}

#define EXPORT(process_, granter_, object_, interface_, grant_, parent_, server_) \
	{ .process = process_, .granter = granter_, .object = object_, .kind = "export", .interface = interface_, \
	  .grant = grant_, .parent = parent_, .server = server_ }
#define OBJECT(process_, granter_, object_, interface_, grant_, parent_) \
	{ .process = process_, .granter = granter_, .object = object_, .kind = "timer", .interface = interface_, \
	  .grant = grant_, .parent = parent_ }

/* --- holders ---------------------------------------------------------------------------------- */

static void holders_hang_below_those_who_gave_it(void **state)
{
	static const struct double_row rows[] = {
		EXPORT(1, 0, BANK, BANK_INTERFACE_ID, 0x11, 0, 9),
		EXPORT(2, 1, BANK, BANK_INTERFACE_ID, 0x21, 0x11, 9),
		EXPORT(3, 2, BANK, BANK_INTERFACE_ID, 0x31, 0x21, 9),
		EXPORT(3, 2, BANK, BANK_INTERFACE_ID, 0x31, 0x21, 9),
		EXPORT(4, 1, BANK, BANK_INTERFACE_ID, 0x41, 0x11, 9),
		EXPORT(5, 8, BANK, BANK_INTERFACE_ID, 0x51, 0x88, 9),
		EXPORT(6, 1, 77, BANK_INTERFACE_ID, 0x61, 0x11, 9),
		{ .process = 7, .granter = 1, .object = BANK, .kind = "export", .interface = BANK_INTERFACE_ID,
		  .grant = 0x71, .parent = 0x11, .server = 9, .revoked = true },
	};

	hold(rows, ARRAY_LEN(rows));
	says("holders bank",
		"bank: Bank, served by process-9\n"
		"|- process-1: Bank                                                         0x11\n"
		"|  |- process-2: Bank                                                      0x21\n"
		"|  |  `- process-3: Bank x2                                                0x31\n"
		"|  `- process-4: Bank                                                      0x41\n"
		"`- process-5: Bank                                                         0x51\n");
	hold(rows, 0);
	says("holders @timer", "timer: Timer, an object of the kernel's\n");
}

static void what_is_too_deep_is_named_and_fits(void **state)
{
	struct double_row rows[40];

	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = (struct double_row)EXPORT(i + 1, i, BANK, BANK_INTERFACE_ID,
				UINT64_C(0xffffffff00000000) + i, i ? UINT64_C(0xffffffff00000000) + i - 1 : 0, 9);
	hold(rows, ARRAY_LEN(rows));
	assert_true(run("holders bank"));
	assert_non_null(strstr(double_output, "`- ... more in `authority --dot`\n"));
	assert_null(strstr(double_output, "process-40"));
	assert_true(fits(79) > 14);
	sh.columns = 30;
	assert_true(run("holders bank; reach bank; authority; authority process-3"));
	assert_true(fits(30) > 8);
}

/* --- reach ------------------------------------------------------------------------------------ */

static void reach_goes_through_services_and_cuts_circles(void **state)
{
	static const struct double_row rows[] = {
		OBJECT(1, 0, TIMER, TIMER_INTERFACE_ID, 0x11, 0),
		OBJECT(2, 1, TIMER, TIMER_INTERFACE_ID, 0x21, 0x11),
		EXPORT(3, 1, 50, LOG_SINK_INTERFACE_ID, 0x31, 0, 2),	/* 3 calls 2, 4 calls 3 and 2 */
		EXPORT(4, 1, 51, BANK_INTERFACE_ID, 0x41, 0, 3),
		EXPORT(2, 1, 52, BANK_INTERFACE_ID, 0x22, 0, 4),	/* 2 calls 4: a circle */
		EXPORT(5, 1, 53, BANK_INTERFACE_ID, 0x51, 0, 3),	/* 5 calls 3 and 6, which calls 2 */
		EXPORT(5, 1, 54, ACCOUNT_INTERFACE_ID, 0x52, 0, 3),
		EXPORT(5, 1, 55, ACCOUNT_INTERFACE_ID, 0x53, 0, 3),
		EXPORT(5, 1, 56, LOG_SINK_INTERFACE_ID, 0x54, 0, 6),
		EXPORT(6, 1, 50, LOG_SINK_INTERFACE_ID, 0x61, 0, 2),
		EXPORT(7, 1, 57, LOG_SINK_INTERFACE_ID, 0x71, 0, 8),	/* elsewhere */
	};

	hold(rows, ARRAY_LEN(rows));
	says("reach timer",
		"timer: Timer, an object of the kernel's\n"
		"|- process-1 holds it: Timer\n"
		"`- process-2 holds it: Timer\n"
		"   |- process-3, through LogSink\n"
		"   |  |- process-4, through Bank\n"
		"   |  `- process-5, through Bank, Account x2\n"
		"   `- process-6, through LogSink\n"
		"      `- process-5, through LogSink (again)\n");
	assert_true(run("reach timer"));
	(void)fits(79);
}

static void whoever_serves_an_object_reaches_it(void **state)
{
	static const struct double_row rows[] = {
		EXPORT(7, 1, BANK, BANK_INTERFACE_ID, 0x71, 0, 6),
		EXPORT(8, 1, 60, ACCOUNT_INTERFACE_ID, 0x81, 0, 6),
		EXPORT(9, 1, 61, LOG_SINK_INTERFACE_ID, 0x91, 0, 7),
	};

	hold(rows, ARRAY_LEN(rows));
	says("reach bank",
		"bank: Bank, served by process-6\n"
		"|- process-6 serves it\n"
		"|  `- process-8, through Account\n"
		"`- process-7 holds it: Bank\n"
		"   `- process-9, through LogSink\n");
}

/* --- authority -------------------------------------------------------------------------------- */

static const struct double_row small[] = {
	OBJECT(2, 1, 40, TIMER_INTERFACE_ID, 0x21, 0),
	OBJECT(2, 1, 41, TIMER_INTERFACE_ID, 0x22, 0),
	EXPORT(2, 3, BANK, BANK_INTERFACE_ID, 0x23, 0, 3),
	EXPORT(2, 77, 42, 0x1234, 0x24, 0, 0),
	{ .process = 2, .object = 43, .kind = "process", .interface = PROCESS_HANDLE_INTERFACE_ID, .grant = 0x25,
	  .subject = 3 },
	EXPORT(4, 2, BANK, BANK_INTERFACE_ID, 0x41, 0x23, 3),
	EXPORT(3, 0, 44, BANK_INTERFACE_ID, 0x31, 0, 2),
	{ .process = 5, .object = 45, .kind = "endpoint", .interface = ENDPOINT_INTERFACE_ID,
	  .grant = 0x51,
	  .server = 3 },
	{ .process = 5, .object = 46, .kind = "endpoint", .interface = ENDPOINT_INTERFACE_ID,
	  .grant = 0x52,
	  .server = 4 },
};

static void a_process_is_drawn_with_what_it_gave_on(void **state)
{
	hold(small, ARRAY_LEN(small));
	says("authority process-2",
		"process-2: 5 capabilities\n"
		"|- kernel\n"
		"|  |- Timer, from process-1                                                0x21\n"
		"|  |- Timer, from process-1                                                0x22\n"
		"|  `- ProcessHandle of process-3                                           0x25\n"
		"|- process-3\n"
		"|  `- Bank, from process-3                                                 0x23\n"
		"|     `- process-4: Bank                                                   0x41\n"
		"|- services that do not run\n"
		"|  `- interface 0x1234, from process 77, which has ended                   0x24\n"
		"`- serves\n"
		"   `- process-3: Bank\n");
	says("authority 5",
		"process-5: 2 capabilities\n"
		"`- kernel\n"
		"   |- Endpoint of process-3                                                0x51\n"
		"   `- Endpoint of process-4                                                0x52\n");
	assert_true(run("authority 2"));
	assert_non_null(strstr(double_output, "process-2: 5 capabilities\n"));
	assert_false(run("authority 99"));
	assert_string_equal(sh.sentence, "no process has the number 99; `ps` lists them");
	assert_false(run("authority nobody"));
	assert_string_equal(sh.sentence, "no process has the name nobody; `ps` lists them");
	assert_false(run("authority 1.5"));
	assert_string_equal(sh.sentence, "a process' number is a whole one; `ps` lists them");
}

static void all_processes_are_drawn_in_short(void **state)
{
	hold(small, ARRAY_LEN(small));
	assert_true(run("authority"));
	assert_non_null(strstr(double_output,
		"process-2: 5 capabilities\n"
		"|- kernel: Timer x2, ProcessHandle\n"
		"|- process-3: Bank\n"
		"`- services that do not run: interface 0x1234\n"
		"process-3: 1 capability\n"
		"`- process-2: Bank\n"));
	assert_non_null(strstr(double_output,
			"process-5: 2 capabilities\n`- kernel: Endpoint x2\n"));
	assert_int_equal(fits(79), 40 + 3 + 1 + 1 + 1);
}

static void a_bound_handle_names_its_process(void **state)
{
	static struct double_row rows[] = {
		{ .process = 7, .kind = "process", .interface = PROCESS_HANDLE_INTERFACE_ID, .grant = 0x71,
		  .subject = 5 },
	};

	assert_true(run("p = spawn hello"));
	rows[0].object = shell_find(&sh, "p", 1)->thing.capability;
	hold(rows, ARRAY_LEN(rows));
	says("authority p", "process-5: 0 capabilities\n");
	rows[0].subject = 88;
	assert_false(run("authority p"));
	assert_string_equal(sh.sentence, "the process of p has ended");
}

static void a_service_that_does_not_run_is_told_from_no_process(void **state)
{
	static const struct double_row rows[] = { EXPORT(7, 0, BANK, BANK_INTERFACE_ID, 0x71, 0,
			0) };

	hold(rows, ARRAY_LEN(rows));
	assert_false(run("authority bank"));
	assert_string_equal(sh.sentence, "the service behind bank does not run");
	assert_false(run("authority timer"));
	assert_string_equal(sh.sentence, "no process has the name timer; `ps` lists them");
}

static void the_graph_has_a_statement_a_line(void **state)
{
	hold(small, ARRAY_LEN(small));
	assert_true(run("authority --dot"));
	assert_non_null(strstr(double_output, "digraph authority {\n  rankdir=LR;\n  p1 [shape=box, label=\"process-1\"];"));
	assert_non_null(strstr(double_output, "\n  o4 [label=\"Bank\"];\n  o4 -> p3 [style=dashed];\n  p2 -> o4;\n"));
	assert_non_null(strstr(double_output,
		"\n  o43 [label=\"ProcessHandle of process-3\"];\n  o43 -> p3 [style=dotted];\n"));
	assert_non_null(strstr(double_output, "\n  p4 -> o4;\n"));
	assert_non_null(strstr(double_output, "\n}\n"));
}

/* --- Whoever answers as `authority` ----------------------------------------------------------- */

static void without_the_manager_nothing_is_drawn(void **state)
{
	assert_true(run("drop authority"));
	assert_false(run("authority"));
	assert_string_equal(sh.sentence,
			"this needs `authority`, a CapabilityManager, and you hold none");
	assert_false(run("reach timer"));
	assert_false(run("holders nothing"));
	assert_string_equal(sh.sentence, "you hold nothing named nothing; `caps` lists what you hold");
}

static void ctrl_c_ends_the_reading(void **state)
{
	system_.interrupted = 1;
	assert_false(run("authority"));
	assert_string_equal(sh.sentence, "interrupted");
	assert_true(run("authority"));
}

/* A list of countless rows without a byte, and pages that never end. */
static void a_manager_that_lies_is_not_believed(void **state)
{
	static const uint64_t countless[] = {
		UINT64_C(0x0001000100000000), 7, UINT64_C(0x0000000700000001), UINT64_C(0x000000003ffffffc),
	};

	system_.answer = countless;
	system_.answer_words = ARRAY_LEN(countless);
	alarm(10);
	assert_false(run("authority"));
	assert_string_equal(sh.sentence, "authority: its pages go round in a circle");
	assert_false(run("authority --dot"));
	assert_false(run("reach timer"));
	alarm(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(holders_hang_below_those_who_gave_it),
		TEST(what_is_too_deep_is_named_and_fits),
		TEST(reach_goes_through_services_and_cuts_circles),
		TEST(whoever_serves_an_object_reaches_it),
		TEST(a_process_is_drawn_with_what_it_gave_on),
		TEST(all_processes_are_drawn_in_short),
		TEST(a_bound_handle_names_its_process),
		TEST(a_service_that_does_not_run_is_told_from_no_process),
		TEST(the_graph_has_a_statement_a_line),
		TEST(without_the_manager_nothing_is_drawn),
		TEST(ctrl_c_ends_the_reading),
		TEST(a_manager_that_lies_is_not_believed),
	};

	return cmocka_run_group_tests_name("shell_authority", tests, open_schemas, NULL);
}
