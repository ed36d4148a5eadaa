"""A kill is carried out whatever fails on the way, and no position is closed twice (I2, I3; reliability, trap 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.kill_switch import _LOOKED_AT, Killed, KillSwitch
from domain.broker import (
    BrokerUpdate,
    ClosePosition,
    DownloadKind,
    KillCommand,
    RequestDownload,
)
from domain.errors import BrokerUnavailable, CodecError
from simulation.venue.machine import VenueMachine
from tests.contract.venue_world import ask, bar, buy, group, limit, sell
from tests.contract.venue_world import settings as venue_settings

A, B = "1.main.A.0.1", "1.main.B.0.1"
FLAT = (bar("A", 100.0, 100.0, 100.0, 100.0), bar("B", 50.0, 50.0, 50.0, 50.0))
Fault = Callable[[Sequence[KillCommand]], "int | Exception | None"]


class Port:
    """Reach a venue machine; `fault` says of each question how many commands arrive before the link breaks."""

    def __init__(self, venue: VenueMachine, fault: Fault = lambda _: None) -> None:
        self.venue, self.fault = venue, fault
        self.opened = 0
        self.clock_s = 0.0
        self.asked: list[KillCommand] = []
        self.connected = False

    def open(self, within_s: float) -> None:
        self.opened += 1
        self.connected = True

    def ask(self, commands: Sequence[KillCommand], within_s: float) -> list[BrokerUpdate]:
        assert self.connected
        self.clock_s += 0.01
        found = self.fault(commands)
        arrive = found if isinstance(found, int) else 0 if found is not None else len(commands)
        self.asked += commands[:arrive]
        answers = [ask(self.venue, each) for each in commands[:arrive]]
        if found is not None:
            self.connected = False
            raise found if isinstance(found, Exception) else BrokerUnavailable(f"cut after {arrive}")
        return answers

    def close(self) -> None:
        self.connected = False


def kill(port: Port, *, closing: bool = True, gone: bool = False) -> Killed:
    switch = KillSwitch(
        port,
        closing=closing,
        why="by a test",
        deadline_s=10.0,
        is_gone=lambda: gone,
        now_s=lambda: port.clock_s,
        pause=lambda seconds: setattr(port, "clock_s", port.clock_s + seconds),
    )
    return switch.run()


def traded() -> VenueMachine:
    """Return a venue where 10 A and 4 B are held behind stops, and an entry and an exit wait."""
    venue = VenueMachine(venue_settings())
    protected: dict[str, Any] = {"attached_stop_pct": 0.03}
    ask(
        venue,
        group(0, *FLAT),
        buy(A, "A", 10, oca_group="main/A", **protected),
        buy(B, "B", 4, oca_group="main/B", **protected),
        group(1, *FLAT),
        buy("1.main.LONG.1.1", "LONG", 5, **protected, **limit(10.0)),
        sell("1.main.B.1.1", "B", 4, oca_group="main/B", **limit(60.0)),
    )
    return venue


def positions(venue: VenueMachine) -> dict[str, int]:
    found: dict[str, int] = venue.state()["positions"]
    return found


def working(venue: VenueMachine) -> list[str]:
    found: list[str] = venue.state()["working"]
    return found


STOPS = [f"{A}.stop", f"{B}.stop"]
KILLS = ["1.main.A.kill.1", "1.main.B.kill.1"]


def test_orders_are_cancelled_positions_closed_and_stops_stay_until_they_are() -> None:
    venue = traded()
    killed = kill(Port(venue))
    assert killed.done
    assert list(killed.cancelled) == ["1.main.LONG.1.1", "1.main.B.1.1"]
    assert (list(killed.sent), killed.faults) == (KILLS, [])
    assert sorted(working(venue)) == sorted([*STOPS, *KILLS])
    ask(venue, group(2, *FLAT))
    assert (positions(venue), working(venue)) == ({}, [])


def test_the_words_of_a_cancel_name_who_killed() -> None:
    venue = traded()
    kill(Port(venue))
    (answer,) = ask(venue, RequestDownload(request_id=1, kind=DownloadKind.COMPLETED_ORDERS)).events
    texts = {order.order_ref: order.text for order in answer.orders}  # type: ignore[union-attr]
    assert texts["1.main.LONG.1.1"] == "cancelled by a test"


def test_a_stop_that_fills_before_the_closing_order_takes_its_lots_off_it() -> None:
    """Never do both sell: the bar opens below the stop, at which the market order would fill too."""
    venue = traded()
    kill(Port(venue))
    ask(venue, group(2, bar("A", 90.0, 90.0, 90.0, 90.0), bar("B", 50.0, 50.0, 40.0, 40.0)))
    assert positions(venue) == {}
    assert working(venue) == []


@pytest.mark.parametrize("bars_between", [0, 1])
def test_a_kill_done_twice_closes_once(bars_between: int) -> None:
    venue = traded()
    kill(Port(venue))
    if bars_between:
        ask(venue, group(2, *FLAT))
    again = kill(Port(venue))
    assert (again.done, again.sent, again.cancelled) == (True, {}, {})
    assert [order.order_ref for order in again.closing] == ([] if bars_between else KILLS)
    ask(venue, group(3, *FLAT))
    assert positions(venue) == {}


def test_only_cancelling_leaves_positions_behind_their_stops() -> None:
    venue = traded()
    killed = kill(Port(venue), closing=False)
    assert (killed.done, killed.sent, sorted(working(venue))) == (True, {}, STOPS)
    assert positions(venue) == {"A": 10, "B": 4}


def test_closing_after_only_cancelling_finds_a_ref_that_is_free() -> None:
    """The venue takes a ref once and for ever; the first look cannot know those that never filled."""
    venue = traded()
    for closing in (True, False, True):
        assert kill(Port(venue), closing=closing).done
    assert sorted(working(venue)) == sorted([*STOPS, "1.main.A.kill.2", "1.main.B.kill.2"])


def test_a_position_whose_symbol_trades_between_look_and_order_is_looked_at_again() -> None:
    """The stop fills in between: a closing order sent blindly would have opened a short."""
    venue = traded()
    moved = iter([True])

    def market(commands: Sequence[KillCommand]) -> None:
        if isinstance(commands[0], ClosePosition) and next(moved, False):
            ask(venue, group(2, bar("A", 96.0, 96.0, 96.0, 96.0), FLAT[1]))

    killed = kill(Port(venue, market))
    assert killed.done
    assert list(killed.sent) == ["1.main.B.kill.1"]
    ask(venue, group(3, *FLAT))
    assert positions(venue) == {}


def cuts(*after: int | None) -> tuple[Fault, Callable[[], bool]]:
    """Return a fault that breaks the link at successive questions after so many commands, and whether it has."""
    left: Iterator[int | None] = iter(after)
    met: list[int | None] = []

    def fault(commands: Sequence[KillCommand]) -> int | None:
        met.append(next(left, None))
        return met[-1]

    return fault, lambda: any(each is not None for each in met)


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=25))
@settings(max_examples=150, deadline=None)
def test_links_that_break_anywhere_double_nothing_and_end_done(after: list[int | None]) -> None:
    venue = traded()
    fault, has_cut = cuts(*after)
    killed = kill(Port(venue, fault))
    assert killed.done
    assert bool(killed.faults) == has_cut()
    ask(venue, group(2, *FLAT))
    assert (positions(venue), working(venue)) == ({}, [])
    assert venue.state()["executions"] == 4


@pytest.mark.parametrize("broken", [DownloadKind.EXECUTIONS, DownloadKind.POSITIONS])
def test_entries_are_cancelled_where_nothing_else_can_be_learnt(broken: DownloadKind) -> None:
    """A kill switch whose exception let orders continue is one of the traps."""
    venue = traded()

    def deaf(commands: Sequence[KillCommand]) -> int | None:
        kinds = [each.kind for each in commands if isinstance(each, RequestDownload)]
        return kinds.index(broken) if broken in kinds else None

    killed = kill(Port(venue, deaf))
    assert not killed.done
    assert list(killed.cancelled) == ["1.main.LONG.1.1", "1.main.B.1.1"]
    assert sorted(working(venue)) == STOPS
    assert killed.faults == [f"closing positions: cut after {_LOOKED_AT.index(broken)}"]


def test_positions_are_closed_where_cancels_fail_with_whatever_error() -> None:
    venue = traded()

    def bad(commands: Sequence[KillCommand]) -> Exception | None:
        cancels = not isinstance(commands[0], RequestDownload | ClosePosition)
        return CodecError("a ref that cannot be written") if cancels else None

    killed = kill(Port(venue, bad))
    assert not killed.done
    assert list(killed.sent) == KILLS
    assert killed.faults == ["cancelling open orders: CodecError: a ref that cannot be written"]
    assert killed.left == ["1.main.LONG.1.1", "1.main.B.1.1"]


def test_a_closing_order_that_is_refused_is_told_and_the_others_are_sent() -> None:
    """A symbol that is no longer traded."""
    venue = VenueMachine(venue_settings())
    ask(venue, group(0, *FLAT), buy(A, "A", 10), buy("1.other.LONG.0.1", "LONG", 5))
    ask(venue, group(1, *FLAT, bar("LONG", 10.0, 10.0, 10.0, 10.0)))

    port = Port(venue)
    unknown = venue._state.instruments.pop("LONG")
    killed = kill(port)
    venue._state.instruments["LONG"] = unknown
    assert not killed.done
    assert list(killed.sent) == ["1.main.A.kill.1"]
    assert killed.refused == {"other/LONG": "1.other.LONG.kill.1: LONG is not traded here"}


def test_a_closing_order_whose_answer_was_lost_is_known_for_our_own() -> None:
    venue = traded()
    lost = iter([True])

    def deaf(commands: Sequence[KillCommand]) -> int | None:
        return 1 if isinstance(commands[0], ClosePosition) and next(lost, False) else None

    killed = kill(Port(venue, deaf))
    assert (killed.done, sorted(killed.sent)) == (True, KILLS)
    assert killed.faults == ["closing positions: cut after 1"]


def test_a_venue_that_ended_is_not_tried_until_the_deadline() -> None:
    port = Port(traded(), lambda commands: 0)
    killed = kill(port, gone=True)
    assert (killed.done, killed.found) == (False, None)
    assert port.clock_s < 1.0
    assert len(killed.faults) == 2


def test_a_silent_venue_is_tried_until_the_deadline_and_told_once() -> None:
    port = Port(traded(), lambda commands: 0)
    killed = kill(port)
    assert 10.0 <= port.clock_s < 11.0
    assert len(killed.faults) == 2
