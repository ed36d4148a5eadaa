"""Make no entries from data that keep failing, or by a risk calculation that does (requirement B6).

Two breakers, on the time of the bars. The one of the data counts groups of which the feed refused every bar: they reach
the risk manager empty. The one of the calculation counts bars at which a figure of the account, or of an entry, was not
finite or could not be worked out. A breaker that is not closed keeps entries out; exits, cancels and stops go on. A bar
that is a probe makes no entry either: its success counts once it is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.bars import BarGroup
from domain.breakers import Breaker, BreakerFactory, BreakerState, BreakerTerms, breaker_event
from domain.outbox import AuditEvent

DATA, CALCULATION = "market_data", "risk_calculation"
_CODES = {DATA: "data_breaker", CALCULATION: "risk_breaker"}
_FAILED = "risk_failed"


class Barred(NamedTuple):
    """Say why nothing is entered, by code and in words; `sized`: an entry is worked out first, as a probe."""

    code: str
    why: str
    sized: bool = False


class EntryBreakers:
    """Say at each bar whether anything may be entered, note what became of it, and record every change."""

    def __init__(
        self, terms: Mapping[str, BreakerTerms], build: BreakerFactory | None, saved: Mapping[str, Any]
    ) -> None:
        """Go on from `saved` (of `to_values`); without terms, or nobody to build them, there are no breakers."""
        self._terms = terms
        self._breakers: dict[str, Breaker] = {}
        self._faults: dict[str, str] = {}
        self._events: list[AuditEvent] = []
        for name in _CODES:
            if name in terms and build is not None:
                self._breakers[name] = build(name, terms[name], saved.get(name, {}))
        self._stirred = bool(saved)  # whether any has seen anything since it closed: mostly none has

    def begin(self, group: BarGroup, fault: str) -> Barred | None:
        """Note what is wrong with `group` and its marks (`fault`, "" for nothing); return what bars entries."""
        self._faults = {DATA: "" if group.bars else "every bar was refused", CALCULATION: fault}
        if not (self._stirred or fault) and group.bars:
            return None
        barred = Barred(_FAILED, fault) if fault else None
        for name, breaker in reversed(self._breakers.items()):
            before = breaker.state
            if breaker.allows(group.known_ns) and breaker.state is not before:
                self._note(group, name, before, "its time is over: this bar is a probe")
            if self._faults[name]:
                self._fail(group, name)
            if breaker.state is not BreakerState.CLOSED:
                words = f"the circuit breaker of {name} is {breaker.state.value.replace('_', '-')}"
                probes = name == CALCULATION and breaker.state is BreakerState.HALF_OPEN
                barred = Barred(_CODES[name], words, probes)
        return barred

    def end(self, group: BarGroup, fault: str) -> None:
        """Note what is wrong with the entries of `group` (`fault`); what had no fault at all is a success."""
        if fault and not self._faults[CALCULATION]:
            self._faults[CALCULATION] = fault
            self._fail(group, CALCULATION)
        if not self._stirred:
            return
        for name, breaker in self._breakers.items():
            before = breaker.state
            if not self._faults[name]:
                breaker.succeeded(group.known_ns)
                if breaker.state is not before:
                    self._note(group, name, before, "its probes succeeded")
        self._stirred = bool(self.to_values())

    def take_events(self) -> list[AuditEvent]:
        """Return the records of what changed since this was last asked."""
        events, self._events = self._events, []
        return events

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        if not self._stirred:
            return {}
        return {name: values for name, each in self._breakers.items() if (values := each.to_values())}

    def report(self) -> dict[str, str]:
        """Return each breaker's state for people to read."""
        return {name: each.state.value for name, each in self._breakers.items()}

    def _fail(self, group: BarGroup, name: str) -> None:
        breaker = self._breakers.get(name)
        if breaker is None:
            return
        before, self._stirred = breaker.state, True
        breaker.failed(group.known_ns)
        if breaker.state is not before:
            probed = before is BreakerState.HALF_OPEN
            many = "the probe failed" if probed else f"{self._terms[name].failures} bars in a row failed"
            self._note(group, name, before, f"{many}: {self._faults[name]}")

    def _note(self, group: BarGroup, name: str, before: BreakerState, cause: str) -> None:
        after = self._breakers[name].state
        self._events.append(breaker_event(group.known_ns, group.index, name, before, after, cause))
