"""Run a shell's named timers on the monotonic clock."""

from __future__ import annotations

import math
from collections.abc import Iterable

from domain.ports import Clock


class Timers:
    """Keep named deadlines; the shell's own thread asks what is due, so no timer thread races the machine.

    A `strict` one runs out before any message is handled. Whether anything is due is asked around every message: one
    comparison with the earliest deadline answers it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadlines: dict[str, float] = {}
        self._strict: set[str] = set()
        self._earliest_s = self.strict_from_s = math.inf
        """The earliest deadline of all, and of the strict ones; the latter for reading."""

    def set(self, name: str, delay_s: float, *, strict: bool = False) -> None:
        """Let `name` run out `delay_s` seconds from now; the same name replaces."""
        self._deadlines[name] = self._clock.monotonic_s() + delay_s
        (self._strict.add if strict else self._strict.discard)(name)
        self._note_earliest()

    def cancel(self, name: str) -> None:
        """Forget `name`; nothing happens when there is none."""
        if name in self._deadlines:
            del self._deadlines[name]
            self._strict.discard(name)
            self._note_earliest()

    def wait_s(self) -> float | None:
        """Return the seconds until the next timer runs out, 0 when one has, None when there is none."""
        if self._earliest_s == math.inf:
            return None
        return max(0.0, self._earliest_s - self._clock.monotonic_s())

    def due(self) -> list[str]:
        """Remove and return the names that have run out, the earliest first."""
        return self._taken(self._deadlines, self._earliest_s)

    def strict_due(self) -> list[str]:
        """Remove and return the strict ones among them."""
        return self._taken(self._strict, self.strict_from_s)

    def _taken(self, names: Iterable[str], earliest_s: float) -> list[str]:
        if earliest_s == math.inf or (now := self._clock.monotonic_s()) < earliest_s:
            return []
        deadlines = self._deadlines
        ripe = sorted((deadlines[name], name) for name in names if deadlines[name] <= now)
        for _, name in ripe:
            del deadlines[name]
            self._strict.discard(name)
        self._note_earliest()
        return [name for _, name in ripe]

    def _note_earliest(self) -> None:
        deadlines = self._deadlines
        self._earliest_s = min(deadlines.values(), default=math.inf)
        self.strict_from_s = min([deadlines[name] for name in self._strict], default=math.inf)
