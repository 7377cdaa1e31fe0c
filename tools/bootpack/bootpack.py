#!/usr/bin/python3
"""Packs a boot package: a cpio archive in the "newc" format.

    bootpack.py [--onto PACKAGE] OUTPUT NAME=FILE...

Called by manifests/manifests.mk, and by the SDK's program.mk with --onto: then the members of that
package come first, and a member of the same name is replaced where it stands. The kernel's BootPackage object reads the result. Always true: the
same names and bytes give the same archive: members in the order given, every time stamp, owner and
inode number fixed. Programs and schemas begin at multiples of a page and take whole pages, so that the
kernel can hand them out in place: the NUL of a name is repeated, and zeroes follow the contents, which
belong to the file then. Both say in themselves how long they are.
"""

import os
import sys

MAGIC = b"070701"
HEADER_BYTES = 110
PAGE_BYTES = 4096
PROGRAM_MAGIC = b"\x7fELF"
SCHEMAS = "schemas.bin"
MODE_FILE = 0o100444
TRAILER = "TRAILER!!!"


def member(name, data, number, position=0):
    """One header, name and data, each padded to four bytes, at a position in the archive."""
    encoded = name.encode() + b"\0"
    if data.startswith(PROGRAM_MAGIC) or name == SCHEMAS:
        encoded += b"\0" * (-(position + HEADER_BYTES + len(encoded)) % PAGE_BYTES)
        data += b"\0" * (-len(data) % PAGE_BYTES)
    fields = [number, MODE_FILE if number else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
    header = MAGIC + b"".join(b"%08x" % field for field in fields)
    return padded(header + encoded) + padded(data)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def pack(members):
    """The archive of (name, bytes) pairs."""
    archive = b""
    for i, (name, data) in enumerate(members, 1):
        archive += member(name, data, i, len(archive))
    return archive + member(TRAILER, b"", 0)


def unpack(archive):
    """The (name, bytes) pairs of an archive that pack() made."""
    position = 0
    while archive[position : position + len(MAGIC)] == MAGIC:
        fields = [archive[position + 6 + 8 * i : position + 14 + 8 * i] for i in range(13)]
        data_bytes, name_bytes = int(fields[6], 16), int(fields[11], 16)
        name = archive[position + HEADER_BYTES :][:name_bytes].rstrip(b"\0").decode()
        if name == TRAILER:
            return
        position += HEADER_BYTES + name_bytes
        position += -position % 4
        yield name, archive[position : position + data_bytes]
        position += data_bytes + -data_bytes % 4
    raise ValueError("not a boot package")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    arguments = sys.argv[1:]
    members = {}
    if arguments[0] == "--onto":
        members = dict(unpack(read(arguments[1])))
        arguments = arguments[2:]
    output, *pairs = arguments
    added = [pair.partition("=")[::2] for pair in pairs]
    if len({name for name, _ in added}) != len(added):
        sys.exit(f"bootpack: a name occurs twice in {output}")
    members.update((name, read(path)) for name, path in added)
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    with open(output + ".new", "wb") as file:
        file.write(pack(members.items()))
    os.replace(output + ".new", output)


if __name__ == "__main__":
    main()
