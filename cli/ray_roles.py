"""Look at the processes of an engine's roles from outside, a few at a time: a display must not cost what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import psutil

from domain.errors import Busy, NotRunning
from supervisor.child_spec import ChildSpec
from supervisor.ray_runtime import RayRuntime

_AT_A_TIME = 2
_DEADLINE_S = 0.1
"""How long a role is waited for; one that is busy is shown as it was known last."""


class RayRoles:
    """Keep what was seen of each role last."""

    def __init__(
        self, runtime: RayRuntime, specs: Sequence[ChildSpec], asked_by_driver: frozenset[str]
    ) -> None:
        """Ask roles for their state in turn, but for those that whoever drives the engine asks anyhow."""
        self._runtime = runtime
        self._specs = {spec.role: spec for spec in specs}
        others = [role for role in self._specs if role not in asked_by_driver]
        self._turns = cycle(others or [""])
        self._turn_of = cycle(self._specs)
        self.views: dict[str, Mapping[str, Any]] = {}
        self._figures: dict[str, dict[str, Any]] = {}

    def look(self) -> Mapping[str, Mapping[str, Any]]:
        """Ask the next few roles; return the figures of all."""
        for role in islice(self._turns, _AT_A_TIME):
            if role:
                self._ask(role)
        pids = self._runtime.processes()
        for role in islice(self._turn_of, _AT_A_TIME):
            self._figures[role] = {**self._figures.get(role, {}), **_memory(pids.get(role))}
        return {role: self._told(spec, pids.get(role)) for role, spec in self._specs.items()}

    def _ask(self, role: str) -> None:
        try:
            answer = self._runtime.snapshot(role, deadline_s=_DEADLINE_S)
        except (Busy, NotRunning):  # its figures of before stand; that it has ended the process tells
            return
        self._figures[role] = {**self._figures.get(role, {}), "queued": answer.get("queued")}
        if answer["alive"] and answer["state"] is not None:
            self.views[role] = answer["state"]

    def _told(self, spec: ChildSpec, pid: int | None) -> dict[str, Any]:
        runs = pid is not None and psutil.pid_exists(pid)
        return {
            "generation": spec.generation,
            "status": "running" if runs else "ended",
            "restarts": spec.generation - 1,
            "pid": pid,
            **self._figures.get(spec.role, {}),
        }


def _memory(pid: int | None) -> dict[str, int]:
    """Return what a process holds in memory, nothing for one that ended."""
    if pid is None:
        return {}
    try:
        return {"rss_bytes": psutil.Process(pid).memory_info().rss}
    except psutil.NoSuchProcess:
        return {}
