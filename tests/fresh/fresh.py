#!/usr/bin/python3
"""`./capos test fresh`: an empty Debian 12, a clone, the two commands of the README.

Started by ./capos, as root. Makes a minimal Debian with debootstrap from the mirror that this machine's own
apt uses, clones this repository's HEAD into it, and types the commands there as a person would:
`./capos run` up to the shell and out again, once more to see that nothing is built twice, then
`./capos test`. Always true: everything is mounted in a mount namespace of the child, so nothing
stays mounted, whatever happens, and the directory is removed by the parent, who never saw a mount.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pexpect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASE = "bookworm"
CLONE = "/root/capos"
COMMANDS = ["./capos run", "./capos test"]
INSTALL_TIMEOUT_S = 1800
AGAIN_SECONDS = 3
TEST_TIMEOUT_S = 3600


def say(text):
    print(f"fresh: {text}", flush=True)


# --- The mirror ------------------------------------------------------------------------------------


def source_entries():
    """(uri, suite, components) of each binary source that this machine's apt uses."""
    for path in ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list")]:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                yield from one_line_entries(file.read())
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path, encoding="utf-8") as file:
            yield from deb822_entries(file.read())


def one_line_entries(text):
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
        if match:
            yield match.group(1), match.group(2), match.group(3).split()


def deb822_entries(text):
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        if "deb" in fields.get("Types", "").split():
            for uri in fields.get("URIs", "").split():
                for suite in fields.get("Suites", "").split():
                    yield uri, suite, fields.get("Components", "").split()


def release_entries():
    return [
        entry for entry in source_entries() if entry[1].startswith(RELEASE) and "main" in entry[2]
    ]


# --- The empty machine -----------------------------------------------------------------------------


def make_debian(directory):
    entries = release_entries()
    mirrors = [uri for uri, suite, _ in entries if suite == RELEASE]
    if not mirrors:
        sys.exit(f"fresh: this machine's apt has no source for {RELEASE}; add one and try again")
    say("making an empty Debian 12 (debootstrap, minbase)")
    command = ["debootstrap", "--variant=minbase", RELEASE, directory, mirrors[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"fresh: debootstrap failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    with open(os.path.join(directory, "etc/apt/sources.list"), "w", encoding="utf-8") as file:
        file.writelines(f"deb {uri} {suite} main\n" for uri, suite, _ in entries)
    proxies = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    with open(os.path.join(directory, "etc/apt/apt.conf.d/90proxy"), "w", encoding="utf-8") as file:
        file.writelines(
            line + "\n" for line in proxies.splitlines() if re.match(r"Acquire::\w+::Proxy", line)
        )
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", os.path.join(directory, "etc", name))


def mount_all(directory):
    for kind, place, options in (
        ("proc", "proc", "defaults"),
        ("devpts", "dev/pts", "newinstance,ptmxmode=0666"),
        ("tmpfs", "dev/shm", "mode=1777"),
    ):
        target = os.path.join(directory, place)
        os.makedirs(target, exist_ok=True)
        subprocess.run(["mount", "-t", kind, "-o", options, kind, target], check=True)


def clone(directory):
    command = ["git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks", ROOT]
    subprocess.run([*command, directory + CLONE], check=True)
    with open(directory + CLONE + "/README.md", encoding="utf-8") as file:
        readme = file.read()
    for command in COMMANDS:
        if command not in readme:
            sys.exit(f"fresh: README.md does not have the command {command}")


def spawn(directory, command, timeout):
    script = f"cd {CLONE} && exec {command}"
    keep = {name: os.environ[name] for name in os.environ if name.endswith("_proxy")}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "xterm", **keep}
    return pexpect.spawn(
        "chroot", [directory, "/bin/sh", "-c", script], env=environment, timeout=timeout, encoding="utf-8"
    )


def run_to_the_shell(directory, timeout):
    """Types what a person types; returns the seconds to the prompt."""
    started = time.monotonic()
    child = spawn(directory, COMMANDS[0], timeout)
    child.logfile_read = sys.stdout
    child.expect_exact("capos> ")
    seconds = time.monotonic() - started
    child.send("poweroff\r")
    child.expect(pexpect.EOF, timeout=30)
    child.close()
    if child.exitstatus != 0:
        sys.exit(f"\nfresh: {COMMANDS[0]} ended with status {child.exitstatus}")
    return seconds


def inside(directory):
    """The child, in its own mount namespace."""
    make_debian(directory)
    mount_all(directory)
    clone(directory)
    say(f"{COMMANDS[0]}, the first time")
    seconds = run_to_the_shell(directory, INSTALL_TIMEOUT_S)
    say(f"the prompt came after {seconds:.0f} s; again")
    seconds = run_to_the_shell(directory, 60)
    say(f"the second prompt came after {seconds:.1f} s")
    if seconds > AGAIN_SECONDS:
        sys.exit(f"fresh: more than {AGAIN_SECONDS} s")
    say(COMMANDS[1])
    child = spawn(directory, COMMANDS[1], TEST_TIMEOUT_S)
    child.logfile_read = sys.stdout
    child.expect(pexpect.EOF)
    child.close()
    say("passed" if child.exitstatus == 0 else f"{COMMANDS[1]} ended with status {child.exitstatus}")
    return child.exitstatus


def main():
    if len(sys.argv) > 1:
        return inside(sys.argv[1])
    directory = tempfile.mkdtemp(prefix="capos-fresh-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        os.chmod(directory, 0o755)
        command = ["unshare", "--mount", "--propagation", "private", sys.executable]
        return subprocess.run([*command, os.path.abspath(__file__), directory]).returncode
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
