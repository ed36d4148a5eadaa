"""Say what the command desk needs of whoever starts and ends roles."""

from __future__ import annotations

from typing import Protocol

from domain.errors import CommandRefused
from domain.outputs import Output

Ordered = tuple[list[Output], str]
"""What follows from an order to a role, and in words what was begun."""


class Agents(Protocol):
    """Start, stop, restart and release roles by a person's word; each raises CommandRefused with its reason."""

    def start(self, role: str) -> Ordered:
        """Start a role that a person stopped."""
        ...

    def stop(self, role: str) -> Ordered:
        """Stop a role until it is started again; the others go on without it."""
        ...

    def restart(self, role: str) -> Ordered:
        """End a role's process and start its next generation."""
        ...

    def release(self, role: str) -> Ordered:
        """Let a quarantined strategy run again, its failures forgotten."""
        ...


class FixedAgents:
    """Refuse every order: be the roles of an engine that starts and ends them together (port: `Agents`)."""

    def start(self, role: str) -> Ordered:
        """Refuse."""
        raise self._refusal(role)

    def stop(self, role: str) -> Ordered:
        """Refuse."""
        raise self._refusal(role)

    def restart(self, role: str) -> Ordered:
        """Refuse."""
        raise self._refusal(role)

    def release(self, role: str) -> Ordered:
        """Refuse."""
        raise self._refusal(role)

    @staticmethod
    def _refusal(role: str) -> CommandRefused:
        return CommandRefused(
            f"{role}: the roles of this engine start and end together; stop and run it again"
        )
