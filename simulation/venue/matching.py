"""Match working orders against one moment's bars, in the order that every runtime shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from domain.bars import Bar, BarGroup
from domain.broker import DividendPaid, OrderStatus, OrderType, TimeInForce
from domain.fills import limit_fill, stop_trigger
from domain.instruments import notional_micro
from domain.order_refs import STOP_SUFFIX
from simulation.venue.execution import end_parent, fill, slipped
from simulation.venue.orders import VenueOrder, queue_key
from simulation.venue.turn import Cursor, Turn

EXPIRED_TEXT = {
    TimeInForce.DAY: "its session has ended",
    TimeInForce.OPENING: "not filled at the opening",
}
Bars = Mapping[str, Bar]


def match_group(turn: Turn, group: BarGroup) -> None:
    """Advance the market by `group`: dividends, opens, limits, stops, marks at the close, expiries."""
    state = turn.state
    bars = {bar.symbol: bar for bar in group.bars if bar.symbol in state.instruments}
    marks = state.account.marks
    _pay_dividends(turn, group, bars)
    if state.book.any_working:
        late = _begin_session(turn, group)
        for symbol, bar in bars.items():
            marks[symbol] = bar.open
        _Matching(turn, group, bars).run()
        _mark_at_close(marks, bars)
        turn.events.extend([order.report() for order in late])
        _expire_openings(turn, group.known_ns)
    else:
        _mark_at_close(marks, bars)
    state.cursor = Cursor(group.index, group.known_ns, group.session)


def _mark_at_close(marks: dict[str, float], bars: Bars) -> None:
    for symbol, bar in bars.items():
        marks[symbol] = bar.close


def _pay_dividends(turn: Turn, group: BarGroup, bars: Bars) -> None:
    """Pay holders, and charge short sellers, what goes ex at this open."""
    for symbol, bar in bars.items():
        if bar.dividend == 0.0:
            continue
        lots = turn.state.account.lots(symbol)
        if lots == 0:
            continue
        instrument = turn.state.instruments[symbol]
        amount = notional_micro(bar.dividend, lots, instrument.lots_per_unit, instrument.multiplier)
        turn.pay(
            DividendPaid(
                at_ns=group.open_ns,
                payment_id=f"D{group.index}.{symbol}",
                symbol=symbol,
                per_unit=bar.dividend,
                lots=lots,
                amount_micro=amount,
                bar=turn.bar,
            )
        )


def _begin_session(turn: Turn, group: BarGroup) -> list[VenueOrder]:
    """Give new DAY orders their session; take those of former sessions off the book and return them."""
    late = []
    for order in turn.state.book.working():
        if order.time_in_force is not TimeInForce.DAY or order.session == group.session:
            continue
        if order.session == 0:
            turn.keep(order._replace(session=group.session))
        else:
            ended = order.ended(OrderStatus.EXPIRED, EXPIRED_TEXT[TimeInForce.DAY])
            ended = ended._replace(at_ns=group.known_ns, bar=turn.bar)
            turn.keep(ended)
            late.append(ended)
    return late


def _expire_openings(turn: Turn, at_ns: int) -> None:
    for order in turn.state.book.working():
        if order.time_in_force is TimeInForce.OPENING:
            turn.put(order.ended(OrderStatus.EXPIRED, EXPIRED_TEXT[TimeInForce.OPENING]), at_ns)


def _at_market(order: VenueOrder) -> bool:
    return order.triggered or order.order_type in (OrderType.MARKET, OrderType.MARKET_ON_OPEN)


def _waiting_stop(order: VenueOrder) -> bool:
    return order.order_type is OrderType.STOP and not order.triggered


class _Matching:
    """Fill the orders of one bar group, phase by phase; attached stops of new fills take part at once."""

    def __init__(self, turn: Turn, group: BarGroup, bars: Bars) -> None:
        self.turn = turn
        self.group = group
        self.bars = bars
        self.entered_at: dict[str, float] = {}

    def run(self) -> None:
        working = self.turn.state.book.working
        if at_market := [order for order in working() if _at_market(order)]:
            self._phase(at_market, self._open)
        if limits := [order for order in working() if order.order_type is OrderType.LIMIT]:
            self._phase(limits, self._limit)
        if stops := [order for order in working() if _waiting_stop(order)]:
            self._phase(stops, self._stop)
        if self.entered_at:
            # A stop that was an entry has just opened its own protective stop: this bar may reach that one too.
            entered = [order for order in working() if order.order_ref in self.entered_at]
            self._phase([order for order in entered if _waiting_stop(order)], self._stop)

    def _phase(self, taken: list[VenueOrder], act: Callable[[VenueOrder, Bar], None]) -> None:
        book = self.turn.state.book
        for listed in sorted(taken, key=queue_key) if len(taken) > 1 else taken:
            order, bar = book.get(listed.order_ref), self.bars.get(listed.symbol)
            # An earlier fill of this phase may have changed or ended it.
            if bar is not None and order is not None and order.status is OrderStatus.WORKING:
                act(order, bar)

    def _open(self, order: VenueOrder, bar: Bar) -> None:
        self._fill(order, bar, bar.open, slipped(self.turn, order, bar.open))

    def _limit(self, order: VenueOrder, bar: Bar) -> None:
        high, low = self._range(order, bar)
        hit, price = limit_fill(order.sign, order.limit_price, bar.open, high, low)
        if hit:
            self._fill(order, bar, price, price)

    def _stop(self, order: VenueOrder, bar: Bar) -> None:
        """Check one stop; that of an entry of this bar works from the price of the entry, not from the open."""
        high, low = self._range(order, bar)
        start = self.entered_at.get(order.order_ref, bar.open)
        hit, price = stop_trigger(order.sign, order.stop_price, start, high, low)
        if not hit:
            return
        order = order._replace(triggered=True)
        self.turn.keep(order)
        if order.parent_ref:
            end_parent(self.turn, order, self._moment(bar, price))
        self._fill(order, bar, price, slipped(self.turn, order, price))

    def _fill(self, order: VenueOrder, bar: Bar, at: float, price: float) -> None:
        """Fill what the bar's volume allows of `order`, at `price`; `at` is the price before slippage."""
        lots = min(order.remaining, self._capacity(order, bar))
        if lots == 0:
            return
        if order.attached_stop_pct > 0.0 and order.filled_lots == 0:
            self.entered_at[order.order_ref + STOP_SUFFIX] = at
        fill(self.turn, order, lots, price, self._moment(bar, at))

    def _moment(self, bar: Bar, at: float) -> int:
        """Return when a fill at price `at` happened: the open, else some time in the bar, known at its end."""
        return self.group.open_ns if at == bar.open else self.group.known_ns

    def _range(self, order: VenueOrder, bar: Bar) -> tuple[float, float]:
        """Return the high and low that `order` may fill in: for OPENING orders the open alone."""
        if order.time_in_force is TimeInForce.OPENING:
            return bar.open, bar.open
        return bar.high, bar.low

    def _capacity(self, order: VenueOrder, bar: Bar) -> int:
        """Return how many lots one order may take of this bar."""
        participation = self.turn.state.settings.participation
        if participation == 0.0 or math.isnan(bar.volume):
            return order.remaining
        per_unit = self.turn.state.instruments[order.symbol].lots_per_unit
        return int(math.floor(participation * bar.volume * per_unit))
