"""Judge the account's figures on record: day and peak begin at equities that were marked, and at no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.instruments import MICRO
from domain.messages import RISK
from domain.records import EquitySnapshot, MachineSnapshot, Record
from domain.risk.deciding import BETWEEN
from simulation.chaos.world import World


class _Standing(NamedTuple):
    """Be what the next bar's figures may begin from."""

    session: int
    equity: float
    start: float
    peak: float


def figures(world: World) -> Iterator[str]:
    """Yield what contradicts A8: a peak, or a day's start, that was no bar's equity.

    An equity that was never marked would bring a loss limit forward, or put it off.
    """
    settings = world.risk_settings
    if settings is None:
        return
    opening = settings.cash_micro / MICRO
    standing = _Standing(0, opening, opening, opening)
    for commit in world.timeline.commits:
        for record in commit.records if commit.role == RISK else ():
            if isinstance(record, EquitySnapshot):
                yield from _contradicted(standing, record)
            standing = _after(standing, record)


def _after(standing: _Standing, record: Record) -> _Standing:
    match record:
        case EquitySnapshot():
            return _Standing(record.session, record.equity, record.day_start_equity, record.peak_equity)
        case MachineSnapshot(name=name) if name == BETWEEN:  # a person may have set the peak anew
            return standing._replace(peak=float(record.values["peak_equity"]))
        case _:
            return standing


def _contradicted(before: _Standing, told: EquitySnapshot) -> Iterator[str]:
    peaks = {max(before.peak, told.equity), max(before.equity, told.equity)}
    if told.peak_equity not in peaks:
        yield f"figures: bar {told.bar} has a peak of {told.peak_equity}, which was no bar's equity: {before}"
    start = before.equity if told.session > before.session else before.start
    if told.day_start_equity != start:
        yield f"figures: bar {told.bar} has a day that began at {told.day_start_equity}, not at {start}"
