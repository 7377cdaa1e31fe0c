#!/usr/bin/python3
"""`./capos bench realtime [--json]`: how late cyclic work begins beside noisy neighbours, with and without an island.

Two figures a row. *counted*: one processor under `-icount`, where a nanosecond is an instruction: the same in every run,
and what the system itself makes late. *wall*: two processors under `-accel tcg,thread=multi` by the wall's clock, the
median of RUNS: what an emulated machine on this host makes of it. bench/README.md says what can be concluded.
"""

import argparse
import json
import os
import statistics
import sys

import project
from bench import BENCH_LINE
from guest import Guest, GuestError

RUNS = 3
TIMEOUT_S = 240

KINDS = [
    ("ordinary", "an ordinary thread"),
    ("island", "a task on an island"),
    ("exclusive", "a task with a processor to itself"),
]
FIGURES = [
    ("late_min", "ns"),
    ("late_p50", "ns"),
    ("late_p99", "ns"),
    ("late_max", "ns"),
    ("jitter_p50", "ns"),
    ("jitter_p99", "ns"),
    ("jitter_max", "ns"),
    ("missed", "cycles"),
]


def figures(config="release", **machine):
    """id -> figure, of one run."""
    kernel = project.built(config, "capos.elf")
    package = project.built(config, "boot-test-realtime.cpio")
    with Guest(kernel, package, **machine) as guest:
        status, words = guest.wait(TIMEOUT_S)
        if status != 0:
            guest.give_up(f"the benchmark {words}", True, 0)
        return {name: int(value) for name, _, value, _ in BENCH_LINE.findall(guest.log())}


def summarise(counted, walls):
    """The rows, from one counted run and several by the wall's clock; a figure that a run lacks is null."""
    rows = []
    for kind, _ in KINDS:
        for figure, unit in FIGURES:
            name = f"realtime_{kind}_{figure}"
            measured = [wall[name] for wall in walls if name in wall]
            wall = int(statistics.median(measured)) if measured else None
            rows.append({"id": name, "unit": unit, "counted": counted.get(name), "wall": wall})
    return rows


def print_table(rows):
    figure_of = {row["id"]: row for row in rows}
    for key in ("counted", "wall"):
        print({"counted": "instructions, one processor", "wall": "by the wall's clock, two processors"}[key])
        print(f"  {'':34}" + "".join(f"{figure:>12}" for figure, _ in FIGURES))
        for kind, words in KINDS:
            values = [figure_of[f"realtime_{kind}_{figure}"][key] for figure, _ in FIGURES]
            print(f"  {words:34}" + "".join(f"{'-' if value is None else value:>12}" for value in values))


def main():
    parser = argparse.ArgumentParser(prog="./capos bench realtime")
    parser.add_argument("--json", action="store_true", help="one object a row")
    options = parser.parse_args()
    os.chdir(project.ROOT)
    try:
        rows = summarise(figures(icount=True), [figures(processors=2) for _ in range(RUNS)])
    except GuestError as error:
        print(f"capos: {error}", file=sys.stderr)
        return 1
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
