"""Cyclic work on an island, where a nanosecond is an instruction: what does not depend on any host."""

import re

import bench_realtime


def test_an_island_keeps_its_cycles_and_an_ordinary_thread_does_not(boot):
    guest = boot("test-realtime", icount=True)
    assert guest.wait(120)[0] == 0
    log = guest.log()
    rows = {name: int(value) for name, _, value, _ in bench_realtime.BENCH_LINE.findall(log)}
    island = {figure: rows[f"realtime_island_{figure}"] for figure, _ in bench_realtime.FIGURES}
    # Of 200 cycles each begins within 50 us of its time, and as late as any other but for 5 us.
    assert island["missed"] == 0
    assert island["late_max"] < 50_000 and island["jitter_max"] < 5_000
    # The neighbours were noisy: without an island they are in the way by more than a slice.
    assert rows["realtime_ordinary_late_p50"] > 20 * island["late_max"]
    used, depletions, deadlines = map(int, re.search(
        r"REALTIME island used_ns (\d+) depletions (\d+) deadlines (\d+)", log).groups())
    assert (depletions, deadlines) == (0, 0)
    # 205 cycles of 0.2 ms, and what it takes to begin and end them.
    assert 41_000_000 <= used < 45_000_000


def test_figures_become_rows():
    counted = {"realtime_island_late_p50": 7, "realtime_island_missed": 0}
    walls = [{"realtime_island_late_p50": value} for value in (5, 90, 6)]
    rows = {row["id"]: row for row in bench_realtime.summarise(counted, walls)}
    assert len(rows) == len(bench_realtime.KINDS) * len(bench_realtime.FIGURES)
    assert rows["realtime_island_late_p50"] == {
        "id": "realtime_island_late_p50", "unit": "ns", "counted": 7, "wall": 6}
    assert rows["realtime_island_missed"] == {
        "id": "realtime_island_missed", "unit": "cycles", "counted": 0, "wall": None}
