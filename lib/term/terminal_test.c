/* The terminal's promises: who gets what is typed, when a line is answered, what a person sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "term/screen.h"
#include "term/terminal.h"

struct answer {
	terminal_waiter who;
	char text[TERMINAL_KEYS_MAX + 1];
	uint32_t bytes;
	enum line_outcome outcome;
	enum terminal_event event;
	bool end;
};

static struct terminal term;
static struct term_screen screen;
static struct answer answers[64];
static uint32_t answer_count;

static void to_screen(void *arg, const char *bytes, uint32_t count)
{
	term_screen_write(&screen, bytes, count);
}

static struct answer *add_answer(terminal_waiter who)
{
	struct answer *a = &answers[answer_count++ % ARRAY_LEN(answers)];

	memset(a, 0, sizeof(*a));
	a->who = who;
	return a;
}

static void on_line(void *arg, terminal_waiter who, const char *line, uint32_t bytes,
		enum line_outcome outcome)
{
	struct answer *a = add_answer(who);

	memcpy(a->text, line, bytes);
	a->bytes = bytes;
	a->outcome = outcome;
}

static void on_keys(void *arg, terminal_waiter who, const char *bytes, uint32_t count, bool end)
{
	struct answer *a = add_answer(who);

	memcpy(a->text, bytes, count);
	a->bytes = count;
	a->end = end;
}

static void on_event(void *arg, terminal_waiter who, enum terminal_event event)
{
	add_answer(who)->event = event;
}

static const struct terminal_ops ops = { to_screen, on_line, on_keys, on_event };

static int begin(void **state)
{
	term_screen_init(&screen, 40, 10);
	terminal_init(&term, &ops, NULL, 40, 10);
	answer_count = 0;
	return 0;
}

static void type(const char *text)
{
	terminal_input(&term, text, (uint32_t)strlen(text));
	terminal_check(&term);
}

static void ask(uint32_t session, terminal_waiter who, const char *prompt)
{
	assert_true(terminal_read_line(&term, session, who, prompt, (uint32_t)strlen(prompt), false));
	terminal_check(&term);
}

static void sees(uint32_t row, const char *text)
{
	assert_string_equal(term_screen_row(&screen, row), text);
	assert_int_equal(screen.unknown, 0);
}

static uint32_t open_session(void)
{
	uint32_t session;

	assert_true(terminal_session_open(&term, &session));
	return session;
}

static void a_line_is_echoed_and_answered_once(void **state)
{
	ask(0, 7, "name? ");
	type("an");
	assert_int_equal(answer_count, 0);
	type("nx\x7f\r");
	assert_int_equal(answer_count, 1);
	assert_int_equal(answers[0].who, 7);
	assert_string_equal(answers[0].text, "ann");
	assert_int_equal(answers[0].outcome, LINE_OUTCOME_LINE);
	sees(0, "name? ann");
}

static void what_is_typed_ahead_waits_and_is_echoed_when_read(void **state)
{
	type("one\rtwo\r");
	sees(0, "");
	ask(0, 1, "1> ");
	assert_string_equal(answers[0].text, "one");
	ask(0, 2, "2> ");
	assert_string_equal(answers[1].text, "two");
	sees(0, "1> one");
	sees(1, "2> two");
}

static void hidden_input_is_not_shown_and_not_kept(void **state)
{
	assert_true(terminal_read_line(&term, 0, 1, "password: ", 10, true));
	type("hunter2\r");
	assert_string_equal(answers[0].text, "hunter2");
	sees(0, "password:");
	assert_int_equal(term.session[0].editor.line[0], 0);
}

static void ctrl_d_and_ctrl_c_end_a_line_read(void **state)
{
	ask(0, 1, "> ");
	type("\x04");
	assert_int_equal(answers[0].outcome, LINE_OUTCOME_END_OF_INPUT);
	ask(0, 2, "> ");
	type("abc\x03");
	assert_int_equal(answers[1].outcome, LINE_OUTCOME_INTERRUPTED);
	assert_int_equal(answers[1].bytes, 0);
}

static void keys_come_unechoed_with_control_keys(void **state)
{
	assert_true(terminal_read_keys(&term, 0, 1, 100, true));
	type("\x1b[A\x03");
	assert_int_equal(answers[0].bytes, 4);
	assert_memory_equal(answers[0].text, "\x1b[A\x03", 4);
	sees(0, "");
}

static void ctrl_c_reaches_the_parent_of_a_foreground_program(void **state)
{
	uint32_t child;

	assert_true(terminal_next_event(&term, 0, 50));
	child = open_session();
	ask(child, 60, "child> ");
	type("abc\x03");
	assert_int_equal(answer_count, 2);
	assert_int_equal(answers[0].who, 60);
	assert_int_equal(answers[0].outcome, LINE_OUTCOME_INTERRUPTED);
	assert_int_equal(answers[1].who, 50);
	assert_int_equal(answers[1].event, TERMINAL_EVENT_INTERRUPT);
}

static void ctrl_c_while_nobody_reads_is_an_event_and_drops_what_was_typed(void **state)
{
	assert_true(terminal_next_event(&term, 0, 50));
	type("typed ahead\x03");
	assert_int_equal(answers[0].event, TERMINAL_EVENT_INTERRUPT);
	ask(0, 1, "> ");
	assert_int_equal(answer_count, 1);
	type("x\r");
	assert_string_equal(answers[1].text, "x");
}

static void ctrl_c_without_anybody_waiting_stays_a_key(void **state)
{
	type("ab\x03");
	ask(0, 1, "> ");
	assert_int_equal(answers[0].outcome, LINE_OUTCOME_INTERRUPTED);
}

static void a_child_that_reads_keys_without_control_keys_can_be_interrupted(void **state)
{
	uint32_t child = open_session();

	assert_true(terminal_next_event(&term, 0, 50));
	assert_true(terminal_read_keys(&term, child, 60, 100, false));
	type("\x03q");
	assert_int_equal(answers[0].event, TERMINAL_EVENT_INTERRUPT);
	assert_int_equal(answers[1].who, 60);
	assert_string_equal(answers[1].text, "q");
}

static void ctrl_backslash_cannot_be_kept_from_the_parent(void **state)
{
	uint32_t child = open_session();

	assert_true(terminal_next_event(&term, 0, 50));
	assert_true(terminal_next_event(&term, child, 51));
	assert_true(terminal_read_keys(&term, child, 60, 100, true));
	type("\x03");
	assert_int_equal(answers[0].who, 60);
	type("\x1c");
	assert_int_equal(answers[1].who, 50);
	assert_int_equal(answers[1].event, TERMINAL_EVENT_INTERRUPT);
}

static void ctrl_backslash_is_a_key_for_the_only_session(void **state)
{
	assert_true(terminal_next_event(&term, 0, 50));
	assert_true(terminal_read_keys(&term, 0, 60, 100, true));
	type("\x1c");
	assert_int_equal(answers[0].who, 60);
}

static void ctrl_backslash_takes_the_terminal_back(void **state)
{
	uint32_t child = open_session();
	uint32_t thief = open_session();

	ask(0, 1, "parent> ");
	assert_true(terminal_next_event(&term, 0, 50));
	ask(child, 2, "child> ");
	assert_true(terminal_read_keys(&term, thief, 3, 100, true));
	assert_true(terminal_next_event(&term, thief, 51));
	type("\x1cmine");
	assert_int_equal(answer_count, 4);
	assert_int_equal(answers[0].who, 50);
	assert_int_equal(answers[0].event, TERMINAL_EVENT_INTERRUPT);
	assert_int_equal(answers[1].who, 2);
	assert_int_equal(answers[1].outcome, LINE_OUTCOME_END_OF_INPUT);
	assert_int_equal(answers[2].who, 3);
	assert_true(answers[2].end);
	assert_int_equal(answers[3].who, 51);
	assert_int_equal(answers[3].event, TERMINAL_EVENT_HANG_UP);
	sees(0, "parent> mine");
	assert_true(terminal_read_keys(&term, thief, 4, 100, true));
	assert_true(answers[4].end);
	type("\r");
	assert_int_equal(answers[5].who, 1);
	assert_string_equal(answers[5].text, "mine");
}

static void input_goes_to_the_foreground_and_comes_back(void **state)
{
	uint32_t child;

	ask(0, 1, "parent> ");
	type("half");
	child = open_session();
	sees(0, "");
	type("for the child\r");
	assert_int_equal(answer_count, 0);
	ask(child, 2, "child> ");
	assert_int_equal(answers[0].who, 2);
	assert_string_equal(answers[0].text, "for the child");
	terminal_session_close(&term, child);
	terminal_check(&term);
	sees(1, "parent> half");
	type(" line\r");
	assert_string_equal(answers[1].text, "half line");
	assert_int_equal(answers[1].who, 1);
}

static void sessions_are_bounded_and_reused(void **state)
{
	uint32_t session[TERMINAL_SESSIONS_MAX];
	uint32_t more;

	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 1; i < TERMINAL_SESSIONS_MAX; i++)
			session[i] = open_session();
		assert_false(terminal_session_open(&term, &more));
		for (uint32_t i = 1; i < TERMINAL_SESSIONS_MAX; i++)
			terminal_session_close(&term, session[i]);
		terminal_check(&term);
	}
}

static void one_read_and_one_event_call_wait_at_a_time(void **state)
{
	ask(0, 1, "> ");
	assert_false(terminal_read_line(&term, 0, 2, "", 0, false));
	assert_false(terminal_read_keys(&term, 0, 2, 10, false));
	assert_true(terminal_next_event(&term, 0, 3));
	assert_false(terminal_next_event(&term, 0, 4));
}

static void a_cancelled_read_takes_nothing(void **state)
{
	ask(0, 1, "> ");
	terminal_cancel(&term, 1);
	type("abc\r");
	assert_int_equal(answer_count, 0);
	ask(0, 2, "> ");
	assert_string_equal(answers[0].text, "abc");
}

static void printing_cannot_drive_the_terminal(void **state)
{
	static const char evil[] = "a\x1b[2Jb\x07\x7f\xc2\x9b\xff";

	terminal_print(&term, evil, sizeof(evil) - 1);
	sees(0, "a^[[2Jb^G^?\xef\xbf\xbd\xef\xbf\xbd");
	terminal_print(&term, "line\n", 5);
	terminal_print(&term, "", 0);
	terminal_print(&term, "after", 5);
	sees(1, "line");
	sees(2, "");
	sees(3, "after");
}

static void printing_leaves_the_line_being_typed_whole(void **state)
{
	ask(0, 1, "> ");
	type("half");
	terminal_print(&term, "news", 4);
	sees(0, "news");
	sees(1, "> half");
	type("!\r");
	assert_string_equal(answers[0].text, "half!");
}

static void printing_tells_a_key_reader_to_redraw(void **state)
{
	assert_true(terminal_next_event(&term, 0, 50));
	assert_true(terminal_read_keys(&term, 0, 1, 10, true));
	terminal_write(&term, "> half", 6, 0);
	terminal_print(&term, "news", 4);
	assert_int_equal(answers[0].event, TERMINAL_EVENT_REDRAW);
	sees(0, "news");
	assert_int_equal(screen.column, 0);
	/* It is told once, however much is printed before it has drawn again. */
	assert_true(terminal_next_event(&term, 0, 51));
	terminal_print(&term, "more", 4);
	assert_int_equal(answer_count, 1);
	terminal_write(&term, "> half", 6, 0);
	terminal_print(&term, "end", 3);
	assert_int_equal(answer_count, 2);
	sees(1, "more");
	sees(2, "end");
}

/* --- A session that edits its own line, as the shell does ------------------------------------- */

static struct {
	struct term_editor editor;
	struct term_keys keys;
	char out[8192];
	uint32_t out_bytes;
} own;

static void collect(void *arg, const char *bytes, uint32_t count)
{
	memcpy(own.out + own.out_bytes, bytes, count);
	own.out_bytes += count;
}

static void show_own(void)
{
	terminal_write(&term, own.out, own.out_bytes, own.editor.shown_cursor.row);
	own.out_bytes = 0;
}

static void type_own(const char *text)
{
	struct term_key_event key;

	for (; *text; text++) {
		if (term_keys_feed(&own.keys, (uint8_t)*text, &key))
			(void)term_editor_key(&own.editor, &key);
	}
	show_own();
}

/* Somebody else prints, and the session hears that it must draw again. */
static void others_print(const char *text)
{
	terminal_print(&term, text, (uint32_t)strlen(text));
	assert_int_equal(answers[0].event, TERMINAL_EVENT_REDRAW);
	answer_count = 0;
	assert_true(terminal_next_event(&term, 0, 50));
	collect(NULL, "\r\x1b[J", 4);
	term_editor_redraw(&own.editor);
	show_own();
}

/* The screen: what was printed, a row each, then the line once in rows of this width; nothing else. */
static void sees_prints_and_line(uint32_t prints, uint32_t width)
{
	char whole[1200];
	uint32_t row = 0;
	size_t bytes = (size_t)snprintf(whole, sizeof(whole), "> %s", own.editor.line);

	for (; row < prints; row++) {
		char text[16];

		snprintf(text, sizeof(text), "news %u", row);
		sees(row, text);
	}
	for (size_t at = 0; at < bytes; at += width, row++) {
		char part[140];

		snprintf(part, sizeof(part), "%.*s", (int)width, whole + at);
		part[strlen(part) - (own.editor.bytes == 0)] = 0;	/* the screen's rows end before blanks */
		sees(row, part);
	}
	for (; row < screen.rows; row++)
		sees(row, "");
}

static void a_long_line_stays_whole_while_others_print(void **state)
{
	static const char *const edits[] = {
		"0123456789abcdefghijklmnopqrstuvwxyz", "\x01", "xx", "\x05", "\x7f\x7f",
		"\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02", "\x1b[3~", "\x05",
	};

	for (uint32_t width = 7; width < 81; width++) {
		uint32_t prints = 0;

		memset(&own, 0, sizeof(own));
		term_screen_init(&screen, width, 60);
		terminal_init(&term, &ops, NULL, width, 60);
		answer_count = 0;
		assert_true(terminal_next_event(&term, 0, 50));
		assert_true(terminal_read_keys(&term, 0, 1, 10, true));
		term_keys_init(&own.keys);
		term_editor_init(&own.editor, width, collect, NULL);
		term_editor_start(&own.editor, "> ", 2, false);
		show_own();
		for (uint32_t i = 0; i < 24; i++) {
			type_own(edits[(i * 7 + width) % ARRAY_LEN(edits)]);
			if (i % 2 == 0) {
				char text[16];

				snprintf(text, sizeof(text), "news %u", prints++);
				others_print(text);
			}
			sees_prints_and_line(prints, width);
			if (own.editor.bytes > width * 5)
				type_own("\x05\x15");
		}
	}
}

static void a_line_feed_becomes_a_new_line_once(void **state)
{
	terminal_write(&term, "a\nb\r\nc\r", 7, 0);
	terminal_write(&term, "\nd", 2, 0);
	sees(0, "a");
	sees(1, "b");
	sees(2, "c");
	sees(3, "d");
}

static void a_prompt_of_several_lines_ends_in_one_row(void **state)
{
	ask(0, 1, "first\nsecond\x1b? ");
	sees(0, "first");
	sees(1, "second ?");
	type("y\r");
	assert_string_equal(answers[0].text, "y");
}

static void a_hang_up_answers_everybody_at_once_and_for_ever(void **state)
{
	uint32_t child = open_session();

	ask(0, 1, "> ");
	assert_true(terminal_read_keys(&term, child, 2, 10, false));
	assert_true(terminal_next_event(&term, child, 3));
	terminal_hang_up(&term);
	assert_int_equal(answer_count, 3);
	assert_int_equal(answers[0].outcome, LINE_OUTCOME_END_OF_INPUT);
	assert_true(answers[1].end);
	assert_int_equal(answers[2].event, TERMINAL_EVENT_HANG_UP);
	assert_true(terminal_next_event(&term, 0, 4));
	assert_int_equal(answers[3].event, TERMINAL_EVENT_HANG_UP);
	ask(0, 5, "> ");
	assert_int_equal(answers[4].outcome, LINE_OUTCOME_END_OF_INPUT);
	type("ignored\r");
	assert_int_equal(answer_count, 5);
}

static void a_resize_is_told_once_even_if_nobody_waits(void **state)
{
	terminal_resize(&term, 100, 30);
	terminal_resize(&term, 120, 30);
	assert_true(terminal_next_event(&term, 0, 1));
	assert_int_equal(answers[0].event, TERMINAL_EVENT_RESIZE);
	assert_true(terminal_next_event(&term, 0, 2));
	assert_int_equal(answer_count, 1);
}

static void input_beyond_the_queue_is_dropped(void **state)
{
	for (uint32_t i = 0; i < TERMINAL_QUEUE_MAX + 100; i++)
		type("z");
	assert_int_equal(terminal_input_room(&term), 0);
	assert_true(terminal_read_keys(&term, 0, 1, TERMINAL_KEYS_MAX, false));
	assert_int_equal(answers[0].bytes, TERMINAL_KEYS_MAX);
	assert_int_equal(terminal_input_room(&term), TERMINAL_KEYS_MAX);
}

static void random_calls_keep_the_invariants(void **state)
{
	uint32_t seed = 99;
	uint32_t opened[TERMINAL_SESSIONS_MAX] = { 0 };
	uint32_t count = 1;
	terminal_waiter who = 1;

	for (uint32_t n = 0; n < 20000; n++) {
		uint32_t session;
		char byte;

		seed = seed * 1664525 + 1013904223;
		session = opened[(seed >> 8) % count];
		byte = (char)(seed >> 24);
		switch ((seed >> 16) % 9) {
		case 0: terminal_read_line(&term, session, who++, "p> ", 3, seed & 1); break;
		case 1: terminal_read_keys(&term, session, who++, 5, seed & 1); break;
		case 2: terminal_next_event(&term, session, who++); break;
		case 3: terminal_cancel(&term, who - 1 - (seed >> 28)); break;
		case 4:
			if (terminal_session_open(&term, &opened[MIN(count, TERMINAL_SESSIONS_MAX - 1)]))
				count++;
			break;
		case 5:
			if (count > 1)
				terminal_session_close(&term, opened[--count]);
			break;
		case 6: terminal_print(&term, &byte, 1); break;
		case 7: terminal_resize(&term, seed >> 26, 10); break;
		default: terminal_input(&term, "a\x03\r\x1b[Ab", 1 + (seed >> 28) % 7); break;
		}
		terminal_check(&term);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_echoed_and_answered_once, begin),
		cmocka_unit_test_setup(what_is_typed_ahead_waits_and_is_echoed_when_read, begin),
		cmocka_unit_test_setup(hidden_input_is_not_shown_and_not_kept, begin),
		cmocka_unit_test_setup(ctrl_d_and_ctrl_c_end_a_line_read, begin),
		cmocka_unit_test_setup(keys_come_unechoed_with_control_keys, begin),
		cmocka_unit_test_setup(ctrl_c_reaches_the_parent_of_a_foreground_program, begin),
		cmocka_unit_test_setup(ctrl_c_while_nobody_reads_is_an_event_and_drops_what_was_typed, begin),
		cmocka_unit_test_setup(ctrl_c_without_anybody_waiting_stays_a_key, begin),
		cmocka_unit_test_setup(a_child_that_reads_keys_without_control_keys_can_be_interrupted, begin),
		cmocka_unit_test_setup(ctrl_backslash_cannot_be_kept_from_the_parent, begin),
		cmocka_unit_test_setup(ctrl_backslash_is_a_key_for_the_only_session, begin),
		cmocka_unit_test_setup(ctrl_backslash_takes_the_terminal_back, begin),
		cmocka_unit_test_setup(input_goes_to_the_foreground_and_comes_back, begin),
		cmocka_unit_test_setup(sessions_are_bounded_and_reused, begin),
		cmocka_unit_test_setup(one_read_and_one_event_call_wait_at_a_time, begin),
		cmocka_unit_test_setup(a_cancelled_read_takes_nothing, begin),
		cmocka_unit_test_setup(printing_cannot_drive_the_terminal, begin),
		cmocka_unit_test_setup(printing_leaves_the_line_being_typed_whole, begin),
		cmocka_unit_test_setup(printing_tells_a_key_reader_to_redraw, begin),
		cmocka_unit_test_setup(a_long_line_stays_whole_while_others_print, begin),
		cmocka_unit_test_setup(a_line_feed_becomes_a_new_line_once, begin),
		cmocka_unit_test_setup(a_prompt_of_several_lines_ends_in_one_row, begin),
		cmocka_unit_test_setup(a_hang_up_answers_everybody_at_once_and_for_ever, begin),
		cmocka_unit_test_setup(a_resize_is_told_once_even_if_nobody_waits, begin),
		cmocka_unit_test_setup(input_beyond_the_queue_is_dropped, begin),
		cmocka_unit_test_setup(random_calls_keep_the_invariants, begin),
	};

	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
