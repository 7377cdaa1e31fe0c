"""docs/tutorial/own-service.md, typed as written: its files are written, its commands run, its lines typed
at the shell. A block of the page says what it is: `file=NAME`, `sh at=tree|work`, `shell [fails]`."""

import os
import re
import subprocess

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
    for language, what, text in blocks():
        if what == "at=tree":
            run(text, ".", environment)
        elif what.startswith("file="):
            (work / what[len("file=") :]).write_text(text)
        elif what == "at=work":
            # The system is booted here, on a terminal of the test's, in place of `make run`.
            run(text.replace("make run\n", ""), work, environment)
        elif language == "shell":
            typed += [(line, what != "fails") for line in text.splitlines()]
    assert len(typed) >= 7
    sdk = tmp_path / "capos-sdk"
    with Guest(str(sdk / "system/capos.elf"), str(work / "build/boot.cpio")) as guest:
        guest.prompt(timeout=30)
        assert "The greeter's system." in guest.output
        answers = {}
        for line, succeeds in typed:
            answers[line] = guest.shell(line)
            assert answers[line].ok == succeeds, (line, answers[line])
        assert "Hello Ann, you are number 1." in answers['greeter.greet(name = "Ann")'].text
        assert "Greets people." in answers["help greeter"].text
        assert "Hello Bob, you are number 1." in answers['greeter.greet(name = "Bob")'].text
        guest.send_line("poweroff")
        assert guest.wait(20)[0] == 0
