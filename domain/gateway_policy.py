"""Decide what the gateway refuses by itself, whatever the risk manager approved, and word what it sends.

These checks repeat none of the risk engine's code, and positions, open orders, the number of orders and their lots are
the gateway's own knowledge. Prices are not: the gateway gets no bars, so an order's value is judged at the reference
price that the risk manager sent with it. A wrong price passes here; what bounds such an order are its lots
(`docs/decisions/0011-what-the-gateway-knows-by-itself.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from domain.breakers import BreakerTerms
from domain.broker import OrderType, PlaceOrder, signed
from domain.cash_book import CashTerms
from domain.execution_book import ExecutionBook
from domain.instruments import Instrument, notional_micro
from domain.lease import NO_PULSES, LeaseTerms
from domain.messages import OrderApproved, OrderIntent
from domain.order_refs import oca_group, without_session
from domain.outbox import AuditEvent, AuditKind
from domain.records import IntentKind
from domain.risk.limits import HardLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """Bound an order at the gateway: the hard limits and the instruments they are measured with."""

    hard: HardLimits
    instruments: dict[str, Instrument]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Configure the gateway.

    `cash_micro` is the account's deposit, `cash` says how it is compared. Seconds are of the control clock;
    `reconnect_delays_s` is used in order, the last again. Orders whose refs begin with the number `session` are ours.
    `next_bar` is the first bar group to be published: what is learnt before it belongs there, unless the venue names
    the bar at which it happened. Without a `lease` nothing may increase exposure. `breaker` says when a venue is left
    alone; None: never.
    """

    limits: GatewayLimits
    cash: CashTerms
    cash_micro: int
    generation: int
    session: int
    next_bar: int
    ack_deadline_s: float
    absence_interval_s: float
    broker_lost_s: float
    reconnect_delays_s: tuple[float, ...]
    lease: LeaseTerms = NO_PULSES
    breaker: BreakerTerms | None = None


class GateView(NamedTuple):
    """Be what the gateway judges an order by.

    `closed` says why its gate is closed (empty: open), `no_increase` why only what shrinks a position may pass. `epoch`
    and `bar` are the newest seen, `sent` are the orders sent since that bar.
    """

    closed: str
    no_increase: str
    epoch: int
    bar: int
    sent: int


def refusal(approval: OrderApproved, view: GateView, book: ExecutionBook, limits: GatewayLimits) -> str:
    """Return why the order of `approval` must not go out, empty when it may."""
    intent, hard = approval.intent, limits.hard
    if view.closed:
        return view.closed
    if approval.risk_epoch < view.epoch:
        return f"approved in risk epoch {approval.risk_epoch}, the newest is {view.epoch}"
    if approval.expires_bar < view.bar:
        return f"expired at bar {approval.expires_bar}, now {view.bar}"
    if view.sent >= hard.max_orders_per_bar:
        return f"more than {hard.max_orders_per_bar} orders for one bar"
    if intent.symbol not in limits.instruments:
        return f"no instrument {intent.symbol} is configured"
    if not 0 < intent.lots <= hard.max_order_lots[intent.symbol]:
        return f"{intent.lots} lots, allowed 1 to {hard.max_order_lots[intent.symbol]}"
    reduces = reduces_by_size(intent, book)
    if view.no_increase and not reduces:
        return view.no_increase
    return _malformed(intent, reduces) or _value_refusal(intent, reduces, limits)


def _malformed(intent: OrderIntent, reduces: bool) -> str:
    """Return what contradicts the kind of an intent: exits shrink a position, entries bring a protective stop."""
    if intent.kind is IntentKind.EXIT:
        return "" if reduces else "an exit that does not shrink a position"
    if intent.kind is not IntentKind.ENTRY:
        return f"orders of kind {intent.kind.value} are the venue's own"
    if not 0.0 < intent.stop_loss_pct < 1.0:
        return f"stop_loss_pct {intent.stop_loss_pct}, allowed above 0 and below 1"
    return ""


def _value_refusal(intent: OrderIntent, reduces: bool, limits: GatewayLimits) -> str:
    """Return why the value of an order forbids it; one that only shrinks a position may be of any size."""
    instrument = limits.instruments[intent.symbol]
    if not (isfinite(intent.reference_price) and intent.reference_price > 0.0):
        return f"reference price {intent.reference_price}, allowed: finite and above 0"
    value = (
        notional_micro(intent.reference_price, intent.lots, instrument.lots_per_unit, instrument.multiplier)
        / 1e6
    )
    if not (value > 0.0 and (reduces or value <= limits.hard.max_order_value_usd)):
        return f"value {value:.2f}, allowed above 0 and up to {limits.hard.max_order_value_usd:.2f}"
    return ""


def reduces_by_size(intent: OrderIntent, book: ExecutionBook) -> bool:
    """Return whether an exit, with all open orders against its position, can at most close it.

    Size decides, not side: a sell of more than is held would open a short. Protective stops are left out: they share
    the exit's OCA group.
    """
    position = book.positions.get((intent.book, intent.symbol), 0)
    change = signed(intent.side, intent.lots)
    if intent.kind is not IntentKind.EXIT or position * change >= 0:
        return False
    against = sum(
        order.lots - order.filled_lots
        for order in (book.orders[ref] for ref in book.open_refs)
        if order.kind is not IntentKind.STOP
        and (order.book, order.symbol) == (intent.book, intent.symbol)
        and position * signed(order.side, 1) < 0
    )
    return abs(change) + against <= abs(position)


def place_order(intent: OrderIntent, *, reduces: bool) -> PlaceOrder:
    """Word an intent for the venue: exits share the OCA group of their position's stop.

    `reduces` is what `reduces_by_size` says of it before it is in the book itself.
    """
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
        oca_group=oca_group(intent.book, intent.symbol),
        reduces=reduces,
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
    return AuditEvent(
        AuditKind.ORDER, intent.at_ns, intent.bar, without_session(intent.intent_id), True, body
    )
