"""Hold bars to their rules, and groups to the columns they are taken from."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest

from domain.bars import Bar, BarFault, BarTable, bar_fault

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
