"""The default system boots to its shell, ends when told to, and says so with its exit status."""

import re


def test_boots_to_the_prompt_and_powers_off(shell):
    assert "capOS" in shell.output
    shell.send_line("poweroff")
    assert shell.wait() == (0, "powered off with status 0")


def test_a_failed_command_shows_in_the_prompt(shell):
    answer = shell.shell("no-such-command")
    assert not answer.ok
    assert re.search("^error: ", answer.text, re.MULTILINE)
    assert shell.shell("caps").ok
