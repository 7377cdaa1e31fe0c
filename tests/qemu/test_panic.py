"""Each way in which the kernel must stop does stop it: a PANIC line, the trace with names, an end.

The debug kernel does the deed itself when its command line has "crash=..."; see
kernel/arch/x86_64/selftest.c.
"""

import re

import pytest

ENDS = {
    "assert": "the command line asked for it",
    "read": r"page fault .*, address 10$",
    "write-text": r"page fault \(vector 14, error code 3\)",
    "write-text-alias": r"page fault \(vector 14, error code 3\)",
    "run-data": r"page fault \(vector 14, error code 11\)",
    "overflow": "double fault",
    "canary": "wrote past its buffer",
    "user-memory": r"page fault .*, address 500000$",
    "lock-order": r"lock high \(rank \d+\) taken while low \(rank \d+\) is held",
    "nmi": "non-maskable interrupt",
}


@pytest.mark.parametrize("crash", ENDS)
def test_the_kernel_stops_and_says_why(boot, crash):
    guest = boot(manifest=None, append=f"crash={crash}")
    guest.allow_fault("^PANIC")
    assert guest.wait(20) == (1, "kernel panic")
    panic = re.search(r"^PANIC: (.*)$", guest.log(), re.MULTILINE)
    assert panic and re.search(ENDS[crash], panic.group(1))
    assert re.search(r"^  #0 [0-9a-f]{16}", guest.log(), re.MULTILINE)


def test_the_backtrace_has_names(boot):
    guest = boot(manifest=None, append="crash=assert")
    guest.allow_fault("^PANIC")
    guest.wait(20)
    names = re.findall(r"^  #\d+ [0-9a-f]{16} (\w+)\+", guest.log(), re.MULTILINE)
    assert names[0] == "panic" and "kernel_main" in names
