"""Keep the venue durable: one SQLite file of its own, one transaction per input that changed something."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event, func, select, text, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domain.broker import DividendPaid, Executed, OrderStatus, OrderType, RefusalCode, Side, TimeInForce
from domain.errors import DurabilityError, StateError
from simulation.venue.orders import VenueOrder
from simulation.venue.settings import VenueSettings
from simulation.venue.tables import (
    ACCOUNT,
    CURSOR,
    DIVIDENDS,
    EXECUTIONS,
    METADATA,
    ORDERS,
    SCHEMA_VERSION,
)
from simulation.venue.turn import NOTHING_YET, Commit, Cursor, VenueHistory
from storage.commit_group import CommitGroup, read_cut
from storage.engine import Prepared, Statement, is_disk_fault, upsert
from storage.files import ROOM

FILE_NAME = "venue.db"
_ENUMS: dict[str, Any] = {
    "side": Side,
    "order_type": OrderType,
    "time_in_force": TimeInForce,
    "status": OrderStatus,
    "code": RefusalCode,
}
_ORDER_FIELDS = VenueOrder._fields
_EXECUTION_FIELDS = tuple(field.name for field in fields(Executed))
_DIVIDEND_FIELDS = tuple(field.name for field in fields(DividendPaid))


class VenueJournal:
    """Write commits to `<directory>/venue.db` and read them back.

    A commit that only moves the market does not wait for the disk (SQLite's `synchronous=NORMAL`), every other does
    (`FULL`). In a `group` commits gather and are written with all that the group's other members hold; a crash then
    loses the last ones. After a failed write every further one raises DurabilityError.
    """

    def __init__(self, directory: Path, settings: VenueSettings, group: CommitGroup | None = None) -> None:
        """Open or create the database; raises StateError for one that is corrupt or of another account."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / FILE_NAME
        self._group = group
        self._pending: list[Commit] = []
        self._newest: Commit | None = None
        self._waits = True
        self._failed = ""
        self._engine = _engine(self.path)
        dialect = self._engine.dialect
        self._put_orders = Prepared(dialect, upsert(dialect, ORDERS))
        self._put_executions = Prepared(dialect, insert(EXECUTIONS))
        self._put_dividends = Prepared(dialect, insert(DIVIDENDS))
        self._put_cursor = Prepared(dialect, upsert(dialect, CURSOR))
        try:
            self._connection = self._engine.connect()
            with self._connection.begin():
                self._check()
                METADATA.create_all(self._connection)
                self._admit(settings)
                self._executions = self._count(EXECUTIONS.c.number)
                self._dividends = self._count(DIVIDENDS.c.number)
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise _refusal(self.path, error) from error
        except StateError:
            self._let_go()
            raise
        self.cut = read_cut(self._connection)
        if group is not None:
            group.join(self)

    @property
    def failed(self) -> bool:
        """Return whether a write failed; nothing is written after that."""
        return bool(self._failed or (self._group is not None and self._group.failed))

    def history(self) -> VenueHistory:
        """Return all that was committed; raises StateError when it cannot be read back."""
        try:
            with self._connection.begin():
                return self._read()
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise _refusal(self.path, error) from error

    def append(self, commit: Commit) -> None:
        """Write `commit`, at once or with its group; raises DurabilityError."""
        if not commit.quiet:
            self._pending.append(commit)
        self._newest = commit
        if self._group is None:
            self.flush()

    def flush(self) -> None:
        """Write everything appended, here and in the group; raises DurabilityError."""
        if self._group is not None:
            self._group.commit()
        elif self._newest is not None:
            self._take(self.gathered(), waits=bool(self._pending))

    def take(self, work: list[Statement]) -> None:
        """Write `work`, which is all that had gathered, through to the disk; raises DurabilityError."""
        self._take(work, waits=True)

    def _transact(self, action: Callable[[], object], waits: bool) -> None:
        """Do `action` in a transaction, which `waits` for the disk or not; after a failure nothing more is written."""
        if self._failed:
            raise DurabilityError(self._failed)
        try:
            if waits is not self._waits:
                self._connection.execute(text(f"PRAGMA synchronous={'FULL' if waits else 'NORMAL'}"))
                self._connection.rollback()
                self._waits = waits
            with self._connection.begin():
                action()
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            self._failed = f"{self.path} cannot take a commit: {cause}; nothing further is taken: {ROOM}"
            raise DurabilityError(self._failed) from error

    def connect(self) -> int:
        """Count one more connection, durably, and return its number (from 1 in this journal's life)."""
        self.flush()
        self._transact(
            lambda: self._connection.execute(update(ACCOUNT).values(connections=ACCOUNT.c.connections + 1)),
            waits=True,
        )
        with self._connection.begin():
            return int(self._connection.execute(select(ACCOUNT.c.connections)).scalar_one())

    def close(self) -> None:
        """Let go of the file, without writing what is pending (`flush` does)."""
        if self._group is not None:
            self._group.leave(self)
        self._let_go()

    def _let_go(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def _check(self) -> None:
        found = self._connection.execute(text("PRAGMA quick_check")).scalar_one()
        if found != "ok":
            raise StateError(_unusable(self.path, ValueError(found)))

    def _count(self, column: Any) -> int:
        return int(self._connection.execute(select(func.count(column))).scalar_one())

    def _admit(self, settings: VenueSettings) -> None:
        """Note whose journal this is, or see that it is still the same account."""
        found = self._connection.execute(select(ACCOUNT)).mappings().first()
        facts = {"deposit_micro": settings.cash_micro, "currency": settings.currency}
        if found is None:
            first = {"id": 1, "schema_version": SCHEMA_VERSION, "connections": 0}
            self._connection.execute(insert(ACCOUNT).values(**first, **facts))
            return
        if found["schema_version"] != SCHEMA_VERSION:
            raise StateError(
                f"{self.path} has schema version {found['schema_version']}, this program reads version "
                f"{SCHEMA_VERSION}: end the session with the release that wrote it, or begin a new one (--fresh)."
            )
        differ = [f"{key} {found[key]} (now {value})" for key, value in facts.items() if found[key] != value]
        if differ:
            raise StateError(
                f"{self.path} holds an account of other settings: {', '.join(differ)}. "
                "Restore them, or begin a new session (--fresh)."
            )

    def _read(self) -> VenueHistory:
        run = self._connection.execute
        orders = [_order(row) for row in run(select(ORDERS).order_by(ORDERS.c.number)).mappings()]
        executions = run(select(EXECUTIONS).order_by(EXECUTIONS.c.number)).mappings()
        dividends = run(select(DIVIDENDS).order_by(DIVIDENDS.c.number)).mappings()
        cursor = run(select(CURSOR)).mappings().first()
        return VenueHistory(
            tuple(orders),
            tuple(Executed(**_typed(row, _EXECUTION_FIELDS)) for row in executions),
            tuple(DividendPaid(**_typed(row, _DIVIDEND_FIELDS)) for row in dividends),
            Cursor(cursor["group"], cursor["known_ns"], cursor["session"]) if cursor else NOTHING_YET,
            json.loads(cursor["marks"]) if cursor else {},
        )

    def gathered(self) -> list[Statement]:
        """Return several commits as one: of an order its last state, of cursor and marks the newest."""
        if self._newest is None:
            return []
        commits, newest = self._pending, self._newest
        work = []
        if orders := {order.order_ref: order for commit in commits for order in commit.orders}:
            work.append(self._put_orders.bind([_spelled(order._asdict()) for order in orders.values()]))
        if executions := [execution for commit in commits for execution in commit.executions]:
            work.append(
                self._put_executions.bind(self._numbered(executions, _EXECUTION_FIELDS, self._executions))
            )
        if dividends := [dividend for commit in commits for dividend in commit.dividends]:
            work.append(
                self._put_dividends.bind(self._numbered(dividends, _DIVIDEND_FIELDS, self._dividends))
            )
        place = {"id": 1, **newest.cursor._asdict(), "marks": json.dumps(newest.marks)}
        return [*work, self._put_cursor.bind([place])]

    def _take(self, work: list[Statement], *, waits: bool) -> None:
        def write() -> None:
            for statement in work:
                statement.execute(self._connection)

        self._transact(write, waits)
        self._executions += sum(len(commit.executions) for commit in self._pending)
        self._dividends += sum(len(commit.dividends) for commit in self._pending)
        self._pending, self._newest = [], None

    @staticmethod
    def _numbered(items: list[Any], names: tuple[str, ...], before: int) -> list[dict[str, Any]]:
        return [{"number": n, **_row(item, names)} for n, item in enumerate(items, before + 1)]


def _row(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return _spelled({name: getattr(item, name) for name in names})


def _spelled(row: dict[str, Any]) -> dict[str, Any]:
    """Return `row` with its members of enumerations as plain text, which a commit's log takes at the first try."""
    for name in _ENUMS:
        if row.get(name) is not None:
            row[name] = str(row[name])
    return row


def _typed(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: row[name] for name in names}
    for name, kind in _ENUMS.items():
        if found.get(name) is not None:
            found[name] = kind(found[name])
    return found


def _order(row: Any) -> VenueOrder:
    return VenueOrder(**_typed(row, _ORDER_FIELDS))


def _refusal(path: Path, error: Exception) -> StateError | DurabilityError:
    """Return what to raise for a journal that cannot be opened or read: it is not the file's fault on a full disk."""
    if isinstance(error, DBAPIError) and is_disk_fault(error):
        return DurabilityError(f"{path} cannot be opened: {error.orig}; {ROOM}")
    return StateError(_unusable(path, error))


def _unusable(path: Path, error: Exception) -> str:
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    return (
        f"{path}: not a usable venue journal ({cause}). Restore it from a backup, or begin a "
        "new session (--fresh), which keeps the old files aside."
    )


def _engine(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path.absolute())), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def settle(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=1", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
