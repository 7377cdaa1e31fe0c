"""The benchmark runs, its clock is right, and no row is beyond what bench/rows.json says this release keeps to.

The benchmark itself fails, with a status, when a row on the call path makes the kernel allocate.
"""

import json

import bench
import pytest


@pytest.fixture(scope="module")
def measured():
    return bench.measure_guest()


def rows():
    with open("bench/rows.json", encoding="utf-8") as file:
        return json.load(file)


def test_every_guest_row_is_measured(measured):
    from_outside = {"boot_wall", "memory_at_prompt"}
    assert set(measured) == {row["id"] for row in rows()} - from_outside


def test_rows_keep_to_their_limits(measured):
    beyond = {
        row["id"]: (measured[row["id"]][1], row["limit"])
        for row in rows()
        if "limit" in row and measured[row["id"]][1] > row["limit"]
    }
    assert not beyond


def test_idle_streams_cost_nothing(measured):
    few, many = measured["buffer_10"][1], measured["buffer_1000"][1]
    assert many <= few * 1.02 + 1, "what 10 streams cost depends on the 990 that are idle"
