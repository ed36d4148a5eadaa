"""Judge orders that nobody made, on an account that somebody described, by the code that judges real ones.

Orders are judged one after another, and those approved count as if filled for the ones after them: so are orders in
flight counted. An order without a quantity is sized by its confidence first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.broker import Executed, OrderType, Side, TimeInForce, signed
from domain.instruments import MICRO, Instrument, lots_for
from domain.marks import Marks
from domain.messages import OrderIntent
from domain.order_refs import order_ref
from domain.portfolio import Portfolio
from domain.records import ExecutionEntry, IntentKind, Rung
from domain.risk.account import Account, Day
from domain.risk.assessment import RiskAssessment, assess
from domain.risk.engine import RiskEngine
from domain.risk.explaining import Explained, Judged, explain
from domain.risk.exposure import ValuedPosition, exposure_of
from domain.risk.figures import account_with
from domain.risk.heat import portfolio_heat
from domain.risk.limits import AccountTerms, BookSettings, RiskLimits
from domain.risk.measures import OrderFigures, only_reduces
from domain.risk.sizing import SizingResult, size_position
from domain.working_orders import WorkingOrders

NOW = 1_000_000
"""The bar group at which everything is judged; marks are older by their age."""


class Held(NamedTuple):
    """Be lots of a symbol, signed: held by a book, or an order of it that works."""

    book: str
    symbol: str
    lots: int


class MarkAt(NamedTuple):
    """Be a symbol's price and its age in bars."""

    price: float
    age_bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """Describe an account: equity and what losses are measured from in its currency, holdings, marks and the latch.

    Every holding's symbol has a mark.
    """

    equity: float
    day_start_equity: float
    peak_equity: float
    rung: Rung
    held: tuple[Held, ...]
    working: tuple[Held, ...]
    marks: Mapping[str, MarkAt]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupposedOrder:
    """Describe an order; without `lots` it is sized by `confidence`, without a `price` it has its symbol's mark."""

    book: str
    symbol: str
    side: Side
    lots: int | None
    confidence: float | None
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Say what became of an order and why; `checks` is empty where there was nothing to judge."""

    order: SupposedOrder
    lots: int
    price: float
    value: float
    reduces: bool
    approved: bool
    reason: str
    sizing: SizingResult | None
    checks: tuple[Explained, ...]


class WhatIf:
    """Hold the described account and judge orders on it."""

    def __init__(
        self,
        supposed: Supposed,
        instruments: Mapping[str, Instrument],
        books: Sequence[BookSettings],
        limits: RiskLimits,
        *,
        currency: str,
        terms: AccountTerms,
    ) -> None:
        """Build the account; the cash is what the equity leaves when everything held is valued at its mark."""
        self._supposed, self._instruments, self._limits = supposed, instruments, limits
        self._books = {book.name: book for book in books}
        marks = {symbol: (mark.price, NOW - mark.age_bars) for symbol, mark in supposed.marks.items()}
        self._marks = Marks(marks)
        self._portfolio = _portfolio(supposed, instruments, currency)
        self._working = WorkingOrders()
        self._account = Account(self._portfolio, self._working, instruments, limits, terms)
        self._day = Day(NOW, supposed.day_start_equity, supposed.peak_equity, supposed.equity)
        self._engine = RiskEngine(limits, epoch=1)
        self._made = 0
        for working in supposed.working:
            self._working.approve(self._intent(working.book, working.symbol, working.lots))

    def assessment(self) -> RiskAssessment:
        """Return the account's own assessment, before any of the orders (requirement A8)."""
        supposed, held = self._supposed, self._account.held(self._marks)
        exposure = exposure_of(held)
        return assess(
            equity=supposed.equity,
            day_start_equity=supposed.day_start_equity,
            peak_equity=supposed.peak_equity,
            heat=portfolio_heat(((p.value_usd, p.stop_pct) for p in held), supposed.equity),
            gross_usd=exposure.gross,
            net_usd=exposure.net,
            limits=self._limits,
        )

    def judge(self, order: SupposedOrder) -> Verdict:
        """Judge `order` on what is held and what works by now; one that is approved works from then on.

        Raises ValueError for a confidence outside [0, 1].
        """
        sizing: SizingResult | None = None
        lots = order.lots
        if lots is None:
            sizing, lots = self._sized(order)
            if lots == 0:
                return self._unsized(order, sizing)
        intent = self._intent(order.book, order.symbol, signed(order.side, lots), order.price)
        view = self._account.view(self._day, self._marks)
        proposed = self._account.proposed(intent, view, self._marks)
        approval, why, figures = self._engine.judge(intent, proposed, view, self._supposed.rung)
        if approval is not None:
            self._working.approve(intent)
        return Verdict(
            order=order,
            lots=lots,
            price=intent.reference_price,
            value=proposed.value_usd,
            reduces=figures.reduces,
            approved=approval is not None,
            reason=why,
            sizing=sizing,
            checks=explain(self._judged(intent, figures, account_with(proposed, view))),
        )

    def _judged(
        self, intent: OrderIntent, figures: OrderFigures, positions: Sequence[ValuedPosition]
    ) -> Judged:
        instrument = self._instruments[intent.symbol]
        return Judged(
            figures=figures,
            limits=self._limits,
            book=intent.book,
            lots_per_unit=instrument.lots_per_unit,
            multiplier=instrument.multiplier,
            price=intent.reference_price,
            mark=self._marks.prices.get(intent.symbol, 0.0),
            positions=positions,
            day_start_equity=self._supposed.day_start_equity,
            peak_equity=self._supposed.peak_equity,
        )

    def _sized(self, order: SupposedOrder) -> tuple[SizingResult | None, int]:
        """Return the size that confidence earns; no size where the symbol has no price or the equity is gone."""
        price, equity = self._marks.prices.get(order.symbol, 0.0), self._supposed.equity
        if order.confidence is None or not (price > 0.0 and equity > 0.0):
            return None, 0
        view = self._account.view(self._day, self._marks)
        room = self._account.room(self._books[order.book], order.symbol, view, self._marks)
        size = size_position(
            confidence=order.confidence,
            equity=equity,
            heat=room.heat,
            capital=room.free_capital,
            room=room.symbol_room,
            limits=self._limits,
        )
        instrument = self._instruments[order.symbol]
        return size, lots_for(size.size_usd, price, instrument.lots_per_unit, instrument.multiplier)

    def _unsized(self, order: SupposedOrder, sizing: SizingResult | None) -> Verdict:
        price = self._marks.prices.get(order.symbol, 0.0)
        if sizing is not None and sizing.approved:
            why = f"size_below_one_lot: {sizing.size_usd:.2f} buys no lot at {price}"
        elif sizing is not None:
            why = f"size_{sizing.code.name.lower()}: {sizing.reason}"
        elif price > 0.0:
            why = f"no_equity: equity is {self._supposed.equity:.2f}"
        else:
            why = "no_fresh_mark: the symbol has no price"
        return Verdict(
            order=order,
            lots=0,
            price=price,
            value=0.0,
            reduces=False,
            approved=False,
            reason=why,
            sizing=sizing,
            checks=(),
        )

    def _intent(self, book: str, symbol: str, lots: int, price: float | None = None) -> OrderIntent:
        """Return the intent for signed `lots`: an exit where that, with what works, can at most close the position."""
        self._made += 1
        _, exiting, _ = self._working.pending(book, symbol)
        exits = only_reduces(self._portfolio.book_lots(book, symbol) + exiting, lots)
        return OrderIntent(
            intent_id=order_ref(0, book, symbol, self._made),
            at_ns=0,
            bar=NOW,
            book=book,
            symbol=symbol,
            kind=IntentKind.EXIT if exits else IntentKind.ENTRY,
            side=Side.BUY if lots > 0 else Side.SELL,
            lots=abs(lots),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            reference_price=self._marks.prices.get(symbol, 0.0) if price is None else price,
            stop_loss_pct=0.0 if exits else self._limits.stop_loss_percent,
            reason="supposed",
        )


def _portfolio(supposed: Supposed, instruments: Mapping[str, Instrument], currency: str) -> Portfolio:
    """Return a portfolio that bought what is held at its marks, out of a cash of the whole equity."""
    portfolio = Portfolio(instruments.values(), {currency: round(supposed.equity * MICRO)}, currency)
    for number, held in enumerate(supposed.held, start=1):
        execution = Executed(
            at_ns=0,
            exec_id=str(number),
            order_ref=order_ref(0, held.book, held.symbol, number),
            symbol=held.symbol,
            side=Side.BUY if held.lots > 0 else Side.SELL,
            lots=abs(held.lots),
            price=supposed.marks[held.symbol].price,
            commission_micro=0,
            corrects="",
        )
        entry = ExecutionEntry(
            seq=number, at_ns=0, book=held.book, kind=IntentKind.ENTRY, bar=0, execution=execution
        )
        portfolio.apply(entry)
    return portfolio
