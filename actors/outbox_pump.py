"""Send committed audit events on to their writer, many in one message: a message costs more than the events in it.

What a role commits last may stay here when it falls silent. The writer asks every source once a second, and once more
before the trail closes, so nothing waits longer; a role that fails sends it first. It is all in the journal anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.outbox import AuditEvent, OutboxRecords
from domain.ports import Clock

MOST_EVENTS = 100
LONGEST_S = 0.1


class OutboxPump:
    """Gather a role's committed events and post them when many or old enough."""

    def __init__(self, source: str, clock: Clock, post: Callable[[OutboxRecords], None]) -> None:
        """Post the events of `source` by `post`."""
        self._source, self._clock, self._post = source, clock, post
        self._first = 0
        self._events: list[AuditEvent] = []
        self._posted_s = float("-inf")

    def committed(self, first: int, events: Sequence[AuditEvent]) -> None:
        """Take events that the journal has numbered from `first`."""
        if not self._events:
            self._first = first
        self._events.extend(events)

    def post(self, *, at_once: bool = False) -> None:
        """Post what waits, where it is many or old enough or `at_once`."""
        if not self._events:
            return
        now_s = self._clock.monotonic_s()
        if at_once or len(self._events) >= MOST_EVENTS or now_s - self._posted_s >= LONGEST_S:
            self._posted_s = now_s
            self._post(OutboxRecords(source=self._source, first_seq=self._first, events=tuple(self._events)))
            self._events.clear()

    def answer(self, first: int, events: Sequence[AuditEvent]) -> None:
        """Post what the journal holds from `first`, at once: what waits here is part of it."""
        self._events.clear()
        self._post(OutboxRecords(source=self._source, first_seq=first, events=tuple(events)))
