"""Halt and resume the engine that this process runs, as anybody may from elsewhere: over its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from domain.commands import Verb
from domain.errors import CommandRefused
from supervisor.control_client import new_key


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


class Client(Protocol):
    """Carry a command to an engine (`supervisor.control_client.ControlClient`)."""

    def ask(
        self,
        verb: Verb,
        arguments: Mapping[str, Any] | None = None,
        *,
        reason: str = "",
        mode: str = "",
        key: str = "",
    ) -> Mapping[str, Any]:
        """Return the engine's answer."""
        ...


class SocketControls:
    """Ask over a control socket (port: `Controls`)."""

    def __init__(self, client: Client, mode: str) -> None:
        """Ask in `mode`, the one that this process believes the engine to be in."""
        self._client, self._mode = client, mode

    def halt(self, reason: str) -> str:
        """Halt the account."""
        return self._ask(Verb.HALT, reason)

    def resume(self, reason: str) -> str:
        """Resume trading; inside the cooldown it is refused."""
        return self._ask(Verb.RESUME, reason)

    def _ask(self, verb: Verb, reason: str) -> str:
        body = self._client.ask(verb, {}, reason=reason, mode=self._mode, key=new_key())
        if not body["ok"]:
            raise CommandRefused(str(body["detail"]))
        return f"{verb.value} {'effective' if body['effective'] else 'acknowledged'}: {body['detail']}"
