"""Bars are placed in the exchange's sessions, half days and closures included."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from domain.errors import DataError
from simulation.importing.sessions import load_sessions, place
from simulation.importing.stamps import DAY_NS, HOUR_NS

MINUTE = 60_000_000_000


def ns(*moment: int) -> int:
    """Return the UTC nanoseconds of a moment given as year, month, day, hour, minute."""
    whole = datetime(*moment, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)  # type: ignore[misc,arg-type]
    return whole // timedelta(microseconds=1) * 1_000


@pytest.mark.parametrize(
    ("day", "opens", "known"),
    [
        ((1999, 11, 1), (14, 30), (21, 0)),
        ((1999, 11, 26), (14, 30), (18, 0)),
        ((2024, 7, 3), (13, 30), (17, 0)),
        ((2024, 3, 8), (14, 30), (21, 0)),
        ((2024, 3, 11), (13, 30), (20, 0)),
    ],
)
def test_a_daily_label_becomes_the_open_and_close_of_its_session(
    day: tuple[int, int, int], opens: tuple[int, int], known: tuple[int, int]
) -> None:
    placed = place(np.array([ns(*day)]), DAY_NS, "XNYS")
    assert placed.inside.all()
    assert placed.open_ns[0] == ns(*day, *opens)
    assert placed.known_ns[0] == ns(*day, *known)
    assert placed.session[0] == date(*day).toordinal()


@pytest.mark.parametrize(
    "stamp",
    [
        (2024, 1, 6),  # a Saturday
        (2024, 1, 1),  # New Year
        (2001, 9, 12),  # closed after 11 September
        (2012, 10, 29),  # closed for hurricane Sandy
    ],
)
def test_days_without_a_session_hold_no_bar(stamp: tuple[int, int, int]) -> None:
    assert not place(np.array([ns(*stamp)]), DAY_NS, "XNYS").inside.any()


@pytest.mark.parametrize("hour", [5, 14, 21])
def test_a_daily_stamp_off_midnight_means_the_local_date(hour: int) -> None:
    """Midnight in New York, the open, or the close of 2024-01-03."""
    placed = place(np.array([ns(2024, 1, 3, hour, 0)]), DAY_NS, "XNYS")
    assert placed.session[0] == date(2024, 1, 3).toordinal()


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ((2024, 1, 2, 14, 29), False),
        ((2024, 1, 2, 14, 30), True),
        ((2024, 1, 2, 20, 59), True),
        ((2024, 1, 2, 21, 0), False),  # the closing auction's print
        ((2024, 7, 2, 13, 30), True),
        ((2024, 7, 3, 16, 59), True),
        ((2024, 7, 3, 17, 0), False),  # a half day
        ((2024, 7, 4, 15, 0), False),
    ],
)
def test_minutes_belong_to_the_session_that_trades(moment: tuple[int, ...], inside: bool) -> None:
    placed = place(np.array([ns(*moment)]), MINUTE, "XNYS")
    assert placed.inside.tolist() == [inside]
    if inside:
        assert placed.session[0] == date(*moment[:3]).toordinal()
        assert placed.known_ns[0] - placed.open_ns[0] == MINUTE


def test_round_the_clock_a_session_is_a_utc_day() -> None:
    placed = place(np.array([ns(2024, 1, 6, 23, 0), ns(2024, 1, 7)]), HOUR_NS, "24/7")
    assert placed.session.tolist() == [date(2024, 1, 6).toordinal(), date(2024, 1, 7).toordinal()]
    assert (placed.known_ns - placed.open_ns).tolist() == [HOUR_NS, HOUR_NS]
    assert placed.inside.all()


def test_futures_sessions_that_begin_the_evening_before_are_placed() -> None:
    placed = place(np.array([ns(2024, 1, 2, 23, 30)]), MINUTE, "CMES")
    assert placed.inside.all()
    assert placed.session[0] == date(2024, 1, 3).toordinal()


def test_sessions_reach_back_far_enough() -> None:
    sessions = load_sessions("XNYS", 1980, 2024)
    assert sessions.ordinal[0] == date(1980, 1, 2).toordinal()
    assert (np.diff(sessions.ordinal) > 0).all()
    assert (sessions.close_ns > sessions.open_ns).all()


def test_an_unknown_calendar_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="NOWHERE"):
        place(np.array([ns(2024, 1, 2)]), DAY_NS, "NOWHERE")
