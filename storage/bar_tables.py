"""Build bar tables from columns, fingerprint them and take parts of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarTable, Floats, Ints
from domain.errors import DataError, InvariantViolation

FINGERPRINT_VERSION = 1
MAX_SYMBOLS = 32_767


class BarColumns(NamedTuple):
    """Hold bars in columns of one length, in any row order; `symbol_id` indexes a list of symbols."""

    symbol_id: NDArray[np.int16]
    open_ns: Ints
    known_ns: Ints
    session: NDArray[np.int32]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    dividend: Floats

    def take(self, which: NDArray[Any]) -> BarColumns:
        """Return the rows that the mask or index array `which` names."""
        return BarColumns(
            symbol_id=self.symbol_id[which],
            open_ns=self.open_ns[which],
            known_ns=self.known_ns[which],
            session=self.session[which],
            open=self.open[which],
            high=self.high[which],
            low=self.low[which],
            close=self.close[which],
            volume=self.volume[which],
            dividend=self.dividend[which],
        )


COLUMN_TYPES: dict[str, str] = {
    "symbol_id": "<i2",
    "open_ns": "<i8",
    "known_ns": "<i8",
    "session": "<i4",
    **dict.fromkeys(("open", "high", "low", "close", "volume", "dividend"), "<f8"),
}
"""The little-endian type of each column, as it is fingerprinted."""


def build_table(symbols: Sequence[str], bar_ns: int, continuous: bool, columns: BarColumns) -> BarTable:
    """Return the table of `columns`: symbols sorted, rows sorted by (known_ns, symbol), fingerprinted.

    Raises DataError when there is no row or there are more than 32,767 symbols, InvariantViolation when columns differ
    in length, a (known_ns, symbol) occurs twice, or the bars of one moment disagree on open or session.
    """
    if len(columns.open_ns) == 0:
        raise DataError("a bar table needs at least one bar, found none")
    if len(symbols) > MAX_SYMBOLS:
        raise DataError(f"{len(symbols)} symbols in one bar table; at most {MAX_SYMBOLS} are allowed")
    if len({len(column) for column in columns}) != 1:
        raise InvariantViolation("bar columns differ in length")
    held = sorted(np.unique(columns.symbol_id).tolist(), key=lambda i: symbols[i])
    names = tuple(symbols[i] for i in held)
    renumber = np.zeros(len(symbols), dtype=np.int16)
    renumber[held] = np.arange(len(held))
    ids = renumber[columns.symbol_id]
    order = np.lexsort((ids, columns.known_ns))
    return _assemble(names, bar_ns, continuous, columns._replace(symbol_id=ids).take(order))


def _assemble(names: tuple[str, ...], bar_ns: int, continuous: bool, sorted_columns: BarColumns) -> BarTable:
    typed = {
        name: np.ascontiguousarray(column, dtype=COLUMN_TYPES[name])
        for name, column in sorted_columns._asdict().items()
    }
    for name in ("volume", "dividend"):
        # One NaN and one zero: payloads and signs of them carry no meaning, yet would change the fingerprint.
        typed[name] = np.where(np.isnan(typed[name]), np.nan, typed[name] + 0.0)
    columns = BarColumns(**typed)
    known = columns.known_ns
    same_moment = known[1:] == known[:-1]
    if np.any(same_moment & (columns.symbol_id[1:] == columns.symbol_id[:-1])):
        raise InvariantViolation("a symbol has two bars at one moment")
    torn = (columns.open_ns[1:] != columns.open_ns[:-1]) | (columns.session[1:] != columns.session[:-1])
    if np.any(same_moment & torn):
        raise InvariantViolation("bars of one moment disagree on their open or session")
    starts = np.concatenate(([0], np.flatnonzero(~same_moment) + 1, [len(known)])).astype(np.int64)
    return BarTable(
        symbols=names,
        bar_ns=bar_ns,
        continuous=continuous,
        fingerprint=_digest(names, bar_ns, continuous, columns),
        starts=starts,
        **columns._asdict(),
    )


def _digest(names: tuple[str, ...], bar_ns: int, continuous: bool, columns: BarColumns) -> str:
    meaning = {"bar_ns": bar_ns, "continuous": continuous, "symbols": names, "version": FINGERPRINT_VERSION}
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True, separators=(",", ":")).encode())
    for name, kind in COLUMN_TYPES.items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(getattr(columns, name), dtype=kind).tobytes())
    return digest.hexdigest()


def fingerprint(table: BarTable) -> str:
    """Return the SHA-256 (hex) of the bars of `table` and of their meaning, computed anew."""
    return _digest(table.symbols, table.bar_ns, table.continuous, columns_of(table))


def columns_of(table: BarTable) -> BarColumns:
    """Return the columns of `table`, in its row order."""
    return BarColumns(*(getattr(table, name) for name in COLUMN_TYPES))


def stack(parts: Sequence[BarColumns]) -> BarColumns:
    """Return the rows of all `parts`, one after another; their `symbol_id` index the same list of symbols."""
    return BarColumns(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in BarColumns._fields}
    )


def select(
    table: BarTable,
    symbols: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> BarTable:
    """Return the bars of `symbols` in the sessions `first` to `last`, both included; None leaves that side open.

    The part has a fingerprint of its own. Raises DataError when a symbol is not in the table or no bar is left.
    """
    unknown = sorted(set(symbols or ()) - set(table.symbols))
    if unknown:
        raise DataError(
            f"symbols {', '.join(unknown)} not among the bars; available: {', '.join(table.symbols)}"
        )
    keep = np.ones(table.rows, dtype=np.bool_)
    if symbols is not None:
        wanted = np.array([name in set(symbols) for name in table.symbols], dtype=np.bool_)
        keep &= wanted[table.symbol_id]
    if first is not None:
        keep &= table.session >= first.toordinal()
    if last is not None:
        keep &= table.session <= last.toordinal()
    if keep.all():
        return table
    if not keep.any():
        raise DataError(f"no bar left in the sessions {first or 'first'} to {last or 'last'}")
    return build_table(table.symbols, table.bar_ns, table.continuous, columns_of(table).take(keep))


def group_at_session(table: BarTable, first: date) -> int:
    """Return the index of the first group whose session is `first` or later; `len(table)` when there is none."""
    sessions = table.session[table.starts[:-1]]
    return int(np.searchsorted(sessions, first.toordinal(), side="left"))
