#!/usr/bin/python3
"""`./capos test`: builds both configurations and runs every test, two at a time.

A job is one program that runs and the results that it yields: a host test, a brief fuzz run, a
guest that prints TAP, a pytest file, a model, the style check. results.py reads what they print; guest.py
boots guests; make says which jobs exist. Always true: the last line is `N passed, N failed`, every
single test counted, and the exit status is zero only if none failed and the build worked.
"""

import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys
import tempfile
import time

import fuzz
import project
import prove
from guest import EXIT_POWER_OFF, Guest, GuestError, patience
from results import Result, failed, read_junit, read_tap

JOBS = 2
SLOWEST = 15
HOST_TIMEOUT_S = 120
GUEST_TIMEOUT_S = 120
PYTEST_TIMEOUT_S = 420
FUZZ_SECONDS = 4
LONG_MINUTES = 60
RING_FUZZ = "host/machine/bin/ring_fuzz"
RING_FUZZ_ENTRIES = "20000000"
PYTEST_FILES = ["tests/*/test_*.py", "tools/*/*_test.py"]
QUICK_PYTEST = ["tests/qemu/test_boot.py"]


class Job:
    """`run(pattern)` returns results; `matches` says whether a pattern may select any of them."""

    def __init__(self, name):
        self.name = name

    def matches(self, pattern):
        return pattern in self.name

    def run_program(self, command, timeout, **environment):
        """Its exit status and its whole output; status None when it took too long."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                env={**os.environ, **environment},
            )
            return done.returncode, done.stdout.decode("utf-8", "replace")
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode("utf-8", "replace")
            return None, f"{output}\nnot finished after {timeout} s"


class HostTest(Job):
    def __init__(self, program):
        super().__init__(f"host/{os.path.basename(program)}")
        self.program = program

    def matches(self, pattern):
        """The name of the program, or of one of the tests inside: their names are its strings."""
        if super().matches(pattern):
            return True
        with open(self.program, "rb") as file:
            return pattern.encode() in file.read()

    def run(self, pattern):
        status, output = self.run_program(
            [self.program], HOST_TIMEOUT_S, CMOCKA_MESSAGE_OUTPUT="TAP"
        )
        results = read_tap(output, self.name)
        if status != 0 and not any(result.outcome == "failed" for result in results):
            results.append(failed(f"{self.name} end", f"ended with status {status}\n{output[-3000:]}"))
        return results


class FuzzTest(Job):
    """A brief search from the kept corpus; its one result carries the line coverage."""

    def __init__(self, target):
        super().__init__(f"fuzz/{target.name}")
        self.target = target

    def run(self, pattern):
        status, output = self.run_program(
            fuzz.command(self.target, FUZZ_SECONDS), FUZZ_SECONDS + 60
        )
        if status != 0:
            return [failed(self.name, f"ended with status {status}\n{output[-3000:]}")]
        return [Result(self.name, "passed", detail=fuzz.coverage(self.target))]


class GuestTest(Job):
    """Boots what GUEST_TESTS declares as name:manifest:append and reads TAP from the kernel log."""

    def __init__(self, declaration, processors):
        name, manifest, append = (declaration.split(":") + ["", ""])[:3]
        super().__init__(f"guest/{name}" + (f"-smp{processors}" if processors > 1 else ""))
        self.manifest = manifest
        self.append = append
        self.processors = processors

    def run(self, pattern):
        package = project.built("debug", f"boot-{self.manifest}.cpio") if self.manifest else None
        kernel = project.built("debug", "capos.elf")
        guest = Guest(kernel, package, self.append, processors=self.processors)
        try:
            guest.wait(GUEST_TIMEOUT_S)
            results = read_tap(guest.tap(), self.name)
            results += self.judge_end(guest, results)
        except GuestError as error:
            results = [*read_tap(guest.tap(), self.name), failed(f"{self.name} end", str(error))]
        finally:
            guest.close()
        return results

    def judge_end(self, guest, results):
        """A guest that reports no failure must also end well, and without a kernel warning."""
        if any(result.outcome == "failed" for result in results):
            return []
        if guest.process.returncode != EXIT_POWER_OFF:
            guest.give_up(f"QEMU's exit status is {guest.process.returncode}", True, 0)
        guest.check()
        return [] if results else [failed(f"{self.name} end", "no TAP line in the kernel log")]


class Pytest(Job):
    def __init__(self, path):
        super().__init__(path.removesuffix(".py").replace("tests/", "", 1))
        self.path = path

    def matches(self, pattern):
        if super().matches(pattern):
            return True
        with open(self.path, encoding="utf-8") as file:
            return pattern in file.read()

    def run(self, pattern):
        with tempfile.NamedTemporaryFile(suffix=".xml") as report:
            command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            command += [f"--junitxml={report.name}", "-o", "junit_logging=no", self.path]
            if pattern and pattern not in self.name and pattern.isidentifier():
                command += ["-k", pattern]
            status, output = self.run_program(
                command, PYTEST_TIMEOUT_S * patience(), PYTHONDONTWRITEBYTECODE="1"
            )
            results = read_junit(report.name, self.name) if os.path.getsize(report.name) else []
        if status in (0, 5) or any(result.outcome == "failed" for result in results):
            return results
        return [*results, failed(f"{self.name} end", f"pytest ended with {status}\n{output[-3000:]}")]


class ModelTest(Job):
    """One complete search of a model; `./capos prove` also shows that mutants break it."""

    def __init__(self, name, check):
        super().__init__(name)
        self.check = check

    def run(self, pattern):
        results, _ = prove.run_check(self.name, self.check)
        return results


class StyleCheck(Job):
    def __init__(self):
        super().__init__("style")

    def run(self, pattern):
        status, output = self.run_program(["tools/style-check", "--tap"], HOST_TIMEOUT_S)
        return read_tap(output, self.name) or [failed(self.name, f"{status}\n{output}")]


def find_jobs(quick, processors, is_long=False):
    """Every job there is, in the order in which they start: the long ones first."""
    declared = project.make_variables("HOST_TEST_PROGRAMS", "GUEST_TESTS", "GUEST_SMP", "GUEST_SMP_LONG")
    host = [HostTest(program) for program in declared["HOST_TEST_PROGRAMS"]]
    files = sorted(path for pattern in PYTEST_FILES for path in glob.glob(pattern))
    besides = declared["GUEST_SMP_LONG" if is_long else "GUEST_SMP"]
    counts = [processors] if processors > 1 else [1, *map(int, besides)]
    guests = [GuestTest(test, count) for count in counts for test in declared["GUEST_TESTS"]]
    if quick:
        kernel_only = [guest for guest in guests if not guest.manifest and guest.processors == counts[0]]
        return [Pytest(path) for path in files if path in QUICK_PYTEST] + kernel_only + host
    fuzzers = [FuzzTest(target) for target in fuzz.targets()]
    models = [ModelTest(*check) for check in prove.model_checks()]
    return [Pytest(path) for path in files] + guests + models + fuzzers + host + [StyleCheck()]


def build(quick):
    """Builds all that the jobs need; returns whether that worked."""
    started = time.monotonic()
    steps = [("debug", ["boot-default", "host-tests"])]
    if not quick:
        steps = [("debug", ["all", "host-tests", "fuzz-targets"]), ("release", ["all", "image", "sdk"])]
        steps += [("lines", ["kernel"])]
    for config, targets in steps:
        is_first = not os.path.isdir(os.path.join(project.OUTPUT, config))
        print(f"building {config}{', a few minutes this first time' if is_first else ''}", flush=True)
        if not project.make(*targets, config=config):
            return False
    print(f"built in {time.monotonic() - started:.0f} s", flush=True)
    return True


class Report:
    """Collects results, prints each job as it ends, and the sum."""

    def __init__(self, pattern):
        self.pattern = pattern
        self.results = []
        self.durations = []

    def add(self, job, results, seconds):
        if self.pattern and not job.name.count(self.pattern):
            results = [result for result in results if self.pattern in result.name]
            if not results:
                return
        self.results += results
        self.durations.append((seconds, job.name))
        self.durations += [(result.seconds, result.name) for result in results if result.seconds]
        bad = [result for result in results if result.outcome == "failed"]
        word = "FAIL" if bad else "ok"
        print(f"{word:4} {job.name}: {len(results)} tests, {seconds:.1f} s{self.remark(results)}")
        for result in bad:
            print(f"  failed: {result.name}")
            for line in result.detail.splitlines():
                print(f"    {line}")
        sys.stdout.flush()

    def remark(self, results):
        remarks = [result.detail for result in results if result.outcome == "passed" and result.detail]
        return f", {remarks[0]}" if remarks else ""

    def count(self, outcome):
        return sum(1 for result in self.results if result.outcome == outcome)

    def finish(self):
        """Prints the sum; returns the exit status."""
        for result in self.results:
            if result.outcome == "skipped":
                print(f"skipped: {result.name}: {result.detail}")
        if not self.results:
            print("no test has this name" if self.pattern else "there are no tests yet")
        print(f"the slowest {SLOWEST}:")
        for seconds, name in sorted(self.durations, reverse=True)[:SLOWEST]:
            print(f"  {seconds:7.2f} s  {name}")
        print(f"{self.count('passed')} passed, {self.count('failed')} failed")
        return 1 if self.count("failed") or (self.pattern and not self.results) else 0


def timed(job, pattern):
    started = time.monotonic()
    try:
        results = job.run(pattern)
    except Exception as error:  # a broken job is a failed test, and the others still run
        results = [failed(f"{job.name} run", repr(error))]
    return results, time.monotonic() - started


def run_jobs(jobs, report):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        running = {pool.submit(timed, job, report.pattern): job for job in jobs}
        for done in concurrent.futures.as_completed(running):
            report.add(running[done], *done.result())


def main():
    parser = argparse.ArgumentParser(prog="./capos test")
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--long", action="store_true", help="then fuzz for the rest of the time")
    parser.add_argument("--minutes", type=float, default=LONG_MINUTES)
    parser.add_argument("--smp", type=int, default=1, help="processors of every guest")
    options = parser.parse_args()
    if options.long:
        os.environ["CAPOS_STRESS_SECONDS"] = "300"
    os.chdir(project.ROOT)
    started = time.monotonic()
    quick = options.pattern == "quick"
    pattern = "" if quick else options.pattern
    if not build(quick):
        print("the build failed; the error is above\n0 passed, 1 failed")
        return 1
    os.environ["CAPOS_PROCESSORS"] = str(options.smp)
    jobs = [job for job in find_jobs(quick, options.smp, options.long) if not pattern or job.matches(pattern)]
    report = Report(pattern)
    run_jobs(jobs, report)
    if options.long:
        left = options.minutes * 60 - (time.monotonic() - started)
        fuzz_long(report, left)
    return report.finish()


def fuzz_rings(report, seconds):
    """The ring fuzzer from one drawn seed after the other."""
    program = os.path.join(project.OUTPUT, RING_FUZZ)
    until = time.monotonic() + seconds
    outcome = "passed"
    print(f"fuzzing rings for {seconds} s", flush=True)
    while outcome == "passed" and time.monotonic() < until:
        seed = str(int.from_bytes(os.urandom(4), "little"))
        if subprocess.run([program, RING_FUZZ_ENTRIES, seed]).returncode != 0:
            outcome = "failed"
    report.results.append(Result("long/ring_fuzz", outcome))


def fuzz_long(report, seconds):
    """Every fuzz target, and the rings, for an equal share of the time that is left."""
    targets = fuzz.targets()
    share = int(seconds / (len(targets) + 1))
    if share <= 0:
        print("no time is left for fuzzing; give more --minutes")
        return
    fuzz_rings(report, share)
    for target in targets:
        print(f"fuzzing {target.name} for {share} s", flush=True)
        outcome = "passed" if fuzz.search(target, share) == 0 else "failed"
        report.results.append(Result(f"long/{target.name}", outcome))


if __name__ == "__main__":
    sys.exit(main())
