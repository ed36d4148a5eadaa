"""Read the description of an account (YAML) for `breakwater risk check`, and judge it by the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from config.documents import Document, KeyPath, read_document
from config.fields import IDENTIFIER, SYMBOL, Section, entries, number, one_of, text
from config.judge import judge
from config.settings import Settings
from config.violations import InvalidConfiguration, Violation, key_path, nearest, shown
from domain.errors import ConfigurationError
from domain.instruments import AssetKind, Instrument
from domain.records import Rung
from domain.risk.what_if import Held, MarkAt, Supposed

MOST_UNITS = 1e12
MONEY = "account currency"

Symbol = Annotated[str, text("Symbol", pattern=SYMBOL)]
Book = Annotated[str, text("Book that holds it; the first of books.yaml unless named", pattern=IDENTIFIER)]
Price = Annotated[float, number("Last price", "currency", above=0, most=1e9)]
Money = Annotated[float, number("Amount", MONEY, least=-1e12, most=1e12)]
Quantity = Annotated[
    float, number("Units, negative for a short", "shares, coins", least=-MOST_UNITS, most=MOST_UNITS)
]
Age = Annotated[int, number("Bars since that price", "bars", least=0, most=100_000)]

Latch = Annotated[Literal["ACTIVE", "REDUCING", "HALTED", "FLATTENING"], one_of("Rung of the halt latch")]


class Holding(Section):
    """Be units held by a book, or of an order of it that works."""

    symbol: Symbol
    quantity: Quantity
    price: Price | None = None
    book: Book | None = None


class DescribedAccount(Section):
    """Be the portfolio file: what is left out is as if nothing had happened yet."""

    equity: Money
    day_start_equity: Money | None = None
    peak_equity: Money | None = None
    latch: Latch | None = None
    positions: Annotated[tuple[Holding, ...], entries("Positions", fewest=0, most=10_000)] | None = None
    working: Annotated[tuple[Holding, ...], entries("Orders in flight", fewest=0, most=10_000)] | None = None
    marks: Annotated[dict[Symbol, Price], entries("Last prices", fewest=0, most=10_000)] | None = None
    mark_ages: Annotated[dict[Symbol, Age], entries("Ages of marks", fewest=0, most=10_000)] | None = None


def read_account(path: Path, settings: Settings) -> AccountFile:
    """Read the portfolio file; raises InvalidConfiguration with every fault of it."""
    if not path.is_file():
        raise ConfigurationError(f"{path}: found no such file; name a readable YAML file")
    document = read_document(path)
    described, faults = judge(document, DescribedAccount, Document("", None, {}, ()))
    if not isinstance(described, DescribedAccount):
        raise InvalidConfiguration(faults)
    account = AccountFile(document, described, settings)
    if account.faults:
        raise InvalidConfiguration(account.faults)
    return account


class AccountFile:
    """Judge a described account against the configuration, and gather what it marks."""

    def __init__(self, document: Document, described: DescribedAccount, settings: Settings) -> None:
        """Note every fault: a symbol that cannot be traded, a price that is missing or given twice, a broken lot."""
        self._document, self._described, self._settings = document, described, settings
        self.books = tuple(book.name for book in settings.book_settings())
        self.instruments: dict[str, Instrument] = {}
        self.marks: dict[str, MarkAt] = {}
        self.faults: list[Violation] = []
        ages = described.mark_ages or {}
        for symbol, price in (described.marks or {}).items():
            if self._fault_of(symbol, ("marks", symbol)):
                self.marks[symbol] = MarkAt(price, ages.get(symbol, 0))
        for name in ("positions", "working"):
            for i, holding in enumerate(getattr(described, name) or ()):
                self._take(holding, (name, i), ages)
        for symbol in ages.keys() - self.marks.keys():
            self._note(("mark_ages", symbol), symbol, "allowed: symbols that have a price here")
        self._held, self._working = (self._lots(name) for name in ("positions", "working"))

    def supposed(self) -> Supposed:
        """Return the account; the peak and the day's start are the equity unless told otherwise."""
        described = self._described
        equity = described.equity
        start = equity if described.day_start_equity is None else described.day_start_equity
        peak = max(equity, start) if described.peak_equity is None else described.peak_equity
        return Supposed(
            equity=equity,
            day_start_equity=start,
            peak_equity=peak,
            rung=Rung[described.latch or Rung.ACTIVE.name],
            held=self._held,
            working=self._working,
            marks=self.marks,
        )

    def instrument(self, symbol: str) -> Instrument:
        """Return how `symbol` trades; raises ConfigurationError for one that this engine cannot trade."""
        if (known := self.instruments.get(symbol)) is not None:
            return known
        instrument = self._settings.instrument(symbol)
        currency = self._settings.engine.account.currency
        if instrument.kind is AssetKind.PERPETUAL:
            raise ConfigurationError(f"{symbol} is a perpetual; perpetuals are not traded yet")
        if instrument.currency != currency:
            raise ConfigurationError(
                f"{symbol} trades in {instrument.currency}; the account is kept in {currency}"
            )
        self.instruments[symbol] = instrument
        return instrument

    def _take(self, holding: Holding, path: KeyPath, ages: Mapping[str, int]) -> None:
        symbol, price = holding.symbol, holding.price
        if not self._fault_of(symbol, (*path, "symbol")):
            return
        known = self.marks.get(symbol)
        if price is None and known is None:
            self._note((*path, "price"), "nothing", f"required: a price, here or in marks.{symbol}")
        elif price is not None and known is not None and price != known.price:
            self._note((*path, "price"), shown(price), f"allowed: {known.price}, as {symbol} is marked above")
        elif price is not None:
            self.marks[symbol] = MarkAt(price, ages.get(symbol, 0))
        if holding.book is not None and holding.book not in self.books:
            allowed = f"{nearest(holding.book, self.books)}allowed: {', '.join(self.books)}"
            self._note((*path, "book"), shown(holding.book), allowed)
        lots = whole_lots(holding.quantity, self.instruments[symbol])
        if not lots:
            allowed = f"allowed: {lots_words(self.instruments[symbol])} but 0"
            self._note((*path, "quantity"), shown(holding.quantity), allowed)

    def _lots(self, name: str) -> tuple[Held, ...]:
        if self.faults:
            return ()
        holdings: tuple[Holding, ...] = getattr(self._described, name) or ()
        return tuple(
            Held(
                each.book or self.books[0],
                each.symbol,
                whole_lots(each.quantity, self.instruments[each.symbol]),
            )
            for each in holdings
        )

    def _fault_of(self, symbol: str, path: KeyPath) -> bool:
        """Return whether `symbol` can be traded, and note it where not."""
        try:
            self.instrument(symbol)
        except ConfigurationError as error:
            self._note(path, shown(symbol), str(error))
            return False
        return True

    def _note(self, path: KeyPath, found: str, allowed: str) -> None:
        document = self._document
        self.faults.append(Violation(document.file, key_path(path), found, allowed, document.line(path)))


def whole_lots(quantity: float, instrument: Instrument) -> int:
    """Return `quantity` in lots; 0 where it is no whole number of them."""
    lots = Decimal(repr(quantity)) * instrument.lots_per_unit
    return int(lots) if lots == lots.to_integral_value() else 0


def lots_words(instrument: Instrument) -> str:
    """Return what a quantity must be, in words."""
    lots = instrument.lots_per_unit
    return "a whole number" if lots == 1 else f"a multiple of 1/{lots:,}"
