"""Be one child of the coordinator: what is planned for it and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from domain.signals import strategy_of
from domain.supervision import RoleFigures
from supervisor.child_spec import RestartPolicy


class Status(StrEnum):
    """Name where a child stands."""

    STARTING = "starting"
    UP = "up"
    BEGUN = "begun"
    READY = "ready"
    QUARANTINED = "quarantined"
    STOPPED = "stopped"
    ENDED = "ended"


WHICHEVER = 0
"""Generation of a role that was not found: whichever was thought to be at work."""

OUT = frozenset({Status.QUARANTINED, Status.STOPPED, Status.ENDED})
"""Children that do not run and are not to run."""


class Verdict(StrEnum):
    """Name what the end of a child led to."""

    STALE = "stale"
    EXPECTED = "expected"
    RESTARTED = "restarted"
    QUARANTINED = "quarantined"
    EXHAUSTED = "exhausted"


class ChildPlan(NamedTuple):
    """Say what the coordinator must know of a role.

    It begins after the roles `after`. `strategies` are those that speak through it: ids, or parts of one ("id/2"). A
    child that is at one message for more than `most_busy_s` seconds hangs, one above `most_rss_bytes` (0: no bound) has
    outgrown its leave: both are ended and started anew.
    """

    role: str
    after: tuple[str, ...]
    restart: RestartPolicy
    strategies: tuple[str, ...]
    most_busy_s: float
    most_rss_bytes: int


@dataclass(slots=True)
class Child:
    """Be one child: its present generation, where it stands, when it ended before and why last.

    `ours` says that this life of the coordinator found a process of it, or asked for one. `doomed` says why it is being
    ended at this moment, "" while nobody wants that. `held_out` are the ids of its strategies whose breaker keeps them
    out until they are released, with the reason.
    """

    plan: ChildPlan
    generation: int = 1
    status: Status = Status.STARTING
    ends_s: tuple[float, ...] = ()
    restarts: int = 0
    why: str = ""
    pid: int = 0
    ours: bool = False
    doomed: str = ""
    held_out: dict[str, str] = field(default_factory=dict)
    figures: RoleFigures | None = field(default=None, repr=False)

    def report(self) -> dict[str, Any]:
        """Return what people see of it."""
        seen = self.figures
        held_out = all(strategy_of(name) in self.held_out for name in self.plan.strategies) and self.held_out
        return {
            "generation": self.generation,
            "status": Status.QUARANTINED.value if held_out else self.status.value,
            "restarts": self.restarts,
            "why": self._held_out_why() or self.why,
            "strategies": list(self.plan.strategies),
            "pid": self.pid,
            "rss_bytes": seen.rss_bytes if seen else 0,
            "busy_s": seen.busy_s if seen else 0.0,
            "queued": seen.queued if seen else 0,
        }

    def _held_out_why(self) -> str:
        """Return why breakers keep its strategies out, by name where it has several."""
        named = len(set(map(strategy_of, self.plan.strategies))) > 1
        return "; ".join(f"{name}: {why}" if named else why for name, why in self.held_out.items())
