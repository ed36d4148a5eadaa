"""Define a strategy for benchmarks that fails at every bar. Loaded as a user's strategy file."""

from __future__ import annotations

from dataclasses import dataclass

from domain.bars import SymbolBars
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingParameters:
    """Set nothing of interest."""

    length: int = 1


def _warmup(params: FailingParameters) -> int:
    return params.length


def _signals(bars: SymbolBars, params: FailingParameters) -> SignalArrays:
    raise ValueError(f"planted, at {len(bars)} bars and length {params.length}")


FAILING = StrategyDefinition(
    name="failing",
    summary="Fails: for benchmarks of what follows.",
    source="benchmarks/bench_breaker.py",
    parameters=FailingParameters,
    ranges={"length": Range(1, 10, 1)},
    warmup=_warmup,
    signals=_signals,
)
