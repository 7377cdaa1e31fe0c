"""What the runner asks the Makefile: where things are, and what was declared to be tested."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTPUT = os.environ.get("O", "build")
HOST = os.path.join(OUTPUT, "host")


def built(config, name):
    """A product of the build, such as built("debug", "capos.elf")."""
    return os.path.join(OUTPUT, config, name)


def make(*targets, config=None, quiet=True):
    """Builds targets; returns whether that worked. Compiler output goes to this terminal."""
    command = ["make", "--no-print-directory", "-j2"]
    command += ["-s"] if quiet else []
    command += [f"CONFIG={config}"] if config else []
    return subprocess.run([*command, *targets], cwd=ROOT).returncode == 0


def make_variables(*names):
    """The words of Makefile variables, as a dictionary of lists."""
    command = ["make", "--no-print-directory", "-s", *(f"print-{name}" for name in names)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pairs = (line.partition("=") for line in output.splitlines() if "=" in line)
    return {name: value.split() for name, _, value in pairs}
