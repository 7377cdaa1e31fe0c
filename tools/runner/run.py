#!/usr/bin/python3
"""`./capos run`: boots capOS on this terminal, types a script at its shell, or shows its log.

Called by ./capos, which has built everything. guest.py knows QEMU. Always true: the host terminal
is as it was before, whatever way QEMU ended.
"""

import argparse
import os
import signal
import subprocess
import sys
import termios
import time

from guest import EXIT_PANIC, Guest, GuestEnded, GuestError, exit_meaning, qemu_command

LINE_TIMEOUT_S = 60
BOOT_TIMEOUT_S = 60
LOG_INTERVAL_S = 0.05


def main():
    arguments = sys.argv[1:]
    extra = []
    if "--" in arguments:
        split = arguments.index("--")
        arguments, extra = arguments[:split], arguments[split + 1 :]
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--package", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--script")
    parser.add_argument("--show-log", action="store_true")
    parser.add_argument("--kvm", action="store_true")
    parser.add_argument("--smp", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        return run(options, extra)
    except GuestError as error:
        print(f"\ncapos: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read the transcript has seen enough; nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def run(options, extra):
    if options.script:
        return run_script(options, extra)
    return run_log(options, extra) if options.show_log else run_terminal(options, extra)


def command_for(options, serial, extra, reboot=False):
    """What starts the system that was asked for, with this second serial line."""
    return qemu_command(
        options.log,
        ["-serial", serial],
        kernel=options.kernel,
        package=options.package,
        kvm=options.kvm,
        processors=options.smp,
        reboot=reboot,
        extra=extra,
    )


def run_terminal(options, extra):
    """The person's own terminal is the guest's; Ctrl-A x ends QEMU."""
    command = command_for(options, "mon:stdio", extra, reboot=True)
    print(f"Kernel log: {options.log}. To leave: poweroff in the shell, or Ctrl-A x.", flush=True)
    saved = termios.tcgetattr(0)
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())
    try:
        code = process.wait()
    finally:
        termios.tcsetattr(0, termios.TCSANOW, saved)
    return report_end(code, options.log)


def run_log(options, extra):
    """A system without a shell says all that it says in the kernel log; Ctrl-C ends it."""
    command = command_for(options, "null", extra)
    print(f"This system has no shell; its log, {options.log}. To leave: Ctrl-C.", flush=True)
    open(options.log, "wb").close()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        with open(options.log, encoding="utf-8", errors="replace", newline="\n") as log:
            while True:
                ended = process.poll() is not None
                sys.stdout.write(log.read().replace("\r", ""))
                sys.stdout.flush()
                if ended:
                    return report_end(process.returncode, options.log)
                time.sleep(LOG_INTERVAL_S)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        process.kill()
        process.wait()


def report_end(code, log):
    """The exit status for the caller; says what happened unless the end was an ordinary one."""
    status, words = exit_meaning(code)
    if status != 0:
        print(f"\ncapos: {words}; the kernel log is {log}", file=sys.stderr)
    if code == EXIT_PANIC:
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        print(text[max(text.rfind("PANIC"), 0) :].rstrip(), file=sys.stderr)
    return status


def script_lines(path):
    """The lines to type; blank lines and lines that begin with # are not typed."""
    file = sys.stdin if path == "-" else open(path, encoding="utf-8")
    with file:
        lines = [line.strip() for line in file]
    return [line for line in lines if line and not line.startswith("#")]


class Transcript:
    """Prints the guest's terminal as a person would see it, line by line."""

    def __init__(self, guest):
        self.guest = guest
        self.printed = 0

    def show(self):
        for line in self.guest.screen.lines_from(self.printed):
            print(line)
        self.printed = max(self.printed, self.guest.screen.row)
        sys.stdout.flush()


def run_script(options, extra):
    lines = script_lines(options.script)
    machine = {"log": options.log, "kvm": options.kvm, "processors": options.smp, "extra": extra}
    with Guest(options.kernel, options.package, **machine) as guest:
        failures, ended = type_script(guest, lines)
        guest.wait()
        status = report_end(guest.process.returncode, options.log)
        if status:
            guest.allow_fault("PANIC")
            print(guest.qemu_says(), end="", file=sys.stderr)
    if ended and not status:
        print("capos: the guest powered off before the script was typed", file=sys.stderr)
    if failures:
        count = f"{len(failures)} of {len(lines)} commands failed"
        print(f"capos: {count}, first: {failures[0]}", file=sys.stderr)
    return status or (1 if failures or ended else 0)


def type_script(guest, lines):
    """Types the lines, then poweroff; returns the lines that failed, and whether any were left."""
    transcript = Transcript(guest)
    failures = []
    typed = 0
    try:
        guest.prompt(BOOT_TIMEOUT_S)
        for line in [*lines, "poweroff"]:
            transcript.show()
            typed += 1
            if line.split("(")[0].split()[0] in ("poweroff", "system.powerOff"):
                guest.send_line(line)
                guest.wait()
                break
            if not guest.shell(line, LINE_TIMEOUT_S).ok:
                failures.append(line)
    except GuestEnded:
        pass
    finally:
        transcript.show()
        if guest.screen.line:
            print(guest.screen.line, flush=True)
    return failures, typed < len(lines)


if __name__ == "__main__":
    sys.exit(main())
