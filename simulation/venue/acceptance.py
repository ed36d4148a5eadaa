"""Accept, refuse and cancel orders."""

from __future__ import annotations

from math import isfinite

from domain.broker import (
    ClosePosition,
    OrderReported,
    OrderStatus,
    OrderType,
    PlaceOrder,
    RefusalCode,
    Side,
    TimeInForce,
)
from domain.instruments import Instrument
from simulation.venue.execution import end
from simulation.venue.orders import VenueOrder
from simulation.venue.turn import Turn

MAX_LOTS = 10**12
"""More lots than this are a mistake and would not keep values within 64 bits."""

Refusal = tuple[RefusalCode, str]


def place(turn: Turn, command: PlaceOrder, ruling: Refusal | None = None) -> None:
    """Accept an order or refuse it with a reason, that of `ruling` where there is one (fault search).

    A ref that is taken never makes a second order.
    """
    state = turn.state
    at_ns = state.cursor.known_ns
    order = _order_from(command, len(state.book) + 1, at_ns, turn.bar)
    if state.book.taken(command.order_ref, command.attached_stop_pct > 0.0):
        text = f"the ref {command.order_ref} (or that of its stop) is taken"
        turn.events.append(order.ended(OrderStatus.REFUSED, text, RefusalCode.DUPLICATE).report())
        return
    refusal = _refusal(turn, command, order) if ruling is None else ruling
    if refusal is not None:
        order = order.ended(OrderStatus.REFUSED, refusal[1], refusal[0])
    turn.put(order, at_ns)


def close(turn: Turn, command: ClosePosition) -> None:
    """Accept or refuse an order that closes a position, unless its symbol traded since that was counted."""
    if turn.state.executions_in(command.order.symbol) == command.executions:
        place(turn, command.order)


def cancel(turn: Turn, order_ref: str, why: str = "on request") -> None:
    """Cancel a working order, repeat the end of an ended one, refuse an unknown ref."""
    at_ns = turn.state.cursor.known_ns
    order = turn.state.book.get(order_ref)
    if order is None:
        turn.events.append(_unknown(order_ref, at_ns, turn.bar))
    elif order.status is OrderStatus.WORKING:
        end(turn, order, OrderStatus.CANCELED, f"cancelled {why}", at_ns)
    else:
        turn.events.append(order.report())


def _unknown(order_ref: str, at_ns: int, bar: int) -> OrderReported:
    return OrderReported(
        at_ns=at_ns,
        order_ref=order_ref,
        parent_ref="",
        symbol="",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        status=OrderStatus.REFUSED,
        lots=0,
        filled_lots=0,
        stop_price=0.0,
        code=RefusalCode.UNKNOWN_ORDER,
        text=f"there is no order {order_ref} to cancel",
        bar=bar,
    )


def _order_from(command: PlaceOrder, number: int, at_ns: int, bar: int) -> VenueOrder:
    """Return the order a command asks for; prices that its type has no use for, or that are none, are dropped."""
    opening = command.order_type is OrderType.MARKET_ON_OPEN
    return VenueOrder(
        order_ref=command.order_ref,
        number=number,
        parent_ref="",
        symbol=command.symbol,
        side=command.side,
        order_type=command.order_type,
        time_in_force=TimeInForce.OPENING if opening else command.time_in_force,
        lots=command.lots,
        filled_lots=0,
        limit_price=_finite(command.limit_price) if command.order_type is OrderType.LIMIT else 0.0,
        stop_price=_finite(command.stop_price) if command.order_type is OrderType.STOP else 0.0,
        attached_stop_pct=_finite(command.attached_stop_pct),
        oca_group=command.oca_group,
        status=OrderStatus.WORKING,
        code=None,
        text="",
        session=0,
        triggered=False,
        average_price=0.0,
        charged_micro=0,
        at_ns=at_ns,
        bar=bar,
    )


def _finite(number: float) -> float:
    return number if isfinite(number) else 0.0


def _refusal(turn: Turn, command: PlaceOrder, order: VenueOrder) -> Refusal | None:
    instrument = turn.state.instruments.get(command.symbol)
    if instrument is None:
        return RefusalCode.UNKNOWN_SYMBOL, f"{command.symbol} is not traded here"
    if not 0 < command.lots <= MAX_LOTS:
        return RefusalCode.BAD_QUANTITY, f"{command.lots} lots; allowed: 1 to {MAX_LOTS}"
    return (
        _price_refusal(instrument, command)
        or _short_refusal(turn, instrument, order)
        or _buying_power_refusal(turn, order)
    )


def _price_refusal(instrument: Instrument, command: PlaceOrder) -> Refusal | None:
    if not 0.0 <= command.attached_stop_pct < 1.0:
        text = f"attached stop at {command.attached_stop_pct}; allowed: 0 (none) to below 1"
        return RefusalCode.BAD_PRICE, text
    price = _own_price(command)
    if price is None:
        return None
    if not (isfinite(price) and price > 0.0):
        return RefusalCode.BAD_PRICE, f"price {price}; allowed: finite and more than 0"
    tick = instrument.tick_at(price)
    steps = price / tick
    if abs(steps - round(steps)) > 1e-6:
        return RefusalCode.BAD_PRICE, f"price {price} is not a multiple of the tick {tick}"
    return None


def _own_price(command: PlaceOrder) -> float | None:
    if command.order_type is OrderType.LIMIT:
        return command.limit_price
    if command.order_type is OrderType.STOP:
        return command.stop_price
    return None


def _short_refusal(turn: Turn, instrument: Instrument, order: VenueOrder) -> Refusal | None:
    """Refuse a sell that, with all working sells filled, would leave a short position where none is allowed."""
    if order.side is Side.BUY or instrument.shortable:
        return None
    held = turn.state.account.lots(order.symbol)
    selling = turn.state.book.sells_with(order)
    if selling <= held:
        return None
    text = f"sells of {selling} lots against {held} held; {order.symbol} cannot be sold short"
    return RefusalCode.SHORT_NOT_ALLOWED, text


def _buying_power_refusal(turn: Turn, order: VenueOrder) -> Refusal | None:
    """Refuse what would, with all working orders filled at today's prices, exceed leverage x equity.

    A symbol without any price yet is judged at the fill alone.
    """
    state = turn.state
    adds = _exposure(turn, order)
    if not state.settings.check_buying_power or adds == 0:
        return None
    equity, gross = state.account.equity_and_gross_micro()
    working = sum(_exposure(turn, other) for other in state.book.working())
    limit = int(state.settings.leverage * equity)
    if gross + working + adds <= limit:
        return None
    text = (
        f"exposure would be {(gross + working + adds) / 1e6:.2f}, "
        f"allowed is {limit / 1e6:.2f} ({state.settings.leverage} x equity)"
    )
    return RefusalCode.BUYING_POWER, text


def _exposure(turn: Turn, order: VenueOrder) -> int:
    """Return the exposure in micro-units that the rest of `order` would add if it filled alone."""
    account = turn.state.account
    lots = account.increase(order.symbol, order.sign * order.remaining)
    price = order.limit_price or order.stop_price or account.marks.get(order.symbol, 0.0)
    return account.value_micro(order.symbol, lots, price)
