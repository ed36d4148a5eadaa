from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.broker import CancelOrder, OrderStatus, PlaceOrder, Side
from domain.errors import InvariantViolation
from domain.halt_messages import LatchHeld, RaiseHalt
from domain.messages import (
    COORDINATOR,
    FEED,
    RISK,
    BarSettled,
    Begin,
    Drain,
    Drained,
    JournalUpdate,
    RequestJournal,
    TimerFired,
)
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import CancelTimer, Persist, Send, SendJournal, SetTimer, Wire
from domain.records import HaltTrigger, IntentKind, MachineSnapshot, OrderEntry, OrderState, Rung
from tests.unit.domain.gateway_bench import (
    Bench,
    FakeVenue,
    approval,
    approved,
    fill,
    intent,
    latch,
    linked,
    lost,
    reported,
    update,
)

REF = "1.main.AAPL.1.1"
STOP = f"{REF}.stop"
EXIT = IntentKind.EXIT
CANCEL = Drain(reason="stop", cancel_entries=True)
KEEP = Drain(reason="stop", cancel_entries=False)


@pytest.fixture
def bench() -> Bench:
    """Return a gateway that is connected and reconciled with an empty venue."""
    ready = Bench()
    ready.open()
    return ready


def wires(outputs: list[Any], kind: type[PlaceOrder] | type[CancelOrder]) -> list[str]:
    return [
        one.command.order_ref for one in outputs if isinstance(one, Wire) and isinstance(one.command, kind)
    ]


def hold_position(bench: Bench, lots: int = 10) -> None:
    """Enter, fill and protect a position."""
    bench.give(approved(intent(lots=lots)))
    stop = reported(STOP, parent_ref=REF, side=Side.SELL, lots=lots, stop_price=97.0)
    bench.give(
        update(fill(REF, "E1", lots), reported(REF, OrderStatus.FILLED, lots=lots, filled_lots=lots), stop)
    )


# --- commit before the wire -------------------------------------------------------------------------------------------


def test_an_order_is_durable_with_its_audit_event_before_the_wire(bench: Bench) -> None:
    """I4: one commit {intent, approval, SENT, outbox record}, then the wire."""
    outputs = bench.give(approved(intent()))
    persist, wire, timer, update_sent = outputs
    assert isinstance(persist, Persist)
    entry, event = persist.records
    assert isinstance(entry, OrderEntry)
    assert isinstance(event, AuditEvent)
    assert (entry.order_ref, entry.state, event.kind) == (REF, OrderState.SENT, AuditKind.ORDER)
    assert isinstance(update_sent, Send)
    assert isinstance(update_sent.message, JournalUpdate)
    assert wires([wire], PlaceOrder) == [REF]
    assert timer == SetTimer("ack", 10.0)


def test_a_refused_order_is_journaled_and_audited_and_never_on_the_wire(bench: Bench) -> None:
    outputs = bench.give(approved(intent(lots=5_000)))
    assert wires(outputs, PlaceOrder) == []
    assert bench.order(REF).state is OrderState.REFUSED
    assert bench.order(REF).text.startswith("gateway: 5000 lots")
    assert bench.settled == [1]
    assert bench.machine.state()["refused"] == 1


@pytest.mark.parametrize("again", ["unanswered", "filled", "refused"])
def test_an_intent_sent_again_never_makes_a_second_order(bench: Bench, again: str) -> None:
    """I1: at most one broker order an intent."""
    message = approved(intent(lots=5_000 if again == "refused" else 10))
    bench.give(message)
    if again == "filled":
        bench.give(update(fill(REF, "E1")))
    assert wires(bench.give(message), PlaceOrder) == []
    assert len(bench.book.orders) == 1


def test_no_order_goes_out_before_the_first_reconciliation() -> None:
    bench = Bench()
    assert wires(bench.give(approved(intent())), PlaceOrder) == []
    bench.give(linked(1))
    assert wires(bench.give(approved(intent(2))), PlaceOrder) == []
    assert all("gate is closed" in order.text for order in bench.book.orders.values())


def test_an_older_risk_epoch_is_refused_once_a_newer_spoke(bench: Bench) -> None:
    bench.give(approved(approval(intent(1), epoch=2)))
    assert wires(bench.give(approved(approval(intent(2), epoch=1))), PlaceOrder) == []
    assert wires(bench.give(approved(approval(intent(3), epoch=2))), PlaceOrder) != []


def test_an_expired_approval_is_refused(bench: Bench) -> None:
    bench.give(update(advanced=4))
    assert wires(bench.give(approved(intent(bar=3), bar=3)), PlaceOrder) == []


def test_the_order_count_of_a_bar_holds_over_several_messages(bench: Bench) -> None:
    """Runaway: asking in small portions does not get more orders out."""
    sent = [wires(bench.give(approved(intent(n), intent(n + 100))), PlaceOrder) for n in range(4)]
    assert [len(one) for one in sent] == [2, 2, 1, 0]
    assert len(wires(bench.give(approved(intent(1, bar=2), bar=2)), PlaceOrder)) == 1


# --- settling ---------------------------------------------------------------------------------------------------------


def test_a_bar_without_orders_settles_at_once(bench: Bench) -> None:
    assert bench.give(approved(bar=3))[-1] == Send(FEED, BarSettled(bar=3))


def test_a_bar_settles_when_its_last_order_is_answered(bench: Bench) -> None:
    bench.give(approved(intent(1), intent(2)))
    bench.give(update(reported(REF)))
    assert bench.settled == []
    outputs = bench.give(update(reported("1.main.AAPL.1.2", OrderStatus.REFUSED, text="no")))
    assert outputs[-2:] == [CancelTimer("ack"), Send(FEED, BarSettled(bar=1))]
    bench.give(update(reported(REF)))
    assert bench.settled == [1]


def test_a_bar_waits_for_the_answer_to_its_cancels(bench: Bench) -> None:
    bench.give(approved(intent()))
    bench.give(update(reported(REF)))
    assert wires(bench.give(approved(bar=2, cancels=(REF, "unknown"))), CancelOrder) == [REF]
    assert bench.settled == [1]
    bench.give(update(reported(REF, OrderStatus.CANCELED)))
    assert bench.settled == [1, 2]


def test_two_bars_under_way_settle_once_each(bench: Bench) -> None:
    bench.give(approved(intent()))
    bench.give(approved(bar=2))
    assert bench.settled == []
    bench.give(update(reported(REF)))
    assert bench.settled == [1, 2]


def test_a_bar_sent_again_settles_again_once_its_order_is_answered(bench: Bench) -> None:
    """After a crash of the risk manager: the feed waits for an answer to what it hears of now."""
    bench.give(approved(intent()))
    bench.give(approved(intent()))
    assert bench.settled == []
    bench.give(update(reported(REF)))
    assert bench.settled == [1, 1]


def test_a_bar_does_not_settle_over_an_order_of_a_former_process(bench: Bench) -> None:
    """I4: restarted with SENT, the bar comes again without the intent, which the journal already holds."""
    bench.give(approved(intent()))
    bench.restart()
    bench.give(approved())
    assert bench.settled == []
    bench.open(2)
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert bench.order(REF).state is OrderState.NEVER_ARRIVED
    assert bench.settled == [1]


# --- halts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["latch", "approvals", "broker lost"])
def test_raising_the_latch_cancels_open_entries_and_leaves_exits_and_stops(bench: Bench, how: str) -> None:
    """B2: protective stops of open positions stay, exits go on."""
    hold_position(bench)
    bench.give(approved(intent(2, bar=2), intent(3, bar=2, kind=EXIT, lots=4), bar=2))
    bench.give(update(reported("1.main.AAPL.2.2"), reported("1.main.AAPL.2.3", side=Side.SELL, lots=4)))
    match how:
        case "latch":
            outputs = bench.give(latch(Rung.HALTED, 1))
        case "approvals":
            outputs = bench.give(approved(bar=3, rung=Rung.HALTED))
        case _:
            outputs = bench.give(TimerFired(name="broker_lost"))
    assert wires(outputs, CancelOrder) == ["1.main.AAPL.2.2"]
    assert SetTimer("ack", 10.0) in outputs, "an unanswered cancel is found out"
    assert bench.order(STOP).state is OrderState.WORKING
    assert bench.order("1.main.AAPL.2.3").state is OrderState.WORKING


def test_the_latch_is_durable_before_it_is_announced_held(bench: Bench) -> None:
    """B3."""
    outputs = bench.give(latch(Rung.REDUCING, 4))
    values = {"rung": 1, "version": 4, "unheard": {}, "raised": 0, "scoped": {}}
    kept = Persist((MachineSnapshot(name="latch", bar=-1, at_ns=0, values=values),))
    assert outputs == [kept, Send(COORDINATOR, LatchHeld(role="gateway", version=4))]
    bench.restart()
    assert (bench.rung, bench.machine.state()["latch_version"]) == (Rung.REDUCING, 4)


@pytest.mark.parametrize(
    ("message", "rung"),
    [
        (latch(Rung.ACTIVE, 6), Rung.HALTED),
        (latch(Rung.ACTIVE, 6, lowers=True), Rung.ACTIVE),
        (latch(Rung.REDUCING, 6, lowers=True), Rung.REDUCING),
        (latch(Rung.ACTIVE, 5, lowers=True), Rung.HALTED),
        (latch(Rung.ACTIVE, 5, lowers=True, bar=0), Rung.ACTIVE),
        (latch(Rung.ACTIVE, 4, lowers=True, bar=0), Rung.HALTED),
        (latch(Rung.ACTIVE, 5, bar=0), Rung.HALTED),
        (latch(Rung.FLATTENING, 5), Rung.HALTED),
        (latch(Rung.FLATTENING, 6), Rung.FLATTENING),
        (approved(rung=Rung.ACTIVE, version=9), Rung.HALTED),
        (approved(rung=Rung.FLATTENING, version=4), Rung.HALTED),
        (approved(rung=Rung.FLATTENING, version=5), Rung.FLATTENING),
    ],
)
def test_only_a_newer_latch_that_lowers_lowers(bench: Bench, message: Any, rung: Rung) -> None:
    """B3, I5: any role may raise, only the coordinator lowers; what is older than the latch held changes nothing."""
    bench.give(latch(Rung.HALTED, 5))
    bench.give(message)
    assert bench.rung is rung


@pytest.mark.parametrize(("bar", "rung"), [(6, Rung.HALTED), (7, Rung.HALTED), (8, Rung.ACTIVE)])
def test_lowering_told_again_undoes_nothing_that_was_raised_after_it(
    bench: Bench, bar: int, rung: Rung
) -> None:
    """I5: its review came before what the risk manager approved, and raised, at its bar or later."""
    bench.give(latch(Rung.ACTIVE, 5))
    bench.give(approved(rung=Rung.HALTED, version=5, bar=7))
    bench.give(latch(Rung.ACTIVE, 5, lowers=True, bar=bar))
    assert bench.rung is rung


def test_a_lowering_that_crosses_our_own_halt_does_not_lower(bench: Bench) -> None:
    """I5: the coordinator lowered before it heard; its answer to the halt comes with the cause in it."""
    bench.give(latch(Rung.REDUCING, 1))
    bench.give(TimerFired(name="broker_lost"))
    bench.give(latch(Rung.ACTIVE, 2, lowers=True))
    assert bench.rung is Rung.HALTED
    bench.give(latch(Rung.HALTED, 3, active=(HaltTrigger.BROKER_LOST,)))
    bench.give(latch(Rung.ACTIVE, 4, lowers=True))
    assert bench.rung is Rung.ACTIVE


def test_while_halted_entries_are_refused_and_exits_pass(bench: Bench) -> None:
    hold_position(bench)
    bench.give(latch(Rung.HALTED, 1))
    exits = intent(2, bar=2, kind=EXIT, lots=10)
    assert wires(bench.give(approved(intent(1, bar=2), exits, bar=2)), PlaceOrder) == ["1.main.AAPL.2.2"]


def test_an_entry_whose_cancel_was_lost_is_cancelled_again(bench: Bench) -> None:
    """B2: the venue still works it after the reconnect."""
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.give(latch(Rung.HALTED, 1))
    bench.wires.clear()
    bench.give(lost(1))
    assert wires(bench.open(2, venue), CancelOrder) == [REF]


def test_raising_the_latch_without_a_link_cancels_once_it_is_back(bench: Bench) -> None:
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.give(lost(1))
    assert wires(bench.give(latch(Rung.HALTED, 1)), CancelOrder) == []
    assert wires(bench.open(2, venue), CancelOrder) == [REF]
    assert bench.settled == [1]


def test_broker_lost_for_too_long_halts_and_tells_the_coordinator(bench: Bench) -> None:
    """B1."""
    outputs = bench.give(TimerFired(name="broker_lost"))
    message = RaiseHalt(
        at_ns=0,
        bar=-1,
        session=0,
        rung=Rung.HALTED,
        trigger=HaltTrigger.BROKER_LOST,
        raised_by="gateway",
        detail="no connection to the venue for 60 s",
        number=1,
    )
    assert outputs[-1] == Send(COORDINATOR, message, True)
    assert bench.rung is Rung.HALTED


# --- the end ----------------------------------------------------------------------------------------------------------


def test_drain_without_anything_under_way_answers_at_once(bench: Bench) -> None:
    assert bench.give(KEEP) == [Send(COORDINATOR, Drained(role="gateway"))]


def test_drain_waits_for_the_answers_to_its_cancels_and_answers_once(bench: Bench) -> None:
    """C3."""
    bench.give(approved(intent()))
    bench.give(update(reported(REF)))
    assert wires(bench.give(CANCEL), CancelOrder) == [REF]
    assert bench.drained == 0
    bench.give(CANCEL)
    bench.give(update(reported(REF, OrderStatus.CANCELED)))
    bench.give(update(reported(REF, OrderStatus.CANCELED)))
    assert bench.drained == 1


def test_drain_that_keeps_entries_leaves_them_working(bench: Bench) -> None:
    bench.give(approved(intent()))
    bench.give(update(reported(REF)))
    assert wires(bench.give(KEEP), CancelOrder) == []
    assert bench.drained == 1
    assert bench.order(REF).state is OrderState.WORKING


def test_drain_leaves_protective_stops(bench: Bench) -> None:
    hold_position(bench)
    bench.give(CANCEL)
    assert bench.drained == 1
    assert bench.order(STOP).state is OrderState.WORKING


def test_drain_without_a_link_waits_until_entries_could_be_cancelled(bench: Bench) -> None:
    """C3: entries that nobody cancelled would fill while nobody watches; the caller's deadline ends a longer wait."""
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.give(lost(1))
    assert wires(bench.give(CANCEL), CancelOrder) == []
    assert bench.drained == 0
    assert wires(bench.open(2, venue), CancelOrder) == [REF]
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    assert bench.drained == 1


def test_link_lost_while_draining_ends_the_drain_after_the_reconnect_once(bench: Bench) -> None:
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.give(CANCEL)
    bench.wires.clear()
    bench.give(lost(1))
    assert bench.drained == 0
    assert wires(bench.open(2, venue), CancelOrder) == [REF]
    assert bench.drained == 0
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    assert bench.drained == 1


def test_nothing_new_is_placed_while_stopping(bench: Bench) -> None:
    bench.give(KEEP)
    assert wires(bench.give(approved(intent())), PlaceOrder) == []
    assert "stopping" in bench.order(REF).text
    assert bench.settled == [1]


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_the_journal_is_told_with_what_a_market_finished(bench: Bench) -> None:
    outputs = bench.give(update(advanced=7))
    assert outputs == [
        Send(RISK, JournalUpdate(at_ns=700, advanced=7, entries=(), after_seq=0, head=0, last=False))
    ]


def test_a_journal_request_is_answered_up_to_the_head(bench: Bench) -> None:
    bench.give(approved(intent()))
    assert bench.give(RequestJournal(requester="risk", after_seq=0)) == [SendJournal("risk", 0, 1)]


def test_begin_asks_for_nothing_more(bench: Bench) -> None:
    assert bench.give(Begin()) == []


def test_a_timer_nobody_set_is_a_contradiction(bench: Bench) -> None:
    with pytest.raises(InvariantViolation, match="sets no timer tea"):
        bench.machine.handle(TimerFired(name="tea"))


def test_executions_of_unknown_orders_are_booked_unassigned_and_told(bench: Bench) -> None:
    bench.give(update(fill("by.hand", "E1", 5)))
    assert dict(bench.book.positions) == {("unassigned", "AAPL"): 5}


def test_the_state_is_for_people(bench: Bench) -> None:
    bench.give(approved(intent()))
    state = dict(bench.machine.state())
    listed = {name: len(state.pop(name)) for name in ("open", "newest_orders", "newest_fills")}
    assert listed == {"open": 1, "newest_orders": 1, "newest_fills": 0}
    assert state == {
        "gate_open": True,
        "connection": 1,
        "breaker": "closed",
        "lease_held": True,
        "rung": "ACTIVE",
        "latch_version": 0,
        "scoped": {},
        "open_orders": 1,
        "orders": 1,
        "journal_head": 1,
        "cash_micro": 100_000_000_000,
        "duplicate_executions": 0,
        "refused": 0,
        "settling": 1,
    }


def sends_of(outputs: list[Any]) -> list[RaiseHalt]:
    return [one.message for one in outputs if isinstance(one, Send) and isinstance(one.message, RaiseHalt)]


def test_a_halt_that_nobody_heard_of_is_raised_again_after_a_restart(bench: Bench) -> None:
    """B3: the process died between its own latch and the coordinator's word, which may be on record all the same."""
    bench.give(approved(bar=3))
    (first,) = sends_of(bench.give(TimerFired(name="broker_lost")))
    bench.restart()
    assert sends_of(bench.give(Begin())) == [replace(first, again=True)], "of the bar at which it was raised"
    heard = latch(Rung.HALTED, 0, active=(HaltTrigger.BROKER_LOST,))
    bench.give(replace(heard, heard=(HaltTrigger.BROKER_LOST,)))
    assert sends_of(bench.give(Begin())) == []
    bench.give(TimerFired(name="broker_lost"))
    bench.give(latch(Rung.HALTED, 5, active=(HaltTrigger.BROKER_LOST,)))
    bench.restart()
    assert sends_of(bench.give(Begin())) == []
