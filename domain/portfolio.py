"""Own the account: books, positions, cash per currency, profit and loss; each execution and payment counted once.

The portfolio is rebuilt from the gateway's journal: applying the same entries in any order, any number of times, gives
the same state (`domain/ledger.py` says how).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domain.equity import account_equity, market_value
from domain.errors import InvariantViolation
from domain.instruments import MICRO, AssetKind, Instrument
from domain.ledger import SymbolLedger
from domain.positions import Position, Trade
from domain.records import CashEntry, ExecutionEntry

NO_RATES: Mapping[str, float] = {}


class Portfolio:
    """Hold positions by book and symbol, and cash by currency.

    `cash_micro` is the opening cash per currency, in micro-units. Proceeds of sales settle after the instrument's
    `settlement_sessions`; what purchases cost leaves settled cash at once. Raises InvariantViolation for a symbol it
    was not given, and for a perpetual, whose margin it does not keep.
    """

    def __init__(
        self, instruments: Iterable[Instrument], cash_micro: Mapping[str, int], currency: str
    ) -> None:
        self._ledgers: dict[str, SymbolLedger] = {}
        self._currency = currency
        self._cash_micro = {currency: 0, **cash_micro}
        for instrument in sorted(instruments, key=lambda traded: traded.symbol):
            if instrument.kind is AssetKind.PERPETUAL:
                raise InvariantViolation(f"{instrument.symbol} is a perpetual; the portfolio keeps no margin")
            self._ledgers[instrument.symbol] = SymbolLedger(instrument)
            self._cash_micro.setdefault(instrument.currency, 0)
        self._cash_micro = dict(sorted(self._cash_micro.items()))
        self._held: dict[str, SymbolLedger] = {}
        self._session_bars: list[int] = []

    # --- what happens ---------------------------------------------------------------------------------------------

    def apply(self, entry: ExecutionEntry | CashEntry) -> bool:
        """Book `entry`, once per execution or payment id; return False when it was booked before."""
        symbol = entry.dividend.symbol if isinstance(entry, CashEntry) else entry.execution.symbol
        ledger = self._ledger(symbol)
        before = ledger.flow_micro
        if not ledger.add(entry):
            return False
        self._cash_micro[ledger.instrument.currency] += ledger.flow_micro - before
        if ledger.is_open != (symbol in self._held):
            self._held = {name: each for name, each in self._ledgers.items() if each.is_open}
        return True

    def begin_session(self, first_bar: int) -> None:
        """Say that a session begins with bar group `first_bar`; cash that is due settles.

        After a restart, say it again for the last sessions, as many as settlement takes: proceeds count as pending
        while the sessions since are not known.
        """
        if self._session_bars and first_bar <= self._session_bars[-1]:
            raise InvariantViolation(
                f"session at bar {first_bar} does not follow that at bar {self._session_bars[-1]}"
            )
        self._session_bars.append(first_bar)

    # --- positions ------------------------------------------------------------------------------------------------

    def position(self, book: str, symbol: str) -> Position:
        """Return the position of `book` in `symbol`, flat when it never traded it."""
        return self._ledger(symbol).position(book)

    def book_lots(self, book: str, symbol: str) -> int:
        """Return the signed lots of `book` in `symbol`."""
        fold = self._ledger(symbol).folds.get(book)
        return 0 if fold is None else fold.lots

    def positions(self) -> tuple[Position, ...]:
        """Return the open positions, sorted by symbol, then book."""
        return tuple(self._held[symbol].position(book) for symbol, book, _ in self.holdings())

    def holdings(self) -> list[tuple[str, str, int]]:
        """Return (symbol, book, signed lots) of every open position, sorted; far cheaper than `positions`."""
        return [
            (symbol, book, fold.lots)
            for symbol, ledger in self._held.items()
            for book, fold in ledger.folds.items()
            if fold.lots != 0
        ]

    def lots(self) -> dict[str, int]:
        """Return the account's signed lots per symbol, summed over books, sorted by symbol; none that are 0."""
        return {symbol: ledger.lots for symbol, ledger in self._held.items() if ledger.lots != 0}

    def trades(self) -> tuple[Trade, ...]:
        """Return all round trips, by exit time, symbol and book."""
        found = (
            trade
            for ledger in self._ledgers.values()
            for fold in ledger.folds.values()
            for trade in fold.trades
        )
        return tuple(sorted(found, key=lambda trade: (trade.exit_at_ns, trade.symbol, trade.book)))

    # --- money ----------------------------------------------------------------------------------------------------

    def cash_micro(self, currency: str | None = None) -> int:
        """Return all cash in `currency` (default: the account's), settled or not, in micro-units."""
        return self._cash_micro[currency or self._currency]

    def pending_micro(self, currency: str | None = None) -> int:
        """Return proceeds in `currency` that have not settled yet."""
        wanted = currency or self._currency
        total = 0
        for ledger in self._ledgers.values():
            if ledger.instrument.currency == wanted:
                total += self._unsettled(ledger)
        return total

    def settled_micro(self, currency: str | None = None) -> int:
        """Return the cash in `currency` that has settled."""
        return self.cash_micro(currency) - self.pending_micro(currency)

    def residual_micro(self) -> int:
        """Return dividends that no book holds: on lots outside the books, and fractions of a micro-unit."""
        return sum(ledger.residual_micro for ledger in self._ledgers.values())

    def realised_micro(self, book: str | None = None) -> int:
        """Return realised profit net of commissions, without dividends, of `book` or of all."""
        return sum(each.realised_micro for each in self._positions(book))

    def dividends_micro(self, book: str | None = None) -> int:
        """Return dividends received (less those paid on shorts) by `book` or by all books."""
        return sum(each.dividends_micro for each in self._positions(book))

    def commission_micro(self, book: str | None = None) -> int:
        """Return commissions paid by `book` or by all."""
        return sum(each.commission_micro for each in self._positions(book))

    # --- value ----------------------------------------------------------------------------------------------------

    def value(self, symbol: str, price: float, lots: int | None = None) -> float:
        """Return the value of `lots` (default: the account's) of `symbol` at `price`, signed, in its currency."""
        ledger = self._ledger(symbol)
        traded = ledger.instrument
        return market_value(
            price, ledger.lots if lots is None else lots, traded.lots_per_unit, traded.multiplier
        )

    def equity(self, marks: Mapping[str, float], rates: Mapping[str, float] = NO_RATES) -> float:
        """Return cash plus positions at `marks`, in the account's currency, added in order of symbols.

        `rates` gives the value of one unit of every other currency that is in use. Raises InvariantViolation when a
        mark or a rate is missing.
        """
        total = self._in_currency(self._currency, marks)
        for currency in self._cash_micro:
            part = 0.0 if currency == self._currency else self._in_currency(currency, marks)
            if part != 0.0:
                total = total + part * _known(rates, currency, "rate")
        return total

    def unrealised(self, marks: Mapping[str, float]) -> dict[str, float]:
        """Return per symbol held what its positions would bring at `marks` beyond their cost, in its currency."""
        profits: dict[str, float] = {}
        for symbol, ledger in self._held.items():
            cost = sum(fold.position().cost_micro for fold in ledger.folds.values())
            profits[symbol] = self.value(symbol, _known(marks, symbol, "mark")) - cost / MICRO
        return profits

    def _in_currency(self, currency: str, marks: Mapping[str, float]) -> float:
        values = [
            market_value(_known(marks, symbol, "mark"), ledger.lots, traded.lots_per_unit, traded.multiplier)
            for symbol, ledger in self._held.items()
            if (traded := ledger.instrument).currency == currency
        ]
        return account_equity(self._cash_micro[currency], values)

    def _positions(self, book: str | None = None) -> Iterable[Position]:
        for ledger in self._ledgers.values():
            for name in ledger.folds:
                if book is None or name == book:
                    yield ledger.folds[name].position()

    def _unsettled(self, ledger: SymbolLedger) -> int:
        sessions = ledger.instrument.settlement_sessions
        if sessions == 0:
            return 0
        since = self._session_bars[-sessions] if len(self._session_bars) >= sessions else 0
        total = 0
        for bar, amount in reversed(ledger.inflows):
            if bar < since:
                break
            total += amount
        return total

    def _ledger(self, symbol: str) -> SymbolLedger:
        ledger = self._ledgers.get(symbol)
        if ledger is None:
            raise InvariantViolation(f"{symbol} is not among the portfolio's instruments")
        return ledger


def _known(figures: Mapping[str, float], name: str, what: str) -> float:
    figure = figures.get(name)
    if figure is None:
        raise InvariantViolation(f"the portfolio holds {name} but has no {what} for it")
    return figure
