"""Name where the engine stands between start and stop, and configure who brings it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from supervisor.child import ChildPlan
from supervisor.command_desk import NO_DESK, DeskSettings
from supervisor.restart_policy import Intensity


class Phase(StrEnum):
    """Name where the engine stands between start and stop."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


ENDED = frozenset({Phase.STOPPED, Phase.FAILED})
"""Phases in which nothing more will happen."""

NOT_ENDED = -1
"""Stands for the number of bars there are, before the feed has told that it has no more."""

STOPPING = ENDED | {Phase.DRAINING}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinatorSettings:
    """Configure the coordinator: its children, the order in which they drain, and what to say at the start.

    `run` names this run of the state directory: what another run kept of its processes says nothing of this one's.
    `answer_deadline_s` is the wait, on the control clock, for an answer before it is asked for again.
    `alerting` has people told of what they must hear; without it there is nobody to tell.
    """

    run: str
    children: tuple[ChildPlan, ...]
    stop_order: tuple[str, ...]
    intensity: Intensity
    cancel_entries: bool
    started: Mapping[str, Any]
    answer_deadline_s: float
    flattening: frozenset[str] = frozenset()
    desk: DeskSettings = NO_DESK
    alerting: bool = False

    def about(self) -> Mapping[str, Any]:
        """Return mode and session, as far as they are told at the start."""
        return {"mode": self.started.get("mode", ""), "session": self.started.get("session", 0)}
