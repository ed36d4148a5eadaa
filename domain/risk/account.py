"""See the account at its marks: values, exposure and room, working entries counted as if filled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from domain.broker import signed
from domain.equity import market_value
from domain.instruments import MICRO, Instrument
from domain.marks import Marks
from domain.messages import OrderIntent
from domain.portfolio import Portfolio
from domain.risk.exposure import Exposure, ValuedPosition, exposure_of
from domain.risk.figures import AccountView, ProposedOrder
from domain.risk.heat import portfolio_heat
from domain.risk.limits import AccountTerms, BookSettings, RiskLimits
from domain.risk.sizing import free_capital, symbol_room
from domain.working_orders import WorkingOrders


@dataclass(slots=True)
class Day:
    """Hold what losses are measured from: the session, the equity it began with, the peak, the equity last marked."""

    session: int
    start_equity: float
    peak_equity: float
    equity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Say how much an entry may still take, in the account's currency."""

    free_capital: float
    symbol_room: float
    heat: float


class Account:
    """Value the portfolio together with the orders that work for it."""

    def __init__(
        self,
        portfolio: Portfolio,
        working: WorkingOrders,
        instruments: Mapping[str, Instrument],
        limits: RiskLimits,
        terms: AccountTerms,
    ) -> None:
        """Look at `portfolio` and `working` by reference; both are the risk manager's own."""
        self._portfolio = portfolio
        self._working = working
        self._instruments = instruments
        self._limits = limits
        self._terms = terms

    def held(self, marks: Marks) -> tuple[ValuedPosition, ...]:
        """Return the filled positions at their marks, sorted by symbol, then book."""
        valued = self._valued
        return tuple([valued(book, symbol, lots, marks) for symbol, book, lots in self._portfolio.holdings()])

    def as_if_filled(self, marks: Marks) -> tuple[ValuedPosition, ...]:
        """Return the positions with every working entry filled; working exits are not counted on."""
        lots = {(symbol, book): held for symbol, book, held in self._portfolio.holdings()}
        for _, order in self._working.entries():
            key = (order.symbol, order.book)
            lots[key] = lots.get(key, 0) + order.lots
        return tuple(self._valued(book, symbol, n, marks) for (symbol, book), n in sorted(lots.items()))

    def view(self, day: Day, marks: Marks) -> AccountView:
        """Return the account as orders are judged on it."""
        return AccountView(
            equity=day.equity,
            day_start_equity=day.start_equity,
            peak_equity=day.peak_equity,
            positions=self.as_if_filled(marks),
        )

    def room(self, book: BookSettings, symbol: str, view: AccountView, marks: Marks) -> Room:
        """Return what `book` may still put into `symbol`: share and buying power, the symbol's limit, heat so far."""
        exposure: Exposure = exposure_of(view.positions)
        in_book = 0.0
        for position in view.positions:
            if position.book == book.name:
                in_book = in_book + abs(position.value_usd)
        return Room(
            free_capital=free_capital(
                book.share * self._terms.leverage,
                view.equity,
                in_book,
                self._buying_power(view.equity, marks),
            ),
            symbol_room=symbol_room(view.equity, exposure.by_symbol.get(symbol, 0.0), self._limits),
            heat=portfolio_heat(((p.value_usd, p.stop_pct) for p in view.positions), view.equity),
        )

    def _buying_power(self, equity: float, marks: Marks) -> float:
        """Return the cash that working entries leave, and what the account may borrow on top."""
        power = self._portfolio.cash_micro() / MICRO + (self._terms.leverage - 1.0) * equity
        for _, order in self._working.entries():
            power = power - abs(self._portfolio.value(order.symbol, marks.prices[order.symbol], order.lots))
        return power

    def proposed(self, intent: OrderIntent, view: AccountView, marks: Marks) -> ProposedOrder:
        """Return `intent` as the checks see it, on the account as `view` has it."""
        lots = signed(intent.side, intent.lots)
        position = self._portfolio.book_lots(intent.book, intent.symbol)
        entering, exiting, count = self._working.pending(intent.book, intent.symbol)
        mark = marks.prices.get(intent.symbol, 0.0)
        return ProposedOrder(
            lots=lots,
            max_lots=self._terms.max_order_lots[intent.symbol],
            value_usd=abs(self._portfolio.value(intent.symbol, intent.reference_price, lots)),
            mark_age_bars=marks.age_bars(intent.symbol, intent.bar),
            price_deviation=abs(intent.reference_price - mark) / mark if mark > 0.0 else math.inf,
            book_capital=self._book_capital(intent.book),
            buying_power_usd=self._buying_power(view.equity, marks),
            open_orders=count,
            reducible_lots=position + exiting,
            after=self._valued(intent.book, intent.symbol, position + entering + lots, marks),
        )

    def _book_capital(self, book: str) -> float:
        """Return what `book` may hold, as a fraction of equity; nothing for one that is not configured."""
        return self._terms.shares.get(book, 0.0) * self._terms.leverage

    def _valued(self, book: str, symbol: str, lots: int, marks: Marks) -> ValuedPosition:
        instrument = self._instruments[symbol]
        price = marks.prices.get(symbol, 0.0)
        value = market_value(price, lots, instrument.lots_per_unit, instrument.multiplier)
        return ValuedPosition(book, symbol, instrument.sector, value, self._limits.stop_loss_percent)
