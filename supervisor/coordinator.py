"""Bring the engine up, keep it up, hold the halt ladder, and bring it down in order.

A role begins when every role it comes after is ready; the feed starts publishing when all are. A role that ends is
started anew within limits (`children.py`); a bar under way is then published again. To stop, the roles drain one after
another (`draining.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from domain.alerts import AlertsSent, Noticed
from domain.commands import Command, CommandDone
from domain.error_texts import describe
from domain.errors import InvariantViolation, Unanswered
from domain.halt_messages import LatchCleared, LatchFound, LatchHeld, PositionsClosed, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder, technical_failure
from domain.messages import (
    COORDINATOR,
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
    TimerFired,
)
from domain.outbox import AuditKind
from domain.outputs import Output, Persist, Send, SetTimer
from domain.records import MachineSnapshot
from domain.supervision import Pulse, RoleEnded, RolesObserved, RoleStarted, StrategiesQuarantined
from supervisor.agents import ChildAgents
from supervisor.alerting import Alerting
from supervisor.child import Status, Verdict, kept_out
from supervisor.children import Children
from supervisor.command_desk import CommandDesk
from supervisor.draining import Draining
from supervisor.events import event
from supervisor.faults import Faults, failure_of, recorded
from supervisor.latch_keeper import NOTHING_FOUND, FoundLatch, LatchKeeper
from supervisor.lowering import HOLDERS
from supervisor.phase import NOT_ENDED, STOPPING, CoordinatorSettings, Phase
from supervisor.reminders import BEGIN_TIMER, reminders
from supervisor.upkeep import Upkeep

ENGINE = "engine"
"""Name of the snapshot from which a coordinator that restarts within a run goes on."""


class Coordinator:
    """Start, watch, restart, halt, resume and stop the engine."""

    def __init__(
        self,
        settings: CoordinatorSettings,
        ladder: HaltLadder,
        saved: Mapping[str, Any] | None = None,
        *,
        worn_out: str = "",
        wall_ns: Callable[[], int] = lambda: 0,
        found: FoundLatch = NOTHING_FOUND,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Stand before the start, or where `saved` (the snapshot `ENGINE`) of the same run left off.

        `worn_out` says, in words, that the coordinator itself ended too often: it then halts and stops the engine.
        `wall_ns` and `found` are the latch keeper's, `answers` those of commands that came before a restart.
        """
        values = saved if saved is not None and saved["run"] == settings.run else {}
        self._settings = settings
        self._latch = LatchKeeper(
            ladder, settings.flattening, settings.answer_deadline_s, wall_ns=wall_ns, found=found
        )
        children = values.get("children") if values else kept_out((saved or {}).get("children", {}))
        self._children = Children(settings.children, settings.intensity, children)
        self._upkeep = Upkeep(self._children, self._latch)
        agents = ChildAgents(self._children, self._upkeep, self._kept, lambda: self.phase in STOPPING)
        self._desk = CommandDesk(settings.desk, self._latch, agents, self, answers)
        self.phase = Phase(values.get("phase", Phase.STARTING))
        """Where the engine stands; for reading, after each message of an inline run."""
        self._reason = str(values.get("reason", ""))
        self._ended_at = int(values.get("ended_at", NOT_ENDED))
        self._draining = Draining(settings.stop_order, values.get("draining"))
        self._restored, self._worn_out, self._begun = bool(values), worn_out, False
        self._faults = Faults(values.get("failures", ()))
        self._alerting = Alerting(settings.alerting, self._latch, self._children, settings.about())

    def handle(self, message: CoordinatorInbox) -> list[Output]:
        """Return what follows from `message`, and last whom to alert of it."""
        return self._alerting.told_too(self._handle(message))

    def _handle(self, message: CoordinatorInbox) -> list[Output]:
        match message:
            case Pulse():
                return self._pulse(message)
            case Begin(at_ns=at_ns):
                return self._begin(at_ns)
            case RoleStarted():
                return [*self._children.started(message), *self._kept()] if self._begun else []
            case RoleEnded():
                return self._ended(message)
            case RolesObserved(figures=figures):
                failed = [each for told in self._children.failed(figures) for each in self._failed(told)]
                return [*failed, *self._children.observed(figures)]
            case StrategiesQuarantined():
                news = self._upkeep.held_out(message)
                return [] if news is None else [*news, *self._kept()]
            case Ready(role=role, generation=generation):
                return self._ready(role, generation)
            case DataEnded(bars=bars):
                self._ended_at = bars
                return self._stop("the data ended", False)
            case Drain(reason=reason, cancel_entries=cancel_entries):
                return self._stop(reason, cancel_entries and self._settings.cancel_entries)
            case Drained(role=role):
                return self._drained(role)
            case RaiseHalt() | PositionsClosed() | ReviewHalt() | LatchFound():
                return self._latch.handle(message)
            case LatchHeld():
                return [*self._latch.handle(message), *self._desk.handle(message)]
            case Command() | CommandDone() | LatchCleared():
                return [*self._desk.handle(message), *self._run_once_ready()]
            case RoleFailed():
                return self._failed(message)
            case TimerFired(name=name):
                return self._timer(name)
            case AlertsSent() | Noticed():
                return self._alerting.handle(message)
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return phase, children, the ladder, failures, and the other machines' states as last seen."""
        return {
            "phase": self.phase.value,
            "reason": self._reason,
            **self._settings.about(),
            "roles": self._children.report(),
            "views": self._children.views(),
            "ended_at": self._ended_at,
            "completed": self._ended_at != NOT_ENDED,
            **self._latch.state(),
            **self._faults.state(),
            **self._alerting.state(),
            "waiting_for": self._waiting_for(),
        }

    def stop(self, reason: str) -> list[Output]:
        """Stop in order, by a person's word."""
        return self._stop(reason, self._settings.cancel_entries)

    def _waiting_for(self) -> list[str]:
        if self.phase is Phase.STARTING:
            return self._children.in_status(Status.BEGUN, Status.UP, Status.STARTING)
        return self._draining.waiting_for

    # --- the start --------------------------------------------------------------------------------------------------

    def _begin(self, at_ns: int) -> list[Output]:
        """Take up the work; the supervisor's word on each child that it finds follows."""
        if self._begun:
            return []
        self._begun = True
        outputs = self._latch.begun()
        if not self._restored:
            outputs.append(event(AuditKind.STARTED, "engine", self._settings.started, at_ns))
        else:
            body = {"error": "it ended", "verdict": Verdict.RESTARTED.value}
            outputs.append(event(AuditKind.FAILURE, COORDINATOR, body))
            outputs += self._upkeep.running() if self.phase is Phase.RUNNING else []
            outputs += self._drain_next() if self.phase is Phase.DRAINING else []
        if self._worn_out:
            outputs += [*self._failed_for_good(failure_of(COORDINATOR, self._worn_out)), *self._kept()]
        return [*outputs, SetTimer(BEGIN_TIMER, self._settings.answer_deadline_s)]

    def _ready(self, role: str, generation: int) -> list[Output]:
        if not self._children.ready(role, generation):
            return []
        outputs = [] if self.phase in STOPPING else self._children.begin_due()
        if self.phase is Phase.RUNNING:
            outputs += self._upkeep.back(role)
        elif self.phase is Phase.DRAINING and self._draining.waiting_for == [role]:
            outputs += self._drain_next()
        return [*outputs, *self._run_once_ready(), *self._kept()]

    def _run_once_ready(self) -> list[Output]:
        """Let the feed begin once every child that is to run is ready, whatever became of the last one."""
        if self.phase is not Phase.STARTING or not self._children.all_ready:
            return []
        self.phase = Phase.RUNNING
        return [*self._kept(), *self._upkeep.first()]

    def _pulse(self, pulse: Pulse) -> list[Output]:
        """Grant a lease, and take from the pulse what its edges may have failed to tell."""
        if not (outputs := self._upkeep.lease(pulse) if self._begun else []):
            return []
        if pulse.ready:
            outputs += self._ready(pulse.role, pulse.generation)
        if pulse.ended and self._ended_at == NOT_ENDED:
            outputs += self._handle(DataEnded(bars=pulse.head + 1))
        if pulse.at_rest:
            outputs += self._drained(pulse.role)
        return outputs

    def _timer(self, name: str) -> list[Output]:
        if name == BEGIN_TIMER:
            again = reminders(self.phase, self._children, self._draining, self._settings.answer_deadline_s)
            return [*self._run_once_ready(), *again]
        if self._desk.owns(name):
            return self._desk.overdue(name)
        if name not in HOLDERS:
            raise InvariantViolation(f"the coordinator sets no timer {name}")
        try:
            return self._latch.overdue(name)
        except Unanswered as error:  # it is who is silent that fails, not who waits for it
            return self._failed(failure_of(HOLDERS[name], describe(error)))

    # --- the end of a role ------------------------------------------------------------------------------------------

    def _ended(self, message: RoleEnded) -> list[Output]:
        ending = self._upkeep.ended(message, stopping=self.phase in STOPPING)
        if ending.verdict is Verdict.STALE:
            return []
        if ending.verdict is Verdict.EXPECTED:
            # The audit writer, last to drain, may not have heard its last events: the next run hears them.
            if self.phase is Phase.DRAINING and not self._children[message.role].plan.strategies:
                self._faults.ended_it(failure_of(message.role, message.why))
            if message.role in (RISK, GATEWAY):  # the feed's bar can no longer settle
                self._children.give_up(FEED)
            return [*self._passed_over(message.role), *self._kept()]
        given_up = self._failed_for_good(ending.failed) if ending.failed else []
        return [*ending.outputs, *given_up, *self._run_once_ready(), *self._kept()]

    def _failed(self, message: RoleFailed) -> list[Output]:
        kept = recorded(message)
        if not message.fatal:  # the role goes on, and so does the engine
            self._faults.survived(message)
            return [kept]
        if message.role in self._children and self._children[message.role].plan.strategies:
            if self.phase in STOPPING:
                self._children.give_up(message.role)
                return [kept, *self._passed_over(message.role)]
            return [kept, *self._children.end(message.role, message.error)]  # isolated, and started anew
        return [kept, *self._failed_for_good(message), *self._kept()]

    def _failed_for_good(self, message: RoleFailed) -> list[Output]:
        """Halt, for nobody knows what it did wrong, and stop the engine: it cannot do without this role."""
        self._faults.ended_it(message)
        why = f"{message.role} failed: {message.error}"
        outputs = self._latch.raise_latch(technical_failure(message))
        self._children.give_up(message.role)
        if message.role in (RISK, GATEWAY) and FEED in self._children.in_status(Status.READY):
            # Its bar can no longer settle: the feed is told to stop, and not waited for.
            self._children.give_up(FEED)
            outputs.append(Send(FEED, Drain(reason=why, cancel_entries=False)))
        if self.phase is Phase.STOPPED:
            self.phase = Phase.FAILED
        if self.phase is Phase.DRAINING:
            return [*outputs, *self._passed_over(message.role)]
        return [*outputs, *self._stop(why, True)]

    def _stop(self, reason: str, cancel_entries: bool) -> list[Output]:
        if self.phase in STOPPING:
            return []
        self.phase, self._reason = Phase.DRAINING, reason
        drain = Drain(reason=reason, cancel_entries=cancel_entries)
        forsaken = self._draining.begin(self._children.to_drain, drain)
        stopped = event(AuditKind.STOPPED, "engine", {"reason": reason})
        return [stopped, *self._kept(), *forsaken, *self._drain_next()]

    def _drain_next(self) -> list[Output]:
        if self._draining.done:
            self.phase = Phase.FAILED if self._faults.failures else Phase.STOPPED
            return self._kept()
        return [*self._draining.asked(self._children.in_status(Status.READY))]

    def _drained(self, role: str) -> list[Output]:
        return self._drain_next() if self.phase is Phase.DRAINING and self._draining.drained(role) else []

    def _passed_over(self, role: str) -> list[Output]:
        """Drain on without a role that ended, and without those that were given up with it."""
        moves_on = self.phase is Phase.DRAINING and self._draining.leave_out(role, self._children.to_drain)
        return self._drain_next() if moves_on else []

    def _kept(self) -> list[Output]:
        values = {
            "run": self._settings.run,
            "phase": self.phase.value,
            "reason": self._reason,
            "ended_at": self._ended_at,
            "failures": list(self._faults.failures),
            "draining": self._draining.to_values(),
            "children": self._children.to_values(),
        }
        return [Persist((MachineSnapshot(name=ENGINE, bar=-1, at_ns=0, values=values),))]
