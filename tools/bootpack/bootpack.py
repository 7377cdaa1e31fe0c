#!/usr/bin/python3
"""Packs a boot package: a cpio archive in the "newc" format.

    bootpack.py OUTPUT NAME=FILE...

Called by manifests/manifests.mk; the kernel's BootPackage object reads the result. Always true: the
same names and bytes give the same archive: members in the order given, every time stamp, owner and
inode number fixed.
"""

import os
import sys

MODE_FILE = 0o100444
TRAILER = "TRAILER!!!"


def member(name, data, number):
    """One header, name and data, each padded to four bytes."""
    encoded = name.encode() + b"\0"
    fields = [number, MODE_FILE if number else 0, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return padded(header + encoded) + padded(data)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def pack(members):
    """The archive of (name, bytes) pairs."""
    archive = b"".join(member(name, data, i) for i, (name, data) in enumerate(members, 1))
    return archive + member(TRAILER, b"", 0)


def main():
    output, *arguments = sys.argv[1:]
    members = []
    for argument in arguments:
        name, _, path = argument.partition("=")
        with open(path, "rb") as file:
            members.append((name, file.read()))
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        sys.exit(f"bootpack: a name occurs twice in {output}")
    os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
    with open(output + ".new", "wb") as file:
        file.write(pack(members))
    os.replace(output + ".new", output)


if __name__ == "__main__":
    main()
