"""Say what verification of the audit trail found, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class Tampering(StrEnum):
    """Name what is wrong at the first place that does not hold."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    DUPLICATED = "duplicated"
    UNLINKED = "unlinked"
    RESEALED = "resealed"
    MOVED = "moved"
    TRUNCATED = "truncated"
    ROLLED_BACK = "rolled_back"
    UNSIGNED = "unsigned"
    CHECKPOINT = "checkpoint"
    SESSION_MISSING = "session_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Be the first place that does not hold; `line` counts from 1, 0 where no one line is to blame."""

    kind: Tampering
    file: str
    line: int
    seq: int
    expected: str
    found: str

    def __str__(self) -> str:
        """Return one sentence for people."""
        place = f"{self.file} line {self.line}" if self.line else self.file
        return (
            f"{self.kind.value} at {place}, record {self.seq}: expected {self.expected}; found {self.found}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Say what verification saw, up to the end or to the finding.

    `head` is the chain's hash there, `signed_seq` the last record that a checkpoint signs,
    `torn_bytes` what a crash left of a line that was never acknowledged.
    """

    records: int
    files: int
    checkpoints: int
    signed_seq: int
    head: str
    torn_bytes: int
    finding: Finding | None

    @property
    def holds(self) -> bool:
        """Tell whether nothing was found."""
        return self.finding is None

    @property
    def unsigned(self) -> int:
        """Return how many of the records seen, the last ones, no checkpoint signs: they could be changed unnoticed."""
        return self.records - self.signed_seq


class Found(Exception):
    """Carry the first finding out of the walk."""

    def __init__(self, finding: Finding) -> None:
        """Hold `finding`."""
        super().__init__(str(finding))
        self.finding = finding


def report(kind: Tampering, file: str, line: int, seq: int, expected: str, found: str) -> NoReturn:
    """End the walk with a finding."""
    raise Found(Finding(kind=kind, file=file, line=line, seq=seq, expected=expected, found=found))
