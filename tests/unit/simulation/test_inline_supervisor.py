"""The inline supervisor tells of roles as the one on Ray does: found, started, ended, not started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.supervision import RoleEnded, RoleStarted
from simulation.inline import InlineRuntime
from simulation.inline_supervisor import InlineSupervisor
from supervisor.child_spec import ChildSpec

RECORDER = "tests.contract.runtime_machines:recorder"


class Told:
    """Keep what is told (port: `domain.ports.Mailbox`)."""

    def __init__(self) -> None:
        self.messages: list[RoleStarted | RoleEnded] = []

    def put(self, message: Any, *, control: bool = False) -> None:
        self.messages.append(message)

    @property
    def brief(self) -> list[tuple[str, str, int]]:
        return [(type(told).__name__, told.role, told.generation) for told in self.messages]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[InlineRuntime]:
    made = InlineRuntime(tmp_path)
    yield made
    made.shutdown()


def supervised(runtime: InlineRuntime, *specs: ChildSpec) -> tuple[InlineSupervisor, Told]:
    told = Told()
    supervisor = InlineSupervisor(runtime, lambda: specs)
    supervisor.open(told)
    return supervisor, told


def test_roles_that_are_there_are_found_and_others_are_not_told_of(runtime: InlineRuntime) -> None:
    spec = ChildSpec(role="a", factory=RECORDER)
    runtime.spawn([spec])
    _, told = supervised(runtime, spec, ChildSpec(role="b", factory=RECORDER))
    assert told.brief == [("RoleStarted", "a", 1)]


def test_a_role_is_ended_and_started_in_its_next_generation(runtime: InlineRuntime) -> None:
    spec = ChildSpec(role="a", factory=RECORDER)
    runtime.spawn([spec])
    supervisor, told = supervised(runtime, spec)
    supervisor.end("a", 1)
    assert not runtime.alive("a")
    supervisor.start([("a", 2)])
    assert runtime.alive("a")
    assert told.brief[1:] == [("RoleEnded", "a", 1), ("RoleStarted", "a", 2)]


def test_end_of_a_generation_that_is_not_there_is_told_all_the_same(runtime: InlineRuntime) -> None:
    spec = ChildSpec(role="a", factory=RECORDER)
    runtime.spawn([spec])
    supervisor, told = supervised(runtime, spec)
    supervisor.end("a", 7)
    assert runtime.alive("a")
    assert told.brief[1:] == [("RoleEnded", "a", 7)]


def test_a_role_whose_factory_refuses_has_ended(runtime: InlineRuntime) -> None:
    refusing = ChildSpec(role="b", factory="tests.contract.runtime_machines:refusing")
    supervisor, told = supervised(runtime, refusing)
    supervisor.start([("b", 2)])
    (ended,) = told.messages
    assert isinstance(ended, RoleEnded)
    assert ended.why.startswith("it did not start: ConfigurationError")
