"""The ISO boots to the shell under BIOS and UEFI, as a disc and as a raw disk."""

import subprocess

import pytest

import project
from guest import Guest

FIRMWARE = {"bios": [], "uefi": ["-bios", "/usr/share/ovmf/OVMF.fd"]}
MEDIUM = {
    "disc": ["-cdrom", "{iso}"],
    "raw-disk": [
        "-drive",
        "file={iso},format=raw,if=none,id=disk,snapshot=on",
        "-device",
        "virtio-blk-pci,drive=disk,bootindex=1",
    ],
}


@pytest.mark.parametrize(
    ("firmware", "medium"),
    [("bios", "disc"), ("bios", "raw-disk"), ("uefi", "disc"), ("uefi", "raw-disk")],
)
def test_image_boots_to_the_shell(firmware, medium):
    iso = project.built("release", "capos.iso")
    extra = FIRMWARE[firmware] + [word.format(iso=iso) for word in MEDIUM[medium]]
    with Guest(extra=extra) as guest:
        guest.prompt(timeout=60)
        guest.send_line("poweroff")
        assert guest.wait() == (0, "powered off with status 0")


def test_image_bits_are_reproducible(tmp_path):
    assert project.make("image", config="release")
    first = project.built("release", "capos.iso")
    again = tmp_path / "again.iso"
    parts = [project.built("release", name) for name in ("capos.elf", "boot-default.cpio")]
    subprocess.run(["tools/image/build.py", str(again), *parts], check=True)
    with open(first, "rb") as file:
        assert file.read() == again.read_bytes()
