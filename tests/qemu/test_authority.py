"""Who can do what, as the shell draws it of the running system: holders, reach, authority, revoke."""

import re

import pytest


@pytest.fixture(scope="module")
def shared():
    """One system for tests that leave it as it was."""
    import project
    from guest import Guest

    kernel, package = (project.built("debug", name) for name in ("capos.elf", "boot-default.cpio"))
    with Guest(kernel, package) as guest:
        guest.prompt(timeout=30)
        yield guest


def ask(guest, line):
    """The lines of the answer as they were sent; no line is wider than the screen."""
    before = len(guest.output)
    answer = guest.shell(line)
    lines = guest.output[before:].replace("\r", "").split("\n")[1:-1]
    assert all(len(text) < 80 for text in lines), lines
    assert answer.ok, answer
    return lines


def test_holders_is_a_tree_of_who_gave_it_to_whom(shared):
    lines = ask(shared, "holders bank")
    assert lines[0] == "bank: Bank, served by bank"
    assert re.fullmatch(r"`- init: Bank x2 +0x1[0-9a-f]{8}", lines[1])
    assert re.fullmatch(r"   `- shell: Bank +0x9[0-9a-f]{8}", lines[2])
    assert len(lines) == 3
    assert len({len(line) for line in lines[1:]}) == 1  # the grants end in one column


def test_a_shell_in_a_shell_is_a_branch_of_its_own(shared):
    ask(shared, "run shell with { @term, @package, memory: own, @bank, @authority }")
    lines = ask(shared, "holders bank")
    assert [re.sub(r" +0x\w+$", "", line) for line in lines[1:]] == [
        "`- init: Bank x2",
        "   `- shell (9): Bank",
        "      `- shell (10): Bank",
    ]
    lines = ask(shared, "authority 9")
    assert any(re.fullmatch(r"\|?  +`- shell \(10\): Bank +0xa\w+", line) for line in lines), lines
    assert ask(shared, "reach bank")[1:] == [
        "|- init holds it: Bank",
        "|- bank serves it",
        "|- shell (9) holds it: Bank",
        "`- shell (10) holds it: Bank",
    ]
    shared.shell("exit")
    assert "shell (10)" not in "\n".join(ask(shared, "holders bank"))


def test_reach_names_the_services_on_the_way(shared):
    lines = ask(shared, "reach timer")
    assert lines[0] == "timer: Timer, an object of the kernel's"
    at = lines.index("|- logger holds it: Timer")
    assert lines[at + 1 : at + 3] == ["|  |- serial, through LogSink", "|  `- isolation, through LogSink"]
    assert "`- shell holds it: Timer" in lines
    # Nobody stands there twice: ways that go round are cut.
    names = [re.match(r"[|` -]*([\w-]+)", line)[1] for line in lines[1:]]
    assert len(names) == len(set(names))


def test_what_a_service_made_is_reached_through_it(shared):
    ask(shared, 'acct = bank.open(owner = "ann").account')
    assert ask(shared, "reach acct") == [
        "acct: Account, served by bank",
        "|- bank serves it",
        "|  `- init, through Bank x2",
        "`- shell holds it: Account",
    ]
    ask(shared, "drop acct")


def test_authority_draws_every_process(shared):
    lines = ask(shared, "authority")
    for name in ("logger", "serial", "terminal", "counter", "bank", "clock", "isolation", "shell"):
        assert any(re.fullmatch(name + r", started by init: \d+ capabilit(y|ies)", line) for line in lines)
    at = next(i for i, line in enumerate(lines) if line.startswith("counter, "))
    assert lines[at + 1] == "`- kernel: Endpoint"
    for name in ("init", "logger", "bank", "shell", "1"):
        assert len(ask(shared, "authority " + name)) > 3
    assert any(line.startswith("|  |- Endpoint of bank") for line in ask(shared, "authority init"))
    lines = ask(shared, "authority bank")
    assert lines[-3:] == ["`- serves", "   |- init: Bank x2", "   `- shell: Bank"]


def test_errors_are_for_newcomers(shared):
    for line, words in (
        ("authority nobody", "no process has the name nobody; `ps` lists them"),
        ("authority --dut", "`authority` takes a process, or --dot for a graph"),
        ("reach", "`reach x` takes the name of a capability; `caps` lists yours"),
        ("holders nothing", "you hold nothing named nothing; `caps` lists what you hold"),
        ("revoke bank", "`revoke 0x...` takes the number of a grant, as `holders x` shows it"),
    ):
        answer = shared.shell(line)
        assert not answer.ok and answer.lines[-1] == "error: " + words
    assert "who can reach it" in shared.shell("help").text
    assert ask(shared, "help reach")[0].split() == "reach x draws who can reach it, through which services".split()


def graph_of(lines):
    """Reads the graph language, as much of it as is written and nothing else: (labels, edges)."""
    assert lines[:2] == ["digraph authority {", "  rankdir=LR;"] and lines[-1] == "}"
    labels, edges = {}, []
    for line in lines[2:-1]:
        node = re.fullmatch(r'  ([po]\d+) \[(?:shape=box, )?label="((?:[^"\\]|\\["\\])*)"\];', line)
        edge = re.fullmatch(r"  ([po]\d+) -> ([po]\d+)(?: \[style=(dashed|dotted)\])?;", line)
        assert node or edge, line
        if node:
            assert node[1] not in labels and ("shape=box" in line) == (node[1][0] == "p")
            labels[node[1]] = node[2]
        else:
            edges.append(edge.groups())
    assert len(edges) == len(set(edges))
    for start, end, style in edges:
        assert start in labels and end in labels
        assert (start[0], end[0]) == (("o", "p") if style else ("p", "o"))
    return labels, edges


def test_the_graph_is_one_and_tells_the_same(shared):
    labels, edges = graph_of(ask(shared, "authority --dot"))
    number = {name: node for node, name in labels.items() if node[0] == "p"}
    assert set(number) == {
        "init", "logger", "serial", "terminal", "counter", "bank", "clock", "isolation", "shell"
    }
    held = {(labels[a], labels[b]) for a, b, style in edges if style is None}
    assert ("shell", "Bank") in held and ("logger", "Timer") in held and ("bank", "Timer") not in held
    served = {(labels[a], labels[b]) for a, b, style in edges if style == "dashed"}
    assert ("Bank", "bank") in served and ("Counter", "counter") in served
    # What `reach` says follows from the graph.
    bank = next(a for a, b, style in edges if style == "dashed" and labels[a] == "Bank")
    assert {labels[a] for a, b, style in edges if b == bank} == {"init", "shell"}


def test_the_page_about_authority_shows_what_is_shown(shell):
    """docs/authority.md: each block is typed, and answered as written (a dot is any digit of a grant)."""
    with open("docs/authority.md", encoding="utf-8") as page:
        blocks = re.findall(r"^```(shell|text)\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 10 and len(blocks) % 2 == 0
    for typed, shown in zip(blocks[::2], blocks[1::2]):
        assert (typed[0], shown[0]) == ("shell", "text")
        said = [text for line in typed[1].splitlines() for text in ask(shell, line)]
        written = shown[1].splitlines()
        assert len(said) == len(written), said
        for line, expected in zip(said, written):
            assert re.fullmatch(re.escape(expected).replace("\\.", "."), line), (line, expected)


def test_a_revoked_grant_is_gone_from_the_tree_and_from_use(shell):
    assert shell.shell("counter.value").ok
    grant = re.search(r"shell: Counter +(0x\w+)", "\n".join(ask(shell, "holders counter")))[1]
    assert ask(shell, f"revoke {grant}") == ["revoked = 1"]
    answer = shell.shell("counter.value")
    assert not answer.ok and answer.lines[-1] == "error: Counter.value: the capability was revoked"
    assert "shell: Counter" not in "\n".join(ask(shell, "authority counter"))
    assert "Counter" not in "\n".join(ask(shell, "authority shell"))
    refused = shell.shell("holders counter")
    assert not refused.ok
    assert refused.lines[-1] == "error: counter: the capability was revoked; `drop counter` forgets it"
    assert any(re.fullmatch(r" +counter +Counter +\(revoked\)", line) for line in ask(shell, "caps"))
    again = shell.shell("revoke 0x123456789")
    assert not again.ok and again.lines[-1] == "error: CapabilityManager.revoke: no such grant"
    # The whole branch goes with what it hangs from: the inner shell loses what the outer one gave it.
    ask(shell, "run shell with { @term, @package, memory: own, @bank, @authority }")
    lines = ask(shell, "holders bank")
    assert "shell (9): Bank" in lines[2] and "shell (10): Bank" in lines[3]
    assert ask(shell, "revoke " + lines[2].split()[-1]) == ["revoked = 2"]
    for _ in ("inside", "outside"):
        answer = shell.shell('bank.open(owner = "ann")')
        assert not answer.ok and answer.lines[-1] == "error: Bank.open: the capability was revoked"
        assert "shell" not in "\n".join(ask(shell, "authority bank"))
        shell.shell("exit")


def test_quotas_of_running_processes_change(shared):
    usage = ask(shared, "authority.setLimit(processId = 5, class = exports, limit = 0)")
    used = int(re.search(r"used = (\d+)", usage[0])[1])
    assert usage == [f"(found = true, limit = {used}, used = {used})"]
    assert ask(shared, f"authority.setLimit(processId = 5, class = exports, limit = {used + 4})") == [
        f"(found = true, limit = {used + 4}, used = {used})"
    ]
    answer = shared.shell("authority.setLimit(processId = 5, class = exports, limit = 1000000000)")
    assert not answer.ok and "exports" in answer.text
