"""Relate return to risk; None where the ratio does not exist, never an infinity.

Returns are simple returns per bar, `periods_per_year` the bars in a year (252 for daily bars of US equities).
"""

from __future__ import annotations

import math

import numpy as np

from domain.bars import Floats

_RELATIVE_NOISE = 1e-12
"""Spread, relative to the largest return, below which returns are equal but for rounding."""


def sharpe_ratio(returns: Floats, periods_per_year: float, risk_free: float = 0.0) -> float | None:
    """Return the annualised Sharpe ratio (Sharpe 1994); None with fewer than two returns or without variance.

    `risk_free` is a rate per bar. The deviation is that of a sample (n - 1). Raises ValueError for returns that are
    not finite.
    """
    _require_finite(returns)
    if len(returns) < 2 or _is_constant(returns):
        return None
    excess = returns - risk_free
    deviation = float(np.std(excess, ddof=1))
    if deviation == 0.0:  # squares of the smallest floats vanish
        return None
    return float(np.mean(excess)) / deviation * math.sqrt(periods_per_year)


def sortino_ratio(returns: Floats, periods_per_year: float, target: float = 0.0) -> float | None:
    """Return the annualised Sortino ratio (Sortino and Price 1994); None when no return fell below `target`.

    `target` is a rate per bar. The downside deviation is taken over all returns, those above the target counting as
    0. Raises ValueError for returns that are not finite.
    """
    _require_finite(returns)
    shortfall = np.minimum(returns - target, 0.0)
    if not bool(np.any(shortfall < 0.0)):
        return None
    deviation = math.sqrt(float(np.mean(shortfall * shortfall)))
    if deviation == 0.0:  # as above
        return None
    return float(np.mean(returns - target)) / deviation * math.sqrt(periods_per_year)


def calmar_ratio(annual_growth: float | None, drawdown_depth: float) -> float | None:
    """Return annual growth over the deepest drawdown (Young 1991); None without growth or drawdown to speak of."""
    if annual_growth is None or drawdown_depth <= 0.0:
        return None
    return annual_growth / drawdown_depth


def _is_constant(returns: Floats) -> bool:
    spread = float(np.max(returns) - np.min(returns))
    return spread <= _RELATIVE_NOISE * float(np.max(np.abs(returns)))


def _require_finite(returns: Floats) -> None:
    if not bool(np.all(np.isfinite(returns))):
        raise ValueError("the returns have a value that is not finite")
