"""Fill orders, and carry out what a fill entails: fees, attached stops, orders that reduce each other."""

from __future__ import annotations

from domain.broker import Executed, OrderStatus, OrderType, RefusalCode, Side, TimeInForce
from domain.fills import commission_micro, market_fill_price, stop_price_for
from domain.order_refs import STOP_SUFFIX
from simulation.venue.orders import VenueOrder
from simulation.venue.turn import Turn

OCA_TEXT = "oca"
STOP_ENDED_TEXT = "its protective stop was hit or ended"


def fill(turn: Turn, order: VenueOrder, lots: int, price: float, at_ns: int) -> None:
    """Execute `lots` of `order` at `price` (slippage included); cancel it instead when the account cannot afford it."""
    state = turn.state
    total = order.filled_lots + lots
    average = price
    if order.filled_lots:
        average = (order.average_price * order.filled_lots + price * lots) / total
    instrument = state.instruments[order.symbol]
    charged = commission_micro(
        average, total, instrument.lots_per_unit, instrument.multiplier, state.fees[order.symbol]
    )
    execution = _execution(turn, order, lots, price, charged - order.charged_micro, at_ns)
    if state.settings.check_buying_power and not state.account.affords(execution, state.settings.leverage):
        text = f"filling {lots} lots at {price} needs more than {state.settings.leverage} x equity"
        end(turn, order, OrderStatus.CANCELED, text, at_ns, RefusalCode.BUYING_POWER)
        return
    turn.book(execution)
    order = turn.put(
        order._replace(
            filled_lots=total,
            average_price=average,
            charged_micro=charged,
            status=OrderStatus.FILLED if total == order.lots else OrderStatus.WORKING,
            at_ns=at_ns,
            bar=turn.bar,
        ),
        at_ns,
    )
    if order.attached_stop_pct > 0.0:
        _protect(turn, order, lots, at_ns)
    _reduce_group(turn, order, lots, at_ns)


def _execution(
    turn: Turn, order: VenueOrder, lots: int, price: float, charged_micro: int, at_ns: int
) -> Executed:
    return Executed(
        at_ns=at_ns,
        exec_id=f"E{len(turn.state.executions) + 1:08d}",
        order_ref=order.order_ref,
        symbol=order.symbol,
        side=order.side,
        lots=lots,
        price=price,
        commission_micro=charged_micro,
        corrects="",
        bar=turn.bar,
    )


def slipped(turn: Turn, order: VenueOrder, price: float) -> float:
    """Return `price` worsened by the slippage of the order's instrument."""
    return market_fill_price(price, order.sign, turn.state.fees[order.symbol].slippage_bps)


def end(
    turn: Turn, order: VenueOrder, status: OrderStatus, text: str, at_ns: int, code: RefusalCode | None = None
) -> None:
    """End `order`; an entry whose protective stop ends does not go on filling unprotected."""
    turn.put(order.ended(status, text, code), at_ns)
    if order.parent_ref:
        end_parent(turn, order, at_ns)


def end_parent(turn: Turn, stop: VenueOrder, at_ns: int) -> None:
    """Cancel what is left of the entry that `stop` protects."""
    parent = turn.state.book.get(stop.parent_ref)
    if parent is not None and parent.status is OrderStatus.WORKING:
        turn.put(parent.ended(OrderStatus.CANCELED, STOP_ENDED_TEXT), at_ns)


def _protect(turn: Turn, parent: VenueOrder, lots: int, at_ns: int) -> None:
    """Open the parent's protective stop, or add `lots` to it, at the parent's average price."""
    instrument = turn.state.instruments[parent.symbol]
    price = stop_price_for(
        parent.average_price, parent.sign, parent.attached_stop_pct, instrument.tick, instrument.tick_at(0.0)
    )
    stop = turn.state.book.get(parent.order_ref + STOP_SUFFIX)
    if stop is not None:
        turn.put(stop._replace(lots=stop.lots + lots, stop_price=price), at_ns)
        return
    turn.put(
        parent._replace(
            order_ref=parent.order_ref + STOP_SUFFIX,
            number=len(turn.state.book) + 1,
            parent_ref=parent.order_ref,
            side=Side.SELL if parent.side is Side.BUY else Side.BUY,
            order_type=OrderType.STOP,
            time_in_force=TimeInForce.GTC,
            lots=lots,
            filled_lots=0,
            limit_price=0.0,
            stop_price=price,
            attached_stop_pct=0.0,
            status=OrderStatus.WORKING,
            text="",
            session=0,
            triggered=False,
            average_price=0.0,
            charged_micro=0,
            at_ns=at_ns,
            bar=turn.bar,
        ),
        at_ns,
    )


def _reduce_group(turn: Turn, order: VenueOrder, lots: int, at_ns: int) -> None:
    """Take `lots` off the orders that share the filled order's OCA group, side and symbol.

    Each plain order loses them. Attached stops protect different entries of one position: together they lose what a
    plain order filled (oldest first), and a stop's own fill leaves the other stops alone.
    """
    from_stops = 0 if order.parent_ref else lots
    for other in turn.state.book.group(order):
        if other.parent_ref:
            taken = min(from_stops, other.remaining)
            from_stops -= taken
        else:
            taken = min(lots, other.remaining)
        if not taken:
            continue
        left = other._replace(lots=other.lots - taken)
        if left.remaining:
            turn.put(left, at_ns)
        else:
            end(turn, left, OrderStatus.CANCELED, OCA_TEXT, at_ns)
