"""Follow the trend: time-series momentum, scaled by volatility."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from domain.bars import SymbolBars
from domain.strategies.grading import graded
from domain.strategies.indicators import DEVIATION_FLOOR, rate_of_change, rolling_deviation
from domain.strategies.protocol import Fault, Range, SignalArrays, StrategyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentumParameters:
    """Set how far back the trend is measured and how strong it must be.

    `lookback` in bars; `threshold` and `span` in standard deviations of a return over `lookback` bars.
    """

    lookback: int = 60
    threshold: float = 0.25
    span: float = 1.25


def _warmup(params: MomentumParameters) -> int:
    return params.lookback


def _signals(bars: SymbolBars, params: MomentumParameters) -> SignalArrays:
    """Score = return over the lookback / (deviation of one-bar returns in it x sqrt(lookback))."""
    trend = rate_of_change(bars.close, params.lookback)
    deviation = rolling_deviation(rate_of_change(bars.close, 1), params.lookback)
    flat = deviation <= DEVIATION_FLOOR
    scale = np.where(flat, 1.0, deviation * math.sqrt(params.lookback))
    score = np.where(flat, 0.0, trend / scale)
    return graded(score, params.threshold, params.span, flat * np.int8(Fault.ZERO_VARIANCE))


MOMENTUM = StrategyDefinition(
    name="momentum",
    summary="Long while the return over the lookback is high for its volatility, out while it is low.",
    source="T. J. Moskowitz, Y. H. Ooi, L. H. Pedersen, Time series momentum, "
    "Journal of Financial Economics 104 (2012)",
    parameters=MomentumParameters,
    ranges={
        "lookback": Range(5, 260, 5),
        "threshold": Range(0.0, 2.0, 0.25),
        "span": Range(0.25, 3.0, 0.25),
    },
    warmup=_warmup,
    signals=_signals,
)
