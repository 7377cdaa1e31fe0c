"""The kernel alone: how it ends when it finds itself broken, what it refuses, what time it keeps.

The kernel's debug build takes "crash=..." on its command line and ends itself in that way; see
kernel/arch/x86_64/selftest.c.
"""

import re

import pytest

CRASHES = {
    "assert": "PANIC: the command line asked for it",
    "read": r"PANIC: page fault .* address 10$",
    "write-text": "PANIC: page fault .*error code 3",
    "write-text-alias": "PANIC: page fault .*error code 3",
    "run-data": "PANIC: page fault .*error code 11",
    "overflow": "PANIC: double fault",
    "canary": "PANIC: a function wrote past its buffer",
    "user-memory": "PANIC: page fault .*error code 1",
    "lock-order": "PANIC: lock high .* taken while low .* is held",
    "nmi": "PANIC: non-maskable interrupt",
}


@pytest.mark.parametrize("how", CRASHES)
def test_a_broken_kernel_says_so_and_stops(boot, how):
    guest = boot(None, append=f"crash={how}")
    guest.allow_fault("^PANIC: ")
    assert guest.wait() == (1, "kernel panic")
    assert re.search(CRASHES[how], guest.log(), re.MULTILINE)
    assert re.search(r"^  #\d+ [0-9a-f]{16} \w+\+[0-9a-f]+$", guest.log(), re.MULTILINE)


def test_a_reset_resets(boot):
    guest = boot(None, append="crash=reboot")
    assert guest.wait() == (0, "QEMU ended")


@pytest.mark.parametrize(
    ("cpu", "sentence"),
    [
        ("qemu32", "has no 64-bit mode"),
        ("max,-nx", "cannot forbid execution of data"),
        ("max,-xsave", "has no XSAVE"),
        ("max,-fsgsbase", "has no FSGSBASE"),
        ("max,-smap", "cannot keep the kernel out of user memory"),
    ],
)
def test_a_machine_without_the_minimum_is_told_so(boot, cpu, sentence):
    guest = boot(None, extra=["-cpu", cpu])
    assert guest.wait()[0] == 1
    assert re.search(rf"{sentence}.*Stopped\.", guest.log())


@pytest.mark.parametrize("cpu", ["max,-pdpe1gb", "max,-avx", "max,-umip", "max,-rdrand"])
def test_what_is_not_in_the_minimum_may_be_missing(boot, cpu):
    guest = boot(None, append="arch-selftest", extra=["-cpu", cpu])
    assert guest.wait() == (0, "powered off with status 0")
    assert "not ok" not in guest.tap()


def test_one_instruction_is_one_nanosecond_when_instructions_are_counted(boot):
    guest = boot(None, append="arch-selftest", icount=True)
    guest.expect_log("The clock runs at 1000000 kHz, the timer at 1000000 kHz")
    assert guest.wait() == (0, "powered off with status 0")
    ns = int(re.search(r"ns from a 2 ms timer: (\d+)", guest.log()).group(1))
    assert 2_000_000 <= ns < 2_010_000


@pytest.mark.parametrize("memory_mib", [32, 3000])
def test_any_size_of_memory_is_used(boot, memory_mib):
    guest = boot(None, append="arch-selftest", memory_mib=memory_mib)
    assert guest.wait() == (0, "powered off with status 0")
    kib = int(re.search(r"(\d+) KiB of memory", guest.log()).group(1))
    assert memory_mib * 1024 - 4096 < kib <= memory_mib * 1024
