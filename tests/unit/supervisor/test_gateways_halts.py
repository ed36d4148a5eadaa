"""A halt that the gateway raised comes to the ladder whatever is lost, and no resume leaves the gateway above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.halt_messages import LatchChanged, LatchHeld, RaiseHalt
from domain.halts import HaltLadder
from domain.messages import GATEWAY, RISK, Begin
from domain.outputs import Output, Send, WriteLatch
from domain.records import HaltTrigger, Rung
from supervisor.latch_keeper import LatchKeeper
from supervisor.lowering import HELD_TIMER
from tests.unit.domain.gateway_bench import LEASED, Bench, approved
from tests.unit.domain.test_halts import policy


class Pair:
    """Carry words between a gateway and the coordinator's latch, and lose those whose kind is in `loses`."""

    def __init__(self) -> None:
        self.bench = Bench(LEASED)
        self.latch = LatchKeeper(HaltLadder(policy()), frozenset(), 6.0)
        self.loses: set[type] = set()
        self.file = Rung.ACTIVE
        self.do(Begin())
        self.bench.open()
        self.bench.lease()

    def do(self, message: Any) -> None:
        self._from_gateway(self.bench.give(message))

    def fire(self, name: str) -> None:
        self.bench.timers.setdefault(name, 1.0)
        self._from_gateway(self.bench.fire(name))

    def resume(self) -> None:
        self._from_coordinator(self.latch.resume("", "ann: fixed", new_peak=False))

    def ask_again(self) -> None:
        self._from_coordinator(self.latch.overdue(HELD_TIMER))

    def restart(self) -> None:
        self.bench.restart()
        self.do(Begin())

    @property
    def causes(self) -> tuple[HaltTrigger, ...]:
        return self.latch.ladder.active

    @property
    def rungs(self) -> tuple[Rung, Rung, Rung]:
        """Return where the ladder, the gateway and the file stand."""
        return self.latch.rung, self.bench.rung, self.file

    def _from_gateway(self, outputs: list[Output]) -> None:
        self._write(outputs)
        for message in self._said(outputs):
            if isinstance(message, (RaiseHalt, LatchHeld)):
                self._from_coordinator(self.latch.handle(message))

    def _from_coordinator(self, outputs: list[Output]) -> None:
        self._write(outputs)
        for output in outputs:
            if isinstance(output, Send) and output.to == RISK and isinstance(output.message, LatchChanged):
                self.latch.handle(LatchHeld(role=RISK, version=output.message.version))
        for message in self._said(outputs, to=GATEWAY):
            self.do(message)

    def _write(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, WriteLatch):
                self.file = output.rung

    def _said(self, outputs: list[Output], to: str = "coordinator") -> list[Any]:
        said = [each.message for each in outputs if isinstance(each, Send) and each.to == to]
        return [message for message in said if type(message) not in self.loses]


@pytest.fixture
def pair() -> Pair:
    return Pair()


def halt(pair: Pair, *, unheard: bool = False, unconfirmed: bool = False) -> None:
    pair.loses = {RaiseHalt} if unheard else {LatchChanged} if unconfirmed else set()
    pair.fire("broker_lost")
    pair.loses.clear()


def test_a_halt_whose_word_was_lost_is_told_with_the_next_pulse(pair: Pair) -> None:
    """B3: the coordinator was away; until the gateway's own restart nobody would have heard of it."""
    halt(pair, unheard=True)
    assert pair.rungs == (Rung.ACTIVE, Rung.HALTED, Rung.HALTED)
    pair.fire("pulse")
    assert (pair.rungs, pair.causes) == ((Rung.HALTED,) * 3, (HaltTrigger.BROKER_LOST,))
    pair.resume()
    assert (pair.rungs, pair.latch.resuming) == ((Rung.ACTIVE,) * 3, False)


def test_a_resume_that_crosses_a_halt_of_the_gateway_ends_with_that_halt_on_record(pair: Pair) -> None:
    """I5: it told that it held the lowered latch, and refused every entry under a ladder that said ACTIVE."""
    pair.latch.handle(raised_by_a_person())
    halt(pair, unheard=True)
    pair.resume()
    assert (pair.rungs, pair.causes) == ((Rung.HALTED,) * 3, (HaltTrigger.BROKER_LOST,))
    pair.resume()
    assert (pair.rungs, pair.latch.resuming) == ((Rung.ACTIVE,) * 3, False)


def raised_by_a_person() -> RaiseHalt:
    return RaiseHalt(
        at_ns=0,
        bar=-1,
        session=0,
        rung=Rung.HALTED,
        trigger=HaltTrigger.MANUAL,
        raised_by="person",
        detail="ann: storm",
    )


def lost_at_first(pair: Pair) -> None:
    pair.loses = {LatchChanged}
    pair.resume()
    assert pair.latch.resuming
    pair.loses.clear()
    pair.ask_again()


@pytest.mark.parametrize("resume", [Pair.resume, lost_at_first], ids=["heard", "lost at first"])
def test_a_halt_on_record_whose_confirmation_was_lost_ends_at_the_gateway_too(
    pair: Pair, resume: Callable[[Pair], None]
) -> None:
    halt(pair, unconfirmed=True)
    assert pair.causes == (HaltTrigger.BROKER_LOST,)
    resume(pair)
    assert (pair.rungs, pair.latch.resuming) == ((Rung.ACTIVE,) * 3, False)


def test_a_resume_is_not_effective_before_the_gateway_can_hold_it(pair: Pair) -> None:
    halt(pair, unconfirmed=True)
    pair.loses = {RaiseHalt}
    pair.resume()
    assert pair.latch.resuming
    pair.loses.clear()
    pair.fire("pulse")
    assert (pair.rungs, pair.latch.resuming) == ((Rung.ACTIVE,) * 3, False)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_second_halt_of_the_same_kind_is_not_taken_for_the_first(pair: Pair, restarts: bool) -> None:
    """B3: at the same bar, or after a restart, when the gateway knows of no bar yet."""
    pair.do(approved(bar=5))
    halt(pair)
    pair.resume()
    if restarts:
        pair.restart()
    halt(pair, unheard=True)
    pair.fire("pulse")
    assert (pair.rungs, pair.causes) == ((Rung.HALTED,) * 3, (HaltTrigger.BROKER_LOST,))


def test_a_ladder_of_before_there_were_numbers_still_knows_what_it_heard() -> None:
    told = raised_by_a_person()
    ladder = HaltLadder(policy(), {"heard": {"person:manual": [0, 4]}})
    assert ladder.has_heard(told)
    assert HaltLadder(policy(), {**ladder.to_values(), "version": 3}).has_heard(told)
