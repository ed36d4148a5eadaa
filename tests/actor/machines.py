"""Machines and factories that the actor tests run in real processes."""

from __future__ import annotations

from typing import Any

from actors.parts import ActorContext, Parts
from domain.bars import BarGroup
from domain.messages import BarSettled, BarsArrived, BarsPublished, Begin
from domain.outputs import Output, Send
from supervisor.child_spec import ChildSpec


class Server:
    """Publish a group to every receiver and the next one when it is settled."""

    def __init__(self, receivers: tuple[str, ...], bars: int) -> None:
        self.receivers, self.bars, self.settled = receivers, bars, 0

    def handle(self, message: Any) -> list[Output]:
        if isinstance(message, Begin):
            return self._publish(0)
        assert isinstance(message, BarSettled)
        self.settled = message.bar + 1
        return self._publish(self.settled) if self.settled < self.bars else []

    def _publish(self, bar: int) -> list[Output]:
        message = BarsPublished(group=BarGroup(bar, bar, bar, 1, ()))
        return [Send(to, message) for to in self.receivers]

    def state(self) -> dict[str, Any]:
        return {"settled": self.settled}


class Returner:
    """Settle each group at once."""

    def __init__(self, to: str) -> None:
        self.to, self.seen = to, 0

    def handle(self, message: Any) -> list[Output]:
        if isinstance(message, BarsPublished):
            self.seen += 1
            return [Send(self.to, BarSettled(bar=message.group.index))]
        return []

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen}


def server(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Server(tuple(spec.arguments["receivers"]), spec.arguments["bars"]))


def returner(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Returner(spec.arguments["to"]))


__all__ = ["BarsArrived", "returner", "server"]
