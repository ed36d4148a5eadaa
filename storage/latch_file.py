"""Keep the halt latch in a small file, which outlives every database and which any process can read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from domain.errors import DurabilityError
from domain.records import Rung
from storage.files import ROOM, replace_file, sync_directory

NAME = "halt"
"""Name of the file in the state directory; where it is missing nothing is halted."""

_Seen = tuple[int, int, int]


class LatchFile:
    """Read and replace the latch's file (port: `domain.ports.LatchPort`).

    Reading again what has not changed costs one `stat`: the file is never written in place, so a change shows in its
    number, its time or its size.
    """

    def __init__(self, state_dir: Path) -> None:
        """Keep the latch of `state_dir`, which need not exist before something is halted."""
        self._path = state_dir / NAME
        self._place = str(self._path)
        self._seen: _Seen | None = None
        self._rung = Rung.ACTIVE

    def write(self, rung: Rung, version: int, detail: str) -> None:
        """Replace it, durably; ACTIVE removes it. Raises DurabilityError."""
        if rung is Rung.ACTIVE:
            self._remove()
            return
        content = {"rung": rung.name, "version": version, "detail": detail}
        replace_file(self._path, json.dumps(content).encode("ascii") + b"\n")

    def read(self) -> Rung:
        """Return what stands there, ACTIVE where there is none, HALTED where it cannot be read."""
        try:
            found = os.stat(self._place)
            if (found.st_ino, found.st_mtime_ns, found.st_size) != self._seen:
                self._look()
        except FileNotFoundError:
            return Rung.ACTIVE
        except OSError:
            return Rung.HALTED  # it is there, or may be
        return self._rung

    def word(self) -> tuple[int, str]:
        """Return the ladder's version of which it was written and what its writer said.

        The version is 0 where a person wrote it, or where nothing can be read.
        """
        try:
            values = json.loads(self._path.read_bytes())
            return int(values["version"]), str(values["detail"])
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return 0, ""

    def _look(self) -> None:
        """Read the file; what it holds and which file it was stay together, whatever replaces it meanwhile."""
        with open(self._path, "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read()
        self._rung = _rung_in(content)
        self._seen = (found.st_ino, found.st_mtime_ns, found.st_size)

    def _remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
            if self._path.parent.is_dir():
                sync_directory(self._path.parent)
        except OSError as error:
            raise DurabilityError(
                f"{self._path} cannot be removed: {error.strerror or error}; {ROOM}"
            ) from error


def _rung_in(content: bytes) -> Rung:
    """Return the rung that `content` names; whoever wrote anything else there wanted a halt."""
    try:
        return Rung[json.loads(content)["rung"]]
    except (ValueError, TypeError, LookupError, RecursionError):
        return Rung.HALTED
