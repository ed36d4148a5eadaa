"""Turn the stamps of a file into UTC nanoseconds and infer the size of its bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.bars import Ints
from domain.errors import DataError

DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000
NO_STAMP = np.iinfo(np.int64).min
"""Marks a stamp that could not be read."""

_FIRST_NS = int(np.datetime64("1900-01-01", "ns").astype(np.int64))
_LAST_NS = int(np.datetime64("2200-01-01", "ns").astype(np.int64))
_DATE_NUMBERS = (19_000_101, 21_991_231)
_EPOCH_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (np.inf, 1))
_TELLING_STEPS = 5
"""Fewer steps between bars may all be gaps: a week of daily bars has four and a weekend."""
_MIXED_SHARE = 0.05
_MIXED_STEPS = 10
_FOREIGN_RUN = 20


def parse_stamps(column: Any) -> Ints:
    """Return the UTC nanoseconds of an Arrow `column` of stamps, NO_STAMP where one cannot be read.

    Takes timestamps (without zone: UTC), dates, ISO 8601 text, YYYYMMDD, and epoch numbers in s, ms, us or ns, told
    apart by size.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _from_arrow_time(column)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _from_numbers(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(False))
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    numbers = pd.to_numeric(pd.Series(text.to_numpy(False)), errors="coerce").to_numpy(dtype=np.float64)
    if np.isfinite(numbers).any() and np.isfinite(numbers).sum() * 2 >= len(numbers):
        return _from_numbers(numbers)
    return _from_text(text.to_numpy(False))


def _from_arrow_time(column: Any) -> Ints:
    wide = pc.cast(column, pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
    micros = pc.fill_null(pc.cast(wide, pa.int64()), NO_STAMP).to_numpy(False)
    return _in_range(np.asarray(micros, dtype=np.float64) * 1e3, np.asarray(micros), 1_000)


def _from_numbers(numbers: NDArray[np.float64]) -> Ints:
    finite = numbers[np.isfinite(numbers)]
    if len(finite) == 0:
        return np.full(len(numbers), NO_STAMP, dtype=np.int64)
    typical = float(np.sort(finite)[(len(finite) - 1) // 2])
    if _DATE_NUMBERS[0] <= typical <= _DATE_NUMBERS[1]:
        digits = np.where(np.isfinite(numbers) & (numbers % 1 == 0), numbers, 0).astype(np.int64)
        return _from_text(digits.astype(str).astype(object))
    per_unit = next(ns for limit, ns in _EPOCH_UNITS if abs(typical) < limit)
    whole = np.where(np.isfinite(numbers) & (np.abs(numbers) < 9e18), numbers, 0.0)
    exact = np.floor(whole).astype(np.int64)
    with np.errstate(over="ignore"):
        approximate_ns = np.where(np.isfinite(numbers), numbers, np.nan) * float(per_unit)
    return _in_range(approximate_ns, exact, per_unit)


def _from_text(text: NDArray[np.object_]) -> Ints:
    parsed: Any = pd.to_datetime(pd.Series(text), format="ISO8601", utc=True, errors="coerce")
    micros = parsed.dt.as_unit("us").astype("int64").to_numpy()
    micros = np.where(parsed.isna().to_numpy(), NO_STAMP, micros)
    return _in_range(micros.astype(np.float64) * 1e3, micros, 1_000)


def _in_range(approximate_ns: NDArray[np.float64], exact: Ints, per_unit: int) -> Ints:
    """Scale `exact` units to nanoseconds where the result lies in 1900 to 2200, else NO_STAMP."""
    usable = (approximate_ns >= _FIRST_NS) & (approximate_ns < _LAST_NS)
    return np.where(usable, np.where(usable, exact, 0) * per_unit, NO_STAMP).astype(np.int64)


def infer_bar_ns(symbol_id: NDArray[np.int16], ts_ns: Ints) -> int:
    """Return the bar size of rows in nanoseconds: the most frequent distance between a symbol's bars.

    Raises DataError when no symbol has two stamps, the distance is no divisor of a day, or sizes are mixed.
    """
    order = np.lexsort((ts_ns, symbol_id))
    same = symbol_id[order][1:] == symbol_id[order][:-1]
    steps = np.diff(ts_ns[order])
    inside = same & (steps > 0)
    if not inside.any():
        few = "one bar is" if len(ts_ns) == 1 else "no symbol has two bars at different times, which is"
        raise DataError(
            f"{few} too few: the size of bars is told from the time between two of one symbol; name a file with more"
        )
    sizes, counts = np.unique(steps[inside], return_counts=True)
    bar_ns = int(sizes[np.argmax(counts)])
    if abs(bar_ns - DAY_NS) <= HOUR_NS:
        bar_ns = DAY_NS  # local midnights lie 23 or 25 hours apart when clocks change
    if bar_ns > DAY_NS or DAY_NS % bar_ns:
        if inside.sum() < _TELLING_STEPS:
            raise DataError(
                f"too few bars to tell their size: they lie {describe_ns(bar_ns)} apart, as bars round a weekend, a "
                f"holiday or a gap may; name a file with more, for daily bars with two of following days"
            )
        raise DataError(f"bars of {describe_ns(bar_ns)}; only bars of a day, or of a part of it, are read")
    owner = symbol_id[order][1:]
    _refuse_mixed(bar_ns, steps, inside, owner)
    return bar_ns


def _refuse_mixed(bar_ns: int, steps: Ints, inside: NDArray[np.bool_], owner: NDArray[np.int16]) -> None:
    near = np.abs(steps - bar_ns) <= (HOUR_NS if bar_ns == DAY_NS else 0)
    finer = inside & (steps < bar_ns) & ~near
    # A few stray stamps are rows to refuse one by one; many finer steps are another bar size.
    if finer.sum() >= max(_MIXED_STEPS, _MIXED_SHARE * inside.sum()):
        raise _mixed(bar_ns, int(np.median(steps[finer])))
    # A sparse market leaves gaps of many lengths; a long run of one other length is another bar size.
    foreign = inside & ~near
    change = np.concatenate(([True], (steps[1:] != steps[:-1]) | (owner[1:] != owner[:-1]) | ~foreign[1:]))
    lengths = np.diff(np.concatenate((np.flatnonzero(change), [len(steps)])))
    starts = np.flatnonzero(change)
    runs = starts[(lengths >= _FOREIGN_RUN) & foreign[starts]]
    if len(runs):
        raise _mixed(bar_ns, int(steps[runs[0]]))


def _mixed(bar_ns: int, other_ns: int) -> DataError:
    return DataError(
        f"bar sizes are mixed: mostly {describe_ns(bar_ns)}, also {describe_ns(other_ns)}; one is allowed"
    )


def describe_ns(duration_ns: int) -> str:
    """Return `duration_ns` in the largest unit that divides it: '1 day', '5 minutes'."""
    for size, unit in (
        (DAY_NS, "day"),
        (HOUR_NS, "hour"),
        (60_000_000_000, "minute"),
        (1_000_000_000, "second"),
    ):
        if duration_ns % size == 0:
            count = duration_ns // size
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{duration_ns} ns"


def date_text(ts_ns: int) -> str:
    """Return the UTC date of `ts_ns` in ISO 8601."""
    return str(np.datetime64(ts_ns, "ns").astype("datetime64[D]"))
