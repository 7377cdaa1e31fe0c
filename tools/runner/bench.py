#!/usr/bin/python3
"""`./capos bench [--json] [--vs linux]`: measures the rows of bench/rows.json and prints them beside their budgets.

The guest programs of the manifest `bench` measure and print; this driver boots, checks the clock's
calibration, and adds the two rows that are measured from outside. bench/README.md says how. Always
true: no row is printed from a run whose calibration is off.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time

import linux
import project
from guest import Guest, GuestError

MEMORY_MIB = 512
BOOTS = 5
BENCH_TIMEOUT_S = 300
CALIBRATION = 200_000
CALIBRATION_SLACK = 100
BENCH_LINE = re.compile(r"\bBENCH (\w+) (\w+) (\d+) (\d+)\s*$", re.MULTILINE)


def measure_guest():
    """Rows that the guest measured: id -> (unit, median, min)."""
    kernel, package = project.built("release", "capos.elf"), project.built("release", "boot-bench.cpio")
    with Guest(kernel, package, icount=True, memory_mib=MEMORY_MIB) as guest:
        status, words = guest.wait(BENCH_TIMEOUT_S)
        log = guest.log()
        if status != 0:
            guest.give_up(f"the benchmark {words}", True, 0)
    return read_rows(log)


def read_rows(log):
    """id -> (unit, median, min), from a run whose clock counts instructions."""
    rows = {name: (unit, int(a), int(b)) for name, unit, a, b in BENCH_LINE.findall(log)}
    _, ticks, _ = rows.pop("calibration", ("", 0, 0))
    if abs(ticks - CALIBRATION) > CALIBRATION_SLACK:
        raise GuestError(f"{CALIBRATION} instructions took {ticks} ticks; no figure can be trusted")
    return rows


def measure_boots():
    """boot_wall and memory_at_prompt."""
    walls, used = [], []
    kernel = project.built("release", "capos.elf")
    for _ in range(BOOTS):
        with Guest(
            kernel, project.built("release", "boot-default.cpio"), memory_mib=MEMORY_MIB
        ) as guest:
            guest.prompt(60)
            walls.append(round((time.monotonic() - guest.started) * 1000))
            used.append(memory_used_kib(guest))
            guest.send_line("poweroff")
            guest.wait()
    return {
        "boot_wall": ("ms", round(statistics.median(walls)), min(walls)),
        "memory_at_prompt": ("KiB", round(statistics.median(used)), min(used)),
    }


def memory_used_kib(guest):
    answer = guest.shell("info.memory").text
    fields = {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", answer)}
    if not {"freePages", "pageBytes"} <= fields.keys():
        guest.give_up(f"info.memory said {answer!r}", False, 0)
    return MEMORY_MIB * 1024 - fields["freePages"] * fields["pageBytes"] // 1024


def with_figures(rows, measured):
    """The rows that were measured, each with its figures; the others are named on stderr."""
    for row in rows:
        if row["id"] in measured:
            unit, value, least = measured[row["id"]]
            if unit != row["unit"]:
                raise GuestError(f"{row['id']} is reported in {unit}, not in {row['unit']}")
            yield {**row, "value": value, "min": least}
        else:
            print(f"capos: {row['id']} is not measured yet", file=sys.stderr)


def print_table(rows):
    print(f"{'operation':52} {'median':>8} {'min':>8} {'budget':>8}  seL4, Linux")
    for row in rows:
        anchors = row["anchors"]
        others = f"{anchors.get('sel4', '-')}, {anchors.get('linux', '-')}"
        over = " over" if row["value"] > row["budget"] else ""
        what = f"{row['what']} ({row['unit']})" if row["unit"] != "instructions" else row["what"]
        print(f"{what:52} {row['value']:8} {row['min']:8} {row['budget']:8}  {others}{over}")


def print_versus(rows, theirs, version):
    """Both medians of one run; how many times as much Linux takes."""
    print(f"{'operation':52} {'capOS':>8} {'Linux':>8} {'times':>8}  {version}")
    for row in rows:
        _, value, _ = theirs.get(row["id"], ("", None, None))
        if value is not None:
            print(f"{row['what']:52} {row['value']:8} {value:8} {value / row['value']:8.1f}")
        elif row["unit"] == "instructions":
            print(f"{row['what']:52} {row['value']:8} {'-':>8}")


def main():
    parser = argparse.ArgumentParser(prog="./capos bench")
    parser.add_argument("--json", action="store_true", help="one object a row")
    parser.add_argument("--vs", choices=["linux"], help="beside the same purposes on Linux, from the same run")
    options = parser.parse_args()
    os.chdir(project.ROOT)
    with open("bench/rows.json", encoding="utf-8") as file:
        known = json.load(file)
    try:
        measured = {**measure_guest(), **({} if options.vs else measure_boots())}
        rows = list(with_figures([row for row in known if row["id"] in measured or not options.vs], measured))
        if options.vs:
            output, version = linux.boot()
            print_versus(rows, read_rows(output), version)
            return 0
    except (GuestError, linux.LinuxError) as error:
        print(f"capos: {error}", file=sys.stderr)
        return 1
    if options.json:
        keys = ("id", "unit", "value", "min", "budget", "anchors")
        for row in rows:
            print(json.dumps({key: row[key] for key in keys}))
    else:
        print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
