"""Form the lines of the audit trail and say whether a line follows the one before.

A line is one JSON object on one line: `seq, source, source_seq, wall_ns, kind, at_ns, bar, key, decision, body, prev,
hash`, in this order, ASCII, no spaces, keys of the body sorted. `hash` is the SHA-256 of the line's bytes before
`,"hash":`; `prev` is the hash of the line before, which the hash covers.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import AuditError
from domain.outbox import AuditEvent
from storage.canonical import canonical

GENESIS = "0" * 64
"""The `prev` of the first line."""

SEAL = len(',"hash":"') + 64 + len('"}\n')
"""Bytes at the end of a line that its hash does not cover."""

_LINE = re.compile(
    rb'\{"seq":(\d+),"source":("(?:[^"\\]|\\.)*"),"source_seq":(\d+),"wall_ns":(\d+),"kind":"(\w+)",'
    rb'"at_ns":(-?\d+),"bar":(-?\d+),"key":("(?:[^"\\]|\\.)*"),"decision":(true|false),"body":(.*),'
    rb'"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\n?'
)
_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")


class TrailLine(NamedTuple):
    """Be one line of the trail taken apart; `raw_` fields are still JSON."""

    seq: int
    raw_source: bytes
    source_seq: int
    wall_ns: int
    kind: str
    at_ns: int
    bar: int
    raw_key: bytes
    decision: bool
    raw_body: bytes
    prev: str
    hash: str

    @property
    def source(self) -> str:
        """Return the source as text."""
        return str(json.loads(self.raw_source))

    @property
    def key(self) -> str:
        """Return the key as text."""
        return str(json.loads(self.raw_key))

    @property
    def body(self) -> Any:
        """Return the body's values."""
        return json.loads(self.raw_body)


class Break(StrEnum):
    """Name how a line fails to follow the one before."""

    ALTERED = "altered"
    OUT_OF_SEQUENCE = "out_of_sequence"
    UNLINKED = "unlinked"


def chain_line(
    seq: int, source: str, source_seq: int, wall_ns: int, event: AuditEvent, prev: str
) -> tuple[bytes, str]:
    """Return the line (with its newline) of `event` after the line hashed `prev`, and the line's own hash."""
    decision = "true" if event.decision else "false"
    content = (
        f'{{"seq":{seq},"source":{quoted(source)},"source_seq":{source_seq},"wall_ns":{wall_ns},'
        f'"kind":"{event.kind}","at_ns":{event.at_ns},"bar":{event.bar},"key":{quoted(event.key)},'
        f'"decision":{decision},"body":{canonical(event.body)},"prev":"{prev}"'
    ).encode("ascii")
    digest = sha256(content).hexdigest()
    return b'%b,"hash":"%b"}\n' % (content, digest.encode("ascii")), digest


def follows(raw: bytes, seq: int, prev: bytes) -> bool:
    """Tell whether `raw` is whole and is record `seq` after the line hashed `prev`; its hash is `line_hash(raw)`."""
    content = raw[:-SEAL]
    return (
        raw[-SEAL:-67] == b',"hash":"'
        and raw[-3:] == b'"}\n'
        and content[-65:-1] == prev
        and raw.startswith(b'{"seq":%d,' % seq)
        and sha256(content).hexdigest().encode("ascii") == raw[-67:-3]
    )


def line_hash(raw: bytes) -> bytes:
    """Return the hash that the whole line `raw` states of itself."""
    return raw[-67:-3]


def what_breaks(raw: bytes, seq: int, prev: bytes) -> tuple[Break, str, str]:
    """Say, of a line that does not follow, how; what was expected; and what was found."""
    match = _LINE.fullmatch(raw)
    if match is None:
        return Break.ALTERED, "a whole record", f"{raw[:60]!r}"
    stated, actual = match[12].decode(), sha256(raw[: raw.rindex(b',"hash":"')]).hexdigest()
    if stated != actual:
        return Break.ALTERED, f"content hashing to {stated}", f"content hashing to {actual}"
    if int(match[1]) != seq:
        return Break.OUT_OF_SEQUENCE, f"record {seq}", f"record {int(match[1])}"
    return Break.UNLINKED, f"prev {prev.decode()}", f"prev {match[11].decode()}"


def parse_line(raw: bytes) -> TrailLine:
    """Take a line apart; raises AuditError when it is no record."""
    match = _LINE.fullmatch(raw)
    if match is None:
        raise AuditError(f"not a record of the audit trail: {raw[:80]!r}")
    return TrailLine(
        int(match[1]),
        match[2],
        int(match[3]),
        int(match[4]),
        match[5].decode("ascii"),
        int(match[6]),
        int(match[7]),
        match[8],
        match[9] == b"true",
        match[10],
        match[11].decode("ascii"),
        match[12].decode("ascii"),
    )


def trail_files(directory: Path) -> list[Path]:
    """Return the daily files of the trail in `directory`, oldest first; none when it does not exist."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _DAY_FILE.fullmatch(path.name))
