"""Count from the audit trail how often an engine was started again."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from domain.outbox import AuditKind
from storage.audit.chain import parse_line, trail_files

_MARK = f'"kind":"{AuditKind.STARTED.value}"'.encode()


def restarts(trail: Path) -> int:
    """Return how often the session's engine, or a role of it, was started again: every start told but the first.

    An engine that was killed inline may have lost the record of its own start with the tail of the trail.
    """
    starts = sum(
        parse_line(line).kind == AuditKind.STARTED.value
        for path in trail_files(trail)
        if path.stat().st_size
        for line in _lines_with(_MARK, path)
    )
    return max(0, starts - 1)


def _lines_with(mark: bytes, path: Path) -> Iterator[bytes]:
    """Yield the whole lines that hold `mark`; they are few, so that the rest is searched and not taken apart."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = content.find(mark)
        while found >= 0 and (end := content.find(b"\n", found) + 1):
            yield content[content.rfind(b"\n", 0, found) + 1 : end]
            found = content.find(mark, end)
