/* What the shell does and says, line by line, on a system of doubles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "capos/status.capnp.h"
#include "services/shell/double.h"
#include "services/shell/schemas_test_data.h"
#include "services/shell/shell.h"

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

/* Every capability that the shell received is released when it ends. */
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
	assert_true(run(line) || sh.failed);
	assert_string_equal(double_output, output);
}

static void contains(const char *line, const char *part)
{
	run(line);
	if (!strstr(double_output, part))
		fail_msg("'%s' gave:\n%swithout: %s", line, double_output, part);
}

/* `caret` has a ^ under the place in the line. */
static void refuses(const char *line, const char *caret, const char *sentence)
{
	char expected[600];

	assert_false(run(line));
	assert_int_equal(sh.failed_at, strlen(caret) - 1);
	assert_string_equal(sh.sentence, sentence);
	snprintf(expected, sizeof(expected), "%*s^\nerror: %s\n", (int)strlen(caret) + 6, "", sentence);
	assert_string_equal(double_output, expected);
}

static void a_call_prints_its_result_with_the_unit(void **state)
{
	says("timer.now", "monotonicNs = 7123456789 ns\n");
	says("timer.now()", "monotonicNs = 7123456789 ns\n");
	says("term.size", "(columns = 80, rows = 24)\n");
}

static void a_call_without_results_prints_nothing(void **state)
{
	says("timer.sleep(durationNs = 5)", "");
	assert_int_equal(system_.slept_ns, 5);
}

static void text_reaches_the_console(void **state)
{
	says("console.write(text = \"hi\")", "");
	assert_string_equal(system_.console, "hi");
}

static void a_single_result_is_bound_as_its_value(void **state)
{
	says("t = timer.now", "t = 7123456789 ns\n");
	says("t", "t = 7123456789 ns\n");
	says("timer.sleep(durationNs = $t)", "");
	assert_true(system_.slept_ns == 7123456789);
}

static void what_the_shell_began_with_is_not_lost_by_accident(void **state)
{
	contains("timer = 5", "error: timer is a capability that this shell began with; choose another name,");
	says("timer.now", "monotonicNs = 7123456789 ns\n");
	run("drop timer");
	says("timer = 5", "timer = 5\n");
	says("timer = 6", "timer = 6\n");
}

static void an_account_is_opened_and_used_by_its_name(void **state)
{
	says("acct = bank.open(owner = \"ann\")", "acct = (account = @acct.account, outcome = done)\n");
	says("acct.deposit(amount = 5)", "outcome = done\n");
	says("acct.account.deposit(amount = 2)", "outcome = done\n");
	says("acct.balance", "(owner = \"ann\", balance = 7)\n");
	says("a = acct.account", "a: Account\n");
	says("a.balance.balance", "7\n");
}

static void calls_chain_without_names(void **state)
{
	says("bank.open(owner = \"bob\").deposit(amount = 1)", "outcome = done\n");
	says("bank.open(owner = \"bob\")", "(account = <Account>, outcome = done)\n");
}

static void a_capability_that_was_not_answered_is_null(void **state)
{
	says("x = bank.open(owner = \"nobody\")", "x = (account = null, outcome = noRoom)\n");
	refuses("x.account.balance",
		"          ^", "this Account is null: the answer held none");
	refuses("x.balance",
		"  ^", "account is null: the answer was (account = null, outcome = noRoom)");
}

static void a_facet_is_revoked_and_then_refused(void **state)
{
	run("a = bank.open(owner = \"ann\").account; d = a.depositOnly");
	says("d.deposit(amount = 1)", "outcome = done\n");
	says("a.revoke(facet = @d)", "outcome = done\n");
	refuses("d.deposit(amount = 1)",
		"  ^", "DepositAccount.deposit: the object is gone or was revoked");
	assert_int_equal(sh.status, STATUS_DISCONNECTED);
	says("$?", "3\n");
	assert_int_equal(sh.status, 0);
}

static void narrowing_keeps_only_the_ancestors_methods(void **state)
{
	says("c = @term as Console", "c: Console\n");
	says("c.write(text = \"x\")", "");
	refuses("c.size",
		"  ^", "Console has no method size; it has write");
	refuses("c as TerminalSession",
		"     ^", "a Console is not a TerminalSession");
	refuses("c as Nothing",
		"     ^", "there is no interface Nothing");
}

static uint32_t occurrences(const char *text)
{
	uint32_t count = 0;

	for (const char *at = double_output; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void pages_are_joined(void **state)
{
	run("authority.processes");
	assert_int_equal(occurrences("processId = "), 40);
	assert_int_equal(occurrences("processes = "), 1);
	contains("authority.processes", "name = \"process-40\"");
}

static void ps_shows_how_time_is_shared(void **state)
{
	run("ps");
	assert_int_equal(occurrences("\n"), 41);
	assert_ptr_equal(strstr(double_output,
		"id name       threads weight class   allowed  on share    time pages\n"
		" 1 process-1        1    100 normal  all      0   0.3%  1.2 ms   100\n"), double_output);
	assert_non_null(strstr(double_output, "\n 5 process-5        5    100 normal  1-2,4,63 4   1.6%  6.1 ms   104\n"));
	assert_non_null(strstr(double_output, "\n 7 process-7        7    100 unknown all      6 "));
	for (char *line = strtok(double_output, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) < 80);
}

static void top_shows_who_used_the_time_since(void **state)
{
	sh.rows = 6;
	says("top 1",
		"40 processes, 308 threads; 50.0% of 64 processors\n"
		"id name      share weight class  on threads     time context\n"
		" 3 process-3 50.0%    100 normal 2        3 503.7 ms 750.0 us of 1.0 ms/10.0 ms\n"
		" 1 process-1  0.0%    100 normal 0        1   1.2 ms -\n"
		" 2 process-2  0.0%    100 normal 1        2   2.4 ms -\n");
	assert_int_equal(system_.slept_ns, 1000000000);
	/* The next one is drawn over it, and no line is longer than the terminal. */
	sh.columns = 30;
	run("top 2");
	assert_int_equal(occurrences("\x1b[5A\r\x1b[J"), 1);
	assert_int_equal(occurrences("\n"), 10);
	assert_int_equal(occurrences("id name      share weight cla\n"), 2);
	sh.columns = 80;
	refuses("top 0",
		"    ^", "`top` shows 1 to 1000 times, or until Ctrl-C");
	refuses("top 1.5",
		"    ^", "`top` shows 1 to 1000 times, or until Ctrl-C");
	run("drop timer");
	refuses("top 1",
		"^", "this needs `timer`, a Timer, and you hold none");
}

static void poweroff_is_a_call_on_system(void **state)
{
	says("poweroff 3", "");
	assert_int_equal(system_.powered_off, 4);
	run("drop system");
	refuses("poweroff",
		"^", "this needs `system`, a SystemControl, and you hold none");
}

static void run_grants_exactly_what_is_named(void **state)
{
	says("run hello with { log: @console, @timer } args [\"-v\", \"x y\"] env { A = \"b\" }", "");
	assert_string_equal(system_.program, "hello");
	assert_string_equal(system_.grants, " log:Console timer:Timer");
	assert_string_equal(system_.strings, " -v x y A=b");
	says("run hello", "");
	assert_string_equal(system_.grants, "");
}

static void a_program_that_fails_fails_the_line(void **state)
{
	system_.exit_status = 3;
	assert_false(run("run hello; timer.now"));
	assert_string_equal(double_output, "hello ended with status 3\n");
	assert_int_equal(sh.status, 3);
	system_.crash = true;
	assert_false(run("run hello"));
	assert_string_equal(double_output, "hello crashed: accessFault at 0x10, instruction 0x401000\n");
	refuses("run missing",
		"    ^", "missing: there is no such program");
}

static void a_spawned_process_is_waited_for_and_killed(void **state)
{
	says("p = spawn counter with { @console }", "p: ProcessHandle\n");
	says("wait p", "exit = (state = exited, status = 0)\n");
	says("kill p", "");
	says("wait @p", "exit = (state = killed, status = 0)\n");
}

static void a_process_can_be_named_by_its_number(void **state)
{
	says("wait 6", "exit = (state = exited, status = 0)\n");
	says("kill 6; kill 6 3", "");
	refuses("wait 99",
		"^", "process is null: the answer was (found = false, process = null)");
	refuses("wait 99999999999",
		"     ^", "processId takes a whole number from 0 to 4294967295");
	run("drop authority");
	refuses("kill 6",
		"^", "this needs `authority`, a CapabilityManager, and you hold none");
	refuses("ps",
		"^", "this needs `authority`, a CapabilityManager, and you hold none");
}

static void dropping_a_name_releases_its_capability(void **state)
{
	uint32_t before = double_holders(&system_);

	run("acct = bank.open(owner = \"ann\"); a = acct.account");
	assert_int_equal(double_holders(&system_), before + 1);
	run("drop acct");
	assert_int_equal(double_holders(&system_), before + 1);
	run("drop a");
	assert_int_equal(double_holders(&system_), before);
	refuses("drop a",
		"     ^", "nothing is bound to a");
}

static void binding_anew_releases_the_old_one(void **state)
{
	uint32_t before = double_holders(&system_);

	for (uint32_t i = 0; i < 100; i++)
		assert_true(run("acct = bank.open(owner = \"ann\")"));
	assert_int_equal(double_holders(&system_), before + 1);
}

static void literals_are_kept_and_given(void **state)
{
	says("n = 12", "n = 12\n");
	says("timer.sleep(durationNs = $n)", "");
	assert_int_equal(system_.slept_ns, 12);
	says("[1, (a = -2, b = 0x\"0aff\"), true, \"x\\n\"]", "[1, (a = -2, b = 0x\"0aff\"), true, \"x\\n\"]\n");
	says("[-inf, 2e400, 1.5, 2e9, 1e30, 0.9999999, 1e-9, -0.1]",
		"[-inf, inf, 1.5, 2000000000, 1e30, 0.9999999, 1e-09, -0.1]\n");
	run("who = \"zoe\"");
	says("who", "who = \"zoe\"\n");
	says("a = bank.open(owner = $who)", "a = (account = @a.account, outcome = done)\n");
	says("a.balance.owner", "\"zoe\"\n");
	refuses("timer.sleep(durationNs = $who)",
		"                         ^", "durationNs takes a UInt64, not a text");
}

static void wrong_arguments_point_at_the_column(void **state)
{
	refuses("timer.nwo",
		"      ^", "Timer has no method nwo; it has now, sleep, sleepUntil, clockPage");
	refuses("tmer.now",
		"^", "you hold nothing named tmer; `caps` lists what you hold");
	refuses("Timer.now",
		"^", "Timer is a type; `help Timer` tells about it");
	refuses("timer.sleep(duration = 5)",
		"            ^", "sleep has no duration; it has durationNs");
	refuses("timer.now(x = 5)",
		"          ^", "now takes nothing");
	refuses("timer.sleep(durationNs = \"x\")",
		"                         ^", "durationNs takes a UInt64, not a text");
	refuses("timer.sleep(durationNs = -1)",
		"                         ^", "durationNs takes a whole number from 0 to 18446744073709551615");
	refuses("timer.sleep(durationNs = 1, durationNs = 2)",
		"                            ^", "durationNs is given twice");
	refuses("authority.open(processId = 4294967296)",
		"                           ^", "processId takes a whole number from 0 to 4294967295");
	refuses("console.write(text = @timer)",
		"                     ^", "text takes a text in quotes, not a capability");
	refuses("holders 5",
		"        ^", "`holders x` takes the name of a capability; `caps` lists yours");
	refuses("kill",
		"    ^", "`kill p` takes a ProcessHandle (p = spawn ...) or a number from `ps`");
	refuses("wait -1",
		"     ^", "`wait p` takes a ProcessHandle (p = spawn ...) or a number from `ps`");
	refuses("quit",
		"^", "there is no command or name quit; `help` and `caps` list them");
	refuses("authority.holders(capability = timer)",
		"                               ^", "capability takes a capability, not a word");
	refuses("run hello with { a: @nothing }",
		"                     ^", "you hold nothing named nothing; `caps` lists what you hold");
}

/* What the kernel tells by numbers is said by the names that the schemas have for it. */
static void refusals_name_what_was_typed(void **state)
{
	static const struct { const char *line,
			*sentence; status_t status; uint64_t detail; } cases[] = {
		{ "timer.sleep(durationNs = 70000)", "Timer.sleep: durationNs: at most 65536",
		  STATUS_INVALID_ARGUMENT, REASON_ARGUMENT | UINT64_C(65536) << 32 },
		{ "timer.sleep(durationNs = 7)",
		  "Timer.sleep: durationNs is out of range (limit 65536)",
		  STATUS_INVALID_ARGUMENT, REASON_ARGUMENT | UINT64_C(65536) << 32 },
		{ "timer.sleep(durationNs = 7)", "Timer.sleep: durationNs is not acceptable",
		  STATUS_INVALID_ARGUMENT, REASON_ARGUMENT },
		{ "timer.sleep", "Timer.sleep: durationNs is missing", STATUS_INVALID_ARGUMENT,
		  REASON_ARGUMENT },
		{ "timer.sleep(durationNs = 7)",
		  "Timer.sleep: parameter 3 is out of range (limit 2)",
		  STATUS_INVALID_ARGUMENT, REASON_ARGUMENT | 3 << 8 | UINT64_C(2) << 32 },
		{ "authority.revokeDerived",
		  "CapabilityManager.revokeDerived: capability is missing",
		  STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE | 0xff << 8 },
		{ "authority.revokeDerived(capability = @bank)",
		  "CapabilityManager.revokeDerived: capability does not have the interface needed",
		  STATUS_INVALID_ARGUMENT, REASON_WRONG_TYPE },
		{ "revoke 0x12", "CapabilityManager.revoke: no such grant", STATUS_FAILED,
		  REASON_NOT_FOUND },
		{ "bank.open", "Bank.open: an argument is not acceptable; not given: owner",
		  STATUS_INVALID_ARGUMENT, 0 },
		{ "authority.setLimit(limit = 1)",
		  "CapabilityManager.setLimit: an argument is not acceptable; not given: processId, class",
		  STATUS_INVALID_ARGUMENT, 0 },
		{ "bank.open(owner = \"\")", "Bank.open: an argument is not acceptable",
		  STATUS_INVALID_ARGUMENT, 0 },
		{ "bank.open", "Bank.open: this capability was made for fewer methods of Bank",
		  STATUS_UNIMPLEMENTED, REASON_NO_METHOD },
		{ "bank.open", "Bank.open: the service has stopped", STATUS_DISCONNECTED,
		  REASON_CLOSED },
	};

	for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
		system_.refusal = cases[i].status;
		system_.detail = cases[i].detail;
		assert_false(run(cases[i].line));
		assert_string_equal(sh.sentence, cases[i].sentence);
		assert_int_equal(sh.status, cases[i].status);
	}
}

static void what_was_revoked_is_named(void **state)
{
	run("a = bank.open(owner = \"ann\").account; d = a.depositOnly");
	system_.object[shell_find(&sh, "d", 1)->thing.capability - 1].revoked = true;
	refuses("a.revoke(facet = @d)",
		"  ^", "Account.revoke: facet was revoked: this capability cannot be given on");
	refuses("holders d",
		"        ^", "d: the capability was revoked; `drop d` forgets it");
	refuses("reach @d",
		"       ^", "d: the capability was revoked; `drop d` forgets it");
	contains("caps", "  a           Account ");
	contains("caps", "  d           DepositAccount      (revoked)\n");
	sh.columns = 40;
	contains("caps", "  d: DepositAccount (revoked)\n");
	contains("caps", "  a: Account\n");
}

static void a_refused_line_does_nothing(void **state)
{
	assert_false(run("timer.sleep(durationNs = 5); timer.sleep("));
	assert_int_equal(system_.slept_ns, 0);
	assert_int_equal(sh.status, SHELL_REFUSED);
}

static void the_line_ends_at_the_first_failure(void **state)
{
	assert_false(run("timer.sleep(durationNs = 1); d.x; timer.sleep(durationNs = 10)"));
	assert_int_equal(system_.slept_ns, 1);
}

static void an_error_after_output_shows_the_line_again(void **state)
{
	assert_false(run("timer.now; nothing"));
	assert_string_equal(double_output,
		"monotonicNs = 7123456789 ns\n"
		"       timer.now; nothing\n"
		"                  ^\n"
		"error: there is no command or name nothing; `help` and `caps` list them\n");
}

static void an_interrupted_call_fails_the_line(void **state)
{
	system_.interrupted = 1;
	refuses("timer.sleep(durationNs = 5)",
		"      ^", "Timer.sleep: interrupted");
}

static void caps_lists_what_is_held(void **state)
{
	run("caps");
	assert_non_null(strstr(double_output, "  timer       Timer               Monotonic time since boot, and waiting ...\n"));
	assert_non_null(strstr(double_output, "  bank        Bank                Where accounts begin."));
	for (char *line = strtok(double_output, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) < 80);
}

static void help_comes_from_the_schemas(void **state)
{
	says("help timer",
		"timer: Timer\n"
		"  Monotonic time since boot, and waiting for it.\n"
		"  now -> (monotonicNs :UInt64 in ns)\n"
		"      The time since boot.\n"
		"      example: timer.now\n"
		"  sleep (durationNs :UInt64 in ns)\n"
		"      Returns after at least this long.\n"
		"  sleepUntil (deadlineNs :UInt64 in ns)\n"
		"      Returns once the monotonic time has reached deadlineNs.\n"
		"  clockPage -> (page :MemoryView)\n"
		"      A page with a ClockPage (clock.capnp) at its start, to be mapped for\n"
		"      reading: with it a program computes the time since boot from the\n"
		"      processor's counter, without a call.\n");
	contains("help timer.sleep", "sleep (durationNs");
	contains("help Account", "as a BalanceView:\n  balance -> (owner :Text, balance :UInt64)\n");
	contains("help Outcome", "  insufficientFunds\n      the account holds less\n");
	contains("help ExitStatus", "  state :ProcessState\n");
	contains("help ps", "authority.processes tells everything");
	contains("help top", "of one processor, in the last second");
	contains("help kill",
			"  p is a bound ProcessHandle, or a number from `ps`.\n  short for p.kill(status = 1)\n");
	contains("help", "Tab completes");
	contains("help Status",
			"  overloaded\n      a resource is used up; try again later or with more of it\n");
	refuses("help timer.nowhere",
		"           ^", "Timer has no method nowhere; it has now, sleep, sleepUntil, clockPage");
	refuses("help Status.ok",
		"            ^", "this type has no methods");
	refuses("help nonsense",
		"     ^", "there is no capability, type or command nonsense");
}

static void every_help_fits_eighty_columns(void **state)
{
	char line[64];

	for (uint32_t i = 0; i < schema_node_count(&schema); i++) {
		struct capnp_text name = schema_node_path(schema_node_at(&schema, i));

		if (memchr(name.chars, '.', name.bytes) || memchr(name.chars, '$', name.bytes))
			continue;
		snprintf(line, sizeof(line), "help %.*s", (int)name.bytes, name.chars);
		run(line);
		for (char *row = strtok(double_output, "\n"); row; row = strtok(NULL, "\n")) {
			if (strlen(row) >= 80 && !strstr(row, "example:"))
				fail_msg("%s: %s", line, row);
		}
	}
}

/* Every $example of the schemas is a line of the language that names a method there is. */
static void every_example_can_be_typed(void **state)
{
	uint32_t examples = 0;

	for (uint32_t i = 0; i < schema_node_count(&schema); i++) {
		struct schema_node node = schema_node_at(&schema, i);

		for (uint32_t m = 0; schema_node_kind(node) == SCHEMA_INTERFACE && m < schema_method_count(node); m++) {
			struct schema_member method = schema_method_at(node, m);
			struct capnp_struct_reader value;
			struct shell_line line;
			struct capnp_text text;

			if (!schema_annotation_find(schema_member_annotations(method), SCHEMA_ANNOTATION_EXAMPLE, &value))
				continue;
			text = capnp_any_text(schema_value_pointer(value));
			sh.arena = (struct shell_arena){ sh.arena_bytes, sizeof(sh.arena_bytes), 0 };
			shell_parse(&sh.arena, text.chars, text.bytes, &line);
			if (!line.ok || !line.statements || !line.statements->chain)
				fail_msg("%.*s", (int)text.bytes, text.chars);
			assert_true(capnp_text_is(schema_member_name(method),
					capnp_text_of(line.statements->chain->steps->name.chars,
							line.statements->chain->steps->name.bytes)));
			examples++;
		}
	}
	assert_true(examples > 3);
}

static const char *completions(const char *line)
{
	static struct term_candidates c;
	static char text[2000];

	text[0] = 0;
	shell_complete(&sh, line, (uint32_t)strlen(line), (uint32_t)strlen(line), &c);
	for (uint32_t i = 0; i < c.count; i++) {
		strcat(text, i > 0 ? " " : "");
		strncat(text, c.text + c.item[i].at, c.item[i].bytes);
		strcat(text, c.item[i].suffix);
	}
	return text;
}

static void completion_knows_names_methods_fields_and_words(void **state)
{
	assert_string_equal(completions("ti"), "timer");
	assert_string_equal(completions("po"), "poweroff ");
	assert_string_equal(completions("timer.s"), "sleep( sleepUntil(");
	assert_string_equal(completions("timer.n"), "now");
	assert_string_equal(completions("x = timer.sleep(du"), "durationNs =");
	assert_string_equal(completions("bank.open(owner = \"a\", "), "");
	assert_string_equal(completions("bank.open(owner = \"a\").dep"), "depositOnly deposit(");
	assert_string_equal(completions("bank.open(owner = \"a\").acc"), "account");
	assert_string_equal(completions("holders @t"), "timer term");
	assert_string_equal(completions("reach b"), "bank");
	assert_string_equal(completions("authority h"), "hello ");
	assert_string_equal(completions("authority t"), "");
	assert_string_equal(completions("authority.rev"), "revoke( revokeDerived(");
	assert_string_equal(completions("trace --"), "--payload ");
	assert_string_equal(completions("trace ti"), "timer");
	assert_string_equal(completions("trace --payload { timer.now; po"), "poweroff ");
	assert_string_equal(completions("trace timer.n"), "now");
	assert_string_equal(completions("run h"), "hello ");
	assert_string_equal(completions("run hello w"), "with {");
	assert_string_equal(completions("run hello with { log: @c"), "console");
	assert_string_equal(completions("c = term as Con"), "Console");
	assert_string_equal(completions("term.readLine(hidden = t"), "true");
	assert_string_equal(completions("help timer.no"), "now");
	run("a = bank.open(owner = \"ann\").account");
	assert_string_equal(completions("a.revoke(facet = "), "@timer @term @console @bank @authority @system @a");
	assert_string_equal(completions("a.revoke(facet = @b"), "bank");
	run("probe = spawn hello");
	assert_string_equal(completions("authority p"), "probe");
	assert_string_equal(completions("help Bal"), "BalanceView");
	assert_string_equal(completions("nonsense.x"), "");
	assert_string_equal(completions("timer.now) ("), "");
}

static void sensitive_values_are_noticed_and_names_are_bounded(void **state)
{
	char line[64];

	run("timer.now");
	assert_false(sh.sensitive);
	for (uint32_t i = 0; i < SHELL_NAMES_MAX + 5; i++) {
		snprintf(line, sizeof(line), "name%u = %u", i, i);
		run(line);
	}
	assert_string_equal(sh.sentence, "96 names are in use; drop one first");
	assert_false(run("a-name-that-is-much-longer-than-thirty-one = 1"));
}

/* A server may answer anything: a list of a quarter of a billion rows that take no words ... */
static void an_answer_of_countless_rows_is_not_walked(void **state)
{
	static const uint64_t words[] = {
		UINT64_C(0x0001000100000000), 0, UINT64_C(0x0000000700000001), UINT64_C(0x000000003ffffffc),
	};

	system_.answer = words;
	system_.answer_words = ARRAY_LEN(words);
	alarm(5);
	assert_true(run("authority.processes"));
	assert_true(run("rows = authority.processes"));
	assert_true(run("rows"));
	alarm(0);
}

/* ... and text that would drive the terminal, in either coding of its control characters. */
static void what_a_server_says_cannot_drive_the_terminal(void **state)
{
	assert_true(run("a = bank.open(owner = \"x\x1b[2Jy\xc2\x9b" "31mz\x9b" "1m\")"));
	assert_true(run("a.balance"));
	assert_null(strchr(double_output, 0x1b));
	assert_null(strstr(double_output, "\xc2\x9b"));
	assert_null(strstr(double_output, "\x9b"));
	assert_non_null(strstr(double_output, "\"x\\x1b[2Jy\\xc2\\x9b31mz\\x9b1m\""));
	shell_print(&sh, "reason: \x1b]0;title\x07 %s\n", "\r\ttab");
	assert_null(strchr(double_output, 0x1b));
	assert_null(strchr(double_output, '\r'));
	assert_non_null(strstr(double_output, "reason: ^[]0;title^G ^M\ttab\n"));
}

static void a_long_sentence_breaks_between_words(void **state)
{
	sh.columns = 40;
	says("timer.nwo",
		"             ^\n"
		"error: Timer has no method nwo; it has\n"
		"       now, sleep, sleepUntil,\n"
		"       clockPage\n");
	sh.columns = 12;
	run("timer.sleep(durationNs = \"a\")");
	run("help; help timer; caps; ps; holders @bank; help run; help kill");
	run("bank.open(owner = \"somebody with a long name\").balance");
}

static void the_overview_of_help_fits_a_small_screen(void **state)
{
	uint32_t rows = 0;

	run("help");
	for (char *row = strtok(double_output, "\n"); row; row = strtok(NULL, "\n"), rows++) {
		if (strlen(row) > 79)
			fail_msg("%s", row);
	}
	assert_true(rows <= 22);
	contains("help run", "  run prog with { log: @console, memory: own } args [\"-v\"] env { A = \"b\" }\n");
}

static void identities_are_shown_in_hexadecimal_and_amounts_are_not(void **state)
{
	contains("authority.holders(capability = @bank)", " = 0x700000017,");
	contains("bank.open(owner = \"x\").deposit(amount = 5000000000)", "done");
	says("p = spawn hello", "p: ProcessHandle\n");
	contains("p.crash", "address = 0x10");
}

static void a_name_that_has_no_room_is_refused_before_the_call(void **state)
{
	char line[64];
	uint32_t holders;

	for (uint32_t i = 0; i < SHELL_NAMES_MAX; i++) {
		snprintf(line, sizeof(line), "name%u = %u", i, i);
		run(line);
	}
	holders = double_holders(&system_);
	refuses("late = timer.sleep(durationNs = 5)",
		"^", "96 names are in use; drop one first");
	assert_int_equal(system_.slept_ns, 0);
	assert_int_equal(double_holders(&system_), holders);
}

static void exit_leaves_with_a_status(void **state)
{
	assert_true(run("exit 3"));
	assert_string_equal(double_output,
		"This shell ends, and the names bound in it. `poweroff` ends the system.\n");
	assert_true(sh.leave);
	assert_int_equal(sh.leave_status, 3);
	refuses("exit 300",
		"     ^", "an exit status is a number from 0 to 255");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_prints_its_result_with_the_unit),
		TEST(a_call_without_results_prints_nothing),
		TEST(text_reaches_the_console),
		TEST(a_single_result_is_bound_as_its_value),
		TEST(what_the_shell_began_with_is_not_lost_by_accident),
		TEST(an_account_is_opened_and_used_by_its_name),
		TEST(calls_chain_without_names),
		TEST(a_capability_that_was_not_answered_is_null),
		TEST(a_facet_is_revoked_and_then_refused),
		TEST(narrowing_keeps_only_the_ancestors_methods),
		TEST(pages_are_joined),
		TEST(ps_shows_how_time_is_shared),
		TEST(top_shows_who_used_the_time_since),
		TEST(poweroff_is_a_call_on_system),
		TEST(run_grants_exactly_what_is_named),
		TEST(a_program_that_fails_fails_the_line),
		TEST(a_spawned_process_is_waited_for_and_killed),
		TEST(a_process_can_be_named_by_its_number),
		TEST(dropping_a_name_releases_its_capability),
		TEST(binding_anew_releases_the_old_one),
		TEST(literals_are_kept_and_given),
		TEST(wrong_arguments_point_at_the_column),
		TEST(refusals_name_what_was_typed),
		TEST(what_was_revoked_is_named),
		TEST(a_refused_line_does_nothing),
		TEST(the_line_ends_at_the_first_failure),
		TEST(an_error_after_output_shows_the_line_again),
		TEST(an_interrupted_call_fails_the_line),
		TEST(caps_lists_what_is_held),
		TEST(help_comes_from_the_schemas),
		TEST(every_help_fits_eighty_columns),
		TEST(every_example_can_be_typed),
		TEST(completion_knows_names_methods_fields_and_words),
		TEST(sensitive_values_are_noticed_and_names_are_bounded),
		TEST(an_answer_of_countless_rows_is_not_walked),
		TEST(what_a_server_says_cannot_drive_the_terminal),
		TEST(a_long_sentence_breaks_between_words),
		TEST(the_overview_of_help_fits_a_small_screen),
		TEST(identities_are_shown_in_hexadecimal_and_amounts_are_not),
		TEST(a_name_that_has_no_room_is_refused_before_the_call),
		TEST(exit_leaves_with_a_status),
	};

	return cmocka_run_group_tests_name("shell_evaluate", tests, open_schemas, NULL);
}
