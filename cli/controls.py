"""Halt and resume the engine that this process runs, as anybody may from elsewhere: over its control socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from domain.commands import Verb
from domain.errors import Busy, CommandRefused
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

    def __init__(self, client: Client, mode: str, state_dir: Path) -> None:
        """Ask in `mode`, the one that this process believes the engine of `state_dir` to be in."""
        self._client, self._mode, self._state_dir = client, mode, state_dir

    def halt(self, reason: str) -> str:
        """Halt the account: by the latch's file where the engine does not hear, as `breakwater halt` does."""
        try:
            return self._ask(Verb.HALT, reason)
        except Busy as error:
            from cli.offline_halt import (
                halt_by_file,  # here: it is rarely needed, and no run should wait for it
            )

            return f"halt requested: {halt_by_file(self._state_dir, Verb.HALT, reason, '', error)['detail']}"

    def resume(self, reason: str) -> str:
        """Resume trading; inside the cooldown it is refused."""
        return self._ask(Verb.RESUME, reason)

    def _ask(self, verb: Verb, reason: str) -> str:
        body = self._client.ask(verb, {}, reason=reason, mode=self._mode, key=new_key())
        if not body["ok"]:
            raise CommandRefused(str(body["detail"]))
        return f"{verb.value} {'effective' if body['effective'] else 'acknowledged'}: {body['detail']}"
