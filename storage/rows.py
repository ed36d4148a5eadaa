"""Turn records into rows and rows into records."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from domain.broker import DividendPaid, Executed, OrderType, Side
from domain.outbox import AuditEvent, AuditKind
from domain.records import (
    CashEntry,
    EquitySnapshot,
    ExecutionEntry,
    HaltRecord,
    HaltTrigger,
    IntentKind,
    MachineSnapshot,
    OrderEntry,
    OrderState,
    Rung,
)
from storage.canonical import WrittenBody, canonical, snapshot_text

Values = dict[str, Any]
"""Be a row by the names of its columns."""

Columns = tuple[Any, ...]
"""Be a row in the order of the table's columns: what is made at every bar, at a third of the cost."""


def order_row(entry: OrderEntry) -> Values:
    """Return the row of an order's state."""
    return {
        "seq": entry.seq,
        "at_ns": entry.at_ns,
        "order_ref": entry.order_ref,
        "parent_ref": entry.parent_ref,
        "book": entry.book,
        "symbol": entry.symbol,
        "kind": str(entry.kind),
        "side": str(entry.side),
        "order_type": str(entry.order_type),
        "lots": entry.lots,
        "filled_lots": entry.filled_lots,
        "reference_price": entry.reference_price,
        "stop_price": entry.stop_price,
        "state": str(entry.state),
        "bar": entry.bar,
        "connection": entry.connection,
        "text": entry.text,
    }


def order_entry(row: Row[Any]) -> OrderEntry:
    """Return the order's state that `row` holds."""
    values = dict(row._mapping)
    values["kind"] = IntentKind(values["kind"])
    values["side"] = Side(values["side"])
    values["order_type"] = OrderType(values["order_type"])
    values["state"] = OrderState(values["state"])
    return OrderEntry(**values)


def execution_row(entry: ExecutionEntry) -> Values:
    """Return the row of an execution."""
    execution = entry.execution
    return {
        "seq": entry.seq,
        "at_ns": entry.at_ns,
        "book": entry.book,
        "kind": str(entry.kind),
        "bar": entry.bar,
        "exec_id": execution.exec_id,
        "executed_ns": execution.at_ns,
        "order_ref": execution.order_ref,
        "symbol": execution.symbol,
        "side": str(execution.side),
        "lots": execution.lots,
        "price": execution.price,
        "commission_micro": execution.commission_micro,
        "corrects": execution.corrects,
    }


def execution_entry(row: Row[Any]) -> ExecutionEntry:
    """Return the execution that `row` holds."""
    execution = Executed(
        at_ns=row.executed_ns,
        exec_id=row.exec_id,
        order_ref=row.order_ref,
        symbol=row.symbol,
        side=Side(row.side),
        lots=row.lots,
        price=row.price,
        commission_micro=row.commission_micro,
        corrects=row.corrects,
    )
    kind = IntentKind(row.kind)
    return ExecutionEntry(
        seq=row.seq, at_ns=row.at_ns, book=row.book, kind=kind, bar=row.bar, execution=execution
    )


def cash_row(entry: CashEntry) -> Values:
    """Return the row of a dividend."""
    paid = entry.dividend
    return {
        "seq": entry.seq,
        "at_ns": entry.at_ns,
        "payment_id": paid.payment_id,
        "paid_ns": paid.at_ns,
        "symbol": paid.symbol,
        "per_unit": paid.per_unit,
        "lots": paid.lots,
        "amount_micro": paid.amount_micro,
    }


def cash_entry(row: Row[Any]) -> CashEntry:
    """Return the dividend that `row` holds."""
    dividend = DividendPaid(
        at_ns=row.paid_ns,
        payment_id=row.payment_id,
        symbol=row.symbol,
        per_unit=row.per_unit,
        lots=row.lots,
        amount_micro=row.amount_micro,
    )
    return CashEntry(seq=row.seq, at_ns=row.at_ns, dividend=dividend)


def halt_row(record: HaltRecord) -> Values:
    """Return the row of a movement of the latch."""
    return {
        "version": record.version,
        "at_ns": record.at_ns,
        "bar": record.bar,
        "session": record.session,
        "rung": int(record.rung),
        "previous": int(record.previous),
        "trigger": str(record.trigger),
        "raised_by": record.raised_by,
        "detail": record.detail,
        "scope": record.scope,
    }


def halt_record(row: Row[Any]) -> HaltRecord:
    """Return the movement of the latch that `row` holds."""
    values = dict(row._mapping)
    values["rung"] = Rung(values["rung"])
    values["previous"] = Rung(values["previous"])
    values["trigger"] = HaltTrigger(values["trigger"])
    return HaltRecord(**values)


def equity_row(record: EquitySnapshot) -> Columns:
    """Return the row of an equity snapshot, whose fields are the table's columns."""
    return (*record[:-1], int(record.rung))


def equity_snapshot(row: Row[Any]) -> EquitySnapshot:
    """Return the equity snapshot that `row` holds."""
    values = dict(row._mapping)
    values["rung"] = Rung(values["rung"])
    return EquitySnapshot(**values)


def snapshot_row(record: MachineSnapshot) -> Values:
    """Return the row of a machine's snapshot."""
    text = snapshot_text(record.values)
    return {"name": record.name, "bar": record.bar, "at_ns": record.at_ns, "body": text}


def machine_snapshot(row: Row[Any]) -> MachineSnapshot:
    """Return the machine's snapshot that `row` holds."""
    values = json.loads(row.body)
    if not isinstance(values, dict):
        raise ValueError(f"{row.body!r:.80} is not the body of a snapshot")
    return MachineSnapshot(name=row.name, bar=row.bar, at_ns=row.at_ns, values=values)


def event_row(seq: int, event: AuditEvent) -> Columns:
    """Return the row of an outbox event numbered `seq`: its number, then the event's fields, which are the columns."""
    kind, at_ns, bar, key, decision, body = event
    return seq, str(kind), at_ns, bar, key, decision, canonical(body)


def audit_event(row: Row[Any]) -> AuditEvent:
    """Return the outbox event that `row` holds, its number left out."""
    kind, decision = AuditKind(row.kind), bool(row.decision)
    return AuditEvent(kind, row.at_ns, row.bar, row.key, decision, WrittenBody(None, row.body))
