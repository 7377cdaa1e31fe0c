"""The shell and the terminal through the second serial line, as a person meets them."""

import re
import time

import pytest


@pytest.fixture
def tested(boot):
    """The default system with the test programs."""
    guest = boot("test-shell")
    guest.prompt(timeout=30)
    return guest


def test_the_first_screen_helps(shell):
    assert re.search(r"you hold \d+ capabilities", shell.output)
    for word in ("tour", "caps", "help", "poweroff"):
        assert word in shell.output


def test_calls_print_results_and_bind_names(shell):
    assert re.fullmatch(r"monotonicNs = \d+ ns", shell.shell("timer.now").text)
    assert shell.shell('acct = bank.open(owner = "ann")').ok
    assert shell.shell("acct.deposit(amount = 5)").text == "outcome = done"
    assert shell.shell("acct.balance").text == '(owner = "ann", balance = 5)'
    assert shell.shell("drop acct").ok
    assert not shell.shell("acct.balance").ok


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("timer.nwo", 6, "Timer has no method nwo; it has now, sleep, sleepUntil, clockPage"),
        ("timer.sleep(duration = 5)", 12, "sleep has no duration; it has durationNs"),
        ('timer.sleep(durationNs = "x")', 25, "durationNs takes a UInt64, not a text"),
        ("authority.holders(capability = 5)", 31, "capability takes a capability, not a number"),
        ("cat foo", 4, "a call is written name.method(field = value); `help` shows how"),
        ("quit", 0, "there is no command or name quit; `help` and `caps` list them"),
        ("kill", 4, "`kill p` takes a ProcessHandle (p = spawn ...) or a number from `ps`"),
        ("kill 99999", 0, "process is null: the answer was (found = false, process = null)"),
        ("timer.sleep(durationNs = 5", 26, "a , or ) is missing here"),
    ],
)
def test_errors_point_at_the_column(shared, line, column, words):
    answer = shared.shell(line)
    assert not answer.ok
    assert answer.lines == [" " * (7 + column) + "^", "error: " + words]


@pytest.fixture(scope="module")
def shared():
    """One system for tests that leave it as it was."""
    import project
    from guest import Guest

    kernel, package = (project.built("debug", name) for name in ("capos.elf", "boot-default.cpio"))
    with Guest(kernel, package) as guest:
        guest.prompt(timeout=30)
        yield guest


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tracer.start(events = 100000000)", "PayloadTracer.start: events: at most 65536"),
        ("factory.promise", "ObjectFactory.promise: interfaces is missing"),
        ("authority.revokeDerived", "CapabilityManager.revokeDerived: capability is missing"),
        ('log.write(text = "x")', "LogSink.write: an argument is not acceptable; not given: level"),
    ],
)
def test_refusals_name_the_parameter(shared, line, words):
    answer = shared.shell(line)
    assert not answer.ok and answer.lines[-1] == "error: " + words


def test_a_process_is_ended_by_its_number(shell):
    number = re.search(r"^ *(\d+) +counter ", shell.shell("ps").text, re.MULTILINE)[1]
    assert shell.shell(f"kill {number}").ok
    shell.expect_log(r"counter was killed")


def test_help_is_in_the_schemas_own_words(shared):
    answer = shared.shell("help timer")
    assert answer.lines[:3] == [
        "timer: Timer",
        "  Monotonic time since boot, and waiting for it.",
        "  now -> (monotonicNs :UInt64 in ns)",
    ]


def test_tab_completes_names_methods_and_fields(shared):
    shared.send("tim\t.sl\t")
    shared.expect(re.escape("timer.sleep"))
    shared.send("(\t 1)\x15")
    shared.expect(r"durationNs = 1\)")
    assert shared.shell("caps").ok


def test_a_wrapped_line_is_edited_where_it_is_wrong(shared):
    long = "timer.sleep(durationNs = 000000000000000000000000000000000000000000000000000000000001x)"
    shared.send(long + "\x1b[D\x7f\x01\x05")
    shared.wait_terminal(lambda: shared.screen.line.rstrip().endswith("01)"), "the wrapped line", 5)
    shared.send("\x15")
    shared.prompt()
    assert shared.shell(long.replace("x", "")).ok


def test_a_pasted_line_without_end_is_refused_and_nothing_of_it_is_run(shared):
    before = shared.shell("counter.value").text
    shared.send("counter.increment; " * 5300)
    shared.send_line("timer.now # the end")
    shared.expect("error: the line is longer than 1000 bytes, and was not run", timeout=30)
    shared.prompt()
    assert not shared.shell("$?").text == "0"
    assert shared.shell("counter.value").text == before


def test_pasted_lines_all_arrive(shared):
    count = 120
    shared.send("".join(f"n = {i}\r" for i in range(count)))
    shared.wait_terminal(lambda: f"n = {count - 1}\r\n" in shared.output[-400:] or
                         f"n = {count - 1}\n" in shared.output[-400:], "the last line", 30)
    shared.prompt()
    lines = [line for line in shared.shell("history").lines if re.fullmatch(r"n = \d+", line)]
    assert lines == [f"n = {i}" for i in range(count)][-len(lines):] and len(lines) > 100


def test_a_narrow_terminal_is_enough(shared):
    try:
        assert shared.shell("term.setSize(columns = 30, rows = 24)").ok
        shared.send_line("help timer.sleep; caps; timer.nwo")
        shared.expect("it has now,")
        shared.prompt()
    finally:
        shared.send_line("term.setSize(columns = 80, rows = 24); wide = 80")
        shared.expect(r"\nwide = 80\n")
        shared.prompt()
    assert shared.shell("term.size").text == "(columns = 80, rows = 24)"


def test_history_brings_lines_back(shared):
    assert shared.shell("counter.value").ok
    shared.send("\x1b[A")
    shared.wait_terminal(lambda: "counter.value" in shared.screen.line, "the line before", 5)
    shared.send("\x15")
    shared.prompt()
    assert "counter.value" in shared.shell("history").lines


def test_ps_is_a_table(shared):
    lines = shared.shell("ps").lines
    assert lines[0].split()[:4] == ["id", "name", "threads", "weight"]
    assert any(re.match(r" *\d+ shell +1 +100 normal +all +0 +\d+\.\d%", line) for line in lines)


def test_a_policy_is_applied_at_the_prompt(shared):
    """By ordinary calls: within the bounds that the manifest gave, and never beyond."""
    assert shared.shell("policy.info").text == "(weight = 1000, class = interactive, processors = 0x1)"
    number = re.search(r"^ *(\d+) +counter ", shared.shell("ps").text, re.MULTILINE)[1]
    assert shared.shell(f"p = authority.open(processId = {number}).process").ok
    assert shared.shell("policy.apply(target = @p, weight = 200, class = batch)").ok
    assert re.search(rf"^ *{number} counter +1 +200 batch ", shared.shell("ps").text, re.MULTILINE)
    for line, words in (
        ("policy.apply(target = @p, weight = 1001)", "SchedulingPolicy.apply: weight: at most 1000"),
        ("policy.narrow(weight = 1001)", "SchedulingPolicy.narrow: weight: at most 1000"),
        ("policy.apply(target = @timer)", "SchedulingPolicy.apply: target does not have the interface needed"),
    ):
        assert shared.shell(line).lines[-1] == "error: " + words
    assert shared.shell("n = policy.narrow(weight = 150); n.apply(target = @p, weight = 100, class = normal)").ok
    assert shared.shell("n.apply(target = @p, weight = 151)").lines[-1].endswith("weight: at most 150")
    assert re.search(rf"^ *{number} counter +1 +100 normal ", shared.shell("ps").text, re.MULTILINE)
    assert shared.shell("drop n; drop p").ok


def test_top_shows_who_uses_the_time(shared):
    once = shared.shell("top 1").lines
    assert re.fullmatch(r"\d+ processes, \d+ threads; \d+\.\d% of 1 processor", once[0])
    assert once[1].split() == ["id", "name", "share", "weight", "class", "on", "threads", "time", "context"]
    shares = [float(re.search(r"(\d+\.\d)%", line)[1]) for line in once[2:]]
    assert len(shares) > 5 and shares == sorted(shares, reverse=True)


def test_top_goes_on_until_ctrl_c(shared):
    """Each table is drawn over the last one, and the prompt comes back in order."""
    row, before = shared.screen.row, len(shared.raw)
    shared.send_line("top")
    shared.wait_terminal(lambda: shared.raw.count(b"A\r\x1b[J", before) >= 2, "a table over a table", 30)
    shared.send("\x03")
    shared.wait_terminal(shared.prompt_shown, "a prompt after Ctrl-C", 10)
    assert sum("processes," in line for line in shared.screen.lines_from(row)) == 1
    assert shared.shell("timer.now").ok


def test_a_program_has_what_it_was_granted_and_nothing_else(shared):
    refused = shared.shell("run hello")
    assert not refused.ok and refused.text == "hello ended with status 3"
    greeted = shared.shell("run hello with { console: @console }")
    assert greeted.ok and "Hello" in greeted.text
    missing = shared.shell("run no-such-program")
    assert not missing.ok and "there is no such program" in missing.text


def test_a_shell_in_a_shell_gets_the_terminal_and_gives_it_back(shared):
    inner = shared.shell("run shell with { @term, @package, memory: own }")
    assert inner.ok
    assert [line.split()[0] for line in shared.shell("caps").lines] == ["term", "package", "memory"]
    missing = shared.shell("run hello").lines[-1]
    assert missing == "error: hello: starting programs needs `spawner`, `factory`, too"
    assert shared.shell("ps").lines[-1] == (
        "error: this needs `authority`, a CapabilityManager, and you hold none"
    )
    outer = shared.shell("exit 4")
    assert not outer.ok and outer.text == "shell ended with status 4"
    assert "bank" in shared.shell("caps").text


def test_a_program_reads_lines_keys_and_secrets(tested):
    tested.send_line("run test-reader with { @term }")
    tested.expect("reader\\? ")
    tested.send("abx\x7fc\r")
    tested.expect("line: abc$")
    tested.prompt()
    tested.send_line('run test-reader with { @term } args ["hidden"]')
    tested.expect("reader\\? ")
    before = len(tested.output)
    tested.send("secret\r")
    tested.expect("line: secret$")
    assert tested.output[before:].count("secret") == 1
    tested.prompt()
    tested.send_line('run test-reader with { @term } args ["keys"]')
    tested.expect("waits: ")
    tested.send("\x03")
    tested.expect("key: 3$")
    tested.prompt()


def test_ctrl_c_ends_the_foreground_child_and_not_the_shell(tested):
    for how, shown in (("line", "reader\\? "), ("mute", "waits: ")):
        tested.send_line(f'run test-reader with {{ @term, @timer }} args ["{how}"]')
        tested.expect(shown)
        tested.send("\x03")
        # A program that was told of it by its read may end by itself first.
        tested.expect("test-reader (was killed|ended with status 3)")
        tested.prompt()
    tested.send_line("counter.reach(value = 1000000)")
    tested.expect("reach.*\n")
    tested.send("\x03")
    tested.expect("error: Counter.reach: interrupted")
    tested.prompt()
    tested.send("half a line\x03")
    tested.prompt()
    assert "test-reader" not in tested.shell("ps").text


def test_a_background_reader_of_the_persons_terminal_does_not_end_the_shell(tested):
    """A spawned program shares the session; while it reads, the shell is refused and asks again."""
    tested.send_line('kept = 7; spawn test-reader with { @term }; timer.sleep(durationNs = 500000000)')
    tested.expect("reader\\? (.*\n)?.*capos> ")
    time.sleep(0.5)
    tested.send("abc\r")
    tested.expect("line: abc$")
    # How many prompts were drawn meanwhile is chance; the answer to a question asked now is not.
    tested.send("\rkept\r")
    tested.expect("^kept = 7$")
    tested.prompt()
    assert "shell ended" not in tested.log()


def test_ctrl_d_asks_before_it_leaves(shell):
    shell.send("\x04")
    shell.expect(r"Power off the system\? \[y/N\] ")
    shell.send("n\r")
    shell.prompt()
    shell.send("\x04")
    shell.expect(r"\[y/N\] ")
    shell.send("y\r")
    assert shell.wait() == (0, "powered off with status 0")


def test_what_others_print_leaves_the_line_being_typed_whole(tested):
    tested.send('p = spawn counter with { log: @console }; timer.sleep(durationNs = 1000)\r')
    tested.expect("counter: 3")
    tested.prompt()
    tested.send("timer.n")
    tested.wait_terminal(lambda: tested.screen.line.startswith("capos> timer.n"), "the line", 5)


def test_a_line_of_several_rows_stays_whole_while_others_print(tested):
    long = 'word = "' + "0123456789 abcdefghijklmnopqrstuvwxyz " * 5
    tested.send("p = spawn counter with { log: @console }\r" + long + "\x1b[D" * 100)
    tested.expect("counter: 3")
    tested.send("\x05" + '"\r')
    tested.expect(re.escape(long + '"') + "\n")
    tested.prompt()
    assert tested.shell("word").text == long + '"'


def test_tour_shows_around(shell):
    shell.send_line("tour")
    for expected in (
        "hello ended with status 3",
        "Hello from a program",
        "@acct.account",
        "outcome = done",
        "gift: LimitedAccount",
        "outcome = done",
        "outcome = overLimit",
        "outcome = done",
        "the object is gone or was revoked",
        r"logger\s+running\s+\d+\s+1",
        "outcome = done",
        r"capos> services.list",
        r"logger\s+running\s+\d+\s+2\s+was killed",
        r"shell.*Account",
        r"shell.*Bank",
        r"serial: ByteSink.write +ok",
    ):
        shell.expect("-- Enter goes on")
        shell.send("\r")
        shell.expect(expected)
    shell.expect("-- Enter goes on")
    shell.send("\r")
    shell.expect("That was the tour")
    shell.prompt()
    assert shell.shell("caps").ok
