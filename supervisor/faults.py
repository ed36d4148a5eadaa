"""Keep what went wrong for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.messages import RoleFailed
from domain.outbox import AuditKind
from domain.outputs import Persist
from supervisor.events import event


class Faults:
    """Keep the failures that ended the engine and count the faults that it survived."""

    def __init__(self, failures: Iterable[str] = ()) -> None:
        """Know of the `failures` that a former life of the coordinator kept."""
        self.failures = list(failures)
        self._survived = 0
        self._last = ""

    def survived(self, message: RoleFailed) -> None:
        """Count a fault after which its role, and so the engine, goes on."""
        self._survived += 1
        self._last = f"{message.role}: {message.error}"

    def ended_it(self, message: RoleFailed) -> None:
        """Keep a failure without whose role the engine cannot go on, once however often it is told."""
        failure = f"{message.role}: {message.error}"
        self.failures += [failure] if failure not in self.failures else []

    def state(self) -> Mapping[str, Any]:
        """Return all of it, JSON-able."""
        return {"failures": list(self.failures), "faults": self._survived, "last_fault": self._last}


def recorded(message: RoleFailed) -> Persist:
    """Return the record of a role's failure."""
    body = {name: getattr(message, name) for name in ("role", "error", "traceback", "fatal")}
    return event(AuditKind.FAILURE, message.role, body)


def failure_of(role: str, error: str) -> RoleFailed:
    """Word the failure of a role that could not tell of it by itself."""
    return RoleFailed(role=role, error=error, traceback="", fatal=True)
