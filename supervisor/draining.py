"""Drain roles one after another: data first, the audit writer last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from domain.messages import FEED, GATEWAY, RISK, Drain
from domain.outputs import Send


class Draining:
    """Keep whom the engine still waits for while it stops."""

    def __init__(self, order: tuple[str, ...], saved: Mapping[str, Any] | None) -> None:
        """Drain in `order`; go on with `saved` (`to_values`) where a former life was draining."""
        values = saved or {}
        self._order = order
        self._left: list[str] = list(values.get("left", ()))
        self._drain = Drain(
            reason=str(values.get("reason", "")), cancel_entries=bool(values.get("cancel_entries", False))
        )

    def to_values(self) -> dict[str, Any]:
        """Return what a restart goes on from, JSON-able."""
        return {
            "left": list(self._left),
            "reason": self._drain.reason,
            "cancel_entries": self._drain.cancel_entries,
        }

    @property
    def done(self) -> bool:
        """Say whether nobody is waited for any more."""
        return not self._left

    @property
    def waiting_for(self) -> list[str]:
        """Return the role that is draining now."""
        return self._left[:1]

    def begin(self, ready: Collection[str], drain: Drain) -> list[Send]:
        """Drain these roles, `ready` for it or soon to be, with `drain`; return what is told to who is not waited for.

        That is the feed, where gateway or risk manager are away: its bar can no longer settle.
        """
        self._drain = drain
        settles = FEED in ready and GATEWAY in ready and RISK in ready
        self._left = [role for role in self._order if role in ready and (role != FEED or settles)]
        return [] if settles or FEED not in ready else [Send(FEED, drain)]

    def asked(self, ready: Collection[str]) -> list[Send]:
        """Return what the role that is to drain now is told; nothing before it is `ready`: it has yet to hear them."""
        return [Send(role, self._drain) for role in self.waiting_for if role in ready]

    def drained(self, role: str) -> bool:
        """Note that `role` is at rest; return whether it was waited for."""
        if self.waiting_for != [role]:
            return False
        del self._left[0]
        return True

    def leave_out(self, role: str, ready: Collection[str]) -> bool:
        """Go on without `role` and all that are not `ready`; return whether another one is to drain now."""
        before = self.waiting_for
        self._left = [name for name in self._left if name != role and name in ready]
        return self.waiting_for != before
