"""Kill real processes under a real coordinator: it starts them anew, also after Ray has started itself anew (C4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from domain.errors import Busy, NotRunning
from domain.messages import AUDIT, COORDINATOR, FEED, GATEWAY, RISK, Begin
from supervisor.child import ChildPlan
from supervisor.child_spec import ChildSpec, RestartPolicy
from supervisor.phase import CoordinatorSettings
from supervisor.ray_runtime import RayRuntime
from supervisor.restart_policy import Intensity
from tests.unit.domain.test_halts import policy

pytestmark = pytest.mark.ray

ROLES = (AUDIT, GATEWAY, RISK, FEED)
PATIENCE_S = 60.0


class Engine:
    """Be a coordinator with three workers, one after another."""

    def __init__(
        self, runtime: RayRuntime, state: Path, factory: str = "worker", within_s: float = 60.0
    ) -> None:
        self.runtime = runtime
        children = tuple(
            ChildSpec(role=role, factory=f"tests.actor.supervised:{factory}", after=ROLES[:n])
            for n, role in enumerate(ROLES)
        )
        plans = (ChildPlan(spec.role, spec.after, RestartPolicy.HALT, (), 30.0, 0) for spec in children)
        settings = CoordinatorSettings(
            run=str(state),
            children=tuple(plans),
            stop_order=(FEED, GATEWAY, RISK, AUDIT),
            intensity=Intensity(3, within_s),
            cancel_entries=False,
            started={},
            answer_deadline_s=5.0,
        )
        url = f"sqlite:///{state}.db"
        arguments = {"children": children, "settings": settings, "policy": policy(), "url": url, "session": 1}
        coordinator = ChildSpec(
            role=COORDINATOR, factory="supervisor.roles:ray_coordinator", arguments=arguments
        )
        self.specs = {spec.role: spec for spec in (*children, coordinator)}
        runtime.spawn([*children, coordinator])
        runtime.send(COORDINATOR, Begin())
        self.eventually(lambda: self.state()["phase"] == "running")

    def state(self) -> Mapping[str, Any]:
        """Return the coordinator's state; one that is away has none."""
        try:
            answer = self.runtime.snapshot(COORDINATOR)["state"]
        except (Busy, NotRunning):
            answer = None
        return answer or {"phase": "away", "roles": {}}

    def role(self, role: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.state()["roles"].get(
            role, {"status": "away", "generation": 0, "pid": 0}
        )
        return found

    def pid(self, role: str) -> int:
        if role == COORDINATOR:
            return int(self.runtime.snapshot(COORDINATOR)["pid"])
        return int(self.role(role)["pid"])

    def eventually(self, check: Callable[[], bool]) -> float:
        begun = time.monotonic()
        while not check():
            assert time.monotonic() < begun + PATIENCE_S, self.state()
            time.sleep(0.02)
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayRuntime]:
    with RayRuntime(tmp_path_factory.mktemp("state"), actors=5) as started:
        yield started


@pytest.fixture
def engine(runtime: RayRuntime, tmp_path: Path) -> Iterator[Engine]:
    yield Engine(runtime, tmp_path / "one")
    clear(runtime)


def clear(runtime: RayRuntime) -> None:
    for role in (COORDINATOR, *ROLES):
        for generation in range(1, 8):
            runtime.kill(role, generation)


def ready_again(engine: Engine, role: str, generation: int) -> bool:
    found = engine.role(role)
    return bool(found["status"] == "ready" and found["generation"] == generation)


def test_a_killed_role_comes_back_in_its_next_generation(engine: Engine) -> None:
    psutil.Process(engine.pid(RISK)).kill()
    engine.eventually(lambda: ready_again(engine, RISK, 2))
    assert engine.role(RISK)["why"] == "its process ended"
    assert engine.role(GATEWAY)["generation"] == 1
    engine.eventually(lambda: engine.state()["views"].get(RISK) == {"generation": 2})


def test_a_killed_coordinator_finds_its_children_and_goes_on_watching(engine: Engine) -> None:
    before, coordinator = [engine.pid(role) for role in ROLES], engine.pid(COORDINATOR)
    psutil.Process(coordinator).kill()
    engine.eventually(lambda: engine.state()["phase"] == "running" and engine.pid(COORDINATOR) != coordinator)
    engine.eventually(lambda: [engine.pid(role) for role in ROLES] == before)
    psutil.Process(before[0]).kill()
    engine.eventually(lambda: ready_again(engine, AUDIT, 2))


def test_a_role_that_ended_while_the_coordinator_was_away_comes_back(engine: Engine) -> None:
    pids = [engine.pid(COORDINATOR), engine.pid(FEED)]
    for pid in pids:
        psutil.Process(pid).kill()
    engine.eventually(lambda: ready_again(engine, FEED, 2))


def test_a_role_that_does_not_answer_a_restarted_coordinator_is_ended_and_replaced(engine: Engine) -> None:
    """The coordinator itself answers meanwhile: leases last 5 s, as long as it has patience with the role."""
    before, coordinator = [engine.pid(role) for role in ROLES], engine.pid(COORDINATOR)
    silent = psutil.Process(engine.pid(RISK))
    silent.suspend()
    psutil.Process(coordinator).kill()
    engine.eventually(lambda: engine.state()["phase"] == "running" and engine.pid(COORDINATOR) != coordinator)
    assert (silent.status(), engine.role(RISK)["generation"]) == (psutil.STATUS_STOPPED, 1)
    engine.eventually(lambda: ready_again(engine, RISK, 2))
    assert not silent.is_running()
    others = [engine.pid(role) for role in ROLES if role != RISK]
    assert others == [pid for pid in before if pid != silent.pid]


def test_a_role_that_cannot_start_again_halts_and_stops_the_engine(
    runtime: RayRuntime, tmp_path: Path
) -> None:
    engine = Engine(runtime, tmp_path / "two", factory="once")
    psutil.Process(engine.pid(RISK)).kill()
    engine.eventually(lambda: engine.state()["phase"] == "failed")
    state = engine.state()
    assert state["rung"] == "HALTED"
    (failure,) = state["failures"]
    assert failure.startswith("risk: ended more than 3 times in 60 s: it did not start: EnvironmentFault")
    clear(runtime)
