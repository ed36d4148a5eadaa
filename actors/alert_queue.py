"""Hold the alerts that wait for one channel: bounded, what is critical kept longest."""

from __future__ import annotations

import threading
from collections import deque

from domain.alerts import Alert, Severity


class AlertQueue:
    """Be filled by one thread and emptied by another."""

    def __init__(self, bound: int) -> None:
        """Hold at most `bound` alerts."""
        self._bound = bound
        self._waiting: deque[Alert] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0
        """How many were let go of because too many waited."""

    def put(self, alert: Alert) -> None:
        """Add `alert`; where that is one too many, the oldest that is not critical goes, or else the oldest."""
        with self._changed:
            self._waiting.append(alert)
            if len(self._waiting) > self._bound:
                self.dropped += 1
                least = (each for each in self._waiting if each.severity < Severity.CRITICAL)
                self._waiting.remove(next(least, self._waiting[0]))
            self._changed.notify()

    def take(self) -> Alert | None:
        """Return the oldest, waiting for one; None once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Let who takes go home once nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)
