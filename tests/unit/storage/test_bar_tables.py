"""Bar tables are sorted, whole and known by a fingerprint."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from domain.errors import DataError, InvariantViolation
from storage.bar_tables import (
    BarColumns,
    build_table,
    columns_of,
    fingerprint,
    group_at_session,
    select,
    stack,
)

DAY = 86_400_000_000_000
MONDAY = date(2024, 1, 1).toordinal()


def columns(rows: list[tuple[int, int, float]]) -> BarColumns:
    """Return columns of (symbol id, day, close) rows; the day counts from 2024-01-01."""
    ids, days, closes = (np.array(values) for values in zip(*rows, strict=True))
    close = closes.astype(np.float64)
    return BarColumns(
        symbol_id=ids.astype(np.int16),
        open_ns=days.astype(np.int64) * DAY,
        known_ns=days.astype(np.int64) * DAY + DAY // 4,
        session=(days + MONDAY).astype(np.int32),
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=close * 100,
        dividend=np.zeros(len(rows)),
    )


def test_rows_are_sorted_by_moment_then_symbol_and_grouped() -> None:
    table = build_table(["B", "A"], DAY, False, columns([(0, 1, 11), (0, 0, 10), (1, 1, 21)]))
    assert table.symbols == ("A", "B")
    assert len(table) == 2
    assert [[(bar.symbol, bar.close) for bar in group.bars] for group in table.groups()] == [
        [("B", 10.0)],
        [("A", 21.0), ("B", 11.0)],
    ]
    assert table.group(1).session == MONDAY + 1


def test_symbols_without_bars_are_left_out() -> None:
    assert build_table(["A", "B", "C"], DAY, False, columns([(2, 0, 5), (0, 0, 4)])).symbols == ("A", "C")


def test_the_order_of_rows_and_symbols_does_not_change_the_fingerprint() -> None:
    one = build_table(["A", "B"], DAY, False, columns([(0, 0, 10), (1, 0, 20), (0, 1, 11)]))
    other = build_table(["B", "A"], DAY, False, columns([(1, 1, 11), (0, 0, 20), (1, 0, 10)]))
    assert one.fingerprint == other.fingerprint == fingerprint(one)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "dividend"])
def test_any_value_changes_the_fingerprint(name: str) -> None:
    base = columns([(0, 0, 10), (0, 1, 11)])
    value = getattr(base, name).copy()
    value[1] = np.nextafter(value[1], np.inf)
    altered = build_table(["A"], DAY, False, base._replace(**{name: value}))
    assert altered.fingerprint != build_table(["A"], DAY, False, base).fingerprint


def test_what_the_bars_mean_changes_the_fingerprint() -> None:
    rows = columns([(0, 0, 10)])
    prints = {
        build_table([name], size, continuous, rows).fingerprint
        for name in ("A", "B")
        for size in (DAY, DAY // 2)
        for continuous in (True, False)
    }
    assert len(prints) == 8


def test_the_sign_of_zero_and_the_payload_of_nan_mean_nothing() -> None:
    base = columns([(0, 0, 10)])
    odd_nan = np.array([0x7FF8_0000_0000_0001], dtype=np.uint64).view(np.float64)
    plain = build_table(["A"], DAY, False, base._replace(volume=np.array([np.nan])))
    odd = build_table(["A"], DAY, False, base._replace(volume=odd_nan, dividend=np.array([-0.0])))
    assert plain.fingerprint == odd.fingerprint


def test_two_bars_of_a_symbol_at_one_moment_are_refused() -> None:
    with pytest.raises(InvariantViolation, match="two bars"):
        build_table(["A"], DAY, False, columns([(0, 0, 10), (0, 0, 11)]))


def test_bars_of_one_moment_that_opened_apart_are_refused() -> None:
    rows = columns([(0, 0, 10), (1, 0, 11)])
    with pytest.raises(InvariantViolation, match="disagree"):
        build_table(["A", "B"], DAY, False, rows._replace(open_ns=np.array([0, 1])))


def test_columns_of_different_lengths_are_refused() -> None:
    rows = columns([(0, 0, 10), (0, 1, 11)])
    with pytest.raises(InvariantViolation, match="length"):
        build_table(["A"], DAY, False, rows._replace(close=rows.close[:1]))


def test_no_bar_is_refused() -> None:
    with pytest.raises(DataError, match="at least one bar"):
        build_table(["A"], DAY, False, columns([(0, 0, 10)]).take(np.array([], dtype=np.int64)))


def test_a_part_is_taken_by_symbols_and_inclusive_sessions() -> None:
    table = build_table(
        ["A", "B"], DAY, False, columns([(s, d, 10 * s + d) for s in (0, 1) for d in range(5)])
    )
    part = select(table, ["B"], date(2024, 1, 2), date(2024, 1, 4))
    assert part.symbols == ("B",)
    assert part.close.tolist() == [11, 12, 13]
    assert part.fingerprint == fingerprint(part) != table.fingerprint
    assert select(table) is table


def test_a_part_of_an_unknown_symbol_or_of_nothing_is_refused() -> None:
    table = build_table(["A"], DAY, False, columns([(0, 0, 10)]))
    with pytest.raises(DataError, match="available: A"):
        select(table, ["Z"])
    with pytest.raises(DataError, match="no bar left"):
        select(table, first=date(2024, 1, 2))


def test_the_first_group_of_a_session_is_found() -> None:
    table = build_table(["A"], DAY, False, columns([(0, 0, 10), (0, 3, 11), (0, 4, 12)]))
    assert [group_at_session(table, date(2024, 1, day)) for day in (1, 2, 4, 5, 6)] == [0, 1, 1, 2, 3]


def test_stacking_keeps_rows_and_types() -> None:
    one, two = columns([(0, 0, 10)]), columns([(1, 1, 11)])
    both = stack([one, two])
    assert both.close.tolist() == [10, 11]
    assert both.symbol_id.dtype == np.int16


def test_an_altered_table_has_another_fingerprint_than_it_claims() -> None:
    table = build_table(["A"], DAY, False, columns([(0, 0, 10), (0, 1, 11)]))
    assert fingerprint(replace(table, close=table.close + 1)) != table.fingerprint
    assert columns_of(table).close is table.close
