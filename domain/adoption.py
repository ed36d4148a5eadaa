"""Take in orders that the gateway did not send: the venue's attached stops, and those with which a kill closes.

Both are told by their refs. A kill works beside the engine, with no approval of the risk engine's: it only closes, and
what it executes belongs to the book that held the position.
"""

from __future__ import annotations

from domain.broker import Executed, OrderReported, OrderType, RefusalCode, Side
from domain.order_refs import STOP_SUFFIX, kill_number, owner_of, without_session
from domain.outbox import AuditEvent, AuditKind
from domain.records import IntentKind, OrderEntry, OrderState

NO_WORD = frozenset({RefusalCode.UNKNOWN_ORDER, RefusalCode.DUPLICATE})
"""Codes that say nothing about the order of that ref: a cancel or a second order was refused."""


def stop_of(parent: OrderEntry, ref: str, side: Side, lots: int, stop_price: float, bar: int) -> OrderEntry:
    """Return the protective stop that the venue opened with a fill of `parent`."""
    return parent._replace(
        order_ref=ref,
        parent_ref=parent.order_ref,
        kind=IntentKind.STOP,
        side=side,
        order_type=OrderType.STOP,
        lots=lots,
        filled_lots=0,
        stop_price=stop_price,
        state=OrderState.SENT,
        bar=bar,
        text="",
    )


def reported(report: OrderReported, parent: OrderEntry | None, bar: int) -> OrderEntry | None:
    """Return the order that a report tells of for the first time; None for one that is foreign, or for no word."""
    if parent is not None:
        return stop_of(parent, report.order_ref, report.side, report.lots, report.stop_price, bar)
    if report.code in NO_WORD:
        return None
    return _of_kill(report, report.lots, bar)


def executed(execution: Executed, parent: OrderEntry | None, held: int, bar: int) -> OrderEntry | None:
    """Return the order whose execution overtook its report; None for one that is foreign.

    Its lots are the most they can be until the venue tells: a stop's its parent's, a kill's the position `held`.
    """
    if parent is not None and execution.order_ref == parent.order_ref + STOP_SUFFIX:
        return stop_of(parent, execution.order_ref, execution.side, parent.lots, 0.0, bar)
    return _of_kill(execution, max(abs(held), execution.lots), bar)


def _of_kill(told: OrderReported | Executed, lots: int, bar: int) -> OrderEntry | None:
    owner = owner_of(told.order_ref, told.symbol)
    if owner is None or not kill_number(told.order_ref):
        return None
    return OrderEntry(
        seq=0,
        at_ns=told.at_ns,
        order_ref=told.order_ref,
        parent_ref="",
        book=owner.book,
        symbol=told.symbol,
        kind=IntentKind.EXIT,
        side=told.side,
        order_type=OrderType.MARKET,
        lots=lots,
        filled_lots=0,
        reference_price=0.0,  # a kill judges by no price
        stop_price=0.0,
        state=OrderState.SENT,
        bar=bar,
        connection=0,
        text="",
    )


def kill_event(order: OrderEntry) -> AuditEvent:
    """Word for the audit trail that a kill's order was met at the venue: no decision of the engine's."""
    body = {
        "book": order.book,
        "symbol": order.symbol,
        "kind": order.kind.value,
        "side": order.side.value,
        "lots": order.lots,
        "type": order.order_type.value,
        "sent_by": "kill",
    }
    key = without_session(order.order_ref)
    return AuditEvent(AuditKind.ORDER, order.at_ns, order.bar, key, False, body)
