"""Say which audit events a person must hear of, how grave each is, and how it reads: one mapping for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from domain.alerts import Alert, Severity
from domain.halt_causes import scope_words
from domain.halt_messages import PERSON
from domain.outbox import AuditEvent, AuditKind
from domain.records import HaltTrigger, Rung


class _Told(NamedTuple):
    """Be an alert before the state is added to it."""

    severity: Severity
    title: str
    lines: tuple[tuple[str, str], ...]


def concerns_people(event: AuditEvent) -> bool:
    """Say whether `event` may have to be told: cheap, for it is asked of every event that is committed."""
    return event.kind in _WORDS


def alert_of(role: str, event: AuditEvent) -> Alert | None:
    """Return the alert that an event of `role` leads to, None for what nobody need hear of."""
    words = _WORDS.get(event.kind)
    told = None if words is None else words(role, event)
    if told is None:
        return None
    lines = (("severity", told.severity.word), *told.lines)
    return Alert(told.severity, _one_line(told.title), lines, replayed=event.decision)


def is_broker_lost(event: AuditEvent) -> bool:
    """Say whether `event` is the halt for a broker that is away."""
    return event.kind is AuditKind.HALT and event.body["trigger"] == HaltTrigger.BROKER_LOST.value


def is_reconciled(event: AuditEvent) -> bool:
    """Say whether `event` tells that the broker is connected and everything it knows was downloaded."""
    return event.kind is AuditKind.RECONCILIATION and "connection" in event.body


BROKER_BACK = Alert(
    Severity.INFO,
    "The broker is back: connected and reconciled",
    (("severity", "info"), ("halt", "it stays until it is ended: breakwater resume")),
)


def figures_lines(state: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the account's figures, as far as `state` (the risk manager's) knows them."""
    if "equity" not in state:
        return ()
    shares = (("day's loss", "daily_loss"), ("drawdown", "drawdown"), ("heat", "heat"))
    return (
        ("equity", f"{state['equity']:,.2f}"),
        *((name, f"{state[key]:.3%}") for name, key in shares if key in state),
        ("positions", f"{len(state.get('positions', ())):,}"),
    )


def _halt(role: str, event: AuditEvent) -> _Told:
    body = event.body
    rung, previous = Rung[body["rung"]], Rung[body["previous"]]
    what, trigger = scope_words(body.get("scope", "")), str(body["trigger"]).replace("_", " ")
    by_person = body["raised_by"] == PERSON
    lines = (
        ("trigger", trigger),
        ("raised by" if rung >= previous else "ended by", str(body["raised_by"])),
        ("reason", str(body["detail"])),
        ("before", previous.name),
    )
    if rung > previous:
        grave = Severity.CRITICAL if rung >= Rung.HALTED else Severity.WARNING
        return _Told(grave, f"{what} is {rung.name}: {trigger}", lines)
    if rung == previous:
        return _Told(Severity.WARNING, f"{what} stays {rung.name}: {trigger}", lines)
    # On a person's word money moves again: who did not give it should hear of it.
    grave = Severity.WARNING if by_person else Severity.INFO
    return _Told(grave, f"{what} is {rung.name}, from {previous.name}: {trigger} ended", lines)


def _breaker(role: str, event: AuditEvent) -> _Told | None:
    after, name = str(event.body["after"]), event.key
    who = f"strategy {name}" if role == "risk" and name not in _SHARED_BREAKERS else name.replace("_", " ")
    lines = (("before", str(event.body["before"])), ("reason", str(event.body["cause"])))
    match after:
        case "quarantined":
            title = f"{who} is quarantined: it stays out until a person releases it"
            return _Told(Severity.WARNING, title, lines)
        case "open":
            # Nothing trades without the broker; without one strategy the others go on.
            grave = Severity.CRITICAL if role == "gateway" else Severity.WARNING
            return _Told(grave, f"the circuit breaker of {who} is open", lines)
        case "closed":
            return _Told(Severity.INFO, f"the circuit breaker of {who} is closed again", lines)
        case _:
            return None  # half-open: what comes of the probe is told


_SHARED_BREAKERS = frozenset({"market_data", "risk_calculation"})
"""Breakers of the risk manager that stand before every entry; its others are strategies'."""

_VERDICTS: Mapping[str, tuple[Severity, str]] = {
    "restarted": (Severity.INFO, "ended and is started anew"),
    "quarantined": (Severity.WARNING, "ended too often: it stays out until a person starts it"),
    "exhausted": (Severity.CRITICAL, "ended too often: the engine cannot go on without it"),
}


def _failure(role: str, event: AuditEvent) -> _Told:
    body = event.body
    if "verdict" in body:
        grave, words = _VERDICTS[body["verdict"]]
        return _Told(grave, f"{event.key} {words}", (("reason", str(body["error"])),))
    # Where the engine cannot go on without the role a halt follows, which is what is critical.
    words = "failed" if body["fatal"] else "met a fault and goes on"
    return _Told(Severity.WARNING, f"{event.key} {words}", (("reason", str(body["error"])),))


_DIFFERENCES = ("mismatches", "cash_mismatches", "history", "never_arrived")


def _reconciliation(role: str, event: AuditEvent) -> _Told | None:
    body = event.body
    if "connection" not in body:
        found = ", ".join(f"{name} {value}" for name, value in body.items())
        return _Told(Severity.WARNING, "the broker holds what is not the engine's", (("found", found),))
    lines = tuple((name.replace("_", " "), _listed(body[name])) for name in _DIFFERENCES if body[name])
    return _Told(Severity.CRITICAL, "the broker's records differ from ours", lines) if lines else None


def _listed(found: Any) -> str:
    if isinstance(found, Mapping):
        return ", ".join(f"{name}: ours {ours}, theirs {theirs}" for name, (ours, theirs) in found.items())
    return "; ".join(map(str, found))


def _one_line(text: str) -> str:
    return " ".join(text.split())


_WORDS: Mapping[AuditKind, Callable[[str, AuditEvent], _Told | None]] = {
    AuditKind.HALT: _halt,
    AuditKind.BREAKER: _breaker,
    AuditKind.FAILURE: _failure,
    AuditKind.RECONCILIATION: _reconciliation,
}
