"""What is absent is counted by the market's own hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from simulation.importing.report import SymbolReport
from tests.unit.simulation.importing.conftest import Lines, Take, weekdays

HEADER = "ts,open,high,low,close,volume"


def report(lines: Lines, take: Take, name: str, stamps: list[str]) -> SymbolReport:
    (found,) = take(
        lines(f"{name}.csv", HEADER, *(f"{stamp},10,11,9,10,5" for stamp in stamps))
    ).report.symbols
    return found


@pytest.mark.parametrize(
    ("left_out", "gaps", "missing_bars", "missing_sessions"),
    [
        ([], 0, 0, 0),
        ([5, 6, 9], 2, 3, 0),
        ([22, 23, 24, 25], 1, 4, 0),  # over midnight
        (list(range(24, 72)), 1, 0, 2),  # two whole days
        (list(range(20, 72)), 1, 0, 2),
    ],
)
def test_round_the_clock_absent_bars_and_days_are_told_apart(
    lines: Lines, take: Take, left_out: list[int], gaps: int, missing_bars: int, missing_sessions: int
) -> None:
    first = datetime(2024, 1, 5, tzinfo=UTC)
    stamps = [(first + timedelta(hours=i)).isoformat() for i in range(120) if i not in left_out]
    found = report(lines, take, "BTC_USD", stamps)
    assert (found.gaps, found.missing_bars, found.missing_sessions) == (gaps, missing_bars, missing_sessions)


@pytest.mark.parametrize(("left_out", "gaps", "missing"), [([], 0, 0), ([3], 1, 1), ([3, 4, 9], 2, 3)])
def test_weekends_and_holidays_are_no_gaps(
    lines: Lines, take: Take, left_out: list[int], gaps: int, missing: int
) -> None:
    days = weekdays(date(2023, 12, 18), 15)
    days = [day for day in days if day not in (date(2023, 12, 25), date(2024, 1, 1))]
    found = report(lines, take, "AAPL", [str(day) for i, day in enumerate(days) if i not in left_out])
    assert (found.gaps, found.missing_bars, found.missing_sessions) == (gaps, 0, missing)
    assert (found.first, found.last) == ("2023-12-18", "2024-01-05")


def test_nights_are_no_gaps_for_minutes(lines: Lines, take: Take) -> None:
    opens = [datetime(2024, 1, day, 14, 30, tzinfo=UTC) for day in (2, 3)]
    stamps = [
        (start + timedelta(minutes=i)).isoformat() for start in opens for i in range(390) if i not in (7, 8)
    ]
    found = report(lines, take, "AAPL", stamps)
    assert (found.rows, found.gaps, found.missing_bars, found.missing_sessions) == (776, 2, 4, 0)
