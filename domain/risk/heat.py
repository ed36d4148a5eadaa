"""Measure portfolio heat: what is lost if every stop is hit at its price, as a fraction of equity (requirement A6)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import IntEnum

from domain.risk.bounds import reaches

WARNING_SHARES = (0.6, 0.8, 1.0)
"""Shares of the heat limit at which a warning is due: 15 %, 20 % and 25 % of equity at the default limit of 25 %."""


class HeatLevel(IntEnum):
    """Grade heat by how many of the warning shares it has reached."""

    NORMAL = 0
    RAISED = 1
    HIGH = 2
    AT_LIMIT = 3


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


def heat_level(heat: float, max_portfolio_heat: float) -> HeatLevel:
    """Return how near `heat` is to its limit; the last level says that nothing is left, not that it is exceeded."""
    level = 0
    for share in WARNING_SHARES:
        if reaches(heat, share * max_portfolio_heat):
            level += 1
    return HeatLevel(level)
