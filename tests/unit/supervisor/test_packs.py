"""A role of several strategies is supervised as one, and each of them is told by name."""

from __future__ import annotations

import pytest

from domain.errors import CommandRefused
from domain.halts import HaltLadder
from domain.messages import RISK
from domain.outputs import Output, Send, StartRoles
from domain.supervision import AbsentStrategy, ReleaseStrategy, RoleEnded, RoleStarted, StrategiesAbsent
from supervisor.agents import ChildAgents
from supervisor.child import ChildPlan, Status
from supervisor.child_spec import RestartPolicy
from supervisor.children import Children
from supervisor.latch_keeper import LatchKeeper
from supervisor.restart_policy import Intensity
from supervisor.upkeep import Upkeep
from tests.unit.domain.test_halts import policy

PACKS: dict[str, tuple[str, ...]] = {"strategies:1": ("a", "b"), "strategies:2": ("c", "d")}


class Bench:
    """Hold packs that are at work, and what people order of them."""

    def __init__(self, packs: dict[str, tuple[str, ...]]) -> None:
        plans = [
            ChildPlan(role, (), RestartPolicy.QUARANTINE, names, most_busy_s=9.0, most_rss_bytes=0)
            for role, names in packs.items()
        ]
        self.children = Children(plans, Intensity(most=3, within_s=60.0), None)
        self.upkeep = Upkeep(self.children, LatchKeeper(HaltLadder(policy()), frozenset(), 6.0))
        self.agents = ChildAgents(self.children, self.upkeep, lambda: [])
        for role in packs:
            self.children.started(RoleStarted(role=role, generation=1, pid=7, at_s=0.0))
            self.children.ready(role, 1)

    def end(self, role: str, times: int = 1) -> list[Output]:
        """End a role so often, each time a second after the last."""
        outputs: list[Output] = []
        for _ in range(times):
            generation = self.children[role].generation
            ended = RoleEnded(
                role=role, generation=generation, why="its process ended", at_s=float(generation)
            )
            outputs = self.upkeep.ended(ended, stopping=False).outputs
        return outputs

    def report(self, role: str) -> tuple[str, str]:
        """Return a role's status and the reason as people see them."""
        told = self.children.report()[role]
        return told["status"], told["why"]


@pytest.fixture
def bench() -> Bench:
    return Bench(PACKS)


def test_the_end_of_a_pack_is_a_failure_of_each_of_its_strategies(bench: Bench) -> None:
    outputs = bench.end("strategies:1")
    assert StartRoles((("strategies:1", 2),)) in outputs
    absent = tuple(AbsentStrategy(name, "its process ended", False) for name in "ab")
    assert Send(RISK, StrategiesAbsent(absent=absent), True) in outputs


def test_a_pack_that_ends_too_often_is_quarantined_whole_and_others_trade_on(bench: Bench) -> None:
    outputs = bench.end("strategies:2", times=4)
    absent = tuple(AbsentStrategy(name, "its process ended", True) for name in "cd")
    assert Send(RISK, StrategiesAbsent(absent=absent), True) in outputs
    assert bench.children.quarantined() == ({"c", "d"}, 4)
    assert bench.report("strategies:1") == ("ready", "")


def test_a_pack_says_which_of_its_strategies_a_breaker_keeps_out(bench: Bench) -> None:
    assert bench.children.hold_out("a", "2 probes failed")
    assert bench.report("strategies:1") == ("ready", "a: 2 probes failed")
    assert bench.children.hold_out("b", "3 probes failed")
    assert bench.report("strategies:1") == ("quarantined", "a: 2 probes failed; b: 3 probes failed")
    assert bench.children.report()["strategies:1"]["strategies"] == ["a", "b"]


def test_release_of_a_pack_lets_all_of_it_take_part_again(bench: Bench) -> None:
    for name in "ab":
        bench.children.hold_out(name, "2 probes failed")
    outputs, detail = bench.agents.release("strategies:1")
    assert outputs[:2] == [Send(RISK, ReleaseStrategy(strategy=name), True) for name in "ab"]
    assert detail == "strategies:1 is released: its failures are forgotten, its breaker begins anew"
    assert bench.report("strategies:1") == ("ready", "")


def test_order_to_a_strategy_that_shares_a_role_names_the_role(bench: Bench) -> None:
    with pytest.raises(CommandRefused, match=r"strategy:c shares its process.*the role is strategies:2"):
        bench.agents.stop("strategy:c")
    with pytest.raises(CommandRefused, match="no role 'strategy:x'"):
        bench.agents.stop("strategy:x")
    bench.agents.stop("strategies:2")
    assert bench.children["strategies:2"].status is Status.STOPPED
