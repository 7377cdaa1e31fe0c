"""README.md says what is: its transcript is typed at a real system, its table has every directory."""

import os
import re
import subprocess

import project

with open("README.md", encoding="utf-8") as file:
    README = file.read()
PROMPT = re.compile(r"^capos[>!] (.*)$")


def transcript():
    """The lines that the README shows from the system, and those of them that a person types."""
    block = re.search(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL).group(1)
    command, log, *shown = block.splitlines()
    assert command == "$ ./capos run"
    assert log == "Kernel log: build/kernel.log. To leave: poweroff in the shell, or Ctrl-A x."
    return shown, [match.group(1) for match in map(PROMPT.match, shown) if match]


def test_the_transcript_is_what_a_run_shows():
    shown, typed = transcript()
    assert typed[-1] == "poweroff" and len(typed) > 5
    done = subprocess.run(
        ["./capos", "run", "--script", "-"],
        input="\n".join(typed),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.splitlines() == shown


def test_the_commands_are_those_of_capos():
    usage = subprocess.run(["./capos", "help"], capture_output=True, text=True).stdout
    commands = set(re.findall(r"\./capos (\w+)", README))
    assert {"run", "test"} <= commands
    assert all(f"./capos {command}" in usage for command in commands)


def test_each_directory_has_its_sentence():
    described = re.findall(r"^\| `(\w+)/` \| .+\. \|$", README, re.MULTILINE)
    output = project.OUTPUT.split("/")[0]
    there = {entry.name for entry in os.scandir() if entry.is_dir()} - {"build", output}
    assert sorted(described) == sorted(name for name in there if not name.startswith("."))
