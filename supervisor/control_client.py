"""Ask a running engine, over its control socket; needs neither Ray nor a database."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from domain.commands import Verb
from domain.errors import Busy, CommandRefused, NotRunning
from storage.state_lock import is_in_use
from supervisor.control_wire import LONGEST_LINE, read_address, write_line

DEADLINE_S = 5.0
"""How long an answer is waited for: a command's effect is told within 2 s, or that it is not known."""

_AGAIN_S = 0.05
_AWAY = "does not hear: it is starting or ending, or its coordinator is being restarted"
_LONGEST_ANSWER = 64 * 1024 * 1024


def new_key() -> str:
    """Return a key that no other command has."""
    return os.urandom(8).hex()


class ControlClient:
    """Send requests to the engine of one state directory, each over a connection of its own."""

    def __init__(self, state_dir: Path, deadline_s: float = DEADLINE_S) -> None:
        """Ask the engine of `state_dir` and wait up to `deadline_s` for each answer."""
        self._state_dir, self._deadline_s = state_dir, deadline_s

    def ask(
        self,
        verb: Verb,
        arguments: Mapping[str, Any] | None = None,
        *,
        reason: str = "",
        mode: str = "",
        key: str = "",
        name: str = "",
        at_once: bool = False,
    ) -> dict[str, Any]:
        """Return the engine's answer, a refusal too.

        Where an engine is there and nobody listens, since it starts or Ray restarts its coordinator, that is waited
        for: a coordinator is back within 3 s. With `at_once` it is told as busy without delay, for who knows another
        way. Raises NotRunning where no engine is, Busy when no answer came in time, CommandRefused for a request that
        the socket itself does not take.
        """
        until_s = time.monotonic() + self._deadline_s
        request = {
            "verb": verb.value,
            "arguments": dict(arguments or {}),
            "key": key,
            "reason": reason,
            "mode": mode,
            "name": name,
            "until_s": until_s,
        }
        return _taken(self._heard(request, until_s, at_once))

    def _heard(self, request: Mapping[str, Any], until_s: float, at_once: bool) -> dict[str, Any]:
        """Return what the socket answers once somebody listens there who is not busy."""
        while True:
            body = self._once(request, until_s)
            if body is not None and body.get("error") != "busy":
                return body
            if body is None and not self._in_use():
                raise NotRunning(
                    f"no engine runs on {self._state_dir}; `breakwater run` starts one, --state DIR names another "
                    f"directory"
                )
            why = _AWAY if body is None else f"is busy: {body['detail']}"
            if body is None and at_once:
                raise Busy(f"the engine of {self._state_dir} {why}")
            if time.monotonic() + _AGAIN_S >= until_s:
                raise Busy(f"the engine of {self._state_dir} {why}; try again")
            time.sleep(_AGAIN_S)

    def _once(self, request: Mapping[str, Any], until_s: float) -> dict[str, Any] | None:
        """Return the answer, None where nobody listens; address and token are new with each start of a coordinator."""
        address = read_address(self._state_dir)
        if address is None:
            return None
        path, line = address.path, write_line({"token": address.token, **request})
        if len(line) > LONGEST_LINE:
            raise CommandRefused(f"the request has {len(line):,} bytes; allowed: {LONGEST_LINE:,}")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_left(until_s))
                connection.connect(path)
                with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before it closed
                    connection.sendall(line)
                received = bytearray()
                while not received.endswith(b"\n"):
                    connection.settimeout(_left(until_s))
                    chunk = connection.recv(64 * 1024)
                    if not chunk or len(received) > _LONGEST_ANSWER:
                        raise Busy(f"the engine of {self._state_dir} ended the connection without an answer")
                    received += chunk
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except (TimeoutError, BlockingIOError) as error:
            raise Busy(
                f"the engine of {self._state_dir} did not answer within {self._deadline_s:g} s: it is there, but busy "
                f"or stopped; what was asked may yet be done"
            ) from error
        except PermissionError as error:
            raise NotRunning(
                f"{path} cannot be used: {error.strerror}; ask as the user who runs the engine"
            ) from error
        except OSError as error:
            raise Busy(
                f"the engine of {self._state_dir} ended the connection: {error.strerror or error}"
            ) from error
        answer = json.loads(received)
        return answer if isinstance(answer, dict) else {}

    def _in_use(self) -> bool:
        try:
            return is_in_use(self._state_dir)
        except OSError as error:
            raise NotRunning(
                f"no engine can be seen on {self._state_dir}: {error.strerror or error}; ask as the user who runs it, "
                f"or name another directory with --state DIR"
            ) from error


def _left(until_s: float) -> float:
    return max(until_s - time.monotonic(), 0.001)


def _taken(body: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the coordinator's; raises what the socket's own refusals mean."""
    match body.get("error", ""):
        case "":
            return body
        case "ending":
            raise Busy(f"the engine is ending: {body['detail']}")
        case _:
            raise CommandRefused(str(body.get("detail", "the engine's answer has no sense")))
