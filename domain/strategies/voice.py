"""Be one strategy within its role: evaluate each bar, word the batch, keep the newest, and count what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.bars import BarGroup
from domain.error_texts import describe, traced
from domain.errors import Recoverable
from domain.messages import SignalBatch
from domain.signals import Signal, SignalFailure, speaker_name
from domain.strategies.checking import Failed, FailureKind
from domain.strategies.evaluator import Evaluation, Evaluator

KEPT = 2
"""Batches kept to be sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceSettings:
    """Say which strategy speaks, of which symbols (None: every symbol that comes), after how many bars of warm-up.

    Where its symbols are shared out, this is `part` (from 1) of `parts`.
    """

    strategy_id: str
    symbols: frozenset[str] | None
    warmup: int
    part: int = 1
    parts: int = 1

    @property
    def name(self) -> str:
        """Return what its state and its absence go by."""
        return speaker_name(self.strategy_id, self.part, self.parts)


class Voice:
    """Turn the bars of a role into what one strategy says of them."""

    def __init__(self, settings: VoiceSettings, evaluator: Evaluator) -> None:
        """Have said nothing yet."""
        self._settings = settings
        self._evaluator = evaluator
        self._kept: dict[int, SignalBatch] = {}
        self._bars = 0
        self._failures = 0
        self._last: tuple[SignalFailure, ...] = ()
        self._said: tuple[int, int, list[Signal]] | None = None

    @property
    def settings(self) -> VoiceSettings:
        """Return who speaks."""
        return self._settings

    def observe(self, group: BarGroup) -> None:
        """Take in a past group without speaking of it."""
        self._evaluator.observe(self._mine(group))

    def speak(self, group: BarGroup) -> SignalBatch:
        """Return what is said of the next group; that of the newest groups is kept."""
        batch = self._batch(self._mine(group))
        self._kept[group.index] = batch
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return batch

    def said(self, bar: int) -> SignalBatch | None:
        """Return what was said of `bar`, None where that is not kept."""
        return self._kept.get(bar)

    def state(self) -> Mapping[str, Any]:
        """Return counts, the last failures and the newest bar with signals."""
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
        said = self._evaluated(group)
        failures = [each for each in said if type(each) is SignalFailure]
        signals = [each for each in said if type(each) is Signal and each.direction]
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
            part=self._settings.part,
            parts=self._settings.parts,
        )

    def _evaluated(self, group: BarGroup) -> list[Evaluation]:
        """Evaluate `group`; what the engine survives fails this strategy alone, not those that share its process."""
        try:
            return self._evaluator.evaluate(group)
        except Recoverable as error:
            failed = Failed(FailureKind.RAISED, describe(error), traced(error))
            return [failed.of(self._settings.strategy_id, bar.symbol) for bar in group.bars]

    def _mine(self, group: BarGroup) -> BarGroup:
        symbols = self._settings.symbols
        return group if symbols is None else group.only(symbols)
