"""Say what goes over the control socket: one JSON object a line, strict, and where the socket is found.

`control.json` in the state directory (mode 0600) holds the socket's address and a token that is new with each start.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from domain.commands import Verb
from storage.place import PLACE, is_place

SOCKET = "control.sock"
ADDRESS = "control.json"
LONGEST_LINE = 64 * 1024
"""Bytes of a request; an answer may be longer, for a status tells of every role."""

LONGEST_ADDRESS = 103
"""Bytes that the path of a Unix socket may have on macOS, the least of the systems we know (Linux: 107)."""

SHORT_PREFIX = "breakwater-control-"
"""How a directory below /tmp begins that holds the socket of a state directory whose own path is too long."""

_KEY = re.compile(r"[\x21-\x7e]{0,64}")


class Request(NamedTuple):
    """Be what a line asked.

    `until_s` is the moment, on the machine's monotonic clock, up to which the asker waits. `name` is what the asker
    calls himself besides the user that the system knows.
    """

    token: str
    verb: Verb
    arguments: Mapping[str, Any]
    key: str
    reason: str
    mode: str
    name: str
    until_s: float


class Address(NamedTuple):
    """Be the content of `control.json`."""

    path: str
    token: str
    pid: int


def read_request(line: bytes) -> Request:
    """Return what `line` asks; raises ValueError, with the reason, for anything that is no request."""
    try:
        values = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError(f"found {type(values).__name__}, expected an object")
    if set(values) != set(Request._fields):
        missing, unknown = set(Request._fields) - set(values), set(values) - set(Request._fields)
        raise ValueError(f"missing: {_listed(missing)}; unknown: {_listed(unknown)}")
    # A lone surrogate is legal JSON and no text: nothing that is written down could hold it.
    json.dumps(values, ensure_ascii=False).encode("utf-8")
    request = Request(**values)
    for name in ("token", "verb", "key", "reason", "mode", "name"):
        text = getattr(request, name)
        if not isinstance(text, str) or not (text.isprintable() or text == ""):
            raise ValueError(f"{name}: expected one line of text")
    if not _KEY.fullmatch(request.key):
        raise ValueError("key: expected up to 64 letters, digits or signs")
    if len(request.name) > 64:
        raise ValueError("name: expected up to 64 characters")
    if not isinstance(request.arguments, dict):
        raise ValueError("arguments: expected an object")
    if type(request.until_s) is not float or not math.isfinite(request.until_s):
        raise ValueError("until_s: expected a number")
    return request._replace(verb=Verb(request.verb))


def write_line(values: Mapping[str, Any]) -> bytes:
    """Return `values` as one line of strict JSON; what is no JSON is told as text, NaN and infinities as null."""
    try:
        return json.dumps(values, default=str, allow_nan=False).encode("ascii") + b"\n"
    except ValueError:
        return json.dumps(_finite(json.loads(json.dumps(values, default=str)))).encode("ascii") + b"\n"


def read_address(state_dir: Path) -> Address | None:
    """Return where the engine of `state_dir` listens; None where it does not say, or no longer.

    What a copied directory says is the word of another directory's engine: halts and resumes would meet that one.
    """
    try:
        values = json.loads((state_dir / ADDRESS).read_bytes())
        if not is_place(values[PLACE], state_dir):
            return None
        return Address(str(values["path"]), str(values["token"]), int(values["pid"]))
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def fits(path: Path) -> bool:
    """Say whether a Unix socket may have this path."""
    return len(os.fsencode(path)) <= LONGEST_ADDRESS


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))[:200] or "nothing"


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"found {text}, which is no JSON")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
