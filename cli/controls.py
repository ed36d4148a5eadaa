"""Halt and resume the engine that this process runs, as anybody may from elsewhere: over its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from domain.commands import Verb
from domain.errors import CommandRefused
from supervisor.control_client import ControlClient, new_key


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


class SocketControls:
    """Ask the engine of a state directory (port: `Controls`)."""

    def __init__(self, state_dir: Path, mode: str) -> None:
        """Ask in `mode`, the one that this process believes the engine to be in."""
        self._client, self._mode = ControlClient(state_dir), mode

    def halt(self, reason: str) -> str:
        """Halt the account."""
        return self._ask(Verb.HALT, reason)

    def resume(self, reason: str) -> str:
        """Resume trading; inside the cooldown it is refused."""
        return self._ask(Verb.RESUME, reason)

    def _ask(self, verb: Verb, reason: str) -> str:
        body: Mapping[str, Any] = self._client.ask(verb, {}, reason=reason, mode=self._mode, key=new_key())
        if not body["ok"]:
            raise CommandRefused(str(body["detail"]))
        return f"{verb.value} {'effective' if body['effective'] else 'acknowledged'}: {body['detail']}"
