"""The archive that carries bench/linux into its machine: as the new ASCII format of cpio says."""

from linux import entry


def test_entries_have_the_length_that_their_header_says():
    data = b"#!/bin/sh\n"
    written = entry("dev/console", 0o020600, data, device=(5, 1), inode=7)
    fields = [int(written[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
    assert written[:6] == b"070701" and len(written) % 4 == 0
    assert fields == [7, 0o020600, 0, 0, 1, 0, len(data), 0, 0, 5, 1, len("dev/console") + 1, 0]
    name_end = 110 + fields[11]
    assert written[110 : name_end - 1] == b"dev/console" and written[name_end - 1] == 0
    start = name_end + -name_end % 4
    assert written[start : start + fields[6]] == data


def test_the_last_entry_is_the_trailer():
    assert entry("TRAILER!!!", 0).startswith(b"070701") and b"TRAILER!!!\0" in entry("TRAILER!!!", 0)
