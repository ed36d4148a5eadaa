"""Say what the command desk needs of whoever starts and ends roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from domain.errors import CommandRefused
from domain.messages import RISK, strategy_role
from domain.outputs import Output, Send
from domain.signals import strategy_of
from domain.supervision import ReleaseStrategy
from supervisor.child import OUT, Child, Status
from supervisor.children import Children
from supervisor.upkeep import Upkeep

Ordered = tuple[list[Output], str]
"""What follows from an order to a role, and in words what was begun."""


class Agents(Protocol):
    """Start, stop, restart and release roles by a person's word; each raises CommandRefused with its reason."""

    def start(self, role: str) -> Ordered:
        """Start a role that a person stopped."""
        ...

    def stop(self, role: str) -> Ordered:
        """Stop a role until it is started again; the others go on without it."""
        ...

    def restart(self, role: str) -> Ordered:
        """End a role's process and start its next generation."""
        ...

    def release(self, role: str) -> Ordered:
        """Forget a strategy's failures; one that was quarantined runs again."""
        ...


class ChildAgents:
    """Carry a person's orders to the coordinator's children (port: `Agents`)."""

    def __init__(
        self,
        children: Children,
        upkeep: Upkeep,
        kept: Callable[[], list[Output]],
        stopping: Callable[[], bool],
    ) -> None:
        """Order `children` about; `kept` is what makes it durable. While the engine is `stopping` all is refused."""
        self._children, self._upkeep, self._kept, self._stopping = children, upkeep, kept, stopping

    def start(self, role: str) -> Ordered:
        """Start a role that a person stopped."""
        child = self._known(role)
        if child.status is Status.QUARANTINED or child.held_out:
            why = child.report()["why"]
            raise CommandRefused(f"{role} is quarantined ({why}); `agents release` lets it run again")
        if child.status is Status.ENDED:
            raise CommandRefused(f"{role} has ended; only what a person stopped can be started")
        if child.status is not Status.STOPPED:
            return [], f"{role} runs already"
        return self._told(self._children.start(role)), f"{role} starts"

    def stop(self, role: str) -> Ordered:
        """Stop a strategy until it is started again: it abstains."""
        child = self._known(role)
        if not child.plan.strategies:
            raise CommandRefused(
                f"{role} cannot be stopped alone: an account must not be left without it; "
                "`halt` stops what increases exposure, Ctrl-C stops the engine, `agents restart` starts it anew"
            )
        if child.status is Status.STOPPED:
            return [], f"{role} is stopped already"
        if child.status in OUT:
            raise CommandRefused(f"{role} is {child.status.value} already")
        return self._told(self._children.stop(role, "a person stopped it")), f"{role} stops, and abstains"

    def restart(self, role: str) -> Ordered:
        """End a role's process and start its next generation."""
        child = self._known(role)
        if child.status in OUT:
            raise CommandRefused(f"{role} is {child.status.value}; only what runs can be restarted")
        if not child.plan.replaceable:
            raise CommandRefused(
                f"{role} shares one process with all others and cannot be started anew alone; "
                "`breakwater stop` and `run` start them all anew, `--runtime ray` gives each a process"
            )
        return self._told(self._children.restart(role, "a person restarted it")), f"{role} restarts"

    def release(self, role: str) -> Ordered:
        """Forget a strategy's failures; one that was quarantined runs again.

        What its breaker says then is the risk manager's word, which follows.
        """
        child = self._known(role)
        if not child.plan.strategies:
            raise CommandRefused(f"{role} is no strategy: nothing holds it out that a release could end")
        released: list[Output] = [
            Send(RISK, ReleaseStrategy(strategy=strategy), True)
            for strategy in sorted(set(map(strategy_of, child.plan.strategies)))
        ]
        if child.status is Status.QUARANTINED:
            return self._told([*released, *self._children.start(role)]), f"{role} is released and starts"
        return self._told(
            released
        ), f"{role} is released: its failures are forgotten, its breaker begins anew"

    def _known(self, role: str) -> Child:
        if self._stopping():  # what is started now may never be ready, and the stop would wait for it
            raise CommandRefused(f"the engine stops; {role} is left as it is")
        speaks_through = self._children.roles_of(role.removeprefix(strategy_role("")))
        if role not in self._children and speaks_through:
            raise CommandRefused(
                f"{role} is no role of its own; it speaks through {', '.join(speaks_through)}"
            )
        if role not in self._children:
            raise CommandRefused(f"no role {role!r}; there are: {', '.join(self._children.roles)}")
        return self._children[role]

    def _told(self, outputs: list[Output]) -> list[Output]:
        return [*outputs, self._upkeep.absent(), *self._kept()]
