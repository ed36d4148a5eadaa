"""While the latch's file stands nothing that may increase exposure meets the wire, and everything else passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.latched_broker import LatchedBroker
from actors.mailbox import LaneMailbox
from domain.broker import (
    BrokerUpdate,
    CancelOrder,
    DownloadKind,
    OrderReported,
    OrderStatus,
    RefusalCode,
    RequestDownload,
)
from domain.errors import BrokerUnavailable
from domain.gateway_policy import place_order
from domain.halt_messages import LatchFound
from domain.outputs import WriteLatch
from domain.records import HaltTrigger, IntentKind, OrderState, Rung
from storage.latch_file import NAME, LatchFile
from tests.fakes.ports import FakeBroker
from tests.unit.domain.gateway_bench import Bench, approved, intent

ENTRY = place_order(intent(), reduces=False)
PASSING: list[Any] = [
    place_order(intent(kind=IntentKind.EXIT), reduces=True),
    CancelOrder(order_ref="1.main.AAPL.1.1"),
    RequestDownload(request_id=1, kind=DownloadKind.POSITIONS),
]


class Rig:
    """Be a guarded broker with a mailbox."""

    def __init__(self, place: Path, *, capacity: int = 10) -> None:
        self.latch = LatchFile(place)
        self.venue = FakeBroker()
        self.mailbox = LaneMailbox("gateway", capacity=capacity)
        self.broker = LatchedBroker(self.venue, self.latch)

    def open(self) -> Rig:
        self.broker.open(self.mailbox)
        return self


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path).open()


def test_without_the_file_everything_passes(rig: Rig) -> None:
    for command in (ENTRY, *PASSING):
        rig.broker.send(command)
    assert rig.venue.sent == [ENTRY, *PASSING]
    assert rig.mailbox.depths() == (0, 0)


@pytest.mark.parametrize("rung", [Rung.REDUCING, Rung.HALTED, Rung.FLATTENING])
def test_order_that_may_increase_exposure_is_answered_and_does_not_leave(rig: Rig, rung: Rung) -> None:
    """I5."""
    rig.latch.write(rung, 4, "why")
    rig.broker.send(ENTRY)
    assert rig.venue.sent == []
    update = rig.mailbox.take(0)
    assert isinstance(update, BrokerUpdate)
    (event,) = update.events
    assert isinstance(event, OrderReported)
    assert (event.order_ref, event.status, event.code) == (
        ENTRY.order_ref,
        OrderStatus.REFUSED,
        RefusalCode.HALTED,
    )
    assert (event.lots, event.side, event.at_ns) == (ENTRY.lots, ENTRY.side, 0)
    assert event.text == f"the halt file says {rung.name}: only orders that shrink a position may pass"


@pytest.mark.parametrize("command", PASSING, ids=lambda command: type(command).__name__)
def test_what_cannot_increase_exposure_passes_a_halt(rig: Rig, command: Any) -> None:
    """B2."""
    rig.latch.write(Rung.FLATTENING, 4, "why")
    rig.broker.send(command)
    assert rig.venue.sent == [command]


def test_file_is_looked_at_before_each_order(rig: Rig, tmp_path: Path) -> None:
    """The kill path writes it while nothing of the engine answers."""
    rig.broker.send(ENTRY)
    (tmp_path / NAME).write_text("stop!")
    rig.broker.send(ENTRY)
    (tmp_path / NAME).unlink()
    rig.broker.send(ENTRY)
    assert rig.venue.sent == [ENTRY, ENTRY]


def test_file_that_no_coordinator_wrote_is_told_ahead_of_what_waits(rig: Rig) -> None:
    """The kill path wrote it: ladder, risk manager and people must learn of it."""
    rig.latch.write(Rung.FLATTENING, 0, "bob: storm")
    rig.broker.send(ENTRY)
    assert rig.mailbox.depths() == (1, 1)
    assert rig.mailbox.take(0) == LatchFound(rung=Rung.FLATTENING, detail="bob: storm")


def test_file_that_cannot_be_read_is_told_as_a_halt(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("stop!")
    rig.broker.send(ENTRY)
    assert rig.mailbox.take(0) == LatchFound(rung=Rung.HALTED, detail="")


def test_file_that_a_coordinator_wrote_is_not_told(rig: Rig) -> None:
    """Its announcement is on its way; told as a person's, a halt of the rules would need a person to end it."""
    rig.latch.write(Rung.HALTED, 4, "heat")
    rig.broker.send(ENTRY)
    assert rig.mailbox.depths() == (1, 0)


def test_port_that_is_not_open_refuses_an_order_whether_the_file_stands_or_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.latch.write(Rung.HALTED, 1, "why")
    with pytest.raises(BrokerUnavailable):
        rig.broker.send(ENTRY)


def test_full_mailbox_is_a_lost_link_and_the_order_does_not_leave(tmp_path: Path) -> None:
    """Nobody would hear the answer: so it is looked into, and was never there."""
    rig = Rig(tmp_path, capacity=0).open()
    rig.latch.write(Rung.HALTED, 1, "why")
    with pytest.raises(BrokerUnavailable, match="was held back"):
        rig.broker.send(ENTRY)
    assert rig.venue.sent == []


def test_opening_and_closing_are_the_brokers_own(rig: Rig) -> None:
    assert rig.venue.opened is rig.mailbox
    rig.broker.close()
    assert rig.venue.closed
    rig.venue.reachable = False
    with pytest.raises(BrokerUnavailable, match="4002"):
        rig.broker.open(rig.mailbox)


def test_gateway_books_what_was_held_back_as_refused_at_its_own_time(rig: Rig) -> None:
    """Known: nothing reached the wire, the bar settles, and the order is not UNKNOWN."""
    bench = Bench()
    bench.open()
    bench.give(approved(intent()))
    rig.latch.write(Rung.HALTED, 1, "why")
    rig.broker.send(bench.wires.pop())
    update = rig.mailbox.take(0)
    assert isinstance(update, BrokerUpdate)
    bench.give(update)
    order = bench.order(ENTRY.order_ref)
    assert (order.state, order.at_ns, order.bar) == (OrderState.REFUSED, 100, 1)
    assert "the halt file says HALTED" in order.text
    assert bench.settled == [1]


def test_gateway_halts_by_the_file_that_held_its_order_back(rig: Rig) -> None:
    """From the order on, one halt, however many orders meet the file."""
    bench = Bench()
    bench.open()
    bench.give(approved(intent(), intent(symbol="KO")))
    rig.latch.write(Rung.REDUCING, 0, "bob: storm")
    bench.file = WriteLatch(Rung.REDUCING, 0, "bob: storm")
    for order in bench.wires:
        rig.broker.send(order)
    while (message := rig.mailbox.take(0)) is not None:
        assert isinstance(message, LatchFound | BrokerUpdate)
        bench.give(message)
    (halt,) = bench.halts
    assert (halt.rung, halt.trigger) == (Rung.REDUCING, HaltTrigger.KILL_SWITCH)
    assert {order.state for order in bench.book.orders.values()} == {OrderState.REFUSED}
    assert bench.settled == [1]
