"""./capos as a person uses it: a real terminal, scripts, exit statuses, errors that say what to do."""

import os
import re
import subprocess
import time

import pexpect
import pytest

PROMPT_SECONDS_MAX = 3


def capos(*arguments, typed=None):
    """Runs ./capos to its end without a terminal; returns (status, output, errors)."""
    done = subprocess.run(
        ["./capos", *arguments],
        input=typed,
        stdin=None if typed is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def terminal():
    """`./capos run` on a terminal of its own, from a shell that shows status and terminal modes."""
    script = "stty -a; ./capos run; echo status=$?; stty -a"
    child = pexpect.spawn("/bin/sh", ["-c", script], timeout=60, encoding="utf-8")
    child.setwinsize(24, 80)
    yield child
    child.close(force=True)


def modes(text):
    """The terminal modes that stty printed, the window's size aside."""
    return sorted(re.findall(r"-?\b(?:icanon|echo|isig|icrnl|opost|ixon)\b", text))


def to_prompt(child):
    """Waits for the shell; returns the terminal's modes before ./capos was started."""
    child.expect_exact("Kernel log: ")
    before = modes(child.before)
    child.expect_exact("capos> ", timeout=60)
    return before


def leave(child, keys):
    """Types the keys that leave; returns the exit status and the terminal's modes afterwards."""
    child.send(keys)
    child.expect(r"status=(\d+)", timeout=20)
    status = int(child.match.group(1))
    child.expect(pexpect.EOF)
    return status, modes(child.before)


def test_poweroff_ends_with_status_zero_and_restores_the_terminal(terminal):
    before = to_prompt(terminal)
    assert before and leave(terminal, "poweroff\r") == (0, before)


def test_ctrl_a_x_always_leaves(terminal):
    before = to_prompt(terminal)
    terminal.send("half a line")
    assert leave(terminal, "\x01x") == (0, before)


def test_the_second_run_builds_nothing_and_is_fast(terminal):
    started = time.monotonic()
    to_prompt(terminal)
    assert time.monotonic() - started < PROMPT_SECONDS_MAX
    assert leave(terminal, "poweroff\r")[0] == 0


def test_reboot_comes_back_to_the_shell(terminal):
    to_prompt(terminal)
    terminal.send("reboot\r")
    terminal.expect_exact("you hold", timeout=20)
    terminal.expect_exact("capos> ", timeout=20)
    assert leave(terminal, "poweroff\r")[0] == 0


def test_script_prints_what_a_person_would_see():
    status, output, _ = capos("run", "--script", "-", typed="# a remark\n\ncaps\n")
    assert status == 0
    assert re.search(r"^capos> caps$", output, re.MULTILINE)
    assert re.search(r"^capos> poweroff$", output, re.MULTILINE)
    assert "remark" not in output and "\x1b" not in output


@pytest.mark.parametrize("processors", [2, 4])
def test_a_system_on_several_processors_comes_to_its_shell_and_ends(processors):
    status, output, errors = capos("run", "--smp", str(processors), "--script", "-", typed="timer.now\n")
    assert status == 0, errors
    assert re.search(r"^capos> timer.now$", output, re.MULTILINE)


def test_script_with_a_failing_command_fails():
    status, output, errors = capos("run", "--script", "-", typed="no-such-thing\ncaps\n")
    assert status == 1
    assert re.search(r"^capos! caps$", output, re.MULTILINE)
    assert "1 of 2 commands failed, first: no-such-thing" in errors


def test_a_reader_of_the_transcript_may_leave_early():
    command = "{ echo timer.now; echo ps; echo caps; } | ./capos run --script - | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.count("\n") == 1 and done.stderr == ""


def test_what_qemu_says_is_not_lost():
    status, _, errors = capos("run", "--script", "-", "--", "-bogus", typed="caps\n")
    assert status == 1
    assert "-bogus: invalid option" in errors


def test_a_system_without_a_shell_shows_its_log():
    status, output, errors = capos("run", "--manifest", "bulk")
    assert status == 0, errors
    assert re.search(r"^\[client\] .*MiB", output, re.MULTILINE), output
    assert capos("run", "--manifest", "bulk", "--script", "-", typed="caps\n")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "--script FILE"),
        (["run", "--manifest", "nowhere"], "./capos help manifests"),
        (["run", "--script", "no-such-file"], "cannot read 'no-such-file'"),
        (["run", "--smp", "many"], "a number of processors"),
        (["run", "--frobnicate"], "go after --"),
        (["frobnicate"], "./capos help"),
        (["help", "frobnicate"], "./capos help"),
        (["fuzz", "frobnicate", "1"], "the targets are:"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(arguments, words):
    status, _, errors = capos(*arguments)
    assert status == 2
    assert words in errors
    assert errors.count("\n") == 1


def test_help_names_every_command_and_manifest():
    status, output, _ = capos("help")
    assert status == 0
    for command in ("run", "test", "bench", "image", "fuzz", "prove", "sdk", "help"):
        assert f"./capos {command}" in output
    status, output, _ = capos("help", "manifests")
    assert status == 0 and "default" in output


def test_help_fits_a_terminal():
    for topic in ([], ["manifests"]):
        lines = capos("help", *topic)[1].splitlines()
        assert len(lines) > 5 and max(map(len, lines)) < 80


def test_missing_packages_are_named_and_not_installed_when_told_so(tmp_path):
    """With a PATH on which only the basic commands are found, everything else is missing."""
    for command in ("sh", "dirname", "sort", "tr", "id", "apt-get", "nproc"):
        path = subprocess.run(["which", command], capture_output=True, text=True).stdout.strip()
        os.symlink(path, tmp_path / command)
    environment = {**os.environ, "PATH": str(tmp_path), "CAPOS_INSTALL": "no"}
    done = subprocess.run(
        ["./capos", "sdk"], env=environment, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert "apt-get install --no-install-recommends" in done.stderr
    assert " clang" in done.stderr and " qemu" not in done.stderr
