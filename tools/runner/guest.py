"""A running capOS: the QEMU command line, the person's terminal, the kernel log, the end.

The only place that knows how QEMU is started and what its exit status means. run.py (a person's
terminal and scripts), bench.py and the pytest fixtures in tests/qemu/conftest.py use it. Always
true: every wait has a deadline; a Guest kills its own QEMU, by process id, when it is closed; a line
of the kernel log that begins with PANIC or WARNING makes check() fail.

What the guest promises, and this file relies on:
  first serial line    the kernel log
  second serial line   the terminal, 80 columns; the shell's prompt is "capos> " after a command that succeeded
                       and "capos! " after one that failed
  power off            the value 0x10 + status goes to the isa-debug-exit port, a panic writes 0x0e
"""

import os
import re
import select
import socket
import subprocess
import tempfile
import time

from screen import Screen

COLUMNS = 80
PROMPT_OK = "capos> "
PROMPT_FAILED = "capos! "
FAULT = re.compile(r"^(?:\[[^\]]*\]\s*)?(PANIC|WARNING)\b.*$", re.MULTILINE)
KERNEL_FIRST_LINE = "capos: capOS "
TAP = re.compile(r"\bTAP ((?:not )?ok\b.*|1\.\.\d+.*|#.*)$", re.MULTILINE)
CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[^\[\]])|\r|\x07")

# A host runs about this many processors at once; a guest that has more is given more time for everything.
PROCESSORS_AT_ONCE = 2

# isa-debug-exit turns a written value v into QEMU's exit status 2v + 1.
EXIT_PANIC = 2 * 0x0E + 1
EXIT_POWER_OFF = 2 * 0x10 + 1


class GuestError(AssertionError):
    """The guest did not do what was waited for; the message ends with what it did say."""


class GuestEnded(GuestError):
    """The same, and the guest will not do it any more: it has ended."""


def qemu_command(
    log,
    terminal,
    kernel=None,
    package=None,
    append="",
    icount=False,
    kvm=False,
    processors=None,
    memory_mib=512,
    reboot=False,
    extra=(),
):
    """The argument list. `terminal` is the list of arguments for the second serial line."""
    processors = 1 if icount else processors or default_processors()
    command = ["qemu-system-x86_64", "-machine", "q35", "-m", str(memory_mib)]
    command += ["-smp", str(processors)]
    tcg = "tcg" if processors == 1 else "tcg,thread=multi"
    command += ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", tcg, "-cpu", "max"]
    command += ["-display", "none", "-nodefaults"] + ([] if reboot else ["-no-reboot"])
    command += ["-serial", f"file:{log}", *terminal]
    command += ["-device", "isa-debug-exit,iobase=0x501,iosize=2"]
    if icount:
        command += ["-icount", "shift=0,sleep=off"]
    if kernel:
        command += ["-kernel", kernel]
    if package:
        command += ["-initrd", package]
    if append:
        command += ["-append", append]
    return command + list(extra)


def default_processors():
    """How many processors a guest has whose starter does not say; `./capos test --smp N` sets it."""
    return int(os.environ.get("CAPOS_PROCESSORS", "1"))


def patience(processors=None):
    """How many times as long as a guest with one processor one with so many may take."""
    return max(1, (processors or default_processors()) // PROCESSORS_AT_ONCE)


def exit_meaning(code):
    """QEMU's exit status as (status, words): what the guest's end means for whoever started it."""
    if code == EXIT_PANIC:
        return 1, "kernel panic"
    if code >= EXIT_POWER_OFF and code % 2 == 1:
        status = (code - EXIT_POWER_OFF) // 2
        return status, f"powered off with status {status}"
    if code == 0:
        return 0, "QEMU ended"
    if code < 0:
        return 128 - code, f"QEMU was ended by signal {-code}"
    return code, f"QEMU failed with status {code}"


class Answer:
    """What the shell said to one line: `ok`, `lines`, and `text`, the same joined."""

    def __init__(self, ok, lines):
        self.ok = ok
        self.lines = lines
        self.text = "\n".join(lines)

    def __repr__(self):
        return f"Answer(ok={self.ok}, text={self.text!r})"


class Guest:
    """One QEMU. Use as a context manager, or close() it."""

    def __init__(self, kernel=None, package=None, append="", log=None, **machine):
        self.directory = tempfile.TemporaryDirectory(prefix="capos-guest-")
        self.log_path = log or os.path.join(self.directory.name, "kernel.log")
        self.screen = Screen()
        self.output = ""
        self.seen = 0
        self.raw = b""
        self.allowed_faults = []
        self.patience = patience(machine.get("processors"))
        ours, theirs = socket.socketpair()
        terminal = ["-chardev", f"socket,id=terminal,fd={theirs.fileno()}"]
        terminal += ["-serial", "chardev:terminal"]
        self.command = qemu_command(
            self.log_path, terminal, kernel=kernel, package=package, append=append, **machine
        )
        self.started = time.monotonic()
        self.errors = open(os.path.join(self.directory.name, "stderr"), "w+b")
        self.process = subprocess.Popen(
            self.command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self.errors,
            stderr=self.errors,
        )
        theirs.close()
        self.terminal = ours

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.check()
        finally:
            self.close()

    # --- The kernel log ------------------------------------------------------------------------

    def log(self):
        try:
            with open(self.log_path, "rb") as file:
                return file.read().decode("utf-8", "replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def expect_log(self, pattern, timeout=10):
        """Waits until the kernel log matches; returns the match."""
        deadline = time.monotonic() + timeout * self.patience
        while True:
            ended = self.process.poll() is not None
            match = re.search(pattern, self.log(), re.MULTILINE)
            if match:
                return match
            if ended or time.monotonic() > deadline:
                self.give_up(f"the kernel log did not show {pattern!r}", ended, timeout)
            self.read_terminal(0.01)

    def tap(self):
        """The TAP lines of the kernel log, as text for results.read_tap()."""
        return "\n".join(match.group(1) for match in TAP.finditer(self.log()))

    def allow_fault(self, pattern):
        """A PANIC or WARNING line that matches is expected and does not fail check()."""
        self.allowed_faults.append(re.compile(pattern))

    def check(self):
        """Fails when the kernel log has a PANIC or WARNING line that was not allowed.

        What firmware and boot loader print before the kernel's first line is theirs.
        """
        log = self.log()
        for match in FAULT.finditer(log, max(log.find(KERNEL_FIRST_LINE), 0)):
            line = match.group(0)
            if not any(allowed.search(line) for allowed in self.allowed_faults):
                self.give_up(f"the kernel log has: {line}", True, 0)

    # --- The terminal --------------------------------------------------------------------------

    def read_terminal(self, timeout):
        """Takes what the guest has written, waiting at most `timeout` seconds; False at its end."""
        readable, _, _ = select.select([self.terminal], [], [], timeout)
        if not readable:
            return True
        try:
            data = self.terminal.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            return False
        self.raw += data
        self.screen.feed(data)
        self.output = CONTROL.sub("", self.raw.decode("utf-8", "replace"))
        return True

    def wait_terminal(self, condition, what, timeout):
        """Reads until condition() is true and returns what it returned."""
        deadline = time.monotonic() + timeout * self.patience
        open_ = True
        while True:
            found = condition()
            if found:
                return found
            if not open_ or time.monotonic() > deadline:
                self.give_up(f"the terminal did not show {what}", not open_, timeout)
            open_ = self.read_terminal(max(0, min(1, deadline - time.monotonic())))

    def expect(self, pattern, timeout=10):
        """Waits for new terminal output to match; what was matched is not matched again."""

        def found():
            match = re.compile(pattern, re.MULTILINE).search(self.output, self.seen)
            if match:
                self.seen = match.end()
            return match

        return self.wait_terminal(found, repr(pattern), timeout)

    def send(self, text):
        """Types. A control character is its byte: send("\\x03") is Ctrl-C."""
        try:
            self.terminal.sendall(text.encode())
        except (BrokenPipeError, ConnectionResetError):
            self.give_up(f"nobody was there to read {text!r}", True, 0)

    def send_line(self, text):
        self.send(text + "\r")

    def prompt_shown(self):
        """Whether the shell waits for a line: the prompt alone, cursor behind it."""
        screen = self.screen
        if screen.line.ljust(len(PROMPT_OK)) not in (PROMPT_OK, PROMPT_FAILED):
            return False
        return screen.column == len(PROMPT_OK)

    def prompt(self, timeout=10):
        """Waits for the shell to ask for a line."""
        self.wait_terminal(self.prompt_shown, "the shell's prompt", timeout)
        self.seen = len(self.output)

    def shell(self, line, timeout=30):
        """Types a line at the prompt, waits for the next prompt, and returns the Answer."""
        typed_rows = max(1, -(-(len(PROMPT_OK) + len(line)) // COLUMNS))
        answer_row = self.screen.row + typed_rows
        self.send_line(line)

        def answered():
            return self.screen.row >= answer_row and self.prompt_shown()

        self.wait_terminal(answered, f"a prompt after {line!r}", timeout)
        self.seen = len(self.output)
        ok = self.screen.line.ljust(len(PROMPT_OK)) == PROMPT_OK
        return Answer(ok, self.screen.lines_from(answer_row))

    # --- The end -------------------------------------------------------------------------------

    def wait(self, timeout=20):
        """Waits for the guest to end; returns (status, words) as exit_meaning() gives them."""
        deadline = time.monotonic() + timeout * self.patience
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.give_up("the guest did not end", False, timeout)
            if not self.read_terminal(0.05):
                try:
                    self.process.wait(max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    pass
        while self.read_terminal(0) and select.select([self.terminal], [], [], 0)[0]:
            pass
        return exit_meaning(self.process.returncode)

    def qemu_says(self):
        """What QEMU itself had to say, as it wrote it; empty where all went well."""
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def give_up(self, why, ended, timeout):
        if ended:
            why += ", and the guest has ended"
        elif timeout:
            why += f" within {timeout * self.patience} s"
        errors = self.qemu_says().strip()
        message = [why, "terminal, its end:", self.output[-1500:], "kernel log, its end:"]
        message.append(self.log()[-2500:])
        if errors:
            message += ["QEMU says:", errors]
        raise (GuestEnded if ended else GuestError)("\n".join(message))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.terminal.close()
        self.errors.close()
        self.directory.cleanup()
