"""Run a strategy and check its answer, in one place; what is wrong becomes a failure, never a signal."""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import SymbolBars
from domain.error_texts import describe, traced
from domain.signals import Signal, SignalFailure
from domain.strategies.protocol import Fault, StrategyInstance

_NUMERIC_KINDS = "biuf"
_TRACEBACK_FRAMES = -12


class FailureKind(StrEnum):
    """Name why a strategy gave no usable answer (requirement A2)."""

    RAISED = "raised"
    EMPTY = "empty"
    WRONG_SHAPE = "wrong_shape"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    NO_VOLUME = "no_volume"
    ZERO_VARIANCE = "zero_variance"
    TIMEOUT = "timeout"
    """For the shell, which has a clock: the evaluation did not end in time."""


class Failed(NamedTuple):
    """Say what is wrong, before it is known with which strategy and symbol."""

    kind: FailureKind
    error: str
    traceback: str = ""

    def of(self, strategy: str, symbol: str) -> SignalFailure:
        """Return the failure as messages carry it."""
        return SignalFailure(strategy, symbol, self.kind, self.error, self.traceback)


class Answer(NamedTuple):
    """Hold an answer of the right shape; its entries are judged one by one by `verdict`."""

    direction: NDArray[Any]
    confidence: NDArray[Any]
    faults: NDArray[Any]

    def verdict(self, index: int, symbol: str) -> Signal | Failed:
        """Return entry `index` as a signal, or what is wrong with it."""
        return _verdict(
            symbol, self.direction.item(index), self.confidence.item(index), self.faults.item(index)
        )

    def verdicts(self, start: int, symbol: str) -> list[Signal | Failed]:
        """Return the entries from `start` on, each as `verdict` gives it."""
        direction, confidence, faults = self.direction[start:], self.confidence[start:], self.faults[start:]
        if _all_sound(direction, confidence, faults):
            rows = zip(repeat(symbol), direction.astype(int).tolist(), confidence.astype(float).tolist())
            return list(map(tuple.__new__, repeat(Signal), rows))  # as Signal._make, thrice as fast
        columns = zip(direction.tolist(), confidence.tolist(), faults.tolist(), strict=True)
        return [_verdict(symbol, *row) for row in columns]


def _all_sound(direction: NDArray[Any], confidence: NDArray[Any], faults: NDArray[Any]) -> bool:
    """Return whether `_verdict` would find nothing wrong with any entry, as is usual for a whole block."""
    in_range = (confidence >= 0.0) & (confidence <= 1.0)
    known = (direction == 0) | (direction == 1) | (direction == -1)
    return not faults.any() and bool(in_range.all() and known.all())


_FAULTS = {
    Fault.ZERO_VARIANCE: Failed(
        FailureKind.ZERO_VARIANCE,
        "the rule divides by a deviation, and no price in its window differs from another",
    ),
    Fault.NO_VOLUME: Failed(
        FailureKind.NO_VOLUME,
        "the rule weighs by volume, and its window has bars without volume, or no volume at all",
    ),
}


def _verdict(symbol: str, direction: float, confidence: float, fault: float) -> Signal | Failed:
    if fault != Fault.NONE:
        known = _FAULTS.get(fault)  # type: ignore[call-overload]  # an unknown code is any number
        return known or Failed(
            FailureKind.OUT_OF_RANGE, f"fault code {fault!r}; allowed: {[*map(int, Fault)]}"
        )
    if not (math.isfinite(direction) and math.isfinite(confidence)):
        return Failed(
            FailureKind.NOT_FINITE, f"direction {direction!r}, confidence {confidence!r}; both must be finite"
        )
    if direction not in (-1, 0, 1):
        return Failed(FailureKind.OUT_OF_RANGE, f"direction {direction!r}; allowed: -1, 0, 1")
    if not 0.0 <= confidence <= 1.0:
        return Failed(FailureKind.OUT_OF_RANGE, f"confidence {confidence!r}; allowed: 0 to 1")
    return Signal(symbol, int(direction), float(confidence))


def checked(arrays: object, n: int) -> Answer | Failed:
    """Return a strategy's answer for `n` bars as numeric columns of that length, or what is wrong with it."""
    if arrays is None:
        return Failed(FailureKind.EMPTY, "the strategy returned None instead of SignalArrays")
    if not isinstance(arrays, tuple) or len(arrays) not in (2, 3):
        return Failed(
            FailureKind.WRONG_SHAPE, f"the strategy returned {type(arrays).__name__} instead of SignalArrays"
        )
    faults = arrays[2] if len(arrays) == 3 and arrays[2] is not None else np.zeros(n, np.int8)
    given = (arrays[0], arrays[1], faults)
    if _is_column(given[0], n) and _is_column(given[1], n) and _is_column(given[2], n):
        return Answer(*given)  # as nearly always: nothing is looked for that is not there
    columns = []
    for name, values in zip(("direction", "confidence", "faults"), given, strict=True):
        column = _column(name, values, n)
        if isinstance(column, Failed):
            return column
        columns.append(column)
    return Answer(*columns)


def _is_column(values: Any, n: int) -> bool:
    return (
        type(values) is np.ndarray and values.shape == (n,) and values.dtype.kind in _NUMERIC_KINDS and n > 0
    )


def _column(name: str, values: Any, n: int) -> NDArray[Any] | Failed:
    try:
        column = np.asarray(values)  # a plain array, whatever it was: nothing of a stranger's is asked later
    except ValueError as error:
        why = f"{name} is not an array: {error}"
        return Failed(FailureKind.WRONG_SHAPE, why, traced(error, _TRACEBACK_FRAMES))
    if column.size == 0 and n:
        return Failed(FailureKind.EMPTY, f"{name} is empty; {n} entries were expected, one per bar")
    if column.shape != (n,):
        return Failed(
            FailureKind.WRONG_SHAPE,
            f"{name} has shape {column.shape}; ({n},) was expected, one entry per bar",
        )
    if column.dtype.kind not in _NUMERIC_KINDS:
        return Failed(
            FailureKind.WRONG_SHAPE, f"{name} has dtype {column.dtype}; a real number per bar was expected"
        )
    return column


def answer(instance: StrategyInstance, bars: SymbolBars) -> Answer | Failed:
    """Return what `instance` says about each of `bars`, checked; whatever it raises becomes a failure."""
    try:
        # Checked in here too: to read a stranger's objects is to run a stranger's code.
        return checked(instance.definition.signals(bars, instance.parameters), len(bars))
    except (
        BaseException
    ) as error:  # a stranger's code: whatever it raises, SystemExit too, is its own failure
        return Failed(FailureKind.RAISED, describe(error), traced(error, _TRACEBACK_FRAMES))
