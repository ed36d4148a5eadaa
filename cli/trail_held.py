"""See, before a stored session goes on, that its audit trail is the one that its databases have spoken to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from domain.errors import AuditError, StateError
from domain.outbox import AuditEvent
from storage.audit.chain import TrailLine
from storage.audit.checkpoints import CHECKPOINTS, last_held, read_checkpoint
from storage.audit.keys import Verifier, load_signer
from storage.audit.recovery import recover_position, trail_end, unsigned_lines
from storage.canonical import canonical
from storage.engine import is_begun
from storage.journal_reader import JournalReader
from storage.location import Databases
from storage.state import Session

_ADVICE = (
    "put it back from a copy of the whole directory, or start with --fresh, which archives what is there"
)


def refuse_other_trail(trail: Path, databases: Databases, roles: Sequence[str], stored: Session) -> None:
    """Raise StateError when the trail is missing, cut, rolled back, changed or another session's.

    It must hold the record with which the session ended in order last, and every event that a database let go of. Its
    last records, which no checkpoint signs yet, must tell what the databases still keep of them.
    """
    checkpoints = trail / CHECKPOINTS
    verifier = load_signer(create=not checkpoints.exists()).verifier
    try:
        _refuse_other_end(trail, stored, verifier)
        last, _, reached = last_held(checkpoints, trail, verifier)
        cursors = recover_position(trail, last, reached).cursors
        unsigned = list(unsigned_lines(trail, last))
    except AuditError as error:
        raise StateError(str(error)) from error
    except OSError as error:
        raise StateError(
            f"the audit trail {trail} cannot be read: {error.filename}: {error.strerror}; {_ADVICE}"
        ) from error
    for role in roles:
        if is_begun(databases.url(role)):
            with closing(JournalReader.open(databases.url(role), role)) as reader:
                told = [line for line in unsigned if line.source == role]
                _hold_to_outbox(trail, databases.path(role), reader, cursors.get(role, 0), told)


def _refuse_other_end(trail: Path, stored: Session, verifier: Verifier) -> None:
    """Hold the trail to the record with which session.json says it ended."""
    if stored.trail_end is None:
        return
    seq, head = stored.trail_end
    newest, hash_of_newest = trail_end(trail)
    if newest < seq:
        found = f"ends at record {newest}" if newest else "is missing"
        raise StateError(
            f"the audit trail {trail} {found}, but session {stored.number} ended at record {seq}; {_ADVICE}"
        )
    if _signs(trail / CHECKPOINTS, seq, head, verifier):
        return
    if (newest, hash_of_newest) == (seq, head):
        raise StateError(
            f"{trail / CHECKPOINTS} no longer signs record {seq}, with which session {stored.number} ended: "
            f"checkpoints were taken away; {_ADVICE}"
        )
    raise StateError(
        f"the audit trail {trail} is not that of session {stored.number}, which ended at record {seq}, "
        f"hash {head:.16}; {_ADVICE}"
    )


def _signs(checkpoints: Path, seq: int, head: str, verifier: Verifier) -> bool:
    """Tell whether one of `checkpoints` signs that record `seq` has the hash `head`."""
    if not checkpoints.exists():
        return False
    with checkpoints.open("rb") as file:
        return any(read_checkpoint(raw, verifier).head == head for raw in file if b'"seq":%d,' % seq in raw)


def _hold_to_outbox(
    trail: Path, database: Path, reader: JournalReader, cursor: int, unsigned: Sequence[TrailLine]
) -> None:
    first, last = reader.outbox_range()
    if cursor > last:
        raise StateError(
            f"the audit trail {trail} holds event {cursor} of {database}, whose last is {last}: one of them is an "
            f"older copy or another session's; {_ADVICE}"
        )
    # What was let go of had been acknowledged, and so had the one event that stays to number from.
    if first > 1 and cursor < first:
        found = f"ends at event {cursor}" if cursor else "has no event"
        raise StateError(
            f"the audit trail {trail} {found} of {database}, which had let go of all before {first}: the trail is "
            f"missing, cut or another session's; {_ADVICE}"
        )
    for line in unsigned:
        if line.source_seq < first:
            continue
        (event,) = reader.outbox(line.source_seq - 1, 1)
        if not _tells(line, event):
            raise StateError(
                f"{trail}: record {line.seq}, which is not signed yet, differs from event {line.source_seq} of "
                f"{database}, from which it was made: one of them was changed; {_ADVICE}"
            )


def _tells(line: TrailLine, event: AuditEvent) -> bool:
    said = (line.kind, line.at_ns, line.bar, line.key, line.decision, line.raw_body.decode("ascii"))
    return said == (
        event.kind.value,
        event.at_ns,
        event.bar,
        event.key,
        event.decision,
        canonical(event.body),
    )
