"""Say what alerts, how grave it is and how it reads (requirements B1, B2, B6)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.alert_words import alert_of, concerns_people, figures_lines
from domain.alerts import Alert, Severity
from domain.outbox import AuditEvent, AuditKind

INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


def event(kind: AuditKind, key: str = "k", *, decision: bool = False, **body: Any) -> AuditEvent:
    return AuditEvent(kind, 7, 3, key, decision, body)


def halt(previous: str, rung: str, trigger: str, by: str = "risk", **others: Any) -> AuditEvent:
    values = {"rung": rung, "previous": previous, "trigger": trigger, "raised_by": by, "detail": "why"}
    return event(AuditKind.HALT, **{**values, **others})


HALTS = (
    (halt("ACTIVE", "REDUCING", "daily_loss"), WARNING, "the account is REDUCING: daily loss"),
    (halt("ACTIVE", "HALTED", "drawdown_severe"), CRITICAL, "the account is HALTED: drawdown severe"),
    (
        halt("HALTED", "FLATTENING", "manual_flatten", "person"),
        CRITICAL,
        "the account is FLATTENING: manual flatten",
    ),
    (
        halt("ACTIVE", "HALTED", "manual", "person", scope="book:main"),
        CRITICAL,
        "book main is HALTED: manual",
    ),
    (halt("HALTED", "HALTED", "heat"), WARNING, "the account stays HALTED: heat"),
    (
        halt("REDUCING", "ACTIVE", "daily_loss", "rule"),
        INFO,
        "the account is ACTIVE, from REDUCING: daily loss ended",
    ),
    (
        halt("HALTED", "ACTIVE", "manual", "person"),
        WARNING,
        "the account is ACTIVE, from HALTED: manual ended",
    ),
    (halt("ACTIVE", "HALTED", "late_arrival", "gateway"), CRITICAL, "the account is HALTED: late arrival"),
    (halt("ACTIVE", "HALTED", "broker_lost", "gateway"), CRITICAL, "the account is HALTED: broker lost"),
)


def breaker(before: str, after: str, key: str) -> AuditEvent:
    return event(AuditKind.BREAKER, key, before=before, after=after, cause="3 failed in a row")


OTHERS = (
    (
        "risk",
        breaker("closed", "open", "vwap_fast"),
        WARNING,
        "the circuit breaker of strategy vwap_fast is open",
    ),
    ("risk", breaker("half_open", "closed", "x"), INFO, "the circuit breaker of strategy x is closed again"),
    (
        "risk",
        breaker("open", "quarantined", "x"),
        WARNING,
        "strategy x is quarantined: it stays out until a person releases it",
    ),
    ("risk", breaker("closed", "open", "market_data"), WARNING, "the circuit breaker of market data is open"),
    ("gateway", breaker("closed", "open", "broker"), CRITICAL, "the circuit breaker of broker is open"),
    (
        "coordinator",
        event(AuditKind.FAILURE, "risk", error="killed", verdict="restarted", generation=1),
        INFO,
        "risk ended and is started anew",
    ),
    (
        "coordinator",
        event(AuditKind.FAILURE, "strategy:x", error="killed", verdict="quarantined", generation=4),
        WARNING,
        "strategy:x ended too often: it stays out until a person starts it",
    ),
    (
        "coordinator",
        event(AuditKind.FAILURE, "audit", error="killed", verdict="exhausted", generation=4),
        CRITICAL,
        "audit ended too often: the engine cannot go on without it",
    ),
    (
        "coordinator",
        event(AuditKind.FAILURE, "audit", role="audit", error="disk full", traceback="", fatal=True),
        WARNING,
        "audit failed",
    ),
    (
        "coordinator",
        event(AuditKind.FAILURE, "feed", role="feed", error="full", traceback="", fatal=False),
        WARNING,
        "feed met a fault and goes on",
    ),
    (
        "gateway",
        event(AuditKind.RECONCILIATION, "foreign.7", order="7", symbol="IBM", status="working"),
        WARNING,
        "the broker holds what is not the engine's",
    ),
)


@pytest.mark.parametrize(("told", "severity", "title"), HALTS)
def test_halt_is_told_with_rung_trigger_who_and_why(told: AuditEvent, severity: Severity, title: str) -> None:
    alert = alert_of("coordinator", told)
    assert alert is not None
    assert (alert.severity, alert.title) == (severity, title)
    lines = dict(alert.lines)
    assert lines["severity"] == severity.word
    assert (lines["trigger"], lines["reason"]) == (told.body["trigger"].replace("_", " "), "why")
    assert told.body["raised_by"] in (lines.get("raised by"), lines.get("ended by"))


@pytest.mark.parametrize(("role", "told", "severity", "title"), OTHERS)
def test_what_else_people_must_hear_of(role: str, told: AuditEvent, severity: Severity, title: str) -> None:
    alert = alert_of(role, told)
    assert alert is not None
    assert (alert.severity, alert.title) == (severity, title)
    assert concerns_people(told)


def reconciled(**found: Any) -> AuditEvent:
    nothing: dict[str, Any] = {
        "absent": [],
        "never_arrived": [],
        "mismatches": {},
        "cash_mismatches": {},
        "cash_unknown_for": [],
        "history": [],
        "connection": 2,
    }
    return event(AuditKind.RECONCILIATION, "2", **{**nothing, **found})


def test_reconciliation_that_finds_nothing_is_no_news() -> None:
    assert alert_of("gateway", reconciled()) is None


def test_reconciliation_that_finds_a_difference_names_it() -> None:
    alert = alert_of("gateway", reconciled(mismatches={"IBM": (100, 90)}, history=["twice: x"]))
    assert alert is not None
    assert alert.severity is CRITICAL
    assert dict(alert.lines)["mismatches"] == "IBM: ours 100, theirs 90"
    assert dict(alert.lines)["history"] == "twice: x"


def test_probe_of_a_breaker_is_no_news() -> None:
    assert alert_of("risk", breaker("open", "half_open", "x")) is None


@pytest.mark.parametrize(
    "kind",
    sorted(set(AuditKind) - {AuditKind.HALT, AuditKind.BREAKER, AuditKind.FAILURE, AuditKind.RECONCILIATION}),
)
def test_everything_else_alerts_nobody(kind: AuditKind) -> None:
    assert not concerns_people(event(kind))
    assert alert_of("risk", event(kind)) is None


def test_what_bars_led_to_is_marked_as_replayed() -> None:
    assert [
        alert.replayed
        for decision in (True, False)
        if (alert := alert_of("risk", breaker("closed", "open", "x")._replace(decision=decision)))
    ] == [True, False]


def test_title_is_one_line_whatever_a_name_holds() -> None:
    alert = alert_of("risk", breaker("closed", "open", "x\nBcc: all@example.com"))
    assert alert is not None
    assert "\n" not in alert.title


def test_figures_are_told_as_far_as_they_are_known() -> None:
    assert figures_lines({}) == ()
    known = {"equity": 98_000.5, "daily_loss": 0.02, "drawdown": 0.1, "heat": 0.003, "positions": {"IBM": 1}}
    assert dict(figures_lines(known)) == {
        "equity": "98,000.50",
        "day's loss": "2.000%",
        "drawdown": "10.000%",
        "heat": "0.300%",
        "positions": "1",
    }


def test_text_of_an_alert_is_a_line_for_each_fact() -> None:
    assert Alert(INFO, "t", (("a", "1"), ("b", "2"))).text == "a: 1\nb: 2"
