"""Hold the venue's refusals to their rules."""

from __future__ import annotations

import math
from typing import Any

import pytest

from domain.broker import BrokerUpdate, OrderStatus, PlaceOrder, RefusalCode, TimeInForce
from simulation.venue.machine import VenueMachine
from tests.contract.venue_world import ask, bar, buy, ends, fills, group, limit, sell, settings, stop, told

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)
LONG = bar("LONG", 10.0, 10.0, 10.0, 10.0)
WITH_STOP = {"attached_stop_pct": 0.03, "oca_group": "g"}


def venue(**changes: Any) -> VenueMachine:
    made = VenueMachine(settings(**changes))
    made.handle(group(0, FLAT, LONG))
    return made


def code_of(update: BrokerUpdate, ref: str) -> RefusalCode | None:
    return ends(update.events, ref).code


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (buy("o", "ZZZ", 1), RefusalCode.UNKNOWN_SYMBOL),
        (buy("o", "A", 0), RefusalCode.BAD_QUANTITY),
        (buy("o", "A", -5), RefusalCode.BAD_QUANTITY),
        (buy("o", "A", 10**12 + 1), RefusalCode.BAD_QUANTITY),
        (buy("o", "A", 1, **limit(math.nan)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, **limit(math.inf)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, **limit(0.0)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, **limit(-1.0)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, **limit(100.001)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, **stop(100.001)), RefusalCode.BAD_PRICE),
        (buy("o", "BTC", 1, **limit(100.05)), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, attached_stop_pct=1.0), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, attached_stop_pct=-0.1), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1, attached_stop_pct=math.nan), RefusalCode.BAD_PRICE),
        (buy("o", "A", 1001), RefusalCode.BUYING_POWER),
        (sell("o", "A", 1001), RefusalCode.BUYING_POWER),
        (buy("o", "A", 10, **limit(10_001.0)), RefusalCode.BUYING_POWER),
        (sell("o", "LONG", 1), RefusalCode.SHORT_NOT_ALLOWED),
    ],
)
def test_an_order_that_cannot_be_worked_is_refused(command: PlaceOrder, code: RefusalCode) -> None:
    machine = venue()
    update = ask(machine, command)
    report = ends(update.events, "o")
    assert (report.status, report.code, report.lots) == (OrderStatus.REFUSED, code, command.lots)
    assert report.text
    assert ask(machine, group(1, FLAT, LONG)).events == ()


@pytest.mark.parametrize("price", [0.3, 100.07, 1234.56, 0.9999, 0.0001])
def test_a_price_on_tick_is_accepted_whatever_its_binary_form(price: float) -> None:
    """Below a dollar the tick is a hundredth of a cent."""
    assert ends(ask(venue(), buy("o", "A", 1, **limit(price))).events, "o").status is OrderStatus.WORKING


def test_buying_power_is_exact_at_the_limit() -> None:
    assert told(ask(venue(), buy("o", "A", 1000)).events) == [("o", "working", 1000, 0)]


@pytest.mark.parametrize(("leverage", "lots"), [(1.0, 1000), (2.0, 2000), (0.5, 500)])
def test_leverage_scales_buying_power(leverage: float, lots: int) -> None:
    machine = venue(leverage=leverage)
    assert code_of(ask(machine, buy("over", "A", lots + 1)), "over") is RefusalCode.BUYING_POWER
    assert code_of(ask(machine, buy("at", "A", lots)), "at") is None


def test_working_orders_count_against_buying_power() -> None:
    machine = venue()
    ask(machine, buy("1", "A", 600))
    assert code_of(ask(machine, buy("2", "A", 401)), "2") is RefusalCode.BUYING_POWER
    assert code_of(ask(machine, buy("3", "A", 400)), "3") is None


def test_closing_needs_no_buying_power() -> None:
    machine = venue()
    ask(machine, buy("in", "A", 1000), group(1, FLAT))
    ask(machine, group(2, bar("A", 1.0, 1.0, 1.0, 1.0)))
    assert code_of(ask(machine, sell("out", "A", 1000)), "out") is None
    assert fills(ask(machine, group(3, bar("A", 1.0, 1.0, 1.0, 1.0))).events) == [("out", 1000, 1.0)]


def test_without_the_check_nothing_is_refused_for_buying_power() -> None:
    machine = venue(check_buying_power=False)
    ask(machine, buy("o", "A", 5000))
    assert fills(ask(machine, group(1, FLAT)).events) == [("o", 5000, 100.0)]


def test_sells_beyond_the_position_are_refused_where_no_short_is_allowed() -> None:
    machine = venue()
    ask(machine, buy("in", "LONG", 10), group(1, LONG))
    assert code_of(ask(machine, sell("1", "LONG", 6)), "1") is None
    assert code_of(ask(machine, sell("2", "LONG", 5)), "2") is RefusalCode.SHORT_NOT_ALLOWED
    assert code_of(ask(machine, sell("3", "LONG", 4)), "3") is None


def test_exit_and_stop_of_one_group_count_once() -> None:
    machine = venue()
    ask(machine, buy("in", "LONG", 10, **WITH_STOP), group(1, LONG))
    assert code_of(ask(machine, sell("alone", "LONG", 1)), "alone") is RefusalCode.SHORT_NOT_ALLOWED
    assert code_of(ask(machine, sell("out", "LONG", 10, oca_group="g")), "out") is None
    assert (
        code_of(ask(machine, sell("out2", "LONG", 11, oca_group="g")), "out2")
        is RefusalCode.SHORT_NOT_ALLOWED
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (buy("o", "A", 1), sell("o", "B", 2)),
        (buy("o", "ZZZ", 1), buy("o", "A", 1)),
        (buy("o", "A", 1, attached_stop_pct=0.1), buy("o.stop", "A", 1)),
        (buy("o.stop", "A", 1), buy("o", "A", 1, attached_stop_pct=0.1)),
    ],
    ids=["working", "refused", "promised to a stop", "wanted for a stop"],
)
def test_a_ref_that_is_taken_is_refused(first: PlaceOrder, second: PlaceOrder) -> None:
    machine = venue()
    ask(machine, first)
    before = machine.state()
    assert code_of(ask(machine, second), second.order_ref) is RefusalCode.DUPLICATE
    assert machine.state() == before


def test_prices_that_the_type_has_no_use_for_are_ignored() -> None:
    update = ask(
        venue(), buy("o", "A", 1, limit_price=3.14159, stop_price=-1.0, time_in_force=TimeInForce.GTC)
    )
    assert told(update.events) == [("o", "working", 1, 0)]
