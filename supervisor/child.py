"""Be one child of the coordinator: what is planned for it and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
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
    outgrown its leave: both are ended and started anew. One that is not `replaceable` shares a process with the others,
    and its journal's lock with what would replace it.
    """

    role: str
    after: tuple[str, ...]
    restart: RestartPolicy
    strategies: tuple[str, ...]
    most_busy_s: float
    most_rss_bytes: int
    replaceable: bool = True


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
            "why": self._held_out_why() or self.why or self._failing(),
            "strategies": list(self.plan.strategies),
            "pid": self.pid,
            "rss_bytes": seen.rss_bytes if seen else 0,
            "busy_s": seen.busy_s if seen else 0.0,
            "queued": seen.queued if seen else 0,
        }

    def _held_out_why(self) -> str:
        """Return why breakers keep its strategies out, by name where it has several."""
        return self._by_name(self.held_out)

    def _failing(self) -> str:
        """Return how often its strategies failed as far as was seen, and how last: too seldom to be kept out."""
        views = ((self.figures and self.figures.state) or {}).get("strategies", {})
        return self._by_name(
            {
                name: f"{view['failures']:,} evaluations failed, the last: {view['last_failures'][-1]}"
                for name, view in views.items()
                if view["failures"]
            }
        )

    def _by_name(self, said: Mapping[str, str]) -> str:
        named = len(set(map(strategy_of, self.plan.strategies))) > 1
        return "; ".join(f"{name}: {words}" if named else words for name, words in said.items())


def kept_out(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the next run goes on from of `saved` (`Children.to_values`).

    What is quarantined, or a person stopped, stays out until a person lets it in; of all others nothing is held on to.
    """
    out = {Status.QUARANTINED, Status.STOPPED}
    return {
        role: (1, status, (), 0, why, {})
        for role, (_, status, _, _, why, _) in saved.items()
        if Status(status) in out
    }
