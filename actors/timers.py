"""Run a shell's named timers on the monotonic clock."""

from __future__ import annotations

from domain.ports import Clock


class Timers:
    """Keep named deadlines; the shell's own thread asks what is due, so no timer thread races the machine."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadlines: dict[str, float] = {}

    def set(self, name: str, delay_s: float) -> None:
        """Let `name` run out `delay_s` seconds from now; the same name replaces."""
        self._deadlines[name] = self._clock.monotonic_s() + delay_s

    def cancel(self, name: str) -> None:
        """Forget `name`; nothing happens when there is none."""
        self._deadlines.pop(name, None)

    def wait_s(self) -> float | None:
        """Return the seconds until the next timer runs out, 0 when one has, None when there is none."""
        if not self._deadlines:
            return None
        return max(0.0, min(self._deadlines.values()) - self._clock.monotonic_s())

    def due(self) -> list[str]:
        """Remove and return the names that have run out, the earliest first."""
        if not self._deadlines:
            return []
        now = self._clock.monotonic_s()
        ripe = sorted((at, name) for name, at in self._deadlines.items() if at <= now)
        for _, name in ripe:
            del self._deadlines[name]
        return [name for _, name in ripe]
