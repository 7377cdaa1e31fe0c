"""The boot package can be read by cpio's own rules, and its bytes depend on its members alone."""

import pytest

from bootpack import pack, unpack


starts = {}


def read_back(archive):
    """An independent reader of the format: a list of (name, data); fills starts."""
    members, position = [], 0
    while True:
        assert archive[position : position + 6] == b"070701"
        fields = [int(archive[position + 6 + 8 * i : position + 14 + 8 * i], 16) for i in range(13)]
        name_start = position + 110
        name = archive[name_start : name_start + fields[11]].partition(b"\0")[0].decode()
        data_start = (name_start + fields[11] + 3) & ~3
        data = archive[data_start : data_start + fields[6]]
        if name == "TRAILER!!!":
            return members
        members.append((name, data))
        starts[name] = data_start
        position = (data_start + fields[6] + 3) & ~3


def test_members_come_back_in_order():
    members = [("manifest.bin", b"12345"), ("bin/a", b""), ("bin/long-name", bytes(range(256)))]
    assert read_back(pack(members)) == members
    assert list(unpack(pack(members))) == members


def test_programs_and_schemas_take_whole_pages():
    program = b"\x7fELF" + bytes(5000)
    members = [("a", b"x" * 5), ("bin/p", program), ("b", b"y"), ("schemas.bin", b"z" * 4096), ("bin/q", program)]
    archive = pack(members)
    found = dict(read_back(archive))
    for name in ("bin/p", "bin/q", "schemas.bin"):
        assert starts[name] % 4096 == 0 and len(found[name]) % 4096 == 0
    assert found["bin/p"] == program + bytes(8192 - len(program)) and found["b"] == b"y"
    assert pack(unpack(archive)) == archive


def test_what_is_no_package_is_refused():
    with pytest.raises(ValueError):
        list(unpack(pack([("a", b"x")])[:40] + b"nonsense" * 20))


def test_same_members_give_same_bytes():
    assert pack([("a", b"x")]) == pack([("a", b"x")])
