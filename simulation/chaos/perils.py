"""Arm the faults of a schedule as its bars come, and say when one strikes."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.chaos.faults import Fault, FaultKind, Schedule
from simulation.chaos.timeline import Timeline


class Crashed(BaseException):
    """End a role, or with `engine` all of them, between two outputs: no shell may catch it as a failure."""

    def __init__(self, fault: Fault) -> None:
        """Strike where `fault` says."""
        super().__init__(str(fault))
        self.role = fault.where
        self.engine = fault.kind is FaultKind.ENGINE_CRASH
        self.flushes = fault.value >= 0.5
        """Whether what the process had put on its sockets still arrives."""


_DEATHS = (FaultKind.ROLE_CRASH, FaultKind.ENGINE_CRASH)


@dataclass(slots=True, eq=False)
class _Armed:
    """Be a fault that waits for its occasion, `left` more of them."""

    left: int
    fault: Fault
    passed: int = 0


class Perils:
    """Hold the faults still to come."""

    def __init__(self, schedule: Schedule, timeline: Timeline) -> None:
        """Wait for the first bar."""
        self.timeline = timeline
        self._waiting = sorted(schedule.faults, key=lambda fault: fault.bar, reverse=True)
        self._armed: dict[tuple[FaultKind, str], list[_Armed]] = {}
        self.newest = -1
        """The newest bar that was published."""

    def published(self, bar: int) -> None:
        """Arm what `bar` arms."""
        self.newest = max(self.newest, bar)
        while self._waiting and self._waiting[-1].bar <= self.newest:
            fault = self._waiting.pop()
            # A command is drawn with its words, but any delivery is its occasion.
            where = "" if fault.kind is FaultKind.COMMAND else fault.where
            self._armed.setdefault((fault.kind, where), []).append(_Armed(fault.occasion, fault))

    def strikes(self, kind: FaultKind, where: str = "") -> Fault | None:
        """Count one occasion for faults of `kind` at `where`; return the one that strikes, which then is spent."""
        armed = self._armed.get((kind, where))
        if not armed:
            return None
        for waiting in armed:
            waiting.left -= 1
        due = next((waiting for waiting in armed if waiting.left <= 0), None)
        if due is None:
            return None
        armed.remove(due)
        self.timeline.strike(due.fault)
        return due.fault

    def effect(self, role: str) -> None:
        """Stand between two outputs of `role`; raises Crashed where a death strikes."""
        if not self._armed:
            return
        for kind in _DEATHS:
            fault = self.strikes(kind, role)
            if fault is not None:
                raise Crashed(fault)
        for looping in self._armed.get((FaultKind.CRASH_LOOP, role), ()):
            looping.passed += 1
            if looping.left > 0 and looping.passed > looping.fault.value:
                looping.left -= 1
                self.timeline.strike(looping.fault)
                raise Crashed(looping.fault)
