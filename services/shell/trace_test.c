/* What `trace` makes of what was recorded: a tree, line by line, on a system of doubles whose events the tests say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "capos/kernel.capnp.h"
#include "capos/terminal.capnp.h"
#include "capos/trace.capnp.h"
#include "programs/bank/bank.capnp.h"
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

#define SHELL DOUBLE_SHELL

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
	double_grant_tracer(&system_, &sh, true);
	return 0;
}

/* No trace is left behind, whatever happened. */
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

static void recorded(const struct double_event *events, uint32_t count)
{
	system_.trace = events;
	system_.trace_count = count;
}

static void says(const char *line, const char *output)
{
	bool ok = run(line);

	if (strcmp(double_output, output) != 0)
		fail_msg("'%s' gave:\n%s", line, double_output);
	assert_true(ok);
}

static void fits_eighty_columns(void)
{
	for (char *line = strtok(double_output, "\n"); line; line = strtok(NULL, "\n")) {
		if (strlen(line) >= 80)
			fail_msg("too wide: %s", line);
	}
}

#define CALL(number, in, id, n, from, to, served, at) \
	{ .kind = TRACE_KIND_CALL, .call = (number), .within = (in), .interface_id = (id), .method = (n), .process = (from), \
	  .other = (to), .detail = (served), .time_ns = (at) }
#define DELIVERY(number, to, at) { .kind = TRACE_KIND_DELIVERY, .call = (number), .process = (to), .time_ns = (at) }
#define COMPLETION(number, code, at) \
	{ .kind = TRACE_KIND_COMPLETION, .call = (number), .status = (code), .time_ns = (at) }

static void a_call_its_nested_calls_and_nothing_else(void **state)
{
	static const struct double_event events[] = {
		/* The shell's own machinery and others are at work meanwhile. */
		CALL(1, 0, TERMINAL_SESSION_INTERFACE_ID, 4, SHELL, 20, 1, 500),
		CALL(2, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, SHELL, 0, 0, 1000),
		CALL(3, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, 30, 0, 0, 1100),
		DELIVERY(2, 21, 3000),
		CALL(4, 2, BANK_INTERFACE_ID, BANK_METHOD_OPEN, 21, 22, 1, 4000),
		CALL(5, 3, BANK_INTERFACE_ID, BANK_METHOD_OPEN, 30, 22, 1, 4100),
		DELIVERY(4, 22, 5500),
		CALL(6, 4, TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, 22, 0, 0, 6000),
		COMPLETION(6, STATUS_OVERLOADED, 7000),
		{ .kind = TRACE_KIND_TRANSFER, .call = 4, .process = 22, .other = 21, .interface_id = ACCOUNT_INTERFACE_ID,
		  .time_ns = 7500 },
		COMPLETION(4, STATUS_OK, 8000),
		COMPLETION(3, STATUS_OK, 8100),
		{ .kind = TRACE_KIND_REFUSED, .within = 2, .interface_id = 0x1234, .method = 9, .process = 21,
		  .status = STATUS_BAD_CAPABILITY, .time_ns = 9000 },
		CALL(7, 2, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, 21, 0, 1, 9500),
		COMPLETION(2, STATUS_OK, 2501000),
	};

	recorded(events, ARRAY_LEN(events));
	says("trace timer.now",
		"monotonicNs = 7123456789 ns\n"
		"shell calls                      status               at    waited      took\n"
		"process-21: Timer.now            ok                 0 ns    2.0 us    2.5 ms\n"
		"  process-22: Bank.open          ok               3.0 us    1.5 us    4.0 us\n"
		"    kernel: Timer.sleep          overloaded       5.0 us              1.0 us\n"
		"    + Account for process-21                      6.5 us\n"
		"  (refused) Capability method 9  badCapability    8.0 us\n"
		"  (not running): Console.write   waits            8.5 us\n");
}

static void what_is_unanswered_waits(void **state)
{
	static const struct double_event events[] = {
		CALL(2, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, SHELL, 0, 1, 1000),
	};

	recorded(events, ARRAY_LEN(events));
	assert_true(run("trace t = timer.now"));
	assert_non_null(strstr(double_output, "(not running): Timer.now  waits "));
	assert_true(run("t"));
}

static void several_statements_are_one_tree(void **state)
{
	static const struct double_event events[] = {
		CALL(2, 0, BANK_INTERFACE_ID, BANK_METHOD_OPEN, SHELL, 21, 1, 1000), COMPLETION(2, STATUS_OK, 2000),
		CALL(3, 0, BALANCE_VIEW_INTERFACE_ID, BALANCE_VIEW_METHOD_BALANCE, SHELL, 21, 1, 3000),
		COMPLETION(3, STATUS_OK, 4000),
		/* The same once more, which nobody asked for: no line. */
		CALL(4, 0, BALANCE_VIEW_INTERFACE_ID, BALANCE_VIEW_METHOD_BALANCE, SHELL, 21, 1, 5000),
	};

	recorded(events, ARRAY_LEN(events));
	says("trace { a = bank.open(owner = \"ann\"); ; a.balance; }",
		"a = (account = @a.account, outcome = done)\n"
		"(owner = \"ann\", balance = 0)\n"
		"shell calls                      status        at    waited      took\n"
		"process-21: Bank.open            ok          0 ns              1.0 us\n"
		"process-21: BalanceView.balance  ok        2.0 us              1.0 us\n");
}

static void a_failing_statement_is_shown_and_fails(void **state)
{
	static const struct double_event events[] = {
		CALL(2, 0, BANK_INTERFACE_ID, BANK_METHOD_OPEN, SHELL, 21, 1, 1000), COMPLETION(2, STATUS_OK, 2000),
	};

	recorded(events, ARRAY_LEN(events));
	assert_false(run("trace { bank.open(owner = \"nobody\"); timer.nwo; timer.sleep(durationNs = 3) }"));
	assert_non_null(strstr(double_output, "process-21: Bank.open  ok "));
	assert_non_null(strstr(double_output, "error: Timer has no method nwo"));
	assert_int_equal(system_.slept_ns, 0);
	assert_int_equal(system_.traces_stopped, 1);
}

static void programs_that_are_started_and_end(void **state)
{
	static const struct double_event events[] = {
		{ .kind = TRACE_KIND_PROCESS_START, .process = 40, .other = SHELL, .time_ns = 1000 },
		{ .kind = TRACE_KIND_PROCESS_START, .process = 50, .other = 30, .time_ns = 1100 },
		CALL(2, 0, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, 40, 20, 1, 2000), COMPLETION(2, STATUS_OK, 3000),
		{ .kind = TRACE_KIND_PROCESS_START, .process = 41, .other = 40, .time_ns = 4000 },
		{ .kind = TRACE_KIND_FAULT, .process = 41, .status = 14, .detail = 0x10, .time_ns = 5000 },
		{ .kind = TRACE_KIND_PROCESS_END, .process = 41, .status = PROCESS_STATE_CRASHED, .time_ns = 6000 },
		{ .kind = TRACE_KIND_PROCESS_END, .process = 50, .status = PROCESS_STATE_CRASHED, .time_ns = 6000 },
		{ .kind = TRACE_KIND_PROCESS_END, .process = 40, .status = PROCESS_STATE_EXITED, .time_ns = 7000 },
	};

	recorded(events, ARRAY_LEN(events));
	says("trace run hello",
		"shell calls                      status         at    waited      took\n"
		"process-40 runs as process 40    exited       0 ns              6.0 us\n"
		"  process-20: Console.write      ok         1.0 us              1.0 us\n"
		"  process-41 runs as process 41  crashed    3.0 us              2.0 us\n"
		"    ! exception 14 at 0x10                  4.0 us\n");
}

/* --- Messages ----------------------------------------------------------------------------------- */

static uint64_t message_words[3][64];

/* A message of one text field; answers its words. */
static uint32_t text_message(uint32_t n, uint32_t data_words, uint32_t pointers, const char *text)
{
	struct capnp_builder builder;
	struct capnp_struct_builder root;

	capnp_builder_init(&builder, message_words[n], 64, NULL, 0);
	root = capnp_init_struct(capnp_init_root(&builder), data_words, pointers);
	capnp_set_text(capnp_pointer_builder(root, 0), capnp_text(text));
	assert_int_equal(builder.status, CAPNP_OK);
	return builder.used;
}

static void messages_are_decoded_and_what_is_sensitive_is_not_shown(void **state)
{
	uint32_t asked = text_message(0, 1, 1, "password? "), answered = text_message(1, 1, 1, "hunter2");
	struct double_event events[] = {
		CALL(2, 0, TERMINAL_SESSION_INTERFACE_ID, TERMINAL_SESSION_METHOD_SIZE, SHELL, 20, 1, 1000),
		CALL(3, 2, TERMINAL_SESSION_INTERFACE_ID, TERMINAL_SESSION_METHOD_READ_LINE, 20, 21, 1, 2000),
		{ .kind = TRACE_KIND_ANSWER, .call = 3, .process = 21, .other = 20,
		  .interface_id = TERMINAL_SESSION_INTERFACE_ID, .method = TERMINAL_SESSION_METHOD_READ_LINE,
		  .time_ns = 3000 },
		COMPLETION(3, STATUS_OK, 3000), COMPLETION(2, STATUS_OK, 4000),
	};

	events[1].payload = message_words[0];
	events[1].payload_words = events[1].words = (uint16_t)asked;
	events[2].payload = message_words[1];
	events[2].payload_words = events[2].words = (uint16_t)answered;
	recorded(events, ARRAY_LEN(events));
	assert_true(run("trace --payload term.size"));
	assert_non_null(strstr(double_output, "  process-21: TerminalSession.readLine  ok "));
	assert_non_null(strstr(double_output, "\n    <- (prompt = \"password? \", hidden = false)\n"));
	assert_non_null(strstr(double_output, "\n    -> (line = <redacted>, outcome = none)\n"));
	assert_null(strstr(double_output, "hunter2"));
	assert_true(run("trace term.size"));
	assert_null(strstr(double_output, "password"));
}

/* Capabilities are told from none; identities and units are shown as everywhere in the shell. */
static void capabilities_and_units_are_shown_in_messages(void **state)
{
	struct double_event events[] = {
		CALL(2, 0, BANK_INTERFACE_ID, BANK_METHOD_OPEN, SHELL, 20, 1, 1000),
		{ .kind = TRACE_KIND_ANSWER, .call = 2, .process = 20, .other = SHELL,
		  .time_ns = 2000,
		  .interface_id = BANK_INTERFACE_ID, .method = BANK_METHOD_OPEN,
		  .capabilities = 1 },
		CALL(3, 2, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_REVOKE, 20, 0,
		0, 3000),
		CALL(4, 2, PAYLOAD_TRACER_INTERFACE_ID, PAYLOAD_TRACER_METHOD_START_PAYLOAD, 20, 0,
		0, 3000),
	};
	struct capnp_builder builder;
	struct capnp_struct_builder root;
	struct bank_open_results_builder opened;

	capnp_builder_init(&builder, message_words[0], 64, NULL, 0);
	opened = bank_open_results_init_root(&builder);
	bank_open_results_set_outcome(opened, OUTCOME_DONE);
	bank_open_results_set_account(opened, (struct capnp_cap){ 0 });
	events[1].payload = message_words[0];
	events[1].payload_words = events[1].words = (uint16_t)builder.used;
	capnp_builder_init(&builder, message_words[1], 64, NULL, 0);
	root = capnp_init_struct(capnp_init_root(&builder), 1, 0);
	capnp_set_u64(root, 0, UINT64_C(0x700000017));
	events[2].payload = message_words[1];
	events[2].payload_words = events[2].words = (uint16_t)builder.used;
	capnp_builder_init(&builder, message_words[2], 64, NULL, 0);
	root = capnp_init_struct(capnp_init_root(&builder), 1, 1);
	capnp_set_u16(root, 4, 1);
	events[3].payload = message_words[2];
	events[3].payload_words = events[3].words = (uint16_t)builder.used;
	recorded(events, ARRAY_LEN(events));
	(void)run("trace --payload bank.open(owner = \"ann\")");
	if (!strstr(double_output, "\n  -> (account = <Account>, outcome = done)\n") ||
			!strstr(double_output, "\n    <- (grant = 0x700000017)\n") ||
			!strstr(double_output,
			"\n    <- (events = 0, kinds = [], words = 1 word)\n"))
		fail_msg("%s", double_output);
}

/* What a command asks is a call like any other; a line that was refused did nothing. */
static void the_calls_of_commands_are_shown_and_refused_lines_are_not(void **state)
{
	static const struct double_event events[] = {
		CALL(2, 0, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_HOLDERS,
				SHELL, 0, 0, 1000),
		COMPLETION(2, STATUS_OK, 2000),
		CALL(3, 0, CAPABILITY_MANAGER_INTERFACE_ID, CAPABILITY_MANAGER_METHOD_PROCESSES,
		SHELL, 0, 0, 3000),
	};

	recorded(events, ARRAY_LEN(events));
	assert_true(run("trace holders @bank"));
	assert_non_null(strstr(double_output, "kernel: CapabilityManager.holders    ok "));
	assert_non_null(strstr(double_output, "kernel: CapabilityManager.processes  waits "));
	assert_false(run("trace timer.nwo"));
	assert_string_equal(double_output,
		"                   ^\n"
		"error: Timer has no method nwo; it has now, sleep, sleepUntil, clockPage\n");
}

static void long_and_broken_messages_are_bounded(void **state)
{
	uint32_t words = text_message(0, 0, 1, "a text that is much longer than the screen is wide, and so is cut "
			"in the middle\x1b[2J");
	struct double_event events[] = {
		CALL(2, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, SHELL, 0, 0, 1000),
		CALL(3, 2, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, 20, 21, 1, 1000),
		CALL(4, 2, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, 20, 21, 1, 1000),
		CALL(5, 2, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, 20, 21, 1, 1000),
	};

	for (uint32_t i = 1; i < ARRAY_LEN(events); i++) {
		events[i].payload = message_words[0];
		events[i].payload_words = events[i].words = (uint16_t)words;
	}
	events[2].words = 500;
	memset(message_words[1], 0xff, sizeof(message_words[1]));
	events[3].payload = message_words[1];
	recorded(events, ARRAY_LEN(events));
	assert_true(run("trace --payload timer.now"));
	assert_non_null(strstr(double_output, "    <- (text = \"a text that is much longer than "
			"the screen is wide, and so i...\n"));
	assert_non_null(strstr(double_output, "    <- (500 words, more than a trace keeps)\n"));
	assert_non_null(strstr(double_output, "    <- (not readable)\n"));
	fits_eighty_columns();
}

static void a_narrow_terminal_shows_no_times(void **state)
{
	static const struct double_event events[] = {
		CALL(2, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, SHELL, 20, 1, 1000),
		CALL(3, 2, TERMINAL_SESSION_INTERFACE_ID, TERMINAL_SESSION_METHOD_READ_KEYS, 20, 21, 1, 2000),
		COMPLETION(2, STATUS_OK, 4000),
	};

	recorded(events, ARRAY_LEN(events));
	sh.columns = 40;
	says("trace timer.now",
		"monotonicNs = 7123456789 ns\n"
		"shell calls                      status\n"
		"process-20: Timer.now            ok\n"
		"  process-21: TerminalSessio...  waits\n");
}

/* --- Bounds ------------------------------------------------------------------------------------- */

static void what_does_not_fit_is_counted(void **state)
{
	static struct double_event events[5000];

	events[0] = (struct double_event)CALL(1, 0, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, SHELL, 0, 0, 1);
	for (uint32_t i = 1; i < ARRAY_LEN(events); i++)
		events[i] = (struct double_event)CALL(i + 1, i, TERMINAL_SESSION_INTERFACE_ID, 1, 21, 22, 1, i + 1);
	recorded(events, ARRAY_LEN(events));
	system_.trace_lost = 12;
	assert_true(run("trace timer.now"));
	assert_non_null(strstr(double_output, "(12 older events were overwritten)\n(more happened than is shown)\n"));
	fits_eighty_columns();
}

static void any_events_make_some_tree(void **state)
{
	static struct double_event events[200];
	uint64_t seed = 88172645463325252ull;

	for (uint32_t round = 0; round < 300; round++) {
		for (uint32_t i = 0; i < ARRAY_LEN(events); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			events[i] = (struct double_event){ .kind = (uint16_t)(seed % 12), .call = (seed >> 8) % 20,
				.within = (seed >> 16) % 20, .process = (uint32_t)(seed >> 24) % 5 + 5,
				.other = (uint32_t)(seed >> 32) % 5 + 5, .method = (uint16_t)((seed >> 40) % 3),
				.interface_id = (seed >> 44) % 2 ? TIMER_INTERFACE_ID : CRASH_KIND_COUNT,
				.status = (int32_t)(seed >> 48) % 30 - 20, .time_ns = seed >> 20, .detail = seed };
		}
		recorded(events, ARRAY_LEN(events));
		assert_true(run("trace --payload timer.now"));
		fits_eighty_columns();
	}
}

/* --- Refusals ----------------------------------------------------------------------------------- */

static void fails(const char *line, const char *error)
{
	assert_false(run(line));
	if (!strstr(double_output, error))
		fail_msg("'%s' gave:\n%s", line, double_output);
}

static void tracing_needs_a_tracer(void **state)
{
	system_.trace_status = STATUS_OVERLOADED;
	fails("trace timer.sleep(durationNs = 1)", "error: the tracer refused: ");
	assert_int_equal(system_.slept_ns, 0);
	assert_int_equal(sh.status, STATUS_OVERLOADED);
	run("drop tracer");
	fails("trace timer.sleep(durationNs = 1)",
		"error: this needs `tracer`, a Tracer, and you hold none");
	run("tracer = timer.now");
	fails("trace timer.sleep(durationNs = 1)",
			"error: this needs a Tracer under the name `tracer`");
	run("drop tracer");
	double_grant_tracer(&system_, &sh, false);
	fails("trace --payload timer.sleep(durationNs = 1)", "error: tracer shows headers only; messages need a PayloadTracer");
	assert_int_equal(system_.slept_ns, 0);
	system_.trace_status = 0;
	says("trace timer.sleep(durationNs = 1)", "no call was made\n");
	assert_int_equal(system_.slept_ns, 1);
}

static void an_interrupted_trace_lets_go(void **state)
{
	for (uint32_t n = 1; n < 6; n++) {
		system_.interrupted = n;
		(void)run("trace { timer.now; timer.now }");
		system_.interrupted = 0;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_its_nested_calls_and_nothing_else),
		TEST(what_is_unanswered_waits),
		TEST(several_statements_are_one_tree),
		TEST(a_failing_statement_is_shown_and_fails),
		TEST(programs_that_are_started_and_end),
		TEST(messages_are_decoded_and_what_is_sensitive_is_not_shown),
		TEST(capabilities_and_units_are_shown_in_messages),
		TEST(the_calls_of_commands_are_shown_and_refused_lines_are_not),
		TEST(long_and_broken_messages_are_bounded),
		TEST(a_narrow_terminal_shows_no_times),
		TEST(what_does_not_fit_is_counted),
		TEST(any_events_make_some_tree),
		TEST(tracing_needs_a_tracer),
		TEST(an_interrupted_trace_lets_go),
	};

	return cmocka_run_group_tests_name("shell_trace", tests, open_schemas, NULL);
}
