"""Fold fills into a position and its round trips, at average cost, in whole micro-units.

Average cost, not first in first out: a partial close releases its share of the cost of all lots held, so the result
does not depend on which lots one calls sold. Costs are integers, and the last lots closed release what is left of
them; hence over any life `cash flows = realised - open cost` holds to the micro-unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from domain.broker import Side
from domain.instruments import Instrument, notional_micro
from domain.records import IntentKind


class Fill(NamedTuple):
    """Be one execution as a position takes it: signed lots (a buy positive), price, commission in micro-units."""

    at_ns: int
    bar: int
    kind: IntentKind
    lots: int
    price: float
    commission_micro: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Hold one book's position in one symbol.

    `lots` is signed. `cost_micro` is what the open lots cost (negative for a short: what it brought in);
    `realised_micro` is the profit of closed lots less all commissions, without `dividends_micro`. `opened_*` belong to
    the present round trip and are 0 when flat.
    """

    book: str
    symbol: str
    lots: int
    average_price: float
    cost_micro: int
    realised_micro: int
    dividends_micro: int
    commission_micro: int
    opened_at_ns: int
    opened_bar: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Record a round trip, from flat to flat (or through zero).

    `side` opened it; `lots` were opened in all, at the average `entry_price`, and left at the average `exit_price`.
    `pnl_micro` is net of `commission_micro`, without `dividends_micro`. `exit_kind` is that of the closing order.
    """

    book: str
    symbol: str
    side: Side
    lots: int
    entry_at_ns: int
    exit_at_ns: int
    entry_bar: int
    exit_bar: int
    entry_price: float
    exit_price: float
    pnl_micro: int
    commission_micro: int
    dividends_micro: int
    exit_kind: IntentKind

    @property
    def bars_held(self) -> int:
        """Return the bars from entry to exit; 0 when both fell on one bar."""
        return self.exit_bar - self.entry_bar

    @property
    def total_micro(self) -> int:
        """Return what the round trip brought, dividends included."""
        return self.pnl_micro + self.dividends_micro


def _average(average: float, lots: int, price: float, added: int) -> float:
    return price if lots == 0 else (average * lots + price * added) / (lots + added)


class _RoundTrip:
    """Add up the round trip under way."""

    def __init__(self, fill: Fill) -> None:
        self.entry = fill
        self.side = Side.BUY if fill.lots > 0 else Side.SELL
        self.opened_lots = self.closed_lots = 0
        self.entry_price = self.exit_price = 0.0
        self.flow_micro = self.commission_micro = self.dividends_micro = 0


class PositionFold:
    """Take fills and dividends of one book and symbol in order; read `position` and `trades`."""

    def __init__(self, book: str, instrument: Instrument) -> None:
        self._book = book
        self._instrument = instrument
        self.lots = 0
        self._average_price = 0.0
        self._cost_micro = 0
        self._realised_micro = 0
        self._dividends_micro = 0
        self._commission_micro = 0
        self._trip: _RoundTrip | None = None
        self.trades: list[Trade] = []

    def take(self, fill: Fill) -> int:
        """Take `fill` and return its cash flow in micro-units, commission deducted; a flip is split at zero."""
        held = self.lots
        if held * fill.lots >= 0 or abs(fill.lots) <= abs(held):
            return self._take_part(fill)
        closing = fill.commission_micro * abs(held) // abs(fill.lots)
        first = fill._replace(lots=-held, commission_micro=closing)
        rest = fill._replace(lots=fill.lots + held, commission_micro=fill.commission_micro - closing)
        whole = self._flow(fill)
        flow = self._take_part(first)
        # The parts are rounded one by one; the second takes up the difference to the whole.
        return flow + self._take_part(rest, whole - self._flow(first))

    def receive(self, amount_micro: int) -> None:
        """Take a dividend (negative for a short)."""
        self._dividends_micro += amount_micro
        if self._trip is not None:
            self._trip.dividends_micro += amount_micro

    def position(self) -> Position:
        """Return the position as it stands."""
        entry = None if self._trip is None else self._trip.entry
        return Position(
            book=self._book,
            symbol=self._instrument.symbol,
            lots=self.lots,
            average_price=self._average_price,
            cost_micro=self._cost_micro,
            realised_micro=self._realised_micro,
            dividends_micro=self._dividends_micro,
            commission_micro=self._commission_micro,
            opened_at_ns=0 if entry is None else entry.at_ns,
            opened_bar=0 if entry is None else entry.bar,
        )

    def _flow(self, fill: Fill) -> int:
        traded = self._instrument
        value = notional_micro(fill.price, abs(fill.lots), traded.lots_per_unit, traded.multiplier)
        return -value if fill.lots > 0 else value

    def _take_part(self, fill: Fill, flow: int | None = None) -> int:
        if fill.lots == 0:
            return 0
        flow = self._flow(fill) if flow is None else flow
        trip = self._trip = self._trip or _RoundTrip(fill)
        if self.lots * fill.lots >= 0:
            self._open(trip, fill, flow)
        else:
            self._reduce(trip, fill, flow)
        trip.flow_micro += flow
        trip.commission_micro += fill.commission_micro
        self.lots += fill.lots
        self._commission_micro += fill.commission_micro
        self._realised_micro -= fill.commission_micro
        if self.lots == 0:
            self._finish(trip, fill)
        return flow - fill.commission_micro

    def _open(self, trip: _RoundTrip, fill: Fill, flow: int) -> None:
        lots = abs(fill.lots)
        self._average_price = _average(self._average_price, abs(self.lots), fill.price, lots)
        self._cost_micro -= flow
        trip.entry_price = _average(trip.entry_price, trip.opened_lots, fill.price, lots)
        trip.opened_lots += lots

    def _reduce(self, trip: _RoundTrip, fill: Fill, flow: int) -> None:
        lots = abs(fill.lots)
        released = self._cost_micro * lots // abs(self.lots)
        self._cost_micro -= released
        self._realised_micro += flow - released
        trip.exit_price = _average(trip.exit_price, trip.closed_lots, fill.price, lots)
        trip.closed_lots += lots

    def _finish(self, trip: _RoundTrip, fill: Fill) -> None:
        self.trades.append(
            Trade(
                book=self._book,
                symbol=self._instrument.symbol,
                side=trip.side,
                lots=trip.opened_lots,
                entry_at_ns=trip.entry.at_ns,
                exit_at_ns=fill.at_ns,
                entry_bar=trip.entry.bar,
                exit_bar=fill.bar,
                entry_price=trip.entry_price,
                exit_price=trip.exit_price,
                pnl_micro=trip.flow_micro - trip.commission_micro,
                commission_micro=trip.commission_micro,
                dividends_micro=trip.dividends_micro,
                exit_kind=fill.kind,
            )
        )
        self._trip = None
        self._average_price = 0.0
