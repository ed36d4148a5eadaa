"""Place bars in the sessions of an exchange calendar, which tells when each opened and became known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.bars import Ints
from domain.errors import DataError
from simulation.importing.stamps import DAY_NS

ROUND_THE_CLOCK = "24/7"
"""The calendar of markets that never close; their sessions are UTC days."""

EPOCH_ORDINAL = 719_163
"""The proleptic Gregorian ordinal of 1970-01-01."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sessions:
    """Hold an exchange's sessions in columns, oldest first: date ordinals, opens and closes in UTC nanoseconds."""

    calendar: str
    timezone: str
    ordinal: NDArray[np.int32]
    open_ns: Ints
    close_ns: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Say for each row when its bar opened, when it was known and in which session; `inside` marks placed rows."""

    open_ns: Ints
    known_ns: Ints
    session: NDArray[np.int32]
    inside: NDArray[np.bool_]


@lru_cache(maxsize=8)
def load_sessions(calendar: str, first_year: int, last_year: int) -> Sessions:
    """Return the sessions of `calendar` from `first_year` to `last_year`, holidays and half days included.

    `calendar` is a name of the package exchange_calendars (an ISO 10383 code such as XNYS). Raises DataError when it
    is unknown or does not reach back that far.
    """
    try:
        found = exchange_calendars.get_calendar(
            calendar, start=f"{first_year}-01-01", end=f"{last_year}-12-31"
        )
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        raise DataError(f"calendar {calendar!r}, years {first_year} to {last_year}: {error}") from error
    labels = found.schedule.index.to_numpy().astype("datetime64[D]").astype(np.int64)
    return Sessions(
        calendar=calendar,
        timezone=str(found.tz),
        ordinal=(labels + EPOCH_ORDINAL).astype(np.int32),
        open_ns=_to_ns(found.schedule["open"]),
        close_ns=_to_ns(found.schedule["close"]),
    )


def _to_ns(moments: Any) -> Ints:
    return np.asarray(moments.dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype(np.int64))


def sessions_covering(calendar: str, ts_ns: Ints) -> Sessions:
    """Return the sessions of `calendar` in all years that the stamps touch, and a week round them."""
    years = (np.array([ts_ns.min() - 7 * DAY_NS, ts_ns.max() + 7 * DAY_NS]) // DAY_NS).astype("datetime64[D]")
    first, last = (int(year) + 1970 for year in years.astype("datetime64[Y]").astype(np.int64))
    return load_sessions(calendar, first, last)


def place(ts_ns: Ints, bar_ns: int, calendar: str) -> Placement:
    """Return where bars of `bar_ns` stamped `ts_ns` lie in `calendar`.

    Daily stamps are labels: the bar opens with the session of that date and is known at its close. Finer stamps are
    opens; the bar is known `bar_ns` later. Round the clock a session is a UTC day.
    """
    if calendar == ROUND_THE_CLOCK:
        session = (ts_ns // DAY_NS + EPOCH_ORDINAL).astype(np.int32)
        return Placement(
            open_ns=ts_ns,
            known_ns=ts_ns + bar_ns,
            session=session,
            inside=np.ones(len(ts_ns), dtype=np.bool_),
        )
    sessions = sessions_covering(calendar, ts_ns)
    return _place_daily(ts_ns, sessions) if bar_ns == DAY_NS else _place_intraday(ts_ns, bar_ns, sessions)


def _place_daily(ts_ns: Ints, sessions: Sessions) -> Placement:
    label = _label_dates(ts_ns, sessions.timezone)
    at = np.minimum(np.searchsorted(sessions.ordinal, label), len(sessions.ordinal) - 1)
    return Placement(
        open_ns=sessions.open_ns[at],
        known_ns=sessions.close_ns[at],
        session=sessions.ordinal[at],
        inside=sessions.ordinal[at] == label,
    )


def _label_dates(ts_ns: Ints, timezone: str) -> NDArray[np.int32]:
    """Return the ordinals of the dates that daily stamps mean: a UTC midnight is a date, others are local times."""
    local = (
        pd.DatetimeIndex(ts_ns.astype("datetime64[ns]"), tz="UTC")
        .tz_convert(ZoneInfo(timezone))
        .tz_localize(None)
    )
    local_days = local.to_numpy().astype("datetime64[D]").astype(np.int64)
    days = np.where(ts_ns % DAY_NS == 0, ts_ns // DAY_NS, local_days)
    return (days + EPOCH_ORDINAL).astype(np.int32)


def _place_intraday(ts_ns: Ints, bar_ns: int, sessions: Sessions) -> Placement:
    at = np.maximum(np.searchsorted(sessions.open_ns, ts_ns, side="right") - 1, 0)
    return Placement(
        open_ns=ts_ns,
        known_ns=ts_ns + bar_ns,
        session=sessions.ordinal[at],
        inside=(ts_ns >= sessions.open_ns[at]) & (ts_ns < sessions.close_ns[at]),
    )
