"""Follow the gateway's journal from a cursor: each entry is booked once, and what is missing is asked for."""

from __future__ import annotations

from typing import assert_never

from domain.awaited import Awaited
from domain.messages import GATEWAY, RISK, JournalUpdate, RequestJournal
from domain.outbox import AuditEvent
from domain.outputs import Output, Persist, Send
from domain.records import CashEntry, ExecutionEntry, MachineSnapshot, OrderEntry
from domain.risk.book_keeping import BookKeeping

TOLD = "told"
"""Name of the snapshot that keeps up to which journal entry the positions' changes are on record."""

JOURNAL_TIMER = "journal"
JOURNAL_ASKS = 3


class JournalFollower:
    """Book what the gateway tells, and know whether anything is missing."""

    def __init__(self, books: BookKeeping, deadline_s: float, told: int) -> None:
        """Stand before the first entry; `told` is the sequence up to which positions' changes are on record."""
        self._books = books
        self._cursor = 0
        self._told = told
        self._due = Awaited(JOURNAL_TIMER, deadline_s, JOURNAL_ASKS)
        self.behind = True

    def ask(self) -> list[Output]:
        """Ask for what follows the cursor; until it has come this is `behind`."""
        self.behind = True
        return [self._request(), self._due.asked()]

    def take(self, update: JournalUpdate) -> list[Output]:
        """Book `update`; where entries are missing before it, they are asked for and it comes again with them."""
        if update.after_seq > self._cursor:
            return [] if self.behind else self.ask()
        outputs = self._booked(update)
        before, self._cursor = self._cursor, max(self._cursor, update.head)
        if self.behind and not update.last:
            # What brings nothing new is no part of the answer: a bar told again must not put off the asking for ever.
            outputs += [self._due.asked()] if self._cursor > before else []
        elif self.behind:
            self.behind = False
            outputs.append(self._due.answered())
        return outputs

    def hear_of(self, head: int) -> list[Output]:
        """Ask for what a head beyond the cursor says was lost, unless it is asked for already."""
        return self.ask() if head > self._cursor and not self.behind else []

    def overdue(self) -> list[Output]:
        """Ask once more, which changes nothing for who has heard; raises Unanswered when it was often enough."""
        if not self.behind:
            return []
        timer = self._due.again("the gateway's journal")
        return [self._request(), timer]

    def _request(self) -> Send:
        return Send(GATEWAY, RequestJournal(requester=RISK, after_seq=self._cursor))

    def _booked(self, update: JournalUpdate) -> list[Output]:
        told: list[AuditEvent] = []
        newest = self._told
        for entry in update.entries:
            if entry.seq <= self._cursor:
                continue  # came twice: an order's older state must not replace its newer one
            match entry:
                case OrderEntry():
                    self._books.working.follow(entry)
                    self._books.runaway.follow(entry)
                case ExecutionEntry() | CashEntry():
                    if isinstance(entry, ExecutionEntry):
                        self._books.runaway.filled(entry.execution.order_ref)
                    events = self._books.book(entry)
                    if entry.seq > self._told:  # else told in a former life
                        told += events
                        newest = max(newest, entry.seq)
                case _ as unreachable:
                    assert_never(unreachable)
        self._told = newest
        if not told:
            return []
        at = MachineSnapshot(
            name=TOLD, bar=max(self._books.bar, 0), at_ns=update.at_ns, values={"seq": newest}
        )
        return [Persist((*told, at))]  # one commit: after a crash what is missing is told, and nothing twice
