"""Count strategy failures: in a row, by strategy and symbol, and as a rate of late evaluations (requirement B5)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from domain.records import HaltTrigger
from domain.risk.limits import HaltPolicy

HISTORY = 100
"""Failed evaluations kept for people to read."""
WORDS = 200
"""Characters of each that are kept: the trail has them all."""


class FailureTracker:
    """Record each evaluation of a strategy, failed or not, and say when failures call for a halt.

    An evaluation is one strategy at one bar; it fails when not one of its symbols could be evaluated.
    """

    def __init__(self, policy: HaltPolicy, saved: Mapping[str, Any] | None = None) -> None:
        """Start without failures, or where `saved` (the values of `to_values`) left off."""
        values = saved or {}
        self._policy = policy
        self._window: deque[int] = deque(map(int, values.get("window", ())), maxlen=policy.failure_window)
        self._in_a_row = int(values.get("in_a_row", 0))
        self.consecutive: Counter[str] = Counter(values.get("consecutive", {}))
        self.totals: Counter[str] = Counter(values.get("totals", {}))
        self.symbols: Counter[str] = Counter(values.get("symbols", {}))
        self.symbols_in_a_row: Counter[str] = Counter(values.get("symbols_in_a_row", {}))
        self.history: deque[tuple[int, str, str]] = deque(
            ((bar, name, error) for bar, name, error in values.get("history", ())), maxlen=HISTORY
        )

    def succeeded(self, strategy: str) -> None:
        """Record an evaluation that gave signals or abstained."""
        self._window.append(0)
        self._in_a_row = 0
        if strategy in self.consecutive:
            del self.consecutive[strategy]

    def failed(self, strategy: str, bar: int, error: str) -> None:
        """Record an evaluation that failed."""
        self._window.append(1)
        self._in_a_row += 1
        self.consecutive[strategy] += 1
        self.totals[strategy] += 1
        self.history.append((bar, strategy, error[:WORDS]))

    def failed_on(self, symbol: str) -> None:
        """Record that a strategy failed on one symbol; the evaluation may have succeeded on others."""
        self.symbols[symbol] += 1

    def bar_over(self, failed: Collection[str], traded: Iterable[str]) -> None:
        """Count bars in a row at which any strategy failed on a symbol; one of `traded` on which none did ends them."""
        if self.symbols_in_a_row:
            for symbol in traded:
                if symbol not in failed:
                    self.symbols_in_a_row.pop(symbol, None)
        if failed:
            self.symbols_in_a_row.update(sorted(failed))

    @property
    def rate(self) -> float:
        """Return the share of failures over the window, 0.0 while it holds too few evaluations to tell."""
        if len(self._window) < self._policy.failure_window_min:
            return 0.0
        return sum(self._window) / len(self._window)

    def halt_due(self) -> tuple[HaltTrigger, str] | None:
        """Return the trigger and its words when a threshold is passed, else None."""
        if self._in_a_row >= self._policy.max_consecutive_failures:
            return HaltTrigger.CONSECUTIVE_FAILURES, f"{self._in_a_row} evaluations failed in a row"
        if self.rate > self._policy.failure_rate:
            words = f"{sum(self._window)} of the last {len(self._window)} evaluations failed"
            return HaltTrigger.FAILURE_RATE, words
        return None

    def reset(self) -> None:
        """Forget the run and the window, as after a resumed halt; totals and history stay."""
        self._window.clear()
        self._in_a_row = 0
        self.consecutive.clear()
        self.symbols_in_a_row.clear()

    def forget(self, strategy: str) -> None:
        """Forget one strategy's failures in a row, as when a person releases it; those of the others still count."""
        self.consecutive.pop(strategy, None)
        self._in_a_row = min(self._in_a_row, self.consecutive.total())

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        return {
            "window": list(self._window),
            "in_a_row": self._in_a_row,
            "consecutive": dict(self.consecutive),
            "totals": dict(self.totals),
            "symbols": dict(self.symbols),
            "symbols_in_a_row": dict(self.symbols_in_a_row),
            "history": list(self.history),
        }

    def report(self) -> dict[str, Any]:
        """Return the state with the rate; `history` are (bar, strategy, error), oldest first."""
        return {**self.to_values(), "rate": self.rate}
