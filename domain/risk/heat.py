"""Measure portfolio heat: what is lost if every stop is hit at its price, as a fraction of equity (requirement A6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from domain.risk.bounds import reaches


def position_risk(value_usd: float, stop_pct: float, equity: float) -> float:
    """Return what one position loses at its stop, as a fraction of `equity` (infinite when equity is not positive)."""
    if value_usd == 0.0:
        return 0.0
    if not (equity > 0.0):
        return math.inf
    if value_usd < 0.0:
        return -value_usd * stop_pct / equity
    return value_usd * stop_pct / equity


def portfolio_heat(positions: Iterable[tuple[float, float]], equity: float) -> float:
    """Return the sum of `position_risk` over (signed value in USD, stop fraction) pairs, added in the order given.

    Pass positions sorted by symbol, so that every run adds in the same order.
    """
    heat = 0.0
    for value_usd, stop_pct in positions:
        heat = heat + position_risk(value_usd, stop_pct, equity)
    return heat


def heat_level(heat: float, warnings: Sequence[float]) -> int:
    """Return how many of the rising `warnings` (fractions of equity) `heat` has reached."""
    level = 0
    for warning in warnings:
        if reaches(heat, warning):
            level += 1
    return level
