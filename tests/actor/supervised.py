"""Roles that do nothing but live, and one that cannot start twice."""

from __future__ import annotations

from typing import Any

from actors.parts import ActorContext, Parts
from domain.errors import EnvironmentFault
from domain.messages import COORDINATOR, Begin, Drain, Drained, Ready
from domain.outputs import Output, Send
from supervisor.child_spec import ChildSpec


class Worker:
    """Be ready at once, and at rest at once."""

    def __init__(self, role: str, generation: int) -> None:
        self.role, self.generation = role, generation

    def handle(self, message: Any) -> list[Output]:
        match message:
            case Begin():
                return [Send(COORDINATOR, Ready(role=self.role, generation=self.generation))]
            case Drain():
                return [Send(COORDINATOR, Drained(role=self.role))]
        return []

    def state(self) -> dict[str, Any]:
        return {"generation": self.generation}


def worker(spec: ChildSpec, context: ActorContext) -> Parts:
    return Parts(machine=Worker(spec.role, spec.generation))


def once(spec: ChildSpec, context: ActorContext) -> Parts:
    if spec.generation > 1:
        raise EnvironmentFault("it cannot start again")
    return worker(spec, context)
