"""Import bars: the one way from a file to a bar table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from domain.bars import BarTable
from domain.errors import DataError
from domain.instruments import Instrument
from domain.symbols import parse_symbol
from simulation.importing.assembly import assemble
from simulation.importing.choice import Calendars
from simulation.importing.reading import read_files
from simulation.importing.report import ImportReport
from simulation.importing.sessions import ROUND_THE_CLOCK
from simulation.importing.stored import import_stored, is_stored
from storage.bar_tables import group_at_session

DEFAULT_CALENDAR = "XNYS"
"""The calendar of symbols whose form names no market, where no instruments are given."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Imported:
    """Hold imported bars, what the import says of them, and the index of the first group that may trade."""

    table: BarTable
    report: ImportReport
    first_trading_group: int


def import_bars(
    path: Path,
    *,
    symbols: Sequence[str] | None,
    start: date | None,
    end: date | None,
    instruments: Callable[[str], Instrument],
    kept_aside: Path | None,
) -> Imported:
    """Read the bars of `symbols` (None: all) from the file or directory `path` up to the session `end`, included.

    Bars before `start` are kept, they warm strategies up: `first_trading_group` is the first group of the session
    `start` or later. Refused rows go to the CSV file `kept_aside` (None: they are only counted). `instruments` names
    each symbol's calendar. Raises DataError when the file holds no bars that can be used, a symbol asked for is not in
    it, symbols keep different calendars, or no bar lies between `start` and `end`.
    """
    if start is not None and end is not None and start > end:
        raise DataError(f"{path}: the first day {start} is after the last day {end}")
    _check_path(path)
    if kept_aside is not None and kept_aside.resolve() in (path.resolve(), path.resolve() / kept_aside.name):
        raise DataError(f"{kept_aside}: the refused rows would be read as bars; keep them aside elsewhere")
    table, report = _import(path, symbols, end, lambda symbol: instruments(symbol).calendar, kept_aside)
    first = 0 if start is None else group_at_session(table, start)
    if first == len(table):
        last = date.fromordinal(int(table.session[-1]))
        raise DataError(f"{path}: no bar on or after {start}; the bars asked for end on {last}")
    return Imported(table=table, report=report, first_trading_group=first)


def _check_path(path: Path) -> None:
    """Refuse what no file system takes as a path: one that is too long, or links that lead back to themselves."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # who reads it says so
    except OSError as error:
        raise DataError(
            f"{str(path)[:200]}: {error.strerror or error}; name a file or a folder of bars that exists"
        ) from error


def describe(
    path: Path,
    *,
    symbols: Sequence[str] | None = None,
    instruments: Callable[[str], Instrument] | None = None,
) -> ImportReport:
    """Return what importing `path` would do, writing nothing.

    Without `instruments` pairs and perpetuals are taken to trade round the clock, all else at the New York Stock
    Exchange. Raises DataError as `import_bars` does.
    """
    calendars: Calendars = _calendar_by_form if instruments is None else lambda s: instruments(s).calendar
    return _import(path, symbols, None, calendars, None)[1]


def _calendar_by_form(symbol: str) -> str:
    parts = parse_symbol(symbol)
    return ROUND_THE_CLOCK if parts.is_pair or parts.perpetual else DEFAULT_CALENDAR


def _import(
    path: Path, symbols: Sequence[str] | None, end: date | None, calendars: Calendars, kept_aside: Path | None
) -> tuple[BarTable, ImportReport]:
    if is_stored(path):
        return import_stored(path, symbols, end, calendars)
    return assemble(path, read_files(path), symbols, end, calendars, kept_aside)
