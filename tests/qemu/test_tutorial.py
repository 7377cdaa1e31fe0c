"""The pages of docs/tutorial, typed as written: their files are written, their commands run, their lines typed
at the shell. A block of a page says what it is: `file=NAME`, `sh at=tree|work`, `shell [fails]`, `text [times]`.

What a page shows comes in its order, other lines may stand between. A dot in a number (`0x7........`) is any digit; a
line that is typed gets the digits of the last such number shown. Of a `text times` the figures are anybody's."""

import os
import re
import subprocess

import project
import pytest
from guest import Guest

BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GRANT = re.compile(r"0x[0-9a-f]*\.+")
FIGURE = r"\d[\d.]*(?: (?:ns|us|ms|s)\b)?"


def blocks(page):
    with open(page, encoding="utf-8") as text:
        return BLOCK.findall(text.read())


def run(script, directory, environment):
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def any_digits(number):
    return number.group().replace(".", "[0-9a-f]")


def filled_in(line, output):
    """The line as somebody types it who has read the output."""
    return GRANT.sub(lambda number: re.findall(any_digits(number), output)[-1], line)


def pattern_of(line, times):
    """What a line of the page stands for."""
    if times:
        parts = (re.sub(r"(\\ )+", " +", re.escape(part)) for part in re.split(FIGURE, line))
        return re.compile(FIGURE.join(parts))
    at = 0
    pattern = ""
    for number in GRANT.finditer(line):
        pattern += re.escape(line[at : number.start()]) + any_digits(number)
        at = number.end()
    return re.compile(pattern + re.escape(line[at:]))


@pytest.mark.parametrize(
    "page, directory, greeting",
    [("own-service", "greeter", "The greeter's system."), ("calls", "teller", "capOS 0.1")],
)
def test_the_tutorial_works_as_written(page, directory, greeting, tmp_path):
    work = tmp_path / directory
    environment = {**os.environ, "WORK": str(tmp_path)}
    typed = []
    shown = []
    for language, what, text in blocks(f"docs/tutorial/{page}.md"):
        if what == "at=tree":
            run(text.replace("build/", project.OUTPUT + "/"), ".", environment)
        elif what.startswith("file="):
            (work / what[len("file=") :]).write_text(text)
        elif what == "at=work":
            # The system is booted here, on a terminal of the test's, in place of `make run`.
            run(text.replace("make run\n", ""), work, environment)
        elif language == "shell":
            typed += [(line, what != "fails") for line in text.splitlines()]
        elif language == "text":
            shown += [(line, pattern_of(line, what == "times")) for line in text.splitlines()]
    assert len(typed) >= 7 and len(shown) >= 7
    sdk = tmp_path / "capos-sdk"
    with Guest(str(sdk / "system/capos.elf"), str(work / "build/boot.cpio")) as guest:
        guest.prompt(timeout=30)
        assert greeting in guest.output
        for line, succeeds in typed:
            answer = guest.shell(filled_in(line, guest.output))
            assert answer.ok == succeeds, (line, answer)
        output = iter(guest.output.splitlines())
        for line, pattern in shown:
            assert any(pattern.fullmatch(said) for said in output), f"{line}\n{guest.output}"
        guest.send_line("poweroff")
        assert guest.wait(20)[0] == 0


WINDOW = """\
#include "queue/window.h"
#include "rt/program.h"

int main(int argc, char **argv)
{
	static struct window_sender sender;
	static struct loop loop;
	const struct window_authority authority = {
		.factory = RT_GRANT(object_factory, "factory"),
		.memory = RT_GRANT(virtual_memory, "memory"),
	};
	const struct buffer_layout layout = { .streams = 2, .entries = 4, .chunks = 4, .chunk_bytes = 4096 };

	loop_init(&loop);
	if (window_sender_open(&sender, &loop, &authority, &layout) != STATUS_OK)
		return 1;
	window_sender_close(&sender);
	return 0;
}
"""
MAKEFILE = """\
PROGRAM := window
SOURCES := window.c
include ../capos-sdk/program.mk
"""


def test_the_sdk_has_shared_buffers(tmp_path):
    """docs/shared-buffers.md: a program outside the tree has a window."""
    work = tmp_path / "window"
    work.mkdir()
    run(f"./capos sdk && cp -r {project.OUTPUT}/release/capos-sdk {tmp_path}", ".", dict(os.environ))
    (work / "window.c").write_text(WINDOW)
    (work / "Makefile").write_text(MAKEFILE)
    run("make package", work, dict(os.environ))
    sdk = tmp_path / "capos-sdk"
    assert not (sdk / "include/tests").exists()
    with Guest(str(sdk / "system/capos.elf"), str(work / "build/boot.cpio")) as guest:
        guest.prompt(timeout=30)
        assert guest.shell("run window with { @factory, memory: own }").ok
        assert not guest.shell("run window with { memory: own }").ok
        guest.send_line("poweroff")
        assert guest.wait(20)[0] == 0
