"""Whatever happens to a role's process, the coordinator hears of it; Ray is a fake here (C4)."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from actors.clock import SystemClock
from domain.errors import EnvironmentFault
from domain.messages import GATEWAY, RISK
from domain.supervision import RoleEnded, RoleStarted
from supervisor.child import WHICHEVER
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


class SilentError(Exception):
    """Stand for Ray's GetTimeoutError."""


class EndedError(Exception):
    """Stand for Ray's RayActorError."""


class FakeHandle:
    """Be one generation of a role: `where` answers with `said`, a process id or what is raised."""

    def __init__(self, pid: int, said: int | Exception) -> None:
        self.pid, self.said = pid, said
        self._ray_actor_id = SimpleNamespace(hex=lambda: self)
        self.where = SimpleNamespace(remote=lambda: self.said)
        self.observe = SimpleNamespace(remote=lambda: None)


class FakeRay:
    """Know handles by name; who is silent is waited for until `patience` is set."""

    def __init__(self) -> None:
        self.handles: dict[str, Any] = {}
        self.killed: list[Any] = []
        self.kill_fails: Exception | None = None
        self.patience = threading.Event()
        self.observing = threading.Event()
        self.exceptions = SimpleNamespace(
            GetTimeoutError=SilentError, RayTaskError=(), RayActorError=EndedError
        )
        self.util = SimpleNamespace(list_named_actors=lambda: list(self.handles))
        record = SimpleNamespace(actors=lambda handle: {"Pid": handle.pid})
        self._private = SimpleNamespace(state=record)

    def get(self, reference: Any, timeout: float) -> Any:
        if isinstance(reference, SilentError):
            assert self.patience.wait(PATIENCE_S)
        if isinstance(reference, Exception):
            raise reference
        return reference

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> None:
        """Wait for the figures of a role that is slow, for good."""
        self.observing.set()
        self.patience.wait(PATIENCE_S)

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
        if isinstance(handle, FakeHandle):
            os.kill(handle.pid, signal.SIGKILL)


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
    bench.ray.handles["risk#3"] = FakeHandle(0, 0)
    bench.ray.kill_fails = error
    bench.supervisor.end(RISK, 3)
    bench.mailbox.wait_for(lambda: len(bench.mailbox.ends()) == 1)
    (told,) = bench.mailbox.ends()
    assert (told.role, told.generation) == (RISK, 3)
    assert told.why.startswith("it could not be ended: ")
    assert bench.log.events == ["role_not_ended"]


@pytest.fixture
def process() -> Iterator[psutil.Popen]:
    """Return a process that does nothing for long."""
    with psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as idle:
        yield idle
        if idle.poll() is None:
            idle.kill()


def test_a_role_that_does_not_answer_keeps_nobody_waiting_and_is_ended_before_it_is_missed(
    bench: Bench, process: psutil.Popen
) -> None:
    """Asked in turn on the coordinator's thread, all leases lapsed; and the old process kept its journal's lock."""
    at_work, silent = FakeHandle(os.getpid(), os.getpid()), FakeHandle(process.pid, SilentError())
    bench.ray.handles |= {"risk#2": at_work, "risk#1": FakeHandle(0, EndedError()), "gateway#4": silent}
    bench.supervisor.open(bench.mailbox)
    assert (bench.peers[RISK], bench.peers[GATEWAY]) == (at_work, silent)
    bench.mailbox.wait_for(lambda: any(isinstance(each, RoleStarted) for each in bench.mailbox.told))
    (found,) = bench.mailbox.told
    assert (found.role, found.generation, found.pid) == (RISK, 2, os.getpid())
    bench.ray.patience.set()
    bench.mailbox.wait_for(lambda: len(bench.mailbox.ends()) == 1)
    (lost,) = bench.mailbox.ends()
    assert (lost.role, lost.generation, lost.why) == (GATEWAY, WHICHEVER, "its process was not found")
    assert (bench.ray.killed, process.poll() is None) == ([silent], False)
    bench.supervisor.close()


def test_a_role_that_was_never_started_is_ended_too(bench: Bench, process: psutil.Popen) -> None:
    """The coordinator died between the two."""
    bench.ray.handles["risk#2"] = FakeHandle(process.pid, 0)
    bench.supervisor.open(bench.mailbox)
    bench.mailbox.wait_for(lambda: len(bench.mailbox.ends()) == 2)
    assert {told.role for told in bench.mailbox.ends()} == {GATEWAY, RISK}
    assert process.poll() is not None
    bench.supervisor.close()


def test_a_death_is_known_while_a_slow_role_is_waited_for(bench: Bench, process: psutil.Popen) -> None:
    bench.ray.handles["risk#1"] = FakeHandle(process.pid, process.pid)
    bench.supervisor.open(bench.mailbox)
    assert bench.ray.observing.wait(PATIENCE_S)
    process.kill()
    bench.mailbox.wait_for(lambda: RISK in {told.role for told in bench.mailbox.ends()})
    assert not bench.ray.patience.is_set()
    bench.ray.patience.set()
    bench.supervisor.close()
