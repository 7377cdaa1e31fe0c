"""The benchmark measures every row, repeats to the last digits, and keeps what is promised already."""

import json

import pytest

import bench

CALL_64_MAX = 1800
REPEAT_PERCENT = 1


@pytest.fixture(scope="module")
def measured():
    return bench.measure_guest()


def test_every_row_is_measured_in_its_unit(measured):
    with open("bench/rows.json", encoding="utf-8") as file:
        rows = json.load(file)
    units = {name: unit for name, (unit, _, _) in {**measured, **bench.measure_boots()}.items()}
    assert units == {row["id"]: row["unit"] for row in rows}


def test_a_call_of_64_bytes_keeps_its_limit(measured):
    """The guest itself fails when a call allocates from a slab."""
    assert measured["call_64"][1] <= CALL_64_MAX


def test_a_second_boot_measures_the_same(measured):
    for name, (_, value, _) in bench.measure_guest().items():
        assert abs(value - measured[name][1]) * 100 <= REPEAT_PERCENT * measured[name][1], name
