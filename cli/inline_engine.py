"""Drive an engine in this process: the backtest of record."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Any

from cli.composition import inline_specs
from cli.controls import Controls
from cli.plan import EnginePlan
from cli.snapshot import snapshot_of
from domain.broker import BrokerCommand
from domain.errors import DurabilityError, InvariantViolation
from domain.messages import COORDINATOR, FEED, RISK, VENUE, Begin, Drain
from simulation.inline import InlineRuntime
from simulation.venue.durable import DurableVenue
from simulation.venue.inline import InlineBroker
from simulation.venue.launch import stop_venue
from storage.commit_group import REDO, CommitGroup
from supervisor.coordinator import ENDED, Coordinator

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
        self._thresholds, self._plan = gc.get_threshold(), plan
        paced = plan.pace_s > 0.0
        self._runtime = InlineRuntime(plan.session.state_dir, pause=time.sleep if paced else None)
        self._slice = _PACED_SLICE if paced else _SLICE
        stop_venue(
            plan.session.state_dir
        )  # a killed engine on Ray may have left one that writes the same journal
        self._group = CommitGroup(plan.session.state_dir / REDO)
        self._venue = DurableVenue(plan.session.state_dir / "venue", plan.venue(), self._group)
        broker = InlineBroker(self._venue, self._command)
        try:
            self._runtime.spawn(inline_specs(plan, broker, self._group))
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
        """Do a slice of work; return whether the engine has stopped."""
        return self._runtime.run(self._ended, most=self._slice, for_s=_SLICE_S)

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask the engine to stop in order."""
        self._runtime.send(COORDINATOR, Drain(reason=reason, cancel_entries=cancel_entries), control=True)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the state of coordinator, feed and risk manager."""
        return {role: self._runtime.snapshot(role)["state"] for role in (COORDINATOR, FEED, RISK)}

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the display shows; the roles share this process, so none has memory of its own."""
        seen = {role: self._runtime.snapshot(role) for role in self._runtime.roles()}
        roles = {
            role: {
                "generation": answer["generation"],
                "status": "running" if answer["alive"] else "failed",
                "why": answer["failure"],
                "queued": answer["queued"],
            }
            for role, answer in seen.items()
            if role != VENUE
        }
        return snapshot_of(self._plan, {role: answer["state"] for role, answer in seen.items()}, roles)

    def controls(self) -> Controls | None:
        """Return None: it takes no commands."""
        return None

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

    def _command(self, command: BrokerCommand) -> None:
        self._runtime.send(VENUE, command)

    def _ended(self) -> bool:
        return self._coordinator.phase in ENDED
