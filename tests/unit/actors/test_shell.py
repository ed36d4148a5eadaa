"""Test the shell's loop: order, failures, snapshots, end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actors.parts import Parts
from actors.shell import Shell
from actors.shell_loop import ShellLoop
from domain.broker import BrokerCommand, CancelOrder
from domain.errors import Busy, InvariantViolation
from domain.messages import AUDIT, COORDINATOR, RISK, BarSettled, Begin, RoleFailed, TimerFired
from domain.outbox import AuditEvent, AuditKind, OutboxAcknowledged
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer, Wire
from tests.fakes.ports import FakeBroker, FakeJournal, fake_context

EVENT = AuditEvent(AuditKind.ORDER, 1, 1, "k", True, {})


class Scripted:
    """Answer messages from a function and keep them."""

    def __init__(self, answer: Callable[[Any], list[Output]]) -> None:
        self.answer, self.seen = answer, []

    seen: list[Any]

    def handle(self, message: Any) -> list[Output]:
        self.seen.append(message)
        return self.answer(message)

    def state(self) -> dict[str, Any]:
        return {"seen": len(self.seen)}


class Stage:
    """Run a shell on a thread with fakes round it."""

    def __init__(self, answer: Callable[[Any], list[Output]], role: str = "gateway") -> None:
        self.context, self.mailbox, self.clock, self.log = fake_context(role)
        self.machine, self.journal, self.broker = Scripted(answer), FakeJournal(), FakeBroker()
        self.posted: list[tuple[str, Any, bool]] = []
        parts = Parts(machine=self.machine, journal=self.journal, broker=self.broker)
        self.route: Callable[[str, Any, bool], None] = lambda *post: self.posted.append(post)
        shell = Shell(parts, self.context, lambda *post: self.route(*post))
        self.shell = ShellLoop(shell, self.mailbox)

    def run(self, *messages: Any) -> None:
        """Handle `messages` and stop."""
        for message in messages:
            self.mailbox.put(message)
        thread = threading.Thread(target=self.shell.run)
        thread.start()
        until_s = time.monotonic() + 10.0
        while any(self.mailbox.depths()) and time.monotonic() < until_s and not self.shell.ended.is_set():
            time.sleep(0.001)
        self.shell.stop()
        thread.join(10.0)
        assert self.shell.ended.is_set()

    def failures(self) -> list[RoleFailed]:
        return [message for to, message, control in self.posted if to == COORDINATOR and control]


def test_ports_are_opened_once_however_often_a_role_is_begun() -> None:
    """Fault search, seed 18: a recovery that outlasts the asking again began anew with each, and never ended."""
    stage = Stage(lambda message: [])
    opened: list[object] = []
    stage.broker.open = opened.append  # type: ignore[method-assign, assignment]
    stage.run(Begin(), Begin())
    assert len(opened) == 1
    assert stage.machine.seen == [Begin(), Begin()]


def test_a_role_that_failed_shows_why_to_whoever_missed_its_word() -> None:
    """Fault search, seed 130: the coordinator was away when the audit writer told that its disk had failed."""
    stage = Stage(lambda message: [Persist((EVENT,))])
    stage.journal.fails = True
    assert (stage.shell.observed()["busy_s"], stage.shell.observed()["failure"]) == (0.0, "")
    stage.run(BarSettled(bar=1))
    assert stage.shell.observed()["failure"] == stage.failures()[0].error


def test_outputs_are_carried_out_in_order_and_the_trail_is_told_last() -> None:
    """I4: what must be durable before the wire is."""
    order: list[str] = []
    outputs: list[Output] = [
        Persist((EVENT,)),
        Wire(CancelOrder(order_ref="1")),
        Send(RISK, BarSettled(bar=1)),
    ]
    stage = Stage(lambda message: outputs)
    append, send = stage.journal.append, stage.broker.send

    def persist(records: Sequence[Any]) -> tuple[int, int]:
        order.append("persist")
        return append(records)

    def wire(command: BrokerCommand) -> None:
        order.append("wire")
        send(command)

    stage.journal.append = persist  # type: ignore[method-assign]
    stage.broker.send = wire  # type: ignore[method-assign]
    stage.route = lambda to, message, control: order.append(to)
    stage.run(BarSettled(bar=1))
    assert order == ["persist", "wire", "risk", "audit"], "an order does not wait for the trail"


def test_what_was_committed_goes_to_the_trail_although_the_wire_failed() -> None:
    """A role that failed answers the trail's writer no more."""
    stage = Stage(lambda message: [Persist((EVENT,)), Wire(CancelOrder(order_ref="1"))])

    def broken(command: BrokerCommand) -> None:
        raise ZeroDivisionError("an adapter's fault")

    stage.broker.send = broken  # type: ignore[method-assign]
    stage.run(BarSettled(bar=1))
    assert [to for to, _, _ in stage.posted] == [AUDIT, COORDINATOR]


def test_a_failure_is_told_although_the_trail_cannot_be_reached() -> None:
    stage = Stage(lambda message: [Persist((EVENT,)), Wire(CancelOrder(order_ref="1"))])

    def broken(command: BrokerCommand) -> None:
        raise ZeroDivisionError("an adapter's fault")

    def only_to_the_coordinator(to: str, message: Any, control: bool) -> None:
        if to != COORDINATOR:
            raise InvariantViolation(f"no role {to}")
        stage.posted.append((to, message, control))

    stage.broker.send = broken  # type: ignore[method-assign]
    stage.route = only_to_the_coordinator
    stage.run(BarSettled(bar=1))
    (failed,) = stage.failures()
    assert (failed.fatal, failed.error) == (True, "ZeroDivisionError: an adapter's fault")


def test_nothing_follows_a_failed_commit() -> None:
    """After a failed durable write: stop, never retry, and no order leaves."""
    outputs: list[Output] = [
        Persist((EVENT,)),
        Wire(CancelOrder(order_ref="1")),
        Send(RISK, BarSettled(bar=1)),
    ]
    stage = Stage(lambda message: outputs)
    stage.journal.fails = True
    stage.run(BarSettled(bar=1), BarSettled(bar=2))
    assert stage.broker.sent == []
    assert stage.machine.seen == [BarSettled(bar=1)]
    assert [to for to, _, _ in stage.posted] == [COORDINATOR]
    (failed,) = stage.failures()
    assert (failed.role, failed.fatal, failed.error) == ("gateway", True, "DurabilityError: fsync failed")
    assert "append" in failed.traceback
    assert stage.journal.closed
    assert stage.broker.closed
    assert stage.shell.counters()["failure"] == "DurabilityError: fsync failed"


@pytest.mark.parametrize(
    ("error", "fatal", "handled"),
    [(Busy("nan"), False, 2), (InvariantViolation("no"), True, 1), (KeyError("x"), True, 1)],
)
def test_recoverable_failure_goes_on_and_any_other_ends_the_role(
    error: Exception, fatal: bool, handled: int
) -> None:
    def answer(message: Any) -> list[Output]:
        if message.bar == 1:
            raise error
        return []

    stage = Stage(answer)
    stage.run(BarSettled(bar=1), BarSettled(bar=2))
    assert len(stage.machine.seen) == handled
    assert [failed.fatal for failed in stage.failures()] == [fatal]
    logged = [
        values for level, event, values in stage.log.events if (level, event) == ("error", "role_failed")
    ]
    assert len(logged) == 1
    assert "Traceback" in logged[0]["traceback"]


def test_failure_is_logged_when_the_coordinator_cannot_be_told() -> None:
    def answer(message: Any) -> list[Output]:
        raise KeyError("x")

    stage = Stage(answer)

    def unreachable(to: str, message: Any, control: bool) -> None:
        raise InvariantViolation("no role")

    stage.route = unreachable
    stage.run(BarSettled(bar=1))
    assert [event for _, event, _ in stage.log.events] == ["role_failed", "coordinator_unreachable"]


def test_coordinator_that_fails_does_not_write_to_itself() -> None:
    def answer(message: Any) -> list[Output]:
        raise KeyError("x")

    stage = Stage(answer, role=COORDINATOR)
    stage.run(BarSettled(bar=1))
    assert stage.posted == []
    assert stage.shell.counters()["failure"] == "KeyError: 'x'"


def test_ports_open_when_the_work_begins() -> None:
    opened: list[bool] = []

    def answer(message: Any) -> list[Output]:
        opened.append(stage.broker.opened is not None)
        return []

    stage = Stage(answer)
    stage.run(BarSettled(bar=1), Begin())
    assert opened == [False, True]


def test_outbox_messages_never_reach_the_machine() -> None:
    stage = Stage(lambda message: [])
    stage.run(OutboxAcknowledged(source="gateway", seq=7))
    assert stage.machine.seen == []
    assert stage.journal.acknowledged == 7


def test_timer_fires_while_messages_keep_coming() -> None:
    stage = Stage(lambda message: [SetTimer("ack", 0.0)] if isinstance(message, Begin) else [])
    stage.run(Begin(), BarSettled(bar=1), BarSettled(bar=2))
    assert TimerFired(name="ack") in stage.machine.seen[1:3]


def test_answer_that_has_arrived_is_heard_before_its_deadline() -> None:
    """An order acknowledged in time is not taken for one that nobody answered."""

    def answer(message: Any) -> list[Output]:
        if isinstance(message, Begin):
            return [SetTimer("ack", 1.0)]
        return [CancelTimer("ack")] if message == BarSettled(bar=1) else []

    stage = Stage(answer)
    take = stage.mailbox.take

    def take_late(timeout_s: float | None = None) -> Any:
        message = take(timeout_s)
        stage.clock.now_s += 2.0  # the machine was slow, or the process did not run
        return message

    stage.mailbox.take = take_late  # type: ignore[method-assign]
    stage.run(Begin(), BarSettled(bar=1), BarSettled(bar=2))
    assert stage.machine.seen == [Begin(), BarSettled(bar=1), BarSettled(bar=2)]


def test_strict_timer_that_has_run_out_is_heard_before_whatever_has_arrived() -> None:
    """A process that stood still for longer than its lease must not act on it once more."""
    timers: list[Output] = [SetTimer("lease.1", 1.0, strict=True), SetTimer("ack", 1.0)]
    stage = Stage(lambda message: timers if isinstance(message, Begin) else [])
    take = stage.mailbox.take

    def take_late(timeout_s: float | None = None) -> Any:
        message = take(timeout_s)
        stage.clock.now_s += 2.0 if message == BarSettled(bar=1) else 0.0
        return message

    stage.mailbox.take = take_late  # type: ignore[method-assign]
    stage.run(Begin(), BarSettled(bar=1))
    lease, ack = TimerFired(name="lease.1"), TimerFired(name="ack")
    assert stage.machine.seen == [Begin(), lease, BarSettled(bar=1), ack]


def test_snapshot_is_taken_between_two_messages_and_counts() -> None:
    stage = Stage(lambda message: [])
    assert stage.shell.snapshot(0.0)["state"] is None
    thread = threading.Thread(target=stage.shell.run)
    thread.start()
    stage.mailbox.put(BarSettled(bar=1))
    until_s = time.monotonic() + 10.0
    while stage.shell.snapshot(5.0)["handled"] == 0:
        assert time.monotonic() < until_s
    snapshot = stage.shell.snapshot(5.0)
    assert snapshot["state"] == {"seen": 1}
    assert (snapshot["role"], snapshot["alive"], snapshot["queued"], snapshot["failure"]) == (
        "gateway",
        True,
        0,
        "",
    )
    stage.shell.stop()
    thread.join(10.0)
    ended = stage.shell.snapshot(5.0)
    assert (ended["alive"], ended["state"]) == (False, None)


def test_snapshot_of_a_busy_machine_gives_up_in_time() -> None:
    release = threading.Event()
    stage = Stage(lambda message: (release.wait(10.0), [])[1])
    thread = threading.Thread(target=stage.shell.run)
    thread.start()
    stage.mailbox.put(BarSettled(bar=1))
    until_s = time.monotonic() + 10.0
    while not stage.machine.seen:
        assert time.monotonic() < until_s
    snapshot = stage.shell.snapshot(0.05)
    assert (snapshot["alive"], snapshot["state"]) == (True, None)
    release.set()
    stage.shell.stop()
    thread.join(10.0)
