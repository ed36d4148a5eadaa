from __future__ import annotations

from typing import Any

import pytest

from cli.display.events import KEPT, Event, EventLog, events
from domain.strategies.blocks import DAY_NS
from tests.unit.cli.display.samples import fill, order, role, snapshot, text

NOW = "2019-03-05"


def told(*looks: dict[str, Any]) -> list[Event]:
    """Return what the looks after the first one told, the oldest first."""
    log = EventLog(DAY_NS)
    log.look(snapshot(), NOW)
    before = len(log.newest(KEPT))
    for look in looks:
        log.look(look, NOW)
    return log.newest(KEPT)[::-1][before:]


def trading(head: int, orders: list[dict[str, Any]], fills: list[dict[str, Any]]) -> dict[str, Any]:
    seen = snapshot()
    seen["views"]["gateway"].update(journal_head=head, newest_orders=orders, newest_fills=fills)
    return seen


def test_what_was_told_is_not_told_again() -> None:
    assert told(snapshot(), snapshot()) == []


def test_orders_and_fills_are_told_once_in_the_order_of_the_journal() -> None:
    seen = trading(52, [order(52, "KO"), order(40, "MSFT")], [fill(51, "XOM"), fill(39, "AAPL")])
    assert told(seen, seen) == [
        Event("2019-03-04", "fill", "bought 55 XOM at 123.40, entry of main"),
        Event("2019-03-04", "order", "buy entry KO, 120 at 43.21"),
    ]


def test_an_order_is_told_when_it_is_placed_and_not_with_each_of_its_states() -> None:
    sent, works = order(50, "KO", state="sent"), {**order(50, "KO", state="working"), "seq": 51}
    refused = {**works, "seq": 52, "state": "refused", "text": "no"}
    looks = [trading(50, [sent], []), trading(51, [works], []), trading(52, [refused], [])]
    assert [each.kind for each in told(*looks)] == ["order", "refused"]


@pytest.mark.parametrize(
    ("kind", "state", "event"),
    [
        ("entry", "refused", "refused: buy entry KO, 120: no"),
        ("entry", "canceled", "canceled: buy entry KO, 120: no"),
        ("exit", "unknown", "unknown: sell exit KO, 120: no"),
        ("entry", "never_arrived", "never arrived: buy entry KO, 120: no"),
        ("stop", "refused", "refused: sell stop KO, 120: no"),
        ("stop", "canceled", None),
        ("stop", "working", None),
        ("entry", "filled", None),
    ],
)
def test_an_end_of_an_order_is_told_with_its_reason_unless_it_is_routine(
    kind: str, state: str, event: str | None
) -> None:
    found = told(trading(50, [order(50, "KO", kind, state, "no")], []))
    assert [each.text for each in found] == ([] if event is None else [event])


def test_a_halt_a_resume_and_a_further_rung_are_told() -> None:
    reduced = snapshot(rung="REDUCING", causes=["daily_loss"])
    halted = snapshot(rung="HALTED", causes=["daily_loss", "heat"])
    assert [(each.kind, each.text) for each in told(reduced, halted, snapshot())] == [
        ("halt", "REDUCING by daily loss"),
        ("halt", "HALTED by daily loss, heat"),
        ("resume", "ACTIVE, was HALTED"),
    ]


def test_a_halt_that_stood_already_is_told_at_the_first_look() -> None:
    log = EventLog(DAY_NS)
    log.look(snapshot(rung="HALTED", causes=["heat"]), NOW)
    assert Event(NOW, "halt", "HALTED by heat") in log.newest(KEPT)


def test_a_restart_and_a_quarantine_are_told_with_why() -> None:
    again = snapshot(roles={"risk": role(generation=2, restarts=1, why="its process ended")})
    away = snapshot(roles={"risk": role(generation=2, status="quarantined", why="4 in 60 s")})
    assert [each.text for each in told(again, away)] == [
        "risk restarted, generation 2: its process ended",
        "risk quarantined: 4 in 60 s",
    ]


def test_failures_are_told_whoever_tells_of_them() -> None:
    seen = snapshot()
    seen["views"]["risk"]["failures"]["history"] = [[1_201, "vwap_slow", "ValueError: zero"]]
    seen.update(failures=["gateway: lost"], faults=1, last_fault="feed: full")
    assert [each.text for each in told(seen, seen)] == [
        "vwap_slow failed at bar 1201: ValueError: zero",
        "gateway: lost",
        "feed: full",
    ]


def test_a_phase_is_told_with_its_reason() -> None:
    (event,) = told(snapshot(phase="draining", reason="SIGINT"))
    assert (event.kind, event.text) == ("phase", "draining: SIGINT")


def test_the_log_keeps_its_bounds_and_shows_the_newest_first() -> None:
    log = EventLog(DAY_NS)
    for seq in range(1, 500):
        log.look(trading(seq, [], [fill(seq, f"S{seq}")]), NOW)
    assert len(log.newest(1_000)) == KEPT
    lines = text(events(log, 60, 4))
    assert lines[0].startswith("Last events ─")
    assert lines[1] == "2019-03-04 ✓ bought 55 S499 at 123.40, entry of main"
    assert len(lines) == 4


def test_bars_of_minutes_are_told_by_the_minute() -> None:
    log = EventLog(60 * 10**9)
    log.look(trading(50, [order(50, "KO")], []), "03-04 00:01")
    assert log.newest(1)[0].when == "03-04 00:00"
