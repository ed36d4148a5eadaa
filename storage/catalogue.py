"""Keep bar tables as Parquet files that are written whole or not at all and verified when read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from domain.bars import BarTable
from domain.errors import BreakwaterError, DataError, DurabilityError
from storage.bar_tables import COLUMN_TYPES, BarColumns, build_table, columns_of, select
from storage.files import ROOM, replacing

META_KEY = b"breakwater.bars"
FORMAT_VERSION = 1


def write_bars(path: Path, table: BarTable, notes: Mapping[str, str] | None = None) -> None:
    """Write `table` to the Parquet file `path`, replacing it in one step; `notes` say what was done to the bars.

    The file is on disk (fsync of file and directory) when this returns. Raises DurabilityError when it cannot be
    written; an existing file is then unchanged.
    """
    about = {
        "version": FORMAT_VERSION,
        "symbols": list(table.symbols),
        "bar_ns": table.bar_ns,
        "continuous": table.continuous,
        "fingerprint": table.fingerprint,
        "notes": dict(notes or {}),
    }
    columns = columns_of(table)
    names = pa.array(list(table.symbols), type=pa.string())
    arrays: dict[str, Any] = {"symbol": pa.DictionaryArray.from_arrays(pa.array(columns.symbol_id), names)}
    arrays |= {name: pa.array(getattr(columns, name)) for name in COLUMN_TYPES if name != "symbol_id"}
    stored = pa.table(arrays).replace_schema_metadata({META_KEY: json.dumps(about, sort_keys=True).encode()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            pq.write_table(stored, part, compression="zstd")
    except OSError as error:
        raise DurabilityError(
            f"{path}: the bars could not be written: {error.strerror or error}; {ROOM}"
        ) from error


def is_bar_file(path: Path) -> bool:
    """Return whether `path` is a Parquet file that `write_bars` made; raises DataError when it is no Parquet."""
    return META_KEY in _metadata(path)


def read_notes(path: Path) -> dict[str, str]:
    """Return the notes stored with the bars of `path`; raises DataError as `read_bars` does."""
    notes: dict[str, str] = _about(path, _metadata(path))["notes"]
    return notes


def read_bars(
    path: Path,
    symbols: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> BarTable:
    """Return the bars of `path`, or of `symbols` in the sessions `first` to `last` (both included).

    The whole file is verified against its fingerprint first. Raises DataError when the file is missing, unreadable, not
    a bar file, or altered, when a symbol is not in it, or when no bar is left.
    """
    about = _about(path, _metadata(path))
    try:
        # Not read_table, and not to_numpy: both import pandas where it is installed, which actors must not load.
        with pq.ParquetFile(path) as file:
            table = _table(file.read(), about)
    except (OSError, pa.ArrowException, LookupError, ValueError, TypeError, BreakwaterError) as error:
        raise DataError(f"{path}: the bars cannot be read ({error}); import them again") from error
    if table.fingerprint != about["fingerprint"]:
        raise DataError(
            f"{path}: the bars were altered: fingerprint {table.fingerprint}, stored {about['fingerprint']}; "
            "import them again"
        )
    try:
        return select(table, symbols, first, last)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _table(stored: Any, about: Mapping[str, Any]) -> BarTable:
    names = list(about["symbols"])
    symbol = stored.column("symbol").combine_chunks().dictionary_encode()
    ids = np.array([names.index(name) for name in symbol.dictionary.to_pylist()], dtype=np.int16)
    names_of_values = [name for name in COLUMN_TYPES if name != "symbol_id"]
    values: dict[str, Any] = {
        name: np.from_dlpack(stored.column(name).combine_chunks()) for name in names_of_values
    }
    columns = BarColumns(symbol_id=ids[np.from_dlpack(symbol.indices)], **values)
    return build_table(names, int(about["bar_ns"]), bool(about["continuous"]), columns)


def _metadata(path: Path) -> Mapping[bytes, bytes]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; name one that exists")
    try:
        metadata: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: not a readable Parquet file ({error}); it may be cut short: make it anew, or name another"
        ) from error
    return metadata


def _about(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    if META_KEY not in metadata:
        raise DataError(f"{path}: not a bar file of this program (no {META_KEY.decode()}); import it first")
    try:
        about: dict[str, Any] = json.loads(metadata[META_KEY])
    except ValueError as error:
        raise DataError(
            f"{path}: what the file says of its bars is damaged ({error}); import them again"
        ) from error
    missing = {"version", "symbols", "bar_ns", "continuous", "fingerprint", "notes"} - set(about)
    if missing:
        raise DataError(
            f"{path}: the file does not say its {', '.join(sorted(missing))}; import the bars again"
        )
    if about["version"] != FORMAT_VERSION:
        raise DataError(
            f"{path}: bar file version {about['version']}, this program reads {FORMAT_VERSION}; "
            "import the bars again"
        )
    return about
