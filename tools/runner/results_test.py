"""What the readers make of TAP and of terminals: nothing bad may count as success."""

from guest import EXIT_PANIC, EXIT_POWER_OFF, exit_meaning
from results import read_tap
from screen import Screen


def outcomes(text):
    return [result.outcome for result in read_tap(text, "p")]


def test_tap_counts_each_line():
    assert outcomes("1..2\nok 1 - a\nnot ok 2 - b\n# why") == ["passed", "failed"]


def test_tap_failure_keeps_its_notes():
    assert read_tap("1..1\nnot ok 1 - b\n# why\n# where", "p")[0].detail == "# why\n# where"


def test_tap_skips_are_not_passes_even_as_cmocka_writes_them():
    assert outcomes("1..2\nok 1 - a # SKIP no disk\nnot ok 2 # SKIP b") == ["skipped", "skipped"]


def test_tap_that_stops_early_fails():
    assert outcomes("1..3\nok 1 - a") == ["passed", "failed"]


def test_tap_of_several_groups_adds_up():
    assert outcomes("1..1\nok 1 - a\n1..1\nok 1 - b") == ["passed", "passed"]


def test_exit_status_carries_the_guests_status():
    assert exit_meaning(EXIT_POWER_OFF) == (0, "powered off with status 0")
    assert exit_meaning(EXIT_POWER_OFF + 2 * 3)[0] == 3
    assert exit_meaning(EXIT_PANIC) == (1, "kernel panic")


def screen_after(*chunks):
    screen = Screen()
    for chunk in chunks:
        screen.feed(chunk)
    return screen


def test_screen_shows_a_repainted_line_once():
    screen = screen_after(b"capos> ca\r\x1b[Kcapos> caps\r\n", b"timer\r\ncapos> ")
    assert screen.lines_from(0) == ["capos> caps", "timer"]
    assert (screen.line, screen.column) == ("capos> ", 7)


def test_screen_understands_sequences_cut_in_two():
    screen = screen_after(b"abc\x1b", b"[2", b"Dx\xc3", b"\xa9")
    assert screen.line == "ax\u00e9"


def test_screen_erases_with_backspace():
    assert screen_after(b"ab\b \b").line == "a "
    assert screen_after(b"ab\b\x1b[K").line == "a"


def test_screen_follows_a_line_that_is_drawn_again_over_two_rows():
    screen = screen_after(b"first\r\ncapos> lo\r\nng\x1b[A\r\x1b[Jnotice\r\ncapos> long")
    assert screen.lines_from(0) == ["first", "notice"]
    assert screen.line == "capos> long"


def test_screen_passes_over_what_firmware_sends():
    screen = screen_after(b"\x1b[2J\x1b[=3h\x1b[01;01Hcapos> ")
    assert (screen.line, screen.column) == ("capos> ", 7)
