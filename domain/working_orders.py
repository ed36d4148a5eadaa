"""Follow the risk manager's own orders from approval to end, so that their exposure stays reserved meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from domain.broker import signed
from domain.messages import OrderIntent
from domain.orders import OPEN_STATES
from domain.records import IntentKind, OrderEntry, OrderState

_NOT_TRADED = frozenset({OrderState.REFUSED, OrderState.EXPIRED, OrderState.NEVER_ARRIVED})


class WorkingOrder(NamedTuple):
    """Be one order that may still fill; `lots` is signed and counts only what has not filled."""

    book: str
    symbol: str
    kind: IntentKind
    lots: int


class WorkingOrders:
    """Hold the open entries and exits (protective stops apart) by order ref."""

    def __init__(self) -> None:
        """Start empty; the journal fills it."""
        self._orders: dict[str, WorkingOrder] = {}
        self._stops: dict[str, tuple[str, str, float]] = {}
        self._unconfirmed: dict[str, int] = {}
        self._exits_owed: set[tuple[str, str]] = set()

    def approve(self, intent: OrderIntent) -> None:
        """Reserve an intent's exposure from the moment of its approval."""
        lots = signed(intent.side, intent.lots)
        self._orders[intent.intent_id] = WorkingOrder(intent.book, intent.symbol, intent.kind, lots)
        self._unconfirmed[intent.intent_id] = intent.bar

    def expire(self, bar: int) -> None:
        """Let go of approvals of bars before `bar` that the gateway's journal never named: they expired on the way."""
        for ref, approved in tuple(self._unconfirmed.items()):
            if approved < bar:
                del self._unconfirmed[ref]
                self._orders.pop(ref, None)

    def follow(self, entry: OrderEntry) -> None:
        """Take over an order's newest journal state."""
        self._unconfirmed.pop(entry.order_ref, None)
        open_ = entry.state in OPEN_STATES
        if entry.kind is IntentKind.STOP:
            if open_:
                self._stops[entry.order_ref] = (entry.book, entry.symbol, entry.stop_price)
            else:
                self._stops.pop(entry.order_ref, None)
            return
        if entry.kind is IntentKind.EXIT and entry.state in _NOT_TRADED and entry.filled_lots == 0:
            self._exits_owed.add((entry.book, entry.symbol))
        else:
            self._exits_owed.discard((entry.book, entry.symbol))
        if open_:
            lots = signed(entry.side, entry.lots - entry.filled_lots)
            self._orders[entry.order_ref] = WorkingOrder(entry.book, entry.symbol, entry.kind, lots)
        else:
            self._orders.pop(entry.order_ref, None)

    def of(self, book: str, symbol: str) -> tuple[str, WorkingOrder] | None:
        """Return the ref and order working for `book` and `symbol`, None when there is none."""
        for ref, order in self._orders.items():
            if order.symbol == symbol and order.book == book:
                return ref, order
        return None

    def pending(self, book: str, symbol: str) -> tuple[int, int, int]:
        """Return the signed lots of all that works for `book` and `symbol`, of entries and of exits.

        Third is how many orders of the symbol work, over all books.
        """
        entering = exiting = count = 0
        for owner, traded, kind, lots in self._orders.values():
            if traded == symbol:
                count += 1
                if owner == book and kind is IntentKind.ENTRY:
                    entering += lots
                elif owner == book:
                    exiting += lots
        return entering, exiting, count

    def exit_owed(self, book: str, symbol: str) -> bool:
        """Return whether the last order of `book` in `symbol` was an exit that ended before it met the market.

        One that traded in part is another matter: what is left waits for votes, behind its stop.
        """
        return (book, symbol) in self._exits_owed

    def entries(self) -> Iterator[tuple[str, WorkingOrder]]:
        """Yield the open entries, by ref."""
        return ((ref, order) for ref, order in sorted(self._orders.items()) if order.kind is IntentKind.ENTRY)

    def stops(self) -> dict[tuple[str, str], float]:
        """Return the stop price working for each (book, symbol)."""
        return {(book, symbol): price for book, symbol, price in self._stops.values()}

    def __len__(self) -> int:
        """Return the number of open entries and exits."""
        return len(self._orders)
