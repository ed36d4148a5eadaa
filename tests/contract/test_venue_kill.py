"""A kill has a lane of its own to the venue's process: it takes nobody's place, and nobody keeps it out (trap 5)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.kill_switch import Killed, KillSwitch
from domain.broker import (
    CancelMany,
    ClosePosition,
    Downloaded,
    DownloadKind,
    Executed,
    OrderReported,
    OrderStatus,
    RequestDownload,
)
from domain.errors import BrokerUnavailable
from simulation.venue.address import is_running
from simulation.venue.kill_link import VenueKill
from tests.contract.venue_benches import SocketBench
from tests.contract.venue_world import bar, buy, group, limit, sell, settings, told

FLAT = (bar("A", 100.0, 100.0, 100.0, 100.0), bar("B", 50.0, 50.0, 50.0, 50.0))
ENTRY = "1.main.A.0.1"
ORDERS = 200
WITHIN_S = 5.0
"""Bounded generously: the goal is 2 s with the start of the command, and the machine may be shared."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SocketBench]:
    """Return a venue process whose gateway holds 10 A behind a stop."""
    made = SocketBench(tmp_path, settings())
    made.connect()
    made.move(group(0, *FLAT))
    made.tell(buy(ENTRY, "A", 10, attached_stop_pct=0.03, oca_group="main/A"))
    made.move(group(1, *FLAT))
    yield made
    made.end()


def kill(bench: SocketBench, *, closing: bool = True, deadline_s: float = 10.0) -> Killed:
    switch = KillSwitch(
        VenueKill(bench.state_dir),
        closing=closing,
        why="by kill",
        deadline_s=deadline_s,
        is_gone=lambda: not is_running(bench.state_dir),
    )
    return switch.run()


def cancel(*refs: str) -> CancelMany:
    return CancelMany(order_refs=refs, why="by kill")


def download(bench: SocketBench, kind: DownloadKind) -> Downloaded:
    (found,) = bench.tell(RequestDownload(request_id=1, kind=kind)).events
    assert isinstance(found, Downloaded)
    return found


def test_gateway_and_market_stay_connected_and_the_gateway_is_told_what_was_changed(
    bench: SocketBench,
) -> None:
    bench.tell(buy("1.main.B.1.1", "B", 5, **limit(10.0)))
    killed = kill(bench)
    assert killed.done
    assert told(bench.inbox.update().events) == [("1.main.B.1.1", "canceled", 5, 0)]
    assert told(bench.inbox.update().events) == [("1.main.A.kill.1", "working", 10, 0)]
    filled = bench.move(group(2, *FLAT)).events
    assert [each.order_ref for each in filled if isinstance(each, Executed)] == ["1.main.A.kill.1"]
    assert download(bench, DownloadKind.POSITIONS).positions == ()
    assert bench.inbox.is_empty()


def test_a_gateway_is_not_told_what_a_kill_asked_or_what_came_to_nothing(bench: SocketBench) -> None:
    """Its own downloads are matched by number: an answer to somebody else's would be taken for one."""
    port = VenueKill(bench.state_dir)
    port.open(WITHIN_S)
    kinds = [RequestDownload(request_id=n, kind=kind) for n, kind in enumerate(DownloadKind)]
    assert len(port.ask([*kinds, cancel("none")], WITHIN_S)) == 5
    stale = ClosePosition(order=sell("1.main.A.kill.1", "A", 10), executions=0)
    (answer,) = port.ask([stale], WITHIN_S)
    assert answer.events == ()
    port.close()
    assert download(bench, DownloadKind.OPEN_ORDERS).orders != ()
    assert bench.inbox.is_empty()


def test_a_closing_order_counted_before_a_trade_takes_no_ref(bench: SocketBench) -> None:
    port = VenueKill(bench.state_dir)
    port.open(WITHIN_S)
    order = sell("1.main.A.kill.1", "A", 10)
    answers = [port.ask([ClosePosition(order=order, executions=n)], WITHIN_S)[0] for n in (0, 2, 1, 1)]
    port.close()
    statuses = [
        each.status for answer in answers for each in answer.events if isinstance(each, OrderReported)
    ]
    assert statuses == [OrderStatus.WORKING, OrderStatus.REFUSED]


def test_several_kills_at_once_share_the_venue(bench: SocketBench) -> None:
    ports = [VenueKill(bench.state_dir) for _ in range(3)]
    for port in ports:
        port.open(WITHIN_S)
    asked = [RequestDownload(request_id=1, kind=DownloadKind.OPEN_ORDERS)]
    assert [len(port.ask(asked, WITHIN_S)) for port in ports] == [1, 1, 1]
    for port in ports:
        port.close()


def test_a_kill_needs_no_gateway(bench: SocketBench) -> None:
    bench.close()
    assert kill(bench).done
    bench.connect()
    assert [order.order_ref for order in download(bench, DownloadKind.OPEN_ORDERS).orders] == [
        f"{ENTRY}.stop",
        "1.main.A.kill.1",
    ]


def test_two_hundred_open_orders_are_cancelled(bench: SocketBench) -> None:
    refs = [f"1.main.B.{n}.1" for n in range(ORDERS)]
    for ref in refs:
        bench.tell(buy(ref, "B", 1, **limit(10.0)))
    begun = time.monotonic()
    killed = kill(bench)
    took_s = time.monotonic() - begun
    print(f"{ORDERS} orders cancelled in {took_s:.3f} s")
    assert (killed.done, list(killed.cancelled)) == (True, refs)
    assert took_s < WITHIN_S


def test_the_kills_commands_come_before_bars_that_were_sent_later(bench: SocketBench) -> None:
    """The gateway's do as well: what is cancelled does not fill with the next bar."""
    bench.tell(buy("1.main.B.1.1", "B", 5))
    port = VenueKill(bench.state_dir)
    port.open(WITHIN_S)
    os.kill(bench.process.address.pid, signal.SIGSTOP)
    assert port._connection is not None
    port._connection.write(cancel("1.main.B.1.1"))
    bench.market.put(group(2, *FLAT))
    os.kill(bench.process.address.pid, signal.SIGCONT)
    assert told(bench.inbox.update().events) == [("1.main.B.1.1", "canceled", 5, 0)]
    assert told(bench.inbox.update().events) == []
    port.close()


def test_a_venue_that_hangs_is_told_and_waited_for_no_longer_than_the_deadline(bench: SocketBench) -> None:
    os.kill(bench.process.address.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        killed = kill(bench, deadline_s=1.0)
        assert time.monotonic() - begun < WITHIN_S
    finally:
        os.kill(bench.process.address.pid, signal.SIGCONT)
    assert (killed.done, killed.found) == (False, None)
    assert "timed out" in killed.faults[0]


def test_a_venue_that_dies_half_way_is_told(bench: SocketBench) -> None:
    port = VenueKill(bench.state_dir)
    port.open(WITHIN_S)
    os.kill(bench.process.address.pid, signal.SIGKILL)
    with pytest.raises(BrokerUnavailable, match="0 of 2 answers came"):
        port.ask([cancel("a"), cancel("b")], WITHIN_S)
    killed = kill(bench)
    assert (killed.done, killed.found) == (False, None)
    with pytest.raises(BrokerUnavailable, match="not connected"):
        port.ask([cancel("a")], WITHIN_S)
