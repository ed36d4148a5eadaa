"""What people are told of the gateway's books is what they hold, the newest first and never without bound."""

from __future__ import annotations

import json

from domain.execution_book import ExecutionBook
from domain.gateway_state import SHOWN_NEWEST, SHOWN_OPEN, book_state
from domain.records import OrderState
from tests.unit.domain.gateway_bench import fill, intent, reported


def with_orders(count: int) -> ExecutionBook:
    book = ExecutionBook()
    for bar in range(count):
        book.send(intent(intent_id=f"1.main.AAPL.{bar}.1"), OrderState.SENT, 1, "")
        book.collect()
    return book


def test_an_open_order_is_told_with_its_state() -> None:
    book = with_orders(2)
    book.report(reported("1.main.AAPL.1.1"), 1)
    book.collect()
    (newest, oldest) = book_state(book, "USD")["open"]
    assert (newest["ref"], newest["state"], oldest["state"]) == ("1.main.AAPL.1.1", "working", "sent")
    assert newest["price"] == intent().reference_price


def test_a_stop_is_told_at_its_stop_price_and_a_filled_order_is_not_open() -> None:
    book = with_orders(1)
    ref = "1.main.AAPL.0.1"
    book.report(reported(f"{ref}.stop", parent_ref=ref, stop_price=97.0), 1)
    book.execute(fill(ref, "E1"), 1)
    book.collect()
    state = book_state(book, "USD")
    assert [(each["kind"], each["price"]) for each in state["open"]] == [("stop", 97.0)]
    (done,) = state["newest_fills"]
    assert (done["id"], done["symbol"], done["lots"], done["price"]) == (
        "E1",
        "AAPL",
        10,
        fill(ref, "E1").price,
    )


def test_lists_are_bounded_and_counts_are_not() -> None:
    book = with_orders(200)
    for bar in range(100):
        book.execute(fill(f"1.main.AAPL.{bar}.1", f"E{bar}"), bar)
    book.collect()
    state = book_state(book, "USD")
    assert (state["orders"], state["open_orders"]) == (200, 100)
    assert len(state["open"]) == SHOWN_OPEN
    assert len(state["newest_orders"]) == len(state["newest_fills"]) == SHOWN_NEWEST
    assert state["newest_orders"][0]["ref"] == "1.main.AAPL.199.1"
    assert state["newest_fills"][0]["id"] == "E99"


def test_the_state_is_json() -> None:
    book = with_orders(3)
    book.execute(fill("1.main.AAPL.0.1", "E1"), 1)
    book.collect()
    assert json.loads(json.dumps(book_state(book, "USD"))) == book_state(book, "USD")
