"""Fixtures for tests that boot the whole system.

    boot     boot("test-ring"), boot("default", append="...", icount=True): a Guest (tools/runner/guest.py)
    shell    the default system at its prompt; shell.shell("timer.now").ok, .text, .lines

Every guest that a test booted is closed after it. A test that passed still fails when a guest's
kernel log has a PANIC or WARNING line; guest.allow_fault(pattern) says that one is expected.
`./capos test` builds before it runs pytest; by hand: make boot && pytest tests/qemu/test_boot.py.
"""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools/runner"))

import project  # noqa: E402
from guest import Guest  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def at_root():
    os.chdir(ROOT)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets a fixture know at teardown whether its test has failed already."""
    outcome = yield
    if call.when == "call":
        item.test_failed = outcome.get_result().failed


@pytest.fixture
def boot(request):
    """A function that boots a manifest (None: the kernel alone) in a configuration."""
    guests = []

    def start(manifest="default", config="debug", **machine):
        package = project.built(config, f"boot-{manifest}.cpio") if manifest else None
        guest = Guest(project.built(config, "capos.elf"), package, **machine)
        guests.append(guest)
        return guest

    yield start
    try:
        if not getattr(request.node, "test_failed", True):
            for guest in guests:
                guest.check()
    finally:
        for guest in guests:
            guest.close()


@pytest.fixture
def shell(boot):
    guest = boot()
    guest.prompt(timeout=30)
    return guest
