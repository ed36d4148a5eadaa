"""Hold the venue's fills to tables worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from domain.bars import Bar
from domain.broker import DividendPaid, OrderStatus, OrderType, RefusalCode, TimeInForce
from simulation.venue.machine import VenueInput, VenueMachine
from tests.contract.venue_world import (
    IB_FIXED,
    MINUTE,
    ask,
    bar,
    buy,
    ends,
    fills,
    group,
    limit,
    sell,
    settings,
    stop,
    told,
)

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)
HELD = 10
GTC = {"time_in_force": TimeInForce.GTC}


def machine(*inputs: VenueInput, **changes: Any) -> VenueMachine:
    made = VenueMachine(settings(**changes))
    for each in inputs:
        made.handle(each)
    return made


def long_a(**changes: Any) -> VenueMachine:
    """Return a venue that holds 10 A bought at 100 in group 1."""
    return machine(group(0, FLAT), buy("in", "A", HELD), group(1, FLAT), **changes)


@pytest.mark.parametrize(
    ("terms", "candle", "price"),
    [
        ({}, bar("A", 101.0, 105.0, 99.0, 100.0), 101.0),
        (limit(101.5), bar("A", 101.0, 105.0, 99.0, 100.0), 101.0),
        (limit(101.0), bar("A", 101.0, 105.0, 101.0, 104.0), 101.0),
        (limit(99.5), bar("A", 101.0, 105.0, 99.0, 100.0), 99.5),
        (limit(99.0), bar("A", 101.0, 105.0, 99.0, 100.0), None),
        (limit(98.0), bar("A", 101.0, 105.0, 99.0, 100.0), None),
        (stop(103.0), bar("A", 101.0, 105.0, 99.0, 100.0), 103.0),
        (stop(105.0), bar("A", 101.0, 105.0, 99.0, 100.0), 105.0),
        (stop(100.5), bar("A", 101.0, 105.0, 99.0, 100.0), 101.0),
        (stop(106.0), bar("A", 101.0, 105.0, 99.0, 100.0), None),
    ],
)
def test_a_buy_fills_where_the_bar_says(terms: dict[str, Any], candle: Bar, price: float | None) -> None:
    venue = machine(group(0, FLAT), buy("o", "A", HELD, **terms))
    events = ask(venue, group(1, candle)).events
    assert fills(events) == ([] if price is None else [("o", HELD, price)])


@pytest.mark.parametrize(
    ("terms", "candle", "price"),
    [
        ({}, bar("A", 99.0, 101.0, 95.0, 100.0), 99.0),
        (limit(98.0), bar("A", 99.0, 101.0, 95.0, 100.0), 99.0),
        (limit(100.5), bar("A", 99.0, 101.0, 95.0, 100.0), 100.5),
        (limit(101.0), bar("A", 99.0, 101.0, 95.0, 100.0), None),
        (stop(97.0), bar("A", 99.0, 101.0, 95.0, 100.0), 97.0),
        (stop(95.0), bar("A", 99.0, 101.0, 95.0, 100.0), 95.0),
        (stop(99.5), bar("A", 99.0, 101.0, 95.0, 100.0), 99.0),
        (stop(94.99), bar("A", 99.0, 101.0, 95.0, 100.0), None),
    ],
)
def test_a_sell_fills_where_the_bar_says(terms: dict[str, Any], candle: Bar, price: float | None) -> None:
    venue = long_a()
    venue.handle(sell("o", "A", HELD, **terms))
    events = ask(venue, group(2, candle)).events
    assert fills(events) == ([] if price is None else [("o", HELD, price)])


def test_a_command_after_a_bar_fills_at_the_next_bars_open_at_the_earliest() -> None:
    venue = machine(group(0, FLAT))
    assert told(ask(venue, buy("o", "A", 5)).events) == [("o", "working", 5, 0)]
    update = ask(venue, group(1, bar("A", 102.0, 103.0, 101.0, 102.0)))
    assert told(update.events) == [("o", 5, 102.0, 0), ("o", "filled", 5, 5)]
    assert update.events[0].at_ns == MINUTE


def test_slippage_worsens_market_and_stop_fills_but_not_limits() -> None:
    """10 basis points of 100 are 0.10."""
    fees = IB_FIXED._replace(slippage_bps=10.0, minimum_usd=0.0, per_unit_usd=0.0)
    venue = machine(group(0, FLAT), equity_fees=fees)
    venue.handle(buy("m", "A", 5))
    venue.handle(buy("l", "A", 5, **limit(100.0)))
    assert fills(ask(venue, group(1, FLAT)).events) == [("m", 5, 100.1), ("l", 5, 100.0)]
    venue.handle(sell("m2", "A", 5))
    venue.handle(sell("s", "A", 5, **stop(90.0)))
    events = ask(venue, group(2, bar("A", 100.0, 100.0, 80.0, 80.0))).events
    assert fills(events) == [("m2", 5, 99.9), ("s", 5, 89.91)]


@pytest.mark.parametrize(
    ("lots", "micro"),
    [(10, 1_000_000), (500, 2_500_000), (1, 1_000_000)],
    ids=["minimum", "per share", "cap of 1 %"],
)
def test_commission_follows_the_schedule(lots: int, micro: int) -> None:
    """$0.005 a share, at least $1, at most 1 % of the value ($1 for one share at $100)."""
    venue = machine(group(0, FLAT), buy("o", "A", lots), equity_fees=IB_FIXED)
    assert told(ask(venue, group(1, FLAT)).events)[0] == ("o", lots, 100.0, micro)
    assert venue.state()["cash_micro"] == 100_000_000_000 - lots * 100_000_000 - micro


def test_an_order_filled_in_parts_pays_the_commission_of_one_order() -> None:
    """300 shares cost 300 x $0.005 = $1.50: the first 100 the $1 minimum, the second nothing, the third $0.50."""
    venue = machine(group(0, FLAT), buy("o", "A", 300), equity_fees=IB_FIXED, participation=0.1)
    found = []
    for index in (1, 2, 3):
        events = ask(venue, group(index, bar("A", 100.0, 100.0, 100.0, 100.0, 1000.0))).events
        found += told(events)
    assert found == [
        ("o", 100, 100.0, 1_000_000),
        ("o", "working", 300, 100),
        ("o", 100, 100.0, 0),
        ("o", "working", 300, 200),
        ("o", 100, 100.0, 500_000),
        ("o", "filled", 300, 300),
    ]


def test_sells_fill_before_buys_then_by_symbol_then_by_ref() -> None:
    venue = machine(
        group(0, FLAT, bar("B", 50.0, 50.0, 50.0, 50.0)),
        buy("1", "A", 10),
        buy("2", "B", 10),
        group(1, FLAT, bar("B", 50.0, 50.0, 50.0, 50.0)),
    )
    for each in (buy("y", "A", 1), buy("x", "A", 1), buy("w", "B", 1), sell("v", "B", 1), sell("u", "A", 1)):
        venue.handle(each)
    events = ask(venue, group(2, FLAT, bar("B", 50.0, 50.0, 50.0, 50.0))).events
    assert [ref for ref, _, _ in fills(events)] == ["u", "v", "x", "y", "w"]


def test_an_order_waits_for_a_bar_of_its_symbol_within_its_session() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 5))
    assert ask(venue, group(1, bar("B", 1.0, 1.0, 1.0, 1.0))).events == ()
    assert fills(ask(venue, group(2, FLAT)).events) == [("o", 5, 100.0)]


def test_a_day_order_expires_when_a_later_session_begins_and_does_not_fill_there() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 5, **limit(50.0)), group(1, FLAT, session=2))
    events = ask(venue, group(2, bar("A", 40.0, 40.0, 40.0, 40.0), session=3)).events
    assert told(events) == [("o", "expired", 5, 0)]


def test_a_day_order_belongs_to_the_session_of_the_first_group_after_it() -> None:
    venue = machine(group(0, FLAT, session=1), buy("o", "A", 5, **limit(50.0)))
    assert ask(venue, group(1, FLAT, session=2)).events == ()
    assert fills(ask(venue, group(2, bar("A", 40.0, 40.0, 40.0, 40.0), session=2)).events) == [("o", 5, 40.0)]


def test_a_gtc_order_rests_over_sessions() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 5, **limit(50.0), **GTC))
    for index in range(1, 5):
        assert ask(venue, group(index, FLAT, session=index + 1)).events == ()
    assert fills(ask(venue, group(5, bar("A", 49.0, 49.0, 49.0, 49.0), session=9)).events) == [("o", 5, 49.0)]


@pytest.mark.parametrize(
    ("terms", "candle", "expected"),
    [
        ({}, FLAT, [("o", 5, 100.0, 0), ("o", "filled", 5, 5)]),
        ({}, bar("B", 1.0, 1.0, 1.0, 1.0), [("o", "expired", 5, 0)]),
        (limit(100.0), FLAT, [("o", 5, 100.0, 0), ("o", "filled", 5, 5)]),
        (limit(99.0), bar("A", 100.0, 100.0, 90.0, 95.0), [("o", "expired", 5, 0)]),
        (stop(101.0), bar("A", 100.0, 110.0, 100.0, 105.0), [("o", "expired", 5, 0)]),
    ],
)
def test_an_opening_order_fills_at_the_next_open_or_expires(
    terms: dict[str, Any], candle: Bar, expected: list[Any]
) -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 5, time_in_force=TimeInForce.OPENING, **terms))
    assert told(ask(venue, group(1, candle)).events) == expected


def test_a_market_on_open_order_is_an_opening_order_whatever_its_time_in_force() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 5, order_type=OrderType.MARKET_ON_OPEN, **GTC))
    assert told(ask(venue, group(1, bar("B", 1.0, 1.0, 1.0, 1.0))).events) == [("o", "expired", 5, 0)]


def test_the_rest_of_an_opening_order_expires() -> None:
    venue = machine(
        group(0, FLAT), buy("o", "A", 300, order_type=OrderType.MARKET_ON_OPEN), participation=0.1
    )
    events = ask(venue, group(1, bar("A", 100.0, 100.0, 100.0, 100.0, 1000.0))).events
    assert told(events) == [("o", 100, 100.0, 0), ("o", "working", 300, 100), ("o", "expired", 300, 100)]


def test_partial_fills_go_on_at_the_next_opens_until_the_day_ends() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 300), participation=0.1)
    thin = bar("A", 100.0, 100.0, 100.0, 100.0, 1000.0)
    assert fills(ask(venue, group(1, thin)).events) == [("o", 100, 100.0)]
    assert fills(ask(venue, group(2, thin._replace(open=99.0, low=99.0))).events) == [("o", 100, 99.0)]
    assert told(ask(venue, group(3, thin, session=2)).events) == [("o", "expired", 300, 200)]


def test_an_unknown_volume_fills_whole_and_none_at_all_fills_nothing() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 300), participation=0.1)
    assert ask(venue, group(1, FLAT._replace(volume=0.0))).events == ()
    assert fills(ask(venue, group(2, FLAT)).events) == [("o", 300, 100.0)]


def test_volume_counts_in_units_of_the_instrument() -> None:
    """10 % of 0.5 BTC are 0.05 BTC: 50 lots of a thousandth."""
    coin = bar("BTC", 1000.0, 1000.0, 1000.0, 1000.0, 0.5)
    venue = machine(group(0, coin), buy("o", "BTC", 60), participation=0.1)
    assert fills(ask(venue, group(1, coin)).events) == [("o", 50, 1000.0)]
    assert venue.state()["cash_micro"] == 100_000_000_000 - 50_000_000


@pytest.mark.parametrize(
    ("held", "amount"), [(buy("in", "A", 10), 5_000_000), (sell("in", "A", 10), -5_000_000)]
)
def test_a_dividend_is_paid_on_what_was_held_before_the_open(held: Any, amount: int) -> None:
    venue = machine(group(0, FLAT), held, group(1, FLAT))
    venue.handle(buy("more", "A", 100))
    first = ask(venue, group(2, FLAT._replace(dividend=0.5))).events[0]
    assert isinstance(first, DividendPaid)
    assert (first.payment_id, first.lots, first.amount_micro) == ("D2.A", amount // 500_000, amount)


def test_no_dividend_is_paid_to_who_holds_nothing() -> None:
    venue = machine(group(0, FLAT), buy("o", "A", 10))
    assert told(ask(venue, group(1, FLAT._replace(dividend=0.5))).events)[0] == ("o", 10, 100.0, 0)


def test_a_fill_that_the_account_cannot_afford_is_cancelled_with_the_reason() -> None:
    """990 shares at 100 are affordable; at the next open of 102 they would cost $100,980."""
    venue = machine(group(0, FLAT), buy("o", "A", 990))
    events = ask(venue, group(1, bar("A", 102.0, 102.0, 102.0, 102.0))).events
    report = ends(events, "o")
    assert (report.status, report.code, fills(events)) == (OrderStatus.CANCELED, RefusalCode.BUYING_POWER, [])


def test_every_group_is_answered_once_and_one_seen_before_changes_nothing() -> None:
    venue = long_a()
    before = venue.state()
    again = venue.handle(group(1, bar("A", 1.0, 1.0, 1.0, 1.0, dividend=9.0)))
    assert len(again) == 1
    assert (ask(venue, group(1, FLAT)).advanced, ask(venue, group(1, FLAT)).events) == (1, ())
    assert venue.state() == before
    assert ask(venue, group(7, FLAT)).advanced == 7


def test_a_symbol_the_venue_does_not_trade_is_ignored() -> None:
    venue = machine(group(0, FLAT))
    assert ask(venue, group(1, bar("ZZZ", 1.0, 1.0, 1.0, 1.0, dividend=1.0))).events == ()
