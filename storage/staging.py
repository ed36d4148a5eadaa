"""Check records and turn them into rows before a commit, so that nothing refused is half taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from domain.errors import InvariantViolation
from domain.outbox import AuditEvent
from domain.records import (
    CashEntry,
    EquitySnapshot,
    ExecutionEntry,
    HaltRecord,
    JournalEntry,
    MachineSnapshot,
    OrderEntry,
    Record,
)
from storage.rows import (
    Columns,
    Values,
    cash_row,
    equity_row,
    event_row,
    execution_row,
    halt_row,
    order_row,
    snapshot_row,
)


class Staged:
    """Hold rows that wait for a commit; of orders, equity and snapshots only the newest of a key."""

    __slots__ = (
        "cash",
        "entry_log",
        "equity",
        "event_log",
        "events",
        "exec_ids",
        "executions",
        "halt_version",
        "halts",
        "head",
        "orders",
        "payment_ids",
        "snapshots",
    )

    def __init__(self, head: int = 0, halt_version: int = 0) -> None:
        """Hold nothing yet, after journal entry `head` and `halt_version`."""
        # Written out: a dataclass calls a factory for each of them, at every append.
        self.head = head
        self.halt_version = halt_version
        self.entry_log: list[JournalEntry] = []
        self.event_log: list[AuditEvent] = []
        self.exec_ids: set[str] = set()
        self.payment_ids: set[str] = set()
        self.orders: dict[str, Values] = {}
        self.executions: list[Values] = []
        self.cash: list[Values] = []
        self.halts: list[Values] = []
        self.equity: dict[int, Columns] = {}
        self.snapshots: dict[str, Values | MachineSnapshot] = {}
        self.events: list[Columns] = []

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to commit."""
        return not (self.entry_log or self.event_log or self.halts or self.equity or self.snapshots)

    def rows(self, table: str) -> list[Values] | list[Columns]:
        """Return the rows for `table` (a field's name)."""
        if table == "snapshots":
            held_snapshots = self.snapshots.values()
            return [
                snapshot_row(each) if isinstance(each, MachineSnapshot) else each for each in held_snapshots
            ]
        held: dict[object, Any] | list[Any] = getattr(self, table)
        return list(held.values()) if isinstance(held, dict) else held

    def add(self, later: Staged) -> None:
        """Take in what was staged later."""
        if later.entry_log:
            self.entry_log += later.entry_log
            self.orders |= later.orders
            self.executions += later.executions
            self.cash += later.cash
        if later.event_log:
            self.event_log += later.event_log
            self.events += later.events
        if later.halts:
            self.halts += later.halts
        if later.equity:
            self.equity |= later.equity
        if later.snapshots:
            self.snapshots |= later.snapshots

    def tail(self, after_seq: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` waiting entries after `after_seq`, in sequence (an order's newest state once)."""
        newest = {
            entry.order_ref if isinstance(entry, OrderEntry) else entry.seq: entry
            for entry in self.entry_log
            if entry.seq > after_seq
        }
        return sorted(newest.values(), key=attrgetter("seq"))[:limit]


def stage(
    records: Sequence[Record],
    head: int,
    first_event: int,
    halt_version: int,
    exec_ids: Collection[str],
    payment_ids: Collection[str],
    *,
    gathers: bool,
) -> Staged:
    """Return `records` as rows, to follow journal entry `head`, events from `first_event` and `halt_version`.

    Where appends gather (`gathers`), snapshots become rows at the commit: of hundreds only the newest is kept.
    Raises InvariantViolation for an execution or payment among `exec_ids` or `payment_ids` or twice here, for an entry
    whose number is not the next, a halt version that does not rise, and for content that JSON has no form for.
    """
    staged = Staged(head=head, halt_version=halt_version)
    for record in records:
        # Exact types, commonest first: this runs for every audit event of a backtest.
        kind = type(record)
        if kind is AuditEvent:
            staged.events.append(event_row(first_event + len(staged.event_log), record))  # type: ignore[arg-type]
            staged.event_log.append(record)  # type: ignore[arg-type]
        elif isinstance(record, (OrderEntry, ExecutionEntry, CashEntry)):
            _stage_entry(staged, record, exec_ids, payment_ids)
        elif isinstance(record, EquitySnapshot):
            staged.equity[record.bar] = equity_row(record)
        elif isinstance(record, MachineSnapshot):
            staged.snapshots[record.name] = record if gathers else snapshot_row(record)
        elif isinstance(record, HaltRecord):
            if record.version <= staged.halt_version:
                raise InvariantViolation(f"halt version {record.version} after version {staged.halt_version}")
            staged.halt_version = record.version
            staged.halts.append(halt_row(record))
        else:
            raise InvariantViolation(f"a journal takes no {kind.__name__}")
    return staged


def _stage_entry(
    staged: Staged, entry: JournalEntry, exec_ids: Collection[str], payment_ids: Collection[str]
) -> None:
    if entry.seq != staged.head + 1:
        raise InvariantViolation(
            f"journal entry {entry.seq} after entry {staged.head}: numbers must have no gaps"
        )
    if isinstance(entry, OrderEntry):
        staged.orders[entry.order_ref] = order_row(entry)
    elif isinstance(entry, ExecutionEntry):
        exec_id = entry.execution.exec_id
        if exec_id in exec_ids or exec_id in staged.exec_ids:
            raise InvariantViolation(
                f"execution {exec_id!r} of order {entry.execution.order_ref!r} booked twice"
            )
        staged.exec_ids.add(exec_id)
        staged.executions.append(execution_row(entry))
    else:
        payment_id = entry.dividend.payment_id
        if payment_id in payment_ids or payment_id in staged.payment_ids:
            raise InvariantViolation(f"payment {payment_id!r} on {entry.dividend.symbol} booked twice")
        staged.payment_ids.add(payment_id)
        staged.cash.append(cash_row(entry))
    staged.head = entry.seq
    staged.entry_log.append(entry)
