"""Judge every row by rule, and keep those refused aside."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.bars import LARGEST_VOLUME, BarFault, Ints
from domain.errors import DataError
from simulation.importing.layouts import Adjustment
from simulation.importing.reading import RawFile
from simulation.importing.rows import NO_SYMBOL, Rows
from simulation.importing.sessions import Placement
from simulation.importing.stamps import NO_STAMP
from storage.files import replacing

Codes = NDArray[np.int8]


class RowRule(StrEnum):
    """Name the rules by which a row is refused; those of one bar's values are the engine's own (`BarFault`)."""

    ACCEPTED = "accepted"
    RAGGED = "ragged"
    BAD_STAMP = "bad_stamp"
    UNKNOWN_SYMBOL = BarFault.UNKNOWN_SYMBOL.value
    NOT_FINITE = BarFault.NOT_FINITE.value
    NOT_POSITIVE = BarFault.NOT_POSITIVE.value
    CROSSED = BarFault.CROSSED.value
    NEGATIVE_VOLUME = BarFault.NEGATIVE_VOLUME.value
    EXCESSIVE_VOLUME = BarFault.EXCESSIVE_VOLUME.value
    MISSING_VOLUME = "missing_volume"
    BAD_ADJUSTMENT = "bad_adjustment"
    NOT_A_SESSION = "not_a_session"
    OUTSIDE_SESSION = "outside_session"
    OFF_GRID = "off_grid"
    DUPLICATE = BarFault.DUPLICATE.value
    CONFLICT = "conflicting_duplicate"
    OUT_OF_ORDER = BarFault.OUT_OF_ORDER.value


RULES = tuple(RowRule)
CODE = {rule: code for code, rule in enumerate(RULES)}


def value_faults(rows: Rows) -> Codes:
    """Return for each row the rule its values break, as `domain.bars.bar_fault` judges one bar."""
    prices = np.stack([rows.open, rows.high, rows.low, rows.close])
    with np.errstate(invalid="ignore"):
        crossed = (rows.high < prices.max(axis=0)) | (rows.low > prices.min(axis=0))
        return np.select(
            [
                ~np.isfinite(prices).all(axis=0),
                (prices <= 0.0).any(axis=0),
                crossed,
                np.isinf(rows.volume) | ~np.isfinite(rows.dividend),
                (rows.volume < 0.0) | (rows.dividend < 0.0),
                rows.volume > LARGEST_VOLUME,
            ],
            [
                CODE[RowRule.NOT_FINITE],
                CODE[RowRule.NOT_POSITIVE],
                CODE[RowRule.CROSSED],
                CODE[RowRule.NOT_FINITE],
                CODE[RowRule.NEGATIVE_VOLUME],
                CODE[RowRule.EXCESSIVE_VOLUME],
            ],
            default=CODE[RowRule.ACCEPTED],
        ).astype(np.int8)


def identity_faults(rows: Rows) -> Codes:
    """Return for each row whether its stamp or symbol is unusable."""
    codes = np.zeros(len(rows), dtype=np.int8)
    codes[rows.symbol_id == NO_SYMBOL] = CODE[RowRule.UNKNOWN_SYMBOL]
    codes[rows.ts_ns == NO_STAMP] = CODE[RowRule.BAD_STAMP]
    return codes


def judge(
    rows: Rows, placement: Placement, outside: RowRule, grid_ns: int | None, adjustment: Adjustment
) -> Codes:
    """Return the code of the first rule each row breaks, 0 for accepted rows.

    `outside` names the rule for rows that no session holds; bars must open on the grid of `grid_ns` that most keep.
    `rows` have usable stamps and symbols. Among rows of one symbol and moment the first sound one stays; rows against
    the order of a symbol's others are refused, as few as possible and the later of two.
    """
    codes = value_faults(rows)
    _mark(codes, RowRule.MISSING_VOLUME, _missing_volume(rows, codes))
    _mark(codes, RowRule.BAD_ADJUSTMENT, _bad_adjustment(rows, adjustment))
    _mark(codes, outside, ~placement.inside)
    if grid_ns is not None:
        _mark(codes, RowRule.OFF_GRID, _off_grid(placement.open_ns % grid_ns, codes == 0))
    _mark_repeats(codes, rows, placement.known_ns)
    _mark_disorder(codes, rows.symbol_id, placement.known_ns)
    return codes


def _mark(codes: Codes, rule: RowRule, broken: NDArray[np.bool_]) -> None:
    codes[(codes == 0) & broken] = CODE[rule]


def _missing_volume(rows: Rows, codes: Codes) -> NDArray[np.bool_]:
    """Return the rows without volume of symbols that have volume elsewhere."""
    has = np.zeros(int(rows.symbol_id.max()) + 1, dtype=np.bool_)
    has[rows.symbol_id[(codes == 0) & np.isfinite(rows.volume)]] = True
    return np.asarray(np.isnan(rows.volume) & has[rows.symbol_id])


def _bad_adjustment(rows: Rows, adjustment: Adjustment) -> NDArray[np.bool_]:
    factor = {
        Adjustment.SPLITS: rows.split,
        Adjustment.ADJUSTED_CLOSE: rows.adj_close,
        Adjustment.AS_GIVEN: np.ones(len(rows)),
    }[adjustment]
    return np.asarray(~(np.isfinite(factor) & (factor > 0.0)))


def _off_grid(phase: Ints, sound: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the rows whose bars open between two steps of the grid that most sound ones keep."""
    if not sound.any():
        return np.zeros(len(sound), dtype=np.bool_)
    phases, counts = np.unique(phase[sound], return_counts=True)
    return np.asarray(phase != phases[np.argmax(counts)])


def _mark_repeats(codes: Codes, rows: Rows, known_ns: Ints) -> None:
    sound = np.flatnonzero(codes == 0)
    order = sound[np.lexsort((sound, known_ns[sound], rows.symbol_id[sound]))]
    again = (rows.symbol_id[order][1:] == rows.symbol_id[order][:-1]) & (
        known_ns[order][1:] == known_ns[order][:-1]
    )
    # `first` is, for each row in `order`, the place in `order` of the row that stays.
    first = np.arange(len(order))
    first[1:][again] = 0
    first = np.maximum.accumulate(first)
    columns = (rows.open, rows.high, rows.low, rows.close, rows.volume, rows.dividend, rows.split)
    equal = np.ones(len(order), dtype=np.bool_)
    for column in columns:
        a, b = column[order], column[order[first]]
        equal &= (a == b) | (np.isnan(a) & np.isnan(b))
    repeated = np.concatenate(([False], again)) if len(order) else np.zeros(0, dtype=np.bool_)
    codes[order[repeated & equal]] = CODE[RowRule.DUPLICATE]
    codes[order[repeated & ~equal]] = CODE[RowRule.CONFLICT]


def _mark_disorder(codes: Codes, symbol_id: NDArray[np.int16], known_ns: Ints) -> None:
    sound = np.flatnonzero(codes == 0)
    by_symbol = sound[np.argsort(symbol_id[sound], kind="stable")]
    bounds = np.flatnonzero(np.diff(symbol_id[by_symbol])) + 1
    for rows in np.split(by_symbol, bounds):
        moments = known_ns[rows]
        if np.any(np.diff(moments) < 0):
            codes[rows[~in_order(moments)]] = CODE[RowRule.OUT_OF_ORDER]


def in_order(moments: Ints) -> NDArray[np.bool_]:
    """Return which `moments` stay when as few as possible leave so that the rest never falls; earlier rows stay first.

    A single stamp far in the future thus costs itself, not all that follow it. O(n log n).
    """
    lengths = np.empty(len(moments), dtype=np.int64)
    tails: list[int] = []  # tails[k]: minus the greatest first moment of a kept sequence of k + 1 rows
    for i in range(len(moments) - 1, -1, -1):
        at = bisect_right(tails, -int(moments[i]))
        tails[at : at + 1] = [-int(moments[i])]
        lengths[i] = at + 1
    keep = np.zeros(len(moments), dtype=np.bool_)
    need, last = len(tails), -(2**63)
    for i, (length, moment) in enumerate(zip(lengths.tolist(), moments.tolist(), strict=True)):
        if length == need and moment >= last:
            keep[i] = True
            need, last = need - 1, moment
    return keep


def newest_first(rows: Rows, known_ns: Ints) -> bool:
    """Return whether nearly every symbol's rows fall in time: a file written newest first."""
    order = np.argsort(rows.symbol_id, kind="stable")
    steps = np.diff(known_ns[order])[np.diff(rows.symbol_id[order]) == 0]
    return bool(len(steps) > 0 and (steps < 0).sum() > 0.9 * len(steps))


def write_kept_aside(path: Path, files: Sequence[RawFile], rows: Rows, codes: Codes) -> int:
    """Write the refused rows to the CSV file `path` with file, row, rule and original values; return their number.

    The file is replaced in one step, and has only its header when nothing was refused. Raises DataError when it
    cannot be written.
    """
    names = list(dict.fromkeys(name for file in files for name in file.table.column_names))
    lines: list[list[str]] = []
    for i, file in enumerate(files):
        refused = np.flatnonzero((rows.file_id == i) & (codes != 0))
        values = file.table.take(rows.position[refused]).to_pylist()
        for row, value in zip(refused.tolist(), values, strict=True):
            place = [str(file.path), str(int(file.rows[rows.position[row]])), RULES[codes[row]].value]
            lines.append([*place, *(_text(value.get(name)) for name in names)])
        lines += [[str(file.path), str(number), RowRule.RAGGED.value, text] for number, text in file.ragged]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["file", "row", "rule", *names], *lines])
    except OSError as error:
        raise DataError(
            f"{path}: the refused rows could not be written ({error.strerror or error}); "
            "name a place where you may write"
        ) from error
    return len(lines)


def _text(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return "" if value is None else str(isoformat() if isoformat else value)


def conflicts(rows: Rows, codes: Codes, symbols: Sequence[str], lines: Ints, limit: int) -> tuple[str, ...]:
    """Return up to `limit` descriptions of rows that contradict an earlier row of the same symbol and moment."""
    found = np.flatnonzero(codes == CODE[RowRule.CONFLICT])[:limit]
    return tuple(
        f"{symbols[rows.symbol_id[i]]} {np.datetime64(int(rows.ts_ns[i]), 'ns').astype('datetime64[s]')}: "
        f"row {lines[i]} contradicts an earlier row"
        for i in found
    )
