"""Say what an import read, refused, adjusted and left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolReport:
    """Sum up one symbol's accepted bars.

    `first` and `last` are session dates. `gaps` counts the places where bars the market's hours allow are absent,
    `missing_bars` the absent bars between neighbouring ones (intraday), `missing_sessions` the sessions without one.
    """

    symbol: str
    rows: int
    first: str
    last: str
    gaps: int
    missing_bars: int
    missing_sessions: int
    has_volume: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitApplied:
    """Say which ratio (new shares per old) the file states for a split and which was applied, as 'p/q' or as stated."""

    symbol: str
    date: str
    stated: float
    applied: str
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Say what became of a dividend out of the ordinary: cash per raw share, share of the close, and the verdict.

    The close is that of the bar at which it is paid; None where there is no such bar.
    """

    symbol: str
    date: str
    cash: float
    share_of_close: float | None
    paid: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Sum up one import; `as_dict` gives the same in plain types for JSON.

    rows_read = rows_accepted + refused + rows_of_other_symbols + rows_after_end. `refused` counts rows per rule.
    """

    source: str
    files: int
    layout: str
    adjustment: str
    calendar: str
    bar_ns: int
    bar_size: str
    columns_ignored: tuple[str, ...]
    rows_read: int
    rows_of_other_symbols: int
    rows_after_end: int
    rows_accepted: int
    refused: Mapping[str, int]
    kept_aside: str | None
    symbols: tuple[SymbolReport, ...]
    symbols_absent: tuple[str, ...]
    splits: tuple[SplitApplied, ...]
    dividends_paid: int
    distributions: tuple[Distribution, ...]
    conflicts: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: str

    @property
    def rows_refused(self) -> int:
        """Return the number of rows refused under all rules."""
        return sum(self.refused.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report in plain types: dict, list, str, int, float, bool, None."""
        return {**asdict(self), "rows_refused": self.rows_refused}

    def stored_notes(self) -> dict[str, str]:
        """Return what a stored file of these bars should say of their origin, for `storage.catalogue.write_bars`."""
        return {
            "adjustment": self.adjustment,
            "calendar": self.calendar,
            "layout": self.layout,
            "source": self.source,
        }
