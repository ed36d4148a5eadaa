"""Keep one role's records in its own database: `SqlJournal`, the durable `Journal`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import DurabilityError, InvariantViolation, StateError
from domain.outbox import AuditEvent
from domain.records import JournalEntry, MachineSnapshot, OrderEntry, Record
from storage.commit_group import CommitGroup, read_cut
from storage.engine import Prepared, Statement, open_writer, read_meta, sqlite_path, upsert
from storage.files import ROOM
from storage.journal_reader import JournalReader
from storage.staging import Staged, stage
from storage.tables import cash, equity, executions, halts, meta, orders, outbox, snapshots

LET_GO_EVERY = 2_000
"""Acknowledged events that gather before they are deleted, so that no order's commit pays for it often (no group)."""


class SqlJournal:
    """Commit a role's records durably: one writer, one database, one transaction an append.

    In a `group` appends gather in memory and are committed together with all that the group's other members hold: on
    `flush` and `close` of any of them, or where committed rows must be read. A crash then loses what was not yet
    committed, which is for replays and backtests only. Reads see what is not yet committed. Ids of executions and
    payments are held in memory (about 100 bytes each).
    """

    def __init__(self, url: str, role: str, *, session: int = 0, group: CommitGroup | None = None) -> None:
        """Open or create the database at `url`.

        `session` > 0 is noted in the file; a file that a later session wrote is refused, since it does not belong to
        this state directory. Raises StateError when the file cannot be used.
        """
        self._where, self._group = url, group
        self.path = sqlite_path(url)
        self._engine = open_writer(url, role)
        self._connection = self._engine.connect()
        self._reader = JournalReader(self._connection)
        dialect = self._engine.dialect
        statements = {
            "orders": upsert(dialect, orders),
            "executions": insert(executions),
            "cash": insert(cash),
            "halts": insert(halts),
            "equity": upsert(dialect, equity),
            "snapshots": upsert(dialect, snapshots),
            "events": insert(outbox),
        }
        self._statements = {name: Prepared(dialect, statement) for name, statement in statements.items()}
        self._let_go = Prepared(dialect, delete(outbox).where(outbox.c.seq < bindparam("acked")))
        self._exec_ids, self._payment_ids = self._reader.identifiers()
        self._head = self._committed = self._reader.head()
        self._first_kept, self._last_event = self._reader.outbox_range()
        versions = self._reader.halts()
        self._halt_version = versions[-1].version if versions else 0
        self._acked = self._let_go_to = max(self._first_kept, 1)
        self._pending = Staged()
        self._failed: str | None = None
        self._note_session(session)
        self.cut = read_cut(self._connection)
        if group is not None:
            group.join(self)

    def append(self, records: Sequence[Record]) -> tuple[int, int]:
        """Commit `records`, all or none, and return the first and last outbox number given (first > last: none).

        Raises DurabilityError when the commit failed, now or earlier, and InvariantViolation, with nothing taken,
        for an execution or payment booked before, or a number out of sequence.
        """
        self._refuse_if_failed()
        first = self._last_event + 1
        staged = stage(
            records,
            self._head,
            first,
            self._halt_version,
            self._exec_ids,
            self._payment_ids,
            gathers=self._group is not None,
        )
        self._pending.add(staged)
        self._head = staged.head
        self._halt_version = staged.halt_version
        if staged.entry_log:
            self._exec_ids |= staged.exec_ids
            self._payment_ids |= staged.payment_ids
        self._last_event += len(staged.event_log)
        if self._group is None:
            self.flush()
        return first, self._last_event

    def flush(self) -> None:
        """Commit what has gathered, here and in the group; raises DurabilityError when that failed, now or earlier."""
        self._refuse_if_failed()
        if self._group is not None:
            self._group.commit()
        elif work := self._staged_work():
            self.take(work)

    def gathered(self) -> list[Statement]:
        """Return what waits for a commit of the group (port: `storage.commit_group.Member`).

        What the trail has taken is let go with it; that alone is worth no commit.
        """
        work = self._staged_work()
        if work and self._acked > self._let_go_to:
            work.append(self._let_go.bind([{"acked": self._acked}]))
        return work

    def take(self, work: list[Statement]) -> None:
        """Commit `work`, which is all that had gathered; raises DurabilityError."""
        acked = self._acked
        self._commit(work)
        self._pending, self._committed = Staged(), self._head
        if self._group is not None:
            self._let_go_to = self._first_kept = acked

    def entries(self, after_seq: int, limit: int) -> Sequence[JournalEntry]:
        """Return up to `limit` journal entries after `after_seq`, in sequence (an order's newest state once)."""
        if after_seq >= self._committed:
            return self._pending.tail(after_seq, limit)
        self._flush_for_reading()
        return self._reader.entries(after_seq, limit)

    def orders(self) -> Sequence[OrderEntry]:
        """Return every order's newest state, by sequence."""
        self._flush_for_reading()
        return self._reader.orders()

    def outbox(self, after_seq: int, limit: int) -> tuple[int, Sequence[AuditEvent]]:
        """Return the number of the first and up to `limit` events after `after_seq`.

        Raises StateError when the reader's cursor and this database cannot belong together.
        """
        if after_seq > self._last_event:
            raise StateError(
                f"{self._where}: the audit trail holds event {after_seq} of this database, whose last is "
                f"{self._last_event}; the database is an older copy. Restore both from one copy, or --fresh."
            )
        if after_seq + 1 < self._first_kept:
            raise StateError(
                f"{self._where}: the audit trail asks for event {after_seq + 1}, but those before "
                f"{self._first_kept} were acknowledged; the trail was replaced. Restore both from one copy, or --fresh."
            )
        uncommitted = self._pending.event_log
        skip = after_seq - (self._last_event - len(uncommitted))
        if skip >= 0:
            return after_seq + 1, uncommitted[skip : skip + limit]
        self._flush_for_reading()
        return after_seq + 1, self._reader.outbox(after_seq, limit)

    def acknowledge(self, seq: int) -> None:
        """Let go of outbox events up to `seq`; need not be durable at once. The last one stays, to number from."""
        if seq > self._last_event:
            raise InvariantViolation(f"event {seq} acknowledged, but the last is {self._last_event}")
        self._acked = max(self._acked, seq)
        if self._group is None and self._acked - self._let_go_to >= LET_GO_EVERY:
            self._refuse_if_failed()
            self._commit([self._let_go.bind([{"acked": self._acked}])])
            self._let_go_to = self._first_kept = self._acked

    def snapshot(self, name: str) -> MachineSnapshot | None:
        """Return the newest snapshot of that name, or None."""
        if name in self._pending.snapshots:
            self._flush_for_reading()
        return self._reader.snapshot(name)

    def close(self) -> None:
        """Commit what is left and close; after a failure only close."""
        if self._connection.closed:
            return
        try:
            if self._failed is None:
                self.flush()
        finally:
            if self._group is not None:
                self._group.leave(self)
            self._connection.close()
            self._engine.dispose()
            self._failed = self._failed or "it is closed"

    def _staged_work(self) -> list[Statement]:
        if self._pending.is_empty:
            return []
        rows = ((statement, self._pending.rows(name)) for name, statement in self._statements.items())
        return [statement.bind(found) for statement, found in rows if found]

    def _commit(self, work: list[Statement]) -> None:
        self._failed = "a commit did not end"
        try:
            with self._connection.begin():
                for statement in work:
                    statement.execute(self._connection)
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            self._failed = str(cause)
            raise DurabilityError(
                f"{self.path} cannot take a commit: {cause}; nothing further is taken: {ROOM}"
            ) from error
        self._failed = None

    def _flush_for_reading(self) -> None:
        if not self._pending.is_empty:
            self.flush()

    def _refuse_if_failed(self) -> None:
        if self._failed is not None:
            raise DurabilityError(f"{self._where} takes nothing more: {self._failed}")
        if self._group is not None and self._group.failed:
            raise DurabilityError(self._group.failed)

    def _note_session(self, session: int) -> None:
        facts = read_meta(self._connection)
        self._connection.rollback()
        noted = int(facts.get("session", "0"))
        if session <= 0 or noted == session:
            return
        if noted > session:
            self.close()
            raise StateError(
                f"{self._where} was written by session {noted}, later than this session {session}: it does not belong "
                f"to this state directory. Restore the whole directory from one copy, or start with --fresh."
            )
        with self._connection.begin():
            self._connection.execute(
                upsert(self._engine.dialect, meta), {"name": "session", "value": str(session)}
            )
