"""The risk manager decides each bar once, halts where figures call for it, and goes on from its snapshot."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvariantViolation, Unanswered
from domain.halt_messages import HaltReviewed, LatchChanged
from domain.halts import HaltLadder
from domain.messages import (
    COORDINATOR,
    GATEWAY,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    JournalUpdate,
    OrdersApproved,
    Ready,
    RequestJournal,
    RiskInbox,
    TimerFired,
)
from domain.outbox import AuditKind
from domain.outputs import CancelTimer, Persist, Send, SetTimer
from domain.records import HaltTrigger, IntentKind, MachineSnapshot, OrderState, Rung
from domain.risk.manager import TOLD, RiskManager
from tests.fakes.records import order
from tests.money import LIMITS
from tests.unit.domain.risk.bench import (
    BUY,
    POLICY,
    SELL,
    Bench,
    Round,
    all_say,
    batch,
    group,
    order_entry,
    settings,
)

# A position may be the whole equity, 1,000 shares at $100, so that a price is a loss in whole figures.
WIDE = LIMITS._replace(
    position_size_base_usd=100_000.0,
    position_size_max_usd=100_000.0,
    order_value_max_usd=100_000.0,
    max_symbol_exposure=1.0,
    max_sector_exposure=1.0,
    max_single_position_risk=0.10,
)
HALF = WIDE._replace(position_size_base_usd=50_000.0, position_size_max_usd=50_000.0)


def all_in(limits: Any = WIDE, **changes: Any) -> Bench:
    """Return a bench that after bar 1 holds 1,000 shares of AAPL at $100, the whole equity."""
    bench = Bench(settings(limits=limits, **changes))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0})
    assert (lots(bench), bench.manager.state()["equity"]) == ({"AAPL": 1_000}, 100_000.0)
    return bench


def lots(bench: Bench) -> dict[str, int]:
    return dict(bench.manager.state()["positions"])


# --- one bar ------------------------------------------------------------------------------------------------


def test_order_is_filled_at_the_next_bar_and_then_held() -> None:
    bench = Bench()
    first = bench.bar(0, {"AAPL": 100.0, "XOM": 50.0}, all_say(BUY))
    intent = first.intents["AAPL"]
    assert (intent.intent_id, intent.kind, intent.bar) == ("1.main.AAPL.0.1", IntentKind.ENTRY, 0)
    assert lots(bench) == {}
    second = bench.bar(1, {"AAPL": (101.0, 102.0), "XOM": 50.0}, all_say(BUY))
    assert lots(bench) == {"AAPL": intent.lots}
    assert second.approved.approvals == ()
    (event,) = second.events(AuditKind.POSITION)
    assert (event.body["lots"], event.body["average_price"]) == (intent.lots, 101.0)


def test_bar_waits_for_the_market_in_lockstep_and_not_without() -> None:
    for lockstep, decided in ((True, 0), (False, 1)):
        bench = Bench(settings(lockstep=lockstep))
        round_ = bench.deliver(
            BarsPublished(group=group(0, {"AAPL": 1.0})), *(batch(0, name) for name in "abc")
        )
        assert len(round_.orders) == decided


def test_bar_without_symbols_is_decided_and_settles() -> None:
    """An empty group (all its bars were refused) still ends in one `OrdersApproved`."""
    round_ = Bench().bar(0, {})
    assert round_.approved.approvals == ()
    assert round_.snapshot.bar == 0


def test_begin_and_drain_are_answered() -> None:
    machine = RiskManager(settings(), POLICY, None)
    asked = [Send(GATEWAY, RequestJournal(requester="risk", after_seq=0)), SetTimer("journal", 6.0)]
    assert machine.handle(Begin()) == asked
    empty = JournalUpdate(at_ns=0, advanced=-1, entries=(), after_seq=0, head=0, last=True)
    assert machine.handle(empty) == [
        CancelTimer("journal"),
        Send(COORDINATOR, Ready(role="risk", generation=1)),
    ]
    assert machine.handle(Drain(reason="", cancel_entries=True)) == [Send(COORDINATOR, Drained(role="risk"))]


def test_what_came_before_the_manager_was_begun_makes_it_not_ready() -> None:
    """A gateway that waits for an absent order tells of fills meanwhile: ready means since begun."""
    machine = RiskManager(settings(), POLICY, None)
    early = JournalUpdate(at_ns=0, advanced=-1, entries=(), after_seq=0, head=0, last=True)
    ready = Send(COORDINATOR, Ready(role="risk", generation=1))
    assert ready in machine.handle(early)
    machine.handle(Begin())
    assert ready in machine.handle(early)
    assert ready not in machine.handle(early)


def test_nothing_is_decided_before_the_journal_was_read() -> None:
    """Books that are not rebuilt yet would be judged as flat: gates fail closed."""
    machine = RiskManager(settings(), POLICY, None)
    machine.handle(Begin())
    assert machine.handle(BarsPublished(group=group(0, {"AAPL": 1.0}))) == []
    assert (
        machine.handle(JournalUpdate(at_ns=0, advanced=0, entries=(), after_seq=0, head=0, last=False)) == []
    )
    for name in "abc":
        assert machine.handle(batch(0, name)) == []
    outputs = machine.handle(JournalUpdate(at_ns=0, advanced=-1, entries=(), after_seq=0, head=0, last=True))
    assert sum(isinstance(o, Send) and isinstance(o.message, OrdersApproved) for o in outputs) == 1


# --- lockstep join ------------------------------------------------------------------------------------------


def history(rng: random.Random, bars: int) -> list[dict[str, Any]]:
    """Draw prices and votes of some bars; now and then a bar of a symbol is absent or a strategy fails."""
    prices = {"AAPL": 100.0, "XOM": 50.0}
    drawn = []
    for _ in range(bars):
        opened = {symbol: price * (1 + rng.gauss(0.0, 0.01)) for symbol, price in prices.items()}
        prices = {symbol: price * (1 + rng.gauss(0.0, 0.02)) for symbol, price in opened.items()}
        present = [symbol for symbol in prices if rng.random() > 0.1]
        drawn.append(
            {
                "prices": {symbol: (opened[symbol], prices[symbol]) for symbol in present},
                "said": {
                    name: {s: (rng.choice((-1, 1, 1)), rng.choice((0.3, 0.6, 0.8, 1.0))) for s in present}
                    for name in "abc"
                    if rng.random() > 0.2
                },
                "failed": {name: present for name in "abc" if rng.random() < 0.03},
            }
        )
    return drawn


@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(1, 8))
def test_bars_markers_and_signals_in_any_order_and_number_decide_the_same(seed: int, bars: int) -> None:
    """The join takes what belongs to one bar in any order, twice, and mixed with what is past."""
    rng = random.Random(seed)
    drawn = history(rng, bars)
    straight, shuffled = Bench(), Bench()
    past: list[RiskInbox] = []
    for index, bar in enumerate(drawn):
        wanted = straight.bar(index, **bar)
        today = group(index, bar["prices"])
        mine: list[RiskInbox] = [BarsPublished(group=today), shuffled.trade(today)]
        mine += [
            batch(index, n, bar["said"].get(n), bar["failed"].get(n, ()), len(today.bars)) for n in "abc"
        ]
        messages = [*mine, *rng.sample(mine, rng.randrange(len(mine))), *rng.sample(past, min(3, len(past)))]
        rng.shuffle(messages)
        got = shuffled.deliver(*messages)
        assert {orders for orders in got.orders if orders.bar == index} == set(wanted.orders)
        assert [r for r in got.records if r in wanted.records] == list(wanted.records)
        past += mine
    assert shuffled.manager.state() == straight.manager.state()


def test_late_batch_does_not_displace_the_next_bars() -> None:
    """Signals of bar 1 may come before bar 1 itself; a late answer to bar 0 must not take their place."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0})
    today = group(1, {"AAPL": 100.0})
    early = [batch(1, name, {"AAPL": BUY}, evaluated=1) for name in "abc"]
    round_ = bench.deliver(
        *early, batch(0, "a", {"AAPL": SELL}), BarsPublished(group=today), bench.trade(today)
    )
    assert list(round_.intents) == ["AAPL"]


def test_signals_of_a_later_bar_do_not_count_for_this_one() -> None:
    bench = Bench(settings(lockstep=False))
    today = group(0, {"AAPL": 100.0})
    ahead = [batch(1, name, {"AAPL": BUY}, evaluated=1) for name in "ab"]
    assert bench.deliver(BarsPublished(group=today), batch(0, "c", evaluated=1), *ahead).orders == ()
    assert bench.deliver(batch(0, "a", evaluated=1), batch(0, "b", evaluated=1)).approved.approvals == ()


def test_batch_of_a_strategy_that_was_not_configured_is_dropped() -> None:
    bench = Bench()
    today = group(0, {"AAPL": 100.0})
    heard = [batch(0, name, {"AAPL": BUY}, evaluated=1) for name in ("a", "b", "stranger")]
    assert bench.deliver(BarsPublished(group=today), bench.trade(today), *heard).orders == ()


def test_group_that_was_decided_is_answered_with_what_it_led_to_and_not_decided_again() -> None:
    """What it led to may have been lost on its way to the gateway, which knows each intent by its id."""
    bench = Bench()
    first = bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    before = bench.manager.state()
    bench.fills = False
    again = bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    assert (again.orders, again.records) == (first.orders, ())
    assert bench.manager.state() == before


# --- deadline -----------------------------------------------------------------------------------------------


def test_deadline_turns_silence_into_a_failure_and_decides_once() -> None:
    """A2: a strategy that does not answer has failed (kind timeout); its symbols trade nothing from that bar."""
    bench = Bench()
    today = group(0, {"AAPL": 100.0})
    waiting = bench.deliver(
        BarsPublished(group=today),
        bench.trade(today),
        *(batch(0, n, {"AAPL": BUY}, evaluated=1) for n in "ab"),
    )
    assert waiting.orders == ()
    assert waiting.timers == (SetTimer("signals", 30.0),)
    round_ = bench.deliver(TimerFired(name="signals"))
    assert round_.approved.approvals == ()
    (failure,) = round_.events(AuditKind.SIGNAL_FAILURE)
    assert (failure.key, failure.body["kind"]) == ("c.AAPL", "timeout")
    failures = bench.manager.state()["failures"]
    assert (failures["totals"], failures["symbols"]) == ({"c": 1}, {"AAPL": 1})
    assert failures["history"] == [(0, "c", "no answer within the deadline")]
    assert bench.deliver(batch(0, "c", {"AAPL": BUY}, evaluated=1), TimerFired(name="signals")).orders == ()


def test_deadline_before_the_marks_decides_nothing() -> None:
    bench = Bench()
    assert (
        bench.deliver(BarsPublished(group=group(0, {"AAPL": 1.0})), TimerFired(name="signals")).orders == ()
    )


# --- losses (A8, B1) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "rung", "triggers"),
    [
        (98.001, Rung.ACTIVE, []),  # 1.999 %
        (98.0, Rung.REDUCING, ["daily_loss"]),  # exactly 2 %
        (97.999, Rung.REDUCING, ["daily_loss"]),  # 2.001 %
        (95.001, Rung.REDUCING, ["daily_loss"]),
        (95.0, Rung.HALTED, ["daily_loss", "daily_loss_severe"]),
        (90.0, Rung.HALTED, ["daily_loss", "drawdown", "daily_loss_severe"]),
        (85.0, Rung.HALTED, ["daily_loss", "drawdown", "daily_loss_severe", "drawdown_severe"]),
    ],
)
def test_losses_bind_when_reached_and_are_in_the_decision_of_their_bar(
    price: float, rung: Rung, triggers: list[str]
) -> None:
    """A8, B1: 98,000 of 100,000 reduces; several triggers at one bar raise the highest of their rungs."""
    bench = all_in()
    round_ = bench.bar(2, {"AAPL": price})
    assert [halt.trigger.value for halt in round_.halts] == triggers
    assert round_.approved.rung is rung
    assert all(("daily loss" in halt.detail) == ("daily_loss" in halt.trigger) for halt in round_.halts)
    assert bench.manager.state()["rung"] == rung.name


def test_entry_at_exactly_two_percent_down_is_refused_with_daily_loss_in_the_reason() -> None:
    """A8: 98,000 of 100,000."""
    bench = Bench(settings(limits=HALF))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0})
    round_ = bench.bar(2, {"AAPL": 96.0, "XOM": 50.0}, all_say(BUY, "XOM"))
    assert bench.manager.state()["equity"] == 98_000.0
    (why,) = round_.denials
    assert why.startswith("halt: REDUCING")
    assert "daily loss of 2.000 %" in why
    assert bench.manager.state()["refused"] == {"halt": 1}


def test_drawdown_is_measured_from_a_peak_that_only_rises() -> None:
    """A8: losses of 2 % at most a day, 10 % from the peak of a rise in between."""
    bench = all_in()
    path = [100.0, 110.0, 108.5, 107.0, 105.5, 104.0, 102.5, 101.0, 99.5, 99.001, 99.0]
    raised = []
    for index, price in enumerate(path, start=2):
        raised += [(index, halt.trigger) for halt in bench.bar(index, {"AAPL": price}).halts]
        assert bench.manager.state()["peak_equity"] == max(path[: index - 1]) * 1_000
    assert raised == [(12, HaltTrigger.DRAWDOWN)]


def test_equity_of_nothing_halts_and_lets_the_exit_through() -> None:
    """Short 1,000 at $100 with $100,000; at $300 all is lost, and buying back still only shrinks the position."""
    book = replace_book(allow_short=True)
    bench = Bench(settings(books=[book], limits=WIDE))
    bench.bar(0, {"AAPL": 100.0}, all_say(SELL))
    bench.bar(1, {"AAPL": 100.0})
    assert lots(bench) == {"AAPL": -1_000}
    ruin = bench.bar(2, {"AAPL": 300.0, "XOM": 50.0}, {n: {"AAPL": BUY, "XOM": BUY} for n in "abc"})
    assert bench.manager.state()["equity"] < 0.0
    assert ruin.approved.rung is Rung.HALTED
    assert {halt.trigger.value for halt in ruin.halts} >= {"daily_loss_severe", "drawdown_severe", "heat"}
    assert list(ruin.intents) == ["AAPL"]
    (denied,) = ruin.denials
    assert denied.startswith("no_equity")


def replace_book(**changes: Any) -> Any:
    return settings().books[0]._replace(**changes)


# --- the ladder ---------------------------------------------------------------------------------------------


def test_reducing_lets_exits_through_by_size_and_cancels_entries() -> None:
    """B1, B2: the order that shrinks the position passes, the resting entry is cancelled."""
    bench = Bench(settings(limits=HALF))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0, "XOM": 50.0}, all_say(BUY, "XOM"))
    held = lots(bench)["AAPL"]
    entry = "1.main.XOM.1.1"
    assert list(bench.resting) == [entry]
    round_ = bench.bar(2, {"AAPL": 94.0}, all_say(SELL))
    assert round_.approved.rung is Rung.REDUCING
    assert round_.approved.cancels == (entry,)
    exit_ = round_.intents["AAPL"]
    assert (exit_.kind, exit_.side.value, exit_.lots, exit_.stop_loss_pct) == (
        IntentKind.EXIT,
        "sell",
        held,
        0.0,
    )


def test_halt_raised_elsewhere_holds_until_a_word_that_lowers_it() -> None:
    """B1: any role may raise the latch, only the coordinator lowers it."""
    bench = Bench()
    up = LatchChanged(rung=Rung.HALTED, lowers=False, version=4, active=(HaltTrigger.TECHNICAL_FAILURE,))
    other = LatchChanged(rung=Rung.ACTIVE, lowers=False, version=5, active=())
    assert bench.deliver(up, other).orders == ()
    bench.ladder.raise_latch(
        HaltTrigger.TECHNICAL_FAILURE, Rung.HALTED, at_ns=0, bar=0, session=1, raised_by="p", detail=""
    )
    round_ = bench.deliver(BarsPublished(group=group(0, {"AAPL": 1.0}, session=0)), *_rest(0))
    assert (round_.approved.rung, round_.approved.latch_version) == (Rung.HALTED, 5)
    bench.deliver(LatchChanged(rung=Rung.ACTIVE, lowers=True, version=6, active=()))
    assert bench.manager.state()["rung"] == "ACTIVE"


def _rest(index: int) -> list[RiskInbox]:
    market = JournalUpdate(at_ns=0, advanced=index, entries=(), after_seq=0, head=0, last=False)
    return [market, *(batch(index, name) for name in "abc")]


def test_news_older_than_the_latch_held_tells_nothing() -> None:
    bench = Bench()
    late = LatchChanged(rung=Rung.HALTED, lowers=False, version=3, active=(HaltTrigger.TECHNICAL_FAILURE,))
    bench.deliver(LatchChanged(rung=Rung.ACTIVE, lowers=True, version=4, active=()), late)
    assert bench.manager.state()["rung"] == "ACTIVE"


def test_bar_of_a_new_session_waits_for_the_review_of_a_latch() -> None:
    """B4: REDUCING for a daily loss ends with the next session, before anything of it is decided."""
    bench = all_in()
    assert bench.bar(2, {"AAPL": 97.0}).approved.rung is Rung.REDUCING
    today = group(3, {"AAPL": 97.0, "XOM": 50.0})
    bench.reviews = False
    waiting = bench.deliver(BarsPublished(group=today), bench.trade(today), *(batch(3, n) for n in "abc"))
    assert [(review.bar, review.session) for review in waiting.reviews] == [(3, 4)]
    assert waiting.orders == ()
    assert bench.deliver(TimerFired(name="signals")).orders == ()
    bench.ladder.review(at_ns=0, bar=3, session=4)
    answer = bench.review_answer(3)
    decided = bench.deliver(answer)
    assert decided.approved.rung is Rung.ACTIVE
    assert bench.deliver(answer).orders == ()
    assert bench.manager.state()["raised"] == []


def test_answer_that_came_twice_lowers_nothing() -> None:
    """The answer of session 4 must not lower what session 4 raised itself."""
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0})
    today = group(3, {"AAPL": 94.0})
    bench.deliver(BarsPublished(group=today), bench.trade(today))  # reviewed, ended, and 3 % down again
    assert bench.manager.state()["rung"] == "REDUCING"
    doubled = HaltReviewed(bar=3, rung=Rung.ACTIVE, version=9, active=(), new_peak=False)
    assert bench.deliver(doubled).halts == ()
    assert bench.manager.state()["rung"] == "REDUCING"
    assert bench.deliver(*(batch(3, n) for n in "abc")).approved.rung is Rung.REDUCING
    bench.deliver(doubled)
    assert bench.manager.state()["rung"] == "REDUCING"


def test_halt_that_overtakes_the_answer_to_a_review_stands() -> None:
    """The gateway may lose its broker while a review runs; control messages overtake the answer."""
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0})
    today = group(3, {"AAPL": 97.0})
    machine = bench.manager
    for message in (BarsPublished(group=today), bench.trade(today)):
        machine.handle(message)
    machine.handle(LatchChanged(rung=Rung.HALTED, lowers=False, version=3, active=(HaltTrigger.BROKER_LOST,)))
    machine.handle(HaltReviewed(bar=3, rung=Rung.ACTIVE, version=2, active=(), new_peak=False))
    state = machine.state()
    assert state["rung"] == "HALTED"
    assert "broker_lost" in state["raised"]


def test_daily_loss_ends_with_the_next_session_and_counts_from_there() -> None:
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0}, session=3)
    same_session = bench.bar(3, {"AAPL": 96.9}, session=3)
    assert (same_session.approved.rung, same_session.reviews) == (Rung.REDUCING, ())
    after = bench.bar(4, {"AAPL": 96.8, "XOM": 10.0}, session=4)
    assert (after.approved.rung, after.halts) == (Rung.ACTIVE, ())
    assert [halt.trigger for halt in bench.bar(5, {"AAPL": 94.9}, session=4).halts] == [
        HaltTrigger.DAILY_LOSS
    ]


def test_drawdown_ends_after_the_sessions_configured_with_a_new_peak() -> None:
    """B4: `resume_after_sessions` lets one bad year not end a test; each resume sets a new reference peak."""
    bench = all_in(limits=WIDE._replace(max_daily_loss=0.5, halt_daily_loss=0.5))
    bench.policy = replace_policy(bench, resume_after_sessions=3)
    assert bench.bar(2, {"AAPL": 89.0}).approved.rung is Rung.REDUCING
    rungs = [bench.bar(index, {"AAPL": 89.0}).approved.rung for index in (3, 4, 5, 6)]
    assert rungs == [Rung.REDUCING, Rung.REDUCING, Rung.ACTIVE, Rung.ACTIVE]
    assert bench.manager.state()["peak_equity"] == bench.manager.state()["equity"]
    assert bench.ladder.resumed_by_rule == 1


def replace_policy(bench: Bench, **changes: Any) -> Any:
    policy = POLICY._replace(**changes)
    bench.ladder = HaltLadder(policy, bench.ladder.to_values())
    return policy


def deaf() -> tuple[Bench, Round]:
    """Return a bench that halted at bars 2 and 3, and the last round; its halts never reached the coordinator."""
    bench = all_in()
    bench.hears = False
    bench.bar(2, {"AAPL": 94.0}, session=3)
    halted = bench.bar(3, {"AAPL": 88.0}, session=3)
    assert halted.approved.rung is Rung.HALTED
    assert bench.ladder.active == ()
    return bench, halted


def test_halt_the_coordinator_never_heard_of_is_told_again_at_begin() -> None:
    """B3: the manager's snapshot outlived a crash that the coordinator's record of the halts did not."""
    bench, halted = deaf()
    again = bench.reborn(halted.snapshot)
    assert {(halt.trigger, halt.bar, halt.session, halt.again) for halt in again.told} == {
        (HaltTrigger.DAILY_LOSS, 2, 3, True),
        (HaltTrigger.DAILY_LOSS_SEVERE, 2, 3, True),
        (HaltTrigger.DRAWDOWN, 3, 3, True),
    }
    assert again.ladder.rung is Rung.HALTED, "before any bar came"
    assert again.reborn(halted.snapshot).ladder.version == again.ladder.version, "heard: not recorded anew"
    assert again.bar(4, {"AAPL": 88.0}, session=3).halts == ()


def test_halt_that_was_heard_is_not_told_again() -> None:
    bench = all_in()
    bench.bar(2, {"AAPL": 94.0}, session=3)
    later = bench.bar(3, {"AAPL": 94.0}, session=3)
    assert bench.reborn(later.snapshot).told == []


def test_halt_lost_on_its_way_is_raised_again_at_the_review() -> None:
    """B3: without a crash too."""
    bench, _ = deaf()
    bench.hears = True
    round_ = bench.bar(4, {"AAPL": 88.0}, session=4)
    told = {halt.trigger for halt in round_.halts}
    assert told == {HaltTrigger.DAILY_LOSS, HaltTrigger.DAILY_LOSS_SEVERE, HaltTrigger.DRAWDOWN}
    assert all(halt.again for halt in round_.halts), "told before the review, which ends what is on record"
    assert round_.approved.rung is Rung.HALTED
    assert bench.ladder.rung is Rung.HALTED


def heat_told(round_: Round) -> list[float]:
    return [event.body["warning"] for event in round_.events(AuditKind.HEAT_WARNING)]


def test_heat_warning_that_stands_is_not_told_again() -> None:
    """A6: the whole equity in one position at a stop of 3 % is 3 % of heat."""
    bench = all_in(WIDE._replace(heat_warnings=(0.01, 0.02, 0.031)))
    assert bench.manager.state()["heat_level"] == 2
    for index, price in enumerate((100.0, 99.0, 100.0), start=2):
        assert heat_told(bench.bar(index, {"AAPL": price})) == []


def test_the_highest_warning_reached_at_once_is_told_and_a_fallen_one_again() -> None:
    bench = Bench(settings(limits=HALF._replace(heat_warnings=(0.005, 0.01, 0.018))))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    first = bench.bar(1, {"AAPL": 100.0})
    assert heat_told(first) == [0.01]
    assert "has reached the warning of 1.000 %" in first.events(AuditKind.HEAT_WARNING)[0].body["text"]
    bench = bench.reborn(first.snapshot)
    assert heat_told(bench.bar(2, {"AAPL": 100.0})) == [], "told before the restart"
    assert heat_told(bench.bar(3, {"AAPL": 40.0})) == []
    assert heat_told(bench.bar(4, {"AAPL": 100.0})) == [0.01]
    assert heat_told(bench.bar(5, {"AAPL": 200.0})) == [0.018]


def test_without_configured_warnings_none_is_recorded() -> None:
    bench = Bench(settings(limits=WIDE._replace(heat_warnings=())))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    assert heat_told(bench.bar(1, {"AAPL": 100.0})) == []


def test_halt_is_raised_once_while_it_is_up() -> None:
    """B3: a second halt while halted is not doubled."""
    bench = all_in(limits=WIDE._replace(max_daily_loss=0.5, halt_daily_loss=0.5))
    assert len(bench.bar(2, {"AAPL": 89.0}).halts) == 1
    assert bench.bar(3, {"AAPL": 88.5}).halts == ()


def test_latch_announced_at_the_start_is_not_raised_again() -> None:
    """The coordinator recorded the halt, the manager fell before its snapshot: the bar is marked again."""
    bench = all_in()
    before = bench.bar(2, {"AAPL": 99.9}).snapshot
    bench.bar(3, {"AAPL": 97.0})
    again = bench.reborn(before)
    assert again.bar(3, {"AAPL": 97.0}).halts == ()
    assert again.manager.state()["rung"] == "REDUCING"


# --- what does not come --------------------------------------------------------------------------------------


def test_unknown_timer_is_a_fault() -> None:
    with pytest.raises(InvariantViolation, match="sets no timer tea"):
        Bench().manager.handle(TimerFired(name="tea"))


def test_journal_that_does_not_come_is_asked_for_again_and_its_silence_is_a_fault() -> None:
    machine = RiskManager(settings(), POLICY, None)
    asked = machine.handle(Begin())
    fired = TimerFired(name="journal")
    assert machine.handle(fired) == asked
    part = (order(1),)
    machine.handle(JournalUpdate(at_ns=0, advanced=-1, entries=part, after_seq=0, head=1, last=False))
    rest = [Send(GATEWAY, RequestJournal(requester="risk", after_seq=1)), *asked[1:]]
    assert machine.handle(fired) == rest
    assert machine.handle(fired) == rest, "a part of the answer renews the patience"
    with pytest.raises(Unanswered, match=r"the gateway's journal did not come: asked for 3 times, 6 s each"):
        machine.handle(fired)


def test_journal_that_comes_twice_is_booked_once() -> None:
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0})
    machine = RiskManager(bench.settings, POLICY, None)
    machine.handle(Begin())
    whole = bench.update(tuple(bench.entries), last=True)
    machine.handle(whole._replace(last=False))
    machine.handle(TimerFired(name="journal"))
    machine.handle(whole)
    assert machine.handle(TimerFired(name="journal")) == []
    assert machine.state()["positions"] == bench.manager.state()["positions"]
    assert machine.state()["cash"] == bench.manager.state()["cash"]


def test_review_that_is_not_answered_is_asked_for_again_and_its_silence_is_a_fault() -> None:
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0})
    bench.reviews = False
    waiting = bench.bar(3, {"AAPL": 97.0}, session=4)
    assert (waiting.orders, waiting.timers) == ((), (SetTimer("review", 6.0),))
    asked = [Send(COORDINATOR, waiting.reviews[0]), SetTimer("review", 6.0)]
    for _ in range(5):
        assert bench.manager.handle(TimerFired(name="review")) == asked
    with pytest.raises(Unanswered, match="the review of the halt latch did not come: asked for 6 times"):
        bench.manager.handle(TimerFired(name="review"))


def test_answered_review_is_not_asked_for_again() -> None:
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0})
    assert len(bench.bar(3, {"AAPL": 97.0}, session=4).orders) == 1
    assert bench.manager.handle(TimerFired(name="review")) == []


# --- flattening ---------------------------------------------------------------------------------------------


def test_flattening_closes_every_position_whatever_the_votes() -> None:
    """B1: the kill switch; a failed strategy does not keep a position open."""
    bench = all_in()
    bench.deliver(
        LatchChanged(rung=Rung.FLATTENING, lowers=False, version=1, active=(HaltTrigger.KILL_SWITCH,))
    )
    round_ = bench.bar(2, {"AAPL": 100.0, "XOM": 50.0}, all_say(BUY, "XOM"), {"a": ["AAPL"]}, session=2)
    assert {s: i.kind for s, i in round_.intents.items()} == {"AAPL": IntentKind.EXIT}


# --- failures (B5) ------------------------------------------------------------------------------------------


def test_three_failed_evaluations_in_a_row_halt_at_that_bar() -> None:
    """B1: the halt is in the decision of the bar at which the third fails."""
    round_ = Bench().bar(0, {"AAPL": 100.0}, failed={n: ["AAPL"] for n in "abc"})
    (halt,) = round_.halts
    assert (halt.trigger, halt.rung, halt.bar) == (HaltTrigger.CONSECUTIVE_FAILURES, Rung.HALTED, 0)
    assert round_.approved.rung is Rung.HALTED


def test_success_after_the_third_failure_takes_nothing_back_at_the_same_bar() -> None:
    """B5: the halt is called at the threshold."""
    book = replace_book(strategies=tuple("abcde"))
    bench = Bench(settings(books=[book]))
    round_ = bench.bar(0, {"AAPL": 100.0}, failed={n: ["AAPL"] for n in "abce"})
    assert [halt.trigger for halt in round_.halts] == [HaltTrigger.CONSECUTIVE_FAILURES]


def test_failures_while_their_halt_is_up_raise_nothing_more() -> None:
    """B3."""
    bench = Bench()
    all_fail = {n: ["AAPL"] for n in "abc"}
    assert len(bench.bar(0, {"AAPL": 100.0}, failed=all_fail).halts) == 1
    assert bench.bar(1, {"AAPL": 100.0}, failed=all_fail).halts == ()


def test_strategy_that_saw_none_of_its_symbols_neither_failed_nor_succeeded() -> None:
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, failed={"b": ["AAPL"], "c": ["AAPL"]})
    bench.bar(1, {})
    assert bench.manager.state()["failures"]["window"] == [0, 1, 1]
    assert len(bench.bar(2, {"AAPL": 100.0}, failed={"a": ["AAPL"]}).halts) == 1


def test_failure_on_some_symbols_is_no_failed_evaluation() -> None:
    bench = Bench()
    round_ = bench.bar(0, {"AAPL": 100.0, "XOM": 50.0}, failed={n: ["AAPL"] for n in "abc"})
    assert round_.halts == ()
    failures = bench.manager.state()["failures"]
    assert (failures["totals"], failures["symbols"]) == ({}, {"AAPL": 3})


def test_end_of_a_failure_halt_begins_the_count_anew_and_other_ends_do_not() -> None:
    """B5: reset after the halt is resumed; a daily loss that ends hides no failures."""
    bench = Bench(policy=POLICY._replace(resume_after_sessions=2))
    bench.bar(0, {"AAPL": 100.0}, failed={n: ["AAPL"] for n in "abc"})
    bench.bar(1, {"AAPL": 100.0}, failed={"a": ["AAPL"]}, said=None)
    after = bench.bar(2, {"AAPL": 100.0}, failed={"a": ["AAPL"]})
    assert after.approved.rung is Rung.ACTIVE
    assert bench.manager.state()["failures"]["window"] == [1, 0, 0]
    bench = all_in()
    bench.bar(2, {"AAPL": 97.0}, failed={"b": ["AAPL"], "c": ["AAPL"]})
    (halt,) = bench.bar(3, {"AAPL": 97.0}, failed={"a": ["AAPL"]}).halts
    assert halt.trigger is HaltTrigger.CONSECUTIVE_FAILURES


# --- the journal --------------------------------------------------------------------------------------------


def test_order_state_that_comes_twice_does_not_reopen_the_order() -> None:
    bench = Bench()
    intent = bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    bench.bar(1, {"AAPL": 100.0})
    assert bench.manager.state()["working"] == 0
    bench.deliver(
        JournalUpdate(
            at_ns=0,
            advanced=-1,
            entries=(order_entry(intent, 1, OrderState.WORKING),),
            after_seq=0,
            head=1,
            last=False,
        )
    )
    assert bench.manager.state()["working"] == 0


def test_gap_in_the_journal_is_asked_for_before_anything_is_decided() -> None:
    """Fire and forget loses messages: the journal is the truth, the cursor finds what is missing."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    today = group(1, {"AAPL": 100.0})
    lost = bench.trade(today)
    machine = bench.manager
    machine.handle(BarsPublished(group=today))
    for name in "abc":
        machine.handle(batch(1, name))
    asked, _ = machine.handle(lost._replace(entries=(), after_seq=3))
    assert asked == Send(GATEWAY, RequestJournal(requester="risk", after_seq=1))
    assert lots(bench) == {}
    outputs = machine.handle(lost._replace(advanced=-1, last=True))
    assert len(lots(bench)) == 1
    assert [type(o.message) for o in outputs if isinstance(o, Send)] == [OrdersApproved]
    assert machine.handle(lost) == []


def test_deadline_while_the_journal_has_a_gap_decides_when_it_is_filled() -> None:
    bench = Bench(settings(lockstep=False))
    entry = bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    bench.deliver(BarsPublished(group=group(1, {"AAPL": 100.0})), batch(1, "a"), batch(1, "b"))
    bench.fill_part(entry, 100.0, 10)  # its journal entries are lost
    machine = bench.manager
    head = len(bench.entries)
    later = JournalUpdate(at_ns=0, advanced=-1, entries=(), after_seq=head, head=head, last=False)
    assert machine.handle(later) == [
        Send(GATEWAY, RequestJournal(requester="risk", after_seq=1)),
        SetTimer("journal", 6.0),
    ]
    assert machine.handle(TimerFired(name="signals")) == []
    round_ = bench.deliver(bench.update(tuple(bench.entries[1:]), last=True))
    assert round_.approved.bar == 1
    assert lots(bench) == {"AAPL": 10}
    assert [event.key for event in round_.events(AuditKind.SIGNAL_FAILURE)] == ["c.AAPL"]


# --- going on after a restart -------------------------------------------------------------------------------


def state(bench: Bench) -> dict[str, Any]:
    """Return the manager's state but for the failures it remembers of this life alone."""
    found = dict(bench.manager.state())
    failures = {name: value for name, value in found["failures"].items() if name != "history"}
    return {**found, "failures": failures}


def same(left: Round, right: Round) -> None:
    assert left.orders == right.orders
    assert left.halts == right.halts
    assert left.records == right.records


@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(2, 25), data=st.data())
def test_manager_rebuilt_at_any_bar_goes_on_as_if_it_had_not_stopped(
    seed: int, bars: int, data: st.DataObject
) -> None:
    """A8: peak and start of day are persisted; the rest comes from the gateway's journal."""
    drawn = history(random.Random(seed), bars)
    at = data.draw(st.integers(1, bars - 1))
    limits = LIMITS._replace(
        max_daily_loss=data.draw(st.sampled_from([0.0005, 0.02])),
        max_total_drawdown=data.draw(st.sampled_from([0.001, 0.1])),
        drawdown_protection=True,
    )
    policy = POLICY._replace(resume_after_sessions=data.draw(st.sampled_from([0, 2])))
    straight = Bench(settings(limits=limits), policy)
    stopped = Bench(settings(limits=limits), policy)
    snapshot = None
    for index, bar in enumerate(drawn):
        if index == at:
            stopped = stopped.reborn(snapshot)
        wanted, got = straight.bar(index, **bar), stopped.bar(index, **bar)
        same(got, wanted)
        snapshot = got.snapshot
    assert state(stopped) == state(straight)


@given(seed=st.integers(0, 2**32 - 1), at=st.integers(0, 14))
def test_bar_decided_again_after_a_crash_decides_the_same_and_counts_nothing_twice(
    seed: int, at: int
) -> None:
    """The snapshot of bar `at` was durable, its orders never reached the gateway: the feed publishes it again."""
    drawn = history(random.Random(seed), at + 3)
    straight = Bench()
    for index in range(at):
        straight.bar(index, **drawn[index])
    today = group(at, drawn[at]["prices"])
    filled = straight.trade(today)
    after_fills, still_resting = list(straight.entries), dict(straight.resting)
    wanted = straight.deliver(
        BarsPublished(group=today),
        filled,
        *(
            batch(at, n, drawn[at]["said"].get(n), drawn[at]["failed"].get(n, ()), len(today.bars))
            for n in "abc"
        ),
    )
    crashed = Bench(
        straight.settings,
        POLICY,
        dict(wanted.snapshot.values),
        HaltLadder(POLICY, straight.ladder.to_values()),
        after_fills,
        still_resting,
    )
    crashed.fills = False  # the venue has traded this bar
    again = crashed.bar(at, **drawn[at])
    crashed.fills = True
    assert (again.orders, again.halts, again.records) == (wanted.orders, (), ())
    for index in (at + 1, at + 2):
        same(crashed.bar(index, **drawn[index]), straight.bar(index, **drawn[index]))
    assert state(crashed) == state(straight)


def test_bar_before_the_snapshot_is_settled_without_a_second_decision() -> None:
    """Its orders are in the gateway's journal: deciding it on newer books would make others."""
    bench = Bench()
    *_, last = [bench.bar(index, {"AAPL": 100.0}) for index in range(3)]
    again = bench.reborn(last.snapshot)
    before = again.manager.state()
    round_ = again.bar(1, {"AAPL": 100.0}, all_say(BUY))
    assert (round_.approved.bar, round_.approved.approvals, round_.records) == (1, (), ())
    assert again.manager.state() == before
    assert again.bar(2, {"AAPL": 100.0}).approved.approvals == ()
    assert list(again.bar(3, {"AAPL": 100.0}, all_say(BUY)).intents) == ["AAPL"]


def records_of(outputs: list[Any]) -> list[Any]:
    return [record for output in outputs if isinstance(output, Persist) for record in output.records]


def test_positions_read_at_the_start_are_not_reported_as_new() -> None:
    bench = Bench()
    rounds = [bench.bar(i, {"AAPL": 100.0}, all_say(BUY) if i == 0 else None) for i in range(2)]
    (told,) = (each for each in rounds[1].records if isinstance(each, MachineSnapshot) and each.name == TOLD)
    machine = RiskManager(bench.settings, POLICY, rounds[1].snapshot.values, told.values["seq"])
    machine.handle(Begin())
    outputs = machine.handle(bench.update(tuple(bench.entries), last=True))
    assert records_of(outputs) == []
    assert machine.state()["positions"] == bench.manager.state()["positions"]


def test_positions_a_crash_kept_from_the_record_are_recorded_at_the_start_and_once() -> None:
    """C6: the gateway had booked the execution, the manager died before it recorded what became of the position."""
    bench = Bench()
    rounds = [bench.bar(i, {"AAPL": 100.0}, all_say(BUY) if i == 0 else None) for i in range(2)]
    (lost,) = rounds[1].events(AuditKind.POSITION)
    machine = RiskManager(bench.settings, POLICY, rounds[0].snapshot.values)
    machine.handle(Begin())
    whole = bench.update(tuple(bench.entries), last=True)
    event, told = records_of(machine.handle(whole._replace(last=False)))
    assert (event.key, event.body) == (lost.key, lost.body)
    assert (told.name, told.values) == (TOLD, {"seq": 2}), "in the same commit"
    assert records_of(machine.handle(whole)) == [], "the journal came twice"
