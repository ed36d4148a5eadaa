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

    @property
    def cause(self) -> str:
        """Return what went wrong without a stranger's words: they may name an address, and differ from run to run."""
        return self.error.partition(":")[0] if self.traceback else self.error


def speaker_name(strategy: str, part: int, parts: int) -> str:
    """Return what one that speaks goes by: a strategy's id, or "id/2" for the second part of its symbols."""
    return strategy if parts == 1 else f"{strategy}/{part}"


def strategy_of(speaker: str) -> str:
    """Return the id of the strategy for which `speaker` speaks."""
    return speaker.partition("/")[0]
