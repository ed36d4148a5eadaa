from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bar, BarTable
from domain.errors import InvariantViolation
from domain.strategies.history import SymbolHistory, symbol_bars, window
from tests.unit.domain.strategies.series import DAY_NS, bars_of


def bar(price: float) -> Bar:
    return Bar("X", price, price + 3, price - 1, price + 1, price * 10, 0.0)


def filled(n: int) -> SymbolHistory:
    history = SymbolHistory("X", DAY_NS)
    for i in range(n):
        history.append(i * DAY_NS, 100 + i, bar(10.0 + i))
    return history


def test_view_shows_each_field_of_each_bar() -> None:
    bars = filled(3).view(1)
    assert (bars.symbol, bars.bar_ns, len(bars)) == ("X", DAY_NS, 2)
    assert bars.open_ns.tolist() == [DAY_NS, 2 * DAY_NS]
    assert bars.session.tolist() == [101, 102]
    assert bars.open.tolist() == [11.0, 12.0]
    assert bars.high.tolist() == [14.0, 15.0]
    assert bars.low.tolist() == [10.0, 11.0]
    assert bars.close.tolist() == [12.0, 13.0]
    assert bars.volume.tolist() == [110.0, 120.0]


def test_bar_that_is_not_later_is_an_invariant_violation() -> None:
    history = filled(3)
    for open_ns in (2 * DAY_NS, DAY_NS):
        with pytest.raises(InvariantViolation, match="came after"):
            history.append(open_ns, 103, bar(9.0))
    assert len(history) == 3


def test_view_cannot_be_written_to_and_survives_growth() -> None:
    history = filled(5)
    view = history.view(0)
    with pytest.raises(ValueError, match="read-only"):
        view.close[0] = 0.0
    for i in range(5, 2_000):
        history.append(i * DAY_NS, 100 + i, bar(10.0 + i))
    assert view.close.tolist() == [11.0, 12.0, 13.0, 14.0, 15.0]


@given(steps=st.lists(st.tuples(st.integers(1, 300), st.integers(0, 300)), min_size=1, max_size=12))
def test_forgetting_keeps_positions_and_what_was_asked_to_stay(steps: list[tuple[int, int]]) -> None:
    history, total, kept = SymbolHistory("X", DAY_NS), 0, 0
    for added, advance in steps:
        for _ in range(added):
            history.append(total * DAY_NS, total, bar(float(total + 5)))
            total += 1
        kept = min(kept + advance, total - 1)
        history.forget(kept)
        assert len(history) == total
        assert history.view(kept).open.tolist() == [float(i + 5) for i in range(kept, total)]


def test_memory_does_not_grow_with_bars_forgotten() -> None:
    history = SymbolHistory("X", DAY_NS)
    for i in range(20_000):
        history.append(i * DAY_NS, i, bar(10.0))
        history.forget(max(0, i - 100))
    base = history.view(19_900).close.base
    assert base is not None
    assert base.nbytes <= 512 * 8


def test_forgotten_bars_cannot_be_shown() -> None:
    history = filled(600)
    history.forget(550)
    with pytest.raises(InvariantViolation, match="forgotten"):
        history.view(10)


def test_slice_start_counts_from_the_first_bar_ever() -> None:
    history = filled(900)
    assert history.slice_start(880, 20) == 860
    history.forget(860)
    assert history.slice_start(899, 20) == 879


def test_window_cuts_without_copying_and_read_only() -> None:
    bars = bars_of([1.0, 2.0, 3.0, 4.0])
    shown = window(bars, 1, 3)
    assert shown.close.tolist() == [2.0, 3.0]
    assert np.shares_memory(shown.close, bars.close)
    with pytest.raises(ValueError, match="read-only"):
        shown.close[0] = 9.0
    bars.close[1] = 7.0
    assert shown.close[0] == 7.0


def test_symbol_bars_compacts_one_symbol_of_a_table() -> None:
    price = np.array([1.0, 10.0, 2.0, 3.0, 30.0])
    table = BarTable(
        symbols=("A", "B"),
        bar_ns=DAY_NS,
        continuous=False,
        fingerprint="",
        starts=np.array([0, 2, 3, 5]),
        symbol_id=np.array([0, 1, 0, 0, 1], np.int16),
        open_ns=np.array([0, 0, 1, 2, 2]) * DAY_NS,
        known_ns=np.array([1, 1, 2, 3, 3]) * DAY_NS,
        session=np.array([5, 5, 6, 7, 7], np.int32),
        open=price,
        high=price + 1,
        low=price - 1,
        close=price + 0.5,
        volume=price * 100,
        dividend=np.zeros(5),
    )
    bars = symbol_bars(table, "B")
    assert (bars.symbol, bars.open.tolist(), bars.session.tolist()) == ("B", [10.0, 30.0], [5, 7])
    assert symbol_bars(table, "A").volume.tolist() == [100.0, 200.0, 300.0]
    with pytest.raises(KeyError, match="C"):
        symbol_bars(table, "C")
