"""The import as a whole: what reaches the table, what is refused and counted, what is said."""

from __future__ import annotations

import csv
import gzip
import json
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DataError
from simulation.importing.importer import describe, import_bars
from storage.catalogue import write_bars
from tests.unit.simulation.importing.conftest import Lines, Take, instrument, weekdays

YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume"
GENERIC = "timestamp,symbol,open,high,low,close,volume"
# A stretch of 2023 without a holiday.
DAYS = weekdays(date(2023, 9, 5), 40)
KNOWN_BAD = {
    "not_finite": ("nan", "inf", "-inf", "null", ""),
    "not_positive": ("0", "-1", "-0.0"),
    "crossed": ("1e9", "3"),
}


def row(day: date, symbol: str = "AAPL", price: float = 10.0) -> str:
    return f"{day},{symbol},{price},{price + 1},{price - 1},{price + 0.5},1000"


def test_a_yahoo_file_is_read_under_its_name(lines: Lines, take: Take) -> None:
    imported = take(lines("aapl.csv", YAHOO, *(f"{day},10,11,9,10,10,5" for day in DAYS)))
    assert imported.table.symbols == ("AAPL",)
    assert imported.table.rows == len(imported.table) == 40
    assert (imported.report.bar_size, imported.report.calendar) == ("1 day", "XNYS")
    assert imported.report.rows_read == imported.report.rows_accepted == 40


def test_daily_bars_open_and_are_known_with_their_session(lines: Lines, take: Take) -> None:
    group = take(lines("A.csv", YAHOO, *(f"{day},10,11,9,10,10,5" for day in DAYS))).table.group(0)
    opens = datetime(2023, 9, 5, 13, 30, tzinfo=UTC)
    assert group.open_ns == int(opens.timestamp()) * 10**9
    assert group.known_ns - group.open_ns == 6.5 * 3600 * 10**9
    assert group.session == date(2023, 9, 5).toordinal()


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000])
def test_crypto_bars_with_epoch_stamps_run_round_the_clock(lines: Lines, take: Take, factor: int) -> None:
    first = 1_700_006_400  # midnight of 2023-11-15
    text = [f"{(first + 3600 * i) * factor},10,11,9,10,5" for i in range(48)]
    imported = take(lines("BTC_USDT.csv", "unix,open,high,low,close,volume", *text))
    assert imported.table.symbols == ("BTC/USDT",)
    assert imported.table.continuous
    assert imported.table.bar_ns == 3_600_000_000_000
    assert imported.table.open_ns[0] == first * 10**9
    assert sorted(set(imported.table.session.tolist())) == [
        date(2023, 11, 15).toordinal(),
        date(2023, 11, 16).toordinal(),
    ]


def test_minutes_outside_the_session_are_refused_and_counted(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    opens = datetime(2024, 1, 2, 14, 28, tzinfo=UTC)
    text = [f"{(opens + timedelta(minutes=i)).isoformat()},A,10,11,9,10,5" for i in range(394)]
    imported = take(lines("A.csv", GENERIC, *text), kept_aside=tmp_path / "refused.csv")
    assert imported.report.refused == {"outside_session": 4}
    assert imported.table.rows == 390
    assert imported.report.symbols[0].gaps == 0


def test_bars_off_the_grid_are_refused(lines: Lines, take: Take) -> None:
    first = 1_700_006_400
    stamps = [first + 60 * i for i in range(300)]
    stamps[50] += 17
    imported = take(
        lines("BTC_USD.csv", "ts,open,high,low,close,volume", *(f"{s},10,11,9,10,5" for s in stamps))
    )
    assert imported.report.refused == {"off_grid": 1}


@pytest.mark.parametrize("order", ["by_symbol", "by_time"])
def test_files_grouped_by_symbol_or_by_time_give_the_same_bars(lines: Lines, take: Take, order: str) -> None:
    keys = [(symbol, day) for symbol in ("AAPL", "MSFT") for day in DAYS]
    if order == "by_time":
        keys.sort(key=lambda key: key[1])
    imported = take(lines(f"{order}.csv", GENERIC, *(row(day, symbol) for symbol, day in keys)))
    assert imported.report.refused == {}
    assert len(imported.table) == 40
    assert (
        imported.table.fingerprint
        == take(lines("x.csv", GENERIC, *(row(d, s) for s, d in sorted(keys)))).table.fingerprint
    )


def test_a_file_written_newest_first_is_read_from_its_end_and_says_so(lines: Lines, take: Take) -> None:
    imported = take(lines("A.csv", GENERIC, *(row(day) for day in reversed(DAYS))))
    assert imported.report.refused == {}
    assert any("newest first" in note for note in imported.report.notes)
    assert imported.table.fingerprint == take(lines("B.csv", GENERIC, *map(row, DAYS))).table.fingerprint


def test_of_a_file_written_newest_first_the_right_row_is_refused(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    text = [row(day) for day in reversed(DAYS)]
    text[3] = text[3].replace("1000", "-7")
    imported = take(lines("A.csv", GENERIC, *text), kept_aside=tmp_path / "refused.csv")
    with (tmp_path / "refused.csv").open() as stream:
        (refused,) = list(csv.DictReader(stream))
    assert (refused["row"], refused["timestamp"], refused["volume"]) == ("5", str(DAYS[-4]), "-7")
    assert DAYS[-4].toordinal() not in imported.table.session


def test_a_row_out_of_order_is_set_aside_not_sorted_in(lines: Lines, take: Take, tmp_path: Path) -> None:
    days = [*DAYS[:3], *DAYS[4:9], DAYS[3], *DAYS[9:]]
    imported = take(lines("A.csv", GENERIC, *map(row, days)), kept_aside=tmp_path / "refused.csv")
    assert imported.report.refused == {"out_of_order": 1}
    assert DAYS[3].toordinal() not in imported.table.session
    with (tmp_path / "refused.csv").open() as stream:
        (refused,) = list(csv.DictReader(stream))
    assert (refused["row"], refused["rule"], refused["timestamp"]) == ("10", "out_of_order", str(DAYS[3]))


def test_of_two_rows_that_contradict_each_other_the_first_sound_one_stays(lines: Lines, take: Take) -> None:
    text = [row(day) for day in DAYS]
    text.insert(4, row(DAYS[3], price=20))
    text.insert(0, row(DAYS[0]).replace("1000", "-1000"))
    imported = take(lines("A.csv", GENERIC, *text))
    assert imported.report.refused == {"conflicting_duplicate": 1, "negative_volume": 1}
    assert imported.table.open.tolist() == [10.0] * 40
    assert imported.report.conflicts == (f"AAPL {DAYS[3]}T00:00:00: row 7 contradicts an earlier row",)


def test_volume_may_be_absent_throughout_a_symbol_not_here_and_there(lines: Lines, take: Take) -> None:
    text = [row(day, "AAPL").replace("1000", "" if i in (3, 5) else "1000") for i, day in enumerate(DAYS)]
    text += [row(day, "MSFT").replace("1000", "nan") for day in DAYS]
    imported = take(lines("A.csv", GENERIC, *text))
    assert imported.report.refused == {"missing_volume": 2}
    assert [(s.symbol, s.rows, s.has_volume) for s in imported.report.symbols] == [
        ("AAPL", 38, True),
        ("MSFT", 40, False),
    ]
    assert np.isnan(imported.table.volume[imported.table.symbol_id == 1]).all()


def test_the_kept_aside_file_holds_place_rule_and_original_values(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    text = [row(day) for day in DAYS]
    text[2] = text[2].replace("11.0", " n/a")
    text[5] += ",7"
    path = lines("A.csv", GENERIC, *text)
    imported = take(path, kept_aside=tmp_path / "out" / "refused.csv")
    with (tmp_path / "out" / "refused.csv").open() as stream:
        found = list(csv.DictReader(stream))
    assert imported.report.kept_aside == str(tmp_path / "out" / "refused.csv")
    assert [(r["file"], r["row"], r["rule"]) for r in found] == [
        (str(path), "4", "not_finite"),
        (str(path), "7", "ragged"),
    ]
    assert found[0]["high"] == " n/a"
    assert found[1]["timestamp"] == text[5]


def test_a_clean_import_replaces_a_kept_aside_file_by_an_empty_one(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    kept = lines("refused.csv", "old", "rows")
    take(lines("A.csv", GENERIC, *map(row, DAYS)), kept_aside=kept)
    assert kept.read_text() == "file,row,rule,timestamp,symbol,open,high,low,close,volume\n"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["A.csv", "refused.csv"]


@pytest.mark.parametrize("kept", ["d/refused.csv", "d/A.csv"])
def test_refused_rows_are_not_kept_where_bars_are_read(
    lines: Lines, take: Take, tmp_path: Path, kept: str
) -> None:
    folder = lines("d/A.csv", GENERIC, *map(row, DAYS)).parent
    with pytest.raises(DataError, match="elsewhere"):
        take(folder, kept_aside=tmp_path / kept)
    with pytest.raises(DataError, match="elsewhere"):
        take(folder / "A.csv", kept_aside=folder / "A.csv")
    assert len((folder / "A.csv").read_text().splitlines()) == 41


def test_start_only_marks_where_trading_begins_and_end_cuts(lines: Lines, take: Take) -> None:
    path = lines("A.csv", GENERIC, *map(row, DAYS))
    imported = take(path, start=DAYS[10], end=DAYS[30])
    assert len(imported.table) == 31
    assert imported.first_trading_group == 10
    assert imported.report.rows_after_end == 9
    weekend = take(path, start=date(2023, 9, 16))
    assert imported.table.session[10] == DAYS[10].toordinal()
    assert date.fromordinal(int(weekend.table.session[weekend.first_trading_group])) == date(2023, 9, 18)
    assert take(path).first_trading_group == 0


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (date(2024, 1, 1), None, "no bar on or after 2024-01-01; the bars asked for end on 2023-10-30"),
        (None, date(2020, 1, 1), "rows after 2020-01-01: 40"),
        (date(2023, 10, 2), date(2023, 10, 1), "is after the last day"),
    ],
)
def test_a_range_without_bars_is_refused(lines: Lines, take: Take, start: date, end: date, said: str) -> None:
    with pytest.raises(DataError, match=said):
        take(lines("A.csv", GENERIC, *map(row, DAYS)), start=start, end=end)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["AAPLE"], r"A\.csv: holds no bars of AAPLE; nearest: AAPL; available: AAPL, MSFT"),
        (["ZZZ", "AAPL"], "holds no bars of ZZZ; available: AAPL, MSFT"),
        (["a,b"], "no known form"),
        ([], "no symbol was asked for; available: AAPL, MSFT"),
    ],
)
def test_a_symbol_not_in_the_file_is_refused_by_name(
    lines: Lines, take: Take, asked: list[str], said: str
) -> None:
    path = lines("A.csv", GENERIC, *(row(day, symbol) for symbol in ("AAPL", "MSFT") for day in DAYS))
    with pytest.raises(DataError, match=said):
        take(path, asked)


def test_symbols_are_found_however_they_are_spelt(lines: Lines, take: Take) -> None:
    path = lines("A.csv", GENERIC, *(row(day, symbol) for symbol in ("BRK-B", "MSFT") for day in DAYS))
    imported = take(path, ["brk b"])
    assert imported.table.symbols == ("BRK.B",)
    assert imported.report.rows_of_other_symbols == 40
    assert "symbol 'BRK-B' is written 'BRK.B'" in imported.report.notes


def test_bad_rows_of_symbols_not_asked_for_are_not_counted(lines: Lines, take: Take) -> None:
    text = [row(day, symbol) for symbol in ("AAPL", "MSFT") for day in DAYS]
    text[-1] = text[-1].replace("1000", "-5")
    assert take(lines("A.csv", GENERIC, *text), ["AAPL"]).report.refused == {}


def test_a_symbol_whose_rows_are_all_refused_is_an_error_if_asked_for_else_listed(
    lines: Lines, take: Take
) -> None:
    text = [row(day, "AAPL") for day in DAYS] + [row(day, "MSFT").replace("1000", "-1") for day in DAYS]
    path = lines("A.csv", GENERIC, *text)
    with pytest.raises(DataError, match=r"no usable bar of MSFT; rows refused: negative_volume 40"):
        take(path, ["AAPL", "MSFT"])
    assert take(path).report.symbols_absent == ("MSFT",)


def test_a_file_of_bad_rows_only_is_refused_with_counts_and_still_kept_aside(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    text = [row(day).replace("1000", "-1") for day in DAYS[:30]] + [
        row(day).replace("10.0", "0") for day in DAYS[30:]
    ]
    with pytest.raises(DataError, match="negative_volume 30, not_positive 10"):
        take(lines("A.csv", GENERIC, *text), kept_aside=tmp_path / "refused.csv")
    assert len((tmp_path / "refused.csv").read_text().splitlines()) == 41


@pytest.mark.parametrize("count", [1, 3])
def test_a_file_of_so_few_bad_rows_that_their_size_cannot_be_told_is_refused_for_the_rows(
    count: int, lines: Lines, take: Take, tmp_path: Path
) -> None:
    text = [row(DAYS[0]).replace("1000", "-1")] * count
    with pytest.raises(
        DataError, match=f"no bar can be used; rows refused: negative_volume {count}; the first"
    ):
        take(lines("A.csv", GENERIC, *text), kept_aside=tmp_path / "refused.csv")
    assert len((tmp_path / "refused.csv").read_text().splitlines()) == count + 1


def test_a_single_bar_is_too_few_and_what_was_refused_besides_is_counted(lines: Lines, take: Take) -> None:
    path = lines("A.csv", GENERIC, row(DAYS[0]))
    with pytest.raises(DataError, match=r"A\.csv: one bar is too few: .*; name a file with more$"):
        take(path)
    path = lines(
        "B.csv",
        GENERIC,
        row(DAYS[0]),
        row(DAYS[0]).replace(str(DAYS[0]), "yesterday"),
        row(DAYS[0]).replace("1000", "-1"),
    )
    with pytest.raises(DataError, match=r"too few: .*rows refused besides: bad_stamp 1, negative_volume 1$"):
        take(path)


def test_rows_with_rubbish_for_a_symbol_are_refused(lines: Lines, take: Take) -> None:
    text = [row(day, "A/B/C" if i == 3 else "") if i in (3, 4) else row(day) for i, day in enumerate(DAYS)]
    assert take(lines("A.csv", GENERIC, *text)).report.refused == {"unknown_symbol": 2}


def test_a_file_not_named_by_a_symbol_is_refused(lines: Lines, take: Take) -> None:
    with pytest.raises(DataError, match=r"my prices\.csv: no symbol column"):
        take(lines("my prices.csv", YAHOO, *(f"{day},10,11,9,10,10,5" for day in DAYS)))


def test_symbols_of_two_calendars_are_refused(lines: Lines, take: Take) -> None:
    path = lines("A.csv", GENERIC, *(row(day, symbol) for symbol in ("AAPL", "BTC/USD") for day in DAYS))
    with pytest.raises(DataError, match="several calendars"):
        take(path)
    assert take(path, ["AAPL"]).table.symbols == ("AAPL",)


def test_a_directory_and_compressed_files_give_the_same_bars_as_one_file(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    header = "Date,Open,High,Low,Close,Volume"
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("AAPL", "MSFT"):
        body = "\n".join([header, *(row(day, name).replace(f",{name}", "") for day in DAYS)])
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(body.encode()))
    one = lines("one.csv", GENERIC, *(row(day, symbol) for symbol in ("AAPL", "MSFT") for day in DAYS))
    many = take(folder)
    assert many.table.fingerprint == take(one).table.fingerprint
    assert many.report.files == 2


def test_files_of_different_layouts_are_not_mixed(lines: Lines, take: Take) -> None:
    lines("d/A.csv", YAHOO, *(f"{day},10,11,9,10,10,5" for day in DAYS))
    folder = lines(
        "d/B.csv", "Date,Open,High,Low,Close,Volume", *(f"{day},10,11,9,10,5" for day in DAYS)
    ).parent
    with pytest.raises(DataError, match="different layouts"):
        take(folder)


def test_parquet_with_prices_as_text_or_integers_is_read(take: Take, tmp_path: Path) -> None:
    table = pa.table(
        {"ts": pa.array(DAYS), "symbol": ["A"] * 40, "open": [10] * 40, "high": ["11"] * 40, "low": [9] * 40,
         "close": [10.0] * 39 + [None], "volume": [5] * 40}
    )  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    assert take(tmp_path / "a.parquet").report.refused == {"not_finite": 1}


def test_stored_bars_are_imported_as_they_are(lines: Lines, take: Take, tmp_path: Path) -> None:
    imported = take(
        lines("A.csv", GENERIC, *(row(day, symbol) for symbol in ("AAPL", "MSFT") for day in DAYS))
    )
    stored = tmp_path / "bars.parquet"
    write_bars(stored, imported.table, imported.report.stored_notes())
    again = take(stored)
    assert again.table.fingerprint == imported.table.fingerprint
    assert again.report.layout == "stored bars"
    assert again.report.adjustment == imported.report.adjustment
    part = take(stored, ["msft"], start=DAYS[5], end=DAYS[9])
    assert (part.table.symbols, len(part.table), part.first_trading_group) == (("MSFT",), 10, 5)
    with pytest.raises(DataError, match="available: AAPL, MSFT"):
        take(stored, ["ZZZ"])
    with pytest.raises(DataError, match="no bar up to 2001-01-01"):
        take(stored, end=date(2001, 1, 1))


def test_stored_bars_of_another_kind_of_calendar_are_refused(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    stored = tmp_path / "bars.parquet"
    write_bars(stored, take(lines("A.csv", GENERIC, *map(row, DAYS))).table)
    with pytest.raises(DataError, match="stored as trading in sessions, the instruments say 24/7"):
        import_bars(
            stored,
            symbols=None,
            start=None,
            end=None,
            instruments=lambda symbol: replace(instrument(symbol), calendar="24/7"),
            kept_aside=None,
        )


def test_a_kept_aside_file_that_cannot_be_written_is_an_error(
    lines: Lines, take: Take, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(DataError, match="could not be written"):
        take(lines("d/A.csv", GENERIC, *map(row, DAYS)), kept_aside=tmp_path / "kept")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d", "kept"]


def test_a_column_that_holds_no_numbers_is_refused_by_name(take: Take, tmp_path: Path) -> None:
    columns = {"ts": pa.array(DAYS[:2]), "open": [[1], [2]], "high": [2, 2], "low": [1, 1], "close": [1, 1]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="'open' holds list"):
        take(tmp_path / "a.parquet")


def test_the_report_is_plain_data_for_json(lines: Lines, take: Take) -> None:
    report = take(lines("A.csv", GENERIC, *map(row, DAYS))).report.as_dict()
    assert json.loads(json.dumps(report, allow_nan=False))["rows_accepted"] == 40


def test_describing_writes_nothing_and_reports_the_same(lines: Lines, take: Take, tmp_path: Path) -> None:
    path = lines("A.csv", GENERIC, *map(row, DAYS))
    assert describe(path).as_dict() == take(path).report.as_dict()
    assert [entry.name for entry in tmp_path.iterdir()] == ["A.csv"]


@given(st.data())
def test_planted_bad_rows_never_reach_the_table_and_each_is_counted(data: st.DataObject) -> None:
    """Each planted fault costs its own row, or comes beside a sound one; all else arrives unchanged."""
    sound = [[str(day), symbol, "10", "12", "8", "11", "1000"] for symbol in ("AAPL", "MSFT") for day in DAYS]
    spoilt = data.draw(st.dictionaries(st.integers(0, 79), st.sampled_from(sorted(KNOWN_BAD)), max_size=12))
    added = data.draw(
        st.dictionaries(
            st.integers(0, 79),
            st.sampled_from(
                [
                    "duplicate",
                    "conflicting_duplicate",
                    "bad_stamp",
                    "unknown_symbol",
                    "not_a_session",
                    "ragged",
                ]
            ),
            max_size=12,
        )
    )
    text: list[str] = []
    expected: Counter[str] = Counter(spoilt.values())
    for i, values in enumerate(sound):
        line = list(values)
        if i in spoilt:
            column = 2 if spoilt[i] != "crossed" else 4
            line[column] = data.draw(st.sampled_from(KNOWN_BAD[spoilt[i]]))
            if spoilt[i] == "crossed":
                line[column] = "13"
        text.append(",".join(line))
        if i in added:
            rule = added[i]
            # Beside a refused row a repeat is the first sound one: it would rightly stay.
            if rule in ("duplicate", "conflicting_duplicate") and i in spoilt:
                continue
            text.append(_planted(values, rule))
            expected[rule] += 1
    with tempfile.TemporaryDirectory() as folder:
        path, kept = Path(folder) / "bars.csv", Path(folder) / "kept.csv"
        path.write_text("\n".join([GENERIC, *text]))
        imported = import_bars(
            path, symbols=None, start=None, end=None, instruments=instrument, kept_aside=kept
        )
        with kept.open() as stream:
            assert Counter(line["rule"] for line in csv.DictReader(stream)) == expected
    assert imported.report.refused == dict(expected)
    assert imported.report.rows_read == imported.table.rows + sum(expected.values())
    bars = {(bar.symbol, group.session): bar[1:6] for group in imported.table.groups() for bar in group.bars}
    wanted = {
        (values[1], date.fromisoformat(values[0]).toordinal()): (10.0, 12.0, 8.0, 11.0, 1000.0)
        for i, values in enumerate(sound)
        if i not in spoilt
    }
    assert bars == wanted


def _planted(values: list[str], rule: str) -> str:
    line = list(values)
    if rule == "conflicting_duplicate":
        line[5] = "11.5"
    elif rule == "bad_stamp":
        line[0] = "yesterday"
    elif rule == "unknown_symbol":
        line[1] = "A|B"
    elif rule == "not_a_session":
        day = date.fromisoformat(line[0])
        line[0] = str(day + timedelta(days=5 - day.weekday()))
    elif rule == "ragged":
        line.append("9")
    return ",".join(line)
