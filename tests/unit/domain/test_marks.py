from __future__ import annotations

import pytest

from domain.bars import Bar, BarGroup
from domain.errors import InvariantViolation
from domain.marks import NO_MARK, Marks


def group(index: int, session: int, **closes: float) -> BarGroup:
    bars = tuple(
        Bar(symbol, close, close, close, close, 1.0, 0.0) for symbol, close in sorted(closes.items())
    )
    return BarGroup(index, index, index + 1, session, bars)


def test_a_mark_is_the_last_close_and_ages_with_the_bars_of_others() -> None:
    marks = Marks()
    assert marks.take(group(0, 10, A=1.0, B=2.0))
    assert not marks.take(group(1, 10, A=1.1))
    assert marks.take(group(2, 11, A=1.2))
    assert marks.prices() == {"A": 1.2, "B": 2.0}
    assert (marks.age_bars("A"), marks.age_bars("B"), marks.age_bars("C")) == (0, 2, NO_MARK)
    assert (marks.age_sessions("A"), marks.age_sessions("B"), marks.age_sessions("C")) == (0, 1, NO_MARK)
    assert (marks.bar, marks.session_count) == (2, 2)
    mark = marks.get("B")
    assert mark is not None
    assert (mark.price, mark.bar, mark.session_count) == (2.0, 0, 1)
    assert marks.get("C") is None


@pytest.mark.parametrize(("allowed", "fresh"), [(2, True), (1, False), (0, False)])
def test_freshness_is_counted_in_bars(allowed: int, fresh: bool) -> None:
    """A4: where no fresh price exists the order is refused."""
    marks = Marks()
    for index in range(3):
        marks.take(group(index, 10, **({"A": 1.0} if index == 0 else {"B": 1.0})))
    assert marks.is_fresh("A", allowed) is fresh
    assert not marks.is_fresh("C", 1_000)


def test_sessions_are_counted_as_they_come_so_that_a_weekend_is_none() -> None:
    marks = Marks()
    marks.take(group(0, 100, A=1.0, B=1.0))
    marks.take(group(1, 103, B=1.0))
    assert marks.age_sessions("A") == 1


def test_a_symbol_without_bars_for_sessions_is_dead_but_not_one_that_never_began() -> None:
    marks = Marks()
    for index in range(6):
        marks.take(group(index, 10 + index, **({"A": 1.0, "B": 1.0} if index == 0 else {"B": 1.0})))
    assert marks.dead(["C", "B", "A"], 5) == ("A",)
    assert marks.dead(["A", "B"], 6) == ()


@pytest.mark.parametrize(("index", "session"), [(1, 10), (0, 10), (2, 9)])
def test_groups_out_of_order_are_refused(index: int, session: int) -> None:
    marks = Marks()
    marks.take(group(1, 10, A=1.0))
    with pytest.raises(InvariantViolation, match="came after"):
        marks.take(group(index, session, A=1.0))
