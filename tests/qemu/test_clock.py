"""Time: the clock page where the processor's counter can be used, and where it cannot; what time of day it is."""

import re

import pytest


@pytest.mark.parametrize(
    ("cpu", "how"), [("max", "mapped"), ("max,tcg-cpuid=off", "asked"), ("max,-hypervisor", "asked")]
)
def test_the_clock_is_read_by_itself_only_where_the_counter_has_one_rate(boot, cpu, how):
    guest = boot("test-rt", extra=["-cpu", cpu])
    assert guest.wait(60) == (0, "powered off with status 0")
    assert re.search(r"TAP ok \d+ - rt reads the kernel's time$", guest.log(), re.MULTILINE)
    assert re.search(rf"the clock is {how}$", guest.log(), re.MULTILINE)
    assert ("counter may change its rate" in guest.log()) == (how == "asked")


def day(guest):
    """What clock.now says, as a dictionary of texts."""
    answer = guest.shell("clock.now")
    assert answer.ok
    return dict(re.findall(r"(\w+) = ([-\w]+)", answer.text)), answer.text


@pytest.fixture
def dated(boot):
    guest = boot(extra=["-rtc", "base=2026-11-22T20:30:15"])
    guest.prompt(timeout=30)
    return guest


def test_the_battery_clock_is_read_and_not_trusted(dated):
    fields, text = day(dated)
    assert (fields["source"], fields["trust"], fields["changes"]) == ("rtc", "untrusted", "0")
    assert 0 <= int(fields["unixNs"]) // 10**9 - 1795379415 < 600
    assert "(2026-11-22 20:" in text
    assert 5 * 10**8 <= int(fields["uncertaintyNs"])


def test_only_who_controls_the_clock_sets_it(dated):
    assert not dated.shell("clock.set(unixNs = 5, uncertaintyNs = 5)").ok
    assert dated.shell("clock_control.set(unixNs = 951868799000000000, uncertaintyNs = 5)").ok
    fields, text = day(dated)
    assert (fields["source"], fields["trust"], fields["changes"]) == ("control", "asserted", "1")
    assert "(2000-02-29 23:59:59 UTC)" in text or "(2000-03-01 00:" in text
    assert dated.shell("clock_control.adjust(offsetNs = -86400000000000, uncertaintyNs = 5)").ok
    assert "(2000-02-2" in day(dated)[1]


def test_a_time_that_cannot_be_is_refused_and_nothing_changes(dated):
    for line in (
        "clock_control.set(unixNs = -1, uncertaintyNs = 5)",
        "clock_control.adjust(offsetNs = -9000000000000000000, uncertaintyNs = 5)",
        "clock_control.adjust(offsetNs = 9000000000000000000, uncertaintyNs = 5)",
    ):
        assert not dated.shell(line).ok
    assert day(dated)[0]["source"] == "rtc"


def test_a_clock_that_comes_back_reads_the_battery_clock_again(dated):
    assert "done" in dated.shell('services.kill(name = "clock")').text
    dated.expect_log(r"\[init\] clock was killed; restart in \d+ ms")
    assert day(dated)[0]["source"] == "rtc"
