"""Sift the rows of files: choose symbols, place, judge and adjust."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.bars import Ints
from domain.errors import DataError
from simulation.importing.choice import Calendars, choose_symbols, one_calendar
from simulation.importing.corporate import Actions, adjust, unread_splits
from simulation.importing.layouts import Adjustment
from simulation.importing.quality import (
    RULES,
    Codes,
    RowRule,
    identity_faults,
    judge,
    newest_first,
    value_faults,
)
from simulation.importing.reading import RawFile
from simulation.importing.rows import NO_SYMBOL, Rows, gather, wanted_rows
from simulation.importing.sessions import ROUND_THE_CLOCK, Placement, place
from simulation.importing.stamps import DAY_NS, HOUR_NS, infer_bar_ns
from storage.bar_tables import BarColumns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Hold rows of the chosen symbols, adjusted, with the place of each among all rows and its rule's code.

    `after_end` marks the sound and unsound rows of sessions after the last one asked for.
    """

    rows: Rows
    index: Ints
    codes: Codes
    placement: Placement
    after_end: NDArray[np.bool_]
    actions: Actions
    bar_ns: int
    notes: tuple[str, ...]

    def accepted(self) -> NDArray[np.bool_]:
        """Return which rows become bars."""
        return np.asarray((self.codes == 0) & ~self.after_end)

    def columns(self) -> BarColumns:
        """Return the accepted rows as columns of bars."""
        which = self.accepted()
        rows, placement = self.rows.take(which), self.placement
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sifted:
    """Hold all rows of the files with the code of each: 0 unless it is of a chosen symbol, up to the end, and refused.

    `mine` marks the rows of the `chosen` symbols, `judged` is None when none of them has a stamp and a symbol, or when
    all are refused and too few to tell a bar size.
    """

    files: Sequence[RawFile]
    names: tuple[str, ...]
    chosen: tuple[str, ...]
    calendar: str
    rows: Rows
    mine: NDArray[np.bool_]
    codes: Codes
    judged: Judged | None
    notes: tuple[str, ...]

    @property
    def ragged(self) -> int:
        """Return the number of lines that were no rows."""
        return sum(len(file.ragged) for file in self.files)

    def refused(self) -> dict[str, int]:
        """Return the number of rows refused under each rule."""
        return counted(self.codes) | ({RowRule.RAGGED.value: self.ragged} if self.ragged else {})


def counted(codes: Codes) -> dict[str, int]:
    """Return the number of rows refused under each rule, lines that were no rows apart."""
    values, counts = np.unique(codes[codes != 0], return_counts=True)
    return {RULES[code].value: int(count) for code, count in zip(values, counts, strict=True)}


def sift(
    path: Path,
    files: Sequence[RawFile],
    symbols: Sequence[str] | None,
    end: date | None,
    calendars: Calendars,
) -> Sifted:
    """Return the rows of `files`, those of `symbols` placed, judged and adjusted; None takes all symbols.

    Raises DataError when symbols or bars are not what an import needs, as `importer.import_bars` says.
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
    if len(usable):
        bar_ns = _bar_ns(path, rows, usable, codes)
        if bar_ns is not None:
            kept = rows.take(usable)
            judged = _judge(path, kept, usable, names, calendar, files[0].layout.adjustment, end, bar_ns)
            codes[judged.index] = np.where(judged.after_end, 0, judged.codes)
    return Sifted(
        files=files,
        names=names,
        chosen=chosen,
        calendar=calendar,
        rows=rows,
        mine=mine,
        codes=codes,
        judged=judged,
        notes=notes,
    )


def _bar_ns(path: Path, rows: Rows, usable: Ints, codes: Codes) -> int | None:
    """Return the bar size of the `usable` rows; None where it cannot be told and all break a rule, put into `codes`."""
    chosen = rows.take(usable)
    try:
        return infer_bar_ns(chosen.symbol_id, chosen.ts_ns)
    except DataError as error:
        codes[usable] = value_faults(chosen)
        if codes[usable].all():
            return None
        refused = ", ".join(f"{rule} {count}" for rule, count in sorted(counted(codes).items()))
        raise DataError(
            f"{path}: {error}{f'; rows refused besides: {refused}' if refused else ''}"
        ) from error


def _judge(
    path: Path,
    rows: Rows,
    index: Ints,
    names: Sequence[str],
    calendar: str,
    adjustment: Adjustment,
    end: date | None,
    bar_ns: int,
) -> Judged:
    try:
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
    if adjustment is Adjustment.SPLITS:
        notes = (*notes, *unread_splits(rows, codes, names))
    return Judged(
        rows=adjusted,
        index=index,
        codes=np.where(codes == 0, value_faults(adjusted), codes).astype(np.int8),
        placement=placement,
        after_end=placement.session > (date.max if end is None else end).toordinal(),
        actions=actions,
        bar_ns=bar_ns,
        notes=notes,
    )
