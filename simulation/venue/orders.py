"""Keep the venue's orders: every order ever placed by its ref, and those that still work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from domain.broker import OrderReported, OrderStatus, OrderType, RefusalCode, Side, TimeInForce
from domain.order_refs import STOP_SUFFIX


class VenueOrder(NamedTuple):
    """Be one order's present state at the venue.

    `number` counts orders from 1. `session` is the session a DAY order belongs to, 0 until its first bar group.
    `triggered` marks a stop that was hit and now works as a market order. `average_price` is over `filled_lots`,
    `charged_micro` the commission taken so far. `at_ns` and `bar` say when it came to this state.
    """

    order_ref: str
    number: int
    parent_ref: str
    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    lots: int
    filled_lots: int
    limit_price: float
    stop_price: float
    attached_stop_pct: float
    oca_group: str
    status: OrderStatus
    code: RefusalCode | None
    text: str
    session: int
    triggered: bool
    average_price: float
    charged_micro: int
    at_ns: int
    bar: int

    @property
    def remaining(self) -> int:
        """Return the lots still to fill."""
        return self.lots - self.filled_lots

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell."""
        return 1 if self.side is Side.BUY else -1

    def ended(self, status: OrderStatus, text: str, code: RefusalCode | None = None) -> VenueOrder:
        """Return the order ended as `status`."""
        return self._replace(status=status, text=text, code=code)

    def report(self) -> OrderReported:
        """Return the order as the gateway is told of it."""
        return OrderReported(
            at_ns=self.at_ns,
            order_ref=self.order_ref,
            parent_ref=self.parent_ref,
            symbol=self.symbol,
            side=self.side,
            order_type=self.order_type,
            status=self.status,
            lots=self.lots,
            filled_lots=self.filled_lots,
            stop_price=self.stop_price,
            code=self.code,
            text=self.text,
            bar=self.bar,
        )


def queue_key(order: VenueOrder) -> tuple[bool, str, str]:
    """Sort orders as the venue works them: sells before buys, then by symbol, then by ref."""
    return order.side is Side.BUY, order.symbol, order.order_ref


class OrderBook:
    """Hold every order by ref; `working` are those not ended, by number."""

    def __init__(self, orders: Iterable[VenueOrder] = ()) -> None:
        """Start from `orders`, sorted by number."""
        self._orders: dict[str, VenueOrder] = {}
        self._working: dict[str, VenueOrder] = {}
        for order in orders:
            self.put(order)

    def __len__(self) -> int:
        """Return how many orders there ever were."""
        return len(self._orders)

    def put(self, order: VenueOrder) -> None:
        """Add `order`, or replace its former state."""
        self._orders[order.order_ref] = order
        if order.status is OrderStatus.WORKING:
            self._working[order.order_ref] = order
        else:
            self._working.pop(order.order_ref, None)

    def get(self, order_ref: str) -> VenueOrder | None:
        """Return the order of that ref, or None."""
        return self._orders.get(order_ref)

    @property
    def any_working(self) -> bool:
        """Return whether any order works."""
        return bool(self._working)

    def working(self) -> list[VenueOrder]:
        """Return the working orders, oldest first."""
        return list(self._working.values())

    def completed(self) -> list[VenueOrder]:
        """Return the ended orders, oldest first."""
        return [order for order in self._orders.values() if order.status is not OrderStatus.WORKING]

    def taken(self, order_ref: str, with_stop: bool) -> bool:
        """Return whether a new order's ref, or its stop's when it brings one, is used or promised already."""
        if order_ref in self._orders or (with_stop and order_ref + STOP_SUFFIX in self._orders):
            return True
        parent = self._orders.get(order_ref.removesuffix(STOP_SUFFIX))
        return parent is not None and parent.order_ref != order_ref and parent.attached_stop_pct > 0.0

    def group(self, order: VenueOrder) -> list[VenueOrder]:
        """Return the other working orders that `order` shares its OCA group with: same symbol and side."""
        if not order.oca_group:
            return []
        return [
            other
            for other in self._working.values()
            if other.oca_group == order.oca_group
            and other.order_ref != order.order_ref
            and other.symbol == order.symbol
            and other.side is order.side
        ]

    def sells_with(self, extra: VenueOrder) -> int:
        """Return how many lots of its symbol `extra` and the working sells can sell together.

        Orders of one OCA group replace each other, so the larger of its plain orders and its stops counts.
        """
        total, plain, stops = 0, dict[str, int](), dict[str, int]()
        for order in (*self._working.values(), extra):
            if order.symbol != extra.symbol or order.side is not Side.SELL:
                continue
            if not order.oca_group:
                total += order.remaining
            elif order.parent_ref:
                stops[order.oca_group] = stops.get(order.oca_group, 0) + order.remaining
            else:
                plain[order.oca_group] = max(plain.get(order.oca_group, 0), order.remaining)
        return total + sum(
            max(plain.get(name, 0), stops.get(name, 0)) for name in plain.keys() | stops.keys()
        )
