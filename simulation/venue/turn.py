"""Hold the venue's state, and collect what one input changes in it."""

from __future__ import annotations

from typing import NamedTuple

from domain.broker import BrokerEvent, DividendPaid, Executed
from simulation.venue.account import Account
from simulation.venue.orders import OrderBook, VenueOrder
from simulation.venue.settings import VenueSettings


class Cursor(NamedTuple):
    """Be the last bar group handled: its index in `group` (-1 for none yet), its `known_ns` and its session."""

    group: int
    known_ns: int
    session: int


NOTHING_YET = Cursor(-1, 0, 0)


class VenueHistory(NamedTuple):
    """Be what a journal holds: all a venue needs to go on where it stopped; everything oldest first."""

    orders: tuple[VenueOrder, ...]
    executions: tuple[Executed, ...]
    dividends: tuple[DividendPaid, ...]
    cursor: Cursor
    marks: dict[str, float]


NO_HISTORY = VenueHistory((), (), (), NOTHING_YET, {})


class Commit(NamedTuple):
    """Ask for what one input changed to be made durable, all or none, before any later output leaves.

    `orders` replace their former states; `executions` and `dividends` are new; `cursor` and `marks` are the venue's
    present ones.
    """

    orders: tuple[VenueOrder, ...]
    executions: tuple[Executed, ...]
    dividends: tuple[DividendPaid, ...]
    cursor: Cursor
    marks: dict[str, float]

    @property
    def quiet(self) -> bool:
        """Return whether only the market moved: no order, no execution, no dividend."""
        return not (self.orders or self.executions or self.dividends)


class VenueState:
    """Be everything the venue knows: account, orders, executions, dividends and how far the market has come."""

    def __init__(self, settings: VenueSettings, history: VenueHistory) -> None:
        """Rebuild the state that `history` led to."""
        self.settings = settings
        self.instruments = {instrument.symbol: instrument for instrument in settings.instruments}
        self.fees = settings.schedules()
        self.account = Account(self.instruments, settings.cash_micro)
        self.account.replay(history.executions, history.dividends)
        self.account.marks.update(history.marks)
        self.book = OrderBook(history.orders)
        self.executions = list(history.executions)
        self.dividends = list(history.dividends)
        self.cursor = history.cursor

    def executions_in(self, symbol: str) -> int:
        """Return how many executions there ever were in `symbol`."""
        return sum(execution.symbol == symbol for execution in self.executions)


class Turn:
    """Apply one input's changes to the state and remember them, as events and as what must be made durable."""

    def __init__(self, state: VenueState, bar: int) -> None:
        """Begin with nothing changed; what happens in this turn happens at bar group `bar`."""
        self.state = state
        self.bar = bar
        self.events: list[BrokerEvent] = []
        self._orders: dict[str, VenueOrder] = {}
        self._executions: list[Executed] = []
        self._dividends: list[DividendPaid] = []

    def keep(self, order: VenueOrder) -> None:
        """Take `order` as its newest state without telling anyone."""
        self.state.book.put(order)
        self._orders[order.order_ref] = order

    def put(self, order: VenueOrder, at_ns: int) -> VenueOrder:
        """Take `order` as its newest state, of `at_ns`, and report it; return what was taken."""
        if order.at_ns != at_ns or order.bar != self.bar:
            order = order._replace(at_ns=at_ns, bar=self.bar)
        self.keep(order)
        self.events.append(order.report())
        return order

    def book(self, execution: Executed) -> None:
        """Book and report one execution."""
        self.state.account.book(execution)
        self.state.executions.append(execution)
        self._executions.append(execution)
        self.events.append(execution)

    def pay(self, dividend: DividendPaid) -> None:
        """Pay and report one dividend."""
        self.state.account.cash_micro += dividend.amount_micro
        self.state.dividends.append(dividend)
        self._dividends.append(dividend)
        self.events.append(dividend)

    def commit(self, advanced: bool) -> list[Commit]:
        """Return what must be made durable; empty when nothing changed and the market did not advance."""
        changes = tuple(self._orders.values()), tuple(self._executions), tuple(self._dividends)
        if not advanced and not any(changes):
            return []
        return [Commit(*changes, self.state.cursor, dict(self.state.account.marks))]
