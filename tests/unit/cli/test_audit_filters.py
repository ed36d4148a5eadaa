from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.audit_filters import End, build_query, parse_end
from cli.options import UsageError
from domain.outbox import AuditKind

DAY_NS = 86_400 * 10**9
MIDNIGHT_NS = int(datetime(2005, 2, 28, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("120", End(bar=120), End(bar=120)),
        ("-1", End(bar=-1), End(bar=-1)),
        ("2005-02-28", End(at_ns=MIDNIGHT_NS), End(at_ns=MIDNIGHT_NS + DAY_NS - 1)),
        (
            "2005-02-28T14:30",
            End(at_ns=MIDNIGHT_NS + 52_200 * 10**9),
            End(at_ns=MIDNIGHT_NS + 52_200 * 10**9),
        ),
        (
            "2005-02-28T09:30-05:00",
            End(at_ns=MIDNIGHT_NS + 52_200 * 10**9),
            End(at_ns=MIDNIGHT_NS + 52_200 * 10**9),
        ),
        ("2005-02-28 00:00:00.000001", End(at_ns=MIDNIGHT_NS + 1_000), End(at_ns=MIDNIGHT_NS + 1_999)),
    ],
)
def test_an_end_is_a_bar_a_day_or_a_time(text: str, first: End, last: End) -> None:
    """A day means its first nanosecond where a range begins and its last where it ends."""
    assert parse_end("--from", text, last=False) == first
    assert parse_end("--to", text, last=True) == last


@pytest.mark.parametrize("text", ["", "today", "1.5", "2005-02-30", "12:30", "9" * 16])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match=r"--to: found .*; allowed: a bar's number, a day as YYYY-MM-DD"):
        parse_end("--to", text, last=True)


def asked(**options: object) -> object:
    given = {
        "start": None,
        "end": None,
        "symbol": None,
        "strategy": None,
        "intent": None,
        "text": None,
    } | options
    return build_query(kinds=(AuditKind.ORDER,), limit=0, **given)  # type: ignore[arg-type]


def test_options_become_a_query() -> None:
    query = build_query(
        kinds=[AuditKind.ORDER],
        symbol="KO",
        strategy="vwap_slow",
        start="7",
        end="2005-02-28",
        intent="main.KO.7.1",
        text="late",
        limit=5,
    )
    assert (query.from_bar, query.since_ns, query.to_bar, query.until_ns) == (
        7,
        None,
        None,
        MIDNIGHT_NS + DAY_NS - 1,
    )
    assert (query.symbol, query.strategy, query.ref, query.text) == ("KO", "vwap_slow", "main.KO.7.1", "late")
    assert (query.kinds, query.newest_first, query.limit) == ((AuditKind.ORDER,), True, 5)


@pytest.mark.parametrize(("start", "end"), [("9", "8"), ("2005-03-01", "2005-02-28")])
def test_a_range_that_ends_before_it_begins_is_refused(start: str, end: str) -> None:
    with pytest.raises(UsageError, match="lies after"):
        asked(start=start, end=end)
    asked(start=end, end=start)
    asked(start=start, end=start)
