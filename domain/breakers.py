"""Say what a circuit breaker is: closed lets calls through, open refuses them, half-open lets probes through (B6).

Who builds one is elsewhere; time is what the caller says it is, in a replay that of the bars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias

from domain.outbox import AuditEvent, AuditKind


class BreakerState(StrEnum):
    """Name the states of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerTerms(NamedTuple):
    """Say when a breaker opens and closes: failures in a row, seconds before a probe, successes in a row."""

    failures: int
    timeout_s: float
    successes: int


class StrategyBreakerTerms(NamedTuple):
    """Say when a strategy's breaker opens and closes, and after how many failed probes it stays out."""

    breaker: BreakerTerms
    quarantine_after_probes: int


class Breaker(Protocol):
    """Keep calls away from what fails; `at_ns`, in nanoseconds, never goes back."""

    def allows(self, at_ns: int) -> bool:
        """Say whether a call may pass; an open breaker whose time is over becomes half-open by this."""
        ...

    def succeeded(self, at_ns: int) -> None:
        """Note that a call that was let through succeeded."""
        ...

    def failed(self, at_ns: int) -> None:
        """Note that a call that was let through failed."""
        ...

    @property
    def state(self) -> BreakerState:
        """Return the state."""
        ...

    def to_values(self) -> Mapping[str, Any]:
        """Return the state to persist, JSON-able; empty for a breaker that has seen nothing since it closed."""
        ...


BreakerFactory: TypeAlias = Callable[[str, BreakerTerms, Mapping[str, Any]], Breaker]
"""Build the breaker of a name, by its terms, where its values (of `to_values`) left off."""


def breaker_event(
    at_ns: int, bar: int, name: str, before: str, after: str, cause: str, *, decision: bool = True
) -> AuditEvent:
    """Word the record of a breaker's change; it is no `decision` where no data say when it comes."""
    body = {"before": str(before), "after": str(after), "cause": cause}
    return AuditEvent(AuditKind.BREAKER, at_ns, bar, name, decision, body)
