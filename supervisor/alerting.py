"""Alert people of what the coordinator puts on record, and of what other roles tell it that they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from domain.alert_words import BROKER_BACK, alert_of, figures_lines, is_broker_lost, is_reconciled
from domain.alerts import (
    Alert,
    AlertInbox,
    AlertsSent,
    ChannelFigures,
    Noticed,
    Severity,
    figures_values,
)
from domain.error_texts import describe
from domain.messages import COORDINATOR, RISK
from domain.outbox import AuditEvent
from domain.outputs import Output, Persist
from domain.records import HaltTrigger
from supervisor.children import Children
from supervisor.latch_keeper import LatchKeeper

_LONGEST = 1_000
"""Characters that are told of an event which no words were found for."""


class Alerting:
    """Turn events into alerts, each with the state at that moment, as far as it is known here."""

    def __init__(
        self, wanted: bool, latch: LatchKeeper, children: Children, about: Mapping[str, Any]
    ) -> None:
        """Look at `latch` and `children` for the state; where nobody is to be told (not `wanted`) say nothing."""
        self._wanted, self._latch, self._children, self._about = wanted, latch, children, about
        self._sent: tuple[ChannelFigures, ...] = ()
        self._broker_lost = HaltTrigger.BROKER_LOST in latch.ladder.active

    def told_too(self, outputs: list[Output]) -> list[Output]:
        """Return `outputs` with the alerts that what they make durable leads to, last: all else goes first."""
        if not self._wanted:
            return outputs
        events = [
            record
            for output in outputs
            if isinstance(output, Persist)
            for record in output.records
            if isinstance(record, AuditEvent)
        ]
        return [*outputs, *self._alerts(COORDINATOR, events)] if events else outputs

    def handle(self, message: AlertInbox) -> list[Output]:
        """Return the alerts that another role's event leads to, or note what became of alerts."""
        match message:
            case AlertsSent(channels=channels):
                self._sent = channels
                return []
            case Noticed(role=role, event=event):
                return [*self._alerts(role, (event,))] if self._wanted else []
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return what became of the alerts of each channel, JSON-able."""
        return {"alerts": [figures_values(each) for each in self._sent]}

    def _alerts(self, role: str, events: Iterable[AuditEvent]) -> Sequence[Alert]:
        return [each for event in events for each in self._worded(role, event)]

    def _worded(self, role: str, event: AuditEvent) -> Sequence[Alert]:
        """Return the alerts of one event; one that cannot be worded must not keep what it tells of from happening."""
        try:
            alert = alert_of(role, event)
            found = [*self._broker_back(event), *(() if alert is None else (alert,))]
            return [self._with_state(each) for each in found]
        except Exception as error:
            lines = (("severity", "critical"), ("event", repr(event)[:_LONGEST]), ("error", describe(error)))
            return [
                Alert(
                    Severity.CRITICAL, f"{event.kind.value} of {role}, which no words were found for", lines
                )
            ]

    def _broker_back(self, event: AuditEvent) -> Sequence[Alert]:
        if is_broker_lost(event):
            self._broker_lost = True
        elif self._broker_lost and is_reconciled(event):
            self._broker_lost = False
            return (BROKER_BACK,)
        return ()

    def _with_state(self, alert: Alert) -> Alert:
        """Add the account's figures as its risk manager was seen last, the latch, mode and session."""
        figures = figures_lines(self._children.views().get(RISK) or {})
        where = ((name, str(value)) for name, value in self._about.items())
        rung = ("the account", self._latch.rung.name)
        return alert._replace(lines=(*alert.lines, *figures, rung, *where))
