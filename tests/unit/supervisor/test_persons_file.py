"""What a person wrote into the latch's file is on record before anything is written over it, or stays (0014)."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from actors.carrier import Carrier
from actors.parts import Parts
from actors.timers import Timers
from domain.halt_messages import LatchFound, RaiseHalt, ReviewHalt
from domain.halts import HaltLadder
from domain.messages import GATEWAY
from domain.outputs import LookAtLatch, Output
from domain.records import HaltTrigger, Rung
from supervisor.found_latch import FoundLatch
from supervisor.latch_keeper import LatchKeeper
from tests.fakes.ports import FakeJournal, FakeLatch, fake_context
from tests.unit.domain.test_halts import policy

BOB = "bob (process 7): storm"
PERSONS = f"kill_switch: latch file: {BOB}"


class Office:
    """Carry out what a latch keeper says over a file in memory, and bring it what comes of that."""

    def __init__(self) -> None:
        self.file = FakeLatch()
        self.keeper = LatchKeeper(HaltLadder(policy(1)), frozenset(), 6.0)
        context, self.mailbox, clock, _ = fake_context()
        parts = Parts(machine=self.keeper, journal=FakeJournal(), latch=self.file)
        self.carrier = Carrier(parts, context, Timers(clock), lambda *_: None, lambda _: None)
        self.found: deque[LatchFound] = deque()

    def do(self, outputs: list[Output]) -> None:
        """Carry `outputs` out; what is found in the file waits for `settle`, as in a mailbox."""
        for output in outputs:
            self.carrier.carry_out(output)
        while (message := self.mailbox.take(0.0)) is not None:
            if isinstance(message, LatchFound):
                self.found.append(message)

    def settle(self) -> None:
        while self.found:
            self.do(self.keeper.handle(self.found.popleft()))

    def halt(self, trigger: HaltTrigger, rung: Rung, *, raised_by: str = "risk", detail: str = "why") -> None:
        told = RaiseHalt(
            at_ns=5, bar=7, session=1, rung=rung, trigger=trigger, raised_by=raised_by, detail=detail
        )
        self.do(self.keeper.handle(told))

    @property
    def causes(self) -> Any:
        return self.keeper.state()["causes"]


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_file_that_nobody_met_is_neither_overwritten_nor_ended_by_rule(office: Office) -> None:
    """A loss of the day raised REDUCING over a person's HALTED, and the next session ended both."""
    office.file.write(Rung.HALTED, 0, BOB)
    office.halt(HaltTrigger.DAILY_LOSS, Rung.REDUCING)
    assert office.file.stands == (Rung.HALTED, 0, BOB), "whoever dies now leaves it to the next start"
    office.settle()
    assert (office.keeper.rung, office.causes) == (Rung.HALTED, ["daily_loss", "kill_switch"])
    assert office.file.stands == (Rung.HALTED, 2, f"daily_loss: why; {PERSONS}")
    office.do(office.keeper.handle(ReviewHalt(at_ns=9, bar=9, session=2)))
    assert office.causes == ["kill_switch"]
    assert office.file.read() is Rung.HALTED


def test_a_resume_of_another_cause_does_not_take_it_away(office: Office) -> None:
    office.halt(HaltTrigger.MANUAL, Rung.HALTED)
    office.file.write(Rung.FLATTENING, 0, BOB)
    office.do(office.keeper.resume("", "ann: fixed", new_peak=False))
    assert office.file.stands == (Rung.FLATTENING, 0, BOB)
    office.settle()
    assert (office.keeper.rung, office.causes) == (Rung.FLATTENING, ["kill_switch"])
    office.do(office.keeper.resume("", "ann: fixed", new_peak=False))
    office.settle()
    assert (office.keeper.rung, office.file.read()) == (Rung.ACTIVE, Rung.ACTIVE)


def test_a_look_meets_it_though_no_order_ever_comes_to_it(office: Office) -> None:
    office.do([LookAtLatch()])
    assert not office.found
    office.file.write(Rung.REDUCING, 0, BOB)
    office.do([LookAtLatch(), LookAtLatch()])
    office.settle()
    assert (office.keeper.rung, office.keeper.version) == (Rung.REDUCING, 1), "once"
    assert office.file.stands == (Rung.REDUCING, 1, PERSONS)
    office.do([LookAtLatch()])
    assert not office.found


def test_what_the_gateway_found_first_is_recorded_once_and_its_file_written_anew(office: Office) -> None:
    office.file.write(Rung.HALTED, 0, BOB)
    words = f"latch file: {BOB}"
    office.halt(HaltTrigger.KILL_SWITCH, Rung.HALTED, raised_by=GATEWAY, detail=words)
    office.settle()
    assert (office.keeper.version, office.file.stands) == (1, (Rung.HALTED, 1, PERSONS))


def test_another_persons_file_is_met_too(office: Office) -> None:
    office.file.write(Rung.HALTED, 0, BOB)
    office.do([LookAtLatch()])
    office.file.write(Rung.HALTED, 0, "ann: too")
    office.settle()
    assert office.keeper.version == 2, "each is on record"
    assert office.file.stands[:2] == (Rung.HALTED, 2)


def test_one_written_while_a_start_compares_is_met_as_well(office: Office) -> None:
    found = FoundLatch(Rung.REDUCING, 0, "ann: first")
    office.keeper = LatchKeeper(HaltLadder(policy()), frozenset(), 6.0, found=found)
    office.file.write(Rung.HALTED, 0, BOB)
    office.do(office.keeper.begun())
    assert office.file.stands == (Rung.HALTED, 0, BOB)
    office.settle()
    assert (office.keeper.rung, office.keeper.version) == (Rung.HALTED, 2)
