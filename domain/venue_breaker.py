"""Keep the gateway away from a venue that fails again and again: no connection attempt, and no order (requirement B6).

The gateway has no clock, so the time that a breaker is open is a timer: when it fires, the breaker becomes half-open,
and one connection is attempted. What is probed is the connection and its downloads; an order is never a probe, for the
gate stays closed until the breaker is closed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.breakers import Breaker, BreakerFactory, BreakerState, BreakerTerms, breaker_event
from domain.outputs import CancelTimer, Output, SetTimer
from domain.records import MachineSnapshot, Record

BROKER = "broker"
"""What the breaker is called in the configuration, the trail and a role's state."""
BROKER_BREAKER = "broker_breaker"
"""Name of the snapshot that keeps the breaker."""
BREAKER_TIMER = "breaker"


class VenueBreaker:
    """Count failures in a row, open, and let one attempt through when the timer says that the time is over.

    Its time stands still but for that timer, which moves it on by the timeout: failures and successes are told at the
    moment at which the breaker stands.
    """

    def __init__(
        self, terms: BreakerTerms | None, build: BreakerFactory | None, saved: Mapping[str, Any] | None
    ) -> None:
        """Go on from `saved`; without terms, or nobody to build it, there is no breaker and the way is always free.

        One that was open is half-open now: a new process connects once by itself, and that is the probe.
        """
        values = saved or {}
        self._terms = terms
        self._now_ns = int(values.get("opened_ns", 0))
        self._breaker: Breaker | None = None
        self._kept: Mapping[str, Any] = values
        self._events: list[tuple[BreakerState, BreakerState, str]] = []
        if terms is not None and build is not None:
            self._breaker = build(BROKER, terms, values)
            if self.state is BreakerState.OPEN:
                self._probe("a new process connects: that is the probe")

    @property
    def state(self) -> BreakerState:
        """Return the state; closed where there is no breaker."""
        return BreakerState.CLOSED if self._breaker is None else self._breaker.state

    def failed(self, cause: str) -> list[Output]:
        """Note a failure; where it opens the breaker, set the timer that ends this."""
        before = self.state
        if self._breaker is None or self._terms is None or before is BreakerState.OPEN:
            return []
        self._breaker.failed(self._now_ns)
        if self._breaker.state is not BreakerState.OPEN:
            return []
        many = f"{self._terms.failures} failures in a row, the last: "
        self._note(before, f"{'the probe failed: ' if before is BreakerState.HALF_OPEN else many}{cause}")
        return [SetTimer(BREAKER_TIMER, self._terms.timeout_s)]

    def succeeded(self) -> list[Output]:
        """Note a completed reconciliation; of an open breaker it changes nothing."""
        before = self.state
        if self._breaker is None or before is BreakerState.OPEN:
            return []
        self._breaker.succeeded(self._now_ns)
        if self.state is before:
            return []
        self._note(before, "the venue was connected and reconciled")
        return [CancelTimer(BREAKER_TIMER)]

    def time_is_over(self) -> bool:
        """Let one attempt through, the timer having fired; return whether that is news."""
        if self.state is not BreakerState.OPEN:
            return False
        self._probe("its time is over: the next connection is a probe")
        return True

    def take_records(self, bar: int) -> list[Record]:
        """Return what changed since this was last asked, to be made durable; nothing where nothing did."""
        values = {} if self._breaker is None else self._breaker.to_values()
        events, self._events = self._events, []
        if values == self._kept and not events:
            return []
        self._kept = values
        return [
            MachineSnapshot(name=BROKER_BREAKER, bar=bar, at_ns=0, values=values),
            # When a venue fails no data say, so it is no part of what two runs must share.
            *(breaker_event(0, max(bar, 0), BROKER, *event, decision=False) for event in events),
        ]

    def _probe(self, cause: str) -> None:
        if self._breaker is not None and self._terms is not None:
            self._now_ns += round(self._terms.timeout_s * 1e9)
            self._breaker.allows(self._now_ns)
            self._note(BreakerState.OPEN, cause)

    def _note(self, before: BreakerState, cause: str) -> None:
        self._events.append((before, self.state, cause))
