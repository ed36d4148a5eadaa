"""Splits leave no phantom move, dividends stay cash, contradictions are set aside (architecture, section 5)."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import BarTable, Floats
from simulation.importing.corporate import snap_ratio
from tests.unit.simulation.importing.conftest import Lines, Take, weekdays

HEADER = "date,open,high,low,close,volume,dividend,split"
DAYS = weekdays(date(2014, 6, 2), 9)


@pytest.mark.parametrize(
    ("ratio", "snapped"),
    [
        (2.0, Fraction(2)),
        (0.3333, Fraction(1, 3)),
        (0.333333333333, Fraction(1, 3)),
        (0.05, Fraction(1, 20)),
        (1.5, Fraction(3, 2)),
        (1.499999, Fraction(3, 2)),
        (7.00000700001, Fraction(7)),
        (1.05, Fraction(21, 20)),
        (1.1, Fraction(11, 10)),
        (20.0, Fraction(20)),
        (0.002, Fraction(1, 500)),
        (1.0345, None),
        (1.281, None),
    ],
)
def test_ratios_are_snapped_to_small_rationals_only(ratio: float, snapped: Fraction | None) -> None:
    assert snap_ratio(ratio) == snapped


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_small_rational_printed_with_six_digits_is_found_again(p: int, q: int) -> None:
    ratio = Fraction(p, q)
    assert snap_ratio(round(float(ratio), 6)) == ratio


@pytest.mark.parametrize("ratio", [0.0, -2.0, math.nan, math.inf])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        snap_ratio(ratio)


def bar(day: date, close: float, *, dividend: float = 0.0, split: float = 1.0, volume: float = 700) -> str:
    return f"{day},{close},{close * 1.01},{close * 0.99},{close},{volume},{dividend},{split}"


def closes(table: BarTable) -> Floats:
    return table.close


def largest_move(table: BarTable) -> float:
    return float(np.abs(np.diff(np.log(table.close))).max())


@pytest.mark.parametrize(
    ("ratio", "stated"),
    [(2, "2.0"), (7, "7.00000700001"), (1.5, "1.499999"), (1 / 3, "0.3333"), (0.05, "0.05")],
)
def test_a_split_leaves_no_move_and_the_value_traded(
    lines: Lines, take: Take, ratio: float, stated: str
) -> None:
    raw = [700.0] * 4 + [700.0 / ratio] * 5
    text = [
        bar(day, close, volume=700 * (1 if i < 4 else ratio))
        for i, (day, close) in enumerate(zip(DAYS, raw, strict=True))
    ]
    text[4] = text[4].removesuffix("1.0") + stated
    table = take(lines("AAPL.csv", HEADER, *text)).table
    assert largest_move(table) < 1e-12
    assert table.close[-1] == raw[-1]
    assert table.volume == pytest.approx([700 * ratio] * 9)


def test_two_splits_multiply_and_dividends_are_scaled_alike(lines: Lines, take: Take) -> None:
    raw = [120.0, 120.0, 60.0, 60.0, 60.0, 20.0, 20.0, 20.0, 20.0]
    text = [bar(day, close) for day, close in zip(DAYS, raw, strict=True)]
    text[1] = bar(DAYS[1], 120.0, dividend=0.6)
    text[2] = bar(DAYS[2], 60.0, split=2)
    text[3] = bar(DAYS[3], 60.0, dividend=0.3)
    text[5] = bar(DAYS[5], 20.0, split=3)
    text[7] = bar(DAYS[7], 20.0, dividend=0.1)
    imported = take(lines("AAPL.csv", HEADER, *text))
    assert closes(imported.table).tolist() == [20.0] * 9
    assert imported.table.dividend == pytest.approx([0, 0.1, 0, 0.1, 0, 0, 0, 0.1, 0])
    assert [(s.date, s.applied) for s in imported.report.splits] == [
        (str(DAYS[2]), "2/1"),
        (str(DAYS[5]), "3/1"),
    ]
    assert imported.report.dividends_paid == 3


def test_prices_do_not_depend_on_the_end_asked_for(lines: Lines, take: Take) -> None:
    text = [bar(day, 100.0 if i < 6 else 50.0, split=2.0 if i == 6 else 1.0) for i, day in enumerate(DAYS)]
    path = lines("AAPL.csv", HEADER, *text)
    whole, part = take(path).table, take(path, end=DAYS[3]).table
    assert part.close.tolist() == whole.close[:4].tolist() == [50.0] * 4


def test_a_dividend_that_states_the_split_again_is_set_aside_and_listed(lines: Lines, take: Take) -> None:
    """As SO on 2001-04-03 and YUM on 2002-06-18."""
    text = [bar(day, 64.0 if i < 4 else 32.5) for i, day in enumerate(DAYS)]
    text[4] = bar(DAYS[4], 32.5, split=2, dividend=2.0)
    imported = take(lines("YUM.csv", HEADER, *text))
    assert not imported.table.dividend.any()
    assert largest_move(imported.table) == pytest.approx(math.log(65 / 64))
    (note,) = imported.report.distributions
    assert (note.symbol, note.date, note.cash, note.paid) == ("YUM", str(DAYS[4]), 2.0, False)


def test_a_small_dividend_on_the_day_of_a_split_is_paid(lines: Lines, take: Take) -> None:
    text = [bar(day, 64.0 if i < 4 else 32.0) for i, day in enumerate(DAYS)]
    text[4] = bar(DAYS[4], 32.0, split=2, dividend=1.28)
    imported = take(lines("YUM.csv", HEADER, *text))
    assert imported.table.dividend[4] == 1.28
    assert imported.report.dividends_paid == 1


def test_a_huge_dividend_without_a_split_is_paid_and_listed(lines: Lines, take: Take) -> None:
    """As GOOGL on 2014-04-03: a class issue booked as cash."""
    text = [bar(day, 1135.1 if i < 4 else 571.5) for i, day in enumerate(DAYS)]
    text[4] = bar(DAYS[4], 571.5, dividend=567.9717)
    imported = take(lines("GOOGL.csv", HEADER, *text))
    assert imported.table.dividend[4] == 567.9717
    (note,) = imported.report.distributions
    assert note.paid
    assert note.share_of_close == pytest.approx(0.9938, abs=1e-4)


def test_a_split_counts_though_the_bar_of_its_day_was_refused(lines: Lines, take: Take) -> None:
    text = [bar(day, 100.0 if i < 4 else 50.0) for i, day in enumerate(DAYS)]
    text[4] = f"{DAYS[4]},50,50,50,nan,700,0.25,2"
    imported = take(lines("A.csv", HEADER, *text))
    assert imported.table.close.tolist() == [50.0] * 8
    assert imported.report.refused == {"not_finite": 1}
    assert imported.table.dividend.tolist() == [0, 0, 0, 0, 0.25, 0, 0, 0]
    assert imported.report.distributions[0].reason.startswith("the bar of that day was refused")


def test_a_dividend_after_the_last_sound_bar_is_listed_as_unpaid(lines: Lines, take: Take) -> None:
    text = [bar(day, 50.0) for day in DAYS]
    text[8] = f"{DAYS[8]},50,50,50,nan,700,0.25,1"
    report = take(lines("A.csv", HEADER, *text)).report
    (note,) = report.distributions
    assert (note.paid, note.share_of_close, note.reason) == (False, None, "no later bar to pay it at")
    assert report.dividends_paid == 0


def test_a_doubled_split_row_splits_once(lines: Lines, take: Take) -> None:
    text = [bar(day, 100.0 if i < 4 else 50.0, split=2.0 if i == 4 else 1.0) for i, day in enumerate(DAYS)]
    imported = take(lines("A.csv", HEADER, *text[:5], text[4], *text[5:]))
    assert imported.table.close.tolist() == [50.0] * 9
    assert imported.report.refused == {"duplicate": 1}


def test_a_split_stated_twice_under_stamps_of_one_session_splits_once(lines: Lines, take: Take) -> None:
    text = [bar(day, 100.0 if i < 4 else 50.0, split=2.0 if i == 4 else 1.0) for i, day in enumerate(DAYS)]
    again = text[4].replace(str(DAYS[4]), f"{DAYS[4]}T14:30:00Z")
    imported = take(lines("A.csv", HEADER, *text[:5], again, *text[5:]))
    assert imported.table.close.tolist() == [50.0] * 9
    assert len(imported.report.splits) == 1


def test_an_adjusted_close_with_dividends_does_not_pay_them_again(lines: Lines, take: Take) -> None:
    text = [f"{day},10,10,10,10,9,5,0.5" for day in DAYS]
    imported = take(lines("A.csv", "Date,Open,High,Low,Close,Adj Close,Volume,Dividends", *text))
    assert not imported.table.dividend.any()
    assert imported.report.dividends_paid == 0


def test_splits_that_the_prices_already_hold_are_not_taken_out_again(lines: Lines, take: Take) -> None:
    """Some sources list splits beside prices that are adjusted for them."""
    text = [bar(day, 50.0 + i * 0.1, split=2.0 if i == 4 else 1.0) for i, day in enumerate(DAYS)]
    imported = take(lines("A.csv", HEADER, *text))
    assert imported.table.close == pytest.approx([50.0 + i * 0.1 for i in range(9)])
    assert imported.report.splits == ()
    assert "already hold" in imported.report.adjustment


@pytest.mark.parametrize("stated", ["0", "", "1", "NaN", "n/a"])
def test_no_split_is_written_in_several_ways(lines: Lines, take: Take, stated: str) -> None:
    text = [f"{day},10,10,10,10,5,0,{stated}" for day in DAYS]
    assert take(lines("A.csv", HEADER, *text)).report.splits == ()


@pytest.mark.parametrize("volume", ["-7", "nan"])
def test_a_split_that_is_none_in_a_row_refused_for_something_else_splits_nothing(
    lines: Lines, take: Take, volume: str
) -> None:
    text = [f"{day},10,10,10,10,5,0,1" for day in DAYS]
    text[4] = f"{DAYS[4]},10,10,10,10,{volume},0,-2"
    imported = take(lines("A.csv", HEADER, *text))
    assert (imported.report.splits, imported.table.close.tolist()) == ((), [10.0] * 8)
    assert sum(imported.report.refused.values()) == 1


def test_what_is_stated_as_a_split_and_cannot_be_read_is_refused_and_said(lines: Lines, take: Take) -> None:
    """As a number, "2:1" is none, and the prices before it stay twice as high."""
    text = [bar(day, 100.0 if i < 4 else 50.0) for i, day in enumerate(DAYS)]
    text[4] = f"{DAYS[4]},50,50,50,50,5,0,2:1"
    report = take(lines("A.csv", HEADER, *text)).report
    assert report.refused == {"bad_adjustment": 1}
    (note,) = report.notes
    assert note.startswith(
        f"A {DAYS[4]}: what it states as a split is none, and the prices before it are left"
    )


def test_a_dividend_that_cannot_be_read_is_no_dividend_of_nothing(lines: Lines, take: Take) -> None:
    text = [bar(day, 50.0) for day in DAYS]
    text[4] = f"{DAYS[4]},50,50,50,50,5,a half,1"
    assert take(lines("A.csv", HEADER, *text)).report.refused == {"not_finite": 1}


@pytest.mark.parametrize("stated", ["-2", "inf"])
def test_a_split_that_is_none_is_refused_with_its_row(lines: Lines, take: Take, stated: str) -> None:
    text = [f"{day},10,10,10,10,5,0,{stated if i == 3 else 1}" for i, day in enumerate(DAYS)]
    assert take(lines("A.csv", HEADER, *text)).report.refused == {"bad_adjustment": 1}


def test_an_adjusted_close_alone_scales_all_prices_and_pays_no_cash(lines: Lines, take: Take) -> None:
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    before, after = "98,102,96,100,48,10", "49,51,48,50,48,20"
    text = [f"{day},{before if i < 4 else after}" for i, day in enumerate(DAYS)]
    imported = take(lines("VTI.csv", header, *text))
    table = imported.table
    assert table.close == pytest.approx([48.0] * 9)
    assert table.open == pytest.approx([98 * 0.48] * 4 + [49 * 0.96] * 5)
    assert table.high == pytest.approx([102 * 0.48] * 4 + [51 * 0.96] * 5)
    raw_value = np.array([10 * 100] * 4 + [20 * 50] * 5)
    assert table.close * table.volume == pytest.approx(raw_value)
    assert not table.dividend.any()
    assert "total return" in imported.report.adjustment


@pytest.mark.parametrize("adjusted", ["", "0", "-1", "nan", "inf"])
def test_a_row_without_an_adjusted_close_is_refused(lines: Lines, take: Take, adjusted: str) -> None:
    text = [f"{day},10,10,10,10,{adjusted if i == 2 else 9},5" for i, day in enumerate(DAYS)]
    imported = take(lines("A.csv", "Date,Open,High,Low,Close,Adj Close,Volume", *text))
    assert imported.report.refused == {"bad_adjustment": 1}
    assert imported.table.rows == 8


def test_prices_that_adjusting_drives_out_of_range_are_refused(lines: Lines, take: Take) -> None:
    text = [f"{day},10,10,10,10,{5e-324 if i == 2 else 9},5" for i, day in enumerate(DAYS)]
    imported = take(lines("A.csv", "Date,Open,High,Low,Close,Adj Close,Volume", *text))
    assert imported.report.rows_refused == 1


def test_symbols_are_adjusted_apart(tmp_path: Path, lines: Lines, take: Take) -> None:
    lines(
        "d/A.csv",
        HEADER,
        *(bar(day, 100.0 if i < 4 else 50.0, split=2.0 if i == 4 else 1.0) for i, day in enumerate(DAYS)),
    )
    lines("d/B.csv", HEADER, *(bar(day, 30.0) for day in DAYS))
    table = take(tmp_path / "d").table
    assert table.close[table.symbol_id == 0].tolist() == [50.0] * 9
    assert table.close[table.symbol_id == 1].tolist() == [30.0] * 9
