"""Kill the gateway between any two of its outputs: no intent is sent twice, none is lost, and the bar settles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.broker import OrderStatus, Side
from domain.messages import RISK, JournalUpdate, OrdersApproved, RequestJournal
from domain.outputs import Persist, Send, SendJournal
from domain.records import ExecutionEntry, IntentKind, OrderState
from tests.unit.domain.gateway_bench import (
    SETTINGS,
    Bench,
    FakeVenue,
    approval,
    approved,
    intent,
    linked,
    lost,
    update,
)

OLD, REF, KO = "1.main.KO.1.1", "1.main.AAPL.2.1", "1.main.KO.2.2"
DECIDED = approved(intent(1, bar=2), intent(2, bar=2, symbol="KO", lots=5), bar=2, cancels=(OLD,))
OUTPUTS = 7
"""One commit, word to the risk manager, two orders, one cancel, a timer; 7 is to die after all of them."""


def under_way() -> tuple[Bench, FakeVenue]:
    """Return a gateway, generation 2 when it restarts, that has an entry working since bar 1."""
    bench, venue = Bench(), FakeVenue()
    bench.open(1, venue)
    bench.give(approved(intent(1, bar=1, symbol="KO")))
    exchange(bench, venue)
    bench.settings = replace(SETTINGS, generation=2)
    return bench, venue


def exchange(bench: Bench, venue: FakeVenue) -> None:
    """Let commands reach the venue and its words the gateway, until there are no more."""
    while bench.wires or venue.said:
        wires, bench.wires = bench.wires, []
        for command in wires:
            venue.take(command)
        said, venue.said = venue.said, []
        for word in said:
            bench.give(word)


def reconnect(bench: Bench, venue: FakeVenue) -> None:
    """Let the new process connect and reconcile, absences confirmed."""
    bench.give(linked(1))
    exchange(bench, venue)
    if "absence" in bench.timers:
        bench.fire("absence")
        exchange(bench, venue)
    assert bench.machine.state()["gate_open"]


def test_the_outputs_of_a_decision_are_as_many_as_the_kills_below() -> None:
    bench, _ = under_way()
    assert len(bench.give(DECIDED)) == OUTPUTS - 1


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is lost"])
@pytest.mark.parametrize("done", range(OUTPUTS))
def test_killed_after_any_output_no_intent_is_sent_twice_and_the_bar_settles(
    done: int, arrives: bool
) -> None:
    """I1, I4: what may have left is UNKNOWN until the venue tells, and never sent again; what cannot have, is sent."""
    bench, venue = under_way()
    bench.give(DECIDED, dies_after=done)
    flying, bench.wires = bench.wires, []
    for command in flying if arrives else ():
        venue.take(command)
    venue.said.clear()  # to a process that is gone
    assert bench.settled == [1]

    bench.give(linked(1))
    kept = done >= 1
    left = {ref for ref in (REF, KO) if bench.placed[ref]}
    assert {ref for ref in (REF, KO) if ref in bench.book.orders} == ({REF, KO} if kept else set())
    assert all(bench.order(ref).state is OrderState.UNKNOWN for ref in (REF, KO) if kept)
    exchange(bench, venue)
    if "absence" in bench.timers:
        bench.fire("absence")
        exchange(bench, venue)

    bench.give(DECIDED)
    exchange(bench, venue)
    assert bench.settled == [1, 2]
    assert all(bench.placed[ref] <= 1 for ref in (OLD, REF, KO))
    for ref in (REF, KO):
        at_venue = ref in venue.orders
        assert at_venue == (not kept or (ref in left and arrives))
        assert bench.order(ref).state is (OrderState.WORKING if at_venue else OrderState.NEVER_ARRIVED)
    assert venue.orders[OLD].status is OrderStatus.CANCELED, "a cancel is asked for until it is answered"
    assert bench.halts == []


@pytest.mark.parametrize("done", range(4))
@pytest.mark.parametrize("resent", ["before the reconciliation", "after it"])
def test_killed_while_it_takes_in_a_fill_it_is_booked_once(done: int, resent: str) -> None:
    """I2: the download tells again what was told, and what was lost."""
    bench, venue = under_way()
    bench.give(DECIDED)
    exchange(bench, venue)
    venue.fill(REF, 10)
    told = [event for word in venue.said for event in word.events]
    venue.said.clear()
    bench.give(update(*told, advanced=3), dies_after=done)
    if resent.startswith("before"):
        bench.give(update(advanced=3))
    reconnect(bench, venue)
    assert bench.book.account_positions() == {"AAPL": 10}
    assert sum(isinstance(entry, ExecutionEntry) for entry in bench.entries()) == 1
    assert bench.halts == []


def test_restarted_gateway_tells_the_risk_manager_what_it_missed() -> None:
    """The commit was made, its word was not: the next shows the gap, and the risk manager asks."""
    bench, venue = under_way()
    bench.give(DECIDED, dies_after=1)
    told = [
        output.message
        for output in bench.give(linked(1))
        if isinstance(output, Send) and isinstance(output.message, JournalUpdate)
    ]
    assert [(word.after_seq, word.head) for word in told] == [(5, 8)]
    assert bench.give(RequestJournal(requester=RISK, after_seq=2)) == [SendJournal(RISK, 2, 8)]
    reconnect(bench, venue)


# --- the market went on meanwhile -------------------------------------------------------------------------------------


def finished(outputs: list[Any]) -> list[tuple[int, int]]:
    """Return (bar, entries) of each word to the risk manager that the market finished a bar."""
    words = [one.message for one in outputs if isinstance(one, Send)]
    return [
        (word.advanced, len(word.entries))
        for word in words
        if isinstance(word, JournalUpdate) and word.advanced >= 0
    ]


def test_bar_that_passed_while_the_gateway_was_dead_is_told_when_it_is_published_again() -> None:
    """The venue's word on bar 3 was lost; its fills come with the downloads, and the bar with its second publishing."""
    bench, venue = under_way()
    bench.give(DECIDED)
    exchange(bench, venue)
    bench.restart()
    venue.fill(REF, 10)
    venue.said.clear()
    reconnect(bench, venue)
    assert bench.book.account_positions() == {"AAPL": 10}
    assert finished(bench.give(update(advanced=3))) == [(3, 0)]
    bench.give(approved(bar=3))
    assert bench.settled == [1, 2, 3]


def test_bar_published_again_before_the_downloads_ended_is_told_with_their_fills() -> None:
    """I3: the risk manager would else decide the bar without them."""
    bench, venue = under_way()
    bench.give(DECIDED)
    exchange(bench, venue)
    bench.restart()
    venue.fill(REF, 10)
    venue.said.clear()
    bench.give(linked(1))
    assert finished(bench.give(update(advanced=3))) == []
    told = [word for word in bench.answer(venue) if isinstance(word, (Send, Persist))]
    ((bar, entries),) = finished(told)
    assert bar == 3
    assert entries > 0
    assert bench.book.account_positions() == {"AAPL": 10}
    assert finished(bench.give(update())) == [], "told once"


def test_bar_that_the_old_link_told_of_is_held_back_until_the_new_one_has_caught_up() -> None:
    bench, venue = under_way()
    bench.give(lost(1))
    assert finished(bench.give(update(advanced=2))) == []
    outputs = bench.open(2, venue)
    assert finished(outputs) == [(2, 0)]


# --- a risk manager that is no more -----------------------------------------------------------------------------------


def decided(*approvals: Any, epoch: int, cancels: tuple[str, ...] = ()) -> OrdersApproved:
    return approved(*approvals, bar=2, cancels=cancels)._replace(risk_epoch=epoch)


def test_approvals_in_flight_from_a_dead_risk_manager_are_refused_once_its_successor_spoke() -> None:
    bench, _ = under_way()
    bench.give(decided(approval(intent(1, bar=2), epoch=2), epoch=2))
    again = approval(intent(1, bar=2), epoch=1)
    other = approval(intent(2, bar=2, symbol="KO", lots=5), epoch=1)
    bench.give(decided(again, other, epoch=1))
    assert (bench.placed[REF], bench.placed[KO]) == (1, 0)
    assert bench.order(KO).text == "gateway: approved in risk epoch 1, the newest is 2"


def test_successor_that_approved_nothing_has_spoken_too() -> None:
    bench, _ = under_way()
    bench.give(decided(epoch=2))
    bench.give(decided(approval(intent(1, bar=2), epoch=1), epoch=1))
    assert bench.placed[REF] == 0


def test_dead_risk_managers_word_that_is_first_counts_once() -> None:
    """Its successor decides the bar again, the same: its orders are known."""
    bench, venue = under_way()
    bench.give(decided(approval(intent(1, bar=2), epoch=1), epoch=1))
    bench.give(decided(approval(intent(1, bar=2), epoch=2), epoch=2))
    exchange(bench, venue)
    assert bench.placed[REF] == 1
    assert bench.settled == [1, 2, 2]


def test_unlearnt_exit_is_not_sent_again_either() -> None:
    bench, venue = under_way()
    bench.give(DECIDED)
    exchange(bench, venue)
    venue.fill(REF, 10)
    exchange(bench, venue)
    leaving = approved(intent(1, bar=3, kind=IntentKind.EXIT, side=Side.SELL, lots=10), bar=3)
    bench.give(leaving, dies_after=3)
    venue.said.clear()
    for command in bench.wires:
        venue.take(command)
    bench.wires.clear()
    venue.said.clear()
    reconnect(bench, venue)
    bench.give(leaving)
    exchange(bench, venue)
    assert bench.placed["1.main.AAPL.3.1"] == 1
    assert bench.order("1.main.AAPL.3.1").state is OrderState.WORKING
    assert bench.settled == [1, 2, 3]
