#!/usr/bin/python3
"""Builds the ISO: GRUB, the kernel and one boot package, for BIOS and UEFI, disc and raw disk.

    build.py OUTPUT KERNEL PACKAGE [KERNEL ARGUMENTS]
    build.py --describe OUTPUT        prints how somebody without a toolchain starts it

Called by the `image` target and ./capos image. GRUB enters the kernel by its Multiboot2 door and
hands over the boot package as a module. Always true: the same inputs give the same bytes.
"""

import os
import shutil
import subprocess
import sys
import tempfile

VOLUME_DATE = "2024010100000000"
SOURCE_DATE_EPOCH = "1704067200"  # the same moment
VOLUME_SERIAL = "CA905000"
MODULES = (
    "multiboot2 normal configfile iso9660 fat search search_fs_file all_video"
    " part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_gpt part_msdos part_plan"
    " part_sun part_sunpc"  # the EFI loader of grub-mkrescue asks for every one
)
GRUB_CONFIG = """set timeout=0
set default=0
terminal_output console
menuentry "capOS" {{
	multiboot2 /boot/capos.elf {arguments}
	module2 /boot/boot.cpio boot.cpio
	boot
}}
"""


def fix_times(directory):
    """Time stamps end up in the image, so that every file gets the same one."""
    moment = int(SOURCE_DATE_EPOCH)
    for path, directories, files in os.walk(directory):
        for name in [*directories, *files]:
            os.utime(os.path.join(path, name), (moment, moment))
    os.utime(directory, (moment, moment))


def wrap_mformat(directory):
    """grub-mkrescue lets mformat invent the EFI volume's serial number: a wrapper gives it one."""
    path = os.path.join(directory, "mformat")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shutil.which("mformat")} -N {VOLUME_SERIAL} "$@"\n')
    os.chmod(path, 0o755)
    return f"{directory}:{os.environ['PATH']}"


def build(output, kernel, package, arguments):
    with tempfile.TemporaryDirectory() as directory:
        tree = os.path.join(directory, "iso")
        os.makedirs(os.path.join(tree, "boot/grub"))
        shutil.copyfile(kernel, os.path.join(tree, "boot/capos.elf"))
        shutil.copyfile(package, os.path.join(tree, "boot/boot.cpio"))
        with open(os.path.join(tree, "boot/grub/grub.cfg"), "w", encoding="utf-8") as file:
            file.write(GRUB_CONFIG.format(arguments=arguments))
        fix_times(tree)
        command = ["grub-mkrescue", "-o", output + ".new", f"--install-modules={MODULES}"]
        command += ["--fonts=", "--locales=", "--themes=", tree]
        command += ["--", "-volume_date", "uuid", VOLUME_DATE]
        command += ["-volume_date", "all_file_dates", VOLUME_DATE]
        environment = {**os.environ, "PATH": wrap_mformat(directory), "TMPDIR": directory}
        environment["SOURCE_DATE_EPOCH"] = SOURCE_DATE_EPOCH
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0 or not os.path.exists(output + ".new"):
        sys.exit(f"image: grub-mkrescue failed:\n{done.stdout}{done.stderr}")
    os.replace(output + ".new", output)


def describe(output):
    size = os.path.getsize(output) / 1e6
    name = os.path.basename(output)
    print(f"{output}: {size:.1f} MB, boots under BIOS and UEFI, as a disc or a raw disk. Start it with:")
    print(
        "  qemu-system-x86_64 -machine q35 -cpu max -m 512 -display none -nodefaults"
        " -serial file:kernel.log -serial mon:stdio -device isa-debug-exit,iobase=0x501,iosize=2"
        f" -cdrom {name}"
    )
    print("The shell is on this terminal; poweroff (QEMU then ends with status 33) or Ctrl-A x leaves.")
    print("To write it to a stick: dd, as it is.")


def main():
    if sys.argv[1] == "--describe":
        describe(sys.argv[2])
    else:
        output, kernel, package, *arguments = sys.argv[1:]
        build(output, kernel, package, " ".join(arguments))


if __name__ == "__main__":
    main()
