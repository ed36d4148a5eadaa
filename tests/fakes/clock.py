"""Tell wall time that a test sets."""

from __future__ import annotations


class FakeWall:
    """Be a wall clock that moves only when told; `wall_ns` is what writers take."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        """Start at `now_ns` (2023-11-14 22:13:20 UTC by default)."""
        self.now_ns = now_ns

    def wall_ns(self) -> int:
        """Return the present time."""
        return self.now_ns
