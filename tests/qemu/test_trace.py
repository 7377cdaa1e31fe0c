"""`trace` at the shell: one call followed across processes, and what it does not show."""

import re


def rows(answer):
    """[(indent, what, status)] of the tree's lines; the lines of messages are left out."""
    start = next(i for i, line in enumerate(answer.lines) if line.startswith("shell calls"))
    assert answer.lines[start].split() == ["shell", "calls", "status", "at", "waited", "took"]
    found = []
    for line in answer.lines[start + 1 :]:
        assert len(line) < 80
        match = re.match(r"( *)(\S.*?)  +(\w*)", line)
        if match and not match[2].startswith(("<-", "->")):
            found.append((len(match[1]), match[2], match[3]))
    return found


def test_a_call_is_followed_through_its_servers_to_the_kernel(shell):
    answer = shell.shell('trace console.write(text = "hi")')
    assert answer.ok and answer.lines[0] == "hi"
    tree = rows(answer)
    assert tree[0] == (0, "terminal: Console.write", "ok")
    assert tree[1] == (2, "serial: ByteSink.write", "ok")
    assert (4, "kernel: IoPorts.writeMany", "ok") in tree
    assert all(indent > 0 for indent, _, _ in tree[1:])
    for line in answer.lines[2:4]:
        assert len(re.findall(r"\d+(?:\.\d)? [num]?s\b", line)) == 3, line


def test_a_plain_call_is_one_line(shell):
    before = int(shell.shell("counter.value").text.split()[-1])
    answer = shell.shell("trace counter.add(amount = 3)")
    assert answer.ok and answer.lines[0] == f"value = {before + 3}"
    assert rows(answer) == [(0, "counter: Counter.add", "ok")]
    # And nothing stays behind: the next call is not traced, and tracing can go on for ever.
    for _ in range(6):
        assert shell.shell("trace timer.now").ok
    assert shell.shell("counter.value").text == f"value = {before + 3}"


def test_several_statements_keep_their_names_and_failures(shell):
    answer = shell.shell('trace { acct = bank.open(owner = "ann"); acct.deposit(amount = 5) }')
    tree = rows(answer)
    assert [what for indent, what, _ in tree if indent == 0] == ["bank: Bank.open", "bank: DepositAccount.deposit"]
    assert any(what == "+ Account for shell" for _, what, _ in tree)
    assert shell.shell("acct.balance").text == '(owner = "ann", balance = 5)'
    shell.shell("acct.revoke(facet = @acct)")
    refused = shell.shell("trace timer.sleep(durationNs = 1, x = 2)")
    assert not refused.ok and "sleep has no x" in refused.text


def test_a_program_is_followed_from_start_to_end(shell):
    tree = rows(shell.shell("trace run hello with { console: @console }"))
    assert re.fullmatch(r"hello runs as process \d+", tree[0][1]) and tree[0][2] == "exited"
    assert tree[1] == (2, "terminal: Console.write", "ok")


def test_messages_are_shown_on_demand_and_sensitive_fields_never(shell):
    assert "amount" not in shell.shell("trace counter.add(amount = 4)").text
    shown = shell.shell("trace --payload counter.add(amount = 4)")
    assert "  <- (amount = 4)" in shown.lines
    assert any(re.fullmatch(r"  -> \(value = \d+\)", line) for line in shown.lines)
    shell.send_line('trace --payload term.readLine(prompt = "secret? ", hidden = true)')
    shell.expect(r"^secret\? ")      # not the line that was typed
    shell.send("hunter2\r")
    shell.expect(re.escape('line = "hunter2"'))      # the result, for the person who called
    shell.expect(re.escape('<- (prompt = "secret? ", hidden = true)'))
    shell.expect(re.escape("-> (line = <redacted>, outcome = line)"))
    shell.prompt()
    assert shell.output.count("hunter2") == 1
    opened = shell.shell('trace --payload bank.open(owner = "eve")')
    assert "  -> (account = <Account>, outcome = done)" in opened.lines
    assert "<redacted>" in shell.shell("trace --payload entropy.fill(count = 8)").text


def test_a_header_tracer_is_all_that_a_narrowed_shell_has(shell):
    line = "headers = @tracer as Tracer; run shell with { @term, @timer, @package, tracer: @headers, memory: own }"
    assert shell.shell(line).ok
    assert rows(shell.shell("trace timer.now")) == [(0, "kernel: Timer.now", "ok")]
    refused = shell.shell("trace --payload timer.now")
    assert not refused.ok and "messages need a PayloadTracer" in refused.text
    assert not shell.shell("tracer.startPayload(events = 10, words = 4)").ok
    assert not shell.shell("tracer as PayloadTracer").ok
    shell.send_line("exit")
    shell.expect("This shell ends|capos")
    shell.prompt()


def test_a_trace_by_hand_is_read_by_number_and_ends_with_its_name(shell):
    assert shell.shell("t = tracer.start(events = 1000, kinds = [call])").ok
    assert shell.shell("timer.now").ok
    read = shell.shell("t.read(processor = 0, position = 0)")
    assert read.ok and "kind = call," in read.text and "lost = 0)" in read.text
    for number in range(2, 5):
        assert shell.shell(f"t{number} = tracer.start(events = 10)").ok
    assert shell.shell("trace timer.now").lines[-1] == (
        "error: the tracer refused: all 4 of this kind are in use; stop or drop one"
    )
    assert shell.shell("t.stop; t.info").ok
    free = shell.shell("drop t").ok
    assert free and not shell.shell("t.info").ok


TIMES = re.compile(r" +\d+(?:\.\d)? (?:ns|us|ms|s)\b| +$")


def test_the_page_about_tracing_can_be_typed(shell):
    with open("docs/tracing.md", encoding="utf-8") as file:
        page = file.read()
    shown = None
    for language, text in re.findall(r"^```(shell|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if language == "text":
            assert [TIMES.sub("", line) for line in text.splitlines()] == [TIMES.sub("", line) for line in shown]
            continue
        for line in text.splitlines():
            answer = shell.shell(line)
            assert answer.ok, (line, answer)
            shown = answer.lines
    assert shown is not None
