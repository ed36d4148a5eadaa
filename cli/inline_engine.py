"""Drive an engine in this process: the backtest of record."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from cli.composition import inline_specs
from cli.offline_halt import failed_coordinator
from cli.plan import EnginePlan
from domain.broker import BrokerCommand
from domain.errors import DurabilityError, InvariantViolation
from domain.messages import COORDINATOR, FEED, RISK, VENUE, Begin, Drain
from simulation.inline import InlineRuntime
from simulation.inline_supervisor import InlineSupervisor
from simulation.venue.durable import DurableVenue
from simulation.venue.inline import InlineBroker
from simulation.venue.launch import stop_venue
from storage.commit_group import REDO, CommitGroup
from supervisor.child_spec import ChildSpec
from supervisor.control_parts import Commands
from supervisor.coordinator import Coordinator
from supervisor.phase import ENDED

_SLICE = 4_000
"""Most messages between two looks at progress and signals: some 300 bars, well under 100 ms with quick strategies."""

_SLICE_S = 0.1
"""Longest time between two such looks, but for the message at hand."""

_PACED_SLICE = 4
"""The same where messages may be pauses."""

_COLLECT_EVERY = 200_000
"""Objects made, net of those let go, from one collection of the youngest to the next."""


class InlineEngine:
    """Be a running engine whose work is done by `advance` (port: `cli.drive.Engine`)."""

    def __init__(self, plan: EnginePlan) -> None:
        """Build every role; nothing moves before `advance`."""
        self._thresholds = gc.get_threshold()
        self._state_dir, paced = plan.session.state_dir, plan.pace_s > 0.0
        self._runtime = InlineRuntime(plan.session.state_dir, pause=time.sleep if paced else None)
        self._slice = _PACED_SLICE if paced else _SLICE
        stop_venue(
            plan.session.state_dir
        )  # a killed engine on Ray may have left one that writes the same journal
        self._group = CommitGroup(plan.session.state_dir / REDO)
        self._venue = DurableVenue(plan.session.state_dir / "venue", plan.venue(), self._group)
        broker = InlineBroker(self._venue, self._command)
        supervisor = InlineSupervisor(self._runtime, self._children)
        self._commands: Commands = SimpleQueue()
        self._specs = inline_specs(
            plan, broker, self._group, lambda: supervisor, self._commands, self._figures
        )
        try:
            self._runtime.spawn(self._specs)
        except BaseException:
            self.close(orderly=False)
            raise
        coordinator = self._runtime.machine(COORDINATOR)
        if not isinstance(coordinator, Coordinator):
            raise InvariantViolation(f"the coordinator's role runs {type(coordinator).__name__}")
        self._coordinator = coordinator
        self._runtime.send(COORDINATOR, Begin())
        # Modules, configuration and bars stay to the end, and machines leave no cycles behind: walking through all
        # that for garbage again and again would take a fifth of the run's time.
        gc.set_threshold(_COLLECT_EVERY, *self._thresholds[1:])
        gc.freeze()

    def advance(self) -> bool:
        """Do a slice of work; return whether the engine has stopped.

        Raises EngineFailed, once the account is halted, when the coordinator failed: nobody else would notice.
        Raises DurabilityError where the common commit failed, which ends every role: all is then as before it.
        """
        while not self._commands.empty():
            self._runtime.send(COORDINATOR, self._commands.get_nowait(), control=True)
        stopped = self._runtime.run(self._ended, most=self._slice, for_s=_SLICE_S)
        if stopped and not self._runtime.alive(COORDINATOR):
            if self._group.failed:
                raise DurabilityError(self._group.failed)
            raise failed_coordinator(self._state_dir, self._runtime.snapshot(COORDINATOR)["failure"])
        return stopped

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask the engine to stop in order."""
        self._runtime.send(COORDINATOR, Drain(reason=reason, cancel_entries=cancel_entries), control=True)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the state of coordinator, feed and risk manager."""
        return {role: self._runtime.snapshot(role)["state"] for role in (COORDINATOR, FEED, RISK)}

    def asked_states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the same: here everybody is asked at each look."""
        return self.states()

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the display shows: the coordinator's state, and the machines' as they are at this moment."""
        seen = {role: self._runtime.snapshot(role) for role in self._runtime.roles() if role != VENUE}
        state = seen[COORDINATOR]["state"]
        roles = {
            role: {**told, **({"queued": seen[role]["queued"]} if role in seen else {})}
            for role, told in state["roles"].items()
        }
        views = {role: answer["state"] for role, answer in seen.items() if role != COORDINATOR}
        return {**state, "roles": roles, "views": views}

    def close(self, *, orderly: bool = True) -> None:
        """Close every role and the venue; one process has nothing to wait for, so `orderly` changes nothing.

        What venue and journals have gathered is made durable first, all or none. When it cannot be, all of it is let
        go, as if the process had been killed, and the error is raised.
        """
        del orderly
        try:
            self._group.commit()
            self._runtime.shutdown()
        except DurabilityError:
            self._runtime.abandon()
            raise
        finally:
            self._venue.close()
            self._group.close()
            gc.set_threshold(*self._thresholds)
            gc.unfreeze()

    def _children(self) -> tuple[ChildSpec, ...]:
        return tuple(spec for spec in self._specs if spec.role not in (VENUE, COORDINATOR))

    def _figures(self) -> Mapping[str, Any]:
        return self._runtime.machine(RISK).state() if self._runtime.alive(RISK) else {}

    def _command(self, command: BrokerCommand) -> None:
        self._runtime.send(VENUE, command)

    def _ended(self) -> bool:
        if self._coordinator.phase in ENDED:
            return True
        return self._runtime.any_failed and not self._runtime.alive(COORDINATOR)
