/* The shell's grammar, sentence by sentence: what each line becomes, and where each wrong one is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "services/shell/parse.h"

static _Alignas(8) uint8_t memory[32768];
static struct shell_arena arena;
static struct shell_line line;

static struct shell_statement *parse(const char *text)
{
	arena = (struct shell_arena){ memory, sizeof(memory), 0 };
	shell_parse(&arena, text, (uint32_t)strlen(text), &line);
	return line.statements;
}

static struct shell_statement *good(const char *text)
{
	struct shell_statement *s = parse(text);

	if (!line.ok)
		fail_msg("'%s': column %u: %s", text, line.error_at + 1, line.error);
	return s;
}

static void word(struct shell_word w, const char *text)
{
	assert_int_equal(w.bytes, strlen(text));
	assert_memory_equal(w.chars, text, w.bytes);
}

/* The caret's line has a ^ under the byte that the error points at. */
static void bad(const char *text, const char *caret, const char *sentence)
{
	parse(text);
	assert_false(line.ok);
	assert_int_equal(line.error_at, strlen(caret) - 1);
	assert_string_equal(line.error, sentence);
}

static struct shell_value *argument(struct shell_statement *s, const char *expected)
{
	struct shell_step *step = s->chain->steps;

	while (step->next)
		step = step->next;
	word(step->arguments->fields->name, expected);
	return step->arguments->fields->value;
}

static struct shell_value *literal(const char *text)
{
	struct shell_statement *s = good(text);

	assert_int_equal(s->kind, SHELL_LITERAL);
	return s->literal;
}

static void empty_lines_and_comments_are_nothing(void **state)
{
	assert_null(good(""));
	assert_null(good("   \t"));
	assert_null(good("# only a comment"));
	assert_null(good(" ;; ; # more"));
}

static void a_name_alone_is_a_chain_without_steps(void **state)
{
	struct shell_statement *s = good("timer");

	assert_int_equal(s->kind, SHELL_CHAIN);
	assert_int_equal(s->chain->sigil, SHELL_PLAIN);
	word(s->chain->start, "timer");
	assert_null(s->chain->steps);
}

static void a_call_has_named_arguments(void **state)
{
	struct shell_statement *s = good("console.write(text = \"hi\", n = 3)  # greets");

	word(s->chain->start, "console");
	word(s->chain->steps->name, "write");
	assert_int_equal(s->chain->steps->arguments->count, 2);
	assert_int_equal(argument(s, "text")->kind, SHELL_TEXT);
	word(argument(s, "text")->word, "hi");
	assert_int_equal(s->chain->steps->arguments->fields->next->value->number.magnitude, 3);
}

static void a_call_without_arguments_needs_no_brackets(void **state)
{
	assert_null(good("timer.now")->chain->steps->arguments);
	assert_int_equal(good("timer.now()")->chain->steps->arguments->count, 0);
}

static void calls_and_fields_chain(void **state)
{
	struct shell_statement *s = good("bank.open(owner = \"ann\").account.deposit(amount = 5).outcome");
	struct shell_step *step = s->chain->steps;

	word(step->name, "open");
	word(step->next->name, "account");
	word(step->next->next->name, "deposit");
	word(step->next->next->next->name, "outcome");
}

static void a_result_is_bound_by_name(void **state)
{
	struct shell_statement *s = good("acct = bank.open(owner = \"ann\")");

	word(s->bind, "acct");
	word(s->chain->start, "bank");
}

static void a_line_holds_several_statements(void **state)
{
	struct shell_statement *s = good("a = 1; timer.now ;caps;");

	assert_int_equal(s->kind, SHELL_LITERAL);
	assert_int_equal(s->next->kind, SHELL_CHAIN);
	assert_int_equal(s->next->next->kind, SHELL_CAPS);
	assert_null(s->next->next->next);
}

static void numbers_keep_every_bit(void **state)
{
	assert_int_equal(literal("18446744073709551615")->number.magnitude, UINT64_MAX);
	assert_true(literal("18446744073709551615")->number.whole);
	assert_false(literal("18446744073709551616")->number.whole);
	assert_int_equal(literal("0xff")->number.magnitude, 255);
	assert_true(literal("-5")->number.negative);
	assert_int_equal(literal("-5")->number.magnitude, 5);
	assert_true(literal("1.5")->number.real > 1.49 && literal("1.5")->number.real < 1.51);
	assert_true(literal("-2.5e3")->number.real < -2499.9 && literal("-2.5e3")->number.real > -2500.1);
	assert_true(literal("-inf")->number.real < -1e300);
}

static void text_has_the_escapes_of_capnp(void **state)
{
	word(literal("\"a\\n\\t\\\"\\\\\\x41\\102\"")->word, "a\n\t\"\\AB");
	word(literal("\"\"")->word, "");
	word(literal("\"gr\xc3\xbc\xc3\x9f\"")->word, "gr\xc3\xbc\xc3\x9f");
}

static void data_is_pairs_of_digits(void **state)
{
	struct shell_value *v = literal("0x\"00 fF 10\"");

	assert_int_equal(v->kind, SHELL_DATA);
	assert_int_equal(v->word.bytes, 3);
	assert_memory_equal(v->word.chars, "\x00\xff\x10", 3);
}

static void lists_and_structs_nest(void **state)
{
	struct shell_value *v = literal("[(a = 1, b = [true, x]), (), [2,],]");

	assert_int_equal(v->kind, SHELL_LIST);
	assert_int_equal(v->count, 3);
	assert_int_equal(v->items->kind, SHELL_STRUCT);
	assert_int_equal(v->items->count, 2);
	word(v->items->fields->next->value->items->next->word, "x");
	assert_int_equal(v->items->next->count, 0);
	assert_int_equal(v->items->next->next->count, 1);
}

static void references_name_capabilities_values_and_the_status(void **state)
{
	struct shell_value *v = argument(good("x.m(a = @acct.account)"), "a");

	assert_int_equal(v->kind, SHELL_REFERENCE);
	assert_int_equal(v->reference->sigil, SHELL_CAPABILITY);
	word(v->reference->start, "acct");
	word(v->reference->steps->name, "account");
	assert_int_equal(argument(good("x.m(a = $n)"), "a")->reference->sigil, SHELL_VALUE);
	assert_int_equal(argument(good("x.m(a = $?)"), "a")->reference->sigil, SHELL_STATUS);
	assert_int_equal(good("$?")->chain->sigil, SHELL_STATUS);
}

static void as_narrows(void **state)
{
	struct shell_statement *s = good("c = @term as Console");

	assert_int_equal(s->chain->sigil, SHELL_CAPABILITY);
	word(s->chain->narrow, "Console");
	word(good("c = bank.open(owner = \"a\").account as BalanceView")->chain->narrow, "BalanceView");
}

static void run_takes_grants_arguments_and_environment(void **state)
{
	struct shell_statement *s =
		good("run counter with { log: @console, @timer } args [\"-v\"] env { A = \"b\" }");

	assert_int_equal(s->kind, SHELL_LAUNCH);
	assert_true(s->launch->foreground);
	word(s->launch->program, "counter");
	word(s->launch->grants->name, "log");
	word(s->launch->grants->capability->start, "console");
	word(s->launch->grants->next->name, "timer");
	assert_int_equal(s->launch->args->count, 1);
	word(s->launch->env->fields->name, "A");
	word(s->launch->env->fields->value->word, "b");
}

static void own_grants_the_programs_own_address_space(void **state)
{
	struct shell_statement *s = good("run shell with { memory: own, @term }");

	word(s->launch->grants->name, "memory");
	assert_null(s->launch->grants->capability);
	word(s->launch->grants->next->name, "term");
	bad("run shell with { own }",
	    "                     ^", "a grant is written as name: @capability; the : is missing");
}

static void spawn_binds_and_needs_no_grants(void **state)
{
	struct shell_statement *s = good("p = spawn counter-client");

	assert_false(s->launch->foreground);
	word(s->bind, "p");
	word(s->launch->program, "counter-client");
	assert_null(s->launch->grants);
	word(good("run \"bin/hello\"")->launch->program, "bin/hello");
	assert_null(good("run hello with {}")->launch->grants);
}

static void sugar_becomes_the_call_it_stands_for(void **state)
{
	struct shell_statement *s = good("revoke 0x700000017");

	assert_int_equal(s->kind, SHELL_CHAIN);
	word(s->chain->start, "authority");
	word(s->chain->steps->name, "revoke");
	assert_int_equal(argument(s, "grant")->number.magnitude, UINT64_C(0x700000017));

	s = good("kill p");
	word(s->chain->start, "p");
	word(s->chain->steps->name, "kill");
	assert_int_equal(argument(s, "status")->number.magnitude, 1);
	s = good("kill @p 9");
	assert_int_equal(argument(s, "status")->number.magnitude, 9);

	s = good("x = wait p.process");
	word(s->bind, "x");
	word(s->chain->steps->next->name, "wait");

	s = good("poweroff");
	word(s->chain->start, "system");
	assert_int_equal(argument(s, "status")->number.magnitude, 0);
	assert_int_equal(argument(good("poweroff 3"), "status")->number.magnitude, 3);
}

static void a_name_like_a_command_can_still_be_called(void **state)
{
	struct shell_statement *s = good("help.me");

	assert_int_equal(s->kind, SHELL_CHAIN);
	word(s->chain->start, "help");
}

static void the_other_commands(void **state)
{
	assert_int_equal(good("caps")->kind, SHELL_CAPS);
	assert_int_equal(good("history")->kind, SHELL_HISTORY);
	assert_int_equal(good("tour")->kind, SHELL_TOUR);
	assert_int_equal(good("drop x")->kind, SHELL_DROP);
	assert_int_equal(good("exit 3")->literal->number.magnitude, 3);
	assert_null(good("exit")->literal);
	assert_int_equal(good("help")->topic[0].bytes, 0);
	word(good("help timer.now")->topic[0], "timer");
	word(good("help timer.now")->topic[1], "now");
}

static void a_trace_holds_one_statement_or_several_in_braces(void **state)
{
	struct shell_statement *s = good("trace x = timer.now; caps");

	assert_int_equal(s->kind, SHELL_TRACE);
	assert_false(s->payload);
	word(s->body->bind, "x");
	assert_null(s->body->next);
	assert_int_equal(s->next->kind, SHELL_CAPS);
	s = good("trace --payload { run hello with { @console } ;; t = 5; }");
	assert_true(s->payload);
	assert_int_equal(s->body->kind, SHELL_LAUNCH);
	assert_int_equal(s->body->next->kind, SHELL_LITERAL);
	assert_null(s->body->next->next);
	assert_null(good("trace { }")->body);
	assert_int_equal(good("trace.me")->kind, SHELL_CHAIN);
	bad("trace",
	    "     ^", "`trace` takes what to run: trace timer.now");
	bad("trace --payloads x",
	    "       ^", "digits are missing here");
	bad("trace { timer.now",
	    "                 ^", "a ; or } is missing here");
	bad("trace { timer.now;",
	    "                  ^", "a } is missing here");
	bad("trace { timer.now timer.now }",
	    "                  ^", "a ; or } is missing here");
	bad("trace { trace timer.now }",
	    "        ^", "a trace holds no other trace");
	bad("x = trace timer.now",
	    "    ^", "this command has no result to bind");
	parse("trace { ");
	assert_int_equal(line.wanted, SHELL_WANT_STATEMENT);
}

static void errors_point_at_the_column(void **state)
{
	bad("timer.",
	    "      ^", "the name of a method or field is missing here");
	bad("timer.now)",
	    "         ^", "a call is written name.method(field = value); `help` shows how");
	bad("cat foo",
	    "    ^", "a call is written name.method(field = value); `help` shows how");
	bad("timer.now() x",
	    "            ^", "this does not belong to the statement before; write ; between statements");
	bad("caps all",
	    "     ^", "this command takes nothing; write ; between statements");
	bad("ps x",
	    "   ^", "this command takes nothing; write ; between statements");
	bad("top x",
	    "    ^", "`top` takes how often it shows, or nothing");
	bad("top 2 3",
	    "      ^", "`top` takes how often it shows, or nothing");
	bad("wait p q",
	    "       ^", "this command takes nothing more; write ; between statements");
	bad("p.wait q",
	    "       ^", "a call is written name.method(field = value); `help` shows how");
	bad("run hello you",
	    "          ^", "after the program come with { ... }, args [ ... ] and env { ... }");
	bad("exit now",
	    "     ^", "an exit status is a number from 0 to 255");
	bad("x.m(a 5)",
	    "      ^", "a field is written as name = value; the = is missing");
	bad("x.m(\"hi\")",
	    "    ^", "a field is written as name = value");
	bad("x.m(a = )",
	    "        ^", "a value is missing here");
	bad("x.m(a = 1",
	    "         ^", "a , or ) is missing here");
	bad("x.m(a = [1 2])",
	    "           ^", "a , or ] is missing here");
	bad("x.m(a = \"hi)",
	    "        ^", "the text that begins here has no closing quote");
	bad("x.m(a = \"\\q\")",
	    "          ^", "there is no such escape; \\n, \\t, \\\", \\\\ and \\x41 are some that are");
	bad("x.m(a = 12ab)",
	    "          ^", "this does not belong to a number");
	bad("x.m(a = 0x)",
	    "          ^", "digits are missing here");
	bad("x.m(a = 0x\"1\")",
	    "            ^", "data is written in pairs of hexadecimal digits");
	bad("x = ",
	    "    ^", "something to bind is missing here");
	bad("ps = timer.now",
	    "^", "this is the name of a command; choose another");
	bad("x = caps",
	    "    ^", "this command has no result to bind");
	bad("run",
	    "   ^", "the name of a program is missing here");
	bad("run a with console",
	    "           ^", "grants are written in braces: with { console: @console }");
	bad("run a with { log: console }",
	    "                  ^", "a capability is granted as @name");
	bad("run a with { log @console }",
	    "                 ^", "a grant is written as name: @capability; the : is missing");
	bad("run a args [] args []",
	    "              ^", "this may be said only once");
	bad("x as",
	    "    ^", "the name of an interface is missing here");
	bad("kill",
	    "    ^", "`kill p` takes a ProcessHandle (p = spawn ...) or a number from `ps`");
	bad("holders @",
	    "         ^", "a name is missing here");
	bad("drop",
	    "    ^", "`drop x` takes a name");
	bad("drop x.y",
	    "       ^", "a name is dropped as a whole");
	bad("a = 1; ?",
	    "       ^", "a name or a command belongs here; `help` shows how lines are written");
}

static void nesting_has_an_end(void **state)
{
	char text[200];

	memset(text, '[', sizeof(text));
	text[sizeof(text) - 1] = 0;
	parse(text);
	assert_false(line.ok);
	assert_string_equal(line.error, "values are nested too deep here");
	assert_int_equal(line.error_at, SHELL_DEPTH_MAX + 1);
}

static void a_small_arena_is_an_error_and_not_a_crash(void **state)
{
	static const char text[] = "x = a.b(c = [1, (d = \"text\", e = 0x\"00\")], f = @g.h).i as J; run k with { @l }";

	for (uint32_t size = 0; size < 8192; size += 8) {
		arena = (struct shell_arena){ memory, size, 0 };
		shell_parse(&arena, text, sizeof(text) - 1, &line);
		assert_true(arena.used <= size);
		if (!line.ok)
			assert_string_equal(line.error, "the line is too long to take in at once");
	}
	assert_true(line.ok);
}

static void commands_about_authority_take_what_they_show(void **state)
{
	struct shell_statement *s = good("holders @acct");

	assert_int_equal(s->kind, SHELL_HOLDERS);
	word(s->chain->start, "acct");
	s = good("reach acct.account; timer.now");
	assert_int_equal(s->kind, SHELL_REACH);
	word(s->chain->steps->name, "account");
	s = good("authority");
	assert_int_equal(s->kind, SHELL_AUTHORITY);
	assert_false(s->graph || s->literal || s->topic[0].bytes);
	word(good("authority test-reader # who")->topic[0], "test-reader");
	assert_int_equal(good("authority 12")->literal->number.magnitude, 12);
	assert_true(good("authority --dot; ps")->graph);
	assert_int_equal(good("authority.processes")->kind, SHELL_CHAIN);
	assert_int_equal(good("x = @authority")->kind, SHELL_CHAIN);
	bad("authority --do",
	    "          ^", "`authority` takes a process, or --dot for a graph");
	bad("authority a b",
	    "            ^", "`authority` takes one process, or --dot for a graph");
	bad("reach a b",
	    "        ^", "one capability is shown at a time; write ; between statements");
	bad("reach",
	    "     ^", "`reach x` takes the name of a capability; `caps` lists yours");
	bad("revoke x",
	    "       ^", "`revoke 0x...` takes the number of a grant, as `holders x` shows it");
	bad("x = authority",
	    "    ^", "this command has no result to bind");
}

static void every_command_is_known_to_the_parser(void **state)
{
	for (uint32_t i = 0; shell_commands[i]; i++) {
		struct shell_statement *s = parse(shell_commands[i]);

		assert_non_null(s);
		assert_false(s->kind == SHELL_CHAIN && !shell_sugar_meaning(shell_commands[i],
				(uint32_t)strlen(shell_commands[i])));
	}
}

static void wants(const char *text, enum shell_wanted wanted)
{
	parse(text);
	assert_int_equal(line.wanted, wanted);
}

static void the_end_of_a_line_tells_what_could_follow(void **state)
{
	wants("", SHELL_WANT_STATEMENT);
	wants("timer.now; ", SHELL_WANT_STATEMENT);
	wants("x = ", SHELL_WANT_STATEMENT);
	wants("timer.", SHELL_WANT_STEP);
	word(line.chain->start, "timer");
	wants("bank.open(", SHELL_WANT_FIELD);
	word(line.chain->steps->name, "open");
	assert_null(line.frame->outer);
	wants("bank.open(owner = \"a\", ", SHELL_WANT_FIELD);
	wants("bank.open(owner = ", SHELL_WANT_VALUE);
	word(line.frame->field, "owner");
	wants("x.m(a = (b = [(", SHELL_WANT_FIELD);
	assert_true(line.frame->outer->list);
	word(line.frame->outer->outer->field, "b");
	wants("x.m(a = @", SHELL_WANT_NAME);
	wants("holders ", SHELL_WANT_NAME);
	wants("reach ", SHELL_WANT_NAME);
	wants("authority ", SHELL_WANT_PROCESS);
	wants("kill ", SHELL_WANT_NAME);
	wants("x as ", SHELL_WANT_INTERFACE);
	wants("run ", SHELL_WANT_PROGRAM);
	wants("run hello ", SHELL_WANT_LAUNCH_WORD);
	wants("run hello with { ", SHELL_WANT_GRANT);
	wants("run hello with { log: @", SHELL_WANT_NAME);
	wants("help ", SHELL_WANT_TOPIC);
	wants("help timer.", SHELL_WANT_STEP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_lines_and_comments_are_nothing),
		cmocka_unit_test(a_name_alone_is_a_chain_without_steps),
		cmocka_unit_test(a_call_has_named_arguments),
		cmocka_unit_test(a_call_without_arguments_needs_no_brackets),
		cmocka_unit_test(calls_and_fields_chain),
		cmocka_unit_test(a_result_is_bound_by_name),
		cmocka_unit_test(a_line_holds_several_statements),
		cmocka_unit_test(numbers_keep_every_bit),
		cmocka_unit_test(text_has_the_escapes_of_capnp),
		cmocka_unit_test(data_is_pairs_of_digits),
		cmocka_unit_test(lists_and_structs_nest),
		cmocka_unit_test(references_name_capabilities_values_and_the_status),
		cmocka_unit_test(as_narrows),
		cmocka_unit_test(run_takes_grants_arguments_and_environment),
		cmocka_unit_test(own_grants_the_programs_own_address_space),
		cmocka_unit_test(spawn_binds_and_needs_no_grants),
		cmocka_unit_test(sugar_becomes_the_call_it_stands_for),
		cmocka_unit_test(commands_about_authority_take_what_they_show),
		cmocka_unit_test(a_name_like_a_command_can_still_be_called),
		cmocka_unit_test(the_other_commands),
		cmocka_unit_test(a_trace_holds_one_statement_or_several_in_braces),
		cmocka_unit_test(errors_point_at_the_column),
		cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(a_small_arena_is_an_error_and_not_a_crash),
		cmocka_unit_test(every_command_is_known_to_the_parser),
		cmocka_unit_test(the_end_of_a_line_tells_what_could_follow),
	};

	return cmocka_run_group_tests_name("shell_parse", tests, NULL, NULL);
}
