"""State what every runtime does (requirement C5): subclass `RuntimeContract` and provide the fixture `runtime`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import ConfigurationError, InvariantViolation, NotRunning
from domain.messages import COORDINATOR, BarSettled, Begin, TimerFired
from domain.ports import Runtime
from supervisor.child_spec import ChildSpec
from tests.contract.runtime_machines import RECOVERABLE_BAR, SLOW_BAR, UNKNOWN_BAR

MACHINES = "tests.contract.runtime_machines"
PATIENCE_S = 15.0


def recorder(role: str, *, generation: int = 1, queue: int = 10_000, **arguments: Any) -> ChildSpec:
    return ChildSpec(
        role=role, generation=generation, queue=queue, factory=f"{MACHINES}:recorder", arguments=arguments
    )


class RuntimeContract:
    """Run a runtime through what machines and the coordinator rely on."""

    def progress(self, runtime: Runtime[ChildSpec]) -> None:
        """Let time pass: wait a little where processes run by themselves; override where they must be driven."""
        time.sleep(0.02)

    def eventually(self, runtime: Runtime[ChildSpec], check: Callable[[], bool]) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while not check():
            assert time.monotonic() < until_s, "it did not come to pass"
            self.progress(runtime)

    def seen(self, runtime: Runtime[ChildSpec], role: str) -> list[Any]:
        state = runtime.snapshot(role, deadline_s=5.0)["state"]
        assert state is not None
        found: list[Any] = state["seen"]
        return found

    @pytest.fixture(autouse=True)
    def _clear(self, runtime: Runtime[ChildSpec]) -> Any:
        yield
        for role in ("a", "b", COORDINATOR):
            for generation in (1, 2):
                runtime.kill(role, generation)

    def test_messages_of_one_sender_arrive_in_order(self, runtime: Runtime[ChildSpec]) -> None:
        sender = ChildSpec(role="b", factory=f"{MACHINES}:burst", arguments={"to": "a", "count": 300})
        runtime.spawn([recorder("a"), sender])
        runtime.send("b", Begin())
        self.eventually(runtime, lambda: len(self.seen(runtime, "a")) == 300)
        assert self.seen(runtime, "a") == list(range(300))

    def test_control_overtakes_queued_messages(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a")])
        for bar in (SLOW_BAR, 1, 2, 3):
            runtime.send("a", BarSettled(bar=bar))
        runtime.send("a", TimerFired(name="halt"), control=True)
        self.eventually(runtime, lambda: len(self.seen(runtime, "a")) == 5)
        seen = self.seen(runtime, "a")
        assert seen.index("halt") < seen.index(1)
        assert [bar for bar in seen if bar != "halt"] == [SLOW_BAR, 1, 2, 3]

    def test_a_full_mailbox_is_reported_and_keeps_what_it_held(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a", queue=5), recorder(COORDINATOR)])
        runtime.send("a", BarSettled(bar=SLOW_BAR))
        for bar in range(40):
            runtime.send("a", BarSettled(bar=bar))
        self.eventually(runtime, lambda: bool(self.seen(runtime, COORDINATOR)))
        role, fatal, error = self.seen(runtime, COORDINATOR)[0]
        assert (role, fatal) == ("a", False)
        assert error.startswith("MailboxFull: the normal lane of a holds 5 messages")
        self.eventually(runtime, lambda: runtime.snapshot("a")["queued"] == 0)
        kept = [bar for bar in self.seen(runtime, "a") if bar != SLOW_BAR]
        # What found room waits in order; how much more finds some depends on how long the sending takes.
        assert kept[:4] == [0, 1, 2, 3]
        assert kept == sorted(set(kept))
        assert len(kept) < 40

    def test_a_recoverable_failure_is_reported_and_the_role_goes_on(
        self, runtime: Runtime[ChildSpec]
    ) -> None:
        runtime.spawn([recorder("a"), recorder(COORDINATOR)])
        runtime.send("a", BarSettled(bar=RECOVERABLE_BAR))
        runtime.send("a", BarSettled(bar=7))
        self.eventually(runtime, lambda: self.seen(runtime, "a") == [7])
        self.eventually(runtime, lambda: bool(self.seen(runtime, COORDINATOR)))
        assert self.seen(runtime, COORDINATOR) == [("a", False, "Busy: told to")]

    def test_an_unknown_failure_is_fatal_and_ends_the_role(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a"), recorder(COORDINATOR)])
        runtime.send("a", BarSettled(bar=UNKNOWN_BAR))
        runtime.send("a", BarSettled(bar=7))
        self.eventually(runtime, lambda: bool(self.seen(runtime, COORDINATOR)))
        assert self.seen(runtime, COORDINATOR) == [("a", True, "ZeroDivisionError: told to")]
        self.eventually(runtime, lambda: not runtime.alive("a"))
        assert runtime.snapshot("a")["handled"] == 0

    def test_kill_ends_the_named_generation_only(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a"), recorder("b")])
        assert not runtime.kill("a", 2)
        assert runtime.alive("a")
        assert runtime.kill("a", 1)
        assert not runtime.alive("a")
        assert runtime.alive("b")
        runtime.spawn([recorder("a", generation=2)])
        assert not runtime.kill("a", 1)
        assert runtime.alive("a")

    def test_a_new_generation_gets_what_others_send(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a"), recorder("b", forward="a")])
        runtime.kill("a", 1)
        runtime.spawn([recorder("a", generation=2)])
        runtime.send("b", BarSettled(bar=3))
        self.eventually(runtime, lambda: self.seen(runtime, "a") == [3])

    def test_nothing_is_delivered_to_a_stopped_role(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a", forward="b"), recorder("b")])
        assert runtime.stop(["b"]) == ()
        runtime.send("b", BarSettled(bar=1))
        runtime.send("a", BarSettled(bar=2))
        self.eventually(runtime, lambda: self.seen(runtime, "a") == [2])
        assert not runtime.alive("b")
        with pytest.raises(NotRunning):
            runtime.snapshot("b")

    def test_a_timer_fires(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a", timer_s=0.05)])
        runtime.send("a", Begin())
        self.eventually(runtime, lambda: self.seen(runtime, "a") == ["soon"])

    def test_a_refusing_factory_leaves_nobody_behind(self, runtime: Runtime[ChildSpec]) -> None:
        refusing = ChildSpec(role="b", factory=f"{MACHINES}:refusing")
        with pytest.raises(ConfigurationError, match=r"stop_loss_percent: found 0\.9"):
            runtime.spawn([recorder("a"), refusing])
        assert not runtime.alive("a")
        assert not runtime.alive("b")

    def test_sending_to_a_role_nobody_started_is_a_contradiction(self, runtime: Runtime[ChildSpec]) -> None:
        runtime.spawn([recorder("a")])
        with pytest.raises(InvariantViolation, match="nowhere"):
            runtime.send("nowhere", BarSettled(bar=1))
