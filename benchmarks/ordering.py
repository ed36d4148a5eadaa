"""Define a strategy for benchmarks that makes an order at every bar, or at every second: in by one, out by the next.

Loaded as a user's strategy file; only the symbol that is named first, by the alphabet of the benchmark, gets signals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.bars import SymbolBars
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

TRADED = "A000"
"""The one symbol with signals: the order path is the same with one symbol and with 500."""

_AT_EACH = np.array([-1, 1, -1, 1], np.int8)
_AT_EACH_SECOND = np.array([1, 0, -1, 0], np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderingParameters:
    """Set how sure it is, and whether it rests on the day after an order, on which that is filled."""

    confidence: float = 0.9
    rests: float = 0.0


def _warmup(params: OrderingParameters) -> int:
    del params
    return 1


def _signals(bars: SymbolBars, params: OrderingParameters) -> SignalArrays:
    count = len(bars)
    if bars.symbol != TRADED:
        return SignalArrays(np.zeros(count, np.int8), np.zeros(count))
    # Two trading days that follow each other are one or three days apart, so every second one is odd.
    pattern = _AT_EACH if params.rests == 0.0 else _AT_EACH_SECOND
    return SignalArrays(pattern.take(bars.session & 3), np.full(count, params.confidence))


ORDERING = StrategyDefinition(
    name="ordering",
    summary="In by one order, out by the next: for benchmarks of the order path.",
    source="benchmarks/bench_order_path.py",
    parameters=OrderingParameters,
    ranges={"confidence": Range(0.6, 1.0, 0.1), "rests": Range(0.0, 1.0, 1.0)},
    warmup=_warmup,
    signals=_signals,
)
