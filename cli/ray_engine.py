"""Drive an engine on Ray: one process a role, the venue in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psutil

from cli.composition import ray_specs
from cli.controls import Controls
from cli.drive import EngineFailed
from cli.plan import EnginePlan
from cli.ray_roles import RayRoles
from cli.snapshot import snapshot_of
from domain.errors import Busy, NotRunning
from domain.messages import COORDINATOR, FEED, RISK, Begin, Drain, RoleFailed
from simulation.venue.launch import start_venue, stop_venue
from supervisor.coordinator import ENDED
from supervisor.lifecycle import stop_waves
from supervisor.ray_runtime import RayRuntime

_POLL_S = 0.1
_LOOK_S = 1.0
"""From one look at every role's process to the next."""
_DRIVEN_BY = (COORDINATOR, FEED, RISK)
"""Roles whose states say how far the engine is."""
_FAILED = "the engine stopped because a role failed:\n  "


class RayEngine:
    """Be a running engine whose roles work by themselves (port: `cli.drive.Engine`)."""

    def __init__(self, plan: EnginePlan) -> None:
        """Start the venue, Ray and every role."""
        self._plan, self._state_dir = plan, plan.session.state_dir
        self._specs = ray_specs(plan)
        ray = plan.settings.engine.runtime.ray
        self._runtime = RayRuntime(
            self._state_dir,
            actors=len(self._specs),
            num_cpus=ray.num_cpus,
            object_store_bytes=ray.object_store_bytes,
        )
        self._roles = RayRoles(self._runtime, self._specs, frozenset(_DRIVEN_BY))
        self._told: set[str] = set()
        self._looked = time.monotonic()
        self._known: dict[str, Mapping[str, Any]] = {}
        self._venue = psutil.Process(start_venue(self._state_dir, plan.venue()).address.pid)
        try:
            self._runtime.__enter__()
            self._runtime.spawn(self._specs)
        except BaseException as error:
            self.close(orderly=False)
            if isinstance(error, NotRunning):
                raise EngineFailed(f"{_FAILED}{error}") from error
            raise
        self._runtime.send(COORDINATOR, Begin(at_ns=0))

    def advance(self) -> bool:
        """Wait a moment; return whether the engine has stopped. Raises EngineFailed without a coordinator."""
        time.sleep(_POLL_S)
        self._tell_of_ended()
        return self._state(COORDINATOR).get("phase") in {phase.value for phase in ENDED}

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask the engine to stop in order."""
        self._runtime.send(COORDINATOR, Drain(reason=reason, cancel_entries=cancel_entries), control=True)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the state of coordinator, feed and risk manager."""
        return {role: self._state(role) for role in _DRIVEN_BY}

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the display shows: the states as they were asked for last, and the next few other roles'."""
        roles = self._roles.look()
        return snapshot_of(self._plan, {**self._roles.views, **self._known}, roles)

    def controls(self) -> Controls | None:
        """Return None: it takes no commands yet."""
        return None

    def close(self, *, orderly: bool = True) -> None:
        """Stop every role, in order when `orderly`, then Ray, then the venue: what it holds is in its journal."""
        try:
            if not orderly or self._runtime.broken():
                return
            acting = [spec for spec in self._specs if spec.role != COORDINATOR]
            for wave in stop_waves(acting):
                self._runtime.stop(wave)
            self._runtime.stop((COORDINATOR,))
        finally:
            self._runtime.shutdown()
            stop_venue(self._state_dir)

    def _tell_of_ended(self) -> None:
        """Tell the coordinator, once each, of roles whose process was killed: they can no longer do so themselves."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        if not self._venue.is_running() or self._venue.status() == psutil.STATUS_ZOMBIE:
            raise EngineFailed(
                f"{_FAILED}venue: its process ended; run again to go on from the last settled bar"
            )
        if broken := self._runtime.broken():
            raise EngineFailed(
                f"{_FAILED}ray: its process {broken} ended; run again to go on from the last settled bar"
            )
        ended = set(self._runtime.ended()) - self._told
        if COORDINATOR in ended:
            raise EngineFailed(f"{_FAILED}{COORDINATOR}: its process ended")
        for role in sorted(ended):
            failed = RoleFailed(role=role, error="its process ended", traceback="", fatal=True, ended=True)
            self._runtime.send(COORDINATOR, failed, control=True)
        self._told |= ended

    def _state(self, role: str) -> Mapping[str, Any]:
        """Return the machine's state, its last known one while it is busy or when it has ended.

        Without the coordinator nothing can be stopped in order: when that has ended, EngineFailed is raised.
        """
        try:
            answer = self._runtime.snapshot(role)
        except Busy:  # how long it may be is for who drives the engine to say
            return self._known.get(role, {})
        except NotRunning as error:
            if role == COORDINATOR:
                raise EngineFailed(f"{_FAILED}{error}") from error
            return self._known.get(role, {})
        if not answer["alive"] and role == COORDINATOR:
            why = answer.get("failure") or "no reason known"
            raise EngineFailed(f"{_FAILED}{COORDINATOR}: {why}")
        if answer["alive"] and answer["state"] is not None:
            self._known[role] = answer["state"]
        return self._known.get(role, {})
