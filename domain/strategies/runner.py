"""Run one strategy instance: bars in, one `SignalBatch` a bar out.

A bar counts once. One that comes again is answered with what was said of it, for the newest two: a feed and a risk
manager that restarted together begin with the bar before the one under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from domain.bars import BarGroup, bar_fault
from domain.errors import InvariantViolation
from domain.lease import NO_PULSES, PULSE_TIMER, Lease, LeaseTerms, Standing
from domain.messages import (
    COORDINATOR,
    FEED,
    RISK,
    BarHistory,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    Ready,
    RequestHistory,
    SignalBatch,
    StrategyInbox,
    TimerFired,
    strategy_role,
)
from domain.outputs import Output, Send
from domain.signals import Signal, SignalFailure
from domain.strategies.catching_up import CatchingUp
from domain.strategies.evaluator import Evaluator
from domain.supervision import LeaseGranted

KEPT = 2
"""Batches kept to be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Configure a strategy's actor; `symbols` None means every symbol that comes."""

    strategy_id: str
    symbols: frozenset[str] | None
    block_ns: int
    warmup: int
    generation: int
    lease: LeaseTerms = NO_PULSES


class StrategyRunner:
    """Feed a strategy's evaluator and send what it says to the risk manager."""

    def __init__(self, settings: RunnerSettings, evaluator: Evaluator) -> None:
        """Start without history; `Begin` asks the feed for it."""
        self._settings = settings
        self._role = strategy_role(settings.strategy_id)
        self._lease = Lease(self._role, settings.generation, settings.lease)
        self._evaluator = evaluator
        self._line = CatchingUp()
        self._kept: dict[int, SignalBatch] = {}
        self._bars = 0
        self._failures = 0
        self._last: tuple[SignalFailure, ...] = ()
        self._knows_past = self._ready = self._at_rest = False
        self._said: tuple[int, int, list[Signal]] | None = None

    def handle(self, message: StrategyInbox) -> list[Output]:
        """Return what follows from `message`."""
        match message:
            case BarsPublished(group=group):
                return self._came(group)
            case BarHistory():
                return self._history(message)
            case TimerFired(name=name):
                return self._timer(name)
            case LeaseGranted(bars_head=bars_head):
                self._lease.grant(message)
                outputs = self._say_ready()
                return [*outputs, *(self._ask() if self._line.must_ask(bars_head) else ())]
            case Begin():
                self._knows_past = self._ready = False
                return [*self._beat(), *self._ask()]
            case Drain():
                self._at_rest = True
                return [Send(COORDINATOR, Drained(role=self._role))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return counts and the last failures."""
        return {
            "bars": self._bars,
            "failures": self._failures,
            "last_failures": [f"{failure.symbol}: {failure.kind}: {failure.error}" for failure in self._last],
            "last_said": self._last_said(),
        }

    def _last_said(self) -> Mapping[str, Any]:
        """Return the newest bar with signals: how many each way, and the surest; worked out only when asked."""
        if self._said is None:
            return {}
        bar, at_ns, signals = self._said
        strongest = max(signals, key=lambda signal: signal.confidence)
        buys = sum(signal.direction > 0 for signal in signals)
        return {
            "bar": bar,
            "at_ns": at_ns,
            "buys": buys,
            "sells": len(signals) - buys,
            "strongest": [strongest.symbol, strongest.direction, strongest.confidence],
        }

    def _came(self, group: BarGroup) -> list[Output]:
        if self._line.came_before(group):
            kept = self._kept.get(group.index)
            return [] if kept is None else [Send(RISK, kept)]
        if not self._line.is_due(group):
            return self._ask() if self._line.hold_back(group) else []
        self._line.count(group)
        return [self._speak(group), *self._caught_up()]

    def _history(self, part: BarHistory) -> list[Output]:
        for group in self._line.take(part):
            self._evaluator.observe(self._mine(_sound(group)))
        if not self._line.complete:
            return []
        self._knows_past = True
        return [*self._say_ready(), *self._caught_up()]

    def _caught_up(self) -> list[Output]:
        return [self._speak(group) for group in self._line.due()]

    def _ask(self) -> list[Output]:
        self._line.ask()
        settings = self._settings
        asked = RequestHistory(requester=self._role, block_ns=settings.block_ns, warmup=settings.warmup)
        return [Send(FEED, asked)]

    def _say_ready(self) -> list[Output]:
        if self._ready or not (self._knows_past and self._lease.held):
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=self._role, generation=self._settings.generation))]

    def _beat(self) -> list[Output]:
        return self._lease.beat(Standing(ready=self._ready, at_rest=self._at_rest))

    def _timer(self, name: str) -> list[Output]:
        if name == PULSE_TIMER:
            return self._beat()
        if not self._lease.owns(name):
            raise InvariantViolation(f"a strategy sets no timer {name}")
        self._lease.run_out(name)
        return []

    def _speak(self, group: BarGroup) -> Send:
        """Evaluate `group` and say so; what was said of the newest bars is kept."""
        batch = self._batch(self._mine(group))
        self._kept[group.index] = batch
        if len(self._kept) > KEPT:
            del self._kept[min(self._kept)]
        return Send(RISK, batch)

    def _batch(self, group: BarGroup) -> SignalBatch:
        signals: list[Signal] = []
        failures: list[SignalFailure] = []
        for said in self._evaluator.evaluate(group):
            if isinstance(said, SignalFailure):
                failures.append(said)
            elif said.direction:
                signals.append(said)
        self._bars += 1
        if signals:
            self._said = (group.index, group.known_ns, signals)
        if failures:
            self._failures += len(failures)
            self._last = tuple(failures)
        return SignalBatch(
            at_ns=group.known_ns,
            bar=group.index,
            strategy=self._settings.strategy_id,
            evaluated=len(group.bars),
            signals=tuple(signals),
            failures=tuple(failures),
        )

    def _mine(self, group: BarGroup) -> BarGroup:
        symbols = self._settings.symbols
        if symbols is None:
            return group
        return replace(group, bars=tuple(bar for bar in group.bars if bar.symbol in symbols))


def _sound(group: BarGroup) -> BarGroup:
    """Keep bars that break a rule out of the history too: the feed checks only what it publishes."""
    if all(bar_fault(bar) is None for bar in group.bars):
        return group
    return replace(group, bars=tuple(bar for bar in group.bars if bar_fault(bar) is None))
