"""Hold bars to their rules, and groups to the columns they are taken from."""

from __future__ import annotations

import pickle
from itertools import pairwise
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bar, BarFault, BarGroup, BarTable, bar_fault
from domain.codec import decode, encode

PRICES = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"volume": nan}, None),
        ({"volume": 0.0}, None),
        ({"open": 9.0, "close": 11.0}, None),
        *(({name: nan}, BarFault.NOT_FINITE) for name in PRICES),
        *(({name: inf}, BarFault.NOT_FINITE) for name in PRICES),
        *(({name: 0.0}, BarFault.NOT_POSITIVE) for name in PRICES),
        ({"low": -1.0}, BarFault.NOT_POSITIVE),
        ({"high": 8.0}, BarFault.CROSSED),
        ({"open": 11.1}, BarFault.CROSSED),
        ({"close": 11.1}, BarFault.CROSSED),
        ({"open": 8.9}, BarFault.CROSSED),
        ({"close": 8.9}, BarFault.CROSSED),
        ({"volume": inf}, BarFault.NOT_FINITE),
        ({"volume": -inf}, BarFault.NOT_FINITE),
        ({"volume": -1.0}, BarFault.NEGATIVE_VOLUME),
        ({"volume": 2.0**53}, None),
        ({"volume": 2.0**53 + 2.0}, BarFault.EXCESSIVE_VOLUME),
        ({"volume": 1e30}, BarFault.EXCESSIVE_VOLUME),
        ({"dividend": nan}, BarFault.NOT_FINITE),
        ({"dividend": inf}, BarFault.NOT_FINITE),
        ({"dividend": -0.1}, BarFault.NEGATIVE_VOLUME),
    ],
)
def test_a_bar_is_refused_for_the_first_rule_it_breaks(
    changed: dict[str, float], fault: BarFault | None
) -> None:
    bar = Bar("A", **{**PRICES, "volume": 5.0, "dividend": 0.0, **changed})
    assert bar_fault(bar) is fault


def table_of(groups: int) -> BarTable:
    """Return a table whose every third group lacks symbol A."""
    rows = [(i, name) for i in range(groups) for name in ((0, 1) if i % 3 else (1,))]
    group = np.array([i for i, _ in rows])
    price = np.arange(len(rows), dtype=np.float64) + 10.0
    return BarTable(
        symbols=("A", "B"),
        bar_ns=60,
        continuous=True,
        fingerprint="",
        starts=np.searchsorted(group, np.arange(groups + 1)),
        symbol_id=np.array([name for _, name in rows], np.int16),
        open_ns=group * 60,
        known_ns=group * 60 + 60,
        session=(group // 100).astype(np.int32),
        open=price,
        high=price + 1.0,
        low=price - 1.0,
        close=price + 0.5,
        volume=price * 2.0,
        dividend=np.zeros(len(rows)),
    )


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 256), (1, 257), (255, 600), (599, 600), (7, 7)])
def test_groups_hold_what_their_rows_hold_wherever_one_begins(start: int, stop: int | None) -> None:
    """Groups are made hundreds at a time: none may be lost or doubled where two such lots meet."""
    table = table_of(600)
    groups = list(table.groups(start, stop))
    assert [group.index for group in groups] == list(range(start, 600 if stop is None else stop))
    assert all(later.index == earlier.index + 1 for earlier, later in pairwise(groups))
    for group in groups:
        a, b = table.starts[group.index], table.starts[group.index + 1]
        assert (group.open_ns, group.known_ns) == (group.index * 60, group.index * 60 + 60)
        assert group.session == group.index // 100
        assert [bar.symbol for bar in group.bars] == [table.symbols[i] for i in table.symbol_id[a:b]]
        assert [bar.open for bar in group.bars] == table.open[a:b].tolist()
        assert [bar.volume for bar in group.bars] == table.volume[a:b].tolist()
        assert all(type(bar.close) is float for bar in group.bars)
    if groups:
        assert groups[0] == table.group(start)


@given(
    st.lists(
        st.tuples(st.text(min_size=1), *[st.floats(allow_nan=False)] * 6).map(lambda row: Bar(*row)),
        max_size=20,
    )
)
def test_group_travels_as_it_is(bars: list[Bar]) -> None:
    group = BarGroup(3, -1, 2**62, 730_000, tuple(bars))
    come = pickle.loads(pickle.dumps(group))
    assert come == group
    assert [type(bar) for bar in come.bars] == [Bar] * len(bars)
    assert [repr(bar) for bar in come.bars] == [repr(bar) for bar in bars]  # -0.0 too


def test_volume_that_is_not_known_stays_unknown_on_the_way() -> None:
    group = BarGroup(0, 0, 1, 730_000, (Bar("A", 1.0, 1.0, 1.0, 1.0, nan, 0.0),))
    assert isnan(pickle.loads(pickle.dumps(group)).bars[0].volume)


def test_a_group_that_came_gives_one_symbols_bar_without_making_the_others() -> None:
    bars = tuple(Bar(f"S{i:03}", 1.0 + i, 2.0 + i, 0.5 + i, 1.5 + i, 100.0 * i, 0.1 * i) for i in range(500))
    group = BarGroup(7, 8, 9, 10, bars)
    come = pickle.loads(pickle.dumps(group))
    mine = frozenset({"S499", "S001", "elsewhere"})
    for each in (group, come):
        assert each.only(mine) == BarGroup(7, 8, 9, 10, (bars[1], bars[499]))
        assert each.only(frozenset()).bars == ()
    assert come.bars._bars is None  # nobody has looked at all
    assert come == group
    assert (len(come.bars), come.bars[3], come.bars[-2:]) == (500, bars[3], bars[-2:])
    assert hash(come) == hash(group)
    assert repr(come) == repr(group)


def test_a_group_that_came_may_go_on() -> None:
    group = BarGroup(1, 2, 3, 4, (Bar("A", **PRICES, volume=5.0, dividend=0.0),))
    come = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(group))))
    assert come == group
    assert decode(encode(come)) == group
    assert come.bars != (*group.bars, *group.bars)
