"""Keep what went wrong for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.messages import RoleFailed


class Faults:
    """Keep the failures that ended the engine and count the faults that it survived."""

    def __init__(self) -> None:
        """Know of none."""
        self.failures: list[str] = []
        self._survived = 0
        self._last = ""

    def survived(self, message: RoleFailed) -> None:
        """Count a fault after which its role, and so the engine, goes on."""
        self._survived += 1
        self._last = f"{message.role}: {message.error}"

    def ended_it(self, message: RoleFailed) -> None:
        """Keep a failure without whose role the engine cannot go on."""
        self.failures.append(f"{message.role}: {message.error}")

    def state(self) -> Mapping[str, Any]:
        """Return all of it, JSON-able."""
        return {"failures": list(self.failures), "faults": self._survived, "last_fault": self._last}


def failure_of(role: str, error: str) -> RoleFailed:
    """Word the failure of a role that could not tell of it by itself."""
    return RoleFailed(role=role, error=error, traceback="", fatal=True)
