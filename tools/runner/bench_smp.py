#!/usr/bin/python3
"""`./capos bench smp [--json]`: what two processors bring, beside Linux with the same work under the same QEMU.

An attempt is: the work on the host by one thread and by two, capOS, Linux, the host again. Times under emulation say
something only while the host has two processors for it, so an attempt counts if the host was at least HOST_SPEEDUP_MIN
times as fast with two threads, before and after. Rows are medians over COUNTED attempts that count; with fewer there is no
figure, and the row says so. bench/README.md says what each row is. Always true: no figure comes from an attempt that
does not count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import linux
import project
from bench import BENCH_LINE
from guest import Guest, GuestError

PROCESSORS = 2
COUNTED = 5
ATTEMPTS_MAX = 15
HOST_SPEEDUP_MIN = 1.85
HOST_PAUSE_S = 2
CAPOS_TIMEOUT_S = 120

# id, what it is, what is made of both systems' figures, what is aimed at.
ROWS = [
    ("threads_work", "two threads over one, the work", "speedup", 0.985),
    ("threads_total", "two threads over one, from creating to joining", "speedup", 0.985),
    ("processes_total", "two processes over one, from starting to their end", "speedup", 0.985),
    ("call_pairs", "two pairs of processes that call each other, over one pair", "own_speedup", 1.9),
    ("wake_p50", "how late a sleeper wakes: half of 200 are below", "latency", None),
    ("wake_p99", "the same, 99 of 100", "latency", None),
    ("wake_max", "the same, all", "latency", None),
]


def read_lines(output):
    """id -> median."""
    return {name: int(median) for name, _, median, _ in BENCH_LINE.findall(output)}


def speedup(row, figures):
    """How many times as fast two are as one; None if it was not measured. Times fall, rates rise."""
    one, two = figures.get(f"{row}_1"), figures.get(f"{row}_2")
    if not one or not two:
        return None
    return two / one if row == "call_pairs" else one / two


def row_figures(row, kind, ours, theirs):
    """(value, our figure, Linux's) of one attempt; None where something was not measured."""
    if kind == "latency":
        pair = ours.get(row), theirs.get(row)
    else:
        pair = speedup(row, ours), speedup(row, theirs)
    if pair[0] is None or (pair[1] is None and kind != "own_speedup"):
        return None
    return (pair[0] if kind == "own_speedup" else pair[0] / pair[1], *pair)


def summarise(attempts):
    """Rows, from attempts (counts, ours, theirs)."""
    rows = []
    for row, what, kind, target in ROWS:
        seen = [row_figures(row, kind, ours, theirs) for _, ours, theirs in attempts]
        if attempts and all(figures is None for figures in seen):
            continue
        good = [f for (counts, _, _), f in zip(attempts, seen) if counts and f is not None]
        summary = {"id": row, "what": what, "unit": "ratio", "target": target, "counted": len(good)}
        if len(good) >= COUNTED:
            middle = [statistics.median(f[i] for f in good if f[i] is not None) for i in range(2)]
            theirs = [f[2] for f in good if f[2] is not None]
            summary |= {"value": round(middle[0], 3), "min": round(min(f[0] for f in good), 3)}
            summary |= {"ours": round(middle[1], 3)}
            summary |= {"linux": round(statistics.median(theirs), 3) if theirs else None}
        else:
            summary |= {"value": None, "unmeasurable": True}
        rows.append(summary)
    return rows


# --- Measuring ------------------------------------------------------------------------------------


def host_speedup():
    program = os.path.join(project.HOST, "bench/smp-native")
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=True)
    return float(done.stdout)


def capos_figures(arguments=""):
    kernel = project.built("release", "capos.elf")
    package = project.built("release", "boot-bench-smp.cpio")
    with Guest(kernel, package, arguments, processors=PROCESSORS) as guest:
        status, words = guest.wait(CAPOS_TIMEOUT_S)
        if status != 0:
            guest.give_up(f"the benchmark {words}", True, 0)
        return read_lines(guest.log())


def linux_figures(kernel, archive):
    return read_lines(linux.boot_programs(kernel, archive, "BENCH wake_max", processors=PROCESSORS))


def linux_prepare():
    """Kernel, archive, version."""
    directory = os.path.join(project.OUTPUT, "linux")
    kernel, version = linux.kernel_fetch(directory)
    programs = {"init": os.path.join(project.HOST, "bench/smp-linux")}
    return kernel, linux.initramfs(f"{directory}/initramfs-smp", programs), version


def attempt(kernel, archive):
    """(whether it counts, ours, theirs); nothing is booted on a host that is busy already."""
    before = host_speedup()
    if before < HOST_SPEEDUP_MIN:
        time.sleep(HOST_PAUSE_S)
        return before, None, None, None
    ours, theirs = capos_figures(), linux_figures(kernel, archive)
    return before, host_speedup(), ours, theirs


def measure(kernel, archive):
    """Attempts until enough count, or too many have been made."""
    attempts = []
    for number in range(1, ATTEMPTS_MAX + 1):
        before, after, ours, theirs = attempt(kernel, archive)
        counts = after is not None and after >= HOST_SPEEDUP_MIN
        shown = f"{before:.2f}" + (f", {after:.2f}" if after is not None else "")
        print(f"attempt {number}: the host {shown}{'' if counts else ', does not count'}", file=sys.stderr)
        if ours is not None:
            attempts.append((counts, ours, theirs))
        if sum(1 for counts, _, _ in attempts if counts) == COUNTED:
            break
    return attempts


def print_table(rows, version):
    print(f"{'two processors':62} {'capOS':>9} {'Linux':>9} {'value':>8} {'target':>8}  {version}")
    for row in rows:
        target = "" if row["target"] is None else f">= {row['target']}"
        if row["value"] is None:
            print(f"{row['what']:62} unmeasurable: {row['counted']} of {COUNTED} attempts count {target:>8}")
        else:
            print(f"{row['what']:62} {row['ours']:9} {row['linux'] or '-':>9} {row['value']:8} {target:>8}")


def main():
    parser = argparse.ArgumentParser(prog="./capos bench smp")
    parser.add_argument("--json", action="store_true", help="one object a row")
    options = parser.parse_args()
    os.chdir(project.ROOT)
    try:
        kernel, archive, version = linux_prepare()
        rows = summarise(measure(kernel, archive))
    except (GuestError, linux.LinuxError) as error:
        print(f"capos: {error}", file=sys.stderr)
        return 1
    missing = {row[0] for row in ROWS} - {row["id"] for row in rows}
    for row in sorted(missing):
        print(f"capos: {row} is not measured yet", file=sys.stderr)
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table(rows, version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
