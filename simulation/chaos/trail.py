"""Keep the audit trail in memory: the lines that `storage.audit.chain` forms, without file, key or checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.errors import DurabilityError, InvariantViolation
from domain.outbox import AuditEvent, OutboxRecords
from domain.records import JournalEntry, MachineSnapshot, OrderEntry, Record
from storage.audit.chain import GENESIS, chain_line, follows, line_hash
from storage.audit.writer import OWN_SOURCE


class MemoryTrail:
    """Chain other roles' committed events, and the audit role's own (port: `domain.ports.Journal`)."""

    def __init__(
        self, before: Callable[[], None], after: Callable[[bytes], None], wall_ns: Callable[[], int]
    ) -> None:
        """Start with no line; `before` may raise as a disk does, `after` hears of every line."""
        self._before, self._after, self._wall_ns = before, after, wall_ns
        self._head = GENESIS
        self.failed = ""
        self.refused_after_failure = 0
        self.lines: list[bytes] = []
        self.cursors: dict[str, int] = {}
        self.events: dict[str, list[AuditEvent]] = {}

    def reopen(self) -> None:
        """Open it for a new process."""
        self.failed = ""

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Chain `records`; raises InvariantViolation for a batch that does not continue its source's numbers."""
        if self.failed:
            self.refused_after_failure += 1
            raise DurabilityError(f"the trail takes nothing more: {self.failed}")
        try:
            self._before()
        except DurabilityError as error:
            self.failed = str(error)
            raise
        for record in records:
            if isinstance(record, OutboxRecords):
                self._chain(record.source, record.first_seq, record.events)
            elif isinstance(record, AuditEvent):
                self._chain(OWN_SOURCE, self.cursors.get(OWN_SOURCE, 0) + 1, (record,))
            else:
                raise InvariantViolation(f"the audit trail takes no {type(record).__name__}")
        return 1, 0

    def faults(self) -> list[str]:
        """Return which lines do not follow the one before."""
        prev, found = GENESIS.encode("ascii"), []
        for seq, line in enumerate(self.lines, 1):
            if not follows(line, seq, prev):
                found.append(f"line {seq} of the trail does not follow the one before")
            prev = line_hash(line)
        return found

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return none: the trail holds events only."""
        return ()

    def orders(self) -> Sequence[OrderEntry]:
        """Return none: the trail holds events only."""
        return ()

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        """Return none: nobody tails the trail."""
        return after_seq + 1, ()

    def acknowledge(self, seq: int) -> None:
        """Let go of nothing: the trail keeps what it has."""

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return None: the audit machine's state is the trail's cursors."""
        return None

    def flush(self) -> None:
        """Do nothing: what was appended is there."""

    def close(self) -> None:
        """Take nothing more until it is opened again."""
        self.failed = self.failed or "it is closed"

    def _chain(self, source: str, first_seq: int, events: Sequence[AuditEvent]) -> None:
        if first_seq != self.cursors.get(source, 0) + 1:
            raise InvariantViolation(f"{source}: event {first_seq} after {self.cursors.get(source, 0)}")
        for number, event in enumerate(events, first_seq):
            line, self._head = chain_line(
                len(self.lines) + 1, source, number, self._wall_ns(), event, self._head
            )
            self.lines.append(line)
            self._after(line)
        self.events.setdefault(source, []).extend(events)
        self.cursors[source] = first_seq + len(events) - 1
