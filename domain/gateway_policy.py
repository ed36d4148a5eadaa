"""Decide what the gateway refuses by itself, whatever the risk manager approved, and word what it sends.

These checks repeat none of the risk engine's code: two independent components stand before the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.broker import OrderType, PlaceOrder
from domain.execution_book import ExecutionBook, signed, without_session
from domain.instruments import Instrument, notional_micro
from domain.messages import OrderApproved, OrderIntent
from domain.outbox import AuditEvent, AuditKind
from domain.records import IntentKind, Rung
from domain.risk.limits import HardLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bound an order at the gateway: the hard limits and the instruments they are measured with."""

    hard: HardLimits
    instruments: dict[str, Instrument]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Configure the gateway.

    Seconds are of the control clock; `reconnect_delays_s` is used in order, the last again. `next_bar` is the first bar
    group to be published: what a simulated market did before we heard of it belongs there, it is never further ahead.
    """

    limits: GatewayLimits
    generation: int
    next_bar: int
    ack_deadline_s: float
    absence_interval_s: float
    broker_lost_s: float
    reconnect_delays_s: tuple[float, ...]


def refusal(
    approval: OrderApproved,
    view: tuple[bool, Rung, int, int, int],
    book: ExecutionBook,
    limits: GatewayLimits,
) -> str:
    """Return why the order of `approval` must not go out, empty when it may.

    `view` is (gate open, rung, newest epoch, newest bar, orders sent for this bar).
    """
    gate_open, rung, epoch, bar, sent = view
    intent = approval.intent
    if not gate_open:
        return "the gate is closed: the venue is not connected and reconciled"
    if approval.risk_epoch < epoch:
        return f"approved in risk epoch {approval.risk_epoch}, the newest is {epoch}"
    if approval.expires_bar < bar:
        return f"expired at bar {approval.expires_bar}, now {bar}"
    instrument = limits.instruments.get(intent.symbol)
    if instrument is None:
        return f"no instrument {intent.symbol} is configured"
    if sent >= limits.hard.max_orders_per_bar:
        return f"more than {limits.hard.max_orders_per_bar} orders for one bar"
    if not 0 < intent.lots <= limits.hard.max_order_lots:
        return f"{intent.lots} lots, allowed 1 to {limits.hard.max_order_lots}"
    reduces = reduces_by_size(intent, book)
    if rung > Rung.ACTIVE and not reduces:
        return f"{rung.name}: only orders that shrink a position may pass"
    value = notional_micro(intent.reference_price, intent.lots, instrument.lots_per_unit, instrument.multiplier) / 1e6
    if not (value > 0.0 and (reduces or value <= limits.hard.max_order_value_usd)):
        return f"value {value:.2f}, allowed above 0 and up to {limits.hard.max_order_value_usd:.2f}"
    return ""


def reduces_by_size(intent: OrderIntent, book: ExecutionBook) -> bool:
    """Return whether the order, with all open exits of its book and symbol, can at most close the position.

    Size decides, not side: a sell of more than is held would open a short.
    """
    position = book.positions.get((intent.book, intent.symbol), 0)
    change = signed(intent.side, intent.lots)
    if position * change >= 0:
        return False
    open_exits = sum(
        order.lots - order.filled_lots
        for order in (book.orders[ref] for ref in book.open_refs)
        if order.kind is IntentKind.EXIT and (order.book, order.symbol) == (intent.book, intent.symbol)
    )
    return abs(change) + open_exits <= abs(position)


def place_order(intent: OrderIntent) -> PlaceOrder:
    """Word an intent for the venue: exits share the OCA group of their position's stop."""
    return PlaceOrder(
        order_ref=intent.intent_id,
        symbol=intent.symbol,
        side=intent.side,
        lots=intent.lots,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        limit_price=intent.reference_price if intent.order_type is OrderType.LIMIT else 0.0,
        stop_price=0.0,
        attached_stop_pct=intent.stop_loss_pct if intent.kind is IntentKind.ENTRY else 0.0,
        oca_group=f"{intent.book}/{intent.symbol}",
    )


def audit_order(approval: OrderApproved, refused: str) -> AuditEvent:
    """Word the audit event of an order sent or refused by the gateway."""
    intent = approval.intent
    body = {
        "book": intent.book,
        "symbol": intent.symbol,
        "kind": intent.kind.value,
        "side": intent.side.value,
        "lots": intent.lots,
        "type": intent.order_type.value,
        "reference_price": intent.reference_price,
        "stop_loss_pct": intent.stop_loss_pct,
        "limits_version": approval.limits_version,
        "refused": refused,
    }
    return AuditEvent(AuditKind.ORDER, intent.at_ns, intent.bar, without_session(intent.intent_id), True, body)
