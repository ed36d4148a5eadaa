"""Carry audit events: every writer commits them with its own records, numbered, and the audit writer tails them.

An event stays in its source's outbox until the trail holds it durably, so nothing is lost while the writer is down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class AuditKind(StrEnum):
    """Name the kinds of audit events (requirement C6)."""

    STARTED = "started"
    STOPPED = "stopped"
    CONFIGURATION = "configuration"
    SIGNALS = "signals"
    SIGNAL_FAILURE = "signal_failure"
    VOTE = "vote"
    ASSESSMENT = "assessment"
    ORDER = "order"
    ORDER_STATE = "order_state"
    CANCEL = "cancel"
    EXECUTION = "execution"
    DIVIDEND = "dividend"
    POSITION = "position"
    HEAT_WARNING = "heat_warning"
    BREAKER = "breaker"
    HALT = "halt"
    FAILURE = "failure"
    RECONCILIATION = "reconciliation"
    BAD_BAR = "bad_bar"
    INTERVENTION = "intervention"


class AuditEvent(NamedTuple):
    """Be one line of the audit trail before it is chained.

    `key` orders events of one kind and bar (strategy, book and symbol, order ref, ...). `decision` marks content that
    two runs on the same data must share: it enters the decisions digest, so it holds event time only: no process
    ids, epochs or wall times. `body` is JSON-able.
    """

    kind: AuditKind
    at_ns: int
    bar: int
    key: str
    decision: bool
    body: Mapping[str, Any]


TRAIL_END = AuditEvent(
    AuditKind.STOPPED,
    0,
    -1,
    "audit.end",
    False,
    {"reason": "every source was heard out: the trail ends here"},
)
"""Be what the audit writer records last when it stops in order; the trail's signed end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRecords:
    """Bring the audit writer committed events of `source`, numbered from `first_seq`."""

    source: str
    first_seq: int
    events: tuple[AuditEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOutbox:
    """Ask a source for its outbox events after `after_seq` (a gap was seen, or the writer starts)."""

    after_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxAcknowledged:
    """Tell a source that its events up to `seq` are durable in the trail."""

    source: str
    seq: int
