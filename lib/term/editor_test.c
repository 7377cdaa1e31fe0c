/* What a person sees while typing: editor, key decoder, history and completion on a small screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/compiler.h"
#include "term/editor.h"
#include "term/screen.h"

struct desk {
	struct term_editor editor;
	struct term_screen screen;
	struct term_keys keys;
	struct term_history history;
	struct term_candidates candidates;
	enum term_edit last;
	uint32_t sent;
};

static struct desk desk;

static void to_screen(void *arg, const char *bytes, uint32_t count)
{
	struct desk *d = arg;

	d->sent += count;
	term_screen_write(&d->screen, bytes, count);
}

static void start(uint32_t columns)
{
	memset(&desk, 0, sizeof(desk));
	term_screen_init(&desk.screen, columns, 12);
	term_keys_init(&desk.keys);
	term_history_init(&desk.history);
	term_editor_init(&desk.editor, columns, to_screen, &desk);
	desk.editor.history = &desk.history;
	term_editor_start(&desk.editor, "> ", 2, false);
}

static enum term_edit type_bytes(const char *bytes, uint32_t count)
{
	desk.last = TERM_EDIT_MORE;
	for (uint32_t i = 0; i < count; i++) {
		struct term_key_event key;

		if (term_keys_feed(&desk.keys, (uint8_t)bytes[i], &key))
			desk.last = term_editor_key(&desk.editor, &key);
	}
	return desk.last;
}

static enum term_edit type(const char *text)
{
	return type_bytes(text, (uint32_t)strlen(text));
}

static void sees(uint32_t row, const char *text)
{
	assert_string_equal(term_screen_row(&desk.screen, row), text);
	assert_int_equal(desk.screen.unknown, 0);
}

static void cursor_at(uint32_t row, uint32_t column)
{
	assert_int_equal(desk.screen.row, row);
	assert_int_equal(desk.screen.column, column);
}

static void enter_returns_the_line_and_moves_below_it(void **state)
{
	start(40);
	assert_int_equal(type("timer.now\r"), TERM_EDIT_LINE);
	assert_string_equal(desk.editor.line, "timer.now");
	sees(0, "> timer.now");
	cursor_at(1, 0);
}

static void a_return_and_its_line_feed_are_one_enter(void **state)
{
	struct term_key_event key;
	struct term_keys keys;

	term_keys_init(&keys);
	assert_true(term_keys_feed(&keys, '\r', &key));
	assert_false(term_keys_feed(&keys, '\n', &key));
	assert_true(term_keys_feed(&keys, '\n', &key));
	assert_int_equal(key.key, TERM_KEY_ENTER);
}

static void typing_in_the_middle_moves_the_rest(void **state)
{
	start(40);
	type("hld\x1b[D\x1b[Dello wor");
	sees(0, "> hello world");
	cursor_at(0, 11);
}

static void one_character_at_the_end_sends_one_byte(void **state)
{
	start(40);
	type("abc");
	desk.sent = 0;
	type("d");
	assert_int_equal(desk.sent, 1);
}

static void erase_takes_a_whole_character(void **state)
{
	start(40);
	type("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	sees(0, "> a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	type("\x7f");
	sees(0, "> a\xc3\xa9\xe2\x82\xac");
	type("\x7f\x7f");
	sees(0, "> a");
	cursor_at(0, 3);
	type("\x7f\x7f\x7f");
	sees(0, ">");
}

static void control_keys_move_and_cut(void **state)
{
	start(60);
	type("one two three\x17");
	sees(0, "> one two");
	type("\x01zero \x05\x19");
	sees(0, "> zero one two three");
	type("\x01\x06\x06\x0b");
	sees(0, "> ze");
	type("\x15");
	sees(0, ">");
	type("\x19");
	sees(0, "> ze");
	type("\x02\x04");
	sees(0, "> z");
}

static void word_moves_stop_at_words(void **state)
{
	start(60);
	type("bank.open(owner)\x1b" "b\x1b" "b");
	cursor_at(0, 7);
	type("\x1b[1;5D");
	cursor_at(0, 2);
	type("\x1b[1;5C");
	cursor_at(0, 6);
	type("\x1b" "d");
	sees(0, "> bank(owner)");
	type("\x1b\x7f");
	sees(0, "> (owner)");
}

static void a_long_line_wraps_and_shrinks_back(void **state)
{
	start(10);
	type("abcdefghijkl");
	sees(0, "> abcdefgh");
	sees(1, "ijkl");
	cursor_at(1, 4);
	type("\x01X");
	sees(0, "> Xabcdefg");
	sees(1, "hijkl");
	cursor_at(0, 3);
	type("\x05\x7f\x7f\x7f\x7f\x7f\x7f");
	sees(0, "> Xabcdef");
	sees(1, "");
	cursor_at(0, 9);
}

static void a_line_that_ends_at_the_edge_has_its_cursor_below(void **state)
{
	start(10);
	type("abcdefgh");
	cursor_at(1, 0);
	type("\x1b[D");
	cursor_at(0, 9);
	type("\x1b[C");
	cursor_at(1, 0);
	type("\r");
	sees(0, "> abcdefgh");
	cursor_at(1, 0);
}

static void a_wide_character_does_not_straddle_the_edge(void **state)
{
	start(10);
	type("abcdefg\xe4\xb8\xad" "b");
	sees(0, "> abcdefg");
	sees(1, "\xe4\xb8\xad" "b");
	cursor_at(1, 3);
	type("\x1b[D\x1b[D\x1b[D");
	cursor_at(0, 8);
	type("\x1b[C");
	cursor_at(1, 0);
}

static void every_width_shows_the_same_line(void **state)
{
	static const char script[] = "hello world this is a line\x01\x06\x06XYZ\x1b[F!\x1b" "b\x1b" "b\x17Q\x19\x7f";
	char whole[TERM_LINE_MAX * 2];

	for (uint32_t columns = 7; columns < 60; columns++) {
		whole[0] = 0;
		start(columns);
		type(script);
		for (uint32_t row = 0; row < 12; row++) {
			const char *text = term_screen_row(&desk.screen, row);

			strcat(whole, text);
			for (size_t n = strlen(text); n < columns; n++)
				strcat(whole, " ");
		}
		assert_memory_equal(whole, "> ", 2);
		assert_memory_equal(whole + 2, desk.editor.line, desk.editor.bytes);
		for (const char *rest = whole + 2 + desk.editor.bytes; *rest; rest++)
			assert_int_equal(*rest, ' ');
		cursor_at((desk.editor.cursor + 2) / columns, (desk.editor.cursor + 2) % columns);
	}
}

static void random_keys_never_disagree_with_the_screen(void **state)
{
	static const char *const keys[] = { "a", "b", " ", "\xc3\xa9", "\xe4\xb8\xad", "\x7f", "\x01", "\x05",
		"\x0b", "\x15", "\x17", "\x19", "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x1b[3~", "\x1b" "b",
		"\x1b" "f", "\x1b" "d", "long words here", "\x12" };
	uint32_t seed = 12345;

	for (uint32_t round = 0; round < 60; round++) {
		static struct term_screen again;

		start(7 + round % 13);
		term_history_add(&desk.history, "an older line", 13);
		for (uint32_t n = 0; n < 60 && desk.editor.bytes < 60; n++) {
			seed = seed * 1664525 + 1013904223;
			type(keys[(seed >> 16) % ARRAY_LEN(keys)]);
		}
		/* A terminal that only gets prompt and line shows the same rows. */
		term_screen_init(&again, desk.screen.columns, 12);
		term_screen_write(&again, "> ", 2);
		term_screen_write(&again, desk.editor.line, desk.editor.bytes);
		for (uint32_t row = 0; row < 12 && desk.screen.scrolled == 0 && again.scrolled == 0; row++)
			assert_string_equal(term_screen_row(&desk.screen, row), term_screen_row(&again, row));
	}
}

static void history_goes_up_and_comes_back_to_the_draft(void **state)
{
	start(40);
	term_history_add(&desk.history, "first", 5);
	term_history_add(&desk.history, "second", 6);
	term_history_add(&desk.history, "second", 6);
	type("dra\x1b[A");
	sees(0, "> second");
	type("\x1b[A");
	sees(0, "> first");
	type("\x1b[A");
	sees(0, "> first");
	type("\x1b[B\x1b[B");
	sees(0, "> dra");
}

static void ctrl_r_finds_an_older_line_with_what_was_typed(void **state)
{
	start(40);
	term_history_add(&desk.history, "bank.open(owner = \"ann\")", 24);
	term_history_add(&desk.history, "timer.now", 9);
	type("open\x12");
	sees(0, "> bank.open(owner = \"ann\")");
	type("\x12");
	sees(0, "> bank.open(owner = \"ann\")");
}

static void the_oldest_history_gives_way(void **state)
{
	char line[101];
	uint32_t bytes;

	start(40);
	memset(line, 'x', 100);
	for (uint32_t i = 0; i < 100; i++) {
		line[0] = (char)('a' + i % 26);
		term_history_add(&desk.history, line, 100);
	}
	assert_int_equal(desk.history.count, TERM_HISTORY_BYTES / 101);
	assert_int_equal(term_history_line(&desk.history, 0, &bytes)[0], 'a' + 99 % 26);
	assert_int_equal(bytes, 100);
	assert_null(term_history_line(&desk.history, desk.history.count, &bytes));
}

static void offer(void *arg, const char *line, uint32_t bytes, uint32_t cursor, struct term_candidates *out)
{
	static const char *const words[] = { "timer", "term", "tour", "bank", "bank" };

	term_candidates_begin(out, line, cursor, 0);
	for (uint32_t i = 0; i < ARRAY_LEN(words); i++)
		term_candidates_add(out, words[i], (uint32_t)strlen(words[i]), ".");
}

static void with_completion(uint32_t columns)
{
	start(columns);
	desk.editor.complete = offer;
	desk.editor.candidates = &desk.candidates;
}

static void tab_finishes_the_only_candidate(void **state)
{
	with_completion(40);
	type("b\t");
	sees(0, "> bank.");
	type("\x15tim\t");
	sees(0, "> timer.");
	type("\x15zzz\t");
	sees(0, "> zzz");
}

static void tab_lists_what_is_possible(void **state)
{
	with_completion(40);
	type("t\t");
	sees(0, "> t");
	sees(1, "timer  term   tour");
	sees(2, "> t");
	cursor_at(2, 3);
	type("e\t");
	sees(2, "> term.");
}

static void hidden_input_shows_nothing_but_counts(void **state)
{
	start(40);
	term_editor_start(&desk.editor, "", 0, true);
	type("secret\x7f\x7fT\r");
	assert_string_equal(desk.editor.line, "secrT");
	sees(0, ">");
}

static void ctrl_c_and_ctrl_d_end_the_line(void **state)
{
	start(40);
	assert_int_equal(type("abc\x03"), TERM_EDIT_INTERRUPT);
	sees(0, "> abc^C");
	cursor_at(1, 0);
	term_editor_start(&desk.editor, "> ", 2, false);
	assert_int_equal(type("x\x02\x04\x04"), TERM_EDIT_END);
}

static void the_line_is_bounded(void **state)
{
	start(80);
	for (uint32_t i = 0; i < TERM_LINE_MAX + 50; i++)
		type("y");
	assert_int_equal(desk.editor.bytes, TERM_LINE_MAX);
	assert_int_equal(desk.editor.line[TERM_LINE_MAX], 0);
	/* It is known that something is missing, until the line is edited or another begins. */
	assert_true(desk.editor.overfull);
	type("\x7f");
	assert_false(desk.editor.overfull);
	type("yy");
	assert_true(desk.editor.overfull);
	assert_int_equal(type("\r"), TERM_EDIT_LINE);
	assert_true(desk.editor.overfull);
	term_editor_start(&desk.editor, "> ", 2, false);
	assert_false(desk.editor.overfull);
}

static void strange_sequences_type_nothing(void **state)
{
	start(40);
	type("\x1b[200~pasted\x1b[201~\x1b[?1;2c\x1b[99999999999;5u\x1bOP\x80\xff\xc3" "a");
	sees(0, "> pasted\xef\xbf\xbd\xef\xbf\xbd" "a");
}

static void a_lone_escape_is_a_key_after_a_while(void **state)
{
	struct term_key_event key;
	struct term_keys keys;

	term_keys_init(&keys);
	assert_false(term_keys_flush(&keys, &key));
	assert_false(term_keys_feed(&keys, 0x1b, &key));
	assert_true(term_keys_flush(&keys, &key));
	assert_int_equal(key.key, TERM_KEY_ESCAPE);
}

static void a_resize_draws_the_line_anew(void **state)
{
	start(10);
	type("abcdefghijkl");
	term_editor_resize(&desk.editor, 8);
	desk.screen.columns = 8;
	type("m");
	assert_string_equal(desk.editor.line, "abcdefghijklm");
}

static void clear_screen_keeps_the_line(void **state)
{
	start(40);
	type("abc\r");
	term_editor_start(&desk.editor, "> ", 2, false);
	type("def\x0c");
	sees(0, "> def");
	sees(1, "");
	cursor_at(0, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enter_returns_the_line_and_moves_below_it),
		cmocka_unit_test(a_return_and_its_line_feed_are_one_enter),
		cmocka_unit_test(typing_in_the_middle_moves_the_rest),
		cmocka_unit_test(one_character_at_the_end_sends_one_byte),
		cmocka_unit_test(erase_takes_a_whole_character),
		cmocka_unit_test(control_keys_move_and_cut),
		cmocka_unit_test(word_moves_stop_at_words),
		cmocka_unit_test(a_long_line_wraps_and_shrinks_back),
		cmocka_unit_test(a_line_that_ends_at_the_edge_has_its_cursor_below),
		cmocka_unit_test(a_wide_character_does_not_straddle_the_edge),
		cmocka_unit_test(every_width_shows_the_same_line),
		cmocka_unit_test(random_keys_never_disagree_with_the_screen),
		cmocka_unit_test(history_goes_up_and_comes_back_to_the_draft),
		cmocka_unit_test(ctrl_r_finds_an_older_line_with_what_was_typed),
		cmocka_unit_test(the_oldest_history_gives_way),
		cmocka_unit_test(tab_finishes_the_only_candidate),
		cmocka_unit_test(tab_lists_what_is_possible),
		cmocka_unit_test(hidden_input_shows_nothing_but_counts),
		cmocka_unit_test(ctrl_c_and_ctrl_d_end_the_line),
		cmocka_unit_test(the_line_is_bounded),
		cmocka_unit_test(strange_sequences_type_nothing),
		cmocka_unit_test(a_lone_escape_is_a_key_after_a_while),
		cmocka_unit_test(a_resize_draws_the_line_anew),
		cmocka_unit_test(clear_screen_keeps_the_line),
	};

	return cmocka_run_group_tests_name("term_editor", tests, NULL, NULL);
}
