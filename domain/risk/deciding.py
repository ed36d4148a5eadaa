"""Decide one bar: count failures, let the desk make its intents, and keep what it led to.

A bar is decided once in a life. After a restart the bar of the snapshot may be decided again: its records are durable,
for they and the snapshot were one commit, so nothing is counted or recorded twice, and nothing else is approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.bars import BarGroup
from domain.breakers import BreakerFactory
from domain.commands import ClosePosition
from domain.desk_round import DeskRound
from domain.failures import FailureTracker
from domain.halt_messages import PositionsClosed
from domain.messages import COORDINATOR, GATEWAY, OrderApproved, OrdersApproved, SignalBatch
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Persist, Send
from domain.records import HaltTrigger, MachineSnapshot
from domain.risk.book_keeping import BookKeeping
from domain.risk.entry_breakers import EntryBreakers
from domain.risk.joining import STILL_ABSENT
from domain.risk.limits import HaltPolicy
from domain.risk.settings import RiskSettings
from domain.risk.strategy_breakers import StrategyBreakers
from domain.supervision import AbsentStrategy, StrategiesQuarantined

BETWEEN = "between_bars"
"""Name of the snapshot of what changed since the last bar; of the two, the one of the higher edition is newer."""


def newest(saved: Mapping[str, Any] | None, between: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the values of the bar's snapshot, with what changed after it."""
    values = dict(saved or {})
    if between is not None and between["edition"] > values.get("edition", 0):
        values.update(between)
    return values


class Decider:
    """Turn what was said of a bar into one `OrdersApproved`, and remember the last."""

    def __init__(
        self,
        settings: RiskSettings,
        policy: HaltPolicy,
        books: BookKeeping,
        saved: Mapping[str, Any],
        build: BreakerFactory | None,
    ) -> None:
        """Decide on `books`, going on from the `saved` values; `build` makes the strategies' breakers."""
        self._books = books
        self._epoch, self._strategies = settings.epoch, len(settings.strategies)
        self._edition = int(saved.get("edition", 0))
        self._breakers = StrategyBreakers(settings.strategies, settings.breakers, build, saved)
        self._entries = EntryBreakers(settings.entry_breakers, build, saved.get("entry_breakers", {}))
        self._left_out: tuple[str, ...] = tuple(saved.get("left_out", ()))
        self._desk = DeskRound(settings, books)
        self._desk.restore(saved.get("counts", {}))
        self.failures = FailureTracker(policy, saved.get("failures"))
        self._counted = books.bar  # the last bar whose counts the snapshot holds
        self._approved = frozenset(saved.get("approved", ()))
        self._sent: OrdersApproved | None = None

    def state(self) -> Mapping[str, Any]:
        """Return how many intents were approved and refused, the failures and the strategies' breakers."""
        return {
            **self._desk.state(),
            "failures": self.failures.report(),
            "breakers": self._breakers.report(),
            "entry_breakers": self._entries.report(),
        }

    @property
    def decided(self) -> int:
        """Return the newest bar that was decided, durably; -1 for none."""
        return max(self._counted, -1 if self._sent is None else self._sent.bar)

    def again(self, group: BarGroup) -> list[Output]:
        """Send what `group` led to once more where it was the last decided; settle one from before that.

        A feed that restarted while a bar was being decided begins with the one before, and must come past it.
        """
        sent = self._sent
        if sent is None or sent.bar < group.index:
            return []
        return [Send(GATEWAY, sent if sent.bar == group.index else self._decision(group, [], []))]

    def pass_over(self, group: BarGroup) -> list[Output] | None:
        """Settle a bar from before the snapshot, whose orders are in the gateway's journal; None for any other."""
        return [self._send(group, [], [])] if group.index < self._counted else None

    def left_out(self, group: BarGroup) -> list[AbsentStrategy]:
        """Return the strategies whose breaker keeps them out of `group`; as it was when it was decided before."""
        if group.index <= self._counted:
            return [AbsentStrategy(name, "it was left out of this bar", True) for name in self._left_out]
        found = self._breakers.left_out(group)
        self._left_out = tuple(found)
        return [AbsentStrategy(name, why, True) for name, why in found.items()]

    def raise_latch(self, group: BarGroup, trigger: HaltTrigger, why: str) -> Send:
        """Raise the local latch and tell the coordinator, ahead of everything else."""
        return Send(COORDINATOR, self._books.latch.raise_for(group, trigger, why), control=True)

    def decide(self, group: BarGroup, batches: list[SignalBatch], *, leased: bool) -> list[Output]:
        """Return the halts, the records and the orders that `group` leads to; the last are told also where none are."""
        books = self._books
        again = group.index <= self._counted
        books.working.expire(group.index)
        books.runaway.expire(group.index)
        books.closings.settle(books.portfolio.book_lots)
        halts = [] if again else self._count_failures(group, batches)
        if books.end_flattening(again=again):
            closed = PositionsClosed(at_ns=group.known_ns, bar=group.index, session=group.session)
            halts.append(Send(COORDINATOR, closed, control=True))
        barred = None if again else self._entries.begin(group, books.fault)
        approvals, cancels, events = self._desk.run(
            group, batches, leased=leased, barred=barred, approved_before=self._approved if again else None
        )
        if again:
            return [*halts, self._send(group, approvals, cancels)]
        self._entries.end(group, self._desk.fault)
        halts += self._stop_runaways(group)
        changes = [
            *self._breakers.take_events(),
            *self._entries.take_events(),
            *books.heat_warning(group),
        ]
        self._edition += 1
        kept = {
            "edition": self._edition,
            **self._breakers.to_values(),
            "entry_breakers": self._entries.to_values(),
            "left_out": list(self._left_out),
            "counts": self._desk.to_values(),
            "failures": self.failures.to_values(),
            "approved": [approval.intent.intent_id for approval in approvals],
            "cancels": list(cancels),
        }
        records = Persist((*events, *changes, *books.snapshots(group, kept)))
        return [*halts, records, self._send(group, approvals, cancels)]

    def _send(self, group: BarGroup, approvals: list[OrderApproved], cancels: list[str]) -> Send:
        self._sent = self._decision(group, approvals, cancels)
        return Send(GATEWAY, self._sent)

    def _decision(
        self, group: BarGroup, approvals: list[OrderApproved], cancels: list[str]
    ) -> OrdersApproved:
        return OrdersApproved(
            at_ns=group.known_ns,
            bar=group.index,
            approvals=tuple(approvals),
            cancels=tuple(cancels),
            rung=self._books.rung,
            latch_version=self._books.latch.version,
            risk_epoch=self._epoch,
        )

    # --- what people do, and what must be told -----------------------------------------------------------------------

    def keep(self, *events: AuditEvent) -> Persist:
        """Make `events` and what changed since the last bar durable."""
        self._edition += 1
        values = {
            "edition": self._edition,
            **self._breakers.to_values(),
            "failures": self.failures.to_values(),
            **self._books.between_bars(),
        }
        snapshot = MachineSnapshot(name=BETWEEN, bar=max(self._books.bar, 0), at_ns=0, values=values)
        return Persist((*self._breakers.take_events(), *events, snapshot))

    def close_position(self, command: ClosePosition) -> list[Output]:
        """Owe the exits that a person asks for, and answer; a command that comes again is only answered."""
        books = self._books
        told = books.closings.answered(command.key)
        if told is not None:
            return [Send(COORDINATOR, told)]
        told = books.closings.ask(command, books.holdings(command.book, command.symbol))
        body = {
            "command": "position_close",
            "book": command.book,
            "symbol": command.symbol,
            "who": command.who,
            "reason": command.reason,
            "done": told.done,
            "detail": told.detail,
        }
        event = AuditEvent(AuditKind.INTERVENTION, 0, max(books.bar, 0), command.key, False, body)
        return [self.keep(event), Send(COORDINATOR, told)]

    def release(self, strategy: str) -> list[Output]:
        """Let a strategy take part as one that never failed, and tell who stays out now; no record where it does."""
        before = self._released()
        released = self._breakers.release(strategy, max(self._books.bar, 0))
        self.failures.forget(strategy)
        self._books.runaway.forget(strategy)
        changed = before != self._released()
        return [*([self.keep(*released)] if changed else []), self.quarantined()]

    def _released(self) -> tuple[Mapping[str, Any], ...]:
        """Return all that a release may change."""
        return self._breakers.to_values(), self.failures.to_values(), self._books.runaway.to_values()

    def left_out_before(self) -> list[Output]:
        """Tell which strategies stay out since a former life; nothing where none does."""
        return [self.quarantined()] if self._breakers.quarantined else []

    def quarantined(self) -> Send:
        """Tell which strategies stay out."""
        told = StrategiesQuarantined(quarantined=self._breakers.quarantined)
        return Send(COORDINATOR, told, control=True)

    # --- failures ---------------------------------------------------------------------------------------------------

    def _count_failures(self, group: BarGroup, batches: list[SignalBatch]) -> list[Output]:
        due: tuple[HaltTrigger, str] | None = None
        more_out = False
        failed_on: set[str] = set()
        for batch in batches:
            if not batch.failures:
                if batch.evaluated:
                    self.failures.succeeded(batch.strategy)
                    self._breakers.succeeded(group, batch.strategy)
                continue
            # Who is still absent has been counted; of a strategy in parts the others speak on.
            failed = [failure for failure in batch.failures if failure.kind != STILL_ABSENT]
            evaluated = batch.evaluated - len(batch.failures) + len(failed)
            for failure in failed:
                self.failures.failed_on(failure.symbol)
                failed_on.add(failure.symbol)
            if failed and len(failed) >= evaluated:
                self.failures.failed(batch.strategy, group.index, failed[0].error)
                due = due or self.failures.halt_due()  # at once: a success that follows takes nothing back
                more_out |= self._breakers.failed(group, batch.strategy, failed[0].cause)
            elif evaluated:
                self.failures.succeeded(batch.strategy)
                self._breakers.succeeded(group, batch.strategy)
        self.failures.bar_over(failed_on, (bar.symbol for bar in group.bars))
        return [
            *([self.quarantined()] if more_out else []),
            *self._raised_once(group, due),
            *self._raised_once(group, self._half_out() if more_out else None),
        ]

    def _stop_runaways(self, group: BarGroup) -> list[Output]:
        """Quarantine the strategies whose entries do not fill, and halt where too few are left."""
        due = self._books.runaway.take_due()
        out = [name for name, why in due.items() if self._breakers.quarantine(group, name, why)]
        return [self.quarantined(), *self._raised_once(group, self._half_out())] if out else []

    def _half_out(self) -> tuple[HaltTrigger, str] | None:
        """Return the halt that half of the strategies quarantined call for (requirement B1)."""
        out = self._breakers.quarantined
        if 2 * len(out) < self._strategies:
            return None
        names = ", ".join(told.strategy for told in out)
        why = f"{len(out)} of {self._strategies} strategies are quarantined: {names}"
        return HaltTrigger.STRATEGIES_QUARANTINED, why

    def _raised_once(self, group: BarGroup, due: tuple[HaltTrigger, str] | None) -> list[Output]:
        return [] if due is None or due[0] in self._books.latch.raised else [self.raise_latch(group, *due)]
