from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.broker import DownloadKind, OrderStatus, RequestDownload, Side
from domain.cash_book import CashTerms
from domain.messages import COORDINATOR, Ready
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import CancelTimer, Connect, Persist, Send, SetTimer, Wire
from domain.records import HaltTrigger, IntentKind, OrderState, Rung
from tests.unit.domain.gateway_bench import (
    SETTINGS,
    Bench,
    FakeVenue,
    approved,
    fill,
    intent,
    linked,
    lost,
    reported,
    update,
)

REF = "1.main.AAPL.1.1"
STOP = f"{REF}.stop"


@pytest.fixture
def bench() -> Bench:
    """Return a gateway that is connected and reconciled with an empty venue."""
    ready = Bench()
    ready.open()
    return ready


def sent(bench: Bench, venue: FakeVenue | None = None) -> None:
    """Send one entry; with `venue` it arrives there, unanswered."""
    bench.give(approved(intent()))
    command = bench.wires.pop()
    if venue is not None:
        venue.take(command)
        venue.said.clear()


def gate_open(bench: Bench) -> bool:
    return bool(bench.machine.state()["gate_open"])


def reconciliations(outputs: list[Any]) -> list[AuditEvent]:
    records = [record for output in outputs if isinstance(output, Persist) for record in output.records]
    return [one for one in records if isinstance(one, AuditEvent) and one.kind is AuditKind.RECONCILIATION]


# --- the gate ---------------------------------------------------------------------------------------------------------


def test_the_gate_opens_when_all_four_downloads_have_ended() -> None:
    bench = Bench()
    outputs = bench.give(linked(1))
    asked = [one.command for one in outputs if isinstance(one, Wire)]
    assert [one.kind for one in asked if isinstance(one, RequestDownload)][-1] is DownloadKind.POSITIONS
    assert len(asked) == len(DownloadKind)
    venue = FakeVenue()
    for request in bench.wires[1:]:
        bench.give(update(venue.download(request)))
        assert not gate_open(bench)
    outputs = bench.give(update(venue.download(bench.wires[0])))
    assert gate_open(bench)
    assert Send(COORDINATOR, Ready(role="gateway", generation=1)) in outputs


def test_ready_is_told_once(bench: Bench) -> None:
    outputs = bench.open(2)
    assert gate_open(bench)
    assert not [one for one in outputs if isinstance(one, Send) and isinstance(one.message, Ready)]


def test_answers_to_requests_of_an_older_connection_are_ignored() -> None:
    bench, venue = Bench(), FakeVenue()
    bench.give(linked(1))
    old, bench.wires = bench.wires, []
    bench.give(linked(2))
    for request in old:
        bench.give(update(venue.download(request)))
    assert not gate_open(bench)
    bench.answer(venue)
    assert gate_open(bench)


def test_answers_that_arrive_after_the_link_was_lost_do_not_open_the_gate() -> None:
    """The loss overtakes in the control lane: orders would go to a venue that is not there."""
    bench = Bench()
    bench.give(linked(1))
    bench.give(lost())
    bench.answer(FakeVenue())
    assert not gate_open(bench)


def test_link_that_was_lost_before_it_was_heard_to_come_up_is_lost() -> None:
    """The loss overtook the word that the same connection had come up."""
    bench = Bench()
    bench.give(lost(1))
    assert bench.give(linked(1)) == []
    assert "reconnect" in bench.timers
    bench.open(2)
    assert gate_open(bench)


def test_an_answer_told_twice_counts_once() -> None:
    bench, venue = Bench(), FakeVenue()
    bench.give(linked(1))
    for _ in range(4):
        bench.give(update(venue.download(bench.wires[0])))
    assert not gate_open(bench)


@pytest.mark.parametrize("message", [linked(1), linked(2), lost(1)])
def test_word_of_the_present_link_again_or_of_an_older_changes_nothing(message: Any) -> None:
    bench = Bench()
    bench.open(1)
    bench.give(lost(1))
    bench.open(2)
    assert bench.give(message) == []
    assert gate_open(bench)


def test_downloads_that_never_end_are_given_up_and_asked_for_anew() -> None:
    """A missing end of positions or orders must not leave the gate closed without a word."""
    bench = Bench()
    bench.give(linked(1))
    assert bench.timers["download"] == 30.0
    outputs = bench.fire("download")
    assert outputs == [SetTimer("broker_lost", 60.0), CancelTimer("download"), Connect()]
    bench.open(2)
    assert gate_open(bench)
    assert bench.timers == {}


# --- a lost link ------------------------------------------------------------------------------------------------------


def test_a_lost_link_closes_the_gate_and_is_tried_again_later_and_later(bench: Bench) -> None:
    """B7."""
    delays = []
    for _ in range(3):
        bench.give(lost())
        delays.append(bench.timers["reconnect"])
        assert bench.fire("reconnect") == [Connect()]
    assert delays == [2.0, 4.0, 4.0]
    bench.open(2)
    bench.give(lost())
    assert bench.timers["reconnect"] == 2.0


def test_an_outage_is_timed_once_from_its_beginning_until_the_reconciliation(bench: Bench) -> None:
    """B1: a link that comes and goes without a reconciliation is one outage of 60 s, not many short ones."""
    first = bench.give(lost())
    bench.give(linked(2))
    again = bench.give(lost())
    assert SetTimer("broker_lost", 60.0) in first
    assert SetTimer("broker_lost", 60.0) not in again
    assert "broker_lost" in bench.timers
    bench.open(3)
    assert "broker_lost" not in bench.timers


def test_a_reconnect_timer_that_fires_late_leaves_the_open_link_alone(bench: Bench) -> None:
    bench.timers["reconnect"] = 1.0
    assert bench.fire("reconnect") == []


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.CANCEL_SENT])
def test_a_lost_link_makes_unanswered_orders_unknown(bench: Bench, state: OrderState) -> None:
    sent(bench)
    if state is OrderState.CANCEL_SENT:
        bench.give(approved(bar=2, cancels=(REF,)))
    assert bench.order(REF).state is state
    bench.give(lost())
    assert bench.order(REF).state is OrderState.UNKNOWN
    assert bench.settled == []


def test_a_lost_link_leaves_working_orders_as_they_are(bench: Bench) -> None:
    sent(bench)
    bench.give(update(reported(REF)))
    bench.give(lost())
    assert bench.order(REF).state is OrderState.WORKING


# --- UNKNOWN ----------------------------------------------------------------------------------------------------------


def test_an_order_without_answer_in_time_is_unknown_and_the_link_is_renewed(bench: Bench) -> None:
    """Acks lost: never sent again, found after the reconnect, and the bar settles then, not before."""
    venue = FakeVenue()
    sent(bench, venue)
    outputs = bench.fire("ack")
    assert bench.order(REF).state is OrderState.UNKNOWN
    assert isinstance(outputs[0], Persist)
    assert outputs[-1] == Connect()
    assert not gate_open(bench)
    assert bench.settled == []
    bench.open(2, venue)
    assert bench.order(REF).state is OrderState.WORKING
    assert bench.settled == [1]
    assert bench.placed[REF] == 1


def test_an_ack_timer_with_nothing_overdue_leaves_the_link_alone(bench: Bench) -> None:
    bench.timers["ack"] = 1.0
    assert bench.fire("ack") == []
    assert gate_open(bench)


def test_an_order_told_filled_whose_executions_stay_out_is_looked_into(bench: Bench) -> None:
    """I3: long answered, it becomes unknown; no bar settles over it, and the downloads bring what is missing."""
    venue = FakeVenue()
    sent(bench, venue)
    bench.give(update(reported(REF)))
    assert "ack" not in bench.timers
    venue.fill(REF, 10)
    bench.give(update(reported(REF, OrderStatus.FILLED, filled_lots=10)))
    bench.give(approved(bar=2))
    assert bench.order(REF).state is OrderState.UNKNOWN
    assert bench.settled == [1]
    assert bench.fire("ack")[-1] == Connect()
    bench.open(2, venue)
    assert bench.order(REF).state is OrderState.FILLED
    assert bench.book.account_positions() == {"AAPL": 10}
    assert bench.settled == [1, 2]


def test_absent_twice_an_interval_apart_an_order_never_arrived(bench: Bench) -> None:
    sent(bench)
    bench.give(lost())
    outputs = bench.open(2)
    assert bench.order(REF).state is OrderState.UNKNOWN
    assert not gate_open(bench)
    assert SetTimer("absence", 30.0) in outputs
    bench.fire("absence")
    outputs = bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.NEVER_ARRIVED
    assert reconciliations(outputs)[0].body["never_arrived"] == [REF]
    assert gate_open(bench)
    assert bench.settled == [1]
    assert bench.placed[REF] == 1


def test_a_reconnect_within_the_interval_does_not_confirm_an_absence(bench: Bench) -> None:
    """Two downloads must be 30 s apart, however often the link comes and goes."""
    sent(bench)
    for connection in (2, 3, 4):
        bench.give(lost())
        bench.open(connection)
        assert bench.order(REF).state is OrderState.UNKNOWN
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.NEVER_ARRIVED


def test_an_absence_timer_without_a_link_asks_nothing(bench: Bench) -> None:
    sent(bench)
    bench.give(lost())
    bench.open(2)
    bench.give(lost())
    assert bench.fire("absence") == []


def test_on_the_connection_that_sent_it_an_order_is_never_absent(bench: Bench) -> None:
    """It may still be on its way."""
    sent(bench)
    bench.timers["absence"] = 30.0
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.SENT
    assert gate_open(bench)


def test_an_order_heard_of_between_two_absences_begins_anew(bench: Bench) -> None:
    sent(bench)
    bench.give(lost())
    bench.open(2)
    bench.give(update(reported(REF)))
    assert bench.order(REF).state is OrderState.WORKING
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.UNKNOWN
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.NEVER_ARRIVED


@pytest.mark.parametrize("how", ["report", "execution", "download"])
def test_a_late_arrival_is_adopted_halts_and_is_cancelled(bench: Bench, how: str) -> None:
    """Given up, and yet it arrived: adopt and halt (LATE_ARRIVAL)."""
    venue = FakeVenue()
    bench.give(approved(intent()))
    command = bench.wires.pop()
    bench.give(lost())
    bench.open(2)
    bench.fire("absence")
    bench.answer(FakeVenue())
    venue.take(command)
    match how:
        case "report":
            bench.give(update(reported(REF)))
        case "execution":
            bench.give(update(fill(REF, "E1", 4)))
        case _:
            bench.give(lost())
            bench.open(3, venue)
    assert [halt.trigger for halt in bench.halts] == [HaltTrigger.LATE_ARRIVAL]
    assert REF in bench.halts[0].detail
    assert bench.rung is Rung.HALTED
    assert bench.order(REF).state is OrderState.CANCEL_SENT
    assert bench.placed[REF] == 1


def test_a_late_arrival_while_halted_already_is_cancelled_too(bench: Bench) -> None:
    """B2: the latch does not rise, the entry must end all the same."""
    sent(bench)
    bench.give(lost())
    bench.open(2)
    bench.fire("absence")
    bench.answer(FakeVenue())
    bench.timers["broker_lost"] = 0.0
    bench.fire("broker_lost")
    bench.give(update(reported(REF)))
    assert bench.order(REF).state is OrderState.CANCEL_SENT


def test_restarted_with_sent_orders_are_unknown_until_the_venue_tells(bench: Bench) -> None:
    venue = FakeVenue()
    sent(bench, venue)
    bench.restart()
    bench.give(linked(2))
    assert bench.order(REF).state is OrderState.UNKNOWN
    bench.answer(venue)
    assert bench.order(REF).state is OrderState.WORKING
    assert bench.placed[REF] == 1


def test_a_venue_that_counts_its_connections_from_one_again_is_a_new_connection(bench: Bench) -> None:
    """After a restart of both, an order of the old connection 1 is not on its way on the new connection 1."""
    sent(bench)
    bench.restart()
    bench.open(1)
    assert bench.machine.state()["connection"] == 2
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.NEVER_ARRIVED


# --- what a reconciliation finds --------------------------------------------------------------------------------------


def test_fills_stops_and_ends_of_the_gap_are_found(bench: Bench) -> None:
    """0 lost: entry filled, its stop opened and hit, all while the link was down."""
    venue = FakeVenue()
    sent(bench, venue)
    bench.give(lost())
    venue.fill(REF, 10)
    venue.fill(STOP, 10)
    bench.open(2, venue)
    assert bench.order(REF).state is OrderState.FILLED
    assert (bench.order(STOP).kind, bench.order(STOP).state) == (IntentKind.STOP, OrderState.FILLED)
    assert {key: lots for key, lots in bench.book.positions.items() if lots} == {}
    assert ("unassigned", "AAPL") not in bench.book.positions
    assert gate_open(bench)
    assert bench.halts == []


def test_what_was_booked_is_not_booked_again_by_a_download(bench: Bench) -> None:
    """I2."""
    venue = FakeVenue()
    sent(bench, venue)
    venue.fill(REF, 10)
    for said in venue.said:
        bench.give(said)
    head = bench.machine.state()["journal_head"]
    bench.open(2, venue)
    assert bench.machine.state()["duplicate_executions"] == 1
    assert bench.machine.state()["journal_head"] == head, (
        "a reconciliation that finds nothing journals nothing"
    )


def test_a_position_mismatch_halts_and_the_gate_opens_halted(bench: Bench) -> None:
    """I3: exits must still pass."""
    venue = FakeVenue()
    sent(bench, venue)
    venue.fill(REF, 10)
    bench.give(venue.said[0])
    venue.executions.clear()
    bench.open(2, venue)
    assert gate_open(bench)
    assert bench.rung is Rung.HALTED
    assert [halt.trigger for halt in bench.halts] == [HaltTrigger.TECHNICAL_FAILURE]
    assert "AAPL: ours 10 lots, venue 0" in bench.halts[0].detail


@pytest.mark.parametrize(("differs_micro", "halts"), [(0, 0), (1, 1), (-1, 1)])
def test_a_cash_mismatch_of_a_micro_unit_halts_and_is_recorded(differs_micro: int, halts: int) -> None:
    """I3: after the fills the cash is the venue's; a simulated one is met exactly."""
    bench = Bench()
    venue = FakeVenue()
    bench.open(1, venue)
    sent(bench, venue)
    venue.fill(REF, 10)
    for said in venue.said:
        bench.give(said)
    venue.deposit_micro += differs_micro
    outputs = bench.open(2, venue)
    found = {"USD": (99_000_000_000, 99_000_000_000 + differs_micro)} if halts else {}
    assert [event.body["cash_mismatches"] for event in reconciliations(outputs)] == [found]
    assert [halt.trigger for halt in bench.halts] == [HaltTrigger.TECHNICAL_FAILURE] * halts
    if halts:
        theirs = f"{99_000 + differs_micro / 1e6:.6f}"
        assert f"cash: ours 99000.000000 USD, venue {theirs}" in bench.halts[0].detail
    assert gate_open(bench), "exits must still pass"


def test_cash_within_the_tolerance_agrees() -> None:
    bench = Bench(replace(SETTINGS, cash=CashTerms("USD", tolerance_micro=5_000_000)))
    venue = FakeVenue()
    venue.deposit_micro += 5_000_000
    bench.open(1, venue)
    assert bench.halts == []
    venue.deposit_micro += 1
    bench.open(2, venue)
    assert len(bench.halts) == 1


def test_cash_is_not_compared_once_a_symbol_nobody_describes_was_traded(bench: Bench) -> None:
    venue = FakeVenue()
    venue.executions.append(fill("by.hand", "E9", 3, symbol="ZZZ", price=7.0))
    outputs = bench.open(2, venue)
    assert [event.body["cash_unknown_for"] for event in reconciliations(outputs)] == [["ZZZ"]]
    assert bench.halts == []


def test_cash_is_counted_on_over_a_restart(bench: Bench) -> None:
    venue = FakeVenue()
    sent(bench, venue)
    venue.fill(REF, 4)
    venue.fill(REF, 6)
    for said in venue.said:
        bench.give(said)
    bench.restart()
    assert bench.machine.state()["cash_micro"] == 99_000_000_000
    bench.open(1, venue)
    assert bench.halts == []


def test_a_protective_stop_the_venue_no_longer_knows_halts(bench: Bench) -> None:
    """I5: no position is left without its protective stop."""
    venue = FakeVenue()
    sent(bench, venue)
    venue.fill(REF, 10)
    for said in venue.said:
        bench.give(said)
    del venue.orders[STOP]
    bench.open(2, venue)
    bench.fire("absence")
    bench.answer(venue)
    assert bench.order(STOP).state is OrderState.NEVER_ARRIVED
    assert [halt.trigger for halt in bench.halts] == [HaltTrigger.TECHNICAL_FAILURE]
    assert STOP in bench.halts[0].detail


def test_foreign_orders_are_recorded_and_not_adopted(bench: Bench) -> None:
    venue = FakeVenue()
    venue.orders["by.hand"] = reported("by.hand", side=Side.SELL)
    outputs = bench.open(2, venue)
    keys = [event.key for event in reconciliations(outputs)]
    assert keys == ["foreign.by.hand", "2"]
    assert bench.book.orders == {}
    assert gate_open(bench)


def test_executions_of_foreign_orders_land_unassigned_and_agree_with_the_venue(bench: Bench) -> None:
    venue = FakeVenue()
    venue.executions.append(fill("by.hand", "E9", 3))
    bench.open(2, venue)
    assert dict(bench.book.positions) == {("unassigned", "AAPL"): 3}
    assert bench.halts == []


def test_facts_beside_a_download_reach_the_risk_manager_with_or_before_it(bench: Bench) -> None:
    """Journal sequence: the same update may carry an execution and the last download."""
    venue = FakeVenue()
    sent(bench, venue)
    bench.give(linked(2))
    requests = [one for one in bench.wires if isinstance(one, RequestDownload)]
    for request in requests[:-1]:
        bench.give(update(venue.download(request)))
    order = reported(REF, OrderStatus.WORKING)
    bench.give(update(order, venue.download(requests[-1]), advanced=5))
    assert bench.order(REF).state is OrderState.WORKING
    assert gate_open(bench)
