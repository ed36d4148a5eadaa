"""What a strategy returns is checked once, and what is wrong is an explicit failure (requirement A2)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from domain.bars import SymbolBars
from domain.codec import decode, encode
from domain.signals import Signal, SignalFailure
from domain.strategies.checking import Answer, Failed, FailureKind, answer, checked
from domain.strategies.protocol import Fault, SignalArrays, StrategyDefinition, StrategyInstance
from tests.unit.domain.strategies.series import bars_of

N = 3
ONES = np.ones(N)
HALF = np.full(N, 0.5)


@pytest.mark.parametrize(
    ("arrays", "kind", "text"),
    [
        (None, FailureKind.EMPTY, "None"),
        ((np.array([]), np.array([])), FailureKind.EMPTY, "direction is empty"),
        ((ONES, []), FailureKind.EMPTY, "confidence is empty"),
        (ONES, FailureKind.WRONG_SHAPE, "ndarray instead of SignalArrays"),
        ((ONES,), FailureKind.WRONG_SHAPE, "tuple"),
        ((ONES, HALF, None, None), FailureKind.WRONG_SHAPE, "tuple"),
        ("buy", FailureKind.WRONG_SHAPE, "str"),
        ((ONES[:2], HALF), FailureKind.WRONG_SHAPE, r"direction has shape \(2,\); \(3,\)"),
        ((ONES, np.ones((N, 1))), FailureKind.WRONG_SHAPE, "confidence has shape"),
        ((1, HALF), FailureKind.WRONG_SHAPE, r"direction has shape \(\)"),
        ((ONES, HALF, np.zeros(4, np.int8)), FailureKind.WRONG_SHAPE, "faults has shape"),
        ((np.array(["a", "b", "c"]), HALF), FailureKind.WRONG_SHAPE, "direction has dtype <U1"),
        ((ONES.astype(object), HALF), FailureKind.WRONG_SHAPE, "dtype object"),
        ((ONES, HALF.astype(complex)), FailureKind.WRONG_SHAPE, "dtype complex128"),
        (([[1], [1, 2], [3]], HALF), FailureKind.WRONG_SHAPE, "direction is not an array"),
    ],
)
def test_answer_of_the_wrong_kind_is_a_failure(arrays: Any, kind: FailureKind, text: str) -> None:
    result = checked(arrays, N)
    assert isinstance(result, Failed)
    assert result.kind is kind
    assert re.search(text, result.error)


@pytest.mark.parametrize(
    ("direction", "confidence", "fault", "expected"),
    [
        (1.0, 0.75, 0, Signal("X", 1, 0.75)),
        (0.0, 0.0, 0, Signal("X", 0, 0.0)),
        (-1.0, 1.0, 0, Signal("X", -1, 1.0)),
        (math.nan, 0.5, 0, FailureKind.NOT_FINITE),
        (1.0, math.nan, 0, FailureKind.NOT_FINITE),
        (0.0, math.nan, 0, FailureKind.NOT_FINITE),
        (math.inf, 0.5, 0, FailureKind.NOT_FINITE),
        (1.0, -math.inf, 0, FailureKind.NOT_FINITE),
        (2.0, 0.5, 0, FailureKind.OUT_OF_RANGE),
        (0.5, 0.5, 0, FailureKind.OUT_OF_RANGE),
        (1.0, 1.0000001, 0, FailureKind.OUT_OF_RANGE),
        (1.0, -0.0000001, 0, FailureKind.OUT_OF_RANGE),
        (1.0, 0.5, Fault.ZERO_VARIANCE, FailureKind.ZERO_VARIANCE),
        (1.0, 0.5, Fault.NO_VOLUME, FailureKind.NO_VOLUME),
        (1.0, 0.5, 9, FailureKind.OUT_OF_RANGE),
    ],
)
def test_each_bar_is_judged_by_itself(
    direction: float, confidence: float, fault: int, expected: Signal | FailureKind
) -> None:
    arrays = (
        np.array([1.0, direction, 0.0]),
        np.array([0.5, confidence, 0.0]),
        np.array([0, fault, 0], np.int8),
    )
    result = checked(arrays, N)
    assert isinstance(result, Answer)
    verdict = result.verdict(1, "X")
    assert (verdict.kind if isinstance(verdict, Failed) else verdict) == expected
    assert result.verdict(0, "X") == Signal("X", 1, 0.5)
    assert result.verdicts(0, "X")[0] == Signal("X", 1, 0.5)
    assert result.verdicts(1, "X")[0] == verdict
    assert result.verdicts(2, "X") == [Signal("X", 0, 0.0)]


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
def test_any_real_dtype_is_taken(dtype: type) -> None:
    result = checked(SignalArrays(np.array([1, -1, 0], dtype), np.array([1, 0, 1], dtype)), N)
    assert isinstance(result, Answer)
    assert result.verdicts(0, "X") == [Signal("X", 1, 1.0), Signal("X", -1, 0.0), Signal("X", 0, 1.0)]
    assert type(result.verdict(0, "X").direction) is int  # type: ignore[union-attr]


def test_lists_are_taken_too() -> None:
    result = checked(([True, False, True], [1, 0, 1]), N)
    assert isinstance(result, Answer)
    assert result.verdict(0, "X") == Signal("X", 1, 1.0)


@dataclass(frozen=True)
class NoParameters:
    pass


def raising(bars: SymbolBars, params: Any) -> SignalArrays:
    raise ZeroDivisionError("no bars sold")


def test_what_a_strategy_raises_is_a_failure_with_its_trace() -> None:
    definition = StrategyDefinition(
        name="raising",
        summary="s",
        source="s",
        parameters=NoParameters,
        ranges={},
        warmup=lambda _: 1,
        signals=raising,
    )
    instance = StrategyInstance(strategy_id="r1", definition=definition, parameters=NoParameters())
    result = answer(instance, bars_of([1.0, 2.0]))
    assert isinstance(result, Failed)
    failure = result.of("r1", "X")
    assert (failure.strategy, failure.symbol, failure.kind) == ("r1", "X", "raised")
    assert failure.error == "ZeroDivisionError: no bars sold"
    assert "in raising" in failure.traceback


def leaving(bars: SymbolBars, params: Any) -> SignalArrays:
    raise SystemExit(0)


def test_a_strategy_that_asks_python_to_exit_fails_alone() -> None:
    """A2: whatever a stranger's code raises is its own failure."""
    definition = StrategyDefinition(
        name="leaving",
        summary="s",
        source="s",
        parameters=NoParameters,
        ranges={},
        warmup=lambda _: 1,
        signals=leaving,
    )
    result = answer(
        StrategyInstance(strategy_id="l1", definition=definition, parameters=NoParameters()), bars_of([1.0])
    )
    assert isinstance(result, Failed)
    assert (result.kind, result.error) == ("raised", "SystemExit: 0")


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Untraceable(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Unreadable:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Wordless


@pytest.mark.parametrize(
    ("thrown", "told"),
    [
        (Wordless, "Wordless: (it has no words: its __str__ raised RuntimeError)"),
        (Untraceable, "Untraceable: gone \\ud800"),
        (ValueError, "ValueError: gone \\ud800"),
    ],
)
def test_a_failure_whose_own_words_fail_is_a_failure_like_any_other(
    thrown: type[Exception], told: str
) -> None:
    """A2: what tells of a stranger's exception must not fail of it, nor the wire that carries it."""

    def signals(bars: SymbolBars, params: Any) -> SignalArrays:
        raise thrown("gone \ud800")

    failure = failed(signals)
    assert (failure.kind, failure.error) == ("raised", told)
    assert thrown.__name__ in failure.traceback
    assert decode(encode((failure,))) == (failure,)


def test_an_answer_that_raises_when_it_is_read_is_a_failure() -> None:
    answered = failed(lambda bars, params: SignalArrays(Unreadable(), HALF))  # type: ignore[arg-type]
    assert answered.kind == "raised"
    assert answered.error.startswith("Wordless: ")


def failed(signals: Callable[[SymbolBars, Any], SignalArrays]) -> SignalFailure:
    definition = StrategyDefinition(
        name="stranger",
        summary="s",
        source="s",
        parameters=NoParameters,
        ranges={},
        warmup=lambda _: 1,
        signals=signals,
    )
    instance = StrategyInstance(strategy_id="s1", definition=definition, parameters=NoParameters())
    result = answer(instance, bars_of([1.0, 2.0, 3.0]))
    assert isinstance(result, Failed)
    return result.of("s1", "X")


class _Trap(np.ndarray):
    """Be an array that ends the process when an entry is read."""

    def __getitem__(self, key: Any) -> Any:
        raise SystemExit(1)


def test_what_an_array_of_a_strangers_does_when_read_is_not_done() -> None:
    """Found by a checker: inline it ended the engine without a word."""
    column = np.ones(3).view(_Trap)
    result = checked(SignalArrays(column, column), 3)
    assert isinstance(result, Answer)
    assert result.verdict(-1, "A") == Signal("A", 1, 1.0)
