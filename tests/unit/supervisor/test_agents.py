"""A person releases a strategy, whether it is out already or only on its way there (B5, B6)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.commands import Verb
from domain.errors import CommandRefused
from domain.messages import AUDIT, FEED, GATEWAY, RISK, Drain, Drained, RoleFailed
from domain.outputs import Send, StartRoles
from domain.supervision import ReleaseStrategy, RoleEnded, RoleFigures, RolesObserved
from supervisor.agents import ChildAgents
from supervisor.phase import STOPPING, Phase
from tests.unit.supervisor.test_coordinator import STRATEGIES, Bench, a_person, held_out

RELEASED = Send(RISK, ReleaseStrategy(strategy="a"), True)


@pytest.fixture
def bench() -> Bench:
    running = Bench()
    running.run()
    return running


def agents(bench: Bench) -> ChildAgents:
    machine: Any = bench.machine
    return ChildAgents(machine._children, machine._upkeep, machine._kept, lambda: machine.phase in STOPPING)


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


@pytest.mark.parametrize("order", ["start", "stop", "restart", "release"])
def test_an_engine_that_stops_leaves_its_roles_as_they_are(bench: Bench, order: str) -> None:
    bench.give(Drain(reason="signal", cancel_entries=False))
    with pytest.raises(CommandRefused, match="the engine stops; strategy:a is left as it is"):
        getattr(agents(bench), order)(STRATEGIES[0])


def test_a_restart_by_a_person_keeps_no_stop_waiting(bench: Bench) -> None:
    """Found by the fault search: without a gateway the risk manager's next generation would never be ready."""
    bench.give(RoleFailed(role=GATEWAY, error="the disk is full", traceback="", fatal=True))
    bench.give(a_person(Verb.AGENT_RESTART, RISK))
    for role in (FEED, *STRATEGIES, RISK, AUDIT):
        bench.give(Drained(role=role))
    assert not [each for each in bench.done if isinstance(each, StartRoles)]
    assert bench.machine.phase is Phase.FAILED


def test_a_role_that_shares_its_process_with_all_others_is_not_restarted_alone(bench: Bench) -> None:
    """Inline, the journal's lock and what waits for the common commit would stay behind."""
    child = bench.machine._children[GATEWAY]
    child.plan = child.plan._replace(replaceable=False)
    with pytest.raises(CommandRefused, match="shares one process with all others"):
        agents(bench).restart(GATEWAY)


def test_a_strategy_that_fails_too_seldom_to_be_kept_out_shows_how(bench: Bench) -> None:
    view = {"failures": 1_465, "last_failures": ["AAPL: raised: ValueError: every third bar"]}
    state = {"strategies": {"a": view, "b": {"failures": 0, "last_failures": []}}}
    bench.give(RolesObserved(figures=(RoleFigures(STRATEGIES[0], 1, 7, 1, 0.0, 0, state, ""),)))
    roles = bench.machine.state()["roles"]
    assert roles[STRATEGIES[0]]["why"] == (
        "1,465 evaluations failed, the last: AAPL: raised: ValueError: every third bar"
    )
    assert roles[STRATEGIES[1]]["why"] == ""


@pytest.mark.parametrize(
    ("given", "order", "words"), [(None, "start", "runs already"), ("stop", "stop", "is stopped already")]
)
def test_an_order_that_is_carried_out_already_is_no_error(
    bench: Bench, given: str | None, order: str, words: str
) -> None:
    """Every command is idempotent: what a person wants is so, whoever saw to it first."""
    if given is not None:
        getattr(agents(bench), given)(STRATEGIES[0])
    assert getattr(agents(bench), order)(STRATEGIES[0]) == ([], f"strategy:a {words}")


def test_start_of_one_that_its_breaker_keeps_out_says_what_lets_it_in(bench: Bench) -> None:
    bench.give(held_out("a"))
    with pytest.raises(CommandRefused, match=r"strategy:a is quarantined \(.*`agents release`"):
        agents(bench).start(STRATEGIES[0])
