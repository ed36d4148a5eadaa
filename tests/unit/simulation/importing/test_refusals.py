"""A refusal names file, row, column and value, and what to do where that can be guessed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, DataError
from domain.instruments import Instrument
from simulation.importing.importer import import_bars
from storage.catalogue import write_bars
from tests.unit.simulation.importing.conftest import Lines, Take, instrument

HEADER = "date;symbol;open;high;low;close;volume"


def three_days(values: str) -> tuple[str, ...]:
    return tuple(f"2023-09-0{day};A;{values}" for day in (5, 6, 7))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            "10,5;11;9;10;5",
            "row 2: not_finite, found open '10,5'; a decimal comma is not read: write 10.5, not 10,5",
        ),
        (
            "10;11;9;1.010,5;5",
            "row 2: not_finite, found close '1.010,5'; a decimal comma is not read: write 10.5, not 10,5",
        ),
        (
            "1,010.5;1,110.0;9;10;5",
            "row 2: not_finite, found open '1,010.5', high '1,110.0'; digits in groups are not read: "
            "write 1234.5, not 1,234.5",
        ),
        ("10;11;9;;5", "row 2: not_finite, found close ''"),
        ("10;11;9;10;inf", "row 2: not_finite, found volume 'inf'"),
        ("10;11;9;n/a;", "row 2: not_finite, found close 'n/a'"),
        ("10;11;0;10;5", "row 2: not_positive, found low '0'"),
        ("10;9;8;10;5", "row 2: crossed, found open '10', high '9', low '8', close '10'"),
        ("10;11;9;10;-5", "row 2: negative_volume, found volume '-5'"),
        ("10;11;9;10;1e30", "row 2: excessive_volume, found volume '1e30'"),
        ("10;11;9;10", "row 2: ragged, found '2023-09-05;A;10;11;9;10'"),
    ],
)
def test_where_no_row_is_left_the_first_is_shown(lines: Lines, take: Take, values: str, says: str) -> None:
    path = lines("bars.csv", HEADER, *three_days(values))
    with pytest.raises(DataError) as refused:
        take(path)
    text = str(refused.value)
    assert f"the first of them, {path}, {says}" in text
    assert text.startswith(f"{path}: no bar can be used; rows refused: ")
    assert text.endswith(says)


def test_a_stamp_and_a_symbol_that_are_none_are_shown(lines: Lines, take: Take) -> None:
    rows = "10;11;9;10;5"
    with pytest.raises(DataError, match=re.escape("row 2: bad_stamp, found date '05.09.2023'")):
        take(lines("a.csv", HEADER, *(f"0{day}.09.2023;A;{rows}" for day in (5, 6, 7))))
    with pytest.raises(DataError, match=re.escape("row 3: unknown_symbol, found symbol '?'")):
        take(lines("b.csv", HEADER, "", *(f"2023-09-0{day};?;{rows}" for day in (5, 6, 7))))


def test_a_huge_volume_costs_its_own_row_alone(lines: Lines, take: Take) -> None:
    good = three_days("10;11;9;10;5")
    imported = take(lines("a.csv", HEADER, *good, "2023-09-08;A;10;11;9;10;1e30"))
    assert imported.report.refused == {"excessive_volume": 1}
    assert imported.table.rows == 3


def test_a_symbol_without_an_instrument_is_refused_with_the_file(lines: Lines) -> None:
    def none(symbol: str) -> Instrument:
        raise ConfigurationError(f"symbol: found {symbol!r}")

    path = lines("a.csv", HEADER, *three_days("10;11;9;10;5"))
    with pytest.raises(DataError, match=re.escape(f"{path}: symbol: found 'A'")):
        import_bars(path, symbols=None, start=None, end=None, instruments=none, kept_aside=None)


def test_what_is_not_parquet_after_all_says_what_to_do(take: Take, tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="it may be cut short: make it anew, or name another") as refused:
        take(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_calendar_that_does_not_exist_is_refused_with_the_file(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    raw = lines("a.csv", HEADER, *three_days("10;11;9;10;5"))
    stored = tmp_path / "stored.parquet"
    write_bars(stored, take(raw).table)

    def elsewhere(symbol: str) -> Instrument:
        return replace(instrument(symbol), calendar="XNOWHERE")

    for path in (raw, stored):
        with pytest.raises(DataError, match=re.escape(f"{path}: calendar 'XNOWHERE'")):
            import_bars(path, symbols=None, start=None, end=None, instruments=elsewhere, kept_aside=None)
