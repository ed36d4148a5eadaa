"""Queue one role's messages in two bounded lanes, of which control overtakes."""

from __future__ import annotations

from collections import deque
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

from domain.errors import MailboxFull

NORMAL_CAPACITY = 10_000
CONTROL_CAPACITY = 1_000


class LaneMailbox:
    """Take messages from any thread and give them to one (port: `domain.ports.Mailbox`).

    Each lane keeps its order; a waiting control message is always given before a waiting normal one. A full lane
    refuses with MailboxFull: the sender learns, nothing older is dropped. A closed mailbox drops silently, since what
    is sent to a stopped role is lost by definition.
    """

    def __init__(
        self, role: str, *, capacity: int = NORMAL_CAPACITY, control_capacity: int = CONTROL_CAPACITY
    ) -> None:
        self._role = role
        self._lanes: tuple[deque[Any], deque[Any]] = (deque(), deque())
        self._capacities = (capacity, control_capacity)
        self._lock = Lock()
        # One token a message, put after it: who gets a token finds a message. SimpleQueue waits in C, which makes a
        # hop between threads several times cheaper than a Condition does.
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self._closed = False

    def put(self, message: Any, *, control: bool = False) -> None:
        """Queue `message`; raises MailboxFull when its lane is full."""
        lane = self._lanes[control]
        with self._lock:
            if self._closed:
                return
            if len(lane) >= self._capacities[control]:
                name = "control" if control else "normal"
                raise MailboxFull(
                    f"the {name} lane of {self._role} holds {len(lane)} messages, its capacity: "
                    f"{type(message).__name__} was refused"
                )
            lane.append(message)
        self._tokens.put(None)

    def take(self, timeout_s: float | None = None) -> Any | None:
        """Return the next message, control first; None when `timeout_s` passed without one, or once closed."""
        try:
            self._tokens.get(timeout=timeout_s)
        except Empty:
            return None
        with self._lock:
            if self._closed:
                return None
            normal, control = self._lanes
            return control.popleft() if control else normal.popleft()

    def depths(self) -> tuple[int, int]:
        """Return how many messages wait in the normal and in the control lane."""
        normal, control = self._lanes
        return len(normal), len(control)

    @property
    def closed(self) -> bool:
        """Say whether the mailbox was closed."""
        return self._closed

    def close(self) -> None:
        """Drop what waits, refuse nothing and keep nothing from now on, and wake who waits."""
        with self._lock:
            self._closed = True
            for lane in self._lanes:
                lane.clear()
        self._tokens.put(None)
