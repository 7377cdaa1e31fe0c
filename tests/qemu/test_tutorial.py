"""docs/tutorial/own-service.md, typed as written: its files are written, its commands run, its lines typed
at the shell. A block of the page says what it is: `file=NAME`, `sh at=tree|work`, `shell [fails]`."""

import os
import re
import subprocess

import project
from guest import Guest

PAGE = "docs/tutorial/own-service.md"
BLOCK = re.compile(r"^```(\w+) ?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    with open(PAGE, encoding="utf-8") as page:
        return BLOCK.findall(page.read())


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


def test_the_tutorial_works_as_written(tmp_path):
    work = tmp_path / "greeter"
    environment = {**os.environ, "WORK": str(tmp_path)}
    typed = []
    shown = []
    for language, what, text in blocks():
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
            shown += text.splitlines()
    assert len(typed) >= 7 and len(shown) >= 7
    sdk = tmp_path / "capos-sdk"
    with Guest(str(sdk / "system/capos.elf"), str(work / "build/boot.cpio")) as guest:
        guest.prompt(timeout=30)
        assert "The greeter's system." in guest.output
        for line, succeeds in typed:
            answer = guest.shell(line)
            assert answer.ok == succeeds, (line, answer)
        output = guest.output.splitlines()
        for line in shown:
            assert line in output
            # What the page shows comes in this order.
            output = output[output.index(line) + 1 :]
        guest.send_line("poweroff")
        assert guest.wait(20)[0] == 0
