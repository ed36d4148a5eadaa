"""A person releases a strategy, whether it is out already or only on its way there (B5, B6)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import CommandRefused
from domain.messages import GATEWAY, RISK
from domain.outputs import Send, StartRoles
from domain.supervision import ReleaseStrategy, RoleEnded
from supervisor.agents import ChildAgents
from tests.unit.supervisor.test_coordinator import STRATEGIES, Bench, held_out

RELEASED = Send(RISK, ReleaseStrategy(strategy="a"), True)


@pytest.fixture
def bench() -> Bench:
    running = Bench()
    running.run()
    return running


def agents(bench: Bench) -> ChildAgents:
    machine: Any = bench.machine
    return ChildAgents(machine._children, machine._upkeep, machine._kept)


def test_release_of_a_strategy_that_runs_forgets_its_failures(bench: Bench) -> None:
    """Its breaker, which may be open, is the risk manager's: the coordinator asks for the same either way."""
    outputs, words = agents(bench).release(STRATEGIES[0])
    assert RELEASED in outputs
    assert not [each for each in outputs if isinstance(each, StartRoles)]
    assert words == "strategy:a is released: its failures are forgotten, its breaker begins anew"


def test_release_of_one_that_its_breaker_keeps_out_lets_it_in(bench: Bench) -> None:
    bench.give(held_out("a"))
    assert RELEASED in agents(bench).release(STRATEGIES[0])[0]
    bench.give(held_out("a"))  # on its way already
    assert bench.machine.state()["roles"][STRATEGIES[0]]["status"] == "quarantined"
    bench.give(held_out())
    assert bench.machine.state()["roles"][STRATEGIES[0]]["status"] == "ready"


def test_release_of_one_that_ended_too_often_starts_it_with_nothing_held_against_it(bench: Bench) -> None:
    for n in range(4):
        bench.give(RoleEnded(role=STRATEGIES[0], generation=n + 1, why="its process ended", at_s=100.0))
    outputs, words = agents(bench).release(STRATEGIES[0])
    assert RELEASED in outputs
    assert [each for each in outputs if isinstance(each, StartRoles)]
    assert words == "strategy:a is released and starts"


@pytest.mark.parametrize("role", [GATEWAY, "strategy:stranger"])
def test_release_of_anything_else_is_refused(bench: Bench, role: str) -> None:
    with pytest.raises(CommandRefused, match=r"is no strategy|no role"):
        agents(bench).release(role)
