"""Let records go by age, never before seven years, and say so under signature."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from domain.errors import AuditError, StateError
from storage.audit.chain import parse_line, trail_files
from storage.audit.checkpoints import (
    CHECKPOINTS,
    PRUNED,
    Checkpoint,
    CheckpointKind,
    last_checkpoint,
    sign_checkpoint,
)
from storage.audit.keys import Signer
from storage.audit.verify import verify_trail
from storage.files import AppendFile, FileLock, line_before, sync_directory

KEPT_YEARS = 7
"""SEC Rule 17a-4 asks for six years of most records, MiFID II for five to seven."""


def prune_trail(directory: Path, before: date, today: date, signer: Signer) -> list[Path]:
    """Delete the daily files of days before `before` and return them; the newest file always stays.

    What is deleted is named first in a signed statement, from which verification then begins. Raises StateError when
    `before` is less than seven years ago or the trail is being written, AuditError when it does not verify.
    """
    oldest_allowed = today.replace(year=today.year - KEPT_YEARS, day=min(today.day, 28))
    if before > oldest_allowed:
        raise StateError(
            f"audit records are kept {KEPT_YEARS} years: nothing after {oldest_allowed.isoformat()} may be deleted, "
            f"{before.isoformat()} was asked for"
        )
    lock = FileLock(directory / "writer.lock")
    holder = lock.take("prune")
    if holder is not None:
        raise StateError(f"{directory} is written by {holder}; stop that engine first")
    try:
        return _prune(directory, before, signer)
    finally:
        lock.release()


def _prune(directory: Path, before: date, signer: Signer) -> list[Path]:
    verification = verify_trail(directory, signer.verifier)
    if verification.finding is not None:
        raise AuditError(f"{directory} does not verify and is left as it is: {verification.finding}")
    aged = [path for path in trail_files(directory)[:-1] if path.stem < before.isoformat()]
    if not aged:
        return []
    signed, _ = last_checkpoint(directory / CHECKPOINTS, signer.verifier)
    if signed is None:
        raise AuditError(f"{directory} has no checkpoint; nothing is deleted")
    last = aged[-1]
    record = parse_line(line_before(last, last.stat().st_size))
    statement = Checkpoint(
        kind=CheckpointKind.PRUNED,
        trail=signed.trail,
        seq=record.seq,
        head=record.hash,
        wall_ns=record.wall_ns,
        file=last.name,
        offset=last.stat().st_size,
        window=signed.window,
    )
    file = AppendFile(directory / PRUNED)
    file.append(sign_checkpoint(statement, signer))
    file.close()
    for path in aged:
        path.unlink()
    sync_directory(directory)
    return aged
