"""Time: the clock page where the processor's counter can be used, and where it cannot."""

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
