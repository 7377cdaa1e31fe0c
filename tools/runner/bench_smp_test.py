"""Tests of what is made of the figures of several processors."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_smp  # noqa: E402

OURS = {
    "processes_total_1": 190, "processes_total_2": 100, "call_pairs_1": 1000, "call_pairs_2": 1950, "wake_p50": 30,
}
THEIRS = {
    "processes_total_1": 200, "processes_total_2": 100, "call_pairs_1": 500, "call_pairs_2": 900, "wake_p50": 60,
    "threads_work_1": 200, "threads_work_2": 100,
}


def rows(*attempts):
    return {row["id"]: row for row in bench_smp.summarise(list(attempts))}


def test_a_ratio_is_our_speedup_over_theirs():
    row = rows(*[(True, OURS, THEIRS)] * bench_smp.COUNTED)["processes_total"]
    assert (row["value"], row["ours"], row["linux"]) == (0.95, 1.9, 2.0)


def test_pairs_are_compared_with_our_own_single_pair():
    row = rows(*[(True, OURS, THEIRS)] * bench_smp.COUNTED)["call_pairs"]
    assert (row["value"], row["linux"]) == (1.95, 1.8)


def test_latencies_are_compared_as_they_are():
    assert rows(*[(True, OURS, THEIRS)] * bench_smp.COUNTED)["wake_p50"]["value"] == 0.5


def test_what_we_do_not_measure_has_no_row():
    measured = rows(*[(True, OURS, THEIRS)] * bench_smp.COUNTED)
    assert "threads_work" not in measured and "threads_total" not in measured


def test_attempts_on_a_busy_host_are_no_figures():
    attempts = [(True, OURS, THEIRS)] * (bench_smp.COUNTED - 1) + [(False, OURS, THEIRS)] * 10
    for row in rows(*attempts).values():
        assert row["value"] is None and row["unmeasurable"] and row["counted"] == bench_smp.COUNTED - 1
    slow = {**OURS, "processes_total_2": 190}
    counted = rows(*attempts, *[(False, slow, THEIRS)] * 20, (True, OURS, THEIRS))
    assert counted["processes_total"]["value"] == 0.95


def test_without_any_attempt_every_row_is_unmeasurable():
    assert all(row["value"] is None for row in rows().values())
    assert set(rows()) == {row[0] for row in bench_smp.ROWS}


def test_medians_not_means_are_reported():
    slow = {**OURS, "processes_total_2": 190}
    measured = rows(*[(True, OURS, THEIRS)] * 3, *[(True, slow, THEIRS)] * 2)["processes_total"]
    assert (measured["value"], measured["min"]) == (0.95, 0.5)
