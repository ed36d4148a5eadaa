"""Remember one symbol's bars: append cheaply, forget what no block needs, show slices without copying."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.bars import Bar, BarTable, SymbolBars
from domain.errors import InvariantViolation
from domain.strategies.blocks import slice_start

_FIRST_CAPACITY = 256
_DTYPES = (np.int64, np.int32, *(np.float64,) * 5)


class SymbolHistory:
    """Hold the bars of one symbol, oldest first, by position counted from the first bar ever appended.

    Views stay valid: bars are never moved in place, and a strategy cannot write to them.
    """

    __slots__ = ("_columns", "_forgotten", "_last_ns", "_shown", "_stored", "bar_ns", "symbol")

    def __init__(self, symbol: str, bar_ns: int) -> None:
        self.symbol = symbol
        self.bar_ns = bar_ns
        self._forgotten = 0
        self._stored = 0
        self._last_ns: int | None = None
        self._columns: tuple[NDArray[Any], ...] = ()
        self._shown: tuple[NDArray[Any], ...] = ()
        self._reserve(_FIRST_CAPACITY)

    def __len__(self) -> int:
        """Return the number of bars ever appended."""
        return self._forgotten + self._stored

    def append(self, open_ns: int, session: int, bar: Bar) -> None:
        """Add `bar`. Raises InvariantViolation unless it opens after the bar before."""
        if self._last_ns is not None and open_ns <= self._last_ns:
            raise InvariantViolation(
                f"{self.symbol}: a bar that opens at {open_ns} ns came after one at {self._last_ns} ns"
            )
        if self._stored == len(self._columns[0]):
            self._reserve(2 * self._stored)
        i = self._stored
        opens, sessions, o, h, low, c, v = self._columns
        opens[i], sessions[i], o[i], h[i], low[i], c[i], v[i] = (
            open_ns, session, bar.open, bar.high, bar.low, bar.close, bar.volume
        )  # fmt: skip
        self._stored += 1
        self._last_ns = open_ns

    def slice_start(self, position: int, warmup: int) -> int:
        """Return where the slice of a block that begins at bar `position` starts; see `blocks`."""
        sessions = self._columns[1][: self._stored]
        return self._forgotten + slice_start(sessions, position - self._forgotten, warmup)

    def forget(self, before: int) -> None:
        """Let go of the bars before position `before`, once they fill half of what is reserved."""
        if 2 * (before - self._forgotten) >= len(self._columns[0]):
            kept = before - self._forgotten
            self._columns = tuple(column[kept : self._stored] for column in self._columns)
            self._forgotten, self._stored = before, self._stored - kept
            self._reserve(max(_FIRST_CAPACITY, 2 * self._stored))

    def view(self, start: int) -> SymbolBars:
        """Return the bars from position `start` to the last one, read-only and without copying."""
        a, b = start - self._forgotten, self._stored
        if a < 0:
            raise InvariantViolation(
                f"{self.symbol}: position {start} was forgotten; the first kept is {self._forgotten}"
            )
        return _part(self.symbol, self.bar_ns, self._shown, slice(a, b))

    def _reserve(self, capacity: int) -> None:
        columns: tuple[NDArray[Any], ...] = tuple(np.empty(capacity, dtype=dtype) for dtype in _DTYPES)
        if self._stored:
            for new, old in zip(columns, self._columns, strict=True):
                new[: self._stored] = old[: self._stored]
        self._columns = columns
        self._shown = tuple(_read_only(column) for column in columns)


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    shown = column.view()
    shown.flags.writeable = False
    return shown


def _part(
    symbol: str, bar_ns: int, columns: tuple[NDArray[Any], ...], part: slice | NDArray[np.bool_]
) -> SymbolBars:
    opens, sessions, o, h, low, c, v = columns
    return SymbolBars(  # column by column: this is done for every symbol at every bar
        symbol=symbol,
        bar_ns=bar_ns,
        open_ns=opens[part],
        session=sessions[part],
        open=o[part],
        high=h[part],
        low=low[part],
        close=c[part],
        volume=v[part],
    )


def _columns(bars: SymbolBars) -> tuple[NDArray[Any], ...]:
    return (bars.open_ns, bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume)


def window(bars: SymbolBars, start: int, stop: int) -> SymbolBars:
    """Return `bars[start:stop]`, read-only and without copying."""
    shown = tuple(_read_only(column) for column in _columns(bars))
    return _part(bars.symbol, bars.bar_ns, shown, slice(start, stop))


def symbol_bars(table: BarTable, symbol: str) -> SymbolBars:
    """Return the bars of `symbol`, oldest first. Raises KeyError when `table` does not have it."""
    if symbol not in table.symbols:
        raise KeyError(symbol)
    rows = table.symbol_id == table.symbols.index(symbol)
    columns = (table.open_ns, table.session, table.open, table.high, table.low, table.close, table.volume)
    return _part(symbol, table.bar_ns, columns, rows)
