"""The risk manager under supervision: its lease, its cursor, bars that come again, strategies that cannot speak."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.halt_messages import LatchChanged, LatchHeld
from domain.lease import LeaseTerms
from domain.messages import (
    COORDINATOR,
    FEED,
    GATEWAY,
    BarsPublished,
    Begin,
    Drain,
    JournalUpdate,
    Ready,
    RequestJournal,
    RiskInbox,
    TimerFired,
)
from domain.outbox import AuditKind
from domain.outputs import Output, Send, SetTimer
from domain.records import HaltTrigger, IntentKind, Rung
from domain.risk.manager import RiskManager
from domain.supervision import (
    AbsentStrategy,
    BarCursor,
    LeaseGranted,
    Pulse,
    RequestBarCursor,
    StrategiesAbsent,
)
from tests.unit.domain.risk.bench import (
    BUY,
    POLICY,
    SELL,
    Bench,
    all_say,
    batch,
    group,
    settings,
)

TERMS = LeaseTerms(interval_s=1.0, valid_s=5.0)
READY = Send(COORDINATOR, Ready(role="risk", generation=1))
EMPTY = JournalUpdate(at_ns=0, advanced=-1, entries=(), after_seq=0, head=0, last=True)
PRICES = {"AAPL": 100.0}


def granted(
    nonce: int, journal_head: int = -1, rung: Rung = Rung.ACTIVE, latch_version: int = 0
) -> LeaseGranted:
    return LeaseGranted(
        nonce=nonce, bars_head=-1, journal_head=journal_head, rung=rung, latch_version=latch_version
    )


def beat(bench: Bench) -> Pulse:
    (only,) = (
        o.message
        for o in bench.manager.handle(TimerFired(name="pulse"))
        if isinstance(o, Send) and isinstance(o.message, Pulse)
    )
    return only


def leased() -> Bench:
    """Return a bench whose manager pulses and holds its first lease."""
    bench = Bench(settings(lease=TERMS))
    bench.deliver(granted(1))
    return bench


# --- lease --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations([EMPTY, granted(1), granted(1), EMPTY])))
def test_ready_needs_the_journal_and_the_first_lease_in_any_order(order: Any) -> None:
    machine = RiskManager(settings(lease=TERMS), POLICY, None)
    machine.handle(Begin())
    came: list[Any] = []
    for message in order:
        whole = len(set(came)) == 2
        came.append(message)
        outputs: list[Output] = machine.handle(message)
        assert (READY in outputs) == (not whole and len(set(came)) == 2)


def test_pulses_tell_the_epoch_and_whether_it_is_ready_and_at_rest() -> None:
    bench = Bench(settings(lease=TERMS, epoch=7))
    assert (beat(bench).epoch, beat(bench).ready) == (7, False)
    bench.deliver(granted(1))
    assert (beat(bench).ready, beat(bench).at_rest) == (True, False)
    bench.deliver(Drain(reason="stop", cancel_entries=False))
    assert beat(bench).at_rest


def test_every_decision_tells_the_epoch_it_was_made_in() -> None:
    """The gateway learns of a newer risk manager also from a bar that approves nothing."""
    assert Bench(settings(epoch=7)).bar(0, PRICES).approved.risk_epoch == 7


def test_without_a_lease_nothing_is_entered_and_exits_go_on() -> None:
    """A lapse is no halt: nothing is cancelled here, and what it kept from being entered is counted."""
    bench = leased()
    bench.bar(0, PRICES, all_say(BUY))
    bench.bar(1, PRICES)
    bench.deliver(TimerFired(name="lease.1"))
    assert bench.manager.state()["lease"] is False
    lapsed = bench.bar(2, {**PRICES, "XOM": 50.0}, {n: {"AAPL": SELL, "XOM": BUY} for n in "abc"})
    assert {symbol: i.kind for symbol, i in lapsed.intents.items()} == {"AAPL": IntentKind.EXIT}
    (why,) = lapsed.denials
    assert why == "no_lease: the coordinator's lease has lapsed"
    assert bench.manager.state()["refused"] == {"no_lease": 1}
    beat(bench)
    bench.deliver(granted(2))
    assert list(bench.bar(3, {"XOM": 50.0}, all_say(BUY, "XOM")).intents) == ["XOM"]


def test_without_a_lease_flattening_goes_on() -> None:
    bench = leased()
    bench.bar(0, PRICES, all_say(BUY))
    bench.bar(1, PRICES)
    bench.deliver(
        TimerFired(name="lease.1"),
        LatchChanged(rung=Rung.FLATTENING, lowers=False, version=1, active=(HaltTrigger.KILL_SWITCH,)),
    )
    assert list(bench.bar(2, PRICES, session=2).intents) == ["AAPL"]


def test_lease_raises_the_latch_and_never_lowers_it() -> None:
    """B3: a word of a halt that was lost is made good by the next lease."""
    bench = leased()
    bench.deliver(granted(1, rung=Rung.HALTED, latch_version=4))
    for later in (granted(1, latch_version=9), granted(1, rung=Rung.REDUCING, latch_version=9)):
        bench.deliver(later)
        assert bench.manager.state()["rung"] == "HALTED"
    assert bench.bar(0, PRICES, session=0).approved.latch_version == 4
    bench.deliver(LatchChanged(rung=Rung.ACTIVE, lowers=True, version=9, active=()))
    assert bench.manager.state()["rung"] == "ACTIVE", "the lease did not make the word that lowers stale"


def test_lease_that_knows_less_than_the_latch_held_raises_nothing() -> None:
    bench = leased()
    bench.deliver(LatchChanged(rung=Rung.ACTIVE, lowers=True, version=5, active=()))
    bench.deliver(granted(1, rung=Rung.HALTED, latch_version=4))
    assert bench.manager.state()["rung"] == "ACTIVE"


def test_lost_last_update_of_the_journal_is_found_by_the_head_in_the_lease() -> None:
    bench = leased()
    bench.bar(0, PRICES, all_say(BUY))
    bench.trade(group(1, PRICES))  # its update is lost
    head = len(bench.entries)
    machine = bench.manager
    asked = machine.handle(granted(1, journal_head=head))
    assert asked == [Send(GATEWAY, RequestJournal(requester="risk", after_seq=1)), SetTimer("journal", 6.0)]
    assert machine.handle(granted(1, journal_head=head)) == [], "it is on its way"
    bench.deliver(bench.update(tuple(bench.entries[1:]), last=True))
    assert list(machine.state()["positions"]) == ["AAPL"]
    assert machine.handle(granted(1, journal_head=head)) == []


# --- bars that come again -----------------------------------------------------------------------------------


def test_restarted_feed_is_told_the_bar_decided_last() -> None:
    bench = Bench()
    asked = RequestBarCursor(requester=FEED)
    assert bench.manager.handle(asked) == [Send(FEED, BarCursor(bar=-1))]
    last = bench.bar(0, PRICES)
    bench.deliver(BarsPublished(group=group(1, PRICES)))
    assert bench.manager.handle(asked) == [Send(FEED, BarCursor(bar=0))], "bar 1 is under way"
    assert bench.reborn(last.snapshot).manager.handle(asked) == [Send(FEED, BarCursor(bar=0))]


def test_bar_under_way_that_comes_again_is_decided_once() -> None:
    bench = Bench()
    again = BarsPublished(group=group(0, PRICES))
    assert bench.deliver(again, again, bench.trade(group(0, PRICES)), again).orders == ()
    said = [batch(0, name, {"AAPL": BUY}, evaluated=1) for name in "abc"]
    decided = bench.deliver(said[0], again, said[0], said[1], said[2])
    assert len(decided.orders) == 1
    assert bench.deliver(again, *said).orders == decided.orders, "sent again, not decided again"


def test_bar_before_the_one_decided_last_is_settled_and_leads_to_nothing() -> None:
    """Fault search, seed 464: a feed that restarted while bar 12 was decided began with bar 11, and stayed there."""
    bench = Bench()
    for index in range(3):
        bench.bar(index, PRICES, all_say(BUY))
    (older,) = bench.deliver(BarsPublished(group=group(1, PRICES))).orders
    assert (older.bar, older.approvals, older.cancels) == (1, (), ())
    assert [sent.bar for sent in bench.deliver(BarsPublished(group=group(2, PRICES))).orders] == [2]


def test_bar_passed_over_after_a_restart_is_answered_each_time_it_comes() -> None:
    bench = Bench()
    *_, last = [bench.bar(index, PRICES) for index in range(3)]
    again = bench.reborn(last.snapshot)
    for _ in range(2):
        assert [sent.bar for sent in again.deliver(BarsPublished(group=group(1, PRICES))).orders] == [1]


def test_bar_decided_again_approves_nothing_that_it_had_not() -> None:
    """What is approved is on record first (I4): a strategy that says more the second time cannot add to it."""
    bench = Bench()
    said = {"a": {"AAPL": BUY, "XOM": BUY}, "b": {"AAPL": BUY}}
    today = {"AAPL": 100.0, "XOM": 50.0}
    first = bench.bar(0, today, said)
    again = Bench(bench.settings, POLICY, dict(first.snapshot.values))
    second = again.bar(0, today, {**said, "c": {"XOM": BUY}})
    assert (second.orders, second.records) == (first.orders, ())


# --- strategies that cannot speak ---------------------------------------------------------------------------


def absent(*names: str, abstains: bool = False) -> StrategiesAbsent:
    return StrategiesAbsent(
        absent=tuple(AbsentStrategy(name, "its process ended", abstains) for name in names)
    )


def opened(bench: Bench, index: int = 0, names: str = "ab") -> None:
    """Let a bar come of which `names` speak."""
    today = group(index, PRICES)
    said = [batch(index, name, {"AAPL": BUY}, evaluated=1) for name in names]
    assert bench.deliver(BarsPublished(group=today), bench.trade(today), *said).orders == ()


def test_strategy_that_becomes_absent_is_no_longer_waited_for() -> None:
    """B1: a process death counts as a failure; A2: no order for its symbols is made from that bar."""
    bench = Bench()
    opened(bench)
    decided = bench.deliver(absent("c"))
    assert decided.approved.approvals == ()
    (failure,) = decided.events(AuditKind.SIGNAL_FAILURE)
    assert (failure.key, failure.body["kind"], failure.body["error"]) == (
        "c.AAPL",
        "absent",
        "its process ended",
    )
    assert bench.manager.state()["failures"]["totals"] == {"c": 1}


def test_strategy_that_abstains_neither_votes_nor_blocks() -> None:
    bench = Bench()
    opened(bench)
    decided = bench.deliver(absent("c", abstains=True))
    assert list(decided.intents) == ["AAPL"]
    assert decided.events(AuditKind.SIGNAL_FAILURE) == []
    assert bench.manager.state()["failures"]["totals"] == {}


def test_vote_of_a_strategy_that_abstains_since_is_left_out() -> None:
    bench = Bench()
    opened(bench)
    decided = bench.deliver(absent("b", abstains=True), batch(0, "c", evaluated=1))
    assert decided.approved.approvals == (), "one vote of two is left"


def test_what_a_strategy_said_before_its_process_ended_counts() -> None:
    bench = Bench()
    opened(bench)
    decided = bench.deliver(absent("b"), batch(0, "c", evaluated=1))
    assert list(decided.intents) == ["AAPL"]


def test_strategy_that_came_back_is_waited_for_from_the_next_bar_on() -> None:
    bench = Bench()
    bench.deliver(absent("b", "c"))
    opened(bench, names="")
    decided = bench.deliver(absent(), batch(0, "a", evaluated=1))
    assert [event.key for event in decided.events(AuditKind.SIGNAL_FAILURE)] == ["b.AAPL", "c.AAPL"]
    opened(bench, 1, "a")
    assert bench.deliver(batch(1, "b", evaluated=1)).orders == ()
    assert len(bench.deliver(batch(1, "c", evaluated=1)).orders) == 1


def test_all_absent_strategies_let_the_bar_pass() -> None:
    bench = Bench()
    bench.deliver(absent(*"abc", abstains=True))
    today = group(0, PRICES)
    assert len(bench.deliver(BarsPublished(group=today), bench.trade(today)).orders) == 1
    assert bench.manager.state()["absent"] == dict.fromkeys("abc", "its process ended")


def test_deadline_fails_the_silent_ones_and_leaves_the_absent_out() -> None:
    bench = Bench()
    bench.deliver(absent("c", abstains=True))
    opened(bench, names="a")
    decided = bench.deliver(TimerFired(name="signals"))
    assert [event.key for event in decided.events(AuditKind.SIGNAL_FAILURE)] == ["b.AAPL"]


def test_stranger_that_is_absent_changes_nothing() -> None:
    bench = Bench()
    bench.deliver(absent("stranger"))
    assert len(bench.bar(0, PRICES, all_say(BUY)).intents) == 1


@given(order=st.permutations(range(6)), doubled=st.lists(st.integers(0, 5), max_size=4))
def test_absence_and_the_rest_of_a_bar_in_any_order_decide_it_once(
    order: list[int], doubled: list[int]
) -> None:
    """Whenever the word of the absence comes, there is one decision, and it never waits."""
    bench = Bench()
    today = group(0, PRICES)
    messages: list[RiskInbox] = [
        BarsPublished(group=today),
        bench.trade(today),
        batch(0, "a", {"AAPL": BUY}, evaluated=1),
        batch(0, "b", {"AAPL": BUY}, evaluated=1),
        absent("c", abstains=True),
        granted(1),
    ]
    round_ = bench.deliver(*(messages[each] for each in [*order, *doubled]))
    (decided,) = set(round_.orders)
    assert [approval.intent.symbol for approval in decided.approvals] == ["AAPL"]


# --- word on the latch --------------------------------------------------------------------------------------


def test_every_word_on_the_latch_is_confirmed() -> None:
    bench = Bench()
    for version, lowers in ((4, False), (3, False), (5, True), (5, True)):
        latch = LatchChanged(rung=Rung.REDUCING, lowers=lowers, version=version, active=())
        outputs = bench.manager.handle(latch)
        assert Send(COORDINATOR, LatchHeld(role="risk", version=version)) in outputs


def test_an_absence_of_many_bars_is_one_failure_and_the_next_one_another() -> None:
    """B1: a process death counts as a failure; at a fast pace its restart lasts for many bars."""
    bench = Bench()

    def bar(index: int, names: str) -> Counter[str]:
        today = group(index, PRICES)
        said = [batch(index, name, {"AAPL": BUY}, evaluated=1) for name in names]
        decided = bench.deliver(BarsPublished(group=today), bench.trade(today), *said)
        assert (decided.approved.approvals == ()) == (names == "ab"), "A2: a bar without it makes no order"
        return Counter(bench.manager.state()["failures"]["totals"])

    bench.deliver(absent("c"))
    assert [bar(index, "ab")["c"] for index in range(3)] == [1, 1, 1]
    bench.deliver(absent())
    assert bar(3, "abc")["c"] == 1
    bench.deliver(absent("c"))
    assert bar(4, "ab")["c"] == 2
