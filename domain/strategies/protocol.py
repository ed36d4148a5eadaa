"""Say what a strategy is: a named pure function from bars to directions and confidences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import SymbolBars


class SignalArrays(NamedTuple):
    """Be a strategy's answer, one entry per bar: `direction` in {-1, 0, 1} (int8), `confidence` in [0, 1] (float64)."""

    direction: NDArray[np.int8]
    confidence: NDArray[np.float64]


class Range(NamedTuple):
    """Bound a parameter: `low <= value <= high`; `step` spaces a grid search."""

    low: float
    high: float
    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyDefinition:
    """Define a strategy.

    `parameters` is a frozen dataclass type with defaults; `ranges` bounds each of its numeric fields; `warmup(params)`
    is the number of bars before the first that may carry a signal; `signals(bars, params)` is pure and returns one
    entry per bar of `bars`; entry i depends on bars 0..i only. `source` cites where the rule comes from.
    """

    name: str
    summary: str
    source: str
    parameters: type[Any]
    ranges: dict[str, Range]
    warmup: Callable[[Any], int]
    signals: Callable[[SymbolBars, Any], SignalArrays]
