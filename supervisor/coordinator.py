"""Bring the engine up in stages, hold the halt ladder, and bring it down in order.

A stage begins when every role of the one before is ready; the feed starts publishing when all are. To stop, the roles
drain one after another in the order of `stop_order`: data first, the audit writer last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, assert_never

from domain.halts import HaltLadder, rung_for, technical_failure
from domain.messages import (
    FEED,
    GATEWAY,
    RISK,
    Begin,
    CoordinatorInbox,
    DataEnded,
    Drain,
    Drained,
    HaltReviewed,
    LatchChanged,
    LatchHeld,
    PositionsClosed,
    RaiseHalt,
    Ready,
    ReviewHalt,
    RoleFailed,
    StartFeed,
    TimerFired,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send
from domain.records import HaltRecord, HaltTrigger, MachineSnapshot

LADDER = "ladder"
"""Name of the snapshot that keeps the halt ladder."""


class Phase(StrEnum):
    """Name where the engine stands between start and stop."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


ENDED = frozenset({Phase.STOPPED, Phase.FAILED})
"""Phases in which nothing more will happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorSettings:
    """Configure the coordinator: start stages and stop order of roles, and what to say at the start."""

    stages: tuple[tuple[str, ...], ...]
    stop_order: tuple[str, ...]
    cancel_entries: bool
    started: Mapping[str, Any]
    flattening: frozenset[str] = frozenset()


class _ReviewDue(NamedTuple):
    """Be a review whose answer waits until the gateway holds the latch at `version`."""

    version: int
    bar: int
    new_peak: bool


class Coordinator:
    """Start, halt, resume and stop the engine."""

    def __init__(self, settings: CoordinatorSettings, ladder: HaltLadder) -> None:
        """Stand before the first stage."""
        self._settings = settings
        self._ladder = ladder
        self._phase = Phase.STARTING
        self._reason = ""
        self._stage = -1
        self._ready: dict[str, int] = {}
        self._to_drain: list[str] = []
        self._failures: list[RoleFailed] = []
        self._halts = 0
        self._completed = False
        self._faults = 0
        self._last_fault = ""
        self._review_due: _ReviewDue | None = None
        self._drain = Drain(reason="", cancel_entries=False)

    def handle(self, message: CoordinatorInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case Begin(at_ns=at_ns):
                if self._stage >= 0 or self._phase is not Phase.STARTING:
                    return []
                event = AuditEvent(AuditKind.STARTED, at_ns, -1, "engine", False, self._settings.started)
                return [Persist((event,)), *self._next_stage()]
            case Ready(role=role, generation=generation):
                if self._stage < 0:
                    return []  # nothing was begun: it cannot have done its work
                self._ready[role] = generation
                return self._next_stage() if self._phase is Phase.STARTING else []
            case DataEnded():
                self._completed = True
                return self._stop("the data ended", False)
            case Drain(reason=reason, cancel_entries=cancel_entries):
                return self._stop(reason, cancel_entries and self._settings.cancel_entries)
            case Drained(role=role):
                return self._drained(role)
            case RaiseHalt():
                return self._raised(message)
            case PositionsClosed(at_ns=at_ns, bar=bar, session=session):
                record = self._ladder.end_flattening(at_ns=at_ns, bar=bar, session=session)
                return (
                    []
                    if record is None
                    else [self._keep(record), Send(GATEWAY, self._latch(lowers=True), True)]
                )
            case ReviewHalt():
                return self._review(message)
            case LatchHeld():
                return self._held(message)
            case RoleFailed():
                return self._failed(message)
            case TimerFired():
                return []
            case _ as unreachable:
                assert_never(unreachable)

    @property
    def phase(self) -> Phase:
        """Return where the engine stands."""
        return self._phase

    def state(self) -> Mapping[str, Any]:
        """Return phase, readiness, the ladder and failures."""
        return {
            "phase": self._phase.value,
            "reason": self._reason,
            "ready": dict(self._ready),
            "completed": self._completed,
            "rung": self._ladder.rung.name,
            "causes": [trigger.value for trigger in self._ladder.active],
            "halts": self._halts,
            "resumed_by_rule": self._ladder.resumed_by_rule,
            "failures": [f"{failed.role}: {failed.error}" for failed in self._failures],
            "faults": self._faults,
            "last_fault": self._last_fault,
            "waiting_for": self._waiting_for(),
        }

    def _waiting_for(self) -> list[str]:
        if self._phase is Phase.STARTING and 0 <= self._stage < len(self._settings.stages):
            return [role for role in self._settings.stages[self._stage] if role not in self._ready]
        return self._to_drain[:1]

    def _next_stage(self) -> list[Output]:
        stages = self._settings.stages
        if self._stage >= 0 and self._waiting_for():
            return []
        self._stage += 1
        if self._stage < len(stages):
            return [Send(role, Begin()) for role in stages[self._stage]]
        self._phase = Phase.RUNNING
        latch = self._latch(lowers=False)
        announced = [Send(role, latch, True) for role in (GATEWAY, RISK)] if latch.version else []
        return [*announced, Send(FEED, StartFeed())]

    # --- halts ------------------------------------------------------------------------------------------------------

    def _raised(self, message: RaiseHalt) -> list[Output]:
        if message.again and self._ladder.has_heard(message):
            latch = self._latch(lowers=False, heard=(message.trigger,))
            return [Send(message.raised_by, latch, True)]
        record = self._ladder.raise_latch(
            message.trigger,
            max(message.rung, rung_for(message.trigger, self._settings.flattening)),
            at_ns=message.at_ns,
            bar=message.bar,
            session=message.session,
            raised_by=message.raised_by,
            detail=message.detail,
        )
        self._halts += record.rung is not record.previous
        latch = self._latch(lowers=False)
        return [self._keep(record), Send(GATEWAY, latch, True), Send(RISK, latch, True)]

    def _review(self, message: ReviewHalt) -> list[Output]:
        records, new_peak = self._ladder.review(at_ns=message.at_ns, bar=message.bar, session=message.session)
        kept = self._keep(*records)
        waiting = self._review_due
        if not records and waiting is None:
            return [kept, self._answer(message.bar, new_peak)]
        # The gateway holds the lowered latch before the risk manager acts on it, so that no approval meets the old one.
        new_peak = new_peak or (waiting is not None and waiting.new_peak)
        self._review_due = _ReviewDue(self._ladder.version, message.bar, new_peak)
        return [kept, Send(GATEWAY, self._latch(lowers=True), True)]

    def _held(self, message: LatchHeld) -> list[Output]:
        due = self._review_due
        if due is None or message.role != GATEWAY or message.version < due.version:
            return []
        self._review_due = None
        return [self._answer(due.bar, due.new_peak)]

    def _answer(self, bar: int, new_peak: bool) -> Send:
        """Answer a review with the ladder as it is now: it may have been raised since.

        In the control lane, like every latch: an older answer that is overtaken by a raised latch would undo it.
        """
        ladder = self._ladder
        answer = HaltReviewed(
            bar=bar, rung=ladder.rung, version=ladder.version, active=ladder.active, new_peak=new_peak
        )
        return Send(RISK, answer, True)

    def _latch(self, *, lowers: bool, heard: tuple[HaltTrigger, ...] = ()) -> LatchChanged:
        ladder = self._ladder
        return LatchChanged(
            rung=ladder.rung, lowers=lowers, version=ladder.version, active=ladder.active, heard=heard
        )

    def _keep(self, *records: HaltRecord) -> Persist:
        values = self._ladder.to_values()
        snapshot = MachineSnapshot(name=LADDER, bar=-1, at_ns=0, values=values)
        return Persist((*records, snapshot, *(_halt_event(record) for record in records)))

    # --- the end ----------------------------------------------------------------------------------------------------

    def _stop(self, reason: str, cancel_entries: bool) -> list[Output]:
        if self._phase in (Phase.DRAINING, Phase.STOPPED, Phase.FAILED):
            return []
        self._phase, self._reason = Phase.DRAINING, reason
        self._to_drain = [role for role in self._settings.stop_order if role in self._ready]
        self._drain = Drain(reason=reason, cancel_entries=cancel_entries)
        event = AuditEvent(AuditKind.STOPPED, 0, -1, "engine", False, {"reason": reason})
        return [Persist((event,)), *self._drain_next()]

    def _drain_next(self) -> list[Output]:
        if not self._to_drain:
            self._phase = Phase.FAILED if self._failures else Phase.STOPPED
            return []
        return [Send(self._to_drain[0], self._drain)]

    def _drained(self, role: str) -> list[Output]:
        if self._phase is not Phase.DRAINING or not self._to_drain or self._to_drain[0] != role:
            return []
        del self._to_drain[0]
        return self._drain_next()

    def _failed(self, message: RoleFailed) -> list[Output]:
        body = {name: getattr(message, name) for name in ("role", "error", "traceback", "fatal")}
        kept = Persist((AuditEvent(AuditKind.FAILURE, 0, -1, message.role, False, body),))
        if not message.fatal:  # the role goes on, and so does the engine
            self._faults += 1
            self._last_fault = f"{message.role}: {message.error}"
            return [kept]
        return [kept, *self._failed_for_good(message)]

    def _failed_for_good(self, message: RoleFailed) -> list[Output]:
        self._failures.append(message)
        why = f"{message.role} failed: {message.error}"
        # A process that was killed decided nothing wrong: the next start goes on. What a machine raised is unknown.
        outputs = [] if message.ended else self._raised(technical_failure(message))
        self._ready.pop(message.role, None)
        if message.role in (RISK, GATEWAY) and FEED in self._ready:
            del self._ready[FEED]
            # Its bar can no longer settle: the feed is told to stop, and not waited for.
            outputs.append(Send(FEED, Drain(reason=why, cancel_entries=False)))
        if self._phase is Phase.STOPPED:
            self._phase = Phase.FAILED
        if self._phase is Phase.DRAINING:
            waited_for = self._to_drain[:1]
            self._to_drain = [role for role in self._to_drain if role in self._ready]
            return [*outputs, *(self._drain_next() if waited_for != self._to_drain[:1] else ())]
        return [*outputs, *self._stop(why, True)]


def _halt_event(record: HaltRecord) -> AuditEvent:
    body = {
        "rung": record.rung.name,
        "previous": record.previous.name,
        "trigger": record.trigger.value,
        "raised_by": record.raised_by,
        "detail": record.detail,
    }
    key = f"{record.trigger.value}.{record.version}"
    return AuditEvent(
        AuditKind.HALT, record.at_ns, record.bar, key, record.raised_by in ("risk", "rule"), body
    )
