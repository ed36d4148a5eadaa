"""What people ask of orders is done once, answered with what became of each, and audited with who and why."""

from __future__ import annotations

from typing import Any

import pytest

from domain.broker import CancelOrder, OrderStatus, Side
from domain.commands import CancelOrders, ResolveOrder
from domain.order_commands import REMEMBERED, OrderCommands
from domain.orders import FINAL_STATES
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Persist, Send, SetTimer
from domain.records import HaltTrigger, IntentKind, OrderState
from tests.unit.domain.gateway_bench import (
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

REF, KO = "1.main.AAPL.1.1", "1.main.KO.1.1"
STOP = f"{REF}.stop"


def cancel(*refs: str, key: str = "k1") -> CancelOrders:
    return CancelOrders(key=key, order_refs=refs, who="eve", reason="wrong size")


def resolve(ref: str, key: str = "k1") -> ResolveOrder:
    return ResolveOrder(key=key, order_ref=ref, who="eve", reason="asked the broker")


@pytest.fixture
def bench() -> Bench:
    """Return a gateway that holds 10 AAPL behind a stop, with an entry in KO working."""
    ready = Bench()
    ready.open()
    ready.give(approved(intent(), intent(symbol="KO")))
    stop = reported(STOP, parent_ref=REF, side=Side.SELL, stop_price=97.0)
    ready.give(update(fill(REF, "E1"), reported(REF, OrderStatus.FILLED, filled_lots=10), stop))
    ready.give(update(reported(KO, symbol="KO")))
    ready.wires.clear()
    return ready


def interventions(outputs: list[Any]) -> list[AuditEvent]:
    records = [record for output in outputs if isinstance(output, Persist) for record in output.records]
    return [one for one in records if isinstance(one, AuditEvent) and one.kind is AuditKind.INTERVENTION]


def cancelled(bench: Bench) -> list[str]:
    return [one.order_ref for one in bench.wires if isinstance(one, CancelOrder)]


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_open_order_is_cancelled_and_then_answered(bench: Bench) -> None:
    outputs = bench.give(cancel(KO))
    assert cancelled(bench) == [KO]
    assert SetTimer("ack", 10.0) in outputs
    last = outputs[-1]
    assert isinstance(last, Send)
    assert last == Send("coordinator", bench.answers[0], True), "once the cancels are sent"
    assert bench.answers[0].done
    assert bench.answers[0].facts == {KO: "cancel sent"}
    (event,) = interventions(outputs)
    assert event.body["who"] == "eve"
    assert event.body["facts"] == {KO: "cancel sent"}


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        (STOP, "refused: it protects an open position; close the position, and it ends"),
        (REF, "refused: it has ended: filled"),
        ("1.main.GE.1.1", "refused: there is no such order"),
    ],
)
def test_what_may_not_be_cancelled_is_refused_and_the_rest_is_cancelled(
    bench: Bench, ref: str, why: str
) -> None:
    """I5: no position is left without its protective stop."""
    bench.give(cancel(ref, KO))
    assert cancelled(bench) == [KO]
    answer = bench.answers[0]
    assert (answer.done, answer.detail) == (False, "1 of 2 cancels sent")
    assert answer.facts == {ref: why, KO: "cancel sent"}


def test_stop_of_a_position_that_is_closed_may_be_cancelled(bench: Bench) -> None:
    bench.give(approved(intent(2, bar=2, kind=IntentKind.EXIT, lots=10), bar=2))
    bench.give(update(fill("1.main.AAPL.2.2", "E3", side=Side.SELL)))
    bench.give(cancel(STOP))
    assert cancelled(bench) == [STOP]


def test_without_a_connection_nothing_is_sent_and_that_is_said(bench: Bench) -> None:
    bench.give(lost(1))
    bench.give(cancel(KO))
    assert cancelled(bench) == []
    assert bench.answers[0].facts == {KO: "not sent: there is no connection to the venue"}
    assert not bench.answers[0].done


def test_order_whose_cancel_is_under_way_is_not_cancelled_twice(bench: Bench) -> None:
    bench.give(cancel(KO))
    bench.give(cancel(KO, KO, key="k2"))
    assert cancelled(bench) == [KO]
    assert (bench.answers[1].done, bench.answers[1].facts) == (True, {KO: "cancel sent"})


def test_cancel_of_nothing_is_not_done(bench: Bench) -> None:
    bench.give(cancel())
    assert (bench.answers[0].done, bench.answers[0].detail) == (False, "no order was named")


def test_bar_waits_for_the_cancel_a_person_asked_for(bench: Bench) -> None:
    bench.give(cancel(KO))
    bench.give(approved(bar=2))
    assert 2 not in bench.settled
    bench.give(update(reported(KO, OrderStatus.CANCELED, symbol="KO")))
    assert bench.settled[-1] == 2


# --- resolving --------------------------------------------------------------------------------------------------------


def unknown(bench: Bench) -> FakeVenue:
    """Leave the outcome of an order unknown, and the gate closed over it; return the venue that never got it."""
    bench.give(approved(intent(1, bar=2), bar=2))
    bench.wires.clear()
    bench.give(lost(1))
    venue = FakeVenue()
    venue.orders = {KO: reported(KO, symbol="KO"), STOP: reported(STOP, parent_ref=REF, side=Side.SELL)}
    venue.executions = [fill(REF, "E1")]
    bench.open(2, venue)
    assert bench.order(NEW).state is OrderState.UNKNOWN
    return venue


NEW = "1.main.AAPL.2.1"


def test_unknown_order_is_resolved_as_never_arrived_and_its_bar_settles(bench: Bench) -> None:
    unknown(bench)
    outputs = bench.give(resolve(NEW))
    assert bench.order(NEW).state is OrderState.NEVER_ARRIVED
    assert bench.order(NEW).text == "resolved by eve: asked the broker"
    assert bench.answers[0].done
    assert bench.settled[-1] == 2
    (event,) = interventions(outputs)
    assert (event.key, event.decision) == ("k1", False)
    assert (event.body["who"], event.body["reason"]) == ("eve", "asked the broker")
    assert event.body["command"] == "resolve order"


def test_resolved_order_that_turns_up_is_adopted_and_halts(bench: Bench) -> None:
    venue = unknown(bench)
    bench.give(resolve(NEW))
    bench.fire("absence")
    bench.answer(venue)
    bench.give(update(reported(NEW)))
    assert [halt.trigger for halt in bench.halts] == [HaltTrigger.LATE_ARRIVAL]
    assert bench.order(NEW).state is OrderState.CANCEL_SENT


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        (KO, f"{KO} is working: only an order of unknown outcome can be resolved"),
        (REF, f"{REF} is filled: only an order of unknown outcome can be resolved"),
        ("nobody's", "there is no order nobody's"),
    ],
)
def test_only_an_unknown_order_is_resolved(bench: Bench, ref: str, why: str) -> None:
    before = dict(bench.book.orders)
    bench.give(resolve(ref))
    assert (bench.answers[0].done, bench.answers[0].detail) == (False, why)
    assert dict(bench.answers[0].facts) == (
        {"order_ref": ref, "before": before[ref].state.value} if ref in before else {}
    )
    assert bench.book.orders == before


def test_unknown_order_with_executions_did_arrive(bench: Bench) -> None:
    bench.give(update(fill(KO, "E2", 4, symbol="KO")))
    bench.give(cancel(KO))
    bench.give(lost(1))
    bench.give(resolve(KO, key="k2"))
    assert bench.order(KO).state is OrderState.UNKNOWN
    assert "4 lots of 1.main.KO.1.1 were executed" in bench.answers[1].detail


def test_unknown_stop_of_an_open_position_is_not_given_up_by_hand(bench: Bench) -> None:
    """I5."""
    bench.give(lost(1))
    bench.give(linked(2))
    venue = FakeVenue()
    venue.executions = [fill(REF, "E1")]
    bench.answer(venue)
    assert bench.order(STOP).state is OrderState.UNKNOWN
    bench.give(resolve(STOP))
    assert bench.order(STOP).state is OrderState.UNKNOWN
    assert not bench.answers[0].done


# --- once -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [cancel(KO, STOP), resolve(KO)])
def test_key_heard_before_is_answered_as_before_and_changes_nothing(bench: Bench, message: Any) -> None:
    bench.give(message)
    bench.give(update(reported(KO, OrderStatus.CANCELED, symbol="KO")))
    bench.wires.clear()
    outputs = bench.give(message)
    assert len(outputs) == 1
    assert bench.answers[1] == bench.answers[0]
    assert cancelled(bench) == []


def test_process_that_died_over_a_command_does_it_when_asked_again(bench: Bench) -> None:
    """The commit was made and nothing sent: what is asked again is sent, though the key was durable nowhere."""
    bench.give(cancel(KO), dies_after=1)
    bench.wires.clear()
    venue = FakeVenue()
    venue.orders = {KO: reported(KO, symbol="KO"), STOP: reported(STOP, parent_ref=REF, side=Side.SELL)}
    venue.executions = [fill(REF, "E1")]
    bench.open(2, venue)
    bench.give(cancel(KO))
    assert cancelled(bench) == [KO]


def test_resolution_asked_again_of_a_new_process_is_done_already(bench: Bench) -> None:
    unknown(bench)
    bench.give(resolve(NEW))
    bench.restart()
    bench.give(resolve(NEW))
    assert bench.answers[1].done


def test_the_last_thousand_keys_are_remembered(bench: Bench) -> None:
    commands = OrderCommands(bench.book, lambda refs: [])
    for number in range(REMEMBERED + 1):
        commands.resolve(resolve(KO, key=f"k{number}"), bar=0)
    assert commands.answered("k0") is None
    assert commands.answered("k1") is not None
    assert commands.answered(f"k{REMEMBERED}") is not None


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_ended_orders_are_never_cancelled(bench: Bench, state: OrderState) -> None:
    bench.book.orders[KO] = bench.order(KO)._replace(state=state)
    bench.give(cancel(KO))
    assert cancelled(bench) == []
    assert bench.answers[0].facts == {KO: f"refused: it has ended: {state.value}"}
