"""Files are read as they stand, with the place of every row; damaged ones are refused."""

from __future__ import annotations

import gzip
import os
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import DataError
from simulation.importing.importer import import_bars
from simulation.importing.reading import read_file, read_files
from tests.unit.simulation.importing.conftest import Lines, Take, instrument

HEADER = "Date,Open,High,Low,Close,Volume"
ROW = "2024-01-02,10,12,9,11,100"


def test_rows_carry_their_line_numbers_over_blank_and_ragged_lines(lines: Lines) -> None:
    file = read_file(lines("A.csv", HEADER, ROW, "", "2024-01-03,10,12", ROW, f"{ROW},7", "", ROW))
    assert file.rows.tolist() == [2, 5, 8]
    assert file.ragged == ((4, "2024-01-03,10,12"), (6, f"{ROW},7"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(lines: Lines, delimiter: str) -> None:
    file = read_file(lines("A.csv", HEADER.replace(",", delimiter), ROW.replace(",", delimiter)))
    assert file.table.column("Close").to_pylist() == ["11"]


def test_windows_line_ends_byte_order_marks_and_quotes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "A.csv"
    path.write_bytes(b'\xef\xbb\xbf"Date","Open","High","Low","Close"\r\n"2024-01-02","1","2","1","2"\r\n')
    file = read_file(path)
    assert file.layout.stamp == "Date"
    assert file.table.column("Close").to_pylist() == ["2"]


def test_compressed_csv_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "brk-b.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{ROW}\n".encode(), mtime=0))
    file = read_file(path)
    assert file.rows.tolist() == [2]
    assert file.stem == "brk-b"


def test_parquet_is_told_by_content_and_rows_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "bars.bin"
    names = ("date", "open", "high", "low", "close")
    pq.write_table(pa.table({name: [1, 2, 3] for name in names}), path)
    assert read_file(path).rows.tolist() == [1, 2, 3]


def test_a_directory_gives_its_csv_files_by_name(lines: Lines) -> None:
    lines("d/B.csv", HEADER, ROW)
    lines("d/A.csv", HEADER, ROW)
    folder = lines("d/notes.md", "not bars").parent
    assert [file.stem for file in read_files(folder)] == ["A", "B"]


def whole_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [1.0] * 50 for name in ("ts", "open", "high", "low", "close")}), sink)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (f"{HEADER}\n".encode(), "a header without rows"),
        (HEADER.encode(), "a header without rows"),
        (b"\n\n", "Known layouts"),
        (b"hello\nworld\n", "Known layouts"),
        (b"2024-01-02,10,12,9,11,100\n2024-01-03,10,12,9,11,100\n", "Known layouts"),
        (b"Date,Open,Open,Low,Close\n", "twice"),
        (b"\xff\xfe\x00\x01", "neither Parquet nor UTF-8"),
        (HEADER.encode() + b"\n2024-01-02,10,12,9,\xff\xff,1\n", "cannot be read"),
        (whole_parquet()[:200], "cannot be read"),
        (b"PAR1", "cannot be read"),
        (gzip.compress(f"{HEADER}\n{ROW}\n".encode(), mtime=0)[:-12], "truncated or damaged"),
        (b"\x1f\x8bgarbage", "truncated or damaged"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.csv") as refusal:
        read_file(path)
    assert said in str(refusal.value)


def test_an_absent_file_and_a_directory_without_csv_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_files(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="without CSV files"):
        read_files(tmp_path)


DAYS = [date(2023, 9, day) for day in (5, 6, 7)]
PRICES: dict[str, list[Any]] = {"open": [10.0] * 3, "high": [11.0] * 3, "low": [9.0] * 3, "close": [10.0] * 3}


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("close", [[10.0]] * 3, "list<element: double>, not numbers"),
        ("close", [{"at": 10.0}] * 3, "struct<at: double>, not numbers"),
        ("close", [True] * 3, "bool, not numbers"),
        ("close", DAYS, "date32[day], not numbers"),
        ("volume", [True] * 3, "bool, not numbers"),
        ("date", [[1]] * 3, "list<element: int64>, not stamps"),
        ("date", [True] * 3, "bool, not stamps"),
        ("symbol", [["A"]] * 3, "list<element: string>, not symbols"),
    ],
)
def test_a_column_of_another_kind_is_refused_by_file_name_and_kind(
    take: Take, tmp_path: Path, column: str, values: list[Any], found: str
) -> None:
    path = tmp_path / "A.parquet"
    pq.write_table(pa.table({"date": DAYS, **PRICES, column: values}), path)
    with pytest.raises(DataError, match=re.escape(f"{path}: column {column!r} holds {found}")):
        take(path)


def test_numbers_come_in_many_types_and_symbols_too(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    kinds = {
        "open": pa.array(["10"] * 3, pa.large_string()),
        "high": pa.array([Decimal("11.5")] * 3),
        "low": pa.array([b"9"] * 3),
        "close": pa.array([10] * 3, pa.int8()),
        "volume": pa.nulls(3),
        "symbol": pa.array(["A"] * 3).dictionary_encode(),
    }
    pq.write_table(pa.table({"date": DAYS, **kinds}), path)
    (bar,) = take(path).table.group(2).bars
    assert bar[:5] == ("A", 10.0, 11.5, 9.0, 10.0)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bars.csv")
    with pytest.raises(DataError, match="name a regular file"):
        read_files(tmp_path / "bars.csv")


@pytest.mark.parametrize(("name", "words"), [("a" * 300, "File name too long"), ("loop", "Too many levels")])
def test_path_that_no_file_system_takes_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=f"{words}.*; name a file or a folder of bars that exists"):
        import_bars(
            tmp_path / name,
            symbols=None,
            start=None,
            end=None,
            instruments=instrument,
            kept_aside=tmp_path / "r",
        )
