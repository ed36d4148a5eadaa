"""Commit several databases as one: killed at any moment, all of them hold what was committed or none does.

SQLite commits each file by itself where it keeps a write-ahead log. So what is about to be committed is first written,
whole and through to the disk, to one file, the redo log. Each database then takes its part and, in the same
transaction, the commit's number (its cut). At the next start a whole redo log is carried out in those databases whose
cut is behind it; a torn one is dropped: it was never whole, so no database had begun.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import DurabilityError, StateError
from storage.engine import Prepared, Statement, open_unasked, read_meta, upsert
from storage.files import ROOM, AppendFile, cut_file
from storage.tables import meta

REDO = "commit.redo"
"""Name of the redo log in a state directory; empty between commits."""

_CUT = "cut"
_DIGEST_BYTES = 32
_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_MARSHAL_VERSION = 2
"""A form that every Python reads; JSON would take twice as long."""


class Member(Protocol):
    """Be a writer whose database commits with others."""

    @property
    def path(self) -> Path:
        """Return the database's file."""
        ...

    @property
    def cut(self) -> int:
        """Return the number of the last common commit that the database holds, as it was when opened."""
        ...

    def gathered(self) -> list[Statement]:
        """Return what waits for a commit; empty when nothing does."""
        ...

    def take(self, work: list[Statement]) -> None:
        """Commit `work`, which holds what had gathered, in one transaction; raises DurabilityError."""
        ...


class CommitGroup:
    """Commit what the members have gathered, all or none; after a failure nothing more is committed."""

    def __init__(self, redo: Path) -> None:
        """Write redo logs to `redo`; raises StateError when one is left there: `finish_commit` comes first."""
        self._redo = AppendFile(redo)
        self._members: list[Member] = []
        self._put_cut = Prepared(sqlite.dialect(), upsert(sqlite.dialect(), meta))
        self._cut = 0
        self.failed = ""
        if self._redo.size:
            self._redo.close()
            raise StateError(
                f"{redo} holds a commit of an engine that was killed, of no session known here; "
                f"start with --fresh, which archives it"
            )

    def join(self, member: Member) -> None:
        """Take in a writer; the order of joining is the order of the commits."""
        self._members.append(member)
        self._cut = max(self._cut, member.cut)

    def leave(self, member: Member) -> None:
        """Let go of a writer that closes."""
        self._members.remove(member)

    def commit(self) -> None:
        """Make everything gathered durable; raises DurabilityError, now or, after a failure, at once."""
        if self.failed:
            raise DurabilityError(self.failed)
        parts = [(member, work) for member in self._members if (work := member.gathered())]
        if not parts:
            return
        cut = self._cut + 1
        for _, work in parts:
            work.append(self._put_cut.bind([{"name": _CUT, "value": str(cut)}]))
        try:
            self._redo.append(self._encode(cut, parts))
            for member, work in parts:
                member.take(work)
            self._redo.clear()
        except DurabilityError as error:
            self.failed = str(error)
            raise
        self._cut = cut

    def close(self) -> None:
        """Let go of the redo log; its content, if any, stays for the next start."""
        self._redo.close()

    def _encode(self, cut: int, parts: list[tuple[Member, list[Statement]]]) -> bytes:
        here = self._redo.path.parent
        work = {_stored(member.path, here): list(map(_packed, statements)) for member, statements in parts}
        body = marshal.dumps({_CUT: cut, "work": work}, _MARSHAL_VERSION)
        return hashlib.sha256(body).digest() + body


def read_cut(connection: Connection) -> int:
    """Return the number of the last common commit that the database holds; 0 before the first."""
    found = read_meta(connection).get(_CUT, "0")
    connection.rollback()
    if not found.isdecimal():
        raise StateError(
            f"{connection.engine.url.database}: table meta holds {found!r} as the number of its last common commit; "
            f"put the file back from a copy of the whole directory, or start with --fresh"
        )
    return int(found)


def finish_commit(redo: Path) -> bool:
    """Finish the commit that a killed engine left in `redo`; return whether one was left whole.

    Nobody else may write the databases meanwhile. Raises DurabilityError when a database cannot take its part, and
    StateError when one is missing; the log then stays for the next time.
    """
    left = _left(redo)
    if left is not None:
        for stored, packed in left["work"].items():
            work = [Statement(*marshal.loads(each)) for each in packed]
            _redo(redo.parent / stored, left[_CUT], work, redo)
    if is_left(redo):
        cut_file(redo, 0)
    return left is not None


def is_left(redo: Path) -> bool:
    """Return whether `redo` holds anything: a commit under way, or one that was cut short."""
    return redo.exists() and redo.stat().st_size > 0


def _left(redo: Path) -> Mapping[str, Any] | None:
    """Return the log's content, None where there is none or it is torn."""
    try:
        content = redo.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{redo} cannot be read: {error.strerror or error}") from error
    body = content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != content[:_DIGEST_BYTES]:
        return None
    return marshal.loads(body)  # type: ignore[no-any-return]


def _packed(statement: Statement) -> bytes:
    try:
        return marshal.dumps((statement.text, statement.rows), _MARSHAL_VERSION)
    except ValueError:  # members of enumerations, numpy's numbers: what the database would make of them
        rows = [tuple([v if type(v) in _PLAIN else _plain(v) for v in row]) for row in statement.rows]
        return marshal.dumps((statement.text, rows), _MARSHAL_VERSION)


def _plain(value: Any) -> Any:
    """Return the str, int or float that `value` is one of; raises ValueError for anything else."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    raise ValueError(f"a database takes no {type(value).__name__}: {value!r}")


def _redo(database: Path, cut: int, work: list[Statement], redo: Path) -> None:
    if not database.exists():
        raise StateError(
            f"{database} is missing, though {redo} holds what it was about to take; put it back from a copy of the "
            f"whole directory, or start with --fresh, which archives what is there"
        )
    engine = open_unasked(database)
    try:
        with engine.connect() as connection:
            if read_cut(connection) < cut:
                with connection.begin():
                    for statement in work:
                        statement.execute(connection)
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise DurabilityError(
            f"{database} cannot take the commit that a killed engine left in {redo}: {cause}; {ROOM}"
        ) from error
    finally:
        engine.dispose()


def _stored(path: Path, state: Path) -> str:
    """Return how `path` is noted: a state directory that is moved, copied or archived finds what went with it."""
    return str(path.relative_to(state) if path.is_relative_to(state) else path)
