"""Whatever happens to a role's process, the coordinator hears of it; Ray is a fake here (C4)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.clock import SystemClock
from domain.errors import EnvironmentFault
from domain.messages import GATEWAY, RISK
from domain.supervision import RoleEnded
from supervisor.child_spec import ChildSpec
from supervisor.ray_supervisor import RaySupervisor

PATIENCE_S = 10.0


class FakeMailbox:
    """Note what is put, and let a test wait for it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._more = threading.Condition()

    def put(self, message: Any, *, control: bool = False) -> None:
        with self._more:
            self.told.append(message)
            self._more.notify_all()

    def ends(self) -> list[RoleEnded]:
        return [each for each in self.told if isinstance(each, RoleEnded)]

    def wait_for(self, check: Callable[[], bool]) -> None:
        with self._more:
            assert self._more.wait_for(check, PATIENCE_S), self.told


class FakeLog:
    """Note which events were logged."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def error(self, event: str, **values: Any) -> None:
        self.events.append(event)


class FakeRay:
    """Know handles by name; a handle's `where` answers with its process id, raises, or stays silent (None)."""

    def __init__(self) -> None:
        self.handles: dict[str, Any] = {}
        self.killed: list[Any] = []
        self.kill_fails: Exception | None = None

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(current_actor="own")

    def get_actor(self, name: str, namespace: str) -> Any:
        if name not in self.handles:
            raise ValueError(name)
        return self.handles[name]

    def kill(self, handle: Any, no_restart: bool) -> None:
        if self.kill_fails is not None:
            raise self.kill_fails
        self.killed.append(handle)


class Bench:
    """Own a supervisor of two roles, and what it told."""

    def __init__(self, state_dir: Path) -> None:
        self.ray, self.log, self.mailbox = FakeRay(), FakeLog(), FakeMailbox()
        self.peers: dict[str, Any] = {}
        specs = {role: ChildSpec(role=role, factory="nowhere:nothing") for role in (GATEWAY, RISK)}
        log: Any = self.log
        self.supervisor = RaySupervisor(
            self.ray, specs, state_dir, SystemClock(), log, lambda handles: self.peers.update(handles)
        )
        self.specs = specs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.supervisor._mailbox = made.mailbox
    return made


@pytest.mark.parametrize("error", [EnvironmentFault("stuck in the kernel"), RuntimeError("Ray is gone")])
def test_a_role_that_cannot_be_ended_is_told_of_all_the_same(bench: Bench, error: Exception) -> None:
    """Untold, the coordinator would wait for its end for ever, and watch it no more."""
    bench.ray.handles["risk#3"] = "handle"
    bench.ray.kill_fails = error
    bench.supervisor.end(RISK, 3)
    bench.mailbox.wait_for(lambda: len(bench.mailbox.ends()) == 1)
    (told,) = bench.mailbox.ends()
    assert (told.role, told.generation) == (RISK, 3)
    assert told.why.startswith("it could not be ended: ")
    assert bench.log.events == ["role_not_ended"]
