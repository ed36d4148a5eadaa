"""Say what a strategy says: a signal or an explicit failure, for one symbol at one bar."""

from __future__ import annotations

from typing import NamedTuple


class Signal(NamedTuple):
    """Be one strategy's view of one symbol at one bar: direction in {-1, 0, 1}, confidence in [0, 1]."""

    symbol: str
    direction: int
    confidence: float


class SignalFailure(NamedTuple):
    """Be one strategy's explicit failure on one symbol at one bar (requirement A2); never a signal."""

    strategy: str
    symbol: str
    kind: str
    error: str
    traceback: str
