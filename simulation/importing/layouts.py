"""Recognise which columns of a file carry what, and how its prices are to be adjusted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from domain.errors import DataError


class Adjustment(StrEnum):
    """Name how prices of a layout become one comparable series."""

    SPLITS = "splits"
    ADJUSTED_CLOSE = "adjusted_close"
    AS_GIVEN = "as_given"


class Layout(NamedTuple):
    """Say which column of a file carries what (None: absent) and which columns are not read."""

    stamp: str
    stamp_time: str | None
    symbol: str | None
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    adj_close: str | None
    split: str | None
    dividend: str | None
    ignored: tuple[str, ...]

    @property
    def adjustment(self) -> Adjustment:
        """Return how the prices are adjusted: splits first, else the adjusted close, else as given."""
        if self.split is not None:
            return Adjustment.SPLITS
        if self.adj_close is not None:
            return Adjustment.ADJUSTED_CLOSE
        return Adjustment.AS_GIVEN

    @property
    def name(self) -> str:
        """Return what the layout is called in a report."""
        if self.adjustment is Adjustment.SPLITS:
            return "raw with split" + (" and dividend" if self.dividend else "")
        if self.adjustment is Adjustment.ADJUSTED_CLOSE:
            return "raw with adj_close"
        return "prices as given" + (" with dividend" if self.dividend else "")


_ALIASES: dict[str, tuple[str, ...]] = {
    "stamp": ("ts", "timestamp", "datetime", "date_time", "open_time", "date", "time", "unix", "epoch"),
    "symbol": ("symbol", "ticker", "sym", "instrument"),
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price", "close_last"),
    "volume": ("volume", "vol", "v", "base_volume"),
    "adj_close": ("adj_close", "adjclose", "adjusted_close", "close_adj"),
    "split": ("split", "splits", "stock_splits", "split_ratio", "split_coefficient"),
    "dividend": ("dividend", "dividends", "dividend_amount"),
}

KNOWN_LAYOUTS = (
    "bars: a stamp (ts, timestamp, date, datetime or time: ISO, or epoch in s, ms, us or ns), open, high, low, close, "
    "optionally volume, symbol, adj_close, split (new shares per old) and dividend (cash per share); "
    "Parquet, CSV, CSV in gzip, or a directory of CSV files with one symbol each"
)

_OTHER_KINDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"funding_rate"}), "funding rates"),
    (frozenset({"bid", "ask"}), "quote ticks"),
    (frozenset({"price", "size"}), "trade ticks"),
    (frozenset({"price", "side"}), "trade ticks"),
    (frozenset({"price", "amount"}), "trade ticks"),
)


def plain_name(column: str) -> str:
    """Return `column` in lower case with runs of other characters as one underscore and no leading number."""
    words = re.sub(r"[^a-z0-9]+", "_", column.strip().lower()).strip("_")
    return re.sub(r"^\d+_", "", words)


def recognise(path: Path, columns: Sequence[str]) -> Layout:
    """Return the layout of a file with these `columns`; raises DataError when it holds no bars or is ambiguous."""
    by_plain: dict[str, str] = {}
    for column in columns:
        if plain_name(column) in by_plain:
            raise DataError(
                f"{path}: columns {by_plain[plain_name(column)]!r} and {column!r} have the same meaning"
            )
        by_plain[plain_name(column)] = column
    found = {
        role: next((by_plain[alias] for alias in aliases if alias in by_plain), None)
        for role, aliases in _ALIASES.items()
    }
    required = {role: found[role] for role in ("stamp", "open", "high", "low", "close")}
    if any(column is None for column in required.values()):
        raise DataError(
            _refusal(path, columns, [role for role, column in required.items() if column is None])
        )
    present = {role: column for role, column in required.items() if column is not None}
    split_date_and_time = plain_name(present["stamp"]) == "date" and "time" in by_plain
    stamp_time = by_plain["time"] if split_date_and_time else None
    used = {column for column in (*found.values(), stamp_time) if column is not None}
    return Layout(
        **present,
        stamp_time=stamp_time,
        symbol=found["symbol"],
        volume=found["volume"],
        adj_close=found["adj_close"],
        split=found["split"],
        dividend=found["dividend"],
        ignored=tuple(column for column in columns if column not in used),
    )


def _refusal(path: Path, columns: Sequence[str], missing: Sequence[str]) -> str:
    plain = {plain_name(column) for column in columns}
    kind = next((what for signs, what in _OTHER_KINDS if signs <= plain), None)
    looks = f"looks like {kind}, not bars" if kind else f"no column for {', '.join(missing)}"
    shown = ", ".join(repr(column[:40]) for column in columns[:20]) or "none"
    return f"{path}: {looks}; columns found: {shown}. Known layouts: {KNOWN_LAYOUTS}"
