"""Own the portfolio: follow fills, mark it each bar, raise halts, and turn signals into approved orders.

One bar, in this order: the venue's fills (in lockstep the bar waits for them), at a session's first bar the review of a
latch that is up, marks at the close, limits, and when every strategy has spoken, or the deadline passed, the desk's
intents in order of (book, symbol), each judged by the risk engine. All that a bar led to leaves in one `OrdersApproved`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from domain.bars import BarGroup
from domain.desk_round import DeskRound
from domain.failures import FailureTracker
from domain.messages import (
    COORDINATOR,
    GATEWAY,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    HaltReviewed,
    JournalUpdate,
    LatchChanged,
    OrdersApproved,
    RaiseHalt,
    Ready,
    RequestJournal,
    ReviewHalt,
    RiskInbox,
    SignalBatch,
    TimerFired,
)
from domain.messages import RISK as ROLE
from domain.outputs import CancelTimer, Output, Persist, Send, SetTimer
from domain.records import CashEntry, ExecutionEntry, OrderEntry, Rung
from domain.risk.book_keeping import SNAPSHOT, BookKeeping
from domain.risk.limits import HaltPolicy
from domain.risk.settings import RiskSettings

__all__ = ["SNAPSHOT", "RiskManager"]

SIGNAL_TIMER = "signals"


class RiskManager:
    """Join bars, fills and signals; keep the books; approve orders."""

    def __init__(self, settings: RiskSettings, policy: HaltPolicy, saved: Mapping[str, Any] | None) -> None:
        """Start from the saved snapshot (None: a new session); the journal is asked for on `Begin`."""
        self._settings = settings
        self._books = BookKeeping(settings, saved)
        self._desk = DeskRound(settings, self._books)
        self._desk.restore((saved or {}).get("counts", {}))
        self._failures = FailureTracker(policy, (saved or {}).get("failures"))
        self._group: BarGroup | None = None
        self._advanced = -1
        self._marked = False
        self._batches: dict[str, SignalBatch] = {}
        self._cursor = 0
        self._recovering = True
        self._reviewing = False

    def handle(self, message: RiskInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case BarsPublished(group=group):
                self._group, self._marked = group, False
                self._batches = {name: b for name, b in self._batches.items() if b.bar == group.index}
                return self._proceed()
            case SignalBatch():
                return self._signalled(message)
            case JournalUpdate():
                return self._journal(message)
            case TimerFired():
                return self._deadline()
            case LatchChanged(rung=rung, version=version):
                self._books.latch_version = max(self._books.latch_version, version)
                self._books.rung = max(self._books.rung, rung)
                return []
            case HaltReviewed():
                return self._reviewed(message)
            case Begin():
                return [Send(GATEWAY, RequestJournal(requester=ROLE, after_seq=0))]
            case Drain():
                return [Send(COORDINATOR, Drained(role=ROLE))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return equity, losses, positions, counts and the latch."""
        return {**self._books.state(), **self._desk.state(), "failures": self._failures.to_values()}

    def _journal(self, update: JournalUpdate) -> list[Output]:
        outputs: list[Output] = []
        positions = []
        for entry in update.entries:
            match entry:
                case OrderEntry():
                    self._books.working.follow(entry)
                case ExecutionEntry() | CashEntry():
                    if self._books.portfolio.apply(entry) and not self._recovering:
                        positions.append(self._books.position_event(entry))
        if positions:
            outputs.append(Persist(tuple(positions)))
        self._cursor = max(self._cursor, update.head)
        if self._recovering and update.last:
            self._recovering = False
            outputs.append(Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation)))
        if update.advanced >= 0:
            self._advanced = max(self._advanced, update.advanced)
            outputs += self._proceed()
        return outputs

    def _signalled(self, batch: SignalBatch) -> list[Output]:
        if self._group is not None and batch.bar < self._group.index:
            return []  # expired: its bar is over
        self._batches[batch.strategy] = batch
        return self._proceed()

    def _proceed(self) -> list[Output]:
        """Do whatever the present bar is ready for."""
        group = self._group
        if group is None or self._reviewing:
            return []
        outputs: list[Output] = []
        if not self._marked:
            if self._settings.lockstep and self._advanced < group.index:
                return []
            if self._books.rung > Rung.ACTIVE and group.session > self._books.day.session:
                self._reviewing = True
                review = ReviewHalt(at_ns=group.known_ns, bar=group.index, session=group.session)
                return [Send(COORDINATOR, review)]
            outputs += self._mark(group)
        if len(self._batches) == len(self._settings.strategies):
            return [*outputs, *self._decide(group)]
        return outputs

    def _reviewed(self, answer: HaltReviewed) -> list[Output]:
        books = self._books
        self._reviewing = False
        if answer.version > books.latch_version or answer.rung < books.rung:
            self._failures.reset()
        books.rung, books.latch_version = answer.rung, answer.version
        books.raised = {trigger for trigger in books.raised if trigger in answer.active}
        if answer.new_peak:
            books.day.peak_equity = books.day.equity
        if self._group is None or self._marked:
            return []
        outputs = self._mark(self._group)
        return [*outputs, *(self._proceed() if self._marked else [])]

    def _mark(self, group: BarGroup) -> list[Output]:
        self._marked = True
        raised = self._books.mark(group)
        outputs: list[Output] = [self._raise(group, trigger, why) for trigger, why in raised]
        if len(self._batches) < len(self._settings.strategies):
            outputs.append(SetTimer(SIGNAL_TIMER, self._settings.signal_deadline_s))
        return outputs

    def _raise(self, group: BarGroup, trigger: Any, why: str) -> Send:
        rung = self._books.raise_latch(trigger)
        halt = RaiseHalt(
            at_ns=group.known_ns,
            bar=group.index,
            session=group.session,
            rung=rung,
            trigger=trigger,
            raised_by=ROLE,
            detail=why,
        )
        return Send(COORDINATOR, halt, control=True)

    def _deadline(self) -> list[Output]:
        """Go on without the strategies that did not answer in time: their evaluation failed."""
        if self._group is None or not self._marked:
            return []
        for name in self._settings.strategies:
            if name not in self._batches:
                self._batches[name] = self._desk.late(name, self._group)
        return self._decide(self._group)

    def _decide(self, group: BarGroup) -> list[Output]:
        batches = [self._batches[name] for name in sorted(self._batches)]
        self._batches = {}
        self._group = None
        for batch in batches:
            if batch.failures and len(batch.failures) >= batch.evaluated:
                self._failures.failed(batch.strategy, group.index, batch.failures[0].error)
            elif batch.evaluated:
                self._failures.succeeded(batch.strategy)
        due = self._failures.halt_due()
        halts = [self._raise(group, *due)] if due and due[0] not in self._books.raised else []
        approvals, cancels, events = self._desk.run(group, batches)
        books = self._books
        refs = [approval.intent.intent_id for approval in approvals]
        records = books.snapshots(group, self._desk.state(), self._failures.to_values(), refs)
        approved = OrdersApproved(
            at_ns=group.known_ns,
            bar=group.index,
            approvals=tuple(approvals),
            cancels=tuple(cancels),
            rung=books.rung,
            latch_version=books.latch_version,
        )
        return [CancelTimer(SIGNAL_TIMER), *halts, Persist((*events, *records)), Send(GATEWAY, approved)]
