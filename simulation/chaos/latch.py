"""Keep the halt latch's file in memory: it survives every process, and each role writes it through its own view."""

from __future__ import annotations

from collections.abc import Callable

from domain.records import Rung


class MemoryLatch:
    """Hold what the file says (port: `domain.ports.LatchPort`)."""

    def __init__(self, before: Callable[[str], None], after: Callable[[Rung], None]) -> None:
        """Stand for a file that is missing; `before` may raise as a disk or a death does, for the role that writes."""
        self._before, self._after = before, after
        self.rung = Rung.ACTIVE
        self.said = (0, "")

    def of(self, role: str) -> LatchView:
        """Return the latch as `role` writes it."""
        return LatchView(self, role)

    def by_hand(self, rung: Rung, words: str) -> bool:
        """Let a person halt as `breakwater halt` does where nobody answers; return whether they had to."""
        if self.rung > rung:
            return False
        self.rung, self.said = rung, (0, words)
        self._after(rung)
        return True

    def replace(self, role: str, rung: Rung, version: int, detail: str) -> None:
        """Take what `role` writes."""
        self._before(role)
        self.rung = rung
        self.said = (0, "") if rung is Rung.ACTIVE else (version, detail)
        self._after(rung)


class LatchView:
    """Be one role's hold on the latch (port: `domain.ports.LatchPort`)."""

    def __init__(self, latch: MemoryLatch, role: str) -> None:
        """Write `latch` as `role`."""
        self._latch, self._role = latch, role

    def write(self, rung: Rung, version: int, detail: str) -> None:
        """Replace it; raises DurabilityError where the disk fails."""
        self._latch.replace(self._role, rung, version, detail)

    def read(self) -> Rung:
        """Return what stands there."""
        return self._latch.rung

    def word(self) -> tuple[int, str]:
        """Return the version of which it was written and what its writer said."""
        return self._latch.said
