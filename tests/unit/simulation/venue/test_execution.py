"""Hold attached stops and orders that reduce each other to tables worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from domain.bars import Bar
from domain.broker import CancelOrder, OrderStatus, OrderType, TimeInForce
from simulation.venue.machine import VenueMachine
from tests.contract.venue_world import ask, bar, buy, ends, fills, group, limit, sell, settings, stop, told

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)
GTC = {"time_in_force": TimeInForce.GTC}
WITH_STOP = {"attached_stop_pct": 0.03, "oca_group": "g"}


def protected(**changes: Any) -> VenueMachine:
    """Return a venue with 10 A bought at 100, their stop at 97 working."""
    venue = VenueMachine(settings(**changes))
    ask(venue, group(0, FLAT), buy("in", "A", 10, **WITH_STOP), group(1, FLAT))
    return venue


def test_an_entry_opens_its_stop_with_the_fill() -> None:
    venue = VenueMachine(settings())
    ask(venue, group(0, FLAT), buy("in", "A", 10, **WITH_STOP))
    events = ask(venue, group(1, FLAT)).events
    assert told(events) == [("in", 10, 100.0, 0), ("in", "filled", 10, 10), ("in.stop", "working", 10, 0)]
    report = ends(events, "in.stop")
    assert (report.parent_ref, report.order_type, report.stop_price) == ("in", OrderType.STOP, 97.0)


@pytest.mark.parametrize(
    ("side", "price", "pct", "expected"),
    [
        (buy, 100.0, 0.03, 97.0),
        (buy, 101.37, 0.03, 98.32),
        (sell, 101.37, 0.03, 104.42),
        (buy, 0.5, 0.03, 0.485),
    ],
)
def test_the_stop_is_rounded_away_from_the_market(
    side: Any, price: float, pct: float, expected: float
) -> None:
    """101.37 x 0.97 = 98.3289 and x 1.03 = 104.4111; below a dollar the tick is a hundredth of a cent."""
    flat = bar("A", price, price, price, price)
    venue = VenueMachine(settings())
    events = ask(venue, group(0, flat), side("in", "A", 10, attached_stop_pct=pct), group(1, flat)).events
    assert ends(events, "in.stop").stop_price == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("candle", "price"),
    [
        (bar("A", 100.0, 101.0, 96.0, 99.0), 97.0),
        (bar("A", 100.0, 101.0, 97.0, 99.0), 97.0),
        (bar("A", 100.0, 101.0, 97.01, 99.0), None),
    ],
)
def test_the_stop_counts_on_the_bar_of_entry(candle: Bar, price: float | None) -> None:
    venue = VenueMachine(settings())
    events = ask(venue, group(0, FLAT), buy("in", "A", 10, **WITH_STOP), group(1, candle)).events
    assert fills(events)[1:] == ([] if price is None else [("in.stop", 10, price)])


@pytest.mark.parametrize(
    ("candle", "price"),
    [(bar("A", 95.0, 99.0, 94.0, 98.0), 95.0), (bar("A", 99.0, 99.0, 96.0, 98.0), 97.0)],
    ids=["gap", "touch"],
)
def test_the_stop_of_an_older_entry_fills_at_the_open_of_a_gap(candle: Bar, price: float) -> None:
    venue = protected()
    assert fills(ask(venue, group(2, candle, session=5)).events) == [("in.stop", 10, price)]
    assert venue.state()["positions"] == {}


def test_the_stop_of_a_short_entry_buys_back_above() -> None:
    venue = VenueMachine(settings())
    ask(venue, group(0, FLAT), sell("in", "A", 10, **WITH_STOP), group(1, FLAT))
    assert fills(ask(venue, group(2, bar("A", 100.0, 103.5, 100.0, 101.0))).events) == [
        ("in.stop", 10, 103.0)
    ]


def test_the_stop_of_a_limit_entry_is_checked_from_its_fill() -> None:
    """Bought at 95 within the bar, stop at 92.15, low 92: out again. The open of 100 is before the entry."""
    venue = VenueMachine(settings())
    ask(venue, group(0, FLAT), buy("in", "A", 10, **limit(95.0), **WITH_STOP))
    events = ask(venue, group(1, bar("A", 100.0, 100.0, 92.0, 93.0))).events
    assert fills(events) == [("in", 10, 95.0), ("in.stop", 10, pytest.approx(92.15))]


def test_the_stop_of_a_stop_entry_is_checked_in_the_same_bar_at_its_own_price() -> None:
    """Bought at 110 on the way up: the stop at 106.70 was not passed by the open of 100 before it existed."""
    venue = VenueMachine(settings())
    ask(venue, group(0, FLAT), buy("in", "A", 10, **stop(110.0), **WITH_STOP))
    events = ask(venue, group(1, bar("A", 100.0, 112.0, 99.0, 111.0))).events
    assert fills(events) == [("in", 10, 110.0), ("in.stop", 10, pytest.approx(106.7))]


def test_an_exit_takes_the_stop_away() -> None:
    venue = protected()
    venue.handle(sell("out", "A", 10, oca_group="g"))
    events = ask(venue, group(2, bar("A", 90.0, 90.0, 90.0, 90.0))).events
    assert told(events) == [
        ("out", 10, 90.0, 0),
        ("out", "filled", 10, 10),
        ("in.stop", "canceled", 0, 0),
    ]
    assert ends(events, "in.stop").text == "oca"


def test_an_exit_of_a_part_takes_its_lots_off_the_stop() -> None:
    venue = protected()
    venue.handle(sell("out", "A", 4, oca_group="g"))
    assert told(ask(venue, group(2, FLAT)).events)[-1] == ("in.stop", "working", 6, 0)
    assert fills(ask(venue, group(3, bar("A", 97.0, 97.0, 97.0, 97.0))).events) == [("in.stop", 6, 97.0)]


def test_the_stops_fill_takes_the_exit_away() -> None:
    venue = protected()
    venue.handle(sell("out", "A", 10, **limit(120.0), **GTC, oca_group="g"))
    events = ask(venue, group(2, bar("A", 98.0, 98.0, 96.0, 96.0))).events
    assert told(events) == [
        ("in.stop", 10, 97.0, 0),
        ("in.stop", "filled", 10, 10),
        ("out", "canceled", 0, 0),
    ]


def test_an_entry_does_not_reduce_the_stop_of_an_earlier_entry() -> None:
    venue = protected()
    venue.handle(buy("more", "A", 5, **WITH_STOP))
    ask(venue, group(2, FLAT))
    events = ask(venue, group(3, bar("A", 97.0, 97.0, 97.0, 97.0))).events
    assert fills(events) == [("in.stop", 10, 97.0), ("more.stop", 5, 97.0)]
    assert venue.state()["positions"] == {}


def test_an_exit_takes_its_lots_off_the_stops_together_oldest_first() -> None:
    venue = protected()
    ask(venue, buy("more", "A", 5, **WITH_STOP), group(2, FLAT), sell("out", "A", 12, oca_group="g"))
    events = ask(venue, group(3, FLAT)).events
    assert told(events)[2:] == [("in.stop", "canceled", 0, 0), ("more.stop", "working", 3, 0)]


def test_orders_of_other_groups_leave_the_stop_alone() -> None:
    venue = protected()
    venue.handle(sell("out", "A", 4, oca_group="other"))
    assert told(ask(venue, group(2, FLAT)).events) == [("out", 4, 100.0, 0), ("out", "filled", 4, 4)]


def test_the_stop_grows_with_the_entry_at_its_average_price() -> None:
    """100 at 100 and 100 at 98 average 99; 3 % below is 96.03."""
    venue = VenueMachine(settings(participation=0.1))
    ask(venue, group(0, FLAT), buy("in", "A", 300, **WITH_STOP))
    first = ask(venue, group(1, FLAT._replace(volume=1000.0))).events
    assert told(first)[-1] == ("in.stop", "working", 100, 0)
    second = ask(venue, group(2, bar("A", 98.0, 98.0, 98.0, 98.0, 1000.0))).events
    report = ends(second, "in.stop")
    assert report.lots == 200
    assert report.stop_price == pytest.approx(96.03)


def test_an_entry_ends_when_its_stop_is_hit() -> None:
    venue = VenueMachine(settings(participation=0.1))
    ask(venue, group(0, FLAT), buy("in", "A", 300, **WITH_STOP), group(1, FLAT._replace(volume=1000.0)))
    events = ask(venue, group(2, bar("A", 99.0, 99.0, 96.0, 96.0, 1000.0))).events
    assert ends(events, "in").status is OrderStatus.CANCELED
    assert fills(events) == [("in", 100, 99.0), ("in.stop", 100, pytest.approx(96.51))]
    last = ask(venue, group(3, bar("A", 95.0, 95.0, 95.0, 95.0, 5000.0))).events
    assert fills(last) == [("in.stop", 100, 95.0)]
    assert venue.state()["positions"] == {}


def test_an_entry_ends_when_its_stop_is_cancelled() -> None:
    venue = VenueMachine(settings(participation=0.1))
    ask(venue, group(0, FLAT), buy("in", "A", 300, **WITH_STOP), group(1, FLAT._replace(volume=1000.0)))
    events = ask(venue, CancelOrder(order_ref="in.stop")).events
    assert told(events) == [("in.stop", "canceled", 100, 0), ("in", "canceled", 300, 100)]


def test_cancelling_an_entry_keeps_the_stop_of_what_was_filled() -> None:
    venue = VenueMachine(settings(participation=0.1))
    ask(venue, group(0, FLAT), buy("in", "A", 300, **WITH_STOP), group(1, FLAT._replace(volume=1000.0)))
    assert told(ask(venue, CancelOrder(order_ref="in")).events) == [("in", "canceled", 300, 100)]
    assert venue.state()["working"] == ["in.stop"]


def test_a_stop_without_volume_is_hit_and_fills_at_the_next_open() -> None:
    venue = protected(participation=0.1)
    assert ask(venue, group(2, bar("A", 96.0, 96.0, 96.0, 96.0, 0.0))).events == ()
    events = ask(venue, group(3, bar("A", 99.0, 99.0, 99.0, 99.0, 1000.0))).events
    assert fills(events) == [("in.stop", 10, 99.0)]
