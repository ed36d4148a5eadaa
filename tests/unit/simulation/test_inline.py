"""Run the inline runtime through the contract of all runtimes, and what is its own: order and virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import InvariantViolation
from domain.messages import BarSettled, Begin
from domain.ports import Runtime
from simulation.inline import NAP_S, InlineRuntime
from supervisor.child_spec import ChildSpec
from tests.contract.runtime_contract import RuntimeContract, recorder


class TestInlineRuntime(RuntimeContract):
    """C5: what holds on Ray holds in one process."""

    def progress(self, runtime: Runtime[ChildSpec]) -> None:
        assert isinstance(runtime, InlineRuntime)
        runtime.settle()

    @pytest.fixture
    def runtime(self, tmp_path: Path) -> Iterator[InlineRuntime]:
        runtime = InlineRuntime(tmp_path)
        yield runtime
        runtime.shutdown()


def test_a_timer_waits_for_every_message_and_time_jumps_to_the_earliest(tmp_path: Path) -> None:
    runtime = InlineRuntime(tmp_path)
    runtime.spawn([recorder("a", timer_s=3_600.0), recorder("b", forward="a", timer_s=60.0)])
    runtime.send("a", Begin())
    runtime.send("b", Begin())
    for bar in range(5):
        runtime.send("b", BarSettled(bar=bar))
    runtime.settle()
    assert runtime.snapshot("a")["state"] == {"seen": [0, 1, 2, 3, 4, "soon"]}
    assert runtime.snapshot("b")["state"] == {"seen": [0, 1, 2, 3, 4, "soon"]}


def test_an_engine_that_waits_for_itself_is_a_contradiction_and_says_where(tmp_path: Path) -> None:
    runtime = InlineRuntime(tmp_path)
    runtime.spawn([recorder("a")])
    runtime.send("a", BarSettled(bar=1))
    with pytest.raises(InvariantViolation, match=r"every role waits.*'seen': \[1\]"):
        runtime.run(lambda: False, most=10)


def test_a_paced_runtime_waits_for_its_timers_a_nap_at_a_time(tmp_path: Path) -> None:
    naps: list[float] = []
    runtime = InlineRuntime(tmp_path, pause=naps.append)
    runtime.spawn([recorder("a", timer_s=2.5 * NAP_S)])
    runtime.send("a", Begin())
    runtime.settle()
    assert naps == pytest.approx([NAP_S, NAP_S, 0.5 * NAP_S])
    assert runtime.snapshot("a")["state"] == {"seen": ["soon"]}


def test_a_role_that_fails_at_a_timer_ends_like_one_that_fails_at_a_message(tmp_path: Path) -> None:
    """Its other timers run out no more: after a failed write nothing is tried again."""
    runtime = InlineRuntime(tmp_path)
    runtime.spawn([recorder("coordinator"), recorder("a", timer_s=1.0, fails_at="soon")])
    runtime.send("a", Begin())
    runtime.settle()
    assert not runtime.alive("a")
    assert runtime.snapshot("coordinator")["state"] == {"seen": [("a", True, "ZeroDivisionError: told to")]}
    runtime._shells["a"]._timers.set("later", 1.0)
    runtime.settle()
    assert runtime.snapshot("a")["state"] == {"seen": ["soon"]}
