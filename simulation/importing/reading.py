"""Read the tables of bar files as they stand, with the place of every row."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from domain.bars import Ints
from domain.errors import DataError
from simulation.importing.layouts import KNOWN_LAYOUTS, Layout, recognise

_CSV_ENDINGS = (".csv", ".csv.gz", ".txt", ".txt.gz")
_DELIMITERS = ",;\t|"
_PARQUET_MAGIC = b"PAR1"
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawFile:
    """Hold one file's rows: the Arrow table as read, the place of each row, and lines that are no rows.

    `rows` are line numbers of a CSV (its header is line 1) or row numbers of a Parquet file (from 1). `ragged` are the
    lines with another number of fields than the header.
    """

    path: Path
    layout: Layout
    table: Any
    rows: Ints
    ragged: tuple[tuple[int, str], ...]

    @property
    def stem(self) -> str:
        """Return the file's name without its endings."""
        name = self.path.name
        return next(
            (name[: -len(end)] for end in (*_CSV_ENDINGS, ".parquet") if name.lower().endswith(end)), name
        )


def read_files(path: Path) -> list[RawFile]:
    """Return the rows of the file `path`, or of each CSV file in the directory `path`, sorted by name.

    Raises DataError when there is nothing to read, a file is empty, truncated or unreadable, or holds no bars.
    """
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.is_file() and f.name.lower().endswith(_CSV_ENDINGS))
        if not files:
            raise DataError(f"{path}: a directory without CSV files; known layouts: {KNOWN_LAYOUTS}")
        return [read_file(file) for file in files]
    if not path.exists():
        raise DataError(f"{path}: no such file or directory; name one that exists")
    if not path.is_file():
        raise DataError(f"{path}: a pipe, socket or device; name a regular file, or a directory of CSV files")
    return [read_file(path)]


def read_file(path: Path) -> RawFile:
    """Return the rows of the file `path`, told apart by content; raises DataError as `read_files` does."""
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
        if not head:
            raise DataError(f"{path}: the file is empty; name one that holds bars")
        if head == _PARQUET_MAGIC:
            return _read_parquet(path)
        data = path.read_bytes()
        return _read_csv(path, gzip.decompress(data) if head[:2] == _GZIP_MAGIC else data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the compressed file is truncated or damaged ({error})") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: the file cannot be read ({error}); known layouts: {KNOWN_LAYOUTS}"
        ) from error


def _read_parquet(path: Path) -> RawFile:
    table = pq.ParquetFile(path).read()
    layout = recognise(path, table.column_names)
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return RawFile(path=path, layout=layout, table=table, rows=rows, ragged=())


def _read_csv(path: Path, data: bytes) -> RawFile:
    first_line, _, body = data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        header = first_line.decode().strip("\r")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: neither Parquet nor UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    if "\0" in header:
        raise DataError(f"{path}: neither Parquet nor text (a zero byte at {header.index(chr(0))})")
    delimiter = max(_DELIMITERS, key=header.count)
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    if len(set(names)) != len(names):
        raise DataError(f"{path}: a column occurs twice in the header: {', '.join(names)}")
    layout = recognise(path, names)
    if not body.strip():
        raise DataError(f"{path}: a header without rows")
    table, rows, ragged = _parse_csv(body, names, delimiter)
    return RawFile(path=path, layout=layout, table=table, rows=rows, ragged=ragged)


def _parse_csv(
    body: bytes, names: list[str], delimiter: str
) -> tuple[Any, Ints, tuple[tuple[int, str], ...]]:
    """Return the rows of `body` as text, their line numbers, and the lines with too few or too many fields."""
    odd: list[tuple[int, str]] = []

    def set_aside(row: Any) -> str:
        odd.append((int(row.number) + 1, str(row.text)))
        return "skip"

    # Empty lines are read as rows and dropped afterwards: the numbers of the lines after them stay right.
    # Arrow would take SIGINT for itself and give the file up as unreadable; the command notes it and goes on in order.
    pa.enable_signal_handlers(False)
    table = pa_csv.read_csv(
        pa.BufferReader(body),
        read_options=pa_csv.ReadOptions(column_names=names, use_threads=False),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=set_aside
        ),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    numbers = np.arange(2, table.num_rows + len(odd) + 2, dtype=np.int64)
    rows = np.setdiff1d(numbers, np.array([number for number, _ in odd], dtype=np.int64))
    lengths = [pc.utf8_length(pc.utf8_trim_whitespace(table.column(name))).to_numpy() for name in names]
    filled = np.sum(lengths, axis=0) > 0
    return table.filter(pa.array(filled)), rows[filled], tuple(odd)
