"""Linux under the same QEMU as capOS: fetches Debian's kernel, packs a program of bench/ as its first process,
boots it, and hands on what it prints.

bench.py (`--vs linux`) and bench_smp.py ask for it. Always true: nothing is installed; everything lies below the
output directory, and a second run fetches nothing.
"""

import glob
import os
import subprocess

import project

METAPACKAGE = "linux-image-amd64"
TIMEOUT_S = 600
SOURCE = "bench/linux"


class LinuxError(Exception):
    """What is missing, in one sentence."""


def run(command, what, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise LinuxError(f"{what}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def kernel_fetch(directory):
    """The path of the kernel's image and the package's name with its version."""
    found = glob.glob(f"{directory}/kernel/boot/vmlinuz-*")
    if not found:
        os.makedirs(directory, exist_ok=True)
        depends = run(["apt-cache", "depends", METAPACKAGE], "apt knows no kernel package")
        names = [line.split()[-1] for line in depends.splitlines() if "Depends:" in line]
        if not names:
            raise LinuxError(f"apt does not say which kernel {METAPACKAGE} stands for; try apt-get update")
        print(f"fetching {names[0]}, about 70 MB, once", flush=True)
        run(["apt-get", "download", "-q", names[0]], "the kernel could not be fetched", cwd=directory)
        package = glob.glob(f"{directory}/{names[0]}_*.deb")[0]
        run(["dpkg-deb", "-x", package, f"{directory}/kernel"], "the kernel could not be unpacked")
        found = glob.glob(f"{directory}/kernel/boot/vmlinuz-*")
    packages = glob.glob(f"{directory}/linux-image-*.deb")
    version = os.path.basename(packages[0]).rsplit("_", 1)[0] if packages else os.path.basename(found[0])
    return found[0], version.replace("_", " ")


def entry(name, mode, data=b"", device=(0, 0), inode=1):
    """One file of a cpio archive in the new ASCII format."""
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def initramfs(path, programs):
    """An archive with these programs (name: file) and a console for the first."""
    files = []
    for inode, (name, program) in enumerate(programs.items(), 3):
        with open(program, "rb") as file:
            files.append(entry(name, 0o100755, file.read(), inode=inode))
    with open(path, "wb") as archive:
        archive.write(entry("dev", 0o040755, inode=1))
        archive.write(entry("dev/console", 0o020600, device=(5, 1), inode=2))
        archive.write(b"".join(files) + entry("TRAILER!!!", 0))
    return path


def boot():
    """What the counterparts of `./capos bench` printed, and on which kernel."""
    directory = os.path.join(project.OUTPUT, "linux")
    kernel, version = kernel_fetch(directory)
    build = ["clang", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-pthread"]
    programs = {"init": f"{directory}/init", "nothing": f"{directory}/nothing"}
    run([*build, f"{SOURCE}/counterparts.c", "-o", programs["init"]], "bench/linux does not build")
    run(
        [*build, "-nostdlib", f"{SOURCE}/nothing.S", "-o", programs["nothing"]],
        "bench/linux does not build",
    )
    archive = initramfs(f"{directory}/initramfs", programs)
    return boot_programs(kernel, archive, "BENCH process_cycle", icount=True), version


def boot_programs(kernel, archive, last, icount=False, processors=1, arguments=""):
    """What the first process printed, up to a line that has `last` in it."""
    tcg = "tcg" if processors == 1 else "tcg,thread=multi"
    command = ["qemu-system-x86_64", "-machine", "q35", "-m", "512", "-smp", str(processors)]
    command += ["-accel", tcg, "-cpu", "max", "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"]
    command += ["-device", "isa-debug-exit,iobase=0x501,iosize=2"]
    command += ["-icount", "shift=0,sleep=off"] if icount else []
    append = f"console=ttyS0 quiet panic=-1 -- {arguments}".removesuffix(" -- ")
    command += ["-kernel", kernel, "-initrd", archive, "-append", append]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LinuxError(f"Linux did not end within {TIMEOUT_S} s") from error
    output = done.stdout.decode("utf-8", "replace").replace("\r", "")
    if "FAILED" in output or last not in output:
        raise LinuxError(f"Linux did not measure everything:\n{output[-600:]}")
    return output
