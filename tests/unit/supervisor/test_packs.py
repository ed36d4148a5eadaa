"""A role of several strategies is supervised as one, and each of them is told by name."""

from __future__ import annotations

import pytest

from domain.errors import CommandRefused
from domain.halts import HaltLadder
from domain.messages import RISK
from domain.outputs import Output, Send, StartRoles
from domain.supervision import (
    AbsentStrategy,
    QuarantinedStrategy,
    ReleaseStrategy,
    RoleEnded,
    RoleStarted,
    StrategiesAbsent,
    StrategiesQuarantined,
)
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
        self.latch = LatchKeeper(HaltLadder(policy()), frozenset(), 6.0)
        self.upkeep = Upkeep(self.children, self.latch)
        self.agents = ChildAgents(self.children, self.upkeep, lambda: [], lambda: False)
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

    def hold_out(self, **out: str) -> list[Output] | None:
        """Have the risk manager tell whom breakers keep out, and why."""
        told = tuple(QuarantinedStrategy(name, 5, why) for name, why in out.items())
        return self.upkeep.held_out(StrategiesQuarantined(quarantined=told))

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
    assert bench.children.quarantined() == (("c", "d"), 2, 4)
    assert bench.report("strategies:1") == ("ready", "")


def test_a_pack_says_which_of_its_strategies_a_breaker_keeps_out(bench: Bench) -> None:
    bench.hold_out(a="2 probes failed")
    assert bench.report("strategies:1") == ("ready", "a: 2 probes failed")
    bench.hold_out(b="3 probes failed", a="2 probes failed")
    assert bench.report("strategies:1") == ("quarantined", "a: 2 probes failed; b: 3 probes failed")
    assert bench.children.report()["strategies:1"]["strategies"] == ["a", "b"]


def test_release_of_a_pack_lets_all_of_it_take_part_again(bench: Bench) -> None:
    bench.hold_out(a="2 probes failed", b="2 probes failed")
    outputs, detail = bench.agents.release("strategies:1")
    assert outputs[:2] == [Send(RISK, ReleaseStrategy(strategy=name), True) for name in "ab"]
    assert detail == "strategies:1 is released: its failures are forgotten, its breaker begins anew"
    bench.hold_out()
    assert bench.report("strategies:1") == ("ready", "")


def test_order_to_a_strategy_that_shares_a_role_names_the_role(bench: Bench) -> None:
    with pytest.raises(
        CommandRefused, match="strategy:c is no role of its own; it speaks through strategies:2"
    ):
        bench.agents.stop("strategy:c")
    with pytest.raises(CommandRefused, match="no role 'strategy:x'"):
        bench.agents.stop("strategy:x")
    bench.agents.stop("strategies:2")
    assert bench.children["strategies:2"].status is Status.STOPPED


SHARDS: dict[str, tuple[str, ...]] = {
    "strategy:a/1": ("a/1",),
    "strategy:a/2": ("a/2",),
    "strategy:b": ("b",),
}


def test_the_end_of_a_part_is_told_as_that_of_the_part() -> None:
    outputs = Bench(SHARDS).end("strategy:a/2")
    absent = (AbsentStrategy("a/2", "its process ended", False),)
    assert Send(RISK, StrategiesAbsent(absent=absent), True) in outputs


@pytest.mark.parametrize(
    ("ended", "detail"),
    [
        (("strategy:a/1",), ""),
        (("strategy:a/1", "strategy:a/2"), "1 of 2 strategies are quarantined: a/1, a/2"),
        (("strategy:b",), "1 of 2 strategies are quarantined: b"),
    ],
)
def test_a_part_counts_as_that_part_of_a_strategy_towards_the_half_that_halts(
    ended: tuple[str, ...], detail: str
) -> None:
    """B1: half of the strategies quarantined halt the account; half of one of two is a quarter."""
    bench = Bench(SHARDS)
    for role in ended:
        bench.end(role, times=4)
    halted = [cause["detail"] for cause in bench.latch.state()["halted_by"]]
    assert halted == ([detail] if detail else [])


def test_a_breaker_keeps_all_parts_out_until_any_of_them_is_released() -> None:
    bench = Bench(SHARDS)
    assert bench.hold_out(a="2 probes failed") == []
    assert bench.hold_out(a="2 probes failed") is None, "it is known"
    for role in ("strategy:a/1", "strategy:a/2"):
        assert bench.report(role) == ("quarantined", "2 probes failed")
    assert bench.report("strategy:b") == ("ready", "")
    outputs, _ = bench.agents.release("strategy:a/2")
    assert outputs[0] == Send(RISK, ReleaseStrategy(strategy="a"), True)
    assert bench.hold_out() == []
    assert {bench.report(role) for role in SHARDS} == {("ready", "")}


def test_order_to_a_strategy_in_parts_names_the_roles_of_its_parts() -> None:
    with pytest.raises(CommandRefused, match="it speaks through strategy:a/1, strategy:a/2"):
        Bench(SHARDS).agents.stop("strategy:a")
