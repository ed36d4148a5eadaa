"""Say what every broker port to a market that can be moved by hand must do; adapters' tests inherit it.

An adapter's test class inherits `BrokerContract` and gives a fixture `bench`. `docs/add-a-broker.md` tells more.
"""

from __future__ import annotations

import itertools
from typing import Protocol

import pytest

from domain.broker import (
    BrokerCommand,
    BrokerLink,
    BrokerUpdate,
    CancelOrder,
    Downloaded,
    DownloadKind,
    OrderReported,
    OrderStatus,
    OrderType,
    RefusalCode,
    RequestDownload,
    TimeInForce,
    VenuePosition,
)
from domain.errors import BrokerUnavailable
from domain.messages import BarsPublished
from tests.contract.venue_world import CASH, bar, buy, ends, fills, group, limit, sell, told

FLAT = bar("A", 100.0, 100.0, 100.0, 100.0)
WITH_STOP = {"attached_stop_pct": 0.03, "oca_group": "g"}


class Bench(Protocol):
    """Drive one broker port and the market behind it.

    The venue trades `venue_world.settings(participation=0.1)`; it and its connection are fresh.
    """

    def connect(self) -> BrokerLink:
        """Open the port and return the link event."""

    def close(self) -> None:
        """Close the port."""

    def tell(self, command: BrokerCommand) -> BrokerUpdate:
        """Send `command` and return the answer."""

    def move(self, bars: BarsPublished) -> BrokerUpdate:
        """Move the market and return what the gateway hears."""

    def crash(self) -> BrokerLink | None:
        """Kill the venue without warning, start it again, and return the link's loss where the port can see it."""


class BrokerContract:
    """Be the tests; `bench` is not yet connected."""

    @pytest.fixture
    def open_bench(self, bench: Bench) -> Bench:
        bench.connect()
        bench.move(group(0, FLAT, bar("B", 50.0, 50.0, 50.0, 50.0)))
        return bench

    def test_a_port_that_is_not_open_refuses_to_send(self, bench: Bench) -> None:
        with pytest.raises(BrokerUnavailable):
            bench.tell(buy("o", "A", 1))

    def test_opening_is_told_and_connections_count_from_one(self, bench: Bench) -> None:
        numbers = []
        for _ in range(3):
            link = bench.connect()
            assert link.connected
            numbers.append(link.connection)
            bench.close()
        assert numbers == [1, 2, 3]
        bench.close()

    def test_connections_go_on_counting_after_a_crash_and_the_loss_is_told(self, bench: Bench) -> None:
        assert bench.connect().connection == 1
        lost = bench.crash()
        assert lost is None or (lost.connected, lost.connection) == (False, 1)
        assert bench.connect().connection == 2

    def test_an_order_is_accepted_and_fills_at_the_next_open(self, open_bench: Bench) -> None:
        update = open_bench.tell(buy("o", "A", 10))
        assert (update.advanced, told(update.events)) == (-1, [("o", "working", 10, 0)])
        update = open_bench.move(group(1, bar("A", 101.0, 102.0, 99.0, 100.0)))
        assert (update.advanced, fills(update.events)) == (1, [("o", 10, 101.0)])

    def test_a_ref_never_makes_two_orders(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 10))
        report = ends(open_bench.tell(buy("o", "A", 10)).events, "o")
        assert (report.status, report.code) == (OrderStatus.REFUSED, RefusalCode.DUPLICATE)
        assert fills(open_bench.move(group(1, FLAT)).events) == [("o", 10, 100.0)]
        report = ends(open_bench.tell(buy("o", "A", 10)).events, "o")
        assert report.code is RefusalCode.DUPLICATE

    def test_a_cancelled_order_does_not_fill(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 10))
        report = ends(open_bench.tell(CancelOrder(order_ref="o")).events, "o")
        assert report.status is OrderStatus.CANCELED
        assert open_bench.move(group(1, FLAT)).events == ()

    def test_cancelling_an_ended_order_repeats_its_end(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 10))
        open_bench.move(group(1, FLAT))
        assert told(open_bench.tell(CancelOrder(order_ref="o")).events) == [("o", "filled", 10, 10)]

    def test_cancelling_an_unknown_order_is_refused(self, open_bench: Bench) -> None:
        report = ends(open_bench.tell(CancelOrder(order_ref="nothing")).events, "nothing")
        assert (report.status, report.code) == (OrderStatus.REFUSED, RefusalCode.UNKNOWN_ORDER)

    def test_what_cannot_be_worked_is_refused_with_its_reason(self, open_bench: Bench) -> None:
        refused = [
            (buy("1", "NONE", 1), RefusalCode.UNKNOWN_SYMBOL),
            (buy("2", "A", 0), RefusalCode.BAD_QUANTITY),
            (buy("3", "A", 1, **limit(100.005)), RefusalCode.BAD_PRICE),
            (sell("4", "LONG", 1), RefusalCode.SHORT_NOT_ALLOWED),
            (buy("5", "A", 1001), RefusalCode.BUYING_POWER),
        ]
        for command, code in refused:
            report = ends(open_bench.tell(command).events, command.order_ref)
            assert (report.status, report.code) == (OrderStatus.REFUSED, code)
            assert report.text

    def test_a_stop_fills_at_the_open_of_a_gap(self, open_bench: Bench) -> None:
        open_bench.tell(buy("in", "A", 10, **WITH_STOP))
        open_bench.move(group(1, FLAT))
        gap = open_bench.move(group(2, bar("A", 90.0, 91.0, 89.0, 90.0), session=2))
        assert fills(gap.events) == [("in.stop", 10, 90.0)]

    def test_a_stop_counts_on_the_bar_of_its_entry(self, open_bench: Bench) -> None:
        open_bench.tell(buy("in", "A", 10, **WITH_STOP))
        update = open_bench.move(group(1, bar("A", 100.0, 100.0, 95.0, 99.0)))
        assert fills(update.events) == [("in", 10, 100.0), ("in.stop", 10, 97.0)]

    def test_exit_and_stop_reduce_each_other(self, open_bench: Bench) -> None:
        open_bench.tell(buy("in", "A", 10, **WITH_STOP))
        open_bench.move(group(1, FLAT))
        open_bench.tell(sell("out", "A", 4, oca_group="g"))
        assert told(open_bench.move(group(2, FLAT)).events)[-1] == ("in.stop", "working", 6, 0)
        open_bench.tell(sell("out2", "A", 6, oca_group="g"))
        report = ends(open_bench.move(group(3, FLAT)).events, "in.stop")
        assert (report.status, report.text) == (OrderStatus.CANCELED, "oca")

    def test_a_day_order_ends_with_its_session(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 10, **limit(50.0)))
        assert open_bench.move(group(1, FLAT)).events == ()
        assert told(open_bench.move(group(2, FLAT, session=2)).events) == [("o", "expired", 10, 0)]

    def test_an_opening_order_ends_with_the_next_opening(self, open_bench: Bench) -> None:
        open_bench.tell(
            buy("o", "A", 10, order_type=OrderType.MARKET_ON_OPEN, time_in_force=TimeInForce.OPENING)
        )
        events = open_bench.move(group(1, bar("B", 50.0, 50.0, 50.0, 50.0))).events
        assert told(events) == [("o", "expired", 10, 0)]

    def test_an_order_larger_than_the_market_fills_in_parts(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 150))
        thin = FLAT._replace(volume=1000.0)
        assert told(open_bench.move(group(1, thin)).events)[-1] == ("o", "working", 150, 100)
        assert told(open_bench.move(group(2, thin)).events)[-1] == ("o", "filled", 150, 150)

    def test_downloads_are_complete(self, open_bench: Bench) -> None:
        open_bench.tell(buy("in", "A", 10, **WITH_STOP))
        open_bench.tell(buy("rest", "B", 5, **limit(10.0)))
        open_bench.tell(buy("bad", "NONE", 5))
        moved = open_bench.move(group(1, FLAT)).events
        paid = open_bench.move(group(2, FLAT._replace(dividend=0.25)))
        found = {kind: _download(open_bench, kind) for kind in DownloadKind}
        positions = found[DownloadKind.POSITIONS]
        assert positions.positions == (VenuePosition("A", 10),)
        assert positions.cash_micro == CASH - 1_000_000_000 + 2_500_000
        assert _refs(found[DownloadKind.OPEN_ORDERS]) == {"in.stop", "rest"}
        assert _refs(found[DownloadKind.COMPLETED_ORDERS]) == {"in", "bad"}
        assert list(found[DownloadKind.EXECUTIONS].executions) == [moved[0]]
        assert list(found[DownloadKind.EXECUTIONS].dividends) == list(paid.events)

    def test_what_happened_unheard_is_in_the_downloads(self, open_bench: Bench) -> None:
        open_bench.tell(buy("o", "A", 10))
        open_bench.move(group(1, FLAT))
        open_bench.crash()
        open_bench.connect()
        assert [e.order_ref for e in _download(open_bench, DownloadKind.EXECUTIONS).executions] == ["o"]
        assert open_bench.move(group(1, FLAT)).events == ()
        assert _download(open_bench, DownloadKind.POSITIONS).positions == (VenuePosition("A", 10),)

    def test_execution_ids_are_unique_over_a_crash(self, open_bench: Bench) -> None:
        open_bench.tell(buy("1", "A", 1))
        open_bench.move(group(1, FLAT))
        open_bench.crash()
        open_bench.connect()
        open_bench.tell(buy("2", "A", 1))
        open_bench.move(group(2, FLAT))
        ids = [e.exec_id for e in _download(open_bench, DownloadKind.EXECUTIONS).executions]
        assert len(set(ids)) == len(ids) == 2


_REQUESTS = itertools.count(1)


def _download(bench: Bench, kind: DownloadKind) -> Downloaded:
    request = RequestDownload(request_id=next(_REQUESTS), kind=kind)
    (answer,) = bench.tell(request).events
    assert isinstance(answer, Downloaded)
    assert (answer.request_id, answer.kind) == (request.request_id, kind)
    return answer


def _refs(answer: Downloaded) -> set[str]:
    assert all(isinstance(order, OrderReported) for order in answer.orders)
    return {order.order_ref for order in answer.orders}
