"""Drive an engine on Ray: one process a role, the venue in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cli.composition import EnginePlan, ray_specs
from domain.errors import NotRunning
from domain.messages import COORDINATOR, FEED, RISK, Begin, Drain
from simulation.venue.launch import start_venue, stop_venue
from supervisor.coordinator import ENDED
from supervisor.lifecycle import stop_waves
from supervisor.ray_runtime import RayRuntime

_POLL_S = 0.1


class RayEngine:
    """Be a running engine whose roles work by themselves (port: `cli.drive.Engine`)."""

    def __init__(self, plan: EnginePlan) -> None:
        """Start the venue, Ray and every role."""
        self._state_dir = plan.session.state_dir
        self._specs = ray_specs(plan)
        self._runtime = RayRuntime(self._state_dir, actors=len(self._specs))
        self._known: Mapping[str, Mapping[str, Any]] = {}
        start_venue(self._state_dir, plan.venue())
        try:
            self._runtime.__enter__()
            self._runtime.spawn(self._specs)
        except BaseException:
            self.close(orderly=False)
            raise
        self._runtime.send(COORDINATOR, Begin(at_ns=0))

    def advance(self) -> bool:
        """Wait a moment; return whether the engine has stopped."""
        time.sleep(_POLL_S)
        return self._state(COORDINATOR).get("phase") in {phase.value for phase in ENDED}

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask the engine to stop in order."""
        self._runtime.send(COORDINATOR, Drain(reason=reason, cancel_entries=cancel_entries), control=True)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the state of coordinator, feed and risk manager."""
        self._known = {role: self._state(role) for role in (COORDINATOR, FEED, RISK)}
        return self._known

    def close(self, *, orderly: bool = True) -> None:
        """Stop every role, in order when `orderly`, then Ray, then the venue: what it holds is in its journal."""
        try:
            if not orderly:
                return
            acting = [spec for spec in self._specs if spec.role != COORDINATOR]
            for wave in stop_waves(acting):
                self._runtime.stop(wave)
            self._runtime.stop((COORDINATOR,))
        finally:
            self._runtime.shutdown()
            stop_venue(self._state_dir)

    def _state(self, role: str) -> Mapping[str, Any]:
        """Return the machine's state, its last known one while the role is busy; raises NotRunning when it died."""
        answer = self._runtime.snapshot(role)
        if not answer["alive"] and role != COORDINATOR:
            return self._known.get(role, {})
        if not answer["alive"]:
            raise NotRunning(f"the coordinator has ended: {answer.get('failure') or 'no reason known'}")
        state: Mapping[str, Any] | None = answer["state"]
        return self._known.get(role, {}) if state is None else state
