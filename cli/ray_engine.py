"""Drive an engine on Ray: one process a role, the venue in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psutil

from cli.composition import ray_specs
from cli.drive import FAILED, EngineFailed
from cli.offline_halt import failed_coordinator
from cli.plan import EnginePlan
from domain.errors import Busy, NotRunning
from domain.messages import COORDINATOR, FEED, RISK, Begin, Drain
from simulation.venue.launch import start_venue, stop_venue
from supervisor.lifecycle import stop_waves
from supervisor.phase import ENDED
from supervisor.ray_runtime import RayRuntime

_POLL_S = 0.1
_LOOK_S = 1.0
"""From one look at the processes that the coordinator does not watch to the next."""
COORDINATOR_S = 30.0
"""How long the coordinator may be away, which Ray starts anew after two seconds, before the engine has failed."""


class RayEngine:
    """Be a running engine whose roles work by themselves (port: `cli.drive.Engine`)."""

    def __init__(self, plan: EnginePlan) -> None:
        """Start the venue, Ray and every role."""
        self._state_dir = plan.session.state_dir
        specs = ray_specs(plan)
        self._specs = {spec.role: spec for spec in specs}
        ray = plan.settings.engine.runtime.ray
        self._runtime = RayRuntime(
            self._state_dir,
            actors=len(specs),
            num_cpus=ray.num_cpus,
            object_store_bytes=ray.object_store_bytes,
        )
        self._looked = self._heard = time.monotonic()
        self._coordinator: Mapping[str, Any] = {}
        self._host: dict[str, Any] = {}
        self._known: dict[str, Mapping[str, Any]] = {}
        self._venue = psutil.Process(start_venue(self._state_dir, plan.venue()).address.pid)
        try:
            self._runtime.__enter__()
            self._runtime.spawn(specs)
        except BaseException as error:
            self.close(orderly=False)
            if isinstance(error, NotRunning):
                raise EngineFailed(f"{FAILED}{error}") from error
            raise
        self._runtime.send(COORDINATOR, Begin(at_ns=0))

    def advance(self) -> bool:
        """Wait a moment; return whether the engine has stopped.

        Raises EngineFailed without venue or Ray, and, once the account is halted, without a coordinator: one that was
        killed is back in time.
        """
        time.sleep(_POLL_S)
        self._look()
        self._hear()
        return self._ended

    def drain(self, reason: str, *, cancel_entries: bool) -> None:
        """Ask the engine to stop in order."""
        self._runtime.send(COORDINATOR, Drain(reason=reason, cancel_entries=cancel_entries), control=True)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the state of coordinator, feed and risk manager: as last seen, and at the end as they are."""
        views = self._coordinator.get("views", {})
        return self._noted(self._asked_views() if self._ended else views)

    def asked_states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return them as feed and risk manager tell them now."""
        return self._noted(self._asked_views())

    def _asked_views(self) -> Mapping[str, Any]:
        """Ask feed and risk manager, of whatever generation; what does not answer is as seen last."""
        views: Mapping[str, Any] = self._coordinator.get("views", {})
        # Without Ray's servers a question to them is answered after a minute, by the end of this process.
        if self._runtime.broken():
            return views
        self._runtime.find(self._specs)
        return {role: self._asked(role) or views.get(role) for role in (FEED, RISK)}

    def _noted(self, views: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        for role in (FEED, RISK):
            self._known[role] = views.get(role) or self._known.get(role, {})
        if self._coordinator.get("completed"):  # the feed may have been killed since, and is not started anew
            self._known[FEED] = {**self._known[FEED], "next": self._coordinator["ended_at"]}
        return {COORDINATOR: self._coordinator, **self._known}

    def snapshot(self) -> Mapping[str, Any]:
        """Return what the display shows: the coordinator's state and process as they were seen last, and when."""
        roles = {COORDINATOR: self._host, **self._coordinator.get("roles", {})} if self._host else {}
        return {**self._coordinator, "roles": roles, "seen_s": self._heard}

    def close(self, *, orderly: bool = True) -> None:
        """Stop every role, in order when `orderly`, then Ray, then the venue: what it holds is in its journal."""
        try:
            if not orderly or self._runtime.broken():
                return
            self._runtime.find(self._specs)
            acting = [spec for role, spec in self._specs.items() if role != COORDINATOR]
            for wave in stop_waves(acting):
                self._runtime.stop(wave)
            self._runtime.stop((COORDINATOR,))
        finally:
            self._runtime.shutdown()
            stop_venue(self._state_dir)

    @property
    def _ended(self) -> bool:
        return self._coordinator.get("phase") in {phase.value for phase in ENDED}

    def _look(self) -> None:
        """See that what nobody can start anew is there: the simulated venue, and Ray's own servers."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        if not self._venue.is_running() or self._venue.status() == psutil.STATUS_ZOMBIE:
            raise EngineFailed(
                f"{FAILED}venue: its process ended; run again to go on from the last settled bar"
            )
        if broken := self._runtime.broken():
            raise EngineFailed(
                f"{FAILED}ray: its process {broken} ended; run again to go on from the last settled bar"
            )

    def _hear(self) -> None:
        """Ask the coordinator for its state; it may be away for a while, for Ray starts it anew."""
        now = time.monotonic()
        try:
            answer = self._runtime.snapshot(COORDINATOR)
        except (Busy, NotRunning) as error:
            if now - self._heard > COORDINATOR_S:
                raise failed_coordinator(self._state_dir, str(error)) from error
            return
        if not answer["alive"] and answer.get("failure"):
            raise failed_coordinator(self._state_dir, answer["failure"])
        if answer["state"] is not None:
            self._heard, self._coordinator = now, answer["state"]
            self._host = _seen(self._host, answer["pid"], answer["queued"])
        elif now - self._heard > COORDINATOR_S:
            raise failed_coordinator(self._state_dir, f"it did not answer for {COORDINATOR_S:g} s")

    def _asked(self, role: str) -> Mapping[str, Any] | None:
        """Return what a role itself says of its state, None where it does not answer."""
        try:
            state: Mapping[str, Any] | None = self._runtime.snapshot(role)["state"]
        except (Busy, NotRunning):
            return None
        return state


def _seen(before: Mapping[str, Any], pid: int, queued: int) -> dict[str, Any]:
    """Return what is seen of the coordinator's process, which nobody else looks at: Ray starts it anew by itself."""
    generation = before.get("generation", 1) + (pid != before.get("pid", pid))
    try:
        resident = psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:  # it has just ended
        resident = 0
    return {
        "generation": generation,
        "status": "ready",
        "restarts": generation - 1,
        "why": "",
        "pid": pid,
        "rss_bytes": resident,
        "busy_s": 0.0,
        "queued": queued,
    }
