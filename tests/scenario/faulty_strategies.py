"""Strategies that go wrong in every way that is not their engine's fault (requirements A2, B1, C4)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from domain.bars import SymbolBars
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition

SOUND_BARS = 20
"""Bars after which the faults begin: the others have something to trade on before."""
_leaked: list[bytes] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Set nothing that matters."""

    period: int = 5


def _quiet(bars: SymbolBars) -> SignalArrays:
    n = len(bars.close)
    return SignalArrays(np.zeros(n, np.int8), np.zeros(n), np.zeros(n, np.int8))


def _raise(bars: SymbolBars) -> None:
    if len(bars.close) % 3 == 0:
        raise ValueError("every third bar")


def _hang(bars: SymbolBars) -> None:
    time.sleep(3_600)


def _leak(bars: SymbolBars) -> None:
    _leaked.append(b"x" * (50 * 2**20))


def _exit(bars: SymbolBars) -> None:
    os._exit(3)


def _faulty(name: str, fault: Callable[[SymbolBars], None]) -> StrategyDefinition:
    def signals(bars: SymbolBars, params: Nothing) -> SignalArrays:
        if len(bars.close) > SOUND_BARS:
            fault(bars)
        return _quiet(bars)

    return StrategyDefinition(
        name=name,
        summary="Goes wrong.",
        source="none: it is there to go wrong",
        parameters=Nothing,
        ranges={"period": Range(5, 50, 5)},
        warmup=lambda params: params.period,
        signals=signals,
    )


RAISES = _faulty("raises", _raise)
HANGS = _faulty("hangs", _hang)
LEAKS = _faulty("leaks", _leak)
EXITS = _faulty("exits", _exit)
