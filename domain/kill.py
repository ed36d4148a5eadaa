"""Decide what a kill cancels and closes at a venue, from what the venue alone says.

A kill knows no journal and no configuration. Which book holds what is counted from the account's executions, whose
order refs name their books; what those do not explain is a residual, closed under a book of its own. Its closing order
shares the OCA group of the position's protective stops: a fill of either takes its lots off the other, so that they
never sell a position twice. So do the engine's own exits, and those of another kill.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from domain.broker import (
    ClosePosition,
    Executed,
    OrderReported,
    OrderType,
    PlaceOrder,
    Side,
    TimeInForce,
    VenuePosition,
    signed,
)
from domain.execution_book import UNASSIGNED
from domain.order_refs import Owner, kill_number, kill_ref, oca_group, owner_of


class Held(NamedTuple):
    """Be a position of a book, in signed lots."""

    book: str
    symbol: str
    lots: int


class VenueLook(NamedTuple):
    """Be what a venue said at one moment: `orders` are open; `whole` says that the executions go back to the first."""

    orders: tuple[OrderReported, ...]
    executions: tuple[Executed, ...]
    positions: tuple[VenuePosition, ...]
    whole: bool


def plain_orders(orders: Iterable[OrderReported]) -> list[OrderReported]:
    """Return the open orders that a kill cancels whatever is held: all but attached stops and a kill's own."""
    return [order for order in orders if not order.parent_ref and not kill_number(order.order_ref)]


def held_by_books(look: VenueLook) -> list[Held]:
    """Return what each book holds, by symbol and book, and as UNASSIGNED what no execution explains."""
    corrected = {execution.corrects for execution in look.executions if execution.corrects}
    lots: defaultdict[tuple[str, str], int] = defaultdict(int)
    rest = Counter(dict(look.positions))
    for done in look.executions:
        owner = owner_of(done.order_ref, done.symbol)
        if done.exec_id in corrected or owner is None or not look.whole:
            continue
        lots[(done.symbol, owner.book)] += signed(done.side, done.lots)
        rest[done.symbol] -= signed(done.side, done.lots)
    for symbol, residual in rest.items():
        lots[(symbol, UNASSIGNED)] += residual
    return [Held(book, symbol, count) for (symbol, book), count in sorted(lots.items()) if count]


class KillPlan:
    """Work out, from one look at the venue, what is still to be cancelled and closed; `closing` positions or not."""

    def __init__(self, look: VenueLook, *, closing: bool) -> None:
        """Judge every open order and every position."""
        self.held = held_by_books(look)
        self._lots = {(each.book, each.symbol): each.lots for each in self.held}
        self._account = dict(look.positions)
        self._executions = Counter(execution.symbol for execution in look.executions)
        self._whole, self._closing = look.whole, closing
        self._numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._session = 0
        refs = [(told.order_ref, told.symbol) for told in look.orders]
        refs += [(told.order_ref, told.symbol) for told in look.executions]
        for ref, symbol in refs:
            self._count(ref, symbol)
        self.kept: list[OrderReported] = []
        self.closing: dict[tuple[str, str], OrderReported] = {}
        self.cancels: list[str] = []
        for order in look.orders:
            self._judge(order)

    def closings(self, taken: Iterable[tuple[str, str]] = ()) -> list[ClosePosition]:
        """Return an order for each position that none closes; `taken` are refs, with symbols, that were refused."""
        if not self._closing:
            return []
        for ref, symbol in taken:
            self._count(ref, symbol)
        return [self._close(each) for each in self.held if (each.book, each.symbol) not in self.closing]

    def _judge(self, order: OrderReported) -> None:
        owner = owner_of(order.order_ref, order.symbol)
        key = (owner.book if owner else UNASSIGNED, order.symbol)
        # A history that does not go back to the first execution says nothing of single books.
        lots = self._lots.get(key, 0) if self._whole else self._account.get(order.symbol, 0)
        against = lots * signed(order.side, 1) < 0
        if order.parent_ref and against:
            self.kept.append(order)
        elif self._closing and against and _closes(order, lots) and key not in self.closing:
            self.closing[key] = order
        else:
            self.cancels.append(order.order_ref)

    def _close(self, held: Held) -> ClosePosition:
        owner, symbol = Owner(self._session, held.book), held.symbol
        self._numbers[(held.book, symbol)] += 1
        order = PlaceOrder(
            order_ref=kill_ref(owner, symbol, self._numbers[(held.book, symbol)]),
            symbol=symbol,
            side=Side.SELL if held.lots > 0 else Side.BUY,
            lots=abs(held.lots),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC,  # a symbol without a bar today is closed at its next one
            limit_price=0.0,
            stop_price=0.0,
            attached_stop_pct=0.0,
            oca_group=oca_group(held.book, symbol),
            reduces=True,
        )
        return ClosePosition(order=order, executions=self._executions[symbol])

    def _count(self, ref: str, symbol: str) -> None:
        """Note the newest session, and how many orders of kills a book had: a ref is taken once and for ever."""
        owner = owner_of(ref, symbol)
        if owner is not None:
            key = (owner.book, symbol)
            self._numbers[key] = max(self._numbers[key], kill_number(ref))
            self._session = max(self._session, owner.session)


def _closes(order: OrderReported, lots: int) -> bool:
    """Return whether a kill's order closes a position of `lots` to the lot.

    One that does not is replaced: two plain orders of one OCA group take their lots off each other.
    """
    return bool(kill_number(order.order_ref)) and order.lots - order.filled_lots == abs(lots)
