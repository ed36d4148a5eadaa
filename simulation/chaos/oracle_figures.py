"""Judge the account's figures against each other: day and peak begin at an equity on record, and at no other.

The equities themselves are the risk manager's word; what it holds is compared with the venue elsewhere (I3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.instruments import MICRO
from domain.messages import RISK
from domain.records import EquitySnapshot, MachineSnapshot, Record
from domain.risk.deciding import BETWEEN
from simulation.chaos.world import World


class _Standing(NamedTuple):
    """Be what the next bar's figures may begin from; `claimed` is a peak that only that bar's own equity explains."""

    session: int
    equity: float
    start: float
    peak: float
    claimed: float | None = None


def figures(world: World) -> Iterator[str]:
    """Yield what contradicts A8: a peak, or a day's start, that is no equity on record.

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
        case MachineSnapshot(name=name) if name == BETWEEN:
            peak = float(record.values["peak_equity"])
            known = peak in (standing.peak, standing.equity)
            return standing._replace(peak=peak, claimed=None if known else peak)
        case _:
            return standing


def _contradicted(before: _Standing, told: EquitySnapshot) -> Iterator[str]:
    """Yield what is wrong with a bar's figures: only at the first bar of a session may a review begin the peak anew."""
    new_session = told.session > before.session
    peaks = {max(before.peak, told.equity)} | ({max(before.equity, told.equity)} if new_session else set())
    if told.peak_equity not in peaks or before.claimed not in (None, told.equity):
        yield f"figures: bar {told.bar} has a peak of {told.peak_equity}, which is no equity on record: {before}"
    start = before.equity if new_session else before.start
    if told.day_start_equity != start:
        yield f"figures: bar {told.bar} has a day that began at {told.day_start_equity}, not at {start}"
