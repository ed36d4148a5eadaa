"""Take bars from a file that an earlier import wrote: nothing is judged or adjusted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from domain.bars import BarTable
from domain.errors import DataError
from simulation.importing.choice import Calendars, choose_symbols, one_calendar
from simulation.importing.coverage import cover
from simulation.importing.report import ImportReport
from simulation.importing.sessions import ROUND_THE_CLOCK
from simulation.importing.stamps import describe_ns
from storage.bar_tables import select
from storage.catalogue import is_bar_file, read_bars, read_notes

_PARQUET_MAGIC = b"PAR1"


def is_stored(path: Path) -> bool:
    """Return whether `path` is a file of bars that `storage.catalogue` wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == _PARQUET_MAGIC and is_bar_file(path)


def import_stored(
    path: Path, symbols: Sequence[str] | None, end: date | None, calendars: Calendars
) -> tuple[BarTable, ImportReport]:
    """Return the bars of `symbols` in the stored file `path` up to the session `end`, and the report on them.

    Raises DataError when the file was altered, a symbol is not in it, or its calendar is not what it was stored with.
    """
    whole = read_bars(path)
    chosen = choose_symbols(path, whole.symbols, symbols)
    calendar = one_calendar(path, chosen, calendars)
    if whole.continuous != (calendar == ROUND_THE_CLOCK):
        kind = "round the clock" if whole.continuous else "in sessions"
        raise DataError(f"{path}: the bars were stored as trading {kind}, the instruments say {calendar}")
    of_symbols = select(whole, chosen)
    first = date.fromordinal(int(of_symbols.session[0]))
    if end is not None and first > end:
        raise DataError(f"{path}: no bar up to {end}; the first is of {first}")
    table = select(of_symbols, last=end)
    report = _report(path, table, calendar)
    counted = replace(
        report,
        rows_read=whole.rows,
        rows_of_other_symbols=whole.rows - of_symbols.rows,
        rows_after_end=of_symbols.rows - table.rows,
        symbols_absent=tuple(name for name in chosen if name not in table.symbols),
    )
    return table, counted


def _report(path: Path, table: BarTable, calendar: str) -> ImportReport:
    notes = read_notes(path)
    try:
        covered = cover(table, calendar)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return ImportReport(
        source=str(path),
        files=1,
        layout="stored bars",
        adjustment=notes.get("adjustment", "as stored"),
        calendar=calendar,
        bar_ns=table.bar_ns,
        bar_size=describe_ns(table.bar_ns),
        columns_ignored=(),
        rows_read=table.rows,
        rows_of_other_symbols=0,
        rows_after_end=0,
        rows_accepted=table.rows,
        refused={},
        kept_aside=None,
        symbols=covered,
        symbols_absent=(),
        splits=(),
        dividends_paid=int((table.dividend > 0.0).sum()),
        distributions=(),
        conflicts=(),
        notes=tuple(f"{key}: {value}" for key, value in sorted(notes.items())),
        fingerprint=table.fingerprint,
    )
