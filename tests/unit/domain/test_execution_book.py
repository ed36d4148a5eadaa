from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import DividendPaid, OrderReported, OrderStatus, RefusalCode, Side
from domain.execution_book import UNASSIGNED, ExecutionBook
from domain.order_refs import without_session
from domain.orders import OrderEvent
from domain.outbox import AuditKind
from domain.records import CashEntry, ExecutionEntry, IntentKind, OrderEntry, OrderState
from tests.unit.domain.gateway_bench import fill, intent, reported

REF = "1.main.AAPL.1.1"
STOP = f"{REF}.stop"


def book_with_order(state: OrderState = OrderState.SENT, lots: int = 10) -> ExecutionBook:
    book = ExecutionBook()
    book.send(intent(lots=lots), state, 1, "")
    book.collect()
    return book


def stop_report(**changes: Any) -> OrderReported:
    values: dict[str, Any] = {"parent_ref": REF, "side": Side.SELL, "stop_price": 97.0} | changes
    return reported(STOP, **values)


def dividend(payment_id: str) -> DividendPaid:
    return DividendPaid(
        at_ns=9, payment_id=payment_id, symbol="KO", per_unit=0.4, lots=5, amount_micro=2_000_000
    )


def test_an_execution_is_booked_once_however_often_it_is_told() -> None:
    """I2."""
    book = book_with_order()
    assert book.execute(fill(REF, "E1"), 1)
    assert not book.execute(fill(REF, "E1"), 2)
    assert book.positions[("main", "AAPL")] == 10
    assert book.orders[REF].state is OrderState.FILLED
    assert book.duplicates == 1
    entries, events = book.collect()
    assert [type(entry) for entry in entries] == [ExecutionEntry, OrderEntry]
    assert [event.kind for event in events] == [AuditKind.EXECUTION]


def test_filled_lots_are_the_sum_of_executions_never_the_venues_count() -> None:
    book = book_with_order()
    book.report(reported(REF, filled_lots=9), 1)
    assert book.orders[REF].filled_lots == 0
    book.execute(fill(REF, "E1", 4), 1)
    assert (book.orders[REF].filled_lots, book.orders[REF].state) == (4, OrderState.PARTIALLY_FILLED)


@pytest.mark.parametrize("executed", [0, 4])
@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.CANCEL_SENT, OrderState.UNKNOWN])
def test_an_order_told_filled_is_unknown_until_its_executions_are_here(
    executed: int, state: OrderState
) -> None:
    """I3: a bar that settled without its fills, or an exposure released before they count, would lose a position."""
    book = book_with_order(state)
    if executed:
        book.execute(fill(REF, "E1", executed), 1)
    book.report(reported(REF, OrderStatus.FILLED, filled_lots=10), 1)
    assert book.orders[REF].state is OrderState.UNKNOWN
    book.execute(fill(REF, "E2", 10 - executed), 1)
    assert book.orders[REF].state is OrderState.FILLED


def test_an_order_told_filled_has_ended_when_all_executions_were_downloaded() -> None:
    """What a correction took off never comes: the order would wait for ever."""
    book = book_with_order()
    book.execute(fill(REF, "E1", 4), 1)
    book.report(reported(REF, OrderStatus.FILLED, filled_lots=10), 1, complete=True)
    assert book.orders[REF].state is OrderState.FILLED


def test_a_correction_replaces_lots_and_side() -> None:
    book = book_with_order()
    book.execute(fill(REF, "E1", 10), 1)
    book.execute(fill(REF, "E2", 7, corrects="E1"), 1)
    assert book.positions[("main", "AAPL")] == 7
    assert book.orders[REF].filled_lots == 7


def test_a_correction_that_arrives_first_takes_its_originals_place() -> None:
    book = book_with_order()
    book.execute(fill(REF, "E2", 7, corrects="E1"), 1)
    book.execute(fill(REF, "E1", 10), 1)
    assert book.positions[("main", "AAPL")] == 7
    assert book.orders[REF].filled_lots == 7


def test_a_correction_that_names_another_order_moves_the_fill() -> None:
    book = book_with_order()
    other = intent(2)
    book.send(other, OrderState.SENT, 1, "")
    book.execute(fill(REF, "E1", 4), 1)
    book.execute(fill(other.intent_id, "E2", 4, corrects="E1"), 1)
    assert book.orders[REF].filled_lots == 0
    assert book.orders[other.intent_id].filled_lots == 4
    assert book.positions[("main", "AAPL")] == 4


def test_a_late_fill_of_a_cancelled_order_counts() -> None:
    book = book_with_order()
    book.report(reported(REF, OrderStatus.CANCELED), 1)
    book.execute(fill(REF, "E1", 3), 1)
    assert book.orders[REF].state is OrderState.CANCELED
    assert book.positions[("main", "AAPL")] == 3


def test_an_execution_of_an_unknown_order_is_shown_unassigned() -> None:
    book = ExecutionBook()
    book.execute(fill("somebody.elses", "E1", 5), 1)
    assert dict(book.positions) == {(UNASSIGNED, "AAPL"): 5}
    assert book.account_positions() == {"AAPL": 5}
    assert book.orders == {}


def test_a_foreign_order_is_not_adopted() -> None:
    book = ExecutionBook()
    assert book.report(reported("somebody.elses"), 1) is None
    assert book.orders == {}
    assert book.collect() == ((), ())


def test_an_attached_stop_is_adopted_by_its_parent() -> None:
    book = book_with_order()
    stop = book.report(stop_report(), 3)
    assert stop is not None
    assert (stop.kind, stop.book, stop.parent_ref, stop.state) == (
        IntentKind.STOP,
        "main",
        REF,
        OrderState.WORKING,
    )
    assert (stop.lots, stop.stop_price, stop.bar) == (10, 97.0, 3)


def test_a_stops_execution_that_overtakes_its_report_stays_in_its_book() -> None:
    """I3: booked elsewhere, the closed position would be sold a second time."""
    book = book_with_order()
    book.execute(fill(REF, "E1", 10), 1)
    book.execute(fill(STOP, "E2", 4, side=Side.SELL), 2)
    assert dict(book.positions) == {("main", "AAPL"): 6}
    assert book.orders[STOP].state is OrderState.PARTIALLY_FILLED
    book.report(stop_report(status=OrderStatus.WORKING), 2)
    book.execute(fill(STOP, "E3", 6, side=Side.SELL), 2)
    assert book.orders[STOP].state is OrderState.FILLED
    assert book.account_positions() == {}


@pytest.mark.parametrize("status", [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REFUSED])
def test_an_end_is_audited_once_however_often_it_is_told(status: OrderStatus) -> None:
    """C6: downloads repeat every ended order after each connect; the trail tells it once."""
    book = book_with_order()
    book.report(reported(REF, status, text="why"), 1)
    entries, events = book.collect()
    assert [event.kind for event in events] == [AuditKind.ORDER_STATE]
    assert len(entries) == 1
    book.report(reported(REF, status, text="why", at_ns=999), 7)
    assert book.collect() == ((), ())


def test_a_word_older_than_the_end_changes_nothing() -> None:
    book = book_with_order()
    book.report(reported(REF, OrderStatus.CANCELED, lots=6), 1)
    before = book.orders[REF]
    book.report(reported(REF, OrderStatus.WORKING, lots=10), 1)
    assert book.orders[REF] == before


@pytest.mark.parametrize("code", [RefusalCode.UNKNOWN_ORDER, RefusalCode.DUPLICATE])
@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.CANCEL_SENT, OrderState.UNKNOWN])
def test_a_refused_cancel_or_duplicate_does_not_end_the_order(code: RefusalCode, state: OrderState) -> None:
    """I1, I3: a doubled command's refusal would release the exposure of an order that works."""
    book = book_with_order(state)
    book.report(reported(REF, OrderStatus.REFUSED, lots=0, code=code), 1)
    assert (book.orders[REF].state, book.orders[REF].lots) == (state, 10)


def test_fewer_lots_after_an_oca_fill_end_the_order_with_its_own_executions() -> None:
    book = book_with_order()
    book.report(reported(REF, lots=4), 1)
    book.execute(fill(REF, "E1", 4), 1)
    assert book.orders[REF].state is OrderState.FILLED


def test_a_dividend_is_booked_once() -> None:
    book = ExecutionBook()
    assert book.pay(dividend("d1"), 1)
    assert not book.pay(dividend("d1"), 1)
    entries, events = book.collect()
    assert entries == (CashEntry(seq=1, at_ns=9, dividend=dividend("d1")),)
    assert [event.kind for event in events] == [AuditKind.DIVIDEND]
    assert not ExecutionBook(entries).pay(dividend("d1"), 1)


def test_an_order_that_turns_up_after_it_was_given_up_is_named_once() -> None:
    book = book_with_order()
    book.mark(REF, OrderEvent.OUTCOME_LOST)
    book.mark(REF, OrderEvent.ABSENT_TWICE)
    assert book.take_late() == []
    book.execute(fill(REF, "E1", 4), 1)
    book.report(reported(REF), 1)
    assert book.take_late() == [REF]
    assert book.take_late() == []
    assert book.orders[REF].state is OrderState.PARTIALLY_FILLED
    assert REF in book.open_refs


def test_a_book_rebuilt_from_every_state_an_order_had_tells_no_late_arrival_anew() -> None:
    book = ExecutionBook()
    book.send(intent(), OrderState.SENT, 1, "")
    journal = list(book.collect()[0])
    for event in (OrderEvent.OUTCOME_LOST, OrderEvent.ABSENT_TWICE, OrderEvent.WORKING):
        book.mark(REF, event)
        journal += book.collect()[0]
    rebuilt = ExecutionBook(journal)
    assert rebuilt.orders == book.orders
    assert rebuilt.take_late() == []


def test_marking_without_effect_journals_nothing() -> None:
    book = book_with_order(OrderState.UNKNOWN)
    book.mark(REF, OrderEvent.CANCEL_SENT)
    assert book.collect() == ((), ())


def test_decisions_name_orders_without_their_session() -> None:
    assert without_session("12.main.BRK.B.7.1") == "main.BRK.B.7.1"


WORDS = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(OrderStatus), st.integers(0, 12)),
    st.tuples(st.just("execute"), st.integers(0, 6), st.integers(1, 10)),
    st.tuples(st.just("correct"), st.integers(0, 6), st.integers(1, 10)),
    st.tuples(st.just("stop"), st.sampled_from(OrderStatus), st.integers(0, 12)),
    st.tuples(st.just("stopped"), st.integers(0, 6), st.integers(1, 10)),
    st.tuples(st.just("pay"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("collect"), st.just(0), st.just(0)),
)


def _say(book: ExecutionBook, kind: str, what: Any, lots: int) -> None:
    match kind:
        case "report":
            book.report(reported(REF, OrderStatus(what), lots=lots), 1)
        case "stop":
            book.report(stop_report(status=OrderStatus(what), lots=lots), 1)
        case "execute":
            book.execute(fill(REF, f"E{what}", lots), 1)
        case "correct":
            book.execute(fill(REF, f"C{what}", lots, corrects=f"E{what}"), 1)
        case "stopped":
            book.execute(fill(STOP, f"S{what}", lots, side=Side.SELL), 1)
        case "pay":
            book.pay(dividend(f"d{what}"), 1)


@given(st.lists(WORDS, max_size=25))
def test_a_book_rebuilt_from_its_journal_is_the_same(words: list[tuple[str, Any, int]]) -> None:
    """I2, I3: at any commit, and with each order's newest state alone, as the journal keeps them."""
    book = ExecutionBook()
    book.send(intent(), OrderState.SENT, 1, "")
    journal = list(book.collect()[0])
    for kind, what, lots in words:
        _say(book, kind, what, lots)
        entries, _ = book.collect()
        assert [entry.seq for entry in entries] == list(
            range(len(journal) + 1, len(journal) + 1 + len(entries))
        )
        journal += entries
        newest = {entry.order_ref: entry for entry in journal if isinstance(entry, OrderEntry)}
        kept = [one for one in journal if not isinstance(one, OrderEntry) or newest[one.order_ref] is one]
        rebuilt = ExecutionBook(kept)
        assert rebuilt.orders == book.orders
        assert rebuilt.open_refs.keys() == book.open_refs.keys()
        assert {k: v for k, v in rebuilt.positions.items() if v} == {
            k: v for k, v in book.positions.items() if v
        }
        assert rebuilt.seq == book.seq
        assert rebuilt.collect() == ((), ())
        assert rebuilt.take_late() == []
