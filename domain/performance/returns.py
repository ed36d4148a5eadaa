"""Measure growth and falls of an equity curve.

An equity curve is a float64 array of positive values, oldest first, that begins with the opening equity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.bars import Floats

NS_PER_YEAR = 365.25 * 86_400e9
"""Nanoseconds in a Julian year, by which growth is annualised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """Describe the deepest fall: `depth` is a fraction of the peak, indices are places in the curve.

    `length` counts bars from the peak to the recovery, or to the curve's end where there was none (None).
    """

    depth: float
    peak_index: int
    trough_index: int
    recovery_index: int | None
    length: int


def simple_returns(equity: Floats) -> Floats:
    """Return each bar's change as a fraction of the value before it; one entry fewer than `equity`.

    Raises ValueError when a value is not finite and positive: a return on nothing means nothing.
    """
    _require_curve(equity)
    return np.asarray(equity[1:] / equity[:-1] - 1.0)


def total_return(equity: Floats) -> float:
    """Return the whole change as a fraction of the opening equity. Raises ValueError as `simple_returns` does."""
    _require_curve(equity)
    return float(equity[-1] / equity[0] - 1.0)


def annual_growth(equity: Floats, elapsed_ns: int) -> float | None:
    """Return the compound annual growth rate (CAGR) over `elapsed_ns`; None when no time has passed.

    Raises ValueError as `simple_returns` does.
    """
    _require_curve(equity)
    if elapsed_ns <= 0:
        return None
    return float((equity[-1] / equity[0]) ** (NS_PER_YEAR / elapsed_ns) - 1.0)


def deepest_drawdown(equity: Floats) -> Drawdown:
    """Return the deepest fall from a peak (the first, among equals); depth 0.0 for a curve that never falls."""
    _require_curve(equity)
    peaks = np.maximum.accumulate(equity)
    trough = int(np.argmax(1.0 - equity / peaks))
    peak = int(np.argmax(equity[: trough + 1]))
    later = np.flatnonzero(equity[trough:] >= equity[peak])
    recovery = trough + int(later[0]) if later.size else None
    end = len(equity) - 1 if recovery is None else recovery
    return Drawdown(
        depth=float(1.0 - equity[trough] / equity[peak]),
        peak_index=peak,
        trough_index=trough,
        recovery_index=recovery,
        length=end - peak,
    )


def longest_under_water(equity: Floats) -> int:
    """Return the most bars in a row that lay below an earlier peak."""
    _require_curve(equity)
    below = equity < np.maximum.accumulate(equity)
    longest = run = 0
    for under in below.tolist():
        run = run + 1 if under else 0
        longest = max(longest, run)
    return longest


def _require_curve(equity: Floats) -> None:
    if len(equity) == 0:
        raise ValueError("the equity curve is empty")
    if not bool(np.all(np.isfinite(equity) & (equity > 0.0))):
        raise ValueError("the equity curve has a value that is not a finite number above 0")
