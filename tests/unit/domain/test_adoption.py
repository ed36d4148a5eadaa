"""A kill's orders, which the gateway never sent, are booked to the book whose position they close (I2, I3)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from domain.broker import OrderReported, OrderStatus, RefusalCode, Side
from domain.execution_book import UNASSIGNED, ExecutionBook
from domain.order_refs import Owner, kill_ref
from domain.outbox import AuditKind
from domain.records import IntentKind, JournalEntry, OrderState, Rung
from tests.unit.domain.gateway_bench import (
    Bench,
    FakeVenue,
    approval,
    approved,
    fill,
    intent,
    reported,
    update,
)

REF = "1.main.AAPL.1.1"
KILL = kill_ref(Owner(1, "main"), "AAPL", 1)


def told(status: OrderStatus = OrderStatus.WORKING, **changes: object) -> OrderReported:
    return reported(KILL, status, side=Side.SELL, **changes)


def holding(lots: int = 10) -> ExecutionBook:
    book = ExecutionBook()
    book.send(intent(lots=lots), OrderState.SENT, 1, "")
    book.execute(fill(REF, "E1", lots), 1)
    book.collect()
    return book


def test_a_kills_order_is_taken_in_as_an_exit_of_its_book_and_recorded_once() -> None:
    book = holding()
    for _ in range(2):
        book.report(told(), 5)
    order = book.orders[KILL]
    assert (order.book, order.symbol, order.kind) == ("main", "AAPL", IntentKind.EXIT)
    assert (order.side, order.lots, order.state) == (Side.SELL, 10, OrderState.WORKING)
    entries, events = book.collect()
    assert [entry.seq for entry in entries] == [3]
    ((kind, decision, body),) = [(each.kind, each.decision, each.body) for each in events]
    assert (kind, decision, body["sent_by"]) == (AuditKind.ORDER, False, "kill")


@pytest.mark.parametrize("reported_first", [True, False])
@pytest.mark.parametrize("parts", [(10,), (4, 6)])
def test_its_executions_close_the_position_of_its_book_whatever_comes_first(
    reported_first: bool, parts: tuple[int, ...]
) -> None:
    book = holding()
    if reported_first:
        book.report(told(), 5)
    for number, lots in enumerate(parts):
        book.execute(fill(KILL, f"K{number}", lots, side=Side.SELL), 6)
        book.execute(fill(KILL, f"K{number}", lots, side=Side.SELL), 6)
    book.report(told(), 5)  # late: it worked once
    book.report(told(OrderStatus.FILLED, filled_lots=10), 6)
    assert book.positions[("main", "AAPL")] == 0
    assert book.positions.get((UNASSIGNED, "AAPL"), 0) == 0
    assert (book.orders[KILL].state, book.orders[KILL].filled_lots) == (OrderState.FILLED, 10)


def test_what_was_journalled_of_it_is_rebuilt() -> None:
    book, journal = holding(), list[JournalEntry]()
    book.report(told(), 5)
    journal += _entries(book)
    book.execute(fill(KILL, "K1", 10, side=Side.SELL), 6)
    journal += _entries(book)
    again = ExecutionBook(journal)
    assert again.orders[KILL].state is OrderState.FILLED
    assert again.positions[("main", "AAPL")] == -10, "the entry was not in this journal"


def _entries(book: ExecutionBook) -> Iterable[JournalEntry]:
    return book.collect()[0]


def test_a_second_order_under_its_ref_that_was_refused_is_no_order() -> None:
    book = holding()
    refused = told(OrderStatus.REFUSED, code=RefusalCode.DUPLICATE)
    assert book.report(refused, 5) is None
    assert KILL not in book.orders


@pytest.mark.parametrize("ref", ["1.main.AAPL.kill.x", "x.main.AAPL.kill.1", "1.main.KO.kill.1", "kill.1"])
def test_a_ref_that_is_not_quite_a_kills_stays_foreign(ref: str) -> None:
    book = holding()
    assert book.report(reported(ref, side=Side.SELL), 5) is None
    book.execute(fill(ref, "K1", 10, side=Side.SELL), 6)
    assert book.positions[(UNASSIGNED, "AAPL")] == -10


@pytest.fixture
def traded() -> tuple[Bench, FakeVenue]:
    """Return a gateway that holds ten shares, and its venue."""
    bench, venue = Bench(), FakeVenue()
    bench.open(venue=venue)
    bench.give(approved(approval(intent()), bar=1))
    for wire in bench.wires:
        venue.take(wire)
    venue.fill(REF, 10)
    for said in venue.said:
        bench.give(said)
    venue.said.clear()
    assert bench.book.account_positions() == {"AAPL": 10}
    return bench, venue


def test_a_gateway_that_was_away_reconciles_a_kill_without_a_halt(traded: tuple[Bench, FakeVenue]) -> None:
    """The next start: the order was accepted and filled while nobody listened."""
    bench, venue = traded
    venue.orders[KILL] = told()
    venue.fill(KILL, 10)
    bench.restart()
    bench.open(connection=2, venue=venue)
    assert bench.order(KILL).state is OrderState.FILLED
    assert bench.book.account_positions() == {}
    assert (bench.rung, bench.halts) == (Rung.ACTIVE, [])
    assert bench.machine.state()["gate_open"]


def test_a_gateway_at_work_hears_of_a_kill_and_sends_no_second_exit(
    traded: tuple[Bench, FakeVenue],
) -> None:
    bench, _ = traded
    bench.give(update(told()))
    leaving = intent(kind=IntentKind.EXIT, bar=2)
    bench.give(approved(approval(leaving), bar=2))
    assert bench.order(leaving.intent_id).state is OrderState.REFUSED
    assert "does not shrink" in bench.order(leaving.intent_id).text
