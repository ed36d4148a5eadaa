"""Hold the dead-man switch: without a held lease nothing increases exposure, and what is open and may is taken back."""

from __future__ import annotations

from typing import Any

import pytest

from domain.broker import OrderStatus, Side
from domain.execution_book import ExecutionBook
from domain.messages import COORDINATOR, Begin, Drain, Ready
from domain.outputs import Send, SetTimer
from domain.records import IntentKind, OrderState, Rung
from domain.supervision import Pulse
from tests.unit.domain.gateway_bench import (
    LEASED,
    Bench,
    FakeVenue,
    approval,
    approved,
    fill,
    granted,
    intent,
    latch,
    linked,
    lost,
    reported,
    update,
)

REF, KO = "1.main.AAPL.1.1", "1.main.KO.1.1"
STOP = f"{REF}.stop"
EXIT = IntentKind.EXIT
READY = Send(COORDINATOR, Ready(role="gateway", generation=1))


@pytest.fixture
def bench() -> Bench:
    """Return a gateway that is connected, reconciled with an empty venue, and holds a lease."""
    ready = Bench(LEASED)
    ready.give(Begin())
    ready.open()
    ready.lease()
    return ready


def hold_position(bench: Bench) -> None:
    """Enter, fill and protect 10 lots of AAPL, and leave an entry in KO working."""
    bench.give(approved(intent(), intent(symbol="KO")))
    stop = reported(STOP, parent_ref=REF, side=Side.SELL, stop_price=97.0)
    bench.give(update(fill(REF, "E1"), reported(REF, OrderStatus.FILLED, filled_lots=10), stop))
    bench.give(update(reported(KO, symbol="KO")))


def cancels(bench: Bench) -> list[str]:
    return [one.order_ref for one in bench.wires if type(one).__name__ == "CancelOrder"]


# --- asking -----------------------------------------------------------------------------------------------------------


def test_begin_asks_and_each_pulse_says_where_the_gateway_stands() -> None:
    bench = Bench(LEASED)
    bench.give(Begin())
    assert bench.pulses == [
        Pulse(role="gateway", generation=1, nonce=1, epoch=0, head=0, ready=False, at_rest=False, ended=False)
    ]
    assert (bench.timers["pulse"], bench.timers["lease.1"]) == (1.0, 5.0)
    bench.open()
    bench.lease()
    bench.give(approved(approval(intent(), epoch=3)))
    bench.fire("pulse")
    assert bench.pulses[-1] == Pulse(
        role="gateway", generation=1, nonce=2, epoch=3, head=1, ready=True, at_rest=False, ended=False
    )


def test_pulse_tells_that_the_drain_has_ended(bench: Bench) -> None:
    """Level, not edge: the word `Drained` may be lost."""
    bench.give(approved(intent()))
    bench.give(Drain(reason="stop", cancel_entries=False))
    bench.fire("pulse")
    assert not bench.pulses[-1].at_rest
    bench.give(update(reported(REF)))
    bench.fire("pulse")
    assert bench.pulses[-1].at_rest


@pytest.mark.parametrize("first", ["gate", "lease"])
def test_ready_waits_for_the_lease_and_for_the_gate(first: str) -> None:
    bench = Bench(LEASED)
    bench.give(Begin())
    steps = [bench.open, bench.lease] if first == "gate" else [bench.lease, bench.open]
    assert READY not in steps[0]()
    assert READY in steps[1]()
    bench.fire("pulse")
    assert READY not in bench.lease(), "told once"


# --- without one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["never given", "ran out"])
def test_without_a_lease_entries_are_refused_and_exits_pass(bench: Bench, how: str) -> None:
    hold_position(bench)
    if how == "ran out":
        bench.lapse()
    else:
        bench.restart()
        bench.give(Begin())
        venue = FakeVenue()
        stop, entry = reported(STOP, parent_ref=REF, side=Side.SELL), reported(KO, symbol="KO")
        venue.orders = {STOP: stop, KO: entry}
        venue.executions = [fill(REF, "E1")]
        bench.open(2, venue)
        assert not bench.machine.state()["lease_held"]
    bench.give(approved(intent(1, bar=2), intent(2, bar=2, kind=EXIT, lots=10), bar=2))
    assert bench.order("1.main.AAPL.2.1").text == "gateway: no lease from the coordinator"
    assert bench.order("1.main.AAPL.2.2").state is OrderState.SENT


def test_exit_larger_than_the_position_does_not_pass_without_a_lease(bench: Bench) -> None:
    """Size decides, not side."""
    hold_position(bench)
    bench.lapse()
    bench.give(approved(intent(2, bar=2, kind=EXIT, lots=11), bar=2))
    assert bench.order("1.main.AAPL.2.2").state is OrderState.REFUSED


def test_open_entries_are_cancelled_at_once_and_never_stops_nor_exits(bench: Bench) -> None:
    """Goal: entries cancelled 15 s after the coordinator died at the latest; here, with the lease, after 5."""
    hold_position(bench)
    bench.give(approved(intent(2, bar=2, kind=EXIT, lots=4), bar=2))
    bench.give(update(reported("1.main.AAPL.2.2", side=Side.SELL, lots=4)))
    outputs = bench.fire("lease.1")
    assert cancels(bench) == [KO]
    assert SetTimer("ack", 10.0) in outputs, "an unanswered cancel is found out"
    assert bench.order(STOP).state is OrderState.WORKING
    assert bench.order("1.main.AAPL.2.2").state is OrderState.WORKING
    bench.fire("pulse")
    bench.lapse()
    assert cancels(bench) == [KO], "once"


def test_entries_stay_while_an_answered_pulse_still_runs(bench: Bench) -> None:
    hold_position(bench)
    bench.fire("pulse")
    bench.lease()
    bench.fire("lease.1")
    assert cancels(bench) == []


def test_entries_without_a_link_are_cancelled_once_it_is_back(bench: Bench) -> None:
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.give(lost(1))
    bench.lapse()
    assert cancels(bench) == []
    bench.open(2, venue)
    assert cancels(bench) == [REF]


def test_entries_of_a_former_process_wait_for_the_first_lease_for_as_long_as_one_is_valid(
    bench: Bench,
) -> None:
    """A restart costs no trade while the coordinator lives, and takes entries back where it does not."""
    venue = FakeVenue()
    bench.give(approved(intent()))
    venue.take(bench.wires.pop())
    bench.give(venue.said.pop())
    bench.restart()
    bench.give(Begin())
    bench.open(2, venue)
    assert cancels(bench) == []
    bench.fire("lease.1")
    assert cancels(bench) == [REF]


def test_trading_goes_on_by_new_approvals_alone(bench: Bench) -> None:
    """After the lapse: what was refused stays refused however often it is sent, what is old has expired."""
    bench.lapse()
    refused = approved(intent(1, bar=5), bar=5)
    bench.give(refused)
    stuck = approved(intent(2, bar=5), bar=5)
    bench.give(update(advanced=6))
    bench.fire("pulse")
    bench.lease()
    bench.give(refused)
    bench.give(stuck)
    assert not bench.placed
    assert "expired at bar 5" in bench.order("1.main.AAPL.5.2").text
    bench.give(approved(intent(1, bar=6), bar=6))
    assert bench.placed == {"1.main.AAPL.6.1": 1}


def test_an_engine_in_one_process_is_ready_without_a_pulse() -> None:
    bench = Bench()
    assert bench.give(Begin()) == []
    assert READY in bench.open()
    bench.give(approved(intent()))
    assert bench.placed == {REF: 1}


# --- the latch that a lease brings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rung", "version", "expected"),
    [
        (Rung.FLATTENING, 6, Rung.FLATTENING),
        (Rung.FLATTENING, 5, Rung.HALTED),
        (Rung.ACTIVE, 6, Rung.HALTED),
        (Rung.REDUCING, 9, Rung.HALTED),
    ],
)
def test_lease_raises_a_latch_whose_news_was_lost_and_never_lowers(
    bench: Bench, rung: Rung, version: int, expected: Rung
) -> None:
    bench.give(latch(Rung.HALTED, 5))
    bench.give(granted(1, rung, version))
    assert bench.rung is expected


def test_raise_by_a_lease_is_durable_and_cancels_entries(bench: Bench) -> None:
    hold_position(bench)
    bench.give(granted(1, Rung.HALTED, 1))
    assert cancels(bench) == [KO]
    bench.restart()
    assert bench.rung is Rung.HALTED


def test_lease_that_overtakes_a_lowering_does_not_make_it_old(bench: Bench) -> None:
    """A resume names no bar: at a version the gateway had taken for its own it would never lower."""
    bench.give(approved(bar=3))
    bench.give(latch(Rung.HALTED, 5))
    bench.give(granted(1, Rung.ACTIVE, 6))
    bench.give(latch(Rung.ACTIVE, 6, lowers=True))
    assert bench.rung is Rung.ACTIVE


def test_lowering_that_comes_after_word_of_a_later_raise_leaves_that_raise(bench: Bench) -> None:
    """I5: the announcement of 7 was lost, a lease has told of it, that of 6 was late."""
    bench.give(latch(Rung.HALTED, 5))
    bench.give(granted(1, Rung.REDUCING, 7))
    bench.give(latch(Rung.ACTIVE, 6, lowers=True))
    assert bench.rung is Rung.REDUCING
    bench.give(latch(Rung.ACTIVE, 8, lowers=True))
    assert bench.rung is Rung.ACTIVE


# --- a journal that goes on -------------------------------------------------------------------------------------------


def test_what_a_lapse_did_is_journaled(bench: Bench) -> None:
    hold_position(bench)
    bench.lapse()
    known: Any = ExecutionBook(bench.entries())
    assert known.orders[KO].state is OrderState.CANCEL_SENT


def test_link_that_comes_up_asks_no_lease_of_its_own(bench: Bench) -> None:
    asked = len(bench.pulses)
    bench.give(lost(1))
    bench.give(linked(2))
    assert len(bench.pulses) == asked
