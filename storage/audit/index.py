"""Index the audit trail in a database, for queries; the trail is the truth, the index can be rebuilt at any time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
)

from storage.audit.chain import TrailLine, parse_line, trail_files
from storage.audit.subjects import subjects
from storage.engine import open_writer, read_meta, upsert
from storage.files import line_before
from storage.tables import meta

ROLE = "audit"
_CHUNK = 5_000

_metadata = MetaData()

records = Table(
    "audit_index",
    _metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("source", String(64), nullable=False),
    Column("source_seq", BigInteger, nullable=False),
    Column("wall_ns", BigInteger, nullable=False, index=True),
    Column("kind", String(24), nullable=False, index=True),
    Column("at_ns", BigInteger, nullable=False, index=True),
    Column("bar", BigInteger, nullable=False, index=True),
    Column("key", String(300), nullable=False),
    Column("decision", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

subjects_of = Table(
    "audit_subjects",
    _metadata,
    Column("subject", String(16), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
)
"""Hold which symbols, strategies and orders each record is about."""


class AuditIndex:
    """Keep the index beside a trail; `update` reads only what was written since the last time."""

    def __init__(self, trail: Path, url: str) -> None:
        """Open or create the index at `url` of the trail in directory `trail`; raises StateError when unusable."""
        self._trail = trail
        # Commands that query at once share the index: each transaction leaves it whole, and the trail is the truth.
        self.engine: Engine = open_writer(url, ROLE, alone=False)
        with self.engine.begin() as connection:
            _metadata.create_all(connection)

    def update(self) -> int:
        """Take in what the trail holds beyond the index and return how many records that was.

        When the trail is not the one that was indexed (another, or an older copy) the index is built anew. Raises
        AuditError at a line that is no record.
        """
        with self.engine.begin() as connection:
            place = _place(connection)
            if not self._holds(place):
                _clear(connection)
                place = ("", 0, "")
            return self._take_in(connection, place)

    def close(self) -> None:
        """Close the database."""
        self.engine.dispose()

    def _holds(self, place: tuple[str, int, str]) -> bool:
        """Tell whether the trail still has, at `place`, the record that was indexed last."""
        name, offset, digest = place
        path = self._trail / name
        if not name:
            return True
        return (
            path.is_file()
            and path.stat().st_size >= offset
            and digest.encode() in line_before(path, offset)[-70:]
        )

    def _take_in(self, connection: Connection, place: tuple[str, int, str]) -> int:
        taken = 0
        chunk: list[TrailLine] = []
        for name, offset, line in self._lines(place):
            chunk.append(line)
            place = (name, offset, line.hash)
            if len(chunk) == _CHUNK:
                taken += _insert(connection, chunk)
                chunk = []
        taken += _insert(connection, chunk)
        _set_place(connection, place)
        return taken

    def _lines(self, place: tuple[str, int, str]) -> Iterator[tuple[str, int, TrailLine]]:
        """Yield, for each whole line after `place`, its file, where it ends and what it says."""
        for path in trail_files(self._trail):
            if path.name < place[0]:
                continue
            offset = place[1] if path.name == place[0] else 0
            with path.open("rb") as file:
                file.seek(offset)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        return
                    offset += len(raw)
                    yield path.name, offset, parse_line(raw)


def _clear(connection: Connection) -> None:
    connection.execute(delete(records))
    connection.execute(delete(subjects_of))


def _insert(connection: Connection, lines: Sequence[TrailLine]) -> int:
    """Take in `lines` and return how many they were."""
    if lines:
        connection.execute(insert(records), [_row(line) for line in lines])
        about = [
            {"subject": subject.value, "name": name, "seq": line.seq}
            for line in lines
            for subject, name in subjects(line.kind, line.key, line.body)
        ]
        if about:
            connection.execute(insert(subjects_of), about)
    return len(lines)


def _row(line: TrailLine) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "source": line.source,
        "source_seq": line.source_seq,
        "wall_ns": line.wall_ns,
        "kind": line.kind,
        "at_ns": line.at_ns,
        "bar": line.bar,
        "key": line.key,
        "decision": line.decision,
        "body": line.raw_body.decode("ascii"),
        "hash": line.hash,
    }


def _place(connection: Connection) -> tuple[str, int, str]:
    facts = read_meta(connection)
    return facts.get("index_file", ""), int(facts.get("index_offset", "0")), facts.get("index_hash", "")


def _set_place(connection: Connection, place: tuple[str, int, str]) -> None:
    values = zip(("index_file", "index_offset", "index_hash"), map(str, place), strict=True)
    rows = [{"name": name, "value": value} for name, value in values]
    connection.execute(upsert(connection.dialect, meta), rows)
