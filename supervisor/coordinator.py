"""Bring the engine up in stages, hold the halt ladder, and bring it down in order.

A stage begins when every role of the one before is ready; the feed starts publishing when all are. To stop, the roles
drain one after another in the order of `stop_order`: data first, the audit writer last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from domain.commands import Command, CommandDone
from domain.errors import InvariantViolation, Unanswered
from domain.halt_messages import LatchHeld, PositionsClosed, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder, technical_failure
from domain.messages import (
    FEED,
    GATEWAY,
    RISK,
    Begin,
    CoordinatorInbox,
    DataEnded,
    Drain,
    Drained,
    Ready,
    RoleFailed,
    StartFeed,
    TimerFired,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send
from supervisor.agents import FixedAgents
from supervisor.command_desk import NO_DESK, CommandDesk, DeskSettings
from supervisor.latch_keeper import NOTHING_FOUND, FoundLatch, LatchKeeper
from supervisor.lowering import HOLDERS


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
    """Configure the coordinator: start stages and stop order of roles, and what to say at the start.

    `answer_deadline_s` is the wait, on the control clock, for an answer before it is asked for again.
    """

    stages: tuple[tuple[str, ...], ...]
    stop_order: tuple[str, ...]
    cancel_entries: bool
    started: Mapping[str, Any]
    answer_deadline_s: float
    flattening: frozenset[str] = frozenset()
    desk: DeskSettings = NO_DESK


class Coordinator:
    """Start, halt, resume and stop the engine."""

    def __init__(
        self,
        settings: CoordinatorSettings,
        ladder: HaltLadder,
        *,
        wall_ns: Callable[[], int] = lambda: 0,
        found: FoundLatch = NOTHING_FOUND,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Stand before the first stage.

        `wall_ns` and `found` are the latch keeper's, `answers` those of commands that came before a restart.
        """
        self._settings = settings
        self._latch = LatchKeeper(
            ladder, settings.flattening, settings.answer_deadline_s, wall_ns=wall_ns, found=found
        )
        self._desk = CommandDesk(settings.desk, self._latch, FixedAgents(), self, answers)
        self._phase = Phase.STARTING
        self._reason = ""
        self._stage = -1
        self._ready: dict[str, int] = {}
        self._to_drain: list[str] = []
        self._failures: list[RoleFailed] = []
        self._completed = False
        self._faults = 0
        self._last_fault = ""
        self._drain = Drain(reason="", cancel_entries=False)

    def handle(self, message: CoordinatorInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case Begin(at_ns=at_ns):
                if self._stage >= 0 or self._phase is not Phase.STARTING:
                    return []
                event = AuditEvent(AuditKind.STARTED, at_ns, -1, "engine", False, self._settings.started)
                return [Persist((event,)), *self._latch.begun(), *self._next_stage()]
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
            case RaiseHalt() | PositionsClosed() | ReviewHalt():
                return self._latch.handle(message)
            case LatchHeld():
                return [*self._latch.handle(message), *self._desk.handle(message)]
            case Command() | CommandDone():
                return self._desk.handle(message)
            case RoleFailed():
                return self._failed(message)
            case TimerFired(name=name):
                return self._timer(name)
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
            **self._latch.state(),
            "failures": [f"{failed.role}: {failed.error}" for failed in self._failures],
            "faults": self._faults,
            "last_fault": self._last_fault,
            "waiting_for": self._waiting_for(),
        }

    def status(self) -> Mapping[str, Any]:
        """Return what `breakwater status` shows."""
        started = self._settings.started
        roles = {
            role: {"generation": generation, "status": "ready"} for role, generation in self._ready.items()
        }
        named = {"mode": self._settings.desk.mode, "session": started.get("session", 0)}
        return {**self.state(), **named, "roles": roles, "views": {}}

    def stop(self, reason: str) -> list[Output]:
        """Stop in order, by a person's word."""
        return self._stop(reason, self._settings.cancel_entries)

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
            for role in stages[self._stage]:
                self._ready.pop(role, None)  # said before it was begun: it says so again
            return [Send(role, Begin()) for role in stages[self._stage]]
        self._phase = Phase.RUNNING
        return [*self._latch.announced(), Send(FEED, StartFeed())]

    def _timer(self, name: str) -> list[Output]:
        if self._desk.owns(name):
            return self._desk.overdue(name)
        if name not in HOLDERS:
            raise InvariantViolation(f"the coordinator sets no timer {name}")
        try:
            return self._latch.overdue(name)
        except Unanswered as error:  # it is who is silent that fails, not who waits for it
            text = f"{type(error).__name__}: {error}"
            return self._failed(RoleFailed(role=HOLDERS[name], error=text, traceback="", fatal=True))

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
        outputs = [] if message.ended else self._latch.raise_latch(technical_failure(message))
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
