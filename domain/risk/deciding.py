"""Decide one bar: count failures, let the desk make its intents, and keep what it led to.

A bar is decided once in a life. After a restart the bar of the snapshot may be decided again: its records are durable,
for they and the snapshot were one commit, so nothing is counted or recorded twice, and nothing else is approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.bars import BarGroup
from domain.desk_round import DeskRound
from domain.failures import FailureTracker
from domain.halt_messages import PositionsClosed
from domain.messages import COORDINATOR, GATEWAY, OrderApproved, OrdersApproved, SignalBatch
from domain.outputs import Output, Persist, Send
from domain.records import HaltTrigger
from domain.risk.book_keeping import BookKeeping
from domain.risk.limits import HaltPolicy
from domain.risk.settings import RiskSettings


class Decider:
    """Turn what was said of a bar into one `OrdersApproved`, and remember the last."""

    def __init__(
        self, settings: RiskSettings, policy: HaltPolicy, books: BookKeeping, saved: Mapping[str, Any]
    ) -> None:
        """Decide on `books`, going on from the `saved` snapshot's values."""
        self._books = books
        self._desk = DeskRound(settings, books)
        self._desk.restore(saved.get("counts", {}))
        self.failures = FailureTracker(policy, saved.get("failures"))
        self._counted = books.bar  # the last bar whose counts the snapshot holds
        self._approved = frozenset(saved.get("approved", ()))
        self._sent: OrdersApproved | None = None

    def state(self) -> Mapping[str, Any]:
        """Return how many intents were approved and refused, and the failures."""
        return {**self._desk.state(), "failures": self.failures.report()}

    @property
    def decided(self) -> int:
        """Return the newest bar that was decided, durably; -1 for none."""
        return max(self._counted, -1 if self._sent is None else self._sent.bar)

    def again(self, group: BarGroup) -> list[Output]:
        """Send what `group` led to once more where it was the last decided; nothing where it was not."""
        sent = self._sent
        return [] if sent is None or sent.bar != group.index else [Send(GATEWAY, sent)]

    def pass_over(self, group: BarGroup) -> list[Output] | None:
        """Settle a bar from before the snapshot, whose orders are in the gateway's journal; None for any other."""
        return [self._send(group, [], [])] if group.index < self._counted else None

    def raise_latch(self, group: BarGroup, trigger: HaltTrigger, why: str) -> Send:
        """Raise the local latch and tell the coordinator, ahead of everything else."""
        return Send(COORDINATOR, self._books.latch.raise_for(group, trigger, why), control=True)

    def decide(self, group: BarGroup, batches: list[SignalBatch], *, leased: bool) -> list[Output]:
        """Return the halts, the records and the orders that `group` leads to."""
        books = self._books
        again = group.index <= self._counted
        books.working.expire(group.index)
        halts = [] if again else self._count_failures(group, batches)
        if books.end_flattening():
            closed = PositionsClosed(at_ns=group.known_ns, bar=group.index, session=group.session)
            halts.append(Send(COORDINATOR, closed, control=True))
        approvals, cancels, events = self._desk.run(
            group, batches, leased=leased, again=self._approved if again else None
        )
        if again:
            return [*halts, self._send(group, approvals, cancels)]
        warnings = books.heat_warning(group)
        kept = {
            "counts": self._desk.state(),
            "failures": self.failures.to_values(),
            "approved": [approval.intent.intent_id for approval in approvals],
            "cancels": list(cancels),
        }
        records = Persist((*events, *warnings, *books.snapshots(group, kept)))
        return [*halts, records, self._send(group, approvals, cancels)]

    def _send(self, group: BarGroup, approvals: list[OrderApproved], cancels: list[str]) -> Send:
        self._sent = OrdersApproved(
            at_ns=group.known_ns,
            bar=group.index,
            approvals=tuple(approvals),
            cancels=tuple(cancels),
            rung=self._books.rung,
            latch_version=self._books.latch.version,
        )
        return Send(GATEWAY, self._sent)

    def _count_failures(self, group: BarGroup, batches: list[SignalBatch]) -> list[Output]:
        due: tuple[HaltTrigger, str] | None = None
        for batch in batches:
            for failure in batch.failures:
                self.failures.failed_on(failure.symbol)
            if batch.failures and len(batch.failures) >= batch.evaluated:
                self.failures.failed(batch.strategy, group.index, batch.failures[0].error)
                due = due or self.failures.halt_due()  # at once: a success that follows takes nothing back
            elif batch.evaluated:
                self.failures.succeeded(batch.strategy)
        return [self.raise_latch(group, *due)] if due and due[0] not in self._books.latch.raised else []
