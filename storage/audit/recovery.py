"""Find where the trail stands when its writer starts: what the last checkpoint signed, and the whole lines after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from domain.errors import AuditError
from storage.audit.chain import (
    GENESIS,
    SEAL,
    TrailLine,
    follows,
    line_hash,
    parse_line,
    trail_files,
    what_breaks,
)
from storage.audit.checkpoints import CHECKPOINTS, Checkpoint, CheckpointKind, last_checkpoint
from storage.audit.keys import Verifier
from storage.files import line_before, whole_lines

_ADVICE = "Run `breakwater audit verify` for the place; keep a copy, then start with --fresh, which archives the trail."


@dataclass(slots=True)
class TrailPosition:
    """Be where the trail stands: its newest record, and what of it is signed.

    Up to `signed_seq` a checkpoint states the content, up to `reached` one states that it was on disk. `ended` says
    that the newest record is a signed end.
    """

    trail: str = ""
    seq: int = 0
    head: str = GENESIS
    file: str = ""
    offset: int = 0
    signed_seq: int = 0
    reached: int = 0
    ended: bool = False
    cursors: dict[str, int] = field(default_factory=dict)
    torn: bytes = b""


def orderly_end(directory: Path, verifier: Verifier) -> tuple[int, str]:
    """Return the number and hash of the record that ends the trail in order, signed; (0, genesis) where none does."""
    last, _ = last_checkpoint(directory / CHECKPOINTS, verifier)
    end = trail_end(directory)
    return (
        end if last is not None and last.kind is CheckpointKind.END and last.seq == end[0] else (0, GENESIS)
    )


def trail_end(directory: Path) -> tuple[int, str]:
    """Return the number and hash of the newest whole record in `directory`, unverified; (0, genesis) for none."""
    for path in reversed(trail_files(directory)):
        end = whole_lines(path)
        if end:
            line = parse_line(line_before(path, end))
            return line.seq, line.hash
    return 0, GENESIS


def recover_position(directory: Path, last: Checkpoint | None, reached: int) -> TrailPosition:
    """Return where the trail in `directory` stands, given the last checkpoint that it is long enough to hold.

    `torn` holds what a crash left after the last whole line; the caller cuts it. Raises AuditError when the trail does
    not hold what was signed, ends before record `reached`, when a line does not follow, or when more records are
    unsigned than that checkpoint allows: none where there is none, since the first records are signed ahead.
    """
    position = _at_checkpoint(directory, last)
    newest = trail_files(directory)[-1:]
    for path, number, raw in _lines_after(directory, position):
        if not raw.endswith(b"\n") and [path] == newest:
            position.torn = raw
            break
        if not follows(raw, position.seq + 1, position.head.encode("ascii")):
            _, expected, found = what_breaks(raw, position.seq + 1, position.head.encode("ascii"))
            raise AuditError(
                f"{path}, line {number} after the last checkpoint: expected {expected}, found {found}. {_ADVICE}"
            )
        line = parse_line(raw)
        position.seq, position.head = line.seq, line.hash
        position.trail = position.trail or line.hash
        position.file, position.offset = (
            path.name,
            (position.offset if path.name == position.file else 0) + len(raw),
        )
        position.cursors[line.source] = line.source_seq
    position.ended = position.ended and position.seq == position.signed_seq
    if position.seq < reached:
        raise AuditError(
            f"{directory} ends at record {position.seq}, but it was signed to have reached record {reached}: "
            f"the trail was cut. {_ADVICE}"
        )
    window = 0 if last is None else last.window
    if position.seq - position.signed_seq > window:
        raise AuditError(
            f"{directory}: {position.seq - position.signed_seq} records follow the last checkpoint "
            f"({position.signed_seq}), at most {window} may: checkpoints were taken away. {_ADVICE}"
        )
    return position


def unsigned_lines(directory: Path, last: Checkpoint | None) -> Iterator[TrailLine]:
    """Yield the whole records after the last checkpoint that the trail holds; raises AuditError where one is none."""
    for _, _, raw in _lines_after(directory, _at_checkpoint(directory, last)):
        if raw.endswith(b"\n"):
            yield parse_line(raw)


def _at_checkpoint(directory: Path, last: Checkpoint | None) -> TrailPosition:
    if last is None:
        return TrailPosition()
    if last.seq > 0:
        _check_signed_line(directory / last.file, last)
    return TrailPosition(
        trail=last.trail,
        seq=last.seq,
        head=last.head,
        file=last.file,
        offset=last.offset,
        signed_seq=last.seq,
        reached=last.reached,
        ended=last.kind is CheckpointKind.END,
        cursors=dict(last.cursors),
    )


def _check_signed_line(path: Path, last: Checkpoint) -> None:
    """Look at the one line that the checkpoint speaks of; `verify` looks at all of them."""
    if not path.exists() or path.stat().st_size < last.offset:
        size = path.stat().st_size if path.exists() else 0
        raise AuditError(
            f"{path} holds {size} bytes, but record {last.seq} was signed to end at byte {last.offset}: "
            f"the trail was cut. {_ADVICE}"
        )
    raw = line_before(path, last.offset)
    signed = last.head.encode("ascii")
    if line_hash(raw) != signed or sha256(raw[:-SEAL]).hexdigest() != last.head:
        raise AuditError(
            f"{path}: record {last.seq} is not the one that was signed (hash {last.head}). {_ADVICE}"
        )


def _lines_after(directory: Path, position: TrailPosition) -> Iterator[tuple[Path, int, bytes]]:
    """Yield file, number and bytes of each line after `position`, across day files; the last may be torn."""
    first, offset = position.file, position.offset
    for path in trail_files(directory):
        if path.name < first:
            continue
        with path.open("rb") as file:
            file.seek(offset if path.name == first else 0)
            for number, raw in enumerate(file, start=1):
                yield path, number, raw
