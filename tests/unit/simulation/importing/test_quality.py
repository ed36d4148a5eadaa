"""Rows are judged exactly as the engine judges bars; disorder costs as few rows as it can."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bar, bar_fault
from simulation.importing.quality import RULES, RowRule, in_order, value_faults
from simulation.importing.rows import Rows

ODD = st.sampled_from(
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        0.0,
        -0.0,
        -1.0,
        5e-324,
        1.0,
        2.0,
        3.0,
        2.0**53,
        1e16,
        1.7e308,
    ]
)
VALUES = st.lists(st.tuples(ODD, ODD, ODD, ODD, ODD, ODD), min_size=1, max_size=30)


def rows_of(values: list[tuple[float, ...]]) -> Rows:
    count = len(values)
    columns = np.array(values).T
    return Rows(
        file_id=np.zeros(count, dtype=np.int32),
        position=np.arange(count),
        symbol_id=np.zeros(count, dtype=np.int16),
        ts_ns=np.arange(count),
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
        volume=columns[4],
        adj_close=np.full(count, np.nan),
        split=np.ones(count),
        dividend=columns[5],
    )


@given(VALUES)
def test_columns_are_judged_as_single_bars_are(values: list[tuple[float, ...]]) -> None:
    found = [RULES[code] for code in value_faults(rows_of(values))]
    expected = [bar_fault(Bar("A", *row)) for row in values]
    assert [None if rule is RowRule.ACCEPTED else rule.value for rule in found] == [
        None if fault is None else fault.value for fault in expected
    ]


@pytest.mark.parametrize(
    ("moments", "kept"),
    [
        ([1, 2, 3], [1, 1, 1]),
        ([1, 3, 2, 4], [1, 1, 0, 1]),
        ([1, 2, 99, 3, 4, 5], [1, 1, 0, 1, 1, 1]),
        ([1, 2, 4, 5, 6, 3, 7], [1, 1, 1, 1, 1, 0, 1]),
        ([5, 1, 2, 3], [0, 1, 1, 1]),
        ([2, 1], [1, 0]),
        ([7], [1]),
    ],
)
def test_disorder_costs_the_row_that_is_out_of_place(moments: list[int], kept: list[int]) -> None:
    assert in_order(np.array(moments, dtype=np.int64)).tolist() == [bool(flag) for flag in kept]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_as_few_rows_as_possible_leave_and_the_rest_never_falls(moments: list[int]) -> None:
    kept = np.array(moments)[in_order(np.array(moments, dtype=np.int64))].tolist()
    assert kept == sorted(kept)
    best = max(
        size
        for size in range(1, len(moments) + 1)
        if any(list(part) == sorted(part) for part in combinations(moments, size))
    )
    assert len(kept) == best
