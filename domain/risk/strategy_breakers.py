"""Keep a circuit breaker for each strategy: one that fails abstains for a while, and for good when probes fail too.

Three failures in a row open it (figures: configuration): its votes are left out and it blocks no symbol. After the
timeout, in time of the bars, its evaluations are let through as probes; successes close the breaker, and failed probes
quarantine the strategy until a person releases it (requirements B1, B5, B6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.bars import BarGroup
from domain.breakers import Breaker, BreakerFactory, BreakerState, StrategyBreakerTerms, breaker_event
from domain.outbox import AuditEvent
from domain.supervision import QuarantinedStrategy

QUARANTINED = "quarantined"


class StrategyBreakers:
    """Say whose votes count, note what became of them, and record every change."""

    def __init__(
        self,
        strategies: Iterable[str],
        terms: StrategyBreakerTerms | None,
        build: BreakerFactory | None,
        saved: Mapping[str, Any],
    ) -> None:
        """Go on from `saved` (of `to_values`); without terms, or nobody to build them, there are no breakers."""
        self._terms, self._build = terms, build
        self._breakers: dict[str, Breaker] = {}
        self._failed_probes: dict[str, int] = dict(saved.get("failed_probes", {}))
        self._out: dict[str, QuarantinedStrategy] = {
            name: QuarantinedStrategy(name, bar, why)
            for name, (bar, why) in saved.get(QUARANTINED, {}).items()
        }
        self._events: list[AuditEvent] = []
        values = saved.get("breakers", {})
        # Every bar asks for every strategy: whose breaker has seen nothing since it closed is passed over.
        self._stirred = {*values, *self._out}
        for name in sorted(strategies):
            self._renew(name, values.get(name, {}))

    def _renew(self, name: str, values: Mapping[str, Any]) -> None:
        if self._terms is not None and self._build is not None:
            self._breakers[name] = self._build(name, self._terms.breaker, values)

    @property
    def quarantined(self) -> tuple[QuarantinedStrategy, ...]:
        """Return those that stay out until they are released, sorted by name."""
        return tuple(told for _, told in sorted(self._out.items()))

    def left_out(self, group: BarGroup) -> dict[str, str]:
        """Return, with the reason, whose votes do not count at `group`; breakers whose time is over let a probe in."""
        found = {}
        for name in sorted(self._stirred & self._breakers.keys()) if self._stirred else ():
            if name in self._out:
                found[name] = f"quarantined: {self._out[name].why}"
                continue
            breaker = self._breakers[name]
            before = breaker.state
            if not breaker.allows(group.known_ns):
                found[name] = "its circuit breaker is open"
            elif breaker.state is not before:
                self._note(group, name, before, "its time is over: what it says now is a probe")
        return found

    def succeeded(self, group: BarGroup, name: str) -> None:
        """Note that an evaluation that was let through succeeded."""
        if name not in self._stirred or name not in self._breakers:
            return
        breaker = self._breakers[name]
        before = breaker.state
        breaker.succeeded(group.known_ns)
        if breaker.state is not before:
            self._failed_probes.pop(name, None)
            self._note(group, name, before, "its probes succeeded")
        if not breaker.to_values():
            self._stirred.discard(name)

    def failed(self, group: BarGroup, name: str, error: str) -> bool:
        """Note that an evaluation that was let through failed; return whether it is quarantined for that."""
        breaker = self._breakers.get(name)
        if breaker is None or self._terms is None:
            return False
        before = breaker.state
        breaker.failed(group.known_ns)
        self._stirred.add(name)
        if breaker.state is before:
            return False
        if before is BreakerState.CLOSED:
            self._note(
                group, name, before, f"{self._terms.breaker.failures} evaluations failed in a row: {error}"
            )
            return False
        self._note(group, name, before, f"the probe failed: {error}")
        probes = self._failed_probes[name] = self._failed_probes.get(name, 0) + 1
        if probes < self._terms.quarantine_after_probes:
            return False
        return self.quarantine(group, name, f"{probes} probes failed, the last: {error}")

    def quarantine(self, group: BarGroup, name: str, why: str) -> bool:
        """Leave `name` out until a person releases it; return whether that is news."""
        breaker = self._breakers.get(name)
        if breaker is None or name in self._out:
            return False
        self._stirred.add(name)
        self._out[name] = QuarantinedStrategy(name, group.index, why)
        self._events.append(breaker_event(group.known_ns, group.index, name, breaker.state, QUARANTINED, why))
        return True

    def release(self, name: str, bar: int) -> list[AuditEvent]:
        """Let `name` take part as one that never failed; return the record, none where its breaker is closed.

        When a person does that no data say, so it is no part of what two runs must share.
        """
        before = self.report().get(name, BreakerState.CLOSED)
        self._out.pop(name, None)
        self._failed_probes.pop(name, None)
        self._stirred.discard(name)
        if name in self._breakers:
            self._renew(name, {})
        if before == BreakerState.CLOSED:
            return []
        closed, cause = BreakerState.CLOSED, "a person released it"
        return [breaker_event(0, bar, name, before, closed, cause, decision=False)]

    def take_events(self) -> list[AuditEvent]:
        """Return the records of what changed since this was last asked."""
        events, self._events = self._events, []
        return events

    def to_values(self) -> dict[str, Any]:
        """Return the state to persist, JSON-able."""
        if not self._stirred:
            return {"breakers": {}, "failed_probes": {}, QUARANTINED: {}}
        breakers = {name: values for name, each in self._breakers.items() if (values := each.to_values())}
        return {
            "breakers": breakers,
            "failed_probes": dict(sorted(self._failed_probes.items())),
            QUARANTINED: {told.strategy: (told.bar, told.why) for told in self.quarantined},
        }

    def report(self) -> dict[str, str]:
        """Return each strategy's state for people to read."""
        return {
            name: QUARANTINED if name in self._out else each.state.value
            for name, each in self._breakers.items()
        }

    def _note(self, group: BarGroup, name: str, before: BreakerState, cause: str) -> None:
        after = self._breakers[name].state
        self._events.append(breaker_event(group.known_ns, group.index, name, before, after, cause))
