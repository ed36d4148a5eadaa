from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import signed
from domain.errors import InvariantViolation
from domain.executions import Executions
from domain.portfolio import Portfolio
from tests.fakes.records import execution
from tests.money import executed, stock


def standing(links: list[tuple[str, str]]) -> list[str]:
    """Return the ids that stand after executions (id, corrects) arrive in this order."""
    executions = Executions()
    for seq, (exec_id, corrects) in enumerate(links, start=1):
        executions.add(execution(seq, exec_id, corrects))
    return sorted(entry.execution.exec_id for entry in executions.standing())


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([("a", ""), ("b", "")], ["a", "b"]),
        ([("a", ""), ("b", "a")], ["b"]),
        ([("b", "a"), ("a", "")], ["b"]),
        ([("b", "a")], ["b"]),
        ([("a", ""), ("b", "a"), ("c", "a")], ["c"]),
        ([("a", ""), ("c", "b")], ["a", "c"]),
        ([("x", ""), ("a", ""), ("b", "a"), ("c", "b")], ["c", "x"]),
    ],
)
def test_corrections_replace(links: list[tuple[str, str]], expected: list[str]) -> None:
    """I2: each execution is booked once, a correction replaces."""
    assert standing(links) == expected


@pytest.mark.parametrize("order", list(permutations([("a", ""), ("b", "a"), ("c", "b"), ("d", "c")])))
def test_a_chain_of_corrections_ends_the_same_in_any_order(order: tuple[tuple[str, str], ...]) -> None:
    assert standing(list(order)) == ["d"]


def test_a_change_names_what_fell_and_what_stands_instead() -> None:
    executions = Executions()
    first, second = execution(1, "a"), execution(2, "b", "a")
    assert executions.add(first) == [(first, 1)]
    assert executions.add(second) == [(first, -1), (second, 1)]
    assert "a" in executions
    assert "z" not in executions


def test_executions_that_correct_one_another_in_a_circle_are_refused() -> None:
    executions = Executions()
    executions.add(execution(1, "a", "b"))
    with pytest.raises(InvariantViolation, match="a, b correct one another in a circle"):
        executions.add(execution(2, "b", "a"))


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    """Return executions (id, signed lots, what it corrects) in any order of arrival."""
    lots = draw(st.lists(st.integers(-9, 9).filter(bool), max_size=10))
    made = []
    for number, size in enumerate(lots):
        back = draw(st.integers(0, number))
        made.append((f"x{number}", size, f"x{number - back}" if back else ""))
    return draw(st.permutations(made))


@given(arrivals())
def test_gateway_and_portfolio_count_alike(arriving: list[tuple[str, int, str]]) -> None:
    """Two components count by themselves (I3): whatever corrects what, in whatever order, they agree."""
    executions, portfolio, total = Executions(), Portfolio([stock()], {}, "USD"), 0
    for seq, (exec_id, lots, corrects) in enumerate(arriving, start=1):
        entry = executed(lots, 100.0, seq=seq, exec_id=exec_id, corrects=corrects)
        portfolio.apply(entry)
        for changed, sign in executions.add(entry):
            total += sign * signed(changed.execution.side, changed.execution.lots)
        assert portfolio.lots().get("AAPL", 0) == total
