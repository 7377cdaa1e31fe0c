"""Leases of processors at the shell: what a person sees with one processor, and with two."""

import re

import pytest

LEASE = "l = isolation.lease(thread = @p, durationNs = 300000000000)"


@pytest.fixture
def two(boot):
    guest = boot(processors=2)
    guest.prompt(timeout=60)
    return guest


def counter(guest):
    """The counter's process, bound to p."""
    number = re.search(r"^counter +running +(\d+) ", guest.shell("services.list").text, re.MULTILINE)[1]
    assert guest.shell(f"p = authority.open(processId = {number})").ok
    return number


def rows(guest):
    """What `lease` lists: one dictionary a lease."""
    answer = guest.shell("lease")
    assert answer.ok
    if answer.lines == ["leases = []"]:
        return []
    names = answer.lines[0].split()
    return [dict(zip(names, re.sub(r"(\d) (ns|us|ms|s)\b", r"\1\2", line).split())) for line in answer.lines[1:]]


def test_one_processor_is_leased_to_nobody(shell):
    counter(shell)
    answer = shell.shell(LEASE)
    assert not answer.ok
    assert "one processor, and that one serves everybody" in " ".join(answer.text.split())
    assert rows(shell) == []


def test_a_person_leases_a_processor_and_sees_it(two):
    number = counter(two)
    assert two.shell(LEASE).ok
    (row,) = rows(two)
    assert (row["processor"], row["kind"], row["state"]) == ("1", "thread", "active")
    assert (row["client"], row["process"]) == ("shell", number)
    assert re.fullmatch(r"(300|2\d\d)\.\ds", row["remainingNs"])
    assert two.shell("counter.value").ok
    assert 'thread = "counter"' in two.shell("l.info").text
    assert two.shell("l.end").ok
    (row,) = rows(two)
    assert (row["state"], row["remainingNs"]) == ("ended", "0ns")
    assert two.shell("drop l").ok
    assert rows(two) == []


def test_what_cannot_be_leased_is_said(two):
    counter(two)
    assert two.shell(LEASE).ok
    for line, words in (
        ("isolation.lease(thread = @p)", "no processor that the rule allows is free"),
        ("isolation.lease(thread = @p, processor = 1)", "processor 1 is leased to somebody"),
        ("isolation.lease(thread = @p, processor = 7)", "processor: they are numbered from 0, and 0 is never leased"),
        ("isolation.lease(thread = @p, durationNs = 601000000000)", "allows 600000 ms at most"),
        ("isolation.lease(thread = @p, kind = compute, processor = 1)", "kind compute needs budgetNs and periodNs"),
    ):
        answer = two.shell(line)
        assert not answer.ok and words in " ".join(answer.text.split()), answer.text


def test_the_operator_revokes_a_lease(two):
    counter(two)
    assert two.shell(LEASE).ok
    assert "true" in two.shell("isolation_control.revoke(id = 1)").text
    assert rows(two)[0]["state"] == "revoked"
    assert "false" in two.shell("isolation_control.revoke(id = 1)").text
    rule = "rule = (client = \"shell\", processors = 2, kinds = [thread], longestNs = 5, atOnce = 0)"
    assert two.shell(f"isolation_control.setRule({rule})").ok
    answer = two.shell(LEASE.replace("l = ", "m = "))
    assert not answer.ok and "the operator's rules allow this client no lease" in " ".join(answer.text.split())


def test_leases_end_with_the_service_and_with_their_thread(two):
    counter(two)
    assert two.shell(LEASE).ok
    assert "done" in two.shell('services.kill(name = "isolation")').text
    two.expect_log(r"\[init\] isolation was killed; restart in \d+ ms")
    assert rows(two) == []
    assert not two.shell("l.info").ok
    assert two.shell(LEASE).ok
    assert "done" in two.shell('services.kill(name = "counter")').text
    two.expect_log(r"\[init\] counter was killed; restart in \d+ ms")
    assert rows(two)[0]["state"] == "died"
