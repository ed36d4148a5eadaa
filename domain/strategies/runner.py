"""Run the strategies of one role, one or a pack of them: bars in, one `SignalBatch` a bar and strategy out.

The role is one to everybody else: it pulses, is ready and at rest as one, and asks for history once, as far back as the
strategy of the longest warm-up needs. More bars than a block needs change nothing that is said of it.

A bar counts once. One that comes again is answered with what was said of it, for the newest two: a feed and a risk
manager that restarted together begin with the bar before the one under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    StrategyInbox,
    TimerFired,
)
from domain.outputs import Output, Send
from domain.strategies.catching_up import CatchingUp
from domain.strategies.voice import Voice
from domain.supervision import LeaseGranted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Configure the role of one or several strategies; all of them share the market's `block_ns`."""

    role: str
    block_ns: int
    generation: int
    lease: LeaseTerms = NO_PULSES


class StrategyRunner:
    """Feed the voices of a role and send what they say to the risk manager."""

    def __init__(self, settings: RunnerSettings, voices: Sequence[Voice]) -> None:
        """Start without history; `Begin` asks the feed for it."""
        self._settings = settings
        self._lease = Lease(settings.role, settings.generation, settings.lease)
        self._voices = tuple(voices)
        self._warmup = max(voice.settings.warmup for voice in voices)
        self._line = CatchingUp()
        self._knows_past = self._ready = self._at_rest = False

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
                return [Send(COORDINATOR, Drained(role=self._settings.role))]
            case _ as unreachable:
                assert_never(unreachable)

    def state(self) -> Mapping[str, Any]:
        """Return what each strategy tells of itself, by name."""
        return {"strategies": {voice.settings.name: voice.state() for voice in self._voices}}

    def _came(self, group: BarGroup) -> list[Output]:
        line = self._line
        if line.is_due(group):
            line.count(group)
            said = self._speak(group)
            return [*said, *self._caught_up()] if line.holds_back else said
        if line.came_before(group):
            kept = (voice.said(group.index) for voice in self._voices)
            return [Send(RISK, batch) for batch in kept if batch is not None]
        return self._ask() if line.hold_back(group) else []

    def _history(self, part: BarHistory) -> list[Output]:
        for group in self._line.take(part):
            sound = _sound(group)
            for voice in self._voices:
                voice.observe(sound)
        if not self._line.complete:
            return []
        self._knows_past = True
        return [*self._say_ready(), *self._caught_up()]

    def _caught_up(self) -> list[Output]:
        return [output for group in self._line.due() for output in self._speak(group)]

    def _ask(self) -> list[Output]:
        self._line.ask()
        settings = self._settings
        asked = RequestHistory(requester=settings.role, block_ns=settings.block_ns, warmup=self._warmup)
        return [Send(FEED, asked)]

    def _say_ready(self) -> list[Output]:
        if self._ready or not (self._knows_past and self._lease.held):
            return []
        self._ready = True
        return [Send(COORDINATOR, Ready(role=self._settings.role, generation=self._settings.generation))]

    def _beat(self) -> list[Output]:
        return self._lease.beat(Standing(ready=self._ready, at_rest=self._at_rest))

    def _timer(self, name: str) -> list[Output]:
        if name == PULSE_TIMER:
            return self._beat()
        if not self._lease.owns(name):
            raise InvariantViolation(f"a strategy sets no timer {name}")
        self._lease.run_out(name)
        return []

    def _speak(self, group: BarGroup) -> list[Output]:
        return [Send(RISK, voice.speak(group)) for voice in self._voices]


def _sound(group: BarGroup) -> BarGroup:
    """Keep bars that break a rule out of the history too: the feed checks only what it publishes."""
    if all(bar_fault(bar) is None for bar in group.bars):
        return group
    return replace(group, bars=tuple(bar for bar in group.bars if bar_fault(bar) is None))
