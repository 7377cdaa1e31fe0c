"""The benchmark of several processors runs, on capOS and what it is compared with, and finds the right sums.

What a run takes says nothing here: the tests' machine is busy, and runs are quick ones.
"""

import os
import subprocess

import bench_smp
import project


def test_capos_measures_every_row():
    figures = bench_smp.capos_figures("quick")
    assert set(figures) == expected_rows()
    assert all(value > 0 for value in figures.values())


def expected_rows():
    rows = set()
    for row, _, kind, _ in bench_smp.ROWS:
        rows |= {row} if kind == "latency" else {f"{row}_1", f"{row}_2"}
    return rows


def test_what_runs_on_linux_measures_every_row():
    program = os.path.join(project.HOST, "bench/smp-linux")
    done = subprocess.run([program, "quick"], capture_output=True, text=True, timeout=120, check=True)
    assert set(bench_smp.read_lines(done.stdout)) == expected_rows()


def test_the_host_is_asked_how_many_processors_it_has_to_give():
    assert 0.3 < bench_smp.host_speedup() < 4
