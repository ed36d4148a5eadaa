"""Stamps of many kinds become UTC nanoseconds; bar sizes are inferred, mixtures refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from domain.errors import DataError
from simulation.importing.stamps import DAY_NS, HOUR_NS, NO_STAMP, describe_ns, infer_bar_ns, parse_stamps

NOON = datetime(2024, 3, 5, 12, 30, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 1_000_000_000
MIDNIGHT_NS = NOON_NS // DAY_NS * DAY_NS
MINUTE = 60_000_000_000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([NOON], type=pa.timestamp("us", tz="UTC")), NOON_NS),
        (pa.array([NOON.replace(tzinfo=None)], type=pa.timestamp("ms")), NOON_NS),
        (pa.array([NOON], type=pa.timestamp("ns", tz="America/New_York")), NOON_NS),
        (pa.array([date(2024, 3, 5)]), MIDNIGHT_NS),
        (pa.array([NOON_NS // 10**9]), NOON_NS),
        (pa.array([NOON_NS // 10**6]), NOON_NS),
        (pa.array([NOON_NS // 10**3]), NOON_NS),
        (pa.array([NOON_NS]), NOON_NS),
        (pa.array([20240305]), MIDNIGHT_NS),
        (pa.array([float(NOON_NS // 10**9)]), NOON_NS),
        (pa.array(["2024-03-05"]), MIDNIGHT_NS),
        (pa.array([" 2024-03-05 12:30 "]), NOON_NS),
        (pa.array(["2024-03-05T12:30:00Z"]), NOON_NS),
        (pa.array(["2024-03-05T07:30:00-05:00"]), NOON_NS),
        (pa.array(["20240305"]), MIDNIGHT_NS),
        (pa.array([str(NOON_NS // 10**6)]), NOON_NS),
    ],
)
def test_each_kind_of_stamp_is_read(values: Any, expected: int) -> None:
    assert parse_stamps(values).tolist() == [expected]
    assert parse_stamps(pa.chunked_array([values, values])).tolist() == [expected, expected]


@pytest.mark.parametrize(
    "values",
    [
        ["2024-03-05", None],
        ["2024-03-05", ""],
        ["2024-03-05", "rubbish"],
        ["2024-03-05", "2024-02-30"],
        ["2024-03-05", "1066-10-14"],
        ["2024-03-05", "9999-12-31"],
        ["2024-03-05", "05/03/2024"],
        ["1709641800", "soon"],
        ["1709641800", "nan"],
        ["1709641800", "1e300"],
    ],
)
def test_a_stamp_that_cannot_be_read_is_marked_and_the_others_stay(values: list[str | None]) -> None:
    stamps = parse_stamps(pa.array(values))
    assert stamps[0] in (MIDNIGHT_NS, NOON_NS)
    assert stamps[1] == NO_STAMP


def test_a_column_without_one_stamp_is_marked_throughout() -> None:
    assert (parse_stamps(pa.array([None, None], type=pa.float64())) == NO_STAMP).all()


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([MINUTE] * 5 + [7 * MINUTE] * 2, MINUTE),
        ([DAY_NS] * 4 + [3 * DAY_NS], DAY_NS),
        ([23 * HOUR_NS, DAY_NS, DAY_NS, 25 * HOUR_NS], DAY_NS),
        ([23 * HOUR_NS], DAY_NS),
        ([HOUR_NS] * 6 + [18 * HOUR_NS], HOUR_NS),
    ],
)
def test_the_most_frequent_step_is_the_bar_size(steps: list[int], size: int) -> None:
    stamps = np.concatenate(([0], np.cumsum(steps))).astype(np.int64)
    ids = np.zeros(len(stamps), dtype=np.int16)
    assert infer_bar_ns(ids, stamps) == size
    assert infer_bar_ns(ids, stamps[::-1].copy()) == size


def test_steps_between_symbols_do_not_count() -> None:
    stamps = np.array([0, 5, 10, 10 + MINUTE, 10 + 2 * MINUTE], dtype=np.int64)
    assert infer_bar_ns(np.array([0, 1, 2, 2, 2], dtype=np.int16), stamps) == MINUTE


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "one bar is too few: the size of bars is told from the time between two"),
        ([0], "no symbol has two bars at different times, which is too few"),
        ([3 * DAY_NS], "too few bars to tell their size: they lie 3 days apart, as bars round a weekend"),
        ([7 * MINUTE] * 4, "too few bars to tell their size: they lie 7 minutes apart"),
        ([7 * DAY_NS] * 5, "7 days"),
        ([7 * MINUTE] * 5, "7 minutes"),
        ([MINUTE] * 50 + [HOUR_NS] * 30, "mixed: mostly 1 minute, also 1 hour"),
        ([HOUR_NS] * 90 + [MINUTE] * 10, "mixed: mostly 1 hour, also 1 minute"),
        ([DAY_NS] * 50 + [7 * DAY_NS] * 25, "mixed: mostly 1 day, also 7 days"),
    ],
)
def test_no_size_an_odd_one_and_mixtures_are_refused(steps: list[int], said: str) -> None:
    stamps = np.concatenate(([0], np.cumsum(steps))).astype(np.int64)
    with pytest.raises(DataError, match=said):
        infer_bar_ns(np.zeros(len(stamps), dtype=np.int16), stamps)


def test_symbols_of_different_sizes_are_refused() -> None:
    minutes, hours = np.arange(500) * MINUTE, np.arange(40) * HOUR_NS
    ids = np.repeat(np.array([0, 1], dtype=np.int16), [500, 40])
    with pytest.raises(DataError, match="mixed"):
        infer_bar_ns(ids, np.concatenate((minutes, hours)))


def test_sparse_minutes_are_no_mixture() -> None:
    """A thin stock leaves gaps of every length, as us_equity_1m does."""
    stamps = np.flatnonzero(np.random.default_rng(3).random(40_000) < 0.15) * MINUTE
    assert infer_bar_ns(np.zeros(len(stamps), dtype=np.int16), stamps.astype(np.int64)) == MINUTE


@pytest.mark.parametrize(
    ("duration", "text"),
    [(DAY_NS, "1 day"), (5 * MINUTE, "5 minutes"), (4 * HOUR_NS, "4 hours"), (7, "7 ns")],
)
def test_durations_read_well(duration: int, text: str) -> None:
    assert describe_ns(duration) == text
