"""A strategy that buys at every bar, whatever became of the order before: what ran away with Knight Capital in 2012."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.bars import SymbolBars
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParameters:
    """Set how sure it is."""

    confidence: float = 0.9


def _signals(bars: SymbolBars, params: LoopParameters) -> SignalArrays:
    return SignalArrays(np.ones(len(bars), np.int8), np.full(len(bars), params.confidence))


LOOPS = StrategyDefinition(
    name="loops",
    summary="Buys at every bar.",
    source="none: it is there to run away",
    parameters=LoopParameters,
    ranges={"confidence": Range(0.6, 1.0, 0.1)},
    warmup=lambda params: 1,
    signals=_signals,
)
