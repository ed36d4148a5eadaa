"""Let happen, between two deliveries, what no role does: clocks jump, signals and commands come, deliveries reorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.messages import Drain
from domain.records import Rung
from simulation.chaos.commanding import persons_command
from simulation.chaos.context import ChaosClock
from simulation.chaos.faults import FaultKind
from simulation.chaos.perils import Perils
from simulation.chaos.post import Post

_RUNGS = (Rung.REDUCING, Rung.HALTED, Rung.FLATTENING)


class Occasions:
    """Strike between deliveries."""

    def __init__(self, perils: Perils, clock: ChaosClock, post: Post, command: Callable[[Any], None]) -> None:
        """Move `clock` and `post`; `command` brings the coordinator a message of nobody's."""
        self._perils, self._clock, self._post, self._command = perils, clock, post, command
        self.mode = ""
        """The mode in which the engine runs, which a person's command must name."""
        self.jumped_s = 0.0
        self.by_hand: Callable[[Rung, str], bool] = lambda rung, words: False
        """Write the latch's file as a person, with these words; return whether it was done."""

    def pass_by(self) -> bool:
        """Let strike what is due; return whether the control clock jumped."""
        perils = self._perils
        wall = perils.strikes(FaultKind.WALL_JUMP)
        if wall is not None:
            self._clock.wall_offset_s += wall.value
        if perils.strikes(FaultKind.STOP) is not None:
            self._command(Drain(reason="SIGTERM", cancel_entries=True))
        asked = perils.strikes(FaultKind.COMMAND)
        if asked is not None:
            number, at_ns = perils.timeline.now, self._clock.wall_ns()
            self._command(persons_command(asked.where, number, self.mode, at_ns))
        filed = perils.strikes(FaultKind.LATCH_FILE)
        if filed is not None:
            words = f"fault search: {perils.timeline.now}"
            if self.by_hand(_RUNGS[int(filed.value * len(_RUNGS))], words):
                perils.timeline.wrote_by_hand(words)
        shuffled = perils.strikes(FaultKind.REORDERED)
        if shuffled is not None:
            self._post.shuffle(shuffled.occasion, shuffled.value)
        jump = perils.strikes(FaultKind.CLOCK_JUMP)
        if jump is None:
            return False
        self._clock.now_s += jump.value
        self.jumped_s += jump.value
        return True
