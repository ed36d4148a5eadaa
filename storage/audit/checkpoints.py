"""Form, sign and read checkpoints: signed statements of how far the trail reached and with which hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from domain.errors import AuditError
from storage.audit.keys import Signer, Verifier
from storage.canonical import canonical
from storage.files import line_before, whole_lines

CHECKPOINTS = "checkpoints.jsonl"
"""Name of the checkpoints' file beside the trail."""

_SIGNATURE = b',"signature":"'
_HEXADECIMAL = re.compile(rb'[0-9a-f]*"?')


class CheckpointKind(StrEnum):
    """Name what a checkpoint states: where the trail stood, or where it ended in order."""

    HEAD = "head"
    END = "end"


class CheckpointFault(AuditError):
    """Say which line of a checkpoints' file does not hold."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        """Name the place and the reason."""
        super().__init__(f"{path} line {line}: {reason}")
        self.path, self.line, self.reason = path, line, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State that record `seq`, hashed `head`, ends at byte `offset` of `file` (a day file's name).

    It may be written ahead of its record; up to record `reached` the trail was on disk. `trail` is the hash of the
    trail's first record and tells trails apart. `cursors` is each source's last number up to here. No more than
    `window` records may stand after the last checkpoint: none after an end.
    """

    kind: CheckpointKind
    trail: str
    seq: int
    reached: int
    head: str
    wall_ns: int
    file: str
    offset: int
    window: int
    cursors: Mapping[str, int] = field(default_factory=dict)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the signed line of `checkpoint`, with its newline; the signature covers what stands before it."""
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    content = canonical(fields | {"signer": signer.verifier.key_id}).encode("ascii")[:-1]
    return b'%b%b%b"}\n' % (content, _SIGNATURE, signer.sign(content).encode("ascii"))


def read_checkpoint(raw: bytes, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint of a line; raises AuditError saying what is wrong with it."""
    content, _, rest = raw.rpartition(_SIGNATURE)
    try:
        values = json.loads(raw)
        signer, signature = str(values.pop("signer")), str(values.pop("signature"))
        checkpoint = Checkpoint(**values | {"kind": CheckpointKind(values["kind"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AuditError("not a checkpoint") from error
    if signer != verifier.key_id:
        raise AuditError(f"signed with key {signer:.16}..., but the key at hand is {verifier.key_id:.16}...")
    # Compared as bytes, since hexadecimal in capitals would read as the same signature.
    if rest != b'%b"}\n' % signature.lower().encode() or not verifier.holds(content, signature):
        raise AuditError("the signature does not hold: content or signature was changed")
    return checkpoint


def last_checkpoint(path: Path, verifier: Verifier) -> tuple[Checkpoint | None, int]:
    """Return the last checkpoint of a file and the length in bytes of its whole lines.

    A last line without an end is left out: a crash in the midst of writing leaves one. Raises AuditError naming the
    file when the checkpoint does not hold.
    """
    if not path.exists():
        return None, 0
    whole = whole_lines(path)
    if whole == 0:
        return None, 0
    try:
        return read_checkpoint(line_before(path, whole), verifier), whole
    except AuditError as error:
        raise AuditError(f"{path}, last line: {error}") from error


def last_held(path: Path, directory: Path, verifier: Verifier) -> tuple[Checkpoint | None, int, int]:
    """Return the last checkpoint whose record the trail in `directory` is long enough to hold, and where it ends.

    The third number is the record that the trail must reach, by the checkpoints after that one: those were written
    ahead of records that a crash kept from being written. Raises AuditError naming the file when one does not hold.
    """
    checkpoint, end = last_checkpoint(path, verifier)
    reached = 0
    while checkpoint is not None and not _is_held(checkpoint, directory):
        reached = max(reached, checkpoint.reached)
        end -= len(line_before(path, end))
        checkpoint = _checkpoint_before(path, end, verifier)
    return checkpoint, end, reached


def _is_held(checkpoint: Checkpoint, directory: Path) -> bool:
    """Tell whether the checkpoint's record lies in the trail, or must: `recover_position` says what is missing then."""
    path = directory / checkpoint.file
    return checkpoint.reached == checkpoint.seq or (
        path.exists() and path.stat().st_size >= checkpoint.offset
    )


def _checkpoint_before(path: Path, end: int, verifier: Verifier) -> Checkpoint | None:
    if end == 0:
        return None
    try:
        return read_checkpoint(line_before(path, end), verifier)
    except AuditError as error:
        raise AuditError(f"{path}, the line that ends at byte {end}: {error}") from error


def count_checkpoints(path: Path) -> int:
    """Return the number of whole lines of a checkpoints' file, 0 when it does not exist."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(raw.endswith(b"\n") for raw in file)


def read_checkpoints(path: Path, verifier: Verifier) -> Iterator[tuple[int, Checkpoint]]:
    """Return line number and checkpoint of each whole line there is now; none when the file does not exist.

    Raises CheckpointFault, on the way, at the first line that does not hold or goes back within one trail.
    """
    return _read(path, verifier, path.stat().st_size if path.exists() else 0)


def _read(path: Path, verifier: Verifier, size: int) -> Iterator[tuple[int, Checkpoint]]:
    if size == 0:
        return
    before: Checkpoint | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            size -= len(raw)
            torn = not raw.endswith(b"\n")
            if size < 0 or (torn and _is_begun(raw)):
                return
            try:
                checkpoint = read_checkpoint(raw + b"\n" if torn else raw, verifier)
            except AuditError as error:
                raise CheckpointFault(path, number, str(error)) from error
            if torn:
                return
            if before is not None and before.trail == checkpoint.trail and checkpoint.seq < before.seq:
                raise CheckpointFault(
                    path, number, f"checkpoint {checkpoint.seq} after checkpoint {before.seq}"
                )
            yield number, checkpoint
            before = checkpoint


def _is_begun(raw: bytes) -> bool:
    """Tell whether a line without its end is what a crash leaves: its beginning, up to somewhere in the signature."""
    _, mark, rest = raw.rpartition(_SIGNATURE)
    return not mark or _HEXADECIMAL.fullmatch(rest) is not None
