from __future__ import annotations

from itertools import permutations

import pytest

from cli.executions import FilledAt, filled_at
from domain.broker import Executed, Side
from domain.errors import InvariantViolation
from domain.records import ExecutionEntry, IntentKind


def execution(seq: int, exec_id: str, lots: int, price: float, corrects: str = "") -> ExecutionEntry:
    done = Executed(
        at_ns=1,
        exec_id=exec_id,
        order_ref="1.main.AAPL.0.1",
        symbol="AAPL",
        side=Side.BUY,
        lots=lots,
        price=price,
        commission_micro=1_000_000,
        corrects=corrects,
    )
    return ExecutionEntry(seq=seq, at_ns=1, book="main", kind=IntentKind.ENTRY, bar=1, execution=done)


def test_partial_fills_are_averaged_by_their_lots() -> None:
    fills = [execution(1, "a", 10, 100.0), execution(2, "b", 30, 104.0)]
    assert filled_at(fills) == FilledAt(40, 103.0, 2_000_000)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_only_the_newest_correction_of_an_execution_counts(order: tuple[int, ...]) -> None:
    """An execution counts once; a correction replaces it, also one of a correction, in whatever order they are told."""
    told = [("a", 10, 100.0, ""), ("a1", 12, 101.0, "a"), ("a2", 12, 99.0, "a1"), ("b", 8, 90.0, "")]
    entries = [execution(seq, *told[which]) for seq, which in enumerate(order, start=1)]
    assert filled_at(entries) == FilledAt(20, (12 * 99.0 + 8 * 90.0) / 20, 2_000_000)


def test_executions_booked_twice_in_one_list_count_once() -> None:
    assert filled_at([execution(1, "a", 10, 100.0), execution(1, "a", 10, 100.0)]).lots == 10


def test_corrections_in_a_circle_are_refused() -> None:
    with pytest.raises(InvariantViolation, match="in a circle"):
        filled_at([execution(1, "a", 1, 1.0, "b"), execution(2, "b", 1, 1.0, "a")])


def test_nothing_executed_has_no_average() -> None:
    with pytest.raises(ValueError, match="none"):
        filled_at([])
