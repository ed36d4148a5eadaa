"""Read orders that nobody made (CSV) for `breakwater risk check`; a row that is none is kept aside, with its reason."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from cli.what_if_account import MOST_UNITS, AccountFile, lots_words, whole_lots
from config.violations import nearest
from domain.broker import Side
from domain.errors import ConfigurationError
from domain.risk.what_if import MarkAt, SupposedOrder

LARGEST_BYTES = 64 << 20
COLUMNS = ("symbol", "side", "quantity", "confidence", "price", "book")
SURPLUS = "surplus"
"""Under this name go the values of a row that has more of them than the header has columns."""


class UnreadRow(NamedTuple):
    """Be a row of the orders' file that is no order: its line, what it says and why it was refused."""

    line: int
    row: str
    reason: str


class OrdersFile(NamedTuple):
    """Hold the orders by line, and the rows that are none."""

    orders: tuple[tuple[int, SupposedOrder], ...]
    unread: tuple[UnreadRow, ...]


def read_orders(path: Path, account: AccountFile) -> OrdersFile:
    """Read the orders' file; raises ConfigurationError where it is none. A price marks a symbol without one."""
    orders: list[tuple[int, SupposedOrder]] = []
    unread: list[UnreadRow] = []
    for line, row in _rows(path):
        try:
            orders.append((line, _order(row, account)))
        except (ConfigurationError, ValueError) as error:
            unread.append(UnreadRow(line, ",".join(row.values()).rstrip(","), str(error)))
    return OrdersFile(tuple(orders), tuple(unread))


def _order(row: Mapping[str, str], account: AccountFile) -> SupposedOrder:
    """Return the order that `row` holds; raises ValueError or ConfigurationError where it is none."""
    if row[SURPLUS]:
        raise ValueError(f"found more values than columns: {row[SURPLUS]!r}")
    instrument = account.instrument(row["symbol"])
    side = row["side"].lower()
    if side not in (Side.BUY, Side.SELL):
        raise ValueError(f"side: found {row['side']!r}; allowed: buy, sell")
    book = row["book"] or account.books[0]
    if book not in account.books:
        raise ValueError(
            f"book: found {book!r}; {nearest(book, account.books)}allowed: {', '.join(account.books)}"
        )
    quantity, confidence = _figure(row, "quantity", MOST_UNITS), _figure(row, "confidence", 1.0)
    if (quantity is None) == (confidence is None):
        raise ValueError(
            "quantity, confidence: one of them is needed, a confidence (0 to 1) to have it sized"
        )
    lots = None if quantity is None else whole_lots(quantity, instrument)
    if lots is not None and lots <= 0:
        raise ValueError(f"quantity: found {row['quantity']!r}; allowed: {lots_words(instrument)} above 0")
    return SupposedOrder(
        book=book,
        symbol=row["symbol"],
        side=Side(side),
        lots=lots,
        confidence=confidence,
        price=_price(row, account),
    )


def _price(row: Mapping[str, str], account: AccountFile) -> float | None:
    """Return the order's own price, None where it names none; it marks a symbol that has no mark yet."""
    price = _figure(row, "price", 1e9)
    if price == 0.0:
        raise ValueError(f"price: found {row['price']!r}; allowed: above 0")
    if price is not None:
        account.marks.setdefault(row["symbol"], MarkAt(price, 0))
    return price


def _figure(row: Mapping[str, str], column: str, most: float) -> float | None:
    text_ = row[column]
    if not text_:
        return None
    try:
        value = float(Decimal(text_))
    except InvalidOperation:
        value = math.nan
    if not 0.0 <= value <= most:
        raise ValueError(f"{column}: found {text_!r}; allowed: a number from 0 to {most:,.10g}")
    return value


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, values by column) of a CSV file with a header; raises ConfigurationError for no such file."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigurationError(f"{path}: found no regular file; name a readable CSV file")
        if path.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"{path}: found more than {LARGEST_BYTES} bytes; split it")
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}; name a readable CSV file") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: found a byte that is not UTF-8 at offset {error.start}; save it as UTF-8"
        ) from error
    reader = csv.reader(io.StringIO(content, newline=""))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _judge_header(path, header)
        for values in reader:
            if any(value.strip() for value in values):
                cells = dict(zip(header, (value.strip() for value in values), strict=False))
                row = {column: cells.get(column, "") for column in COLUMNS}
                yield reader.line_num, row | {SURPLUS: ",".join(values[len(header) :])}
    except csv.Error as error:
        raise ConfigurationError(f"{path}:{reader.line_num}: found bad CSV: {error}; correct it") from error


def _judge_header(path: Path, header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in ("symbol", "side") if name not in header]
    if unknown or missing or len(set(header)) < len(header):
        raise ConfigurationError(
            f"{path}:1: found the columns {', '.join(header) or 'none'}; allowed: {', '.join(COLUMNS)}, each once, "
            "symbol and side at least"
        )
