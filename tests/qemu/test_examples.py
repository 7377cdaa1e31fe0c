"""What the system itself tells a person to type works: examples in the schemas, lines in `help`."""

import glob
import re

EXAMPLE = re.compile(r'\$example\("((?:[^"\\]|\\.)*)"\)')


def schema_examples():
    for path in [*glob.glob("schema/capos/*.capnp"), *glob.glob("programs/*/*.capnp")]:
        with open(path, encoding="utf-8") as file:
            for text in EXAMPLE.findall(file.read()):
                yield text.replace('\\"', '"')


def test_examples_in_the_schemas_work(shell):
    examples = sorted(schema_examples())
    assert len(examples) > 5
    for line in examples:
        if "readLine" in line:
            shell.send_line(line)
            shell.expect("^name\\? ")
            shell.send("Ann\r")
            shell.expect('line = "Ann"')
            shell.prompt()
        else:
            assert shell.shell(line).ok, line


def test_the_lines_that_help_begins_with_work(shell):
    """They follow each other, as a person would type them."""
    answer = shell.shell("help")
    assert answer.ok and len(answer.lines) <= 22
    shown = answer.lines[1 : answer.lines.index("Commands:")]
    typed = [line.strip() for line in shown if line.startswith("  ")]
    assert len(typed) >= 3
    for line in typed:
        assert shell.shell(line).ok, line


def test_each_command_in_help_has_help(shell):
    lines = shell.shell("help").lines
    usages = [line.split("  ")[1] for line in lines[lines.index("Commands:") + 1 :]]
    assert len(usages) > 10
    for usage in usages:
        word = re.sub(r"^p = ", "", usage).split()[0]
        answer = shell.shell(f"help {word}")
        assert answer.ok and word in answer.text, word


def test_every_capability_that_a_person_holds_has_help(shell):
    for line in shell.shell("caps").lines:
        name, interface = line.split()[:2]
        answer = shell.shell(f"help {name}")
        assert answer.ok and f"{name}: {interface}" in answer.lines      # behind the command of that name, if any
        says = answer.lines[answer.lines.index(f"{name}: {interface}") + 1]
        assert says.startswith("  ") and says.strip(), f"{name} says nothing"
