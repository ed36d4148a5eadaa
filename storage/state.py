"""Own a state directory: its layout, its lock, its session, and the archive that `--fresh` moves it into."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import StateError
from storage.engine import sqlite_url
from storage.files import FileLock, replace_file, sync_directory

MARKER = "breakwater.json"
LOCK = "lock"
SESSION = "session.json"
ARCHIVE = "archive"
FORMAT = 1

_UNFINISHED = ".unfinished"
_STAYS = frozenset({MARKER, LOCK, ARCHIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Say what the directory's present session is.

    `number` counts from 1 in a directory, across archives. `data` and `configuration` are fingerprints, by which a
    resumed run knows that it continues the same thing. `bar` is the newest group that settled, -1 before the first;
    `completed` says that the data ended, so that there is nothing to resume.
    """

    number: int
    data: str
    configuration: str
    runtime: str
    begun_ns: int
    completed: bool
    bar: int


class StateDirectory:
    """Hold one state directory alone, from `lock` to `release`."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is touched yet."""
        self.path = path.absolute()
        self.audit = self.path / "audit"
        self._lock = FileLock(self.path / LOCK)

    def database(self, role: str) -> Path:
        """Return the database file of `role`'s one writer."""
        return self.path / f"{role}.db"

    def database_url(self, role: str) -> str:
        """Return the URL of `role`'s database."""
        return sqlite_url(self.database(role))

    def lock(self) -> None:
        """Make the directory if absent (mode 0700) and take it for this process.

        Raises StateError when another process holds it, or when it is not ours and not empty.
        """
        try:
            if self.path.exists() and not self.path.is_dir():
                raise StateError(f"{self.path} is not a directory; name an empty or new one with --state DIR")
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._refuse_foreign()
            self.path.chmod(0o700)
            holder = self._lock.take(f"process {os.getpid()} on {socket.gethostname()}")
        except OSError as error:
            raise StateError(
                f"state directory {self.path} cannot be used: {error.strerror or error}"
            ) from error
        if holder is not None:
            raise StateError(
                f"state directory {self.path} is in use by {holder}; stop that engine first, "
                f"or name another directory with --state DIR"
            )
        if not (self.path / MARKER).exists():
            replace_file(
                self.path / MARKER, json.dumps({"product": "breakwater", "format": FORMAT}).encode() + b"\n"
            )
        self._finish_archive()

    def release(self) -> None:
        """Let go; harmless when not held."""
        self._lock.release()

    def session(self) -> Session | None:
        """Return the present session, None before the first; raises StateError when its file cannot be read."""
        path = self.path / SESSION
        if not path.exists():
            return None
        try:
            return Session(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise StateError(
                f"{path} is no session file: {error}. Keep a copy of the directory, then start with --fresh"
            ) from error

    def write_session(self, session: Session) -> None:
        """Replace the present session, durably; raises DurabilityError."""
        replace_file(self.path / SESSION, json.dumps(asdict(session), sort_keys=True).encode() + b"\n")

    def next_session_number(self) -> int:
        """Return the number for a new session: one more than any that this directory has seen, archives included."""
        present = self.session()
        numbers = [present.number] if present is not None else []
        for path in (self.path / ARCHIVE).glob(f"*/{SESSION}"):
            try:
                numbers.append(int(json.loads(path.read_bytes())["number"]))
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise StateError(f"{path} is no session file: {error}; move that archive away") from error
        return max(numbers, default=0) + 1

    def archive(self, now_ns: int) -> Path | None:
        """Move everything into `archive/<UTC stamp>-<n>/` and return that place; None when there is nothing to move.

        The names move one by one into a place marked unfinished, which is renamed at the end: after a crash, the
        next `lock` finishes the move, so that no old file is ever taken for a new one's.
        """
        if not self._movable():
            return None
        stamp = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        taken = {path.name.removesuffix(_UNFINISHED) for path in (self.path / ARCHIVE).glob(f"{stamp}-*")}
        n = next(n for n in range(1, len(taken) + 2) if f"{stamp}-{n}" not in taken)
        place = self.path / ARCHIVE / f"{stamp}-{n}{_UNFINISHED}"
        place.mkdir(mode=0o700, parents=True)
        sync_directory(self.path)
        sync_directory(place.parent)
        return self._move_into(place)

    def _movable(self) -> list[Path]:
        return sorted(path for path in self.path.iterdir() if path.name not in _STAYS)

    def _finish_archive(self) -> None:
        for place in sorted((self.path / ARCHIVE).glob(f"*{_UNFINISHED}")):
            self._move_into(place)

    def _move_into(self, place: Path) -> Path:
        for path in self._movable():
            os.rename(path, place / path.name)
        sync_directory(place)
        sync_directory(self.path)
        final = place.with_name(place.name.removesuffix(_UNFINISHED))
        os.rename(place, final)
        sync_directory(final.parent)
        return final

    def _refuse_foreign(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            found = [path.name for path in self._movable()]
            if found:
                more = ", ..." if len(found) > 5 else ""
                raise StateError(
                    f"{self.path} is no state directory: it holds {', '.join(found[:5])}{more}; "
                    f"name an empty or new directory with --state DIR"
                )
            return
        try:
            written = json.loads(marker.read_bytes())
            known = written["product"] == "breakwater" and written["format"] == FORMAT
        except (ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise StateError(
                f"{marker} was not written by this version: expected format {FORMAT}; use that version"
            )
