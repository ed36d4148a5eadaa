"""Keep a role's records in memory: a `Journal` for tests of machines and shells, held to the same contract."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from domain.errors import DurabilityError, InvariantViolation, StateError
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


class MemoryJournal:
    """Hold records as they came; `fail_next` makes the next append fail as a full disk would."""

    def __init__(self) -> None:
        """Start empty."""
        self.records: list[Record] = []
        self.acknowledged = 0
        self.fail_next = False
        self._failed = False

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Take `records`, all or none, and return the first and last outbox number given."""
        if self._failed or self.fail_next:
            self._failed = True
            raise DurabilityError("memory journal: told to fail")
        self._check(records)
        first = len(self._events()) + 1
        self.records.extend(records)
        return first, len(self._events())

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return up to `limit` journal entries after `after_seq`, in sequence (an order's newest state once)."""
        newest: dict[object, JournalEntry] = {}
        for record in self.records:
            if isinstance(record, OrderEntry):
                newest[record.order_ref] = record
            elif isinstance(record, (ExecutionEntry, CashEntry)):
                newest[record.seq] = record
        return [entry for entry in sorted(newest.values(), key=attrgetter("seq")) if entry.seq > after_seq][
            :limit
        ]

    def orders(self) -> Sequence[OrderEntry]:
        """Return every order's newest state, by sequence."""
        return [entry for entry in self.entries(0, len(self.records)) if isinstance(entry, OrderEntry)]

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        """Return the number of the first and up to `limit` events after `after_seq`."""
        events = self._events()
        if after_seq > len(events):
            raise StateError(f"event {after_seq} asked for, but the last is {len(events)}")
        return after_seq + 1, events[after_seq : after_seq + limit]

    def acknowledge(self, seq: int) -> None:
        """Note that events up to `seq` are durable in the trail."""
        if seq > len(self._events()):
            raise InvariantViolation(f"event {seq} acknowledged, but the last is {len(self._events())}")
        self.acknowledged = max(self.acknowledged, seq)

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return the newest snapshot of that name, or None."""
        found = [
            record for record in self.records if isinstance(record, MachineSnapshot) and record.name == name
        ]
        return found[-1] if found else None

    def flush(self) -> None:
        """Do nothing but refuse after a failure: nothing gathers here."""
        if self._failed:
            raise DurabilityError("memory journal: takes nothing more")

    def close(self) -> None:
        """Take nothing more."""
        self._failed = True

    def _events(self) -> list[AuditEvent]:
        return [record for record in self.records if isinstance(record, AuditEvent)]

    def _check(self, records: Sequence[Record]) -> None:
        held = [*self.records, *records]
        entries = [record for record in held if isinstance(record, (OrderEntry, ExecutionEntry, CashEntry))]
        if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
            raise InvariantViolation("journal entries must be numbered from 1 without gaps")
        keys = [
            entry.execution.exec_id if isinstance(entry, ExecutionEntry) else entry.dividend.payment_id
            for entry in entries
            if not isinstance(entry, OrderEntry)
        ]
        if len(keys) != len(set(keys)):
            raise InvariantViolation("an execution or payment is booked twice")
        versions = [record.version for record in held if isinstance(record, HaltRecord)]
        if versions != sorted(set(versions)):
            raise InvariantViolation("halt versions must rise")
        known = (
            AuditEvent,
            OrderEntry,
            ExecutionEntry,
            CashEntry,
            HaltRecord,
            EquitySnapshot,
            MachineSnapshot,
        )
        for record in records:
            if not isinstance(record, known):
                raise InvariantViolation(f"a journal takes no {type(record).__name__}")
