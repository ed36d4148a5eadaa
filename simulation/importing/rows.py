"""Gather the rows of files into columns of numbers, one symbol spelling and UTC stamps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.bars import Floats, Ints
from domain.errors import DataError
from domain.symbols import normalise_symbol
from simulation.importing.layouts import Adjustment
from simulation.importing.reading import RawFile
from simulation.importing.stamps import parse_stamps
from storage.bar_tables import MAX_SYMBOLS

NO_SYMBOL = -1

_NOTHING = ("", "nan", "na", "n/a", "null", "none", "-")
"""How files spell, in small letters, that a column states nothing in a row."""


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
    layout, count = file.layout, file.table.num_rows
    adjustment = layout.adjustment
    return Rows(
        file_id=np.full(count, file_id, dtype=np.int32),
        position=np.arange(count, dtype=np.int64),
        symbol_id=_symbol_ids(file, known, notes),
        ts_ns=parse_stamps(_stamp_column(file)),
        open=_numbers(file, layout.open),
        high=_numbers(file, layout.high),
        low=_numbers(file, layout.low),
        close=_numbers(file, layout.close),
        volume=_numbers(file, layout.volume),
        adj_close=_numbers(file, layout.adj_close),
        split=_splits(file, layout.split),
        # An adjusted close holds the dividends already: paying them too would count them twice.
        dividend=_dividends(file, None if adjustment is Adjustment.ADJUSTED_CLOSE else layout.dividend),
    )


def _stamp_column(file: RawFile) -> Any:
    column = _column(file, file.layout.stamp, _is_scalar, "stamps")
    if file.layout.stamp_time is None:
        return column
    time = _column(file, file.layout.stamp_time, _is_scalar, "times")
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
    column = pc.cast(
        _column(file, file.layout.symbol, _is_scalar, "symbols"), pa.string()
    ).dictionary_encode()
    ids = [_symbol_id(file.path, text, known, notes) for text in column.dictionary.to_pylist()]
    codes = pc.fill_null(column.indices, len(ids)).to_numpy(False)
    return np.asarray(np.array([*ids, NO_SYMBOL], dtype=np.int16)[codes])


def _symbol_id(path: Path, text: str, known: dict[str, int], notes: list[str]) -> int:
    try:
        name = normalise_symbol(text)
    except ValueError as error:
        notes.append(f"rows refused: {error}")
        return NO_SYMBOL
    if name not in known and len(known) >= MAX_SYMBOLS:
        raise DataError(f"{path}: more than {MAX_SYMBOLS} symbols in one import; import a part of them")
    if name != text:
        notes.append(f"symbol {text!r} is written {name!r}")
    return known.setdefault(name, len(known))


def _column(file: RawFile, name: str, fits: Callable[[Any], bool], what: str) -> Any:
    """Return column `name` in one piece, text as one type of text, not dictionary-encoded.

    Raises DataError when it is of a kind that cannot hold `what` is wanted: lists and the like, or truth values.
    """
    column = file.table.column(name).combine_chunks()
    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
        if fits(column.type):
            return pc.cast(column, pa.string()) if _is_text(column.type) else column
    except pa.ArrowException as error:
        raise DataError(f"{file.path}: column {name!r} cannot be read as {what} ({error})") from error
    raise DataError(
        f"{file.path}: column {name!r} holds {kind}, not {what}; name a file where it holds {what}"
    )


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind)
    )


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _is_scalar(kind: Any) -> bool:
    return _is_number(kind) or _is_text(kind) or bool(pa.types.is_temporal(kind))


def _numbers(file: RawFile, name: str | None) -> Floats:
    """Return column `name` as float64, NaN where a value is absent or no number; text is read as numbers."""
    if name is None:
        return np.full(file.table.num_rows, np.nan)
    column = _column(file, name, lambda kind: _is_number(kind) or _is_text(kind), "numbers")
    if not _is_text(column.type):
        return np.array(
            pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64
        )
    text: Any = pd.Series(pc.fill_null(pc.utf8_trim_whitespace(column), "").to_numpy(False), dtype=object)
    is_number = pd.to_numeric(text, errors="coerce").notna().to_numpy()
    # float() reads a decimal to the nearest double; the faster parsers may be a bit off in the last place.
    return np.asarray(np.where(is_number, text.to_numpy(), "nan"), dtype=np.float64)


def _splits(file: RawFile, name: str | None) -> Floats:
    """Return split ratios, 1 where none is stated (absent, or 0 as some sources write it), NaN for what is none."""
    ratios = _stated(file, name, 1.0)
    return np.where(ratios == 0.0, 1.0, ratios)


def _dividends(file: RawFile, name: str | None) -> Floats:
    return _stated(file, name, 0.0)


def _stated(file: RawFile, name: str | None, absent: float) -> Floats:
    """Return column `name` as numbers, `absent` where nothing is stated and NaN where text is no number: "2:1"."""
    if name is None:
        return np.full(file.table.num_rows, absent)
    numbers = _numbers(file, name)
    column = _column(file, name, lambda kind: _is_number(kind) or _is_text(kind), "numbers")
    if not _is_text(column.type):
        return np.where(np.isnan(numbers), absent, numbers)
    text = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(column, "")))
    nothing = pc.is_in(text, value_set=pa.array(_NOTHING, text.type)).to_numpy(zero_copy_only=False)
    return np.where(nothing, absent, numbers)


def wanted_rows(
    symbol_id: NDArray[np.int16], symbols: Sequence[str], wanted: Collection[str]
) -> NDArray[np.bool_]:
    """Return which rows are of the symbols `wanted`."""
    flags = np.array([*(name in wanted for name in symbols), False], dtype=np.bool_)
    return flags[symbol_id]
