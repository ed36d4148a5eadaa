"""Say what a role's process is made of: a factory builds these inside the process, the shell runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from actors.logs import Log
from domain.ports import (
    AlertPort,
    BrokerPort,
    Clock,
    ControlPort,
    FeedPort,
    Journal,
    LatchPort,
    Machine,
    Mailbox,
    Supervisor,
)


def _known_already(handles: Mapping[str, Any]) -> None:
    """Do nothing: in one process every role is at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorContext:
    """Be what a process gives its factory: who it is, where it may write, its clock, log and mailbox.

    The mailbox is for adapters that are no ports of the shell; what is put there before `Begin` waits. `peers` makes
    this process learn where other roles are, for whoever starts them from here.
    """

    role: str
    generation: int
    state_dir: Path
    clock: Clock
    log: Log
    mailbox: Mailbox
    peers: Callable[[Mapping[str, Any]], None] = _known_already


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Be a role's machine and its ports.

    `routes` overrides addresses: what is sent to such a role is put into that mailbox in this process instead (a
    venue's link, for one). The shell opens its ports when `Begin` comes and closes what is here when it stops. With
    `notices` the coordinator is told of what is committed and people must hear of.
    """

    machine: Machine
    journal: Journal | None = None
    broker: BrokerPort | None = None
    feed: FeedPort | None = None
    supervisor: Supervisor | None = None
    control: ControlPort | None = None
    latch: LatchPort | None = None
    alerts: AlertPort | None = None
    notices: bool = False
    routes: Mapping[str, Mailbox] = field(default_factory=dict)


class Spec(Protocol):
    """Be what a factory needs of a `ChildSpec`."""

    @property
    def role(self) -> str:
        """Return the address."""
        ...

    @property
    def generation(self) -> int:
        """Return how often the role was started."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return what the composition root gave it."""
        ...
