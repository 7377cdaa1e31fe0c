"""Threads created, moved, killed and joined on four processors for a minute; for five in the long run of the tests."""

import os
import re

SECONDS = int(os.environ.get("CAPOS_STRESS_SECONDS", "60"))


def test_threads_come_and_go_and_leave_nothing(boot):
    guest = boot("test-stress", append=f"seconds={SECONDS}", processors=4)
    assert guest.wait(2 * SECONDS + 60) == (0, "powered off with status 0")
    told = re.search(r"(\d+) threads started, (\d+) killed, (\d+) moved, (\d+) crowds", guest.log())
    assert told and all(int(count) > 0 for count in told.groups())
