from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.catalogue import read_bars
from tests.unit.cli.conftest import Invoke

HEADER = "date,symbol,open,high,low,close,volume"
GOOD = [f"2020-01-{day:02d},{symbol},10,11,9,10.5,100" for day in (2, 3, 6, 8) for symbol in ("AAA", "BBB")]
BAD = {
    "crossed": "2020-01-09,AAA,10,9,9,10,100",
    "duplicate": "2020-01-08,BBB,10,11,9,10.5,100",
    "not_finite": "2020-01-10,AAA,nan,11,9,10,100",
    "negative_volume": "2020-01-13,AAA,10,11,9,10,-1",
    "not_a_session": "2020-01-11,AAA,10,11,9,10,1",
    "not_positive": "2020-01-14,AAA,0,11,0,10,1",
}


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Write four sessions of two symbols, one session absent, and one bad row for each of six rules."""
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([HEADER, *GOOD, *BAD.values()]) + "\n", encoding="utf-8")
    return path


def test_import_stores_good_rows_and_keeps_bad_ones_aside(invoke: Invoke, bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "bars.parquet"
    out.parent.mkdir()
    result = invoke("data", "import", bars, "--out", out, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (report["rows_read"], report["rows_accepted"], report["rows_refused"]) == (14, 8, 6)
    assert report["refused"] == dict.fromkeys(BAD, 1)
    assert (report["written"], report["kept_aside"]) == (str(out), str(out.with_suffix(".refused.csv")))
    assert read_bars(out).fingerprint == report["fingerprint"]
    with out.with_suffix(".refused.csv").open(newline="", encoding="utf-8") as file:
        kept = {row["rule"]: row for row in csv.DictReader(file)}
    assert {rule: int(row["row"]) for rule, row in kept.items()} == {
        rule: len(GOOD) + 2 + place for place, rule in enumerate(BAD)
    }


def test_people_see_rows_rules_gaps_and_where_everything_went(
    invoke: Invoke, bars: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    lines = invoke("data", "import", bars, "--out", out).stdout.splitlines()
    text = "\n".join(lines)
    assert "14 read, 8 accepted, 6 refused" in text
    assert f"6 refused rows in {out.with_suffix('.refused.csv')}" in text
    assert f"8 bars to {out}" in text
    for rule in BAD:
        assert [rule.replace("_", " "), "1"] in [
            [line.rstrip()[:-1].strip(), line.rstrip()[-1:]] for line in lines
        ]
    (row,) = (line.split() for line in lines if line.startswith("AAA"))
    assert row == ["AAA", "4", "2020-01-02", "2020-01-08", "1", "0", "1", "yes"]


def test_a_clean_import_leaves_nothing_aside(invoke: Invoke, tmp_path: Path) -> None:
    clean, out = tmp_path / "clean.csv", tmp_path / "out.parquet"
    clean.write_text("\n".join([HEADER, *GOOD]) + "\n", encoding="utf-8")
    report = json.loads(invoke("data", "import", clean, "--out", out, "--json").stdout)
    assert (report["rows_refused"], report["kept_aside"]) == (0, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.csv", "out.parquet"]


def test_describe_says_the_same_and_writes_nothing(invoke: Invoke, bars: Path, tmp_path: Path) -> None:
    result = invoke("data", "describe", bars, "--json")
    report = json.loads(result.stdout)
    assert (report["written"], report["kept_aside"], report["refused"]) == (None, None, dict.fromkeys(BAD, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]
    out = tmp_path / "out.parquet"
    imported = json.loads(invoke("data", "import", bars, "--out", out, "--json").stdout)
    assert report["fingerprint"] == imported["fingerprint"]
    assert (
        json.loads(invoke("data", "describe", out, "--json").stdout)["fingerprint"] == report["fingerprint"]
    )


def test_symbols_and_last_day_are_chosen(invoke: Invoke, bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    chosen = ("--symbols", "BBB", "--to", "2020-01-06")
    report = json.loads(invoke("data", "import", bars, "--out", out, *chosen, "--json").stdout)
    assert [(each["symbol"], each["rows"], each["last"]) for each in report["symbols"]] == [
        ("BBB", 3, "2020-01-06")
    ]
    assert read_bars(out).symbols == ("BBB",)


def test_nothing_is_replaced_unasked(invoke: Invoke, bars: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_text("mine", encoding="utf-8")
    refused = invoke("data", "import", bars, "--out", out)
    assert refused.exit_code == 2
    assert "replace it with --force" in refused.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    assert invoke("data", "import", bars, "--out", out, "--force").exit_code == 0
    itself = invoke("data", "import", out, "--out", out, "--force")
    assert itself.exit_code == 2
    assert "is the file to read" in itself.stderr


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--out", "bars.csv"), 2, "ends in .parquet"),
        ((), 2, "--out"),
        (("--out", "o.parquet", "--to", "soon"), 2, "--to: found 'soon'"),
        (("--out", "o.parquet", "--symbols", "AAA,,BBB"), 2, "--symbols: found 'AAA,,BBB'"),
        (("--out", "o.parquet", "--symbols", "AAB"), 4, "nearest: AAA"),
        (("--out", "o.parquet", "--to", "1999-01-01"), 4, "no bar can be used"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(
    invoke: Invoke,
    bars: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(bars.parent)
    result = invoke("data", "import", bars, *options)
    assert result.exit_code == code
    assert says in result.stderr
    assert not Path("o.parquet").exists()


def _nothing(path: Path) -> None:
    assert not path.exists()


def _empty(path: Path) -> None:
    path.touch()


def _other_columns(path: Path) -> None:
    path.write_text("a,b\n1,2\n", encoding="utf-8")


def _bytes(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 10)


def _only_bad_rows(path: Path) -> None:
    path.write_text(f"{HEADER}\n{BAD['crossed']}\n{BAD['not_finite']}\n", encoding="utf-8")


@pytest.mark.parametrize("make", [_nothing, _empty, _other_columns, _bytes, _only_bad_rows])
@pytest.mark.parametrize("command", ["describe", "import"])
def test_a_file_that_holds_no_bars_is_refused_by_name(
    invoke: Invoke, tmp_path: Path, make: Callable[[Path], None], command: str
) -> None:
    path, out = tmp_path / "odd.csv", tmp_path / "out.parquet"
    make(path)
    result = invoke("data", command, path, *(("--out", out) if command == "import" else ()))
    assert (result.exit_code, result.stdout) == (4, "")
    assert str(path) in result.stderr
    assert not out.exists()


def test_rows_refused_to_the_last_can_be_looked_at(invoke: Invoke, tmp_path: Path) -> None:
    path, out = tmp_path / "odd.csv", tmp_path / "out.parquet"
    _only_bad_rows(path)
    result = invoke("data", "import", path, "--out", out)
    assert f"the refused rows are in {out.with_suffix('.refused.csv')}" in result.stderr
    assert "crossed" in out.with_suffix(".refused.csv").read_text(encoding="utf-8")


def test_splits_and_dividends_of_real_bars_are_reported(
    invoke: Invoke, data_file: Callable[[str], Path]
) -> None:
    path = data_file("us_equity_1d.parquet")
    report = json.loads(invoke("data", "describe", path, "--symbols", "AAPL", "--json").stdout)
    applied = [(split["date"], split["applied"]) for split in report["splits"]]
    assert applied == [("2000-06-21", "2/1"), ("2005-02-28", "2/1"), ("2014-06-09", "7/1")]
    assert report["dividends_paid"] > 10
    text = invoke("data", "describe", path, "--symbols", "AAPL").stdout
    assert ["AAPL", "2014-06-09", "7.00001", "7/1"] in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("stored", [True, False])
def test_a_place_that_cannot_be_written_is_named_with_what_to_do(
    invoke: Invoke, bars: Path, tmp_path: Path, stored: bool
) -> None:
    source = bars
    if stored:
        source = tmp_path / "stored.parquet"
        assert invoke("data", "import", bars, "--out", source).exit_code == 0
    result = invoke("data", "import", source, "--out", "/proc/x.parquet")
    assert result.exit_code == 4
    assert "/proc/x." in result.stderr
    assert "name a place" in result.stderr


def test_an_interrupted_import_leaves_nothing_behind(
    invoke: Invoke, bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert (tmp_path / "out.refused.csv").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("storage.catalogue.write_bars", interrupted)
    result = invoke("data", "import", bars, "--out", tmp_path / "out.parquet")
    assert result.exit_code == 130
    assert "breakwater: interrupted" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]
