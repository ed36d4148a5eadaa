"""The books know the session, the peak and the latch, and go on from their snapshot."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.halt_messages import HaltReviewed, LatchChanged
from domain.outbox import AuditKind
from domain.records import HaltTrigger, Rung
from domain.risk.book_keeping import SNAPSHOT, BookKeeping
from tests.money import dividend, executed, stock
from tests.unit.domain.risk.bench import group, settings

T = HaltTrigger


def books(saved: dict[str, Any] | None = None, settlement_sessions: int = 1) -> BookKeeping:
    return BookKeeping(settings(instruments=[stock("AAPL", settlement_sessions), stock("XOM")]), saved)


def saved(of: BookKeeping, index: int = 0) -> dict[str, Any]:
    """Return the snapshot's values as they come back from disk."""
    _, snapshot = of.snapshots(group(index, {}), {})
    assert snapshot.name == SNAPSHOT
    return dict(json.loads(json.dumps(snapshot.values)))


def latch(version: int, *active: HaltTrigger, heard: tuple[HaltTrigger, ...] = ()) -> LatchChanged:
    return LatchChanged(rung=Rung.HALTED, lowers=False, version=version, active=active, heard=heard)


def answer(
    version: int, *active: HaltTrigger, rung: Rung = Rung.ACTIVE, new_peak: bool = False
) -> HaltReviewed:
    return HaltReviewed(bar=0, rung=rung, version=version, active=active, new_peak=new_peak)


def test_day_begins_with_the_session_and_the_equity_last_marked() -> None:
    """A8: the gap over night belongs to the new day."""
    kept = books()
    kept.portfolio.apply(executed(100, 100.0, seq=1))
    for index, (session, price, loss) in enumerate(
        [(1, 100.0, 0.0), (1, 90.0, 0.01), (2, 80.0, 1_000 / 99_000), (2, 85.0, 500 / 99_000)]
    ):
        kept.mark(group(index, {"AAPL": price}, session))
        assert kept.state()["daily_loss"] == pytest.approx(loss)


@given(prices=st.lists(st.floats(1.0, 1_000.0), min_size=1, max_size=20))
def test_peak_only_rises(prices: list[float]) -> None:
    kept = books()
    kept.portfolio.apply(executed(10, 100.0, seq=1))
    peak = 100_000.0
    for index, price in enumerate(prices):
        kept.mark(group(index, {"AAPL": price}))
        peak = max(peak, kept.day.equity)
        assert kept.day.peak_equity == peak
        assert kept.state()["drawdown"] == pytest.approx((peak - kept.day.equity) / peak)


def test_mark_of_a_symbol_without_a_bar_stays() -> None:
    kept = books()
    kept.portfolio.apply(executed(10, 100.0, seq=1))
    kept.mark(group(0, {"AAPL": 120.0}))
    kept.mark(group(1, {"XOM": 1.0}))
    assert kept.state()["equity"] == 100_200.0
    assert kept.marks.age_bars("AAPL", 1) == 1


def test_books_that_offset_each_other_have_no_gross_exposure_together() -> None:
    """B1: the halt on exposure sees what the check of an order sees, and the broker: the account's net in a symbol."""
    kept = books()
    kept.portfolio.apply(executed(100, 100.0, seq=1))
    kept.portfolio.apply(executed(-60, 100.0, seq=2, book="other"))
    kept.mark(group(0, {"AAPL": 100.0}))
    equity, _ = kept.snapshots(group(0, {}), {})
    assert equity.gross_exposure == kept.state()["gross_exposure"] == pytest.approx(0.04)


def test_halts_that_are_up_are_not_called_for_again() -> None:
    kept = books()
    kept.portfolio.apply(executed(1_000, 100.0, seq=1))
    found = kept.mark(group(0, {"AAPL": 97.0}))
    assert [trigger for trigger, _ in found] == [T.DAILY_LOSS]
    kept.latch.raise_for(group(0, {}), *found[0])
    assert kept.mark(group(1, {"AAPL": 97.0}, session=1)) == []


def test_equity_of_nothing_calls_for_every_halt_and_is_kept_as_it_is() -> None:
    kept = books()
    kept.portfolio.apply(executed(-1_000, 100.0, seq=1))
    found = {trigger for trigger, _ in kept.mark(group(0, {"AAPL": 300.0}))}
    assert found == {T.DAILY_LOSS, T.DAILY_LOSS_SEVERE, T.DRAWDOWN, T.DRAWDOWN_SEVERE, T.HEAT}
    equity, _ = kept.snapshots(group(0, {}), {})
    assert (equity.equity, equity.cash_micro) == (-100_000.0, 200_000_000_000)


@pytest.mark.parametrize(("trigger", "rung"), [(T.DAILY_LOSS, Rung.REDUCING), (T.HEAT, Rung.HALTED)])
def test_trigger_raises_the_latch_to_its_rung_and_never_lowers_it(trigger: T, rung: Rung) -> None:
    kept = books()
    assert kept.latch.raise_for(group(0, {}), trigger, "").rung is rung
    assert kept.rung is rung
    kept.latch.raise_for(group(0, {}), T.EXPOSURE, "")
    assert kept.rung is rung


def test_review_leaves_what_the_coordinator_says_is_up() -> None:
    kept = books()
    kept.latch.raise_for(group(0, {}), T.DAILY_LOSS, "")
    kept.latch.raise_for(group(0, {}), T.HEAT, "")
    kept.take_latch(latch(2, T.DAILY_LOSS, T.HEAT))
    assert kept.take_review(answer(3, T.HEAT, rung=Rung.HALTED)) == []
    assert (kept.rung, kept.latch.raised, kept.latch.version) == (Rung.HALTED, {T.HEAT}, 3)


def test_review_sets_the_new_reference_peak() -> None:
    """B4."""
    kept = books()
    kept.portfolio.apply(executed(1_000, 100.0, seq=1))
    kept.mark(group(0, {"AAPL": 88.0}))
    kept.take_review(answer(1, new_peak=True))
    assert kept.day.peak_equity == kept.day.equity == 88_000.0


@pytest.mark.parametrize(
    ("trigger", "heard", "lost"),
    [
        (T.DRAWDOWN_SEVERE, False, [(T.DRAWDOWN_SEVERE, "why")]),
        (T.DRAWDOWN_SEVERE, True, []),
        (T.DAILY_LOSS, False, []),  # the session ended it
    ],
)
def test_halt_lost_on_its_way_is_returned_by_the_review(
    trigger: T, heard: bool, lost: list[tuple[T, str]]
) -> None:
    """B3: also over a restart."""
    kept = books()
    kept.latch.raise_for(group(0, {}), trigger, "why")
    if heard:
        kept.take_latch(latch(1, trigger))
    kept = books(saved(kept))
    assert kept.take_review(answer(kept.latch.version + 1)) == lost
    assert kept.take_review(answer(kept.latch.version + 1)) == []


@pytest.mark.parametrize("heard", [(latch(1, T.HEAT), 0), (latch(1, heard=(T.HEAT,)), 0), (latch(1), 1)])
def test_halt_is_told_again_as_it_was_raised_until_the_coordinator_has_heard_of_it(
    heard: tuple[LatchChanged, int],
) -> None:
    """B3: a cause that has ended since was heard all the same."""
    kept = books()
    first = kept.latch.raise_for(group(4, {}, session=2), T.HEAT, "why")
    kept = books(saved(kept, 5))
    assert kept.latch.unheard() == [dataclasses.replace(first, again=True)]
    kept.take_latch(heard[0])
    assert len(kept.latch.unheard()) == heard[1]


def test_halts_are_told_again_in_the_order_they_were_raised() -> None:
    """B3: each record names the rung before it, so that another order would be another trail."""
    kept = books()
    raised = [
        kept.latch.raise_for(group(4, {}), trigger, "why")
        for trigger in (T.HEAT, T.DAILY_LOSS_SEVERE, T.DRAWDOWN)
    ]
    assert [halt.trigger for halt in books(saved(kept, 5)).latch.unheard()] == [
        halt.trigger for halt in raised
    ]


def test_bar_that_comes_again_is_not_valued_on_the_fills_that_came_after_it() -> None:
    """A8: 1,000 shares bought at 90 after the close at 120 were never worth 30,000 more."""
    kept = books()
    kept.mark(group(3, {"AAPL": 120.0}))
    for price, seq in ((90.0, 1), (150.0, 2)):
        restarted = books(saved(kept, 3))
        restarted.portfolio.apply(executed(1_000, price, seq=seq, bar=4))
        assert restarted.mark(group(3, {"AAPL": 120.0})) == []
        assert (restarted.day.equity, restarted.day.peak_equity) == (100_000.0, 100_000.0)
        restarted.take_review(answer(1, new_peak=True))
        restarted.mark(group(4, {"AAPL": price - 1.0}, session=9))
        assert (restarted.day.start_equity, restarted.day.equity) == (100_000.0, 99_000.0)
        assert restarted.day.peak_equity == 100_000.0


def test_peak_that_a_person_began_anew_outlasts_a_bar_that_comes_again() -> None:
    """B4: of bar 4 only the new peak was durable; bar 3, which stood higher, must not bring the old one back."""
    kept = books()
    kept.portfolio.apply(executed(1_000, 100.0, seq=1))
    kept.mark(group(3, {"AAPL": 100.0}))
    before = saved(kept, 3)
    kept.mark(group(4, {"AAPL": 88.0}))
    kept.take_latch(dataclasses.replace(latch(2), rung=Rung.ACTIVE, lowers=True, new_peak=True))
    restarted = books({**before, **kept.between_bars()})
    restarted.portfolio.apply(executed(1_000, 100.0, seq=1))
    restarted.mark(group(3, {"AAPL": 100.0}))
    assert restarted.day.peak_equity == 88_000.0
    restarted.mark(group(4, {"AAPL": 88.0}))
    assert restarted.state()["drawdown"] == 0.0


@pytest.mark.parametrize(("rung", "ends"), [(Rung.FLATTENING, False), (Rung.HALTED, True)])
def test_bar_that_comes_again_ends_the_flattening_if_it_did(rung: Rung, ends: bool) -> None:
    """B1: what filled since belongs to the next bar; a word of the end that was lost is said again."""
    kept = books()
    kept.take_latch(dataclasses.replace(latch(1), rung=rung))
    restarted = books(saved(kept, 3))
    restarted.take_latch(dataclasses.replace(latch(1), rung=Rung.FLATTENING))
    assert restarted.end_flattening(again=True) is ends
    assert restarted.end_flattening(again=False) is not ends


@pytest.mark.parametrize("settlement_sessions", [1, 2, 7])
@pytest.mark.parametrize("at", [1, 3, 9])
def test_cash_settles_after_a_restart_as_it_would_have(settlement_sessions: int, at: int) -> None:
    """The snapshot keeps as many session starts as the slowest instrument takes to settle."""
    entries = [executed(10, 100.0, seq=1, bar=0), executed(-10, 100.0, seq=2, bar=2)]
    straight = books(settlement_sessions=settlement_sessions)
    for index in range(at + 1):
        straight.mark(group(index, {"AAPL": 100.0}))
    restarted = books(saved(straight, at), settlement_sessions)
    for entry in entries:
        straight.portfolio.apply(entry)
        restarted.portfolio.apply(entry)
    for index in range(at + 1, at + 12):
        straight.mark(group(index, {"AAPL": 100.0}))
        restarted.mark(group(index, {"AAPL": 100.0}))
        assert restarted.portfolio.settled_micro() == straight.portfolio.settled_micro()
        assert saved(restarted, index) == saved(straight, index)


def test_position_is_worded_after_each_entry_for_each_book_that_holds_it() -> None:
    """C6: a dividend changes every book that holds the symbol, an execution its own."""
    kept = books()
    bought, paid = executed(10, 100.0, seq=1), dividend(0.5, 10, seq=2, instrument=stock("AAPL"))
    for entry, key, cash in ((bought, "x1", 99_000), (paid, "d2", 99_005)):
        (event,) = kept.book(entry)
        assert (event.kind, event.key, event.decision) == (AuditKind.POSITION, key, False)
        assert (event.body["symbol"], event.body["lots"]) == ("AAPL", 10)
        assert event.body["cash_micro"] == cash * 1_000_000
    assert kept.book(bought) == [], "booked once"


def test_what_was_traded_beside_the_engine_is_told_and_kept_out() -> None:
    kept = books()
    foreign = dataclasses.replace(executed(10, 100.0, seq=1), book="unassigned")
    foreign = dataclasses.replace(foreign, execution=dataclasses.replace(foreign.execution, symbol="ZZZ"))
    (event,) = kept.book(foreign)
    assert (event.kind, event.body["symbol"]) == (AuditKind.RECONCILIATION, "ZZZ")
    assert kept.portfolio.lots() == {}
