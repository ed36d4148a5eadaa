"""Stored bars come back exactly, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import storage
from domain.bars import BarTable
from domain.errors import DataError, DurabilityError
from storage.bar_tables import COLUMN_TYPES, BarColumns, build_table, columns_of
from storage.catalogue import META_KEY, is_bar_file, read_bars, read_notes, write_bars

HOUR = 3_600_000_000_000
FIRST = date(2024, 1, 1).toordinal()


@st.composite
def tables(draw: st.DrawFn) -> BarTable:
    """Draw a table of one to three symbols with any finite prices, some bars missing, volume maybe unknown."""
    names = draw(
        st.lists(
            st.sampled_from(["AAPL", "BRK.B", "BTC/USD@coinbase", "XRP/USDT:USDT"]), min_size=1, unique=True
        )
    )
    keys = [(hour, i) for hour in range(60) for i in range(len(names))]
    picked = draw(st.lists(st.sampled_from(keys), min_size=1, max_size=40, unique=True))
    hours, ids = (np.array(values, dtype=np.int64) for values in zip(*picked, strict=True))
    price = st.floats(min_value=1e-9, max_value=1e12)
    floats = [np.array(draw(st.lists(price, min_size=len(picked), max_size=len(picked)))) for _ in range(4)]
    volume = st.one_of(st.just(float("nan")), st.floats(min_value=0, max_value=1e15))
    return build_table(
        names,
        HOUR,
        draw(st.booleans()),
        BarColumns(
            ids.astype(np.int16),
            hours * HOUR,
            (hours + 1) * HOUR,
            (hours // 24 + FIRST).astype(np.int32),
            floats[0],
            floats[1],
            floats[2],
            floats[3],
            np.array(draw(st.lists(volume, min_size=len(picked), max_size=len(picked)))),
            np.zeros(len(picked)),
        ),
    )


def assert_same(one: BarTable, other: BarTable) -> None:
    """Fail unless both tables hold the same bars, bit for bit, in the same types."""
    assert (one.symbols, one.bar_ns, one.continuous) == (other.symbols, other.bar_ns, other.continuous)
    assert one.fingerprint == other.fingerprint
    for name in (*COLUMN_TYPES, "starts"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes(), name


def small_table() -> BarTable:
    hours = np.repeat(np.arange(48), 2)
    close = np.linspace(10, 20, len(hours))
    return build_table(
        ["AAA", "BBB"],
        HOUR,
        True,
        BarColumns(
            np.tile(np.array([0, 1], dtype=np.int16), 48),
            hours * HOUR,
            (hours + 1) * HOUR,
            (hours // 24 + FIRST).astype(np.int32),
            close,
            close + 1,
            close - 1,
            close,
            np.full(len(hours), np.nan),
            np.zeros(len(hours)),
        ),
    )


@given(tables())
def test_a_round_trip_is_exact(table: BarTable) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.parquet"
        write_bars(path, table, {"adjustment": "none"})
        assert_same(read_bars(path), table)
        assert read_notes(path) == {"adjustment": "none"}


def test_symbols_and_inclusive_days_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    part = read_bars(path, ["BBB"], date(2024, 1, 2), date(2024, 1, 2))
    assert part.symbols == ("BBB",)
    assert part.rows == 24
    assert set(part.session.tolist()) == {FIRST + 1}


def test_a_symbol_not_stored_is_refused_by_file_and_name(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    with pytest.raises(DataError, match=r"bars\.parquet.*ZZZ.*available: AAA, BBB"):
        read_bars(path, ["ZZZ"])


@pytest.mark.parametrize("name", ["close", "known_ns", "session", "dividend"])
def test_an_altered_value_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    stored = pq.read_table(path)
    values = stored.column(name).to_numpy().copy()
    values[-2:] += 1
    at = stored.column_names.index(name)
    pq.write_table(stored.set_column(at, name, pa.array(values)), path)
    with pytest.raises(DataError, match="altered"):
        read_bars(path)


def test_a_cut_file_is_refused_at_every_length(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_bars(path)


def test_a_flipped_byte_never_yields_other_bars(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    table = small_table()
    write_bars(path, table)
    whole = path.read_bytes()
    refused = 0
    for place in range(4, len(whole), 41):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            assert_same(read_bars(path), table)
        except DataError:
            refused += 1
    assert refused > 10


def test_a_lost_row_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    pq.write_table(pq.read_table(path).slice(0, 90), path)
    with pytest.raises(DataError, match="altered"):
        read_bars(path)


def test_a_column_with_nulls_or_of_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    for odd in (pa.array([None] + [1.0] * 95), pa.array(["a"] * 96)):
        write_bars(path, small_table())
        stored = pq.read_table(path)
        at = stored.column_names.index("close")
        pq.write_table(stored.set_column(at, "close", odd), path)
        with pytest.raises(DataError, match="cannot be read"):
            read_bars(path)


def test_reading_loads_no_pandas(tmp_path: Path) -> None:
    """Actors read bars and must stay lean (architecture, section 6)."""
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    program = (
        "import sys; from pathlib import Path; from storage.catalogue import read_bars;"
        f"assert read_bars(Path({str(path)!r}), ['AAA']).rows == 48;"
        "print([name for name in ('pandas', 'polars', 'exchange_calendars') if name in sys.modules])"
    )
    root = str(Path(storage.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_other_parquet_files_and_no_files_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    assert not is_bar_file(other)
    with pytest.raises(DataError, match="not a bar file"):
        read_bars(other)
    with pytest.raises(DataError, match="no such file"):
        read_bars(tmp_path / "absent.parquet")


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    write_bars(path, small_table())
    stored = pq.read_table(path)
    about = json.loads(stored.schema.metadata[META_KEY]) | {"version": 99}
    pq.write_table(stored.replace_schema_metadata({META_KEY: json.dumps(about).encode()}), path)
    with pytest.raises(DataError, match="version 99"):
        read_bars(path)


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    path.mkdir()
    with pytest.raises(DurabilityError, match=r"bars\.parquet"):
        write_bars(path, small_table())
    assert path.is_dir()
    assert [entry.name for entry in tmp_path.iterdir()] == ["bars.parquet"]


def test_a_second_write_replaces_the_first(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bars.parquet"
    table = small_table()
    write_bars(path, table)
    columns = columns_of(table)
    second = build_table(table.symbols, HOUR, True, columns._replace(close=columns.close + 0.5))
    write_bars(path, second)
    assert_same(read_bars(path), second)
    assert [entry.name for entry in path.parent.iterdir()] == ["bars.parquet"]
