"""Machines and factories with which the runtime contract is tested, in this process or in others."""

from __future__ import annotations

import time
from typing import Any

from actors.parts import ActorContext, Parts
from domain.errors import Busy, ConfigurationError
from domain.messages import BarSettled, Begin, RoleFailed, TimerFired
from domain.outputs import Output, Send, SetTimer
from supervisor.child_spec import ChildSpec

SLOW_BAR = 1_000_000
SLOW_S = 0.5
RECOVERABLE_BAR = 1_000_001
UNKNOWN_BAR = 1_000_002


class Recorder:
    """Keep what came: bars by number, timers by name, failures as (role, fatal, error)."""

    def __init__(self, forward: str = "", timer_s: float = 0.0, fails_at: str = "") -> None:
        self.forward, self.timer_s, self.fails_at = forward, timer_s, fails_at
        self.seen: list[Any] = []

    def handle(self, message: Any) -> list[Output]:
        match message:
            case BarSettled(bar=bar) if bar == RECOVERABLE_BAR:
                raise Busy("told to")
            case BarSettled(bar=bar) if bar == UNKNOWN_BAR:
                raise ZeroDivisionError("told to")
            case BarSettled(bar=bar):
                if bar == SLOW_BAR:
                    time.sleep(SLOW_S)
                self.seen.append(bar)
                return [Send(self.forward, message)] if self.forward else []
            case TimerFired(name=name):
                self.seen.append(name)
                if name == self.fails_at:
                    raise ZeroDivisionError("told to")
            case RoleFailed():
                self.seen.append((message.role, message.fatal, message.error))
            case Begin():
                return [SetTimer("soon", self.timer_s)] if self.timer_s else []
        return []

    def state(self) -> dict[str, Any]:
        return {"seen": list(self.seen)}


class Burst:
    """Send the numbers below `count` to `to` on Begin."""

    def __init__(self, to: str, count: int) -> None:
        self.to, self.count = to, count

    def handle(self, message: Any) -> list[Output]:
        return (
            [Send(self.to, BarSettled(bar=bar)) for bar in range(self.count)]
            if isinstance(message, Begin)
            else []
        )

    def state(self) -> dict[str, Any]:
        return {}


def recorder(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Recorder(**spec.arguments))


def burst(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Burst(**spec.arguments))


def refusing(spec: ChildSpec, context: ActorContext) -> Parts:
    raise ConfigurationError("stop_loss_percent: found 0.9, allowed 0.01 to 0.05")
