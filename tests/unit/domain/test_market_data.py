"""Bars that break a rule never leave the feed; the next group follows only what has settled."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import Bar, BarFault, BarGroup, bar_fault
from domain.errors import InvariantViolation
from domain.market_data import MarketData, MarketDataSettings
from domain.messages import (
    COORDINATOR,
    RISK,
    VENUE,
    BarsArrived,
    BarSettled,
    BarsPublished,
    Begin,
    DataEnded,
    Drain,
    Drained,
    FeedInbox,
    Ready,
    RequestHistory,
    StartFeed,
    TimerFired,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Pull, Send, SendHistory, SetTimer
from tests.unit.domain.risk.bench import DAY_NS

GOOD = Bar("AAPL", 10.0, 12.0, 9.0, 11.0, 100.0, 0.0)
STOP = Drain(reason="stop", cancel_entries=True)
DRAINED = Send(COORDINATOR, Drained(role="feed"))


def feed(first: int = 0, pace_s: float = 0.0, **changes: Any) -> MarketData:
    return MarketData(
        MarketDataSettings(
            consumers=(VENUE, "strategy:a", RISK),
            symbols=frozenset({"AAPL", "XOM"}),
            first=first,
            pace_s=pace_s,
            **({"generation": 1} | changes),
        )
    )


def group(index: int, *bars: Bar, at: int | None = None) -> BarGroup:
    """Return a group whose bars open on day `at` (default: `index`)."""
    day = index if at is None else at
    return BarGroup(index, day * DAY_NS, (day + 1) * DAY_NS, day + 1, bars)


def published(outputs: list[Output]) -> BarGroup | None:
    """Return the group that all consumers were sent, in their order, or None."""
    sent = [o for o in outputs if isinstance(o, Send) and isinstance(o.message, BarsPublished)]
    if not sent:
        return None
    assert [o.to for o in sent] == [VENUE, "strategy:a", RISK]
    (only,) = {o.message.group for o in sent if isinstance(o.message, BarsPublished)}
    return only


def bad(outputs: list[Output]) -> list[AuditEvent]:
    """Return the records of refused bars; they are durable before anything is sent."""
    records = [r for o in outputs if isinstance(o, Persist) for r in o.records if isinstance(r, AuditEvent)]
    if records:
        assert isinstance(outputs[0], Persist)
    return records


def run(machine: MarketData, *groups: BarGroup) -> list[tuple[BarGroup | None, list[AuditEvent]]]:
    """Let groups arrive one after the other, each settled before the next."""
    machine.handle(StartFeed())
    found = []
    for each in groups:
        outputs = machine.handle(BarsArrived(group=each))
        found.append((published(outputs), bad(outputs)))
        machine.handle(BarSettled(bar=each.index))
    return found


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"close": math.nan}, BarFault.NOT_FINITE),
        ({"open": math.inf}, BarFault.NOT_FINITE),
        ({"low": -math.inf}, BarFault.NOT_FINITE),
        ({"volume": math.inf}, BarFault.NOT_FINITE),
        ({"dividend": math.nan}, BarFault.NOT_FINITE),
        ({"open": 0.0}, BarFault.NOT_POSITIVE),
        ({"low": -9.0}, BarFault.NOT_POSITIVE),
        ({"high": 8.0}, BarFault.CROSSED),
        ({"close": 12.5}, BarFault.CROSSED),
        ({"open": 8.5}, BarFault.CROSSED),
        ({"volume": -1.0}, BarFault.NEGATIVE_VOLUME),
        ({"volume": 1e30}, BarFault.EXCESSIVE_VOLUME),
        ({"dividend": -0.1}, BarFault.NEGATIVE_VOLUME),
        ({"symbol": "IBM"}, BarFault.UNKNOWN_SYMBOL),
    ],
)
def test_bar_that_breaks_a_rule_is_counted_recorded_and_kept_out(
    changes: dict[str, Any], fault: BarFault
) -> None:
    machine = feed()
    other = GOOD._replace(symbol="XOM")
    ((sent, records),) = run(machine, group(0, GOOD._replace(**changes), other))
    assert sent is not None
    assert sent.bars == (other,)
    (event,) = records
    assert (event.kind, event.bar, event.decision) == (AuditKind.BAD_BAR, 0, True)
    assert event.body["fault"] == fault.value
    assert len(event.body["values"]) == 6
    assert machine.state()["refused_bars"] == {fault.value: 1}


def test_volume_that_the_source_does_not_have_is_no_fault() -> None:
    ((sent, records),) = run(feed(), group(0, GOOD._replace(volume=math.nan)))
    assert sent is not None
    assert (len(sent.bars), records) == (1, [])


def test_second_bar_of_a_symbol_is_a_duplicate_within_a_group_and_across() -> None:
    machine = feed()
    (first, second) = run(machine, group(0, GOOD, GOOD), group(1, GOOD, at=0))
    assert first[0] is not None
    assert first[0].bars == (GOOD,)
    assert second[0] is not None
    assert second[0].bars == ()
    assert [event.body["fault"] for event in (*first[1], *second[1])] == ["duplicate", "duplicate"]


def test_good_bar_after_a_bad_one_of_the_same_moment_passes() -> None:
    ((sent, records),) = run(feed(), group(0, GOOD._replace(close=math.nan), GOOD))
    assert sent is not None
    assert (sent.bars, len(records)) == ((GOOD,), 1)


def test_bar_before_its_symbols_last_is_out_of_order() -> None:
    *_, (sent, records) = run(feed(), group(0, GOOD, at=5), group(1, GOOD, at=4))
    assert sent is not None
    assert (sent.bars, records[0].body["fault"]) == ((), "out_of_order")


@pytest.mark.parametrize("at", [4, 5])
def test_bar_of_a_moment_that_was_published_without_it_is_late(at: int) -> None:
    """Its symbol has no newer bar, but what became known then was traded on."""
    *_, (sent, records) = run(feed(), group(0, GOOD, at=5), group(1, GOOD._replace(symbol="XOM"), at=at))
    assert sent is not None
    assert (sent.bars, records[0].body["fault"]) == ((), "late")


NUMBERS = st.one_of(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0, 9.0, 10.0, 11.0]), st.floats())
BARS = st.builds(Bar, st.sampled_from(["AAPL", "XOM", "IBM"]), *[NUMBERS] * 5, st.just(0.0))


@given(
    moments=st.lists(
        st.tuples(st.integers(0, 6), st.lists(st.one_of(BARS, st.just(GOOD)), max_size=4)), max_size=8
    )
)
def test_only_sound_bars_in_order_leave(moments: list[tuple[int, list[Bar]]]) -> None:
    """Whatever arrives: none is lost without a record, and what leaves keeps every rule."""
    machine = feed()
    groups = [group(index, *bars, at=at) for index, (at, bars) in enumerate(moments)]
    last_known, refused = -1, Counter[str]()
    for arrived, (sent, records) in zip(groups, run(machine, *groups), strict=True):
        assert sent is not None
        assert replace(sent, bars=()) == replace(arrived, bars=())
        assert len(sent.bars) + len(records) == len(arrived.bars)
        refused.update(event.body["fault"] for event in records)
        assert all(bar_fault(bar) is None and bar.symbol in ("AAPL", "XOM") for bar in sent.bars)
        assert len({bar.symbol for bar in sent.bars}) == len(sent.bars)
        if sent.bars:
            assert sent.known_ns > last_known
            last_known = sent.known_ns
    assert machine.state()["refused_bars"] == dict(refused)


# --- lockstep -----------------------------------------------------------------------------------------------


def test_next_group_is_pulled_only_when_exactly_this_one_has_settled() -> None:
    machine = feed(first=5)
    assert machine.handle(StartFeed()) == [Pull(5)]
    assert machine.handle(BarSettled(bar=5)) == []  # nothing is out yet
    machine.handle(BarsArrived(group=group(5, GOOD)))
    for wrong in (4, 6):
        assert machine.handle(BarSettled(bar=wrong)) == []
    assert machine.handle(BarSettled(bar=5)) == [Pull(6)]
    assert machine.handle(BarSettled(bar=5)) == []
    assert machine.state() == {"next": 6, "published": 1, "refused_bars": {}, "ended": False, "paused": False}


def test_group_that_arrives_again_is_not_published_again() -> None:
    machine = feed()
    machine.handle(StartFeed())
    machine.handle(StartFeed())
    assert published(machine.handle(BarsArrived(group=group(0, GOOD)))) is not None
    assert machine.handle(BarsArrived(group=group(0, GOOD))) == []
    machine.handle(BarSettled(bar=0))
    assert machine.handle(BarsArrived(group=group(0, GOOD))) == []
    assert machine.handle(BarsArrived(group=group(2, GOOD))) == []
    assert machine.state()["refused_bars"] == {}


def test_pace_holds_the_next_group_back() -> None:
    machine = feed(pace_s=0.5)
    machine.handle(StartFeed())
    outputs = machine.handle(BarsArrived(group=group(0, GOOD)))
    assert outputs[-1] == SetTimer("pace", 0.5)
    assert machine.handle(BarSettled(bar=0)) == [Pull(1)]
    assert machine.handle(BarsArrived(group=group(1, GOOD))) == []
    assert published(machine.handle(TimerFired(name="pace"))) is not None
    machine.handle(BarSettled(bar=1))
    assert machine.handle(TimerFired(name="pace")) == []
    assert published(machine.handle(BarsArrived(group=group(2, GOOD)))) is not None


def test_unknown_timer_is_a_fault() -> None:
    with pytest.raises(InvariantViolation, match="the feed sets no timer x"):
        feed().handle(TimerFired(name="x"))


def test_end_of_the_data_is_told() -> None:
    machine = feed(first=3)
    assert machine.handle(DataEnded(bars=3)) == [Send(COORDINATOR, DataEnded(bars=3))]
    assert machine.state()["ended"] is True


def test_begin_says_ready() -> None:
    assert feed().handle(Begin()) == [Send(COORDINATOR, Ready(role="feed", generation=1))]


def test_history_ends_before_the_next_group_to_be_published() -> None:
    """What is out follows: a strategy that starts meanwhile never got it, and must still speak of it."""
    machine = feed(first=3)
    asked = RequestHistory(requester="strategy:a", block_ns=7, warmup=2)
    assert machine.handle(asked) == [SendHistory("strategy:a", 7, 2, before=3)]
    machine.handle(StartFeed())
    machine.handle(BarsArrived(group=group(3, GOOD)))
    out = Send("strategy:a", BarsPublished(group=group(3, GOOD)))
    assert machine.handle(asked) == [SendHistory("strategy:a", 7, 2, before=3), out]
    machine.handle(BarSettled(bar=3))
    assert machine.handle(asked) == [SendHistory("strategy:a", 7, 2, before=4)]


SEQUENCE: list[FeedInbox] = [
    Begin(),
    StartFeed(),
    BarsArrived(group=group(0, GOOD)),
    BarSettled(bar=0),
    BarsArrived(group=group(1, GOOD)),
    TimerFired(name="pace"),
    BarSettled(bar=1),
    BarsArrived(group=group(2, GOOD)),
]


@pytest.mark.parametrize("pace_s", [0.0, 1.0])
@pytest.mark.parametrize("at", range(len(SEQUENCE) + 1))
def test_drain_at_any_moment_waits_for_what_is_out_and_publishes_no_more(at: int, pace_s: float) -> None:
    machine = feed(pace_s=pace_s)
    outputs = [output for message in SEQUENCE[:at] for output in machine.handle(message)]
    drained = machine.handle(STOP)
    out = sum(1 for o in outputs if isinstance(o, Send) and o.to == VENUE)
    settled = machine.state()["next"]
    assert drained == ([DRAINED] if out == settled else [])
    rest = [output for message in SEQUENCE[at:] for output in machine.handle(message)]
    assert published(rest) is None
    if out > settled:
        rest += machine.handle(BarSettled(bar=settled))
        assert rest.count(DRAINED) == 1
    assert machine.handle(TimerFired(name="pace")) == []
