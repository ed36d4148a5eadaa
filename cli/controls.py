"""Carry out what is asked for at the display's keys."""

from __future__ import annotations

from typing import Protocol


class Controls(Protocol):
    """Reach the running engine. Each call may take a moment, and says in words what came of it.

    Raises BreakwaterError with the reason where it was refused.
    """

    def halt(self, reason: str) -> str:
        """Halt the account."""
        ...

    def resume(self, reason: str) -> str:
        """Resume trading."""
        ...
