"""Find the venue of a state directory: its lock says whether it runs, its address file where."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from domain.errors import BrokerUnavailable, EnvironmentFault
from storage.files import FileLock, replace_file
from storage.place import PLACE, is_place, place_of

SOCKET_PREFIX = "breakwater-venue-"
SOCKET_NAME = "venue.sock"
MAX_SOCKET_PATH = 100
"""Bytes a Unix socket's path may have: 104 on macOS, 108 on Linux, with its ending zero."""

_FIELDS = {"path": str, "pid": int, "token": str}


class Address(NamedTuple):
    """Be where a venue listens, its process and the token that it asks for."""

    path: str
    pid: int
    token: str


def venue_directory(state_dir: Path) -> Path:
    """Return where the venue of `state_dir` keeps its files."""
    return state_dir / "venue"


def _file(state_dir: Path) -> Path:
    return venue_directory(state_dir) / "address.json"


def write_address(state_dir: Path, address: Address) -> None:
    """Record `address` for this user's eyes alone, all or nothing; raises DurabilityError."""
    place = place_of(venue_directory(state_dir))
    replace_file(_file(state_dir), json.dumps({**address._asdict(), PLACE: place}).encode())


def read_address(state_dir: Path) -> Address | None:
    """Return the recorded address, or None when there is none; raises BrokerUnavailable when it is unreadable.

    One that came with a copy of the directory is another venue's, which must not be met, or lose its socket, by it.
    """
    file = _file(state_dir)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BrokerUnavailable(
            f"{file}: cannot be read: {error}. Stop the engine and start it again."
        ) from error
    if not isinstance(found, dict) or any(
        type(found.get(name)) is not kind for name, kind in _FIELDS.items()
    ):
        raise BrokerUnavailable(f"{file}: not a venue's address. Stop the engine and start it again.")
    if not is_place(found.get(PLACE), venue_directory(state_dir)):
        return None
    return Address(*(found[name] for name in _FIELDS))


def forget_address(state_dir: Path) -> None:
    """Remove the address file and the socket it names; harmless when there are none."""
    with suppress(BrokerUnavailable):
        address = read_address(state_dir)
        if address is not None:
            _remove_socket(Path(address.path))
    _file(state_dir).unlink(missing_ok=True)


def _remove_socket(path: Path) -> None:
    """Remove a socket and its directory, if they are what `new_socket_path` makes."""
    if path.name == SOCKET_NAME and path.parent.name.startswith(SOCKET_PREFIX):
        # What is left over, an empty private directory or a socket that nobody listens at, harms nobody: the next venue
        # makes a new one, and its address says which. To stop a venue for it, or not to start one, would.
        with suppress(OSError):
            path.unlink(missing_ok=True)
            path.parent.rmdir()


def new_socket_path() -> Path:
    """Make a private directory (mode 0700) with a path short enough for a socket; raises EnvironmentFault."""
    places = dict.fromkeys((tempfile.gettempdir(), "/tmp"))
    for place in places:
        if len(os.fsencode(place)) + len(SOCKET_PREFIX) + len(SOCKET_NAME) + 10 <= MAX_SOCKET_PATH:
            try:
                return Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=place)) / SOCKET_NAME
            except OSError:
                continue
    raise EnvironmentFault(
        f"no place for the venue's socket: tried {', '.join(places)}; a writable temporary directory with a path of "
        f"at most {MAX_SOCKET_PATH} bytes is needed. Set TMPDIR to one."
    )


def venue_lock(state_dir: Path) -> FileLock:
    """Return the lock that one venue process at a time has on a state directory, not taken yet."""
    return FileLock(venue_directory(state_dir) / "lock")


def is_running(state_dir: Path) -> bool:
    """Return whether a venue process has the state directory."""
    return venue_lock(state_dir).is_held()
