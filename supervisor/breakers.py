"""Build circuit breakers with pybreaker, on the caller's time instead of the wall clock's (requirement B6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pybreaker

from domain.breakers import Breaker, BreakerState, BreakerTerms

_STATES = {
    pybreaker.STATE_CLOSED: BreakerState.CLOSED,
    pybreaker.STATE_OPEN: BreakerState.OPEN,
    pybreaker.STATE_HALF_OPEN: BreakerState.HALF_OPEN,
}
_NAMES = {state: name for name, state in _STATES.items()}
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
_NOT_YET = datetime(9000, 1, 1, tzinfo=UTC)


class _Failure(Exception):
    """Be the failed call that pybreaker is told of."""


class _GivenTime(pybreaker.CircuitMemoryStorage):
    """Keep a breaker's state, and answer by the time given when it opened: long ago, or not over yet.

    pybreaker compares that moment with the wall clock; only these two answers are the same at any speed of a replay.
    """

    def __init__(self, timeout_s: float, values: Mapping[str, Any]) -> None:
        super().__init__(_NAMES[BreakerState(values.get("state", BreakerState.CLOSED))])
        self.now_ns = 0
        self.opened_ns = int(values.get("opened_ns", 0))
        self._timeout_ns = round(timeout_s * 1e9)
        for _ in range(values.get("failures", 0)):
            self.increment_counter()
        for _ in range(values.get("successes", 0)):
            self.increment_success_counter()

    @property
    def is_over(self) -> bool:
        return self.now_ns - self.opened_ns >= self._timeout_ns

    @property
    def opened_at(self) -> datetime | None:
        return _LONG_AGO if self.is_over else _NOT_YET

    @opened_at.setter
    def opened_at(self, wall: datetime) -> None:
        del wall
        self.opened_ns = self.now_ns


class PyBreaker:
    """Be a breaker that pybreaker decides (port: `domain.breakers.Breaker`)."""

    def __init__(self, name: str, terms: BreakerTerms, values: Mapping[str, Any]) -> None:
        """Go on from `values`, empty for a closed breaker."""
        self._storage = _GivenTime(terms.timeout_s, values)
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=terms.failures,
            reset_timeout=terms.timeout_s,
            success_threshold=terms.successes,
            state_storage=self._storage,
            name=name,
        )

        self.state = BreakerState.CLOSED
        self._quiet = True
        self._look()

    def allows(self, at_ns: int) -> bool:
        """Say whether a call may pass; an open breaker whose time is over becomes half-open by this."""
        if self._quiet:
            return True
        self._storage.now_ns = at_ns
        if self.state is BreakerState.OPEN and self._storage.is_over:
            self._breaker.half_open()
            self._look()
        return self.state is not BreakerState.OPEN

    def succeeded(self, at_ns: int) -> None:
        """Note that a call that was let through succeeded."""
        if self._quiet:
            return  # nothing would change
        self._storage.now_ns = at_ns
        self._call(_succeed)

    def failed(self, at_ns: int) -> None:
        """Note that a call that was let through failed."""
        self._storage.now_ns = at_ns
        self._call(_fail)

    def to_values(self) -> Mapping[str, Any]:
        """Return the state to persist; empty for a breaker that has seen nothing since it closed."""
        if self._quiet:
            return {}
        storage = self._storage
        return {
            "state": self.state.value,
            "failures": storage.counter,
            "successes": storage.success_counter,
            "opened_ns": 0 if self.state is BreakerState.CLOSED else storage.opened_ns,
        }

    def _call(self, outcome: Any) -> None:
        try:
            self._breaker.call(outcome)
        except (_Failure, pybreaker.CircuitBreakerError):
            return  # the one is what was told, the other says that it opened the breaker: the state shows it
        finally:
            self._look()

    def _look(self) -> None:
        """Take over pybreaker's state: it is asked for several times a bar, and seldom anything else than quiet."""
        self.state = _STATES[self._storage.state]
        self._quiet = self.state is BreakerState.CLOSED and not self._storage.counter


def _succeed() -> None:
    return None


def _fail() -> None:
    raise _Failure


def build_breaker(name: str, terms: BreakerTerms, values: Mapping[str, Any]) -> Breaker:
    """Build a breaker (`domain.breakers.BreakerFactory`)."""
    return PyBreaker(name, terms, values)
