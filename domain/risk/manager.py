"""Own the portfolio: follow fills, mark it each bar, raise halts, and turn signals into approved orders.

One bar, in this order: the venue's fills (in lockstep the bar waits for them), at a session's first bar the review of a
latch that is up, marks at the close, limits, and when every strategy has spoken, or the deadline passed, the desk's
intents in order of (book, symbol), each judged by the risk engine. All that it led to leaves in one `OrdersApproved`.

Messages may come in any order and more than once: a bar is decided once in a life. A manager that restarts from its
snapshot may get the bar of that snapshot again; it decides the same, and counts and records nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from domain.awaited import LATCH_ASKS, Awaited
from domain.bars import BarGroup
from domain.desk_round import DeskRound
from domain.errors import InvariantViolation
from domain.failures import FailureTracker
from domain.halt_messages import HaltReviewed, LatchChanged, PositionsClosed, ReviewHalt
from domain.messages import (
    COORDINATOR,
    GATEWAY,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    JournalUpdate,
    OrderApproved,
    OrdersApproved,
    Ready,
    RequestJournal,
    RiskInbox,
    SignalBatch,
    TimerFired,
)
from domain.messages import RISK as ROLE
from domain.outbox import AuditEvent
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer
from domain.records import CashEntry, ExecutionEntry, HaltTrigger, MachineSnapshot, OrderEntry, Rung
from domain.risk.book_keeping import SNAPSHOT, BookKeeping
from domain.risk.limits import HaltPolicy
from domain.risk.settings import RiskSettings

__all__ = ["SNAPSHOT", "TOLD", "RiskManager"]

TOLD = "told"
"""Name of the snapshot that keeps up to which journal entry the positions' changes are on record."""

SIGNAL_TIMER = "signals"
JOURNAL_ASKS = 3
REVIEW_ASKS = 2 * LATCH_ASKS
"""Twice as patient as the coordinator is with the gateway, for whose word the review's answer waits."""

FAILURE_TRIGGERS = frozenset({HaltTrigger.CONSECUTIVE_FAILURES, HaltTrigger.FAILURE_RATE})
"""Halts whose end lets the failure tracker begin anew; any other end leaves what it has seen."""


class RiskManager:
    """Join bars, fills and signals; keep the books; approve orders."""

    def __init__(
        self, settings: RiskSettings, policy: HaltPolicy, saved: Mapping[str, Any] | None, told: int = 0
    ) -> None:
        """Start from the saved snapshot (None: a new session); the journal is asked for on `Begin`.

        `told` is the journal's sequence up to which the positions' changes are on record (snapshot `TOLD`).
        """
        self._settings = settings
        self._books = BookKeeping(settings, saved)
        self._desk = DeskRound(settings, self._books)
        self._desk.restore((saved or {}).get("counts", {}))
        self._failures = FailureTracker(policy, (saved or {}).get("failures"))
        self._counted = self._books.bar  # the last bar whose counts the snapshot holds
        self._newest = -1
        self._group: BarGroup | None = None
        self._advanced = -1
        self._marked = False
        self._batches: dict[int, dict[str, SignalBatch]] = {}
        self._cursor = 0
        self._told = told
        self._recovering = True
        self._ready = False
        self._reviewing: ReviewHalt | None = None
        self._journal_due = Awaited("journal", settings.answer_deadline_s, JOURNAL_ASKS)
        self._review_due = Awaited("review", settings.answer_deadline_s, REVIEW_ASKS)

    def handle(self, message: RiskInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case BarsPublished(group=group):
                return self._published(group)
            case SignalBatch():
                return self._signalled(message)
            case JournalUpdate():
                return self._journal(message)
            case TimerFired(name=name):
                return self._timer(name)
            case LatchChanged():
                self._books.hold_latch(message)
                return []
            case HaltReviewed():
                return self._reviewed(message)
            case Begin():  # what a slow gateway told before is told again, and ready means: since this
                self._recovering, self._ready = True, False
                return [*self._tell_again(), *self._ask_for_journal()]
            case Drain():
                return [Send(COORDINATOR, Drained(role=ROLE))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return equity, losses, positions, counts and the latch."""
        return {**self._books.state(), **self._desk.state(), "failures": self._failures.report()}

    def _published(self, group: BarGroup) -> list[Output]:
        if group.index <= self._newest:
            return []  # came twice, or too late
        self._newest = group.index
        if group.index < self._counted:
            # Settled before the restart: its orders are in the gateway's journal, and nothing is left to do.
            return [Send(GATEWAY, self._approved(group, [], []))]
        self._group, self._marked = group, False
        self._batches = {bar: spoken for bar, spoken in self._batches.items() if bar >= group.index}
        return self._proceed()

    def _journal(self, update: JournalUpdate) -> list[Output]:
        self._advanced = max(self._advanced, update.advanced)
        if update.after_seq > self._cursor:
            # Entries are missing before these, which will be told again with them: until then nothing is decided.
            if self._recovering:
                return []
            self._recovering = True
            return self._ask_for_journal()
        outputs = self._booked(update)
        self._cursor = max(self._cursor, update.head)
        if self._recovering and not update.last:
            outputs.append(self._journal_due.asked())
        elif self._recovering:
            self._recovering = False
            outputs.append(self._journal_due.answered())
            if not self._ready:
                self._ready = True
                outputs.append(Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation)))
        return [*outputs, *self._proceed()]

    def _booked(self, update: JournalUpdate) -> list[Output]:
        told: list[AuditEvent] = []
        newest = self._told
        for entry in update.entries:
            if entry.seq <= self._cursor:
                continue  # came twice: an order's older state must not replace its newer one
            match entry:
                case OrderEntry():
                    self._books.working.follow(entry)
                case ExecutionEntry() | CashEntry():
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

    def _signalled(self, batch: SignalBatch) -> list[Output]:
        """Keep what came for its own bar; where that is over, the next bar drops it."""
        if batch.strategy not in self._settings.strategies:
            return []
        self._batches.setdefault(batch.bar, {}).setdefault(batch.strategy, batch)
        return self._proceed()

    def _proceed(self) -> list[Output]:
        """Do whatever the present bar is ready for."""
        group = self._group
        if group is None or self._recovering or self._reviewing is not None:
            return []
        if self._marked:
            return self._decide_when_complete(group)
        if self._settings.lockstep and self._advanced < group.index:
            return []
        if self._books.rung > Rung.ACTIVE and group.session > self._books.day.session:
            self._reviewing = ReviewHalt(at_ns=group.known_ns, bar=group.index, session=group.session)
            # What was lost on its way is told before: a review ends only halts that are on record.
            return [*self._tell_again(), Send(COORDINATOR, self._reviewing), self._review_due.asked()]
        return self._mark(group)

    def _tell_again(self) -> list[Output]:
        return [Send(COORDINATOR, halt, control=True) for halt in self._books.unheard()]

    def _ask_for_journal(self) -> list[Output]:
        asked = RequestJournal(requester=ROLE, after_seq=self._cursor)
        return [Send(GATEWAY, asked), self._journal_due.asked()]

    def _timer(self, name: str) -> list[Output]:
        """Go on without what is late: signals count as failed, an answer is asked for again, which changes nothing."""
        match name:
            case "signals":
                return self._deadline()
            case "journal":
                if not self._recovering:
                    return []
                timer = self._journal_due.again("the gateway's journal")
                return [Send(GATEWAY, RequestJournal(requester=ROLE, after_seq=self._cursor)), timer]
            case "review":
                if self._reviewing is None:
                    return []
                return [
                    Send(COORDINATOR, self._reviewing),
                    self._review_due.again("the review of the halt latch"),
                ]
            case _:
                raise InvariantViolation(f"the risk manager sets no timer {name}")

    def _reviewed(self, answer: HaltReviewed) -> list[Output]:
        books, group = self._books, self._group
        if group is None or self._reviewing is None or answer.bar != self._reviewing.bar:
            return []  # came twice
        self._reviewing = None
        if not FAILURE_TRIGGERS.isdisjoint(books.raised.difference(answer.active)):
            self._failures.reset()
        lost = books.take_review(answer)
        raised = [self._raise(group, trigger, why) for trigger, why in lost]
        return [self._review_due.answered(), *raised, *self._mark(group)]

    def _mark(self, group: BarGroup) -> list[Output]:
        self._marked = True
        raised = self._books.mark(group)
        outputs: list[Output] = [self._raise(group, trigger, why) for trigger, why in raised]
        waiting = SetTimer(SIGNAL_TIMER, self._settings.signal_deadline_s)
        return [*outputs, *(self._decide_when_complete(group) or [waiting])]

    def _decide_when_complete(self, group: BarGroup) -> list[Output]:
        spoken = self._batches.get(group.index, {})
        return self._decide(group) if len(spoken) == len(self._settings.strategies) else []

    def _raise(self, group: BarGroup, trigger: HaltTrigger, why: str) -> Send:
        return Send(COORDINATOR, self._books.raise_latch(group, trigger, why), control=True)

    def _deadline(self) -> list[Output]:
        """Go on without the strategies that did not answer in time: their evaluation failed."""
        if self._group is None or not self._marked:
            return []
        spoken = self._batches.setdefault(self._group.index, {})
        for name in self._settings.strategies:
            if name not in spoken:
                spoken[name] = self._desk.late(name, self._group)
        return self._proceed()

    def _decide(self, group: BarGroup) -> list[Output]:
        spoken = self._batches.pop(group.index, {})
        batches = [spoken[name] for name in sorted(spoken)]
        self._group = None
        again = group.index <= self._counted
        self._books.working.expire(group.index)
        halts = [] if again else self._count_failures(group, batches)
        if self._books.end_flattening():
            closed = PositionsClosed(at_ns=group.known_ns, bar=group.index, session=group.session)
            halts.append(Send(COORDINATOR, closed, control=True))
        approvals, cancels, events = self._desk.run(group, batches, again=again)
        refs = [approval.intent.intent_id for approval in approvals]
        decided = Send(GATEWAY, self._approved(group, approvals, cancels))
        if again:  # its records are durable, for they and the snapshot were one commit
            return [CancelTimer(SIGNAL_TIMER), *halts, decided]
        warnings = self._books.heat_warning(group)
        records = self._books.snapshots(group, self._desk.state(), self._failures.to_values(), refs, cancels)
        return [CancelTimer(SIGNAL_TIMER), *halts, Persist((*events, *warnings, *records)), decided]

    def _approved(
        self, group: BarGroup, approvals: list[OrderApproved], cancels: list[str]
    ) -> OrdersApproved:
        return OrdersApproved(
            at_ns=group.known_ns,
            bar=group.index,
            approvals=tuple(approvals),
            cancels=tuple(cancels),
            rung=self._books.rung,
            latch_version=self._books.latch_version,
        )

    def _count_failures(self, group: BarGroup, batches: list[SignalBatch]) -> list[Output]:
        due: tuple[HaltTrigger, str] | None = None
        for batch in batches:
            for failure in batch.failures:
                self._failures.failed_on(failure.symbol)
            if batch.failures and len(batch.failures) >= batch.evaluated:
                self._failures.failed(batch.strategy, group.index, batch.failures[0].error)
                due = due or self._failures.halt_due()  # at once: a success that follows takes nothing back
            elif batch.evaluated:
                self._failures.succeeded(batch.strategy)
        return [self._raise(group, *due)] if due and due[0] not in self._books.raised else []
