"""Alert of what the coordinator puts on record and of what other roles tell it (requirements B1, B2, B6)."""

from __future__ import annotations

from typing import Any

from domain.alerts import Alert, AlertsSent, ChannelFigures, Noticed, Severity
from domain.commands import Command, Verb
from domain.halt_messages import RaiseHalt
from domain.halts import HaltLadder
from domain.messages import Begin, RoleFailed
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Persist
from domain.records import HaltTrigger, Rung
from domain.supervision import RoleEnded, RoleFigures, RolesObserved
from supervisor.child import ChildPlan
from supervisor.child_spec import RestartPolicy
from supervisor.coordinator import Coordinator
from supervisor.phase import CoordinatorSettings
from supervisor.restart_policy import Intensity
from tests.unit.domain.test_halts import policy

RISK_STATE = {"equity": 98_000.0, "daily_loss": 0.02, "drawdown": 0.03, "heat": 0.001, "positions": {}}


def coordinator(*, alerting: bool = True, ladder: HaltLadder | None = None) -> Coordinator:
    children = (
        ChildPlan(
            role="risk",
            after=(),
            restart=RestartPolicy.HALT,
            strategies=(),
            most_busy_s=1.0,
            most_rss_bytes=0,
            replaceable=True,
        ),
        ChildPlan(
            role="strategy:x",
            after=(),
            restart=RestartPolicy.QUARANTINE,
            strategies=("x",),
            most_busy_s=1.0,
            most_rss_bytes=0,
            replaceable=True,
        ),
    )
    settings = CoordinatorSettings(
        run="1",
        children=children,
        stop_order=("risk",),
        intensity=Intensity(3, 60.0),
        cancel_entries=True,
        started={"mode": "SIMULATION", "session": 4},
        answer_deadline_s=1.0,
        alerting=alerting,
    )
    machine = Coordinator(settings, HaltLadder(policy()) if ladder is None else ladder)
    machine.handle(Begin())
    return machine


def alerts(outputs: list[Any]) -> list[Alert]:
    return [each for each in outputs if isinstance(each, Alert)]


def halt(trigger: HaltTrigger = HaltTrigger.HEAT, rung: Rung = Rung.HALTED) -> RaiseHalt:
    return RaiseHalt(
        at_ns=5, bar=3, session=1, rung=rung, trigger=trigger, raised_by="risk", detail="heat 41 %"
    )


def noticed(role: str, kind: AuditKind, key: str, **body: Any) -> Noticed:
    return Noticed(role=role, event=AuditEvent(kind, 0, 3, key, False, body))


def test_halt_is_told_after_it_is_durable_with_trigger_reason_and_the_state_at_that_moment() -> None:
    machine = coordinator()
    figures = RoleFigures("risk", 1, 11, 1, 0.0, 0, RISK_STATE)
    machine.handle(RolesObserved(figures=(figures,)))
    outputs = machine.handle(halt())
    (alert,) = alerts(outputs)
    assert outputs[-1] is alert
    assert isinstance(outputs[0], Persist)
    assert (alert.severity, alert.title, alert.replayed) == (
        Severity.CRITICAL,
        "the account is HALTED: heat",
        True,
    )
    assert dict(alert.lines) == {
        "severity": "critical",
        "trigger": "heat",
        "raised by": "risk",
        "reason": "heat 41 %",
        "before": "ACTIVE",
        "equity": "98,000.00",
        "day's loss": "2.000%",
        "drawdown": "3.000%",
        "heat": "0.100%",
        "positions": "0",
        "the account": "HALTED",
        "mode": "SIMULATION",
        "session": "4",
    }


def test_persons_halt_and_resume_are_told_to_everybody() -> None:
    machine = coordinator()
    told = []
    for verb in (Verb.HALT, Verb.RESUME):
        command = Command(
            request_id=1,
            verb=verb,
            arguments={"force": True} if verb is Verb.RESUME else {},
            reason="storm",
            who="ann",
            key=f"k{verb.value}",
            mode="",
            at_ns=0,
        )
        told += alerts(machine.handle(command))
    assert [(each.title, each.severity, each.replayed) for each in told] == [
        ("the account is HALTED: manual", Severity.CRITICAL, False),
        ("the account is ACTIVE, from HALTED: manual ended", Severity.WARNING, False),
    ]
    assert dict(told[0].lines)["reason"] == "ann: storm"


def test_role_that_ends_too_often_is_told_and_so_is_its_halt() -> None:
    machine = coordinator()
    told = []
    for generation in range(1, 5):
        told = alerts(
            machine.handle(
                RoleEnded(role="risk", generation=generation, why="killed", at_s=float(generation))
            )
        )
    assert [each.title for each in told] == [
        "risk ended too often: the engine cannot go on without it",
        "the account is HALTED: technical failure",
    ]


def test_strategy_that_ends_too_often_is_told_as_quarantined() -> None:
    machine = coordinator()
    titles = [
        each.title
        for generation in range(1, 5)
        for each in alerts(
            machine.handle(RoleEnded(role="strategy:x", generation=generation, why="killed", at_s=1.0))
        )
    ]
    assert titles[:3] == ["strategy:x ended and is started anew"] * 3
    assert titles[3] == "strategy:x ended too often: it stays out until a person starts it"


def test_failing_audit_writer_is_told_and_halts() -> None:
    failed = RoleFailed(role="audit", error="DurabilityError: disk full", traceback="", fatal=True)
    told = alerts(coordinator().handle(failed))
    assert [(each.title, each.severity) for each in told] == [
        ("audit failed", Severity.WARNING),
        ("the account is HALTED: technical failure", Severity.CRITICAL),
    ]


def test_breaker_of_a_strategy_that_opened_at_the_risk_manager_is_told() -> None:
    opened = noticed("risk", AuditKind.BREAKER, "x", before="closed", after="open", cause="3 failed in a row")
    (alert,) = alerts(coordinator().handle(opened))
    assert alert.title == "the circuit breaker of strategy x is open"
    assert dict(alert.lines)["the account"] == "ACTIVE"


def reconciled() -> Noticed:
    nothing: dict[str, Any] = {"never_arrived": [], "mismatches": {}, "cash_mismatches": {}, "history": []}
    return noticed("gateway", AuditKind.RECONCILIATION, "2", **nothing, connection=2)


def test_broker_that_was_lost_is_told_to_be_back_once() -> None:
    machine = coordinator()
    assert alerts(machine.handle(reconciled())) == []
    (lost,) = alerts(machine.handle(halt(HaltTrigger.BROKER_LOST)))
    assert lost.title == "the account is HALTED: broker lost"
    (back,) = alerts(machine.handle(reconciled()))
    assert (back.title, back.severity) == ("The broker is back: connected and reconciled", Severity.INFO)
    assert alerts(machine.handle(reconciled())) == []


def test_broker_lost_before_a_restart_of_the_coordinator_is_told_to_be_back() -> None:
    ladder = HaltLadder(policy())
    ladder.raise_latch(
        HaltTrigger.BROKER_LOST, Rung.HALTED, at_ns=0, bar=-1, session=0, raised_by="gateway", detail=""
    )
    assert len(alerts(coordinator(ladder=ladder).handle(reconciled()))) == 1


def test_where_nobody_is_to_be_told_nothing_is() -> None:
    machine = coordinator(alerting=False)
    assert alerts(machine.handle(halt())) == []
    opened = noticed("risk", AuditKind.BREAKER, "x", before="closed", after="open", cause="")
    assert machine.handle(opened) == []


def test_what_became_of_alerts_is_in_the_state() -> None:
    machine = coordinator()
    assert machine.state()["alerts"] == []
    sent = ChannelFigures("mail", 1, 2, 3, 4, "refused", 0.5)
    assert machine.handle(AlertsSent(channels=(sent,))) == []
    assert machine.state()["alerts"] == [
        {
            "channel": "mail",
            "delivered": 1,
            "failed": 2,
            "dropped": 3,
            "waiting": 4,
            "error": "refused",
            "took_s": 0.5,
        }
    ]


def test_event_that_cannot_be_worded_is_told_as_that_and_stops_nothing() -> None:
    """An alert must never keep a halt from being carried out."""
    (alert,) = alerts(coordinator().handle(noticed("risk", AuditKind.HALT, "x", rung="NO_SUCH")))
    assert alert.severity is Severity.CRITICAL
    assert alert.title == "halt of risk, which no words were found for"
    machine = coordinator()
    machine.handle(RolesObserved(figures=(RoleFigures("risk", 1, 11, 1, 0.0, 0, {"equity": "?"}),)))
    outputs = machine.handle(halt())
    assert isinstance(outputs[0], Persist)
    assert len(alerts(outputs)) == 1
