"""Let the audit role keep its records as every role does: a `Journal` whose records are lines of the trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.errors import InvariantViolation
from domain.outbox import AuditEvent, OutboxRecords
from domain.records import JournalEntry, MachineSnapshot, OrderEntry, Record
from storage.audit.writer import TrailWriter


class AuditJournal:
    """Write other roles' committed events, and the audit role's own, to the trail.

    It has no outbox: what it holds is the trail. `before_append`, where given, runs first: the inline runtime commits
    there what its journals gather, so that the trail never holds an event that a crash could still undo.
    """

    def __init__(self, writer: TrailWriter, before_append: Callable[[], None] | None = None) -> None:
        """Write through `writer`, which this journal closes."""
        self._writer = writer
        self._before_append = before_append

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Write `records` durably; nothing at all still signs a checkpoint that is due. Numbers no outbox event.

        Raises InvariantViolation for what is no event, or out of sequence, and DurabilityError when writing failed.
        """
        batches, own = [], []
        for record in records:
            if isinstance(record, OutboxRecords):
                batches.append(record)
            elif isinstance(record, AuditEvent):
                own.append(record)
            else:
                raise InvariantViolation(f"the audit trail takes no {type(record).__name__}")
        if self._before_append is not None:
            self._before_append()
        self._writer.append(batches)
        if own:
            self._writer.record(own)
        return 1, 0

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
        """Do nothing: what was appended is durable."""

    def close(self) -> None:
        """Sign a last checkpoint and close."""
        self._writer.close()
