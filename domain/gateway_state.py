"""Say what the gateway's books hold, for people: open orders, and the newest orders and fills."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from domain.execution_book import ExecutionBook
from domain.records import ExecutionEntry, IntentKind, OrderEntry

SHOWN_OPEN = 40
"""Open orders that are told one by one, the newest; how many there are is always told."""
SHOWN_NEWEST = 24
"""Newest orders and executions that are told: as many as fit a screen's list of events."""


def book_state(book: ExecutionBook, currency: str) -> Mapping[str, Any]:
    """Return counts, cash in `currency`, open orders and the newest entries; worked out only when asked."""
    open_refs = list(islice(reversed(book.open_refs), SHOWN_OPEN))
    newest = [order_state(order) for order in islice(reversed(book.orders.values()), SHOWN_NEWEST)]
    return {
        "open_orders": len(book.open_refs),
        "orders": len(book.orders),
        "journal_head": book.seq,
        "cash_micro": book.cash.cash_micro(currency),
        "duplicate_executions": book.duplicates,
        "open": [order_state(book.orders[ref]) for ref in open_refs],
        "newest_orders": newest,
        "newest_fills": [fill_state(entry) for entry in book.newest_executions(SHOWN_NEWEST)],
    }


def order_state(order: OrderEntry) -> dict[str, Any]:
    """Return an order as people see it; `price` is its stop, or what it was decided at."""
    return {
        "ref": order.order_ref,
        "seq": order.seq,
        "at_ns": order.at_ns,
        "bar": order.bar,
        "book": order.book,
        "symbol": order.symbol,
        "kind": order.kind.value,
        "side": order.side.value,
        "lots": order.lots,
        "filled_lots": order.filled_lots,
        "price": order.stop_price if order.kind is IntentKind.STOP else order.reference_price,
        "state": order.state.value,
        "text": order.text,
    }


def fill_state(entry: ExecutionEntry) -> dict[str, Any]:
    """Return an execution as people see it."""
    execution = entry.execution
    return {
        "id": execution.exec_id,
        "seq": entry.seq,
        "at_ns": entry.at_ns,
        "bar": entry.bar,
        "book": entry.book,
        "symbol": execution.symbol,
        "kind": entry.kind.value,
        "side": execution.side.value,
        "lots": execution.lots,
        "price": execution.price,
    }
