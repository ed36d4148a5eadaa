"""Ask a running engine, over its control socket; needs neither Ray nor a database."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.commands import Verb
from domain.errors import Busy, CommandRefused, NotRunning
from supervisor.control_wire import LONGEST_LINE, read_address, write_line

DEADLINE_S = 5.0
"""How long an answer is waited for: a command's effect is told within 2 s, or that it is not known."""

_AGAIN_S = 0.05
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
    ) -> dict[str, Any]:
        """Return the engine's answer, a refusal too.

        Raises NotRunning where nobody listens, Busy when no answer came in time, CommandRefused for a request that the
        socket itself does not take.
        """
        until_s = time.monotonic() + self._deadline_s
        address = read_address(self._state_dir)
        if address is None:
            raise self._not_running()
        request = {
            "token": address.token,
            "verb": verb.value,
            "arguments": dict(arguments or {}),
            "key": key,
            "reason": reason,
            "mode": mode,
            "name": name,
            "until_s": until_s,
        }
        line = write_line(request)
        if len(line) > LONGEST_LINE:
            raise CommandRefused(f"the request has {len(line):,} bytes; allowed: {LONGEST_LINE:,}")
        while True:
            body = self._once(address.path, line, until_s)
            if body.get("error") != "busy":
                return _taken(body)
            if time.monotonic() + _AGAIN_S >= until_s:
                raise Busy(f"the engine of {self._state_dir} is busy: {body['detail']}; try again")
            time.sleep(_AGAIN_S)

    def _once(self, path: str, line: bytes, until_s: float) -> dict[str, Any]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_left(until_s))
                connection.connect(path)
                connection.sendall(line)
                received = bytearray()
                while not received.endswith(b"\n"):
                    connection.settimeout(_left(until_s))
                    chunk = connection.recv(64 * 1024)
                    if not chunk or len(received) > _LONGEST_ANSWER:
                        raise Busy(
                            f"the engine of {self._state_dir} ended the connection without an answer; look at "
                            f"`breakwater status`"
                        )
                    received += chunk
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise self._not_running() from error
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

    def _not_running(self) -> NotRunning:
        return NotRunning(
            f"no engine runs on {self._state_dir}; `breakwater run` starts one, --state DIR names another directory"
        )


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
