"""Read a writer's database: for the writer itself, for commands and for the page."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, Select, Table, func, select

from domain.errors import StateError
from domain.outbox import AuditEvent
from domain.records import EquitySnapshot, HaltRecord, JournalEntry, MachineSnapshot, OrderEntry
from storage import rows
from storage.engine import database_file, open_reader
from storage.tables import cash, equity, executions, halts, orders, outbox, snapshots

_ENTRY_TABLES: tuple[tuple[Table, Callable[[Row[Any]], JournalEntry]], ...] = (
    (orders, rows.order_entry),
    (executions, rows.execution_entry),
    (cash, rows.cash_entry),
)


_BATCH = 10_000

T = TypeVar("T")


class Entries(Protocol):
    """Be what keeps journal entries: a reader, or a journal itself."""

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return up to `limit` entries after `after_seq`, in sequence."""
        ...


def all_entries(source: Entries) -> Iterator[JournalEntry]:
    """Yield every journal entry, in sequence, a batch at a time."""
    after = 0
    while batch := source.entries(after, _BATCH):
        after = batch[-1].seq
        yield from batch


class JournalReader:
    """Read what is committed, over one open connection; the caller closes it."""

    def __init__(self, connection: Connection) -> None:
        """Read over `connection`."""
        self._connection = connection

    @classmethod
    def open(cls, url: str, role: str) -> JournalReader:
        """Open the existing database of `role` for reading; raises StateError when it cannot be used."""
        return cls(open_reader(url, role).connect())

    def entries(self, after_seq: int, limit: int) -> list[JournalEntry]:
        """Return up to `limit` journal entries after `after_seq`, in sequence (an order's newest state once)."""
        found = [
            self._records(
                table, make, select(table).where(table.c.seq > after_seq).order_by(table.c.seq).limit(limit)
            )
            for table, make in _ENTRY_TABLES
        ]
        return list(heapq.merge(*found, key=attrgetter("seq")))[:limit]

    def orders(self) -> list[OrderEntry]:
        """Return every order's newest state, by sequence."""
        return self._records(orders, rows.order_entry, select(orders).order_by(orders.c.seq))

    def outbox(self, after_seq: int, limit: int) -> list[AuditEvent]:
        """Return up to `limit` events after `after_seq`, in sequence."""
        query = select(outbox).where(outbox.c.seq > after_seq).order_by(outbox.c.seq).limit(limit)
        return self._records(outbox, rows.audit_event, query)

    def outbox_range(self) -> tuple[int, int]:
        """Return the first and last event number kept; (0, 0) when there never was one."""
        first, last = self._connection.execute(select(func.min(outbox.c.seq), func.max(outbox.c.seq))).one()
        self._end_read()
        return (first or 0, last or 0)

    def head(self) -> int:
        """Return the sequence of the newest journal entry; 0 when there is none."""
        newest = [
            self._connection.execute(select(func.max(table.c.seq))).scalar() for table, _ in _ENTRY_TABLES
        ]
        self._end_read()
        return max(seq or 0 for seq in newest)

    def halts(self, after_version: int = 0) -> list[HaltRecord]:
        """Return the latch's movements after `after_version`, oldest first."""
        query = select(halts).where(halts.c.version > after_version).order_by(halts.c.version)
        return self._records(halts, rows.halt_record, query)

    def equity(self, after_bar: int = -1, limit: int = -1) -> list[EquitySnapshot]:
        """Return equity snapshots after bar `after_bar`, oldest first; a negative `limit` means all."""
        query = select(equity).where(equity.c.bar > after_bar).order_by(equity.c.bar)
        return self._records(equity, rows.equity_snapshot, query if limit < 0 else query.limit(limit))

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return the newest snapshot of that name, or None."""
        query = select(snapshots).where(snapshots.c.name == name)
        found = self._records(snapshots, rows.machine_snapshot, query)
        return found[0] if found else None

    def read_through(self) -> None:
        """Read every record that a role starts from; raises StateError at the first that is none."""
        for _ in all_entries(self):
            pass
        self.halts()
        self._records(snapshots, rows.machine_snapshot, select(snapshots))

    def identifiers(self) -> tuple[set[str], set[str]]:
        """Return the ids of all executions and of all dividend payments that are booked."""
        booked = {str(row[0]) for row in self._fetch(select(executions.c.exec_id))}
        return booked, {str(row[0]) for row in self._fetch(select(cash.c.payment_id))}

    def close(self) -> None:
        """Close the connection and its engine."""
        self._connection.close()
        self._connection.engine.dispose()

    def _records(self, table: Table, make: Callable[[Row[Any]], T], query: Select[Any]) -> list[T]:
        """Return what `make` makes of the rows of `table`; raises StateError for a row that is no record."""
        found = self._fetch(query)
        try:
            return [make(row) for row in found]
        except (ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{database_file(self._connection)} holds a row in table {table.name} that this version cannot read "
                f"({type(error).__name__}: {error}); use the version that wrote it, put the directory back from a "
                f"copy, or start with --fresh, which archives it"
            ) from error

    def _fetch(self, query: Select[Any]) -> Sequence[Row[Any]]:
        found = self._connection.execute(query).all()
        self._end_read()
        return found

    def _end_read(self) -> None:
        # A read transaction left open would keep the write-ahead log from being folded in, and hide later commits.
        self._connection.rollback()
