"""Verify the audit trail: every line in its chain, every checkpoint against it; and name the first place that fails."""

from __future__ import annotations

import sys
from pathlib import Path

from domain.outbox import TRAIL_END
from storage.audit.chain import GENESIS, Break, follows, line_hash, parse_line, trail_files, what_breaks
from storage.audit.checkpoints import (
    CHECKPOINTS,
    Checkpoint,
    CheckpointFault,
    CheckpointKind,
    count_checkpoints,
    read_checkpoints,
)
from storage.audit.findings import Finding, Found, Tampering, Verification, report
from storage.audit.keys import Verifier


def verify_trail(
    directory: Path,
    verifier: Verifier,
    *,
    checkpoint_copy: Path | None = None,
    known_end: tuple[int, str] | None = None,
) -> Verification:
    """Verify the trail in `directory` against its checkpoints and, where given, those kept elsewhere.

    `known_end` is number and hash of the record with which the session ended in order last, as it noted for itself.

    Looks at what is there when it begins, so that a running engine does not disturb it. A trail that does not exist
    verifies with no records.
    """
    walk = _Walk(directory, verifier)
    finding = None
    try:
        walk.all_files()
        if checkpoint_copy is not None:
            walk.hold_to_copy(checkpoint_copy)
        if known_end is not None:
            walk.hold_to_end(*known_end)
    except Found as found:
        finding = found.finding
    except CheckpointFault as fault:
        finding = _unheld(fault, walk.seq)
    return Verification(
        records=walk.records,
        files=walk.files,
        checkpoints=walk.checkpoints,
        signed_seq=walk.signed_seq,
        head=walk.head.decode("ascii"),
        torn_bytes=walk.torn_bytes,
        finding=finding,
    )


class _Walk:
    """Go through the trail once, holding line to line and record to checkpoint."""

    def __init__(self, directory: Path, verifier: Verifier) -> None:
        self._directory, self._verifier = directory, verifier
        # A checkpoint is on disk before its records, and what it says was reached before that: the trail seen now
        # reaches what these lines say, and is signed by what is read after it.
        self._binding = count_checkpoints(directory / CHECKPOINTS)
        self._sizes = [(path, path.stat().st_size) for path in trail_files(directory)]
        self._checkpoints = read_checkpoints(directory / CHECKPOINTS, verifier)
        self._next: tuple[int, Checkpoint] | None = None
        self._window, self._ended = 0, False
        self._signed_heads: dict[int, str] = {}
        self.records = self.files = self.checkpoints = self.signed_seq = self.seq = self.torn_bytes = 0
        self.head = GENESIS.encode("ascii")
        self.trail = ""
        self._newest = b""

    def all_files(self) -> None:
        """Walk every file; end with a finding at the first place that does not hold."""
        self._advance()
        for path, size in self._sizes:
            self._lines_of(path, size)
            self.files += 1
        last = self._sizes[-1][0].name if self._sizes else str(self._directory)
        self._hold_to_reached(last)
        unsigned = self.seq - self.signed_seq
        if self.records and (not self.checkpoints or unsigned > self._window):
            expected = f"at most {self._window} records after the last checkpoint (record {self.signed_seq})"
            found = f"{unsigned}: checkpoints were taken away, or records added"
            report(Tampering.UNSIGNED, last, 0, self.seq, expected, found)
        if self.torn_bytes and self._ended and not unsigned:
            expected = "nothing after the trail's signed end: who goes on signs so first"
            report(Tampering.UNSIGNED, last, 0, self.seq, expected, f"{self.torn_bytes:,} bytes more")
        if unsigned and _is_end(self._newest):
            expected = "a signed end: a trail that ends in order is signed to its last record"
            report(Tampering.UNSIGNED, last, 0, self.seq, expected, f"the last {unsigned} records unsigned")

    def _hold_to_reached(self, last: str) -> None:
        """Hold the end to the checkpoints after it: some lie ahead of records that were never written."""
        while self._next is not None:
            line, signed = self._next
            if signed.reached > self.seq and line <= self._binding:
                expected = (
                    f"record {signed.reached}, signed in {CHECKPOINTS} line {line} to have been reached"
                )
                report(Tampering.TRUNCATED, last, 0, self.seq, expected, f"the end after record {self.seq}")
            self._advance()

    def hold_to_copy(self, copy: Path) -> None:
        """Compare with the checkpoints kept elsewhere of the trail they speak of last."""
        newest: Checkpoint | None = None
        for number, signed in read_checkpoints(copy, self._verifier):
            newest = signed
            known = self._signed_heads.get(signed.seq)
            if signed.trail == self.trail and known is not None and known != signed.head:
                expected = f"hash {signed.head}, signed in {copy} line {number}"
                report(Tampering.RESEALED, str(self._directory), 0, signed.seq, expected, f"hash {known}")
        if newest is not None and (newest.trail != self.trail or newest.seq > self.seq):
            expected = f"record {newest.seq} of the trail that begins {newest.trail:.16}, signed in {copy}"
            found = f"the trail that begins {self.trail or 'nowhere':.16}, ending at record {self.seq}"
            report(Tampering.ROLLED_BACK, str(self._directory), 0, self.seq, expected, found)

    def hold_to_end(self, seq: int, head: str) -> None:
        """Compare with the record that the session says the trail ended with."""
        known = self._signed_heads.get(seq)
        if known == head:
            return
        expected = f"record {seq}, hash {head}, signed: the session ended there in order"
        found = f"hash {known}" if known is not None else "no checkpoint of that record"
        if self.seq < seq:
            found = f"the end after record {self.seq}"
        report(Tampering.ROLLED_BACK, str(self._directory), 0, min(self.seq, seq), expected, found)

    def _lines_of(self, path: Path, size: int) -> None:
        seq, head, offset = self.seq, self.head, 0
        awaited = self._awaited()
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if offset >= size:
                    break
                seq += 1
                if not follows(raw, seq, head):
                    self.seq, self.head = seq - 1, head
                    self._explain(path, number, raw)
                    return
                head, self._newest = line_hash(raw), raw
                offset += len(raw)
                self.records += 1
                if seq >= awaited or not self.trail:
                    self.seq, self.head = seq, head
                    self.trail = self.trail or head.decode("ascii")
                    self._hold_to_checkpoints(path, number, offset)
                    awaited = self._awaited()
        self.seq, self.head = seq, head

    def _hold_to_checkpoints(self, path: Path, number: int, offset: int) -> None:
        while self._next is not None and self._next[1].seq <= self.seq:
            line, signed = self._next
            if signed.seq == self.seq:
                self._compare(path, number, offset, line, signed)
            self._advance()

    def _compare(self, path: Path, number: int, offset: int, line: int, signed: Checkpoint) -> None:
        head = self.head.decode("ascii")
        if signed.head != head or signed.trail != self.trail:
            expected = f"hash {signed.head}, signed in {CHECKPOINTS} line {line}; it held at record {self.signed_seq}"
            report(Tampering.RESEALED, path.name, number, self.seq, expected, f"hash {head}")
        if (signed.file, signed.offset) != (path.name, offset):
            expected = f"the record to end at byte {signed.offset} of {signed.file}"
            report(Tampering.MOVED, path.name, number, self.seq, expected, f"byte {offset} of {path.name}")
        self.checkpoints += 1
        self.signed_seq, self._window = signed.seq, signed.window
        self._ended = signed.kind is CheckpointKind.END
        self._signed_heads[signed.seq] = head

    def _explain(self, path: Path, number: int, raw: bytes) -> None:
        """Report how `raw` breaks the chain; forgive what a crash left of a last line that nobody signed for."""
        if not raw.endswith(b"\n") and path == self._sizes[-1][0]:
            # If a checkpoint still waits, what is cut short had been signed: the end of the walk reports that.
            self.torn_bytes = len(raw)
            return
        seq = self.seq + 1
        how, expected, found = what_breaks(raw, seq, self.head)
        kind = Tampering.ALTERED if how is Break.ALTERED else Tampering.UNLINKED
        if how is Break.OUT_OF_SEQUENCE:
            if int(found.split()[-1]) < seq:
                kind = Tampering.DUPLICATED
            else:
                kind = Tampering.REORDERED if self._stands_later(path, number, seq) else Tampering.MISSING
        report(kind, path.name, number, seq, expected, found)

    def _stands_later(self, path: Path, number: int, seq: int) -> bool:
        begins = b'{"seq":%d,' % seq
        for later, _ in self._sizes:
            if later >= path:
                with later.open("rb") as file:
                    if any(
                        raw.startswith(begins) for n, raw in enumerate(file, 1) if later > path or n > number
                    ):
                        return True
        return False

    def _awaited(self) -> int:
        return self._next[1].seq if self._next is not None else sys.maxsize

    def _advance(self) -> None:
        self._next = next(self._checkpoints, None)


def _unheld(fault: CheckpointFault, seq: int) -> Finding:
    """Return the finding of a checkpoint that does not hold, met after record `seq`."""
    return Finding(
        kind=Tampering.CHECKPOINT,
        file=str(fault.path),
        line=fault.line,
        seq=seq,
        expected="a checkpoint signed with the key at hand",
        found=fault.reason,
    )


def _is_end(raw: bytes) -> bool:
    """Tell whether a line is the record that an orderly stop writes last."""
    return bool(raw) and parse_line(raw).key == TRAIL_END.key
