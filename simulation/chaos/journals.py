"""Keep a role's records in memory, as `storage.journal.SqlJournal` keeps them on disk: it survives its role's process.

A commit is all or nothing; what was not appended when a process died is lost with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

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


class _Staged(NamedTuple):
    """Be records that were checked, sorted by what becomes of them."""

    entries: list[JournalEntry]
    events: list[AuditEvent]
    snapshots: dict[str, MachineSnapshot]
    halt_version: int


class MemoryJournal:
    """Hold what was committed (port: `domain.ports.Journal`).

    `before` is called ahead of every commit: it may raise, as a disk does (DurabilityError) or a death; `after` hears
    of what was committed.
    """

    def __init__(
        self,
        before: Callable[[], None] = lambda: None,
        after: Callable[[Sequence[Record]], None] = lambda records: None,
    ) -> None:
        """Start empty and open."""
        self._before, self._after = before, after
        self.failed = ""
        self.refused_after_failure = 0
        self.events: list[AuditEvent] = []
        self._entries: dict[object, JournalEntry] = {}
        self._head = 0
        self._booked: set[str] = set()
        self._halt_version = 0
        self._snapshots: dict[str, MachineSnapshot] = {}
        self.equity: dict[int, EquitySnapshot] = {}

    def reopen(self) -> None:
        """Open it for a new process: the disk has room again."""
        self.failed = ""

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Commit `records`, all or none, and return the first and last outbox number given (first > last: none)."""
        if self.failed:
            self.refused_after_failure += 1
            raise DurabilityError(f"memory journal takes nothing more: {self.failed}")
        staged = self._stage(records)
        try:
            self._before()
        except DurabilityError as error:
            self.failed = str(error)
            raise
        self._take(staged)
        for record in records:
            if isinstance(record, EquitySnapshot):
                self.equity[record.bar] = record
        self._after(records)
        return len(self.events) - len(staged.events) + 1, len(self.events)

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return up to `limit` journal entries after `after_seq`, in sequence (an order's newest state once)."""
        newer = (entry for entry in self._entries.values() if entry.seq > after_seq)
        return sorted(newer, key=attrgetter("seq"))[:limit]

    def orders(self) -> Sequence[OrderEntry]:
        """Return every order's newest state, by sequence."""
        return [entry for entry in self.entries(0, len(self._entries)) if isinstance(entry, OrderEntry)]

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        """Return the number of the first and up to `limit` events after `after_seq`."""
        if after_seq > len(self.events):
            raise StateError(f"event {after_seq} asked for, but the last is {len(self.events)}")
        return after_seq + 1, self.events[after_seq : after_seq + limit]

    def acknowledge(self, seq: int) -> None:
        """Note that events up to `seq` are durable in the trail; they are kept here for the oracle."""
        if seq > len(self.events):
            raise InvariantViolation(f"event {seq} acknowledged, but the last is {len(self.events)}")

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return the newest snapshot of that name, its values as JSON gives them back, or None."""
        found = self._snapshots.get(name)
        if found is None:
            return None
        values = json.loads(json.dumps(found.values))
        return MachineSnapshot(name=found.name, bar=found.bar, at_ns=found.at_ns, values=values)

    def flush(self) -> None:
        """Do nothing but refuse after a failure: nothing gathers here."""
        if self.failed:
            raise DurabilityError(f"memory journal takes nothing more: {self.failed}")

    def close(self) -> None:
        """Take nothing more until it is opened again."""
        self.failed = self.failed or "it is closed"

    def _take(self, staged: _Staged) -> None:
        for entry in staged.entries:
            self._entries[entry.order_ref if isinstance(entry, OrderEntry) else entry.seq] = entry
            self._head = entry.seq
            if not isinstance(entry, OrderEntry):
                self._booked.add(_key(entry))
        self.events += staged.events
        self._snapshots |= staged.snapshots
        self._halt_version = staged.halt_version

    def _stage(self, records: Sequence[Record]) -> _Staged:
        entries: list[JournalEntry] = []
        events: list[AuditEvent] = []
        snapshots: dict[str, MachineSnapshot] = {}
        halt_version, keys = self._halt_version, set[str]()
        for record in records:
            if isinstance(record, AuditEvent):
                events.append(record)
            elif isinstance(record, MachineSnapshot):
                snapshots[record.name] = record
            elif isinstance(record, HaltRecord):
                if record.version <= halt_version:
                    raise InvariantViolation(f"halt version {record.version} after version {halt_version}")
                halt_version = record.version
            elif isinstance(record, (OrderEntry, ExecutionEntry, CashEntry)):
                self._admit(record, self._head + len(entries) + 1, keys)
                entries.append(record)
            elif not isinstance(record, EquitySnapshot):
                raise InvariantViolation(f"a journal takes no {type(record).__name__}")
        return _Staged(entries, events, snapshots, halt_version)

    def _admit(self, entry: JournalEntry, seq: int, keys: set[str]) -> None:
        if entry.seq != seq:
            raise InvariantViolation(
                f"journal entry {entry.seq}, where {seq} comes next: numbers must have no gaps"
            )
        if isinstance(entry, OrderEntry):
            return
        key = _key(entry)
        if key in self._booked or key in keys:
            raise InvariantViolation(f"{key} is booked twice")
        keys.add(key)


def _key(entry: ExecutionEntry | CashEntry) -> str:
    if isinstance(entry, ExecutionEntry):
        return f"execution {entry.execution.exec_id}"
    return f"payment {entry.dividend.payment_id}"
