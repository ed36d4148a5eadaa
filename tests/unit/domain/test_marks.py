"""Keep marks by symbol and their age in bars (A4)."""

from __future__ import annotations

import json

from domain.bars import Bar, BarGroup
from domain.marks import NO_MARK, Marks


def group(index: int, **closes: float) -> BarGroup:
    bars = tuple(
        Bar(symbol, close, close, close, close, 1.0, 0.0) for symbol, close in sorted(closes.items())
    )
    return BarGroup(index, index, index + 1, index, bars)


def test_a_mark_is_the_last_close_and_ages_with_the_bars_of_others() -> None:
    marks = Marks()
    for each in (group(0, A=1.0, B=2.0), group(1, A=1.1), group(2, A=1.2)):
        marks.take(each)
    assert marks.prices == {"A": 1.2, "B": 2.0}
    assert [marks.age_bars(symbol, 2) for symbol in "ABC"] == [0, 2, NO_MARK]


def test_marks_come_back_from_their_snapshot_as_they_were() -> None:
    marks = Marks()
    marks.take(group(7, A=0.1, B=3.0))
    again = Marks(json.loads(json.dumps(marks.to_values())))
    assert again.prices == marks.prices
    assert again.to_values() == marks.to_values()
    assert again.age_bars("A", 9) == 2
