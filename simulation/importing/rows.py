"""Gather the rows of files into columns of numbers, one symbol spelling and UTC stamps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.bars import Floats, Ints
from domain.errors import DataError
from domain.symbols import normalise_symbol
from simulation.importing.layouts import Adjustment, Layout
from simulation.importing.reading import RawFile
from simulation.importing.stamps import parse_stamps
from storage.bar_tables import MAX_SYMBOLS

NO_SYMBOL = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Hold rows in columns, in the order of the files.

    `file_id` indexes the files, `position` the rows of that file's table; `symbol_id` is NO_SYMBOL for a spelling
    that is none. A value the source lacks is NaN, in a column it lacks throughout: split 1 and dividend 0.
    """

    file_id: NDArray[np.int32]
    position: Ints
    symbol_id: NDArray[np.int16]
    ts_ns: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adj_close: Floats
    split: Floats
    dividend: Floats

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ts_ns)

    def take(self, which: NDArray[Any]) -> Self:
        """Return the rows that the mask or index array `which` names."""
        return type(self)(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


def gather(files: Sequence[RawFile]) -> tuple[tuple[str, ...], Rows, tuple[str, ...]]:
    """Return the symbols, the rows of all `files`, and a note for each spelling that was changed.

    Raises DataError when the files call for different adjustments, or a file neither has a symbol column nor is named
    by a symbol.
    """
    adjustments = {file.layout.adjustment for file in files}
    if len(adjustments) > 1:
        found = ", ".join(f"{file.path.name}: {file.layout.name}" for file in files[:10])
        raise DataError(
            f"{files[0].path.parent}: files of different layouts ({found}); import them one by one"
        )
    known: dict[str, int] = {}
    notes: list[str] = []
    parts = [_rows_of(file, i, known, notes) for i, file in enumerate(files)]
    joined = Rows(
        **{field.name: np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Rows)}
    )
    return tuple(known), joined, tuple(notes)


def _rows_of(file: RawFile, file_id: int, known: dict[str, int], notes: list[str]) -> Rows:
    layout, table, count = file.layout, file.table, file.table.num_rows
    adjustment = layout.adjustment
    return Rows(
        file_id=np.full(count, file_id, dtype=np.int32),
        position=np.arange(count, dtype=np.int64),
        symbol_id=_symbol_ids(file, known, notes),
        ts_ns=parse_stamps(_stamp_column(layout, table)),
        open=_numbers(table, layout.open),
        high=_numbers(table, layout.high),
        low=_numbers(table, layout.low),
        close=_numbers(table, layout.close),
        volume=_numbers(table, layout.volume),
        adj_close=_numbers(table, layout.adj_close),
        split=_splits(table, layout.split),
        # An adjusted close holds the dividends already: paying them too would count them twice.
        dividend=_dividends(table, None if adjustment is Adjustment.ADJUSTED_CLOSE else layout.dividend),
    )


def _stamp_column(layout: Layout, table: Any) -> Any:
    column = table.column(layout.stamp)
    if layout.stamp_time is None:
        return column
    time = table.column(layout.stamp_time)
    return pc.binary_join_element_wise(pc.cast(column, pa.string()), pc.cast(time, pa.string()), "T")


def _symbol_ids(file: RawFile, known: dict[str, int], notes: list[str]) -> NDArray[np.int16]:
    if file.layout.symbol is None:
        try:
            name = normalise_symbol(file.stem)
        except ValueError as error:
            raise DataError(
                f"{file.path}: no symbol column, and the file is not named by one: {error}"
            ) from error
        return np.full(file.table.num_rows, known.setdefault(name, len(known)), dtype=np.int16)
    column = pc.cast(file.table.column(file.layout.symbol), pa.string()).combine_chunks().dictionary_encode()
    ids = [_symbol_id(text, known, notes) for text in column.dictionary.to_pylist()]
    codes = pc.fill_null(column.indices, len(ids)).to_numpy(False)
    return np.asarray(np.array([*ids, NO_SYMBOL], dtype=np.int16)[codes])


def _symbol_id(text: str, known: dict[str, int], notes: list[str]) -> int:
    try:
        name = normalise_symbol(text)
    except ValueError as error:
        notes.append(f"rows refused: {error}")
        return NO_SYMBOL
    if name not in known and len(known) >= MAX_SYMBOLS:
        raise DataError(f"more than {MAX_SYMBOLS} symbols in one import; import a part of them")
    if name != text:
        notes.append(f"symbol {text!r} is written {name!r}")
    return known.setdefault(name, len(known))


def _numbers(table: Any, name: str | None) -> Floats:
    """Return column `name` as float64, NaN where a value is absent or no number."""
    if name is None:
        return np.full(table.num_rows, np.nan)
    column = table.column(name).combine_chunks()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            return np.array(
                pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64
            )
        except pa.ArrowException as error:
            raise DataError(f"column {name!r} holds {column.type}, not numbers") from error
    text: Any = pd.Series(pc.fill_null(pc.utf8_trim_whitespace(column), "").to_numpy(False), dtype=object)
    is_number = pd.to_numeric(text, errors="coerce").notna().to_numpy()
    # float() reads a decimal to the nearest double; the faster parsers may be a bit off in the last place.
    return np.asarray(np.where(is_number, text.to_numpy(), "nan"), dtype=np.float64)


def _splits(table: Any, name: str | None) -> Floats:
    """Return split ratios, 1 where none is stated (absent, or 0 as some sources write it)."""
    if name is None:
        return np.ones(table.num_rows)
    ratios = _numbers(table, name)
    return np.where(np.isnan(ratios) | (ratios == 0.0), 1.0, ratios)


def _dividends(table: Any, name: str | None) -> Floats:
    if name is None:
        return np.zeros(table.num_rows)
    cash = _numbers(table, name)
    return np.where(np.isnan(cash), 0.0, cash)


def wanted_rows(
    symbol_id: NDArray[np.int16], symbols: Sequence[str], wanted: Collection[str]
) -> NDArray[np.bool_]:
    """Return which rows are of the symbols `wanted`."""
    flags = np.array([*(name in wanted for name in symbols), False], dtype=np.bool_)
    return flags[symbol_id]
