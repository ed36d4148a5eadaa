"""Say at what price an order was executed, corrections taken into account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from domain.records import ExecutionEntry


class FilledAt(NamedTuple):
    """Be what executed of one order: lots, their average price, commissions in micro-units."""

    lots: int
    average_price: float
    commission_micro: int


def standing(entries: Sequence[ExecutionEntry]) -> list[ExecutionEntry]:
    """Return the executions that count: in the place of each that was corrected, its newest correction."""
    originals = {entry.execution.exec_id: entry.execution.corrects for entry in entries}
    corrected = set(originals.values())
    groups: dict[str, list[ExecutionEntry]] = {}
    for entry in entries:
        root, seen = entry.execution.exec_id, {entry.execution.exec_id}
        while (original := originals.get(root, "")) and original not in seen:
            root = original
            seen.add(original)
        groups.setdefault(root, []).append(entry)
    counting = []
    for group in groups.values():
        # Corrections in a circle would leave none: the portfolio refuses them, a list still shows one.
        uncorrected = [entry for entry in group if entry.execution.exec_id not in corrected]
        counting.append(max(uncorrected or group, key=lambda entry: entry.seq))
    return counting


def filled_at(entries: Sequence[ExecutionEntry]) -> FilledAt:
    """Return what the executions of one order come to; raises ValueError when there is none."""
    counting = standing(entries)
    if not counting:
        raise ValueError("an order's executions cannot be averaged when there is none")
    lots = value = commission = 0.0
    for entry in counting:
        lots += entry.execution.lots
        value += entry.execution.lots * entry.execution.price
        commission += entry.execution.commission_micro
    return FilledAt(int(lots), value / lots if lots else 0.0, int(commission))
