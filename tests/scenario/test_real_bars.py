"""Bars as they come: splits move nothing, bad rows reach nobody ("Shows" 4; "Bad input gets")."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from config.loader import load
from simulation.importing.importer import import_bars
from tests.scenario.bars import market, rows, write_csv
from tests.scenario.engine import differences, request, session

SPLITS = (date(2000, 6, 21), date(2005, 2, 28), date(2014, 6, 9))
CRASH = date(2000, 9, 29)
LARGEST_MOVE = 0.2


def test_split_is_neither_a_move_nor_a_halt(data_file: Callable[[str], Path], tmp_path: Path) -> None:
    data = data_file("us_equity_1d.parquet")
    settings = load(None, {})
    table = import_bars(
        data, symbols=("AAPL",), start=None, end=None, instruments=settings.instrument, kept_aside=None
    ).table
    days = {date.fromordinal(int(day)): i for i, day in enumerate(table.session)}
    for day in SPLITS:
        i = days[day]
        for prices in (table.open, table.high, table.low, table.close):
            assert abs(prices[i] / table.close[i - 1] - 1.0) < LARGEST_MOVE, day
    assert table.close[days[CRASH]] / table.close[days[CRASH] - 1] - 1.0 < -0.5, "that fall was real"

    asked = request(
        data, tmp_path / "state", symbols=("AAPL",), start=date(1999, 1, 4), end=date(2014, 12, 31)
    )
    summary = session(asked)
    halted = {datetime.fromtimestamp(halt["at_ns"] // 10**9, UTC).date() for halt in summary["halt_list"]}
    assert not halted & set(SPLITS)
    assert summary["trades"] > 100
    for fill in summary["details"]["fills"]:
        day = datetime.fromtimestamp(fill["at_ns"] // 10**9, UTC).date()
        if day in SPLITS:
            assert table.low[days[day]] * 0.999 <= fill["price"] <= table.high[days[day]] * 1.001


PLANTED = {
    "not_finite": "{day},{symbol},nan,{h},{l},{c},{v}",
    "not_finite ": "{day},{symbol},{o},inf,{l},{c},{v}",
    "not_positive": "{day},{symbol},{o},{h},0,{c},{v}",
    "not_positive ": "{day},{symbol},{o},{h},{l},-{c},{v}",
    "crossed": "{day},{symbol},{o},{l},{h},{c},{v}",
    "negative_volume": "{day},{symbol},{o},{h},{l},{c},-5",
    "bad_stamp": "2015-99-99,{symbol},{o},{h},{l},{c},{v}",
    "ragged": "{day},{symbol},{o},{h},{l},{c}",
}
"""By the rule that refuses it: a row to put in the place of a good one."""


def test_bad_rows_are_kept_aside_and_never_reach_a_strategy(tmp_path: Path) -> None:
    """The run is the one without these rows, to the last order and signal, and every row can be found again."""
    lines = rows(market())
    places = range(100, 100 + 7 * len(PLANTED), 7)
    planted = list(lines)
    for place, pattern in zip(places, PLANTED.values(), strict=True):
        day, symbol, o, h, low, c, v = lines[place].split(",")
        planted[place] = pattern.format(day=day, symbol=symbol, o=o, h=h, l=low, c=c, v=v)
    planted.insert(203, planted[200])  # the same bar twice in a row of its own: a duplicate
    saturday = planted[210].split(",")
    planted.append(",".join(["2015-02-07", *saturday[1:]]))  # late, and on a day without a session
    good = [line for i, line in enumerate(lines) if i not in places]

    clean = session(request(write_csv(tmp_path / "clean.csv", good), tmp_path / "clean"))
    dirty = session(request(write_csv(tmp_path / "dirty.csv", planted), tmp_path / "dirty"))
    assert dirty["completed"]
    assert dirty["trades"] > 5
    told = dirty.pop("bars_refused")
    assert clean.pop("bars_refused") == {}
    assert not differences(clean, dirty)

    with (tmp_path / "dirty" / "refused_bars.csv").open(newline="", encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    expected = Counter(name.strip() for name in PLANTED) + Counter(["duplicate", "not_a_session"])
    assert Counter(row["rule"] for row in kept) == expected
    assert told == expected, "the summary tells of them"
    for row in kept:
        assert "dirty.csv" in row["file"]
        assert int(row["row"]) >= 2
