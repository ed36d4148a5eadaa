"""Say what a strategy is: a named pure function from bars to directions and confidences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import SymbolBars


class Fault(IntEnum):
    """Name what a rule may declare about one bar on which it cannot answer; the bar fails, not the block."""

    NONE = 0
    ZERO_VARIANCE = 1
    NO_VOLUME = 2


class SignalArrays(NamedTuple):
    """Be a strategy's answer: one entry per bar.

    `direction` is in {-1, 0, 1} (int8), `confidence` in [0, 1] (float64).
    `faults` (int8 codes of `Fault`, or None for no fault) marks bars on which the rule is undefined. A
    confidence of NaN also fails its bar. Entries before the warm-up are never read.
    """

    direction: NDArray[np.int8]
    confidence: NDArray[np.float64]
    faults: NDArray[np.int8] | None = None


class Range(NamedTuple):
    """Bound a parameter: `low <= value <= high`; `step` spaces a grid search."""

    low: float
    high: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyDefinition:
    """Define a strategy.

    `parameters` is a frozen dataclass type with defaults; `ranges` bounds each of its numeric fields;
    `warmup(params)` is the number of bars before the first that may carry a signal; `signals(bars, params)`
    is pure and returns one entry per bar of `bars`; entry i, and whether the function raises, depends on bars
    0..i only, to the last bit. `source` cites where the rule comes from.
    """

    name: str
    summary: str
    source: str
    parameters: type[Any]
    ranges: dict[str, Range]
    warmup: Callable[[Any], int]
    signals: Callable[[SymbolBars, Any], SignalArrays]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyInstance:
    """Be one configured use of a strategy; `strategy_id` names it in signals, votes and records."""

    strategy_id: str
    definition: StrategyDefinition
    parameters: Any

    @property
    def warmup(self) -> int:
        """Return the number of bars before the first that may carry a signal."""
        return self.definition.warmup(self.parameters)
