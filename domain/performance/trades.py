"""Summarise round trips: how often they won, by how much, for how long; None where a figure does not exist."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """Hold a win rate with its 95 % interval, all as fractions."""

    wins: int
    trades: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeSummary:
    """Hold the figures of a set of round trips; money in micro-units, durations in bars.

    `profit_factor` is gross profit over gross loss: None without a loss. `expectancy_micro` is the mean profit.
    """

    trades: int
    win_rate: WinRate | None
    gross_profit_micro: int
    gross_loss_micro: int
    profit_factor: float | None
    expectancy_micro: float | None
    average_win_micro: float | None
    average_loss_micro: float | None
    average_bars_held: float | None


def win_rate(wins: int, trades: int) -> WinRate | None:
    """Return the share of `wins` with its 95 % interval after Wilson (1927); None without trades.

    Raises ValueError when `wins` does not lie between 0 and `trades`.
    """
    if not 0 <= wins <= trades:
        raise ValueError(f"{wins} wins of {trades} trades; wins must lie between 0 and the number of trades")
    if trades == 0:
        return None
    rate = wins / trades
    weight = Z_95 * Z_95 / trades
    centre = (rate + weight / 2.0) / (1.0 + weight)
    spread = Z_95 / (1.0 + weight) * math.sqrt(rate * (1.0 - rate) / trades + weight / (4.0 * trades))
    low, high = max(0.0, centre - spread), min(1.0, centre + spread)
    # The bounds are exact at the ends; rounding must not put them beside it.
    return WinRate(
        wins=wins,
        trades=trades,
        rate=rate,
        low=0.0 if wins == 0 else low,
        high=1.0 if wins == trades else high,
    )


def summarise(profits_micro: Sequence[int], bars_held: Sequence[int]) -> TradeSummary:
    """Return the figures of round trips given each one's profit (net of costs, with dividends) and duration.

    A trade wins when its profit is above 0; one of exactly 0 is neither a win nor a loss, but counts as a trade.
    Raises ValueError when the two differ in length.
    """
    if len(profits_micro) != len(bars_held):
        raise ValueError(f"{len(profits_micro)} profits but {len(bars_held)} durations")
    wins = [profit for profit in profits_micro if profit > 0]
    losses = [-profit for profit in profits_micro if profit < 0]
    count = len(profits_micro)
    gained, lost = sum(wins), sum(losses)
    return TradeSummary(
        trades=count,
        win_rate=win_rate(len(wins), count),
        gross_profit_micro=gained,
        gross_loss_micro=lost,
        profit_factor=gained / lost if lost else None,
        expectancy_micro=(gained - lost) / count if count else None,
        average_win_micro=gained / len(wins) if wins else None,
        average_loss_micro=lost / len(losses) if losses else None,
        average_bars_held=sum(bars_held) / count if count else None,
    )
