"""Measure what a session achieved, from its equity after each bar and its round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.bars import Floats
from domain.performance.ratios import calmar_ratio, sharpe_ratio, sortino_ratio
from domain.performance.returns import annual_growth, deepest_drawdown, simple_returns, total_return
from domain.performance.trades import WinRate, summarise
from domain.positions import Trade
from domain.records import EquitySnapshot

SESSIONS_PER_YEAR = 252
DAYS_PER_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Hold a session's figures; fractions as fractions, None where a figure would mean nothing.

    Sharpe and Sortino are of session returns, annualised, above a rate of zero. `drawdown_bars` counts from the peak to
    the recovery.
    """

    equity: float
    total_return: float
    annual_growth: float | None
    max_drawdown: float
    drawdown_bars: int
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    win_rate: WinRate | None
    profit_factor: float | None
    average_bars_held: float | None


def measure(
    initial_equity: float, equity: Sequence[EquitySnapshot], trades: Sequence[Trade], *, continuous: bool
) -> Measures:
    """Return the figures of `equity` (by bar) and `trades`; `continuous` markets have 365 sessions a year, not 252."""
    curve = np.array([initial_equity, *(snapshot.equity for snapshot in equity)])
    closing = {snapshot.session: snapshot.equity for snapshot in equity}
    if not bool(np.all(curve > 0.0)):
        return _ruined(curve, trades)
    daily = simple_returns(np.array([initial_equity, *closing.values()]))
    periods = DAYS_PER_YEAR if continuous else SESSIONS_PER_YEAR
    growth = annual_growth(curve, equity[-1].at_ns - equity[0].at_ns) if equity else None
    fall = deepest_drawdown(curve)
    tripped = summarise([trade.total_micro for trade in trades], [trade.bars_held for trade in trades])
    return Measures(
        equity=float(curve[-1]),
        total_return=total_return(curve),
        annual_growth=growth,
        max_drawdown=fall.depth,
        drawdown_bars=fall.length,
        sharpe=sharpe_ratio(daily, periods),
        sortino=sortino_ratio(daily, periods),
        calmar=calmar_ratio(growth, fall.depth),
        win_rate=tripped.win_rate,
        profit_factor=tripped.profit_factor,
        average_bars_held=tripped.average_bars_held,
    )


def _ruined(curve: Floats, trades: Sequence[Trade]) -> Measures:
    """Return the figures of an account that lost all it had, or more: growth and ratios mean nothing then."""
    tripped = summarise([trade.total_micro for trade in trades], [trade.bars_held for trade in trades])
    peak = float(np.max(curve))
    return Measures(
        equity=float(curve[-1]),
        total_return=float(curve[-1] / curve[0] - 1.0),
        annual_growth=None,
        max_drawdown=float((peak - np.min(curve)) / peak),
        drawdown_bars=len(curve) - 1 - int(np.argmax(curve)),
        sharpe=None,
        sortino=None,
        calmar=None,
        win_rate=tripped.win_rate,
        profit_factor=tripped.profit_factor,
        average_bars_held=tripped.average_bars_held,
    )
