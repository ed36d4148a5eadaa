"""Write the audit trail: chain, append, fsync, sign."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from domain.errors import AuditError, DurabilityError, InvariantViolation, StateError
from domain.outbox import TRAIL_END, AuditEvent, AuditKind, OutboxRecords
from storage.audit.chain import chain_line
from storage.audit.checkpoints import (
    CHECKPOINTS,
    Checkpoint,
    CheckpointKind,
    last_checkpoint,
    last_held,
    sign_checkpoint,
)
from storage.audit.keys import Signer
from storage.audit.recovery import recover_position
from storage.files import WRITER_WAIT_S, AppendFile, FileLock, cut_file

CHECKPOINT_RECORDS = 100
"""Records from one signed checkpoint to the next, at most, unless told otherwise."""

CHECKPOINT_NS = 1_000_000_000
"""Age of an unsigned record at which the next call signs it."""

LARGEST_WRITE = 1_000
"""Records that one write and fsync carries, at most."""

OWN_SOURCE = "audit"


class TrailWriter:
    """Append records to daily files; what `append` was given is on disk when it returns.

    A checkpoint that falls due is on disk before the records it signs: whatever ends the process or the machine, fewer
    than `checkpoint_records` records are unsigned. One writer at a time. After a failed write or fsync everything
    further is refused and nothing is tried again.
    """

    def __init__(
        self,
        directory: Path,
        signer: Signer,
        wall_ns: Callable[[], int],
        *,
        checkpoint_copy: Path | None = None,
        checkpoint_records: int = CHECKPOINT_RECORDS,
    ) -> None:
        """Open the trail in `directory`, made when absent; `checkpoint_copy` is a second file for checkpoints.

        At most `checkpoint_records` (from 1) lie between two of them. Cuts off a line that a crash left torn and
        records that, and lets go of checkpoints ahead of records that were never written. Raises AuditError when the
        trail is not what was signed, StateError when another process writes it, DurabilityError when it cannot be
        written.
        """
        if checkpoint_records < 1:
            raise ValueError(f"checkpoint_records must be at least 1, not {checkpoint_records}")
        self._checkpoint_records = checkpoint_records
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = FileLock(directory / "writer.lock")
        holder = self._lock.take(f"process {os.getpid()}", wait_s=WRITER_WAIT_S)
        if holder is not None:
            raise StateError(f"{directory} is written by {holder}; stop that engine first")
        self._directory, self._signer, self._wall_ns = directory, signer, wall_ns
        self._file: AppendFile | None = None
        self._checkpoints: list[AppendFile] = []
        self._failed: str | None = None
        try:
            self._recover([directory / CHECKPOINTS, *([checkpoint_copy] if checkpoint_copy else [])])
        except BaseException:
            self._release()
            raise

    @property
    def seq(self) -> int:
        """Return the number of the newest record; 0 when there is none."""
        return self._at.seq

    @property
    def head(self) -> str:
        """Return the hash of the newest record."""
        return self._at.head

    @property
    def cursors(self) -> dict[str, int]:
        """Return, by source, the number of the newest event that the trail holds."""
        return dict(self._at.cursors)

    def append(self, batches: Iterable[OutboxRecords]) -> None:
        """Chain and write `batches`, durable at return, and sign a checkpoint when one is due.

        Raises InvariantViolation, with nothing taken, for a batch that does not continue its source's numbers, and
        DurabilityError when writing failed, now or earlier.
        """
        self._refuse_if_failed()
        events, signed = self._in_order(batches), self._at.signed_seq
        for start in range(0, len(events), LARGEST_WRITE):
            self._write(events[start : start + LARGEST_WRITE])
        if self._at.signed_seq > signed:
            # That these records were reached needs no fsync of its own: it tells of a cut, they are signed already.
            self._sign([self._checkpoint(self._wall_ns())], durable=False)
        else:
            self.checkpoint(force=False)

    def record(self, events: Sequence[AuditEvent]) -> None:
        """Append events of the writer's own, source "audit", durable at return."""
        first = self._at.cursors.get(OWN_SOURCE, 0) + 1
        self.append([OutboxRecords(source=OWN_SOURCE, first_seq=first, events=tuple(events))])

    def checkpoint(self, *, force: bool = True) -> None:
        """Sign how far the trail reaches, if nothing states that yet and `force` or its age ask for it."""
        self._refuse_if_failed()
        now = self._wall_ns()
        if self._at.seq > self._at.reached and (force or now - self._unsigned_since >= CHECKPOINT_NS):
            self._sign([self._checkpoint(now)])

    def close(self) -> None:
        """Sign a last checkpoint and close; after a failure only close."""
        try:
            if self._failed is None:
                self.checkpoint()
        finally:
            self._failed = self._failed or "it is closed"
            self._release()

    def _recover(self, checkpoint_files: list[Path]) -> None:
        last, whole, reached = last_held(checkpoint_files[0], self._directory, self._signer.verifier)
        self._at = recover_position(self._directory, last, reached)
        self._check_copies(checkpoint_files[1:])
        if checkpoint_files[0].exists():
            cut_file(checkpoint_files[0], whole)
        self._checkpoints = [AppendFile(path) for path in checkpoint_files]
        self._unsigned_since = self._wall_ns()
        if self._at.torn:
            self._repair()
        self.checkpoint()

    def _check_copies(self, copies: list[Path]) -> None:
        for path in copies:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            last, whole = last_checkpoint(path, self._signer.verifier)
            if last is not None and last.trail == self._at.trail and last.seq > self._at.seq:
                raise AuditError(
                    f"{self._directory} ends at record {self._at.seq}, but {path} signs record {last.seq} of the same "
                    f"trail: it was rolled back. Keep a copy, then start with --fresh."
                )
            if path.exists():
                cut_file(path, whole)

    def _repair(self) -> None:
        """Cut what a crash left of a line never acknowledged, and say so in the trail."""
        torn, self._at.torn = self._at.torn, b""
        path = max(self._directory.glob("????-??-??.jsonl"))
        size = path.stat().st_size - len(torn)
        cut_file(path, size)
        body = {"repair": "torn line cut", "file": path.name, "offset": size, "bytes": len(torn)}
        body |= {"sha256": sha256(torn).hexdigest(), "after_seq": self._at.seq}
        self.record([AuditEvent(AuditKind.RECONCILIATION, 0, -1, "audit.repair", False, body)])

    def _in_order(self, batches: Iterable[OutboxRecords]) -> list[tuple[str, int, AuditEvent]]:
        cursors = self._at.cursors.copy()
        events: list[tuple[str, int, AuditEvent]] = []
        for batch in batches:
            expected = cursors.get(batch.source, 0) + 1
            if batch.first_seq != expected:
                raise InvariantViolation(
                    f"trail: event {batch.first_seq} of {batch.source!r}, expected {expected}"
                )
            events += [(batch.source, number, event) for number, event in enumerate(batch.events, expected)]
            cursors[batch.source] = batch.first_seq + len(batch.events) - 1
        return events

    def _write(self, events: Sequence[tuple[str, int, AuditEvent]]) -> None:
        now, at = self._wall_ns(), self._at
        day = datetime.fromtimestamp(now // 1_000_000_000, UTC).strftime("%Y-%m-%d.jsonl")
        # A clock set back must not put later records into an earlier file.
        name = max(day, at.file)
        lines, due = [], []
        self._failed = "a write did not end"
        file = self._day_file(name)
        reached, signed = at.seq, at.signed_seq
        if reached == at.reached:
            self._unsigned_since = now
        if at.ended:
            # An end allows no record after it: say first that the trail goes on.
            at.ended = False
            due.append(self._checkpoint(now))
        at.file, at.offset = name, file.size
        for count, (source, source_seq, event) in enumerate(events, start=1):
            raw, at.head = chain_line(at.seq + 1, source, source_seq, now, event, at.head)
            lines.append(raw)
            at.seq += 1
            at.offset += len(raw)
            at.trail = at.trail or at.head
            at.cursors[source] = source_seq
            at.ended = source == OWN_SOURCE and event.key == TRAIL_END.key
            # The first records too are signed ahead: a trail without any checkpoint could have been re-sealed.
            first = signed == 0 and count == len(events)
            if at.seq - signed >= self._checkpoint_records or at.ended or first:
                due.append(self._checkpoint(now, reached))
                signed = at.seq
        self._sign(due, ahead=True)
        self._failed = "a write did not end"
        file.append(b"".join(lines))
        self._failed = None
        at.signed_seq = signed

    def _day_file(self, name: str) -> AppendFile:
        if self._file is None or self._file.path.name != name:
            if self._file is not None:
                self._file.close()
            self._file = AppendFile(self._directory / name)
        return self._file

    def _checkpoint(self, now: int, reached: int | None = None) -> Checkpoint:
        """Return the statement of the present position; it lies ahead of what is on disk where `reached` is given."""
        at = self._at
        return Checkpoint(
            kind=CheckpointKind.END if at.ended else CheckpointKind.HEAD,
            trail=at.trail,
            seq=at.seq,
            reached=at.seq if reached is None else reached,
            head=at.head,
            wall_ns=now,
            file=at.file,
            offset=at.offset,
            window=0 if at.ended else self._checkpoint_records - 1,
            cursors=dict(at.cursors),
        )

    def _sign(self, due: Sequence[Checkpoint], *, ahead: bool = False, durable: bool = True) -> None:
        """Write checkpoints, those `ahead` of their records not to a copy elsewhere: it states what was reached."""
        if not due:
            return
        self._failed = "a checkpoint was not written"
        content = b"".join(sign_checkpoint(checkpoint, self._signer) for checkpoint in due)
        beside, *copies = self._checkpoints
        beside.append(content, durable=durable)
        if not ahead:
            for file in copies:
                file.append(content)
            self._at.signed_seq = self._at.reached = due[-1].seq
        self._failed = None

    def _refuse_if_failed(self) -> None:
        if self._failed is not None:
            raise DurabilityError(f"audit trail {self._directory} takes nothing more: {self._failed}")

    def _release(self) -> None:
        for file in [*([self._file] if self._file else []), *self._checkpoints]:
            file.close()
        self._file, self._checkpoints = None, []
        self._lock.release()
