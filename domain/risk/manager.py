"""Own the portfolio: follow fills, mark it each bar, raise halts, and turn signals into approved orders.

One bar, in this order: the venue's fills (in lockstep the bar waits for them), at a session's first bar the review of a
latch that is up, marks at the close, limits, and when every strategy has spoken, or the deadline passed, the desk's
intents in order of (book, symbol), each judged by the risk engine. All that it led to leaves in one `OrdersApproved`.

Messages may come in any order and more than once: a bar is decided once in a life, and what it led to is sent again
when the bar comes again. A manager that restarts from its snapshot may get the bar of that snapshot again; it decides
the same, approves nothing that it had not, and counts and records nothing twice.

Without a lease from the coordinator nothing is entered; exits and flattening go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from domain.awaited import LATCH_ASKS, Awaited
from domain.bars import BarGroup
from domain.breakers import BreakerFactory
from domain.commands import ClosePosition
from domain.errors import InvariantViolation
from domain.halt_messages import HaltReviewed, LatchChanged, LatchHeld, ReviewHalt
from domain.lease import PULSE_TIMER, Lease, Standing
from domain.messages import (
    COORDINATOR,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    JournalUpdate,
    Ready,
    RiskInbox,
    SignalBatch,
    TimerFired,
)
from domain.messages import RISK as ROLE
from domain.outputs import CancelTimer, Output, Send, SetTimer
from domain.records import HaltTrigger, Rung
from domain.risk.book_keeping import SNAPSHOT, BookKeeping
from domain.risk.deciding import BETWEEN, Decider, newest
from domain.risk.joining import BarJoin
from domain.risk.journal_follower import JOURNAL_TIMER, TOLD, JournalFollower
from domain.risk.limits import HaltPolicy
from domain.risk.settings import RiskSettings
from domain.supervision import BarCursor, LeaseGranted, ReleaseStrategy, RequestBarCursor, StrategiesAbsent

__all__ = ["BETWEEN", "SNAPSHOT", "TOLD", "RiskManager"]

SIGNAL_TIMER = "signals"
REVIEW_TIMER = "review"
REVIEW_ASKS = 2 * LATCH_ASKS
"""Twice as patient as the coordinator is with the gateway, for whose word the review's answer waits."""

FAILURE_TRIGGERS = frozenset({HaltTrigger.CONSECUTIVE_FAILURES, HaltTrigger.FAILURE_RATE})
"""Halts whose end lets the failure tracker begin anew; any other end leaves what it has seen."""


class RiskManager:
    """Join bars, fills and signals; keep the books; approve orders."""

    def __init__(
        self,
        settings: RiskSettings,
        policy: HaltPolicy,
        saved: Mapping[str, Any] | None,
        told: int = 0,
        between: Mapping[str, Any] | None = None,
        build_breaker: BreakerFactory | None = None,
    ) -> None:
        """Start from the saved snapshot (None: a new session); the journal is asked for on `Begin`.

        `told` is the journal's sequence up to which the positions' changes are on record (snapshot `TOLD`), `between`
        what changed since the saved bar (snapshot `BETWEEN`).
        """
        values = newest(saved, between)
        self._settings = settings
        self._lease = Lease(ROLE, settings.generation, settings.lease)
        self._books = BookKeeping(settings, values)
        self._decider = Decider(settings, policy, self._books, values, build_breaker)
        self._join = BarJoin(settings.strategies, settings.shards, lockstep=settings.lockstep)
        self._journal = JournalFollower(self._books, settings.answer_deadline_s, told)
        self._ready = self._at_rest = self._deadline_may_run = False
        self._commands: list[ClosePosition] = []
        self._reviewing: ReviewHalt | None = None
        self._review_due = Awaited(REVIEW_TIMER, settings.answer_deadline_s, REVIEW_ASKS)

    def handle(self, message: RiskInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case BarsPublished(group=group):
                return self._published(group)
            case SignalBatch():
                self._join.take(message)
                return self._proceed()
            case JournalUpdate():
                self._join.advance(message.advanced)
                outputs = [*self._journal.take(message), *self._say_ready()]
                return [*outputs, *self._carry_out(), *self._proceed()]
            case TimerFired(name=name):
                return self._timer(name)
            case LeaseGranted():
                self._lease.grant(message)
                self._books.latch.hear_lease(message.rung, message.latch_version)
                return [*self._say_ready(), *self._journal.hear_of(message.journal_head)]
            case LatchChanged():
                return self._latched(message)
            case HaltReviewed():
                return self._reviewed(message)
            case StrategiesAbsent(absent=absent):
                self._join.take_absent(absent)
                return self._proceed()
            case ClosePosition():
                self._commands.append(message)
                return self._carry_out()
            case ReleaseStrategy(strategy=strategy):
                return self._decider.release(strategy)
            case RequestBarCursor(requester=requester):
                return [Send(requester, BarCursor(bar=self._decider.decided))]
            case Begin():
                return self._begun()
            case Drain():
                self._at_rest = True
                return [Send(COORDINATOR, Drained(role=ROLE))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return equity, losses, positions, counts, the latch, and whether the lease is held."""
        return {
            **self._books.state(),
            **self._decider.state(),
            "lease": self._lease.held,
            "absent": {each.strategy: each.why for each in self._join.absent},
        }

    # --- start, lease and latch -------------------------------------------------------------------------------------

    def _begun(self) -> list[Output]:
        """Begin, or begin again: what a slow gateway told before is told again, and ready means: since this."""
        self._ready = False
        told = [*self._tell_again(), *self._decider.left_out_before()]
        return [*self._beat(), *told, *self._journal.ask()]

    def _say_ready(self) -> list[Output]:
        if self._ready or self._journal.behind or not self._lease.held:
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=ROLE, generation=self._settings.generation))]

    def _beat(self) -> list[Output]:
        return self._lease.beat(
            Standing(epoch=self._settings.epoch, ready=self._ready, at_rest=self._at_rest)
        )

    def _tell_again(self) -> list[Output]:
        return [Send(COORDINATOR, halt, control=True) for halt in self._books.latch.unheard()]

    def _carry_out(self) -> list[Output]:
        """Do what people asked for, once the books are whole."""
        if self._journal.behind:
            return []
        commands, self._commands = self._commands, []
        return [output for command in commands for output in self._decider.close_position(command)]

    def _latched(self, latch: LatchChanged) -> list[Output]:
        """Hold the latch and say so.

        A lowering that does not know of a halt of ours is not held yet: that halt is told once more, and the
        coordinator says it anew.
        """
        news = self._books.take_latch(latch)
        if not FAILURE_TRIGGERS.isdisjoint(news.ended):
            self._decider.failures.reset()
        kept = [self._decider.keep()] if news.changed else []
        if latch.lowers and (unheard := self._tell_again()):
            return [*kept, *unheard]
        return [*kept, Send(COORDINATOR, LatchHeld(role=ROLE, version=latch.version))]

    def _reviewed(self, answer: HaltReviewed) -> list[Output]:
        books, group = self._books, self._join.group
        if group is None or self._reviewing is None or answer.bar != self._reviewing.bar:
            return []  # came twice
        self._reviewing = None
        if not FAILURE_TRIGGERS.isdisjoint(books.latch.raised.difference(answer.active)):
            self._decider.failures.reset()
        lost = books.take_review(answer)
        raised = [self._decider.raise_latch(group, trigger, why) for trigger, why in lost]
        return [self._review_due.answered(), *raised, *self._mark(group)]

    def _timer(self, name: str) -> list[Output]:
        """Go on without what is late: signals count as failed, an answer is asked for again, which changes nothing."""
        if self._lease.owns(name):
            self._lease.run_out(name)
            return []
        match name:
            case _ if name == SIGNAL_TIMER:
                return self._deadline()
            case _ if name == JOURNAL_TIMER:
                return self._journal.overdue()
            case _ if name == REVIEW_TIMER:
                if self._reviewing is None:
                    return []
                return [
                    Send(COORDINATOR, self._reviewing),
                    self._review_due.again("the review of the halt latch"),
                ]
            case _ if name == PULSE_TIMER:
                return [*self._beat(), *self._tell_again(), self._decider.quarantined()]
            case _:
                raise InvariantViolation(f"the risk manager sets no timer {name}")

    # --- one bar ----------------------------------------------------------------------------------------------------

    def _published(self, group: BarGroup) -> list[Output]:
        if group.index <= self._join.newest:
            return self._decider.again(group)  # came twice, or too late
        settled = self._decider.pass_over(group)
        if settled is not None:
            self._join.newest = group.index
            return settled
        self._join.begin(group, self._decider.left_out(group))
        return self._proceed()

    def _proceed(self) -> list[Output]:
        """Do whatever the present bar is ready for."""
        group = self._join.group
        if group is None or self._journal.behind or self._reviewing is not None:
            return []
        if self._join.marked:
            return self._decide_when_complete(group)
        if not self._join.market_is_done(group):
            return []
        if self._books.rung > Rung.ACTIVE and group.session > self._books.day.session:
            self._reviewing = ReviewHalt(at_ns=group.known_ns, bar=group.index, session=group.session)
            # What was lost on its way is told before: a review ends only halts that are on record.
            return [*self._tell_again(), Send(COORDINATOR, self._reviewing), self._review_due.asked()]
        return self._mark(group)

    def _mark(self, group: BarGroup) -> list[Output]:
        self._join.marked = True
        raised = self._books.mark(group)
        outputs: list[Output] = [self._decider.raise_latch(group, trigger, why) for trigger, why in raised]
        if decided := self._decide_when_complete(group):
            return [*outputs, *decided]
        self._deadline_may_run = True
        return [*outputs, SetTimer(SIGNAL_TIMER, self._settings.signal_deadline_s)]

    def _decide_when_complete(self, group: BarGroup) -> list[Output]:
        if not self._join.is_complete(group):
            return []
        batches = self._join.close(group)
        decided = self._decider.decide(group, batches, leased=self._lease.held)
        if not self._deadline_may_run:
            return decided
        self._deadline_may_run = False
        return [CancelTimer(SIGNAL_TIMER), *decided]

    def _deadline(self) -> list[Output]:
        """Go on without the strategies that did not answer in time: their evaluation failed."""
        group = self._join.group
        if group is None or not self._join.marked:
            return []
        self._join.time_out(group)
        return self._proceed()
