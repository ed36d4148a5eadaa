"""Word what the coordinator puts on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Persist


def event(kind: AuditKind, key: str, body: Mapping[str, Any], at_ns: int = 0) -> Persist:
    """Return an event for the trail, which is no decision, of `key`; `at_ns` is 0 where no data say when."""
    return Persist((AuditEvent(kind, at_ns, -1, key, False, body),))
