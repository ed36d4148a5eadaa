"""Tell the real time to shells and adapters; machines get time inside messages only."""

from __future__ import annotations

import time


class SystemClock:
    """Be the operating system's clocks (port: `domain.ports.Clock`)."""

    def monotonic_s(self) -> float:
        """Return seconds of a clock that never goes back and keeps its pace when the date is set."""
        return time.monotonic()

    def wall_ns(self) -> int:
        """Return UTC nanoseconds since 1970, for stamps that people read."""
        return time.time_ns()
