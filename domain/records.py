"""Name what is made durable: journal entries, snapshots, halts and the audit events of the outbox.

A role writes its records through one journal of its own. Journal entries and outbox events are numbered there, from 1
without gaps, so that readers keep a cursor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from domain.broker import DividendPaid, Executed, OrderType, Side
from domain.outbox import AuditEvent, OutboxRecords


class OrderState(StrEnum):
    """Name the states of an order's life (transitions: `domain/orders.py`)."""

    SENT = "sent"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    CANCEL_SENT = "cancel_sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    NEVER_ARRIVED = "never_arrived"


class IntentKind(StrEnum):
    """Name what an order is for."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


class OrderEntry(NamedTuple):
    """Journal an order's present state (upserted by `order_ref`; `seq` is the journal's, increasing)."""

    seq: int
    at_ns: int
    order_ref: str
    parent_ref: str
    book: str
    symbol: str
    kind: IntentKind
    side: Side
    order_type: OrderType
    lots: int
    filled_lots: int
    reference_price: float
    stop_price: float
    state: OrderState
    bar: int
    connection: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEntry:
    """Journal one execution, booked once per `execution.exec_id`; a correction names what it replaces."""

    seq: int
    at_ns: int
    book: str
    kind: IntentKind
    bar: int
    execution: Executed


@dataclass(frozen=True, slots=True, kw_only=True)
class CashEntry:
    """Journal a dividend paid by the venue, booked once per `dividend.payment_id`."""

    seq: int
    at_ns: int
    dividend: DividendPaid


JournalEntry = OrderEntry | ExecutionEntry | CashEntry


class Rung(IntEnum):
    """Order the halt ladder: each rung forbids more."""

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2
    FLATTENING = 3


class HaltTrigger(StrEnum):
    """Name what may raise the latch (requirement B1).

    KILL_SWITCH is a latch file found above the ladder, which says its rung itself. The MANUAL ones are a person's
    commands; MANUAL_FLATTEN closes every position, and so does what the configuration names besides.
    """

    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_SEVERE = "daily_loss_severe"
    DRAWDOWN = "drawdown"
    DRAWDOWN_SEVERE = "drawdown_severe"
    EXPOSURE = "exposure"
    HEAT = "heat"
    FAILURE_RATE = "failure_rate"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    BROKER_LOST = "broker_lost"
    TECHNICAL_FAILURE = "technical_failure"
    LATE_ARRIVAL = "late_arrival"
    KILL_SWITCH = "kill_switch"
    STRATEGIES_QUARANTINED = "strategies_quarantined"
    MANUAL = "manual"
    MANUAL_REDUCE = "manual_reduce"
    MANUAL_FLATTEN = "manual_flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRecord:
    """Keep one movement of the latch: raised, recorded while up, or lowered. `version` counts movements.

    `scope` is "" for the account, "book:NAME" or "symbol:SYM" for a part of it, whose rungs these then are.
    """

    version: int
    at_ns: int
    bar: int
    session: int
    rung: Rung
    previous: Rung
    trigger: HaltTrigger
    raised_by: str
    detail: str
    scope: str = ""


class EquitySnapshot(NamedTuple):
    """Keep the account's figures after one bar's marks; fractions are of equity, drawdown from the peak."""

    bar: int
    at_ns: int
    session: int
    equity: float
    cash_micro: int
    peak_equity: float
    day_start_equity: float
    gross_exposure: float
    heat: float
    drawdown: float
    rung: Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSnapshot:
    """Keep a machine's own small state as JSON-able values under `name`; the newest replaces the older."""

    name: str
    bar: int
    at_ns: int
    values: Mapping[str, Any]


Record = (
    OrderEntry
    | ExecutionEntry
    | CashEntry
    | HaltRecord
    | EquitySnapshot
    | MachineSnapshot
    | AuditEvent
    | OutboxRecords
)
"""Any record; `OutboxRecords` are for the audit trail's journal alone, which chains what other roles committed."""
