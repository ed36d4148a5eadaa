"""Run a shell's named timers on the monotonic clock."""

from __future__ import annotations

from collections.abc import Iterable

from domain.ports import Clock


class Timers:
    """Keep named deadlines; the shell's own thread asks what is due, so no timer thread races the machine.

    `strict` names those that run out before any message is handled; for reading.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadlines: dict[str, float] = {}
        self.strict: set[str] = set()

    def set(self, name: str, delay_s: float, *, strict: bool = False) -> None:
        """Let `name` run out `delay_s` seconds from now; the same name replaces."""
        self._deadlines[name] = self._clock.monotonic_s() + delay_s
        (self.strict.add if strict else self.strict.discard)(name)

    def cancel(self, name: str) -> None:
        """Forget `name`; nothing happens when there is none."""
        if name in self._deadlines:
            del self._deadlines[name]
            self.strict.discard(name)

    def wait_s(self) -> float | None:
        """Return the seconds until the next timer runs out, 0 when one has, None when there is none."""
        if not self._deadlines:
            return None
        return max(0.0, min(self._deadlines.values()) - self._clock.monotonic_s())

    def due(self) -> list[str]:
        """Remove and return the names that have run out, the earliest first."""
        return self._taken(self._deadlines)

    def strict_due(self) -> list[str]:
        """Remove and return the strict ones among them."""
        return self._taken(self.strict)

    def _taken(self, names: Iterable[str]) -> list[str]:
        if not self._deadlines:
            return []
        now, deadlines = self._clock.monotonic_s(), self._deadlines
        ripe = sorted((deadlines[name], name) for name in names if deadlines[name] <= now)
        for _, name in ripe:
            self.cancel(name)
        return [name for _, name in ripe]
