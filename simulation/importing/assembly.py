"""Make a bar table and its report of the rows of files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarTable, Ints
from domain.errors import DataError
from simulation.importing.choice import Calendars, choose_symbols, one_calendar
from simulation.importing.corporate import Actions, adjust
from simulation.importing.coverage import cover
from simulation.importing.layouts import Adjustment
from simulation.importing.quality import (
    RULES,
    Codes,
    RowRule,
    conflicts,
    identity_faults,
    judge,
    newest_first,
    value_faults,
    write_kept_aside,
)
from simulation.importing.reading import RawFile
from simulation.importing.report import ImportReport
from simulation.importing.rows import NO_SYMBOL, Rows, gather, wanted_rows
from simulation.importing.sessions import ROUND_THE_CLOCK, Placement, place
from simulation.importing.stamps import DAY_NS, HOUR_NS, describe_ns, infer_bar_ns
from storage.bar_tables import BarColumns, build_table

_LISTED_CONFLICTS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Hold rows of the chosen symbols, adjusted, with the place of each among all rows and its rule's code."""

    rows: Rows
    index: Ints
    codes: Codes
    placement: Placement
    actions: Actions
    bar_ns: int
    notes: tuple[str, ...]


def assemble(
    path: Path,
    files: Sequence[RawFile],
    symbols: Sequence[str] | None,
    end: date | None,
    calendars: Calendars,
    kept_aside: Path | None,
) -> tuple[BarTable, ImportReport]:
    """Return the bars of `symbols` in `files` up to the session `end`, and the report; write the refused rows.

    Splits and adjusted closes after `end` count, so that a bar has the same prices whatever the range asked for.
    Raises DataError as `importer.import_bars` does.
    """
    names, rows, notes = gather(files)
    chosen = choose_symbols(path, names, symbols)
    calendar = one_calendar(path, chosen, calendars) if chosen else ROUND_THE_CLOCK
    mine = wanted_rows(rows.symbol_id, names, chosen)
    if symbols is None:
        mine |= rows.symbol_id == NO_SYMBOL
    codes = np.where(mine, identity_faults(rows), 0).astype(np.int8)
    usable = np.flatnonzero(mine & (codes == 0))
    judged = None
    after_end = np.zeros(0, dtype=np.bool_)
    if len(usable):
        adjustment = files[0].layout.adjustment
        judged = _judge(path, rows.take(usable), usable, names, calendar, adjustment)
        if end is not None:
            after_end = judged.placement.session > end.toordinal()
        else:
            after_end = np.zeros(len(usable), dtype=np.bool_)
        codes[judged.index] = np.where(after_end, 0, judged.codes)
    if kept_aside is not None:
        write_kept_aside(kept_aside, files, rows, codes)
    refused = _count(codes, sum(len(file.ragged) for file in files))
    accepted = np.flatnonzero((judged.codes == 0) & ~after_end) if judged else np.zeros(0, dtype=np.int64)
    if judged is None or not len(accepted):
        raise DataError(_nothing_left(path, refused, int(after_end.sum()), end))
    continuous = calendar == ROUND_THE_CLOCK
    table = build_table(names, judged.bar_ns, continuous, _columns(judged, accepted))
    absent = tuple(name for name in chosen if name not in table.symbols)
    if absent and symbols is not None:
        until = f" up to {end}" if end else ""
        raise DataError(
            f"{path}: no usable bar of {', '.join(absent)}{until}; rows refused: {_words(refused)}"
        )
    lines = np.concatenate([file.rows for file in files])
    report = ImportReport(
        source=str(path),
        files=len(files),
        layout=files[0].layout.name,
        adjustment=_adjustment_words(files[0], judged.actions),
        calendar=calendar,
        bar_ns=judged.bar_ns,
        bar_size=describe_ns(judged.bar_ns),
        columns_ignored=tuple(dict.fromkeys(name for file in files for name in file.layout.ignored)),
        rows_read=len(rows) + sum(len(file.ragged) for file in files),
        rows_of_other_symbols=int((~mine).sum()),
        rows_after_end=int(after_end.sum()),
        rows_accepted=table.rows,
        refused=refused,
        kept_aside=None if kept_aside is None else str(kept_aside),
        symbols=cover(table, calendar),
        symbols_absent=absent,
        splits=judged.actions.splits,
        dividends_paid=int((table.dividend > 0.0).sum()),
        distributions=judged.actions.distributions,
        conflicts=conflicts(rows, codes, names, lines, _LISTED_CONFLICTS),
        notes=(*notes, *judged.notes, *_bid_notes(files)),
        fingerprint=table.fingerprint,
    )
    return table, report


def _judge(
    path: Path, rows: Rows, index: Ints, names: Sequence[str], calendar: str, adjustment: Adjustment
) -> Judged:
    try:
        bar_ns = infer_bar_ns(rows.symbol_id, rows.ts_ns)
        placement = place(rows.ts_ns, bar_ns, calendar)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    notes: tuple[str, ...] = ()
    if newest_first(rows, placement.known_ns):
        notes = ("the file is written newest first; its rows were read from the end",)
        rows, index = rows.take(np.arange(len(rows))[::-1]), index[::-1]
        placement = place(rows.ts_ns, bar_ns, calendar)
    daily = bar_ns == DAY_NS and calendar != ROUND_THE_CLOCK
    # Clocks change by hours: in sessions, bars longer than an hour keep a grid of hours only.
    grid_ns = bar_ns if calendar == ROUND_THE_CLOCK else math.gcd(bar_ns, HOUR_NS)
    outside = RowRule.NOT_A_SESSION if daily else RowRule.OUTSIDE_SESSION
    codes = judge(rows, placement, outside, None if daily else grid_ns, adjustment)
    adjusted, actions = adjust(rows, codes, names, adjustment)
    codes = np.where(codes == 0, value_faults(adjusted), codes).astype(np.int8)
    return Judged(
        rows=adjusted,
        index=index,
        codes=codes,
        placement=placement,
        actions=actions,
        bar_ns=bar_ns,
        notes=notes,
    )


def _columns(judged: Judged, which: NDArray[np.int64]) -> BarColumns:
    rows, placement = judged.rows.take(which), judged.placement
    return BarColumns(
        symbol_id=rows.symbol_id,
        open_ns=placement.open_ns[which],
        known_ns=placement.known_ns[which],
        session=placement.session[which],
        open=rows.open,
        high=rows.high,
        low=rows.low,
        close=rows.close,
        volume=rows.volume,
        dividend=rows.dividend,
    )


def _count(codes: Codes, ragged: int) -> dict[str, int]:
    values, counts = np.unique(codes[codes != 0], return_counts=True)
    found = {RULES[code].value: int(count) for code, count in zip(values, counts, strict=True)}
    return found | ({RowRule.RAGGED.value: ragged} if ragged else {})


def _words(refused: dict[str, int]) -> str:
    return ", ".join(f"{rule} {count}" for rule, count in sorted(refused.items())) or "none"


def _nothing_left(path: Path, refused: dict[str, int], after_end: int, end: date | None) -> str:
    text = f"{path}: no bar can be used; rows refused: {_words(refused)}"
    if after_end:
        text += f"; rows after {end}: {after_end}"
    if RowRule.OUTSIDE_SESSION.value in refused:
        text += ". Stamps without a zone are read as UTC opens of bars"
    return text


def _adjustment_words(file: RawFile, actions: Actions) -> str:
    adjustment = file.layout.adjustment
    cash = "dividends kept as cash per share on the ex date" if file.layout.dividend else "no dividends known"
    if adjustment is Adjustment.ADJUSTED_CLOSE:
        return (
            "open, high, low and close scaled by adjusted close / close: total return, no dividend cash; "
            "volume scaled inversely"
        )
    if adjustment is Adjustment.AS_GIVEN:
        return f"none: prices as given; {cash}"
    if actions.already_applied:
        return f"none: the prices already hold the splits that the file lists; {cash}"
    return f"prices divided by all later splits and volume multiplied by them; {cash}, scaled alike"


def _bid_notes(files: Sequence[RawFile]) -> tuple[str, ...]:
    ignored = {name for file in files for name in file.layout.ignored}
    return ("a quote file: open to close are the bid, the ask is not read",) if "ask_open" in ignored else ()
