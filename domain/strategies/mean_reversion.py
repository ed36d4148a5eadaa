"""Buy what fell far below its average: Bollinger bands, taken against the move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.bars import SymbolBars
from domain.strategies.grading import graded
from domain.strategies.indicators import (
    DEVIATION_FLOOR,
    rolling_deviation,
    rolling_max,
    rolling_mean,
    rolling_min,
)
from domain.strategies.protocol import Fault, Range, SignalArrays, StrategyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanReversionParameters:
    """Set the window of the bands in bars, their width and the grading in deviations of the close."""

    period: int = 20
    threshold: float = 2.0
    span: float = 1.0


def _warmup(params: MeanReversionParameters) -> int:
    return params.period - 1


def _signals(bars: SymbolBars, params: MeanReversionParameters) -> SignalArrays:
    """Score = (average - close) / deviation over the period, so that a close below its band is positive."""
    # Relative to the first close: TA-Lib 0.6 takes a variance below 1e-14 for none, and a price may be 1e-8.
    close = bars.close / bars.close[0]
    period = params.period
    deviation = rolling_deviation(close, period)
    average = rolling_mean(close, period)
    still = rolling_max(close, period) == rolling_min(close, period)
    flat = still | (deviation <= DEVIATION_FLOOR * average)
    score = np.where(flat, 0.0, (average - close) / np.where(flat, 1.0, deviation))
    return graded(score, params.threshold, params.span, flat * np.int8(Fault.ZERO_VARIANCE))


MEAN_REVERSION = StrategyDefinition(
    name="mean_reversion",
    summary="Long while the close is below its lower Bollinger band, out while it is above the upper one.",
    source="J. Bollinger, Bollinger on Bollinger Bands (2001), %b and the bands as relative highs and lows",
    parameters=MeanReversionParameters,
    ranges={
        "period": Range(5, 120, 5),
        "threshold": Range(0.5, 3.0, 0.25),
        "span": Range(0.25, 3.0, 0.25),
    },
    warmup=_warmup,
    signals=_signals,
)
