"""The bar that has not settled is published again; a feed that restarted begins with the one decided last."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Unanswered
from domain.lease import LeaseTerms
from domain.market_data import MarketData
from domain.messages import (
    COORDINATOR,
    RISK,
    BarsArrived,
    BarSettled,
    BarsPublished,
    Begin,
    DataEnded,
    FeedInbox,
    Ready,
    RequestHistory,
    StartFeed,
    TimerFired,
)
from domain.outputs import CancelTimer, Output, Pull, Send, SendHistory, SetTimer
from domain.records import Rung
from domain.supervision import BarCursor, LeaseGranted, PublishAgain, Pulse, RequestBarCursor
from tests.unit.domain.test_market_data import DRAINED, GOOD, STOP, feed, group, published

TERMS = LeaseTerms(interval_s=1.0, valid_s=5.0)
READY = Send(COORDINATOR, Ready(role="feed", generation=1))
SETTLE = TimerFired(name="settle")


def granted(nonce: int) -> LeaseGranted:
    return LeaseGranted(nonce=nonce, bars_head=-1, journal_head=-1, rung=Rung.ACTIVE, latch_version=0)


def pulse(outputs: list[Output]) -> Pulse:
    (only,) = (o.message for o in outputs if isinstance(o, Send) and isinstance(o.message, Pulse))
    return only


def run(machine: MarketData, *messages: FeedInbox) -> list[Output]:
    return [output for message in messages for output in machine.handle(message)]


# --- lease --------------------------------------------------------------------------------------------------


def test_ready_waits_for_the_first_lease() -> None:
    machine = feed(lease=TERMS)
    assert pulse(machine.handle(Begin())).ready is False
    assert machine.handle(granted(1)) == [READY]
    assert machine.handle(granted(1)) == []
    assert pulse(machine.handle(TimerFired(name="pulse"))).ready is True


def test_pulses_tell_the_newest_bar_published_the_end_and_the_rest() -> None:
    """A message that was lost is made good by the next pulse: levels, not edges."""
    beat = TimerFired(name="pulse")
    machine = feed(first=5, lease=TERMS)
    run(machine, Begin(), granted(1), StartFeed())
    assert pulse(machine.handle(beat)).head == 4
    machine.handle(BarsArrived(group=group(5, GOOD)))
    assert pulse(machine.handle(beat)).head == 5
    machine.handle(STOP)
    assert pulse(machine.handle(beat)).at_rest is False
    run(machine, BarSettled(bar=5), DataEnded(bars=6))
    last = pulse(machine.handle(beat))
    assert (last.head, last.at_rest, last.ended) == (5, True, True)


def test_lapse_holds_bars_back_where_configured_and_only_there() -> None:
    """A lockstep replay does not run on without its coordinator; a paced one behaves as a live feed."""
    for pauses in (False, True):
        machine = feed(lease=TERMS, pause_on_lapse=pauses)
        run(machine, Begin(), granted(1), StartFeed(), TimerFired(name="lease.1"))
        came = machine.handle(BarsArrived(group=group(0, GOOD)))
        assert (published(came) is None, machine.state()["paused"]) == (pauses, pauses)
        run(machine, TimerFired(name="pulse"))
        assert (published(machine.handle(granted(2))) is not None) == pauses


def test_bar_that_is_asked_for_again_in_a_lapse_is_published_after_it() -> None:
    for asked in (PublishAgain(), SETTLE):
        machine = feed(lease=TERMS, pause_on_lapse=True, answer_deadline_s=6.0)
        run(machine, Begin(), granted(1), StartFeed(), BarsArrived(group=group(0, GOOD)))
        run(machine, TimerFired(name="lease.1"))
        for _ in range(9):
            assert published(machine.handle(asked)) is None, "nobody is asked, so nobody is silent"
        run(machine, TimerFired(name="pulse"))
        assert published(machine.handle(granted(2))) == group(0, GOOD)


# --- a bar that does not settle -----------------------------------------------------------------------------


def test_bar_that_does_not_settle_is_published_again_for_as_long_as_it_takes() -> None:
    """Fault search, seed 14: a lost order must be absent twice, 30 s apart, and its bar settles no sooner."""
    machine = feed(answer_deadline_s=6.0)
    machine.handle(StartFeed())
    first = machine.handle(BarsArrived(group=group(0, GOOD)))
    assert first[-1] == SetTimer("settle", 6.0)
    for _ in range(20):
        assert machine.handle(SETTLE) == first


def test_bar_that_settled_is_not_published_again() -> None:
    machine = feed(answer_deadline_s=6.0)
    run(machine, StartFeed(), BarsArrived(group=group(0, GOOD)))
    assert machine.handle(BarSettled(bar=0)) == [CancelTimer("settle"), Pull(1)]
    assert machine.handle(SETTLE) == []
    assert published(machine.handle(PublishAgain())) is None


def test_role_that_came_back_gets_the_bar_at_once() -> None:
    machine = feed(answer_deadline_s=6.0)
    run(machine, StartFeed(), BarsArrived(group=group(0, GOOD)), SETTLE, SETTLE, SETTLE)
    assert published(machine.handle(PublishAgain())) == group(0, GOOD)
    assert published(machine.handle(SETTLE)) == group(0, GOOD)


def test_bars_published_again_are_those_that_were_accepted_and_are_refused_once() -> None:
    machine = feed()
    bad = GOOD._replace(symbol="XOM", close=-1.0)
    run(machine, StartFeed(), BarsArrived(group=group(0, GOOD, bad)))
    assert machine.handle(PublishAgain()) == [
        Send(to, BarsPublished(group=group(0, GOOD))) for to in ("venue", "strategy:a", "risk")
    ]
    assert machine.state()["refused_bars"] == {"not_positive": 1}


def test_a_feed_that_was_not_started_is_not_started_by_a_role_that_came_back() -> None:
    assert feed().handle(PublishAgain()) == []


@given(
    seed=st.lists(
        st.sampled_from(["settled", "again", "arrived", "timer", "late", "start", "history"]), max_size=40
    )
)
def test_whatever_comes_bars_leave_in_order_and_only_the_unsettled_one_again(seed: list[str]) -> None:
    machine = feed(answer_deadline_s=6.0)
    machine.handle(StartFeed())
    out, asked = -1, 0
    for word in seed:
        following = machine.state()["next"]
        messages: dict[str, FeedInbox] = {
            "settled": BarSettled(bar=following),
            "again": PublishAgain(),
            "arrived": BarsArrived(group=group(following, GOOD)),
            "timer": SETTLE,
            "late": BarsArrived(group=group(max(following - 1, 0), GOOD)),
            "start": StartFeed(),
            "history": RequestHistory(requester="strategy:a", block_ns=1, warmup=1),
        }
        asked = asked + 1 if word == "timer" and out == following else 0
        if asked > 3:
            return
        sent = [o for o in machine.handle(messages[word]) if isinstance(o, Send) and o.to == RISK]
        for each in sent:
            assert isinstance(each.message, BarsPublished)
            assert each.message.group.index == following
            assert word != "settled"
            out = following


# --- a feed that restarted ----------------------------------------------------------------------------------


def test_restarted_feed_asks_for_the_bar_decided_last_until_it_is_told() -> None:
    machine = feed(generation=2, answer_deadline_s=6.0)
    asked = [Send(RISK, RequestBarCursor(requester="feed")), SetTimer("bar_cursor", 6.0)]
    assert machine.handle(Begin()) == asked
    timer = TimerFired(name="bar_cursor")
    assert machine.handle(timer) == asked
    told = machine.handle(BarCursor(bar=7))
    assert told == [CancelTimer("bar_cursor"), Send(COORDINATOR, Ready(role="feed", generation=2))]
    assert machine.handle(BarCursor(bar=3)) == machine.handle(timer) == []
    assert machine.handle(PublishAgain()) == [Pull(7)]


def test_risk_manager_that_never_tells_is_a_fault() -> None:
    machine = feed(generation=2, answer_deadline_s=6.0)
    timer = TimerFired(name="bar_cursor")
    run(machine, Begin(), timer, timer)
    with pytest.raises(Unanswered, match="the bar that the risk manager decided last did not come"):
        machine.handle(timer)


@pytest.mark.parametrize(("decided", "begins"), [(-1, 5), (4, 5), (5, 5), (9, 9)])
def test_restarted_feed_never_begins_before_the_sessions_first_bar(decided: int, begins: int) -> None:
    machine = feed(first=5, generation=2)
    assert Pull(begins) in run(machine, Begin(), StartFeed(), BarCursor(bar=decided))


ORDERS = list(itertools.permutations([BarCursor(bar=7), StartFeed(), PublishAgain(), granted(1)]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dropped", [None, StartFeed(), PublishAgain()])
def test_restarted_feed_begins_in_whatever_order_it_is_told_to(order: Any, dropped: Any) -> None:
    """Either word starts it, the cursor says where, the lease makes it ready; doubled words change nothing."""
    machine = feed(generation=2, lease=TERMS)
    outputs = run(machine, Begin(), *(message for message in order if message != dropped))
    assert {o for o in outputs if isinstance(o, Pull)} == {Pull(7)}
    assert outputs.count(Send(COORDINATOR, Ready(role="feed", generation=2))) == 1
    assert published(run(machine, *order)) is None
    came = machine.handle(BarsArrived(group=group(7, GOOD)))
    assert published(came) == group(7, GOOD)
    assert Pull(8) in machine.handle(BarSettled(bar=7))


def test_late_word_of_a_former_life_settles_nothing() -> None:
    machine = feed(generation=2)
    run(machine, Begin(), StartFeed(), BarCursor(bar=7))
    assert run(machine, BarSettled(bar=7), BarSettled(bar=8)) == []
    run(machine, BarsArrived(group=group(7, GOOD)))
    assert machine.handle(BarSettled(bar=8)) == []
    assert machine.handle(BarSettled(bar=7)) == [Pull(8)]


def test_history_that_is_asked_for_early_is_given_once_the_feed_knows_where_it_stands() -> None:
    machine = feed(generation=2)
    machine.handle(Begin())
    asked = RequestHistory(requester="strategy:a", block_ns=7, warmup=2)
    assert machine.handle(asked) == []
    assert SendHistory("strategy:a", 7, 2, before=9) in machine.handle(BarCursor(bar=9))


def test_restarted_feed_that_is_told_to_stop_before_it_published_is_at_rest() -> None:
    machine = feed(generation=2)
    machine.handle(Begin())
    assert machine.handle(STOP) == [DRAINED]
    assert not [o for o in run(machine, BarCursor(bar=7), PublishAgain()) if isinstance(o, Pull)]
