"""Say at what price an order was executed, corrections taken into account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from domain.executions import Executions
from domain.records import ExecutionEntry


class FilledAt(NamedTuple):
    """Be what executed of one order: lots, their average price, commissions in micro-units."""

    lots: int
    average_price: float
    commission_micro: int


def standing(entries: Iterable[ExecutionEntry]) -> list[ExecutionEntry]:
    """Return the executions that count, each once, in sequence.

    Raises InvariantViolation for corrections in a circle.
    """
    executions = Executions()
    for entry in entries:
        executions.add(entry)
    return sorted(executions.standing(), key=lambda entry: entry.seq)


def filled_at(entries: Iterable[ExecutionEntry]) -> FilledAt:
    """Return what the executions of one order come to, each once.

    Raises ValueError when there is none, InvariantViolation for corrections in a circle.
    """
    counting = standing(entries)  # in sequence: sums of floats depend on their order
    if not counting:
        raise ValueError("an order's executions cannot be averaged when there is none")
    lots = value = commission = 0.0
    for entry in counting:
        lots += entry.execution.lots
        value += entry.execution.lots * entry.execution.price
        commission += entry.execution.commission_micro
    return FilledAt(int(lots), value / lots if lots else 0.0, int(commission))
