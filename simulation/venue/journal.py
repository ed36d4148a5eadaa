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
from sqlalchemy.exc import SQLAlchemyError

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
from storage.engine import Prepared, upsert

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
    (`FULL`). With `group_commits` > 1 that many commits share a transaction; a crash then loses the last ones, which
    fits runs that are repeated rather than resumed. After a failed write every further one raises DurabilityError.
    """

    def __init__(self, directory: Path, settings: VenueSettings, group_commits: int = 1) -> None:
        """Open or create the database; raises StateError for one that is corrupt or of another account."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / FILE_NAME
        self._group_commits = group_commits
        self._pending: list[Commit] = []
        self._newest: Commit | None = None
        self._waiting = 0
        self._waits = True
        self._failed = ""
        self._engine = _engine(self.path)
        dialect = self._engine.dialect
        self._put_orders = Prepared(dialect, upsert(dialect, ORDERS))
        self._put_executions = Prepared(dialect, insert(EXECUTIONS))
        self._put_dividends = Prepared(dialect, insert(DIVIDENDS))
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
            raise StateError(_unusable(self.path, error)) from error
        except StateError:
            self.close()
            raise

    @property
    def failed(self) -> bool:
        """Return whether a write failed; nothing is written after that."""
        return bool(self._failed)

    def history(self) -> VenueHistory:
        """Return all that was committed; raises StateError when it cannot be read back."""
        try:
            with self._connection.begin():
                return self._read()
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise StateError(_unusable(self.path, error)) from error

    def append(self, commit: Commit) -> None:
        """Write `commit`, at once or with its group; raises DurabilityError."""
        if not commit.quiet:
            self._pending.append(commit)
        self._newest = commit
        self._waiting += 1
        if self._waiting >= self._group_commits:
            self.flush()

    def flush(self) -> None:
        """Write everything appended; raises DurabilityError."""
        if self._newest is not None:
            commits, newest = self._pending, self._newest
            self._transact(lambda: self._write(commits, newest), waits=bool(commits))
            self._pending, self._newest, self._waiting = [], None, 0

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
            cause = getattr(error, "orig", None) or error
            self._failed = f"{self.path}: a commit failed and is not retried: {cause}"
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

    def _write(self, commits: list[Commit], newest: Commit) -> None:
        """Write several commits as one: of an order its last state, of cursor and marks the newest."""
        run = self._connection.execute
        orders = {order.order_ref: order for commit in commits for order in commit.orders}
        if orders:
            rows = [order._asdict() for order in orders.values()]
            self._put_orders.execute(self._connection, rows)
        executions = [execution for commit in commits for execution in commit.executions]
        if executions:
            rows = self._numbered(executions, _EXECUTION_FIELDS, self._executions)
            self._put_executions.execute(self._connection, rows)
            self._executions += len(executions)
        dividends = [dividend for commit in commits for dividend in commit.dividends]
        if dividends:
            rows = self._numbered(dividends, _DIVIDEND_FIELDS, self._dividends)
            self._put_dividends.execute(self._connection, rows)
            self._dividends += len(dividends)
        cursor, marks = newest.cursor, json.dumps(newest.marks)
        place = {
            "group": cursor.group,
            "known_ns": cursor.known_ns,
            "session": cursor.session,
            "marks": marks,
        }
        put = insert(CURSOR).values(id=1, **place)
        run(put.on_conflict_do_update(index_elements=["id"], set_=place))

    @staticmethod
    def _numbered(items: list[Any], names: tuple[str, ...], before: int) -> list[dict[str, Any]]:
        return [{"number": n, **_row(item, names)} for n, item in enumerate(items, before + 1)]


def _row(item: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def _typed(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: row[name] for name in names}
    for name, kind in _ENUMS.items():
        if found.get(name) is not None:
            found[name] = kind(found[name])
    return found


def _order(row: Any) -> VenueOrder:
    return VenueOrder(**_typed(row, _ORDER_FIELDS))


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
