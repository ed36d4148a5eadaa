"""A venue that fails again and again is left alone; no order is a probe, and the way is free when it held (B6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breakers import BreakerTerms
from domain.gateway_policy import GatewaySettings
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Connect
from domain.records import IntentKind, OrderState
from domain.venue_breaker import BROKER_BREAKER
from tests.unit.domain.gateway_bench import (
    SETTINGS,
    Bench,
    FakeVenue,
    approved,
    fill,
    intent,
    linked,
    lost,
    update,
)

REF = "1.main.AAPL.1.1"
GUARDED = replace(SETTINGS, breaker=BreakerTerms(failures=3, timeout_s=300.0, successes=2))


@pytest.fixture
def bench() -> Bench:
    """Return a guarded gateway that is connected and reconciled."""
    ready = Bench(GUARDED)
    ready.open()
    return ready


def stands(bench: Bench) -> str:
    return str(bench.machine.state()["breaker"])


def gate_open(bench: Bench) -> bool:
    return bool(bench.machine.state()["gate_open"])


def changes(bench: Bench) -> list[tuple[str, str]]:
    kept = [each for each in bench.journal.records if isinstance(each, AuditEvent)]
    told = [each for each in kept if each.kind is AuditKind.BREAKER]
    assert all((each.key, each.decision) == ("broker", False) and each.body["cause"] for each in told)
    return [(each.body["before"], each.body["after"]) for each in told]


def broken(bench: Bench) -> Bench:
    """Lose the link and fail two attempts: three failures."""
    bench.give(lost())
    for _ in range(2):
        bench.fire("reconnect")
        bench.give(lost())
    return bench


def test_third_failure_in_a_row_opens_it_and_nothing_is_attempted_until_its_time_is_over(
    bench: Bench,
) -> None:
    broken(bench)
    assert (stands(bench), changes(bench)) == ("open", [("closed", "open")])
    assert bench.timers["breaker"] == 300.0
    assert "reconnect" not in bench.timers
    before = bench.connects
    bench.fire("broker_lost")
    bench.give(lost())  # a command that met the lost link tells of it late
    assert (bench.connects, "reconnect" in bench.timers) == (before, False)


def test_refused_order_names_the_breaker(bench: Bench) -> None:
    broken(bench)
    bench.give(approved(intent()))
    assert bench.order(REF).state is OrderState.REFUSED
    assert "the gate is closed: the circuit breaker of the broker is open" in bench.order(REF).text


def test_link_that_many_commands_find_lost_failed_once(bench: Bench) -> None:
    for _ in range(5):
        bench.give(lost())
    assert stands(bench) == "closed"


def test_overdue_answers_count(bench: Bench) -> None:
    """An answer that does not come, then downloads that do not end."""
    bench.give(approved(intent()))
    bench.fire("ack")
    for connection in (2, 3):
        bench.give(linked(connection))
        bench.fire("download")
    assert stands(bench) == "open"
    assert bench.connects == 2, "the third is not attempted"


def test_reconciliation_between_failures_begins_the_count_anew(bench: Bench) -> None:
    for connection in range(2, 8):
        bench.give(lost())
        bench.fire("reconnect")
        bench.open(connection)
    assert (stands(bench), changes(bench), gate_open(bench)) == ("closed", [], True)


def test_probe_is_one_connection_and_the_gate_opens_only_with_the_second_reconciliation(bench: Bench) -> None:
    """B6: half-open probes never place an order."""
    broken(bench)
    before = bench.connects
    bench.fire("breaker")
    assert (stands(bench), bench.connects) == ("half_open", before + 1)
    bench.open(2)
    assert (stands(bench), gate_open(bench)) == ("half_open", False)
    bench.give(approved(intent()))
    assert "breaker of the broker is half-open" in bench.order(REF).text
    assert bench.timers["absence"] == SETTINGS.absence_interval_s
    bench.fire("absence")
    bench.answer(FakeVenue())
    assert (stands(bench), gate_open(bench), bench.connects) == ("closed", True, before + 1)
    assert changes(bench) == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    bench.give(approved(intent(bar=2), bar=2))
    assert bench.placed["1.main.AAPL.2.1"] == 1


def test_probe_that_fails_opens_it_for_as_long_again(bench: Bench) -> None:
    broken(bench).fire("breaker")
    outputs = bench.give(lost())
    assert (stands(bench), bench.timers["breaker"]) == ("open", 300.0)
    assert not [each for each in outputs if isinstance(each, Connect)]
    bench.fire("breaker")
    assert stands(bench) == "half_open"


def test_one_success_is_enough_where_the_terms_say_so() -> None:
    bench = Bench(replace(GUARDED, breaker=BreakerTerms(1, 5.0, 1)))
    bench.open()
    bench.give(lost())
    bench.fire("breaker")
    bench.open(2)
    assert (stands(bench), gate_open(bench)) == ("closed", True)


def test_fill_that_an_old_link_still_brings_is_booked_while_it_is_open(bench: Bench) -> None:
    """Left alone does not mean unheard."""
    bench.give(approved(intent()))
    broken(bench)
    bench.give(update(fill(REF, "E1")))
    assert bench.positions()[("main", "AAPL")] == 10


def test_process_that_starts_anew_connects_as_the_probe(bench: Bench) -> None:
    """A start opens the connection by itself, before anybody could keep it from that."""
    broken(bench).restart()
    assert stands(bench) == "half_open"
    bench.give(lost())
    assert stands(bench) == "open"
    bench.restart()
    bench.open(5)
    assert not gate_open(bench)
    bench.restart()
    bench.open(6)
    assert gate_open(bench), "the success before the restart counts"
    assert changes(bench)[-1] == ("half_open", "closed")


def test_failures_that_have_not_opened_it_yet_outlast_the_process(bench: Bench) -> None:
    bench.give(lost())
    bench.fire("reconnect")
    bench.give(lost())
    bench.restart()
    bench.give(lost())
    assert stands(bench) == "open"


def test_healthy_venue_leaves_no_record(bench: Bench) -> None:
    bench.give(approved(intent()))
    assert bench.journal.snapshot(BROKER_BREAKER) is None
    assert changes(bench) == []


def test_without_terms_nothing_ever_opens() -> None:
    bench = broken(Bench())
    bench.give(lost())
    assert stands(bench) == "closed"
    assert "reconnect" in bench.timers


def guarded(failures: int, successes: int) -> GatewaySettings:
    return replace(SETTINGS, breaker=BreakerTerms(failures, 60.0, successes))


@given(
    settings=st.builds(guarded, st.integers(1, 3), st.integers(1, 3)),
    steps=st.lists(st.sampled_from(["up", "lost", "answer", "timer", "restart", "order"]), max_size=40),
)
def test_whatever_happens_an_open_breaker_neither_connects_nor_lets_an_order_out(
    settings: GatewaySettings, steps: list[str]
) -> None:
    """Nor is it ever stuck: open, its timer runs; half-open, an attempt, a download or the next one is under way."""
    bench, venue, connection, bar = Bench(settings), FakeVenue(), 0, 0
    for step in steps:
        before, connects, placed = stands(bench), bench.connects, sum(bench.placed.values())
        match step:
            case "up":
                connection += 1
                bench.give(linked(connection))
            case "lost":
                bench.give(lost())
            case "answer":
                bench.answer(venue)
            case "timer":
                for name in [name for name in bench.timers if name in ("reconnect", "absence", "breaker")][
                    :1
                ]:
                    bench.fire(name)
            case "restart":
                bench.restart()
            case "order":
                bar += 1
                bench.give(approved(intent(bar=bar, kind=IntentKind.ENTRY), bar=bar))
                for wire in [each for each in bench.wires if hasattr(each, "reduces")]:
                    bench.wires.remove(wire)
                    venue.take(wire)
        if before == "open" and step not in ("timer", "restart"):
            assert bench.connects == connects
        if before != "closed" and step == "order":
            assert sum(bench.placed.values()) == placed
        assert not (gate_open(bench) and stands(bench) != "closed")
        assert stands(bench) != "open" or "breaker" in bench.timers
        assert stands(bench) != "open" or "reconnect" not in bench.timers
