"""Run one strategy instance: bars in, one `SignalBatch` a bar out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from domain.bars import BarGroup, bar_fault
from domain.errors import InvariantViolation
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
from domain.strategies.evaluator import Evaluator


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Configure a strategy's actor; `symbols` None means every symbol that comes."""

    strategy_id: str
    symbols: frozenset[str] | None
    block_ns: int
    warmup: int
    generation: int


class StrategyRunner:
    """Feed a strategy's evaluator and send what it says to the risk manager."""

    def __init__(self, settings: RunnerSettings, evaluator: Evaluator) -> None:
        """Start without history; `Begin` asks the feed for it."""
        self._settings = settings
        self._role = strategy_role(settings.strategy_id)
        self._evaluator = evaluator
        self._bars = 0
        self._failures = 0
        self._last: tuple[SignalFailure, ...] = ()
        self._newest = -1
        self._said: tuple[int, int, list[Signal]] | None = None

    def handle(self, message: StrategyInbox) -> list[Output]:
        """Return what follows from `message`."""
        settings = self._settings
        match message:
            case BarsPublished(group=group):
                return [Send(RISK, self._batch(self._mine(group)))] if self._is_next(group) else []
            case Begin():
                request = RequestHistory(
                    requester=self._role, block_ns=settings.block_ns, warmup=settings.warmup
                )
                return [Send(FEED, request)]
            case BarHistory(groups=groups, last=last):
                for group in groups:
                    if self._is_next(group):
                        self._evaluator.observe(self._mine(_sound(group)))
                return (
                    [Send(COORDINATOR, Ready(role=self._role, generation=settings.generation))]
                    if last
                    else []
                )
            case Drain():
                return [Send(COORDINATOR, Drained(role=self._role))]
            case TimerFired(name=name):
                raise InvariantViolation(f"a strategy sets no timer {name}")
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

    def _is_next(self, group: BarGroup) -> bool:
        """Note that `group` came; return False for one that came before: a bar counts once."""
        if group.index <= self._newest:
            return False
        self._newest = group.index
        return True

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
