"""Open databases: settings that make a commit durable, and refusal of files that are not ours or not whole.

Everything that is particular to one database product is here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import Engine, Table, create_engine, event, inspect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.dml import Delete, Insert

from domain.errors import ConfigurationError, DurabilityError, StateError
from storage.files import LOCK_SUFFIX, ROOM, WRITER_WAIT_S, FileLock, sync_directory
from storage.tables import PRODUCT, SCHEMA_VERSION, meta, metadata

BUSY_TIMEOUT_MS = 5_000

CHECKPOINT_PAGES = 8_000
"""Pages of write-ahead log (32 MiB) before it is folded in: rare enough to stay out of a commit's 99th percentile."""

_HEADER = b"SQLite format 3\x00"
_ADVICE = "Keep a copy of the state directory, then start again with --fresh, which archives it."


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite database at `path`."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False)


def sqlite_path(url: str) -> Path:
    """Return the file that the URL of a SQLite database names; raises ConfigurationError for any other URL."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise ConfigurationError(f"database URL {url!r} cannot be read; use sqlite:///PATH") from error
    if parsed.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"database URL {parsed.render_as_string()!r}: {parsed.get_backend_name()!r} is not supported; "
            f"use sqlite:///PATH"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(f"database URL {url!r} names no file; use sqlite:///PATH")
    return Path(parsed.database)


def open_writer(url: str, role: str, *, alone: bool = True) -> Engine:
    """Open, or create, the database of `role`'s single writer; every commit is on disk when it returns.

    `alone` keeps every other writer out, also one in another process, until the engine is disposed of or the process
    ends; whoever shares a database whose content can be rebuilt says no. Raises StateError when the file is held by
    another writer, corrupt, not ours, another role's or of a newer schema, and ConfigurationError when the URL names
    no supported database.
    """
    engine, path = _engine(url, writable=True)
    with _refusing(engine, str(path)):
        if alone:
            _keep_alone(engine, path)
        with engine.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            if not tables:
                metadata.create_all(connection)
                values = {"product": PRODUCT, "schema": str(SCHEMA_VERSION), "role": role}
                connection.execute(
                    meta.insert(), [{"name": name, "value": value} for name, value in values.items()]
                )
            else:
                _check(connection, tables, str(path), role)
    return engine


def _keep_alone(engine: Engine, path: Path) -> None:
    """Lock the database's file by one beside it (SQLite locks the file itself as it needs) until `engine` ends."""
    lock = FileLock(path.with_name(path.name + LOCK_SUFFIX))
    try:
        holder = lock.take(f"process {os.getpid()}", wait_s=WRITER_WAIT_S)
    except OSError as error:
        raise StateError(f"{path} cannot be locked: {error.strerror or error}") from error
    if holder is not None:
        raise StateError(
            f"{path} is still being written by {holder}; a killed engine's process ends by itself within seconds: "
            f"run again then, or end that process"
        )

    @event.listens_for(engine, "engine_disposed")
    def _let_go(_engine: Engine) -> None:
        lock.release()


def open_reader(url: str, role: str) -> Engine:
    """Open an existing database of `role` for reading only; raises StateError as `open_writer` does, or when absent."""
    engine, path = _engine(url, writable=False)
    where = str(path)
    with _refusing(engine, where), engine.connect() as connection:
        _check(connection, set(inspect(connection).get_table_names()), where, role)
    return engine


def open_unasked(path: Path) -> Engine:
    """Open a database for writing without asking whose it is; the caller knows it, and that nobody else writes it."""
    return _engine(sqlite_url(path), writable=True)[0]


def is_begun(url: str) -> bool:
    """Return whether the database is there and its writer came as far as to lay it out.

    An engine that was killed before, or found the disk full, leaves a file without tables. Raises as `open_reader`.
    """
    path = sqlite_path(url)
    if not path.exists():
        return False
    engine, _ = _engine(url, writable=False)
    with _refusing(engine, str(path)), engine.connect() as connection:
        begun = bool(inspect(connection).get_table_names())
    engine.dispose()
    return begun


def is_disk_fault(error: SQLAlchemyError) -> bool:
    """Return whether the disk was full or failed: nothing is wrong with the database itself."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def read_meta(connection: Connection) -> dict[str, str]:
    """Return the facts the database keeps of itself: product, schema, role, ..."""
    return {str(name): str(value) for name, value in connection.execute(select(meta.c.name, meta.c.value))}


def database_file(connection: Connection) -> str:
    """Return the path of the file behind `connection`."""
    return str(connection.exec_driver_sql("PRAGMA database_list").all()[0][2])


def upsert(dialect: Dialect, table: Table) -> Insert:
    """Return an insert that replaces the row of the same primary key."""
    keys = [column.name for column in table.primary_key]
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # here: it costs every process 3 MiB, and most do without

        pg = postgresql.insert(table)
        return pg.on_conflict_do_update(index_elements=keys, set_=_others(pg.excluded, table))
    lite = sqlite.insert(table)
    return lite.on_conflict_do_update(index_elements=keys, set_=_others(lite.excluded, table))


class Statement(NamedTuple):
    """Be the text of a statement and the rows to execute it with, one round each: all that a commit is made of."""

    text: str
    rows: list[Any]

    def execute(self, connection: Connection) -> None:
        """Execute it."""
        connection.exec_driver_sql(self.text, self.rows)


class Prepared:
    """Hold a statement compiled once, so that a commit does not pay for it: rows in, one round of them out."""

    def __init__(self, dialect: Dialect, statement: Insert | Delete) -> None:
        """Compile `statement` for `dialect`."""
        compiled = statement.compile(dialect=dialect)
        self._text = str(compiled)
        names = list(compiled.positiontup or ())
        # One name alone would make itemgetter return the bare value instead of a tuple of one.
        self._pick = itemgetter(*names) if len(names) > 1 else None
        self._names = names
        self._columns = [column.name for column in statement.table.columns]

    def bind(self, rows: Sequence[Any]) -> Statement:
        """Return the statement with `rows`, at least one.

        Each is a mapping with a value for every bound name or, of an insert, a tuple in the order of the columns.
        """
        if isinstance(rows[0], tuple):
            if not self._names:
                rows = [dict(zip(self._columns, row, strict=True)) for row in rows]
            return Statement(self._text, list(rows))
        if self._pick is not None:
            return Statement(self._text, list(map(self._pick, rows)))
        if self._names:
            return Statement(self._text, [tuple(row[name] for name in self._names) for row in rows])
        return Statement(self._text, [dict(row) for row in rows])


def _others(excluded: Any, table: Table) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if not column.primary_key}


def _engine(url: str, *, writable: bool) -> tuple[Engine, Path]:
    path = sqlite_path(url)
    _check_file(path, writable=writable)
    database = str(path) if writable else f"file:{quote(path.as_posix())}"
    query = {} if writable else {"mode": "ro", "uri": "true"}
    engine = create_engine(
        URL.create("sqlite", database=database, query=query),
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        settings = [f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"]
        if writable:
            settings += [
                "journal_mode=WAL",
                "synchronous=FULL",
                "fullfsync=1",
                f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            ]
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The driver's own transactions begin late and commit early; a writer takes its lock at the start.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writable else "BEGIN")

    return engine, path


def _check_file(path: Path, *, writable: bool) -> None:
    try:
        if not path.parent.is_dir() or not (path.exists() or writable):
            missing = path if path.parent.is_dir() else path.parent
            raise StateError(
                f"{missing} does not exist; name a state directory that an engine has used (--state DIR)"
            )
        if not path.exists():
            # For the owner's eyes alone, also where the directory is not; SQLite makes its other files alike.
            path.touch(mode=0o600)
            sync_directory(path.parent)
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except OSError as error:
        raise StateError(f"{path} cannot be read or made: {error.strerror or error}. {_ADVICE}") from error
    if header and header != _HEADER:
        raise StateError(f"{path} is not a database: it begins with {header!r}. {_ADVICE}")


@contextlib.contextmanager
def _refusing(engine: Engine, where: str) -> Iterator[None]:
    """Turn the database's own complaints about the file into a StateError that names it."""
    try:
        yield
    except SQLAlchemyError as error:
        engine.dispose()
        cause = getattr(error, "orig", None) or error
        if is_disk_fault(error):
            raise DurabilityError(f"{where} cannot be opened: {cause}; {ROOM}") from error
        raise StateError(f"{where} cannot be opened: {cause}. {_ADVICE}") from error
    except BaseException:
        engine.dispose()
        raise


def _check(connection: Connection, tables: set[str], where: str, role: str) -> None:
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise StateError(f"{where} is corrupt: {' '.join(str(found).split())}. {_ADVICE}")
    if not tables:
        raise StateError(f"{where} is empty: the run that made it ended before it wrote anything. {_ADVICE}")
    if meta.name not in tables:
        raise StateError(f"{where} is another program's database: tables {sorted(tables)[:5]}. {_ADVICE}")
    facts = read_meta(connection)
    if facts.get("product") != PRODUCT:
        raise StateError(
            f"{where} is another program's database: product {facts.get('product')!r}. {_ADVICE}"
        )
    schema = facts.get("schema", "")
    if not schema.isdecimal() or int(schema) != SCHEMA_VERSION:
        raise StateError(
            f"{where} has schema version {schema!r}, this program reads version {SCHEMA_VERSION}; "
            f"run the version that wrote it. {_ADVICE}"
        )
    if facts.get("role") != role:
        raise StateError(f"{where} is the database of role {facts.get('role')!r}, not of {role!r}. {_ADVICE}")
    absent = sorted(set(metadata.tables) - tables)
    if absent:
        raise StateError(f"{where} lacks the tables {absent}. {_ADVICE}")
