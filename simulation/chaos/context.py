"""Give a role of the chaos runtime its surroundings: a clock that jumps, a silent log, a mailbox of its own."""

from __future__ import annotations

from typing import Any

from simulation.chaos.post import Channel, Letter, Post
from simulation.inline import VirtualClock


class ChaosClock(VirtualClock):
    """Be a virtual clock whose wall time may jump."""

    def __init__(self) -> None:
        """Start at zero."""
        super().__init__()
        self.wall_offset_s = 0.0

    def wall_ns(self) -> int:
        """Return the virtual time in nanoseconds since the start, with all jumps of the wall."""
        return max(0, int((self.now_s + self.wall_offset_s) * 1e9))


class SilentLog:
    """Take what a shell logs and keep nothing (port: `actors.logs.Log`)."""

    def info(self, event: str, **values: Any) -> None:
        """Keep nothing."""

    def warning(self, event: str, **values: Any) -> None:
        """Keep nothing."""

    def error(self, event: str, **values: Any) -> None:
        """Keep nothing: the timeline has it from the runtime."""


class OwnLane:
    """Be a role's own mailbox, for its ports and for what it sends itself (port: `domain.ports.Mailbox`)."""

    def __init__(self, role: str, post: Post) -> None:
        """Put into `post` as `role`, for `role`."""
        self._channels = (Channel(role, role, 0), Channel(role, role, 1))
        self._post = post

    def put(self, message: Any, *, control: bool = False) -> None:
        """Queue `message`."""
        self._post.queue(Letter(self._channels[control], message))
