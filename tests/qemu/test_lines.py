"""Processors that call side by side do not take cache lines from each other.

A kernel of its own (`make CONFIG=lines kernel`, kernel/core/written_lines.c) says which lines each processor wrote on the direct way.
"""

import re

import project
from guest import Guest

ENTRIES = 8000  # that the record needs of each processor


def lines_written(arguments):
    """(lines that both processors wrote, [(lines, entries) of each], the log)."""
    kernel = project.built("lines", "capos.elf")
    with Guest(kernel, project.built("release", "boot-bench-smp.cpio"), arguments, processors=2) as guest:
        assert guest.wait(200) == (0, "powered off with status 0")
        log = guest.log()
    each = re.findall(r"LINES processor \d wrote (\d+) in (\d+) entries", log)
    shared = re.search(r"LINES shared (\d+)$", log, re.MULTILINE)
    return int(shared[1]), [(int(lines), int(entries)) for lines, entries in each], log


def test_pairs_of_processes_that_call_each_other_write_no_line_in_common():
    shared, each, log = lines_written("pairs")
    assert len(each) == 2 and all(entries >= ENTRIES and lines > 10 for lines, entries in each), log
    assert shared == 0, log


def test_the_record_sees_lines_that_are_shared():
    """Two clients of one server do share: its endpoint, its ring, its place in a queue."""
    shared, _, log = lines_written("pairs together")
    assert shared > 0 and "both wrote" in log
