"""Hold what the engine booked to what the venue's own journal says (I1 to I3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from domain.order_refs import kill_number
from domain.outbox import AuditKind
from domain.records import OrderEntry, OrderState
from simulation.venue.tables import EXECUTIONS, ORDERS
from storage.audit.index import AuditIndex
from storage.audit.query import AuditQuery, run_query
from storage.engine import sqlite_url
from storage.journal_reader import JournalReader


def lost_on_the_way(summary: Mapping[str, Any]) -> list[str]:
    """Return the orders that a kill caught between their commit and the wire: given up, it costs a trade, no more."""
    return [
        order["order_ref"]
        for order in summary["details"]["orders"]
        if order["state"] == OrderState.NEVER_ARRIVED.value
    ]


def assert_positions_told(state: Path) -> None:
    """Hold the trail to itself: what each execution made of its position is on record, once (requirement C6)."""
    index = AuditIndex(state / "audit", sqlite_url(state / "index.db"))
    try:
        records = list(run_query(index, AuditQuery(kinds=(AuditKind.EXECUTION, AuditKind.POSITION))))
    finally:
        index.engine.dispose()
    keys = {
        kind: Counter(record.key for record in records if record.kind == kind.value)
        for kind in (AuditKind.EXECUTION, AuditKind.POSITION)
    }
    executed = set(keys[AuditKind.EXECUTION])
    assert executed, "nothing was traded"
    assert {key: n for key, n in keys[AuditKind.POSITION].items() if key in executed} == dict.fromkeys(
        executed, 1
    )


def assert_booked_once(state: Path) -> None:
    """Hold the gateway's journal to the venue's: each order arrived once or never, each execution is booked once."""
    reader = JournalReader.open(sqlite_url(state / "gateway.db"), "gateway")
    try:
        orders = {order.order_ref: order for order in reader.orders()}
        exec_ids, _ = reader.identifiers()
    finally:
        reader.close()
    engine = create_engine(sqlite_url(state / "venue" / "venue.db"))
    with engine.connect() as venue:
        filled = {row.order_ref: row.filled_lots for row in venue.execute(select(ORDERS))}
        executed = list(venue.execute(select(EXECUTIONS.c.exec_id)).scalars())
    engine.dispose()
    arrived = {ref: order for ref, order in orders.items() if not _kept_back(order)}
    assert filled == {ref: order.filled_lots for ref, order in arrived.items()}
    assert sorted(executed) == sorted(exec_ids)
    made = [order for order in orders.values() if not (order.parent_ref or kill_number(order.order_ref))]
    intents = Counter((order.book, order.symbol, order.bar, order.kind) for order in made)
    assert max(intents.values()) == 1, "an intent became two orders"
    assert not [ref for ref, order in orders.items() if order.state is OrderState.UNKNOWN]


def _kept_back(order: OrderEntry) -> bool:
    """Return whether an order never reached the venue: given up, or refused by the gateway or the latch's file."""
    refused = order.state is OrderState.REFUSED and order.text.startswith(
        ("gateway: ", "the halt file says ")
    )
    return refused or order.state is OrderState.NEVER_ARRIVED
