"""Own a state directory: its layout, its lock, its session, and the archive that `--fresh` moves it into."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType

from config.database_url import BESIDE_STATE, is_allowed
from domain.errors import StateError
from storage.commit_group import REDO, finish_commit, is_left
from storage.files import LOCK_SUFFIX, FileLock, await_writers, replace_file, sync_directory
from storage.location import Databases
from storage.state_lock import ASKED_S, LOCK

MARKER = "breakwater.json"
SESSION = "session.json"
ARCHIVE = "archive"
FORMAT = 1

_UNFINISHED = ".unfinished"
_SESSIONS = "sessions"
"""Key of the marker under which it counts the directory's sessions; one without it has its numbers in its archives."""

_KINDS: Mapping[str, tuple[type, ...]] = {
    "number": (int,),
    "data": (str,),
    "configuration": (str,),
    "runtime": (str,),
    "begun_ns": (int,),
    "completed": (bool,),
    "bar": (int,),
    "databases": (str,),
    "first": (int, NoneType),
    "trail_seq": (int,),
    "trail_head": (str,),
    "code": (dict, NoneType),
    "config_directory": (str, NoneType),
}
"""What each value of a session may be."""

_STAYS = frozenset({MARKER, LOCK, ARCHIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Say what the directory's present session is.

    `number` counts from 1 in a directory, across archives. `data` and `configuration` are fingerprints, by which a
    resumed run knows that it continues the same thing. `bar` is the newest group that settled, -1 before the first;
    `completed` says that the data ended, so that there is nothing to resume. `databases` is the template of its
    databases' URLs, not resolved: a directory that was moved, copied or archived finds those that went with it.
    `first` is the first group that might trade, None in a session from before it was kept.
    `code` says which code the strategies were that the configuration only names (`config.strategy_code`), None in a
    session from before it was kept.
    `config_directory` is where the configuration lay when it ran last, None for the shipped one.
    `trail_seq` and `trail_head` are number and hash of the record with which the audit trail ended in order last.
    """

    number: int
    data: str
    configuration: str
    runtime: str
    begun_ns: int
    completed: bool
    bar: int
    databases: str = BESIDE_STATE
    first: int | None = None
    trail_seq: int = 0
    trail_head: str = ""
    code: Mapping[str, str] | None = None
    config_directory: str | None = None

    @property
    def trail_end(self) -> tuple[int, str] | None:
        """Return number and hash of the record with which the trail ended in order last; None when it never did."""
        return (self.trail_seq, self.trail_head) if self.trail_seq else None


class StateDirectory:
    """Hold one state directory alone, from `lock` to `release`."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is touched yet."""
        self.path = path.absolute()
        self.audit = self.path / "audit"
        self.redo = self.path / REDO
        self._lock = FileLock(self.path / LOCK)

    def databases(self) -> Databases:
        """Return where the present session's databases lie; before the first session, where they do by default."""
        session = self.session()
        if session is None:
            return Databases(template=BESIDE_STATE, state=self.path, session=0)
        return Databases(template=session.databases, state=self.path, session=session.number)

    def database(self, role: str) -> Path:
        """Return the database file of `role`'s one writer."""
        return self.databases().path(role)

    def database_url(self, role: str) -> str:
        """Return the URL of `role`'s database."""
        return self.databases().url(role)

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
            holder = self._lock.take(f"process {os.getpid()} on {socket.gethostname()}", wait_s=ASKED_S)
        except OSError as error:
            raise StateError(
                f"state directory {self.path} cannot be used: {error.strerror or error}; "
                f"name a place where you may write with --state DIR"
            ) from error
        if holder is not None:
            raise StateError(
                f"state directory {self.path} is in use by {holder}; stop that engine first, "
                f"or name another directory with --state DIR"
            )
        if not (self.path / MARKER).exists():
            self._write_marker(0)
        self._finish_archive()

    def finish_commit(self) -> None:
        """Finish what a killed engine was committing, before any database is read; nothing to do while one runs.

        Raises StateError or DurabilityError when it cannot be finished.
        """
        if not is_left(self.redo):
            return
        lock = FileLock(self.path / LOCK)
        try:
            if lock.take(f"process {os.getpid()}, which finishes a commit") is None:
                finish_commit(self.redo)
        except OSError as error:
            raise StateError(
                f"{self.redo} holds a commit that a killed engine did not finish, and {error.filename or self.path} "
                f"cannot be written: {error.strerror or error}; read as the user who runs the engine"
            ) from error
        finally:
            lock.release()

    def release(self) -> None:
        """Let go; harmless when not held."""
        self._lock.release()

    def session(self) -> Session | None:
        """Return the present session, None before the first; raises StateError when its file cannot be read."""
        path = self.path / SESSION
        if not path.exists():
            return None
        try:
            session = Session(**json.loads(path.read_bytes()))
            _refuse_nonsense(session)
            return session
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise StateError(
                f"{path} is no session file: {error}. Keep a copy of the directory, then start with --fresh"
            ) from error

    def write_session(self, session: Session) -> None:
        """Replace the present session, durably, and count it; raises DurabilityError."""
        replace_file(self.path / SESSION, json.dumps(asdict(session), sort_keys=True).encode() + b"\n")
        if session.number > self._counted():
            self._write_marker(session.number)

    def next_session_number(self) -> int:
        """Return the number for a new session: one more than any that this directory has seen.

        The marker counts them, so that a number does not come back when archives are deleted; a crash between
        session and count, or a directory from before the count, is made good by what lies there.
        """
        present = self.session()
        numbers = [self._counted(), present.number if present is not None else 0]
        for path in (self.path / ARCHIVE).glob(f"*/{SESSION}"):
            try:
                numbers.append(int(json.loads(path.read_bytes())["number"]))
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                raise StateError(f"{path} is no session file: {error}; move that archive away") from error
        return max(numbers) + 1

    def _counted(self) -> int:
        """Return how many sessions the marker has counted, 0 where it does not say; raises StateError, OSError."""
        marker = self.path / MARKER
        try:
            return _sessions(marker.read_bytes())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise StateError(
                f"{marker} was not written by this version: expected format {FORMAT}, {error}; "
                f"use the version that wrote it"
            ) from error

    def _write_marker(self, sessions: int) -> None:
        content = {"product": "breakwater", "format": FORMAT, _SESSIONS: sessions}
        replace_file(self.path / MARKER, json.dumps(content).encode() + b"\n")

    def archive(self, now_ns: int) -> Path | None:
        """Move everything into `archive/<UTC stamp>-<n>/` and return that place; None when there is nothing to move.

        The names move one by one into a place marked unfinished, which is renamed at the end: after a crash, the
        next `lock` finishes the move, so that no old file is ever taken for a new one's. Raises StateError while a
        file is still being written: its writer would go on by its old name, which is the next session's.
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
        self._await_writers()
        for path in self._movable():
            os.rename(path, place / path.name)
        sync_directory(place)
        sync_directory(self.path)
        final = place.with_name(place.name.removesuffix(_UNFINISHED))
        os.rename(place, final)
        sync_directory(final.parent)
        return final

    def _await_writers(self) -> None:
        """Wait a little for the processes of a killed engine to end; raises StateError for one that does not."""
        for top in self._movable():
            found = (top, *sorted(top.rglob(f"*{LOCK_SUFFIX}")))
            await_writers(path for path in found if path.name.endswith(LOCK_SUFFIX) and path.is_file())

    def _refuse_foreign(self) -> None:
        marker = self.path / MARKER
        if not marker.exists():
            # A kill while the very first marker was written leaves its draft.
            found = [path.name for path in self._movable() if not path.name.startswith(f".{MARKER}.")]
            if found:
                more = ", ..." if len(found) > 5 else ""
                raise StateError(
                    f"{self.path} is no state directory: it holds {', '.join(found[:5])}{more}; "
                    f"name an empty or new directory with --state DIR"
                )
            return
        self._counted()


def _refuse_nonsense(session: Session) -> None:
    """Raise ValueError that names the first value of `session` which cannot be one."""
    if not is_allowed(session.databases):
        raise ValueError(f"databases at {session.databases!r}")
    for name, kinds in _KINDS.items():
        value = getattr(session, name)
        if type(value) not in kinds:
            raise ValueError(f"{name} is {value!r}")
    for name, least in (("number", 1), ("bar", -1), ("trail_seq", 0)):
        if getattr(session, name) < least:
            raise ValueError(f"{name} is {getattr(session, name)}; allowed: {least} and more")


def _sessions(marker: bytes) -> int:
    """Return the number of sessions that a marker has counted, 0 without a count; raises ValueError for no marker."""
    try:
        written = json.loads(marker)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(written, dict) or written.get("product") != "breakwater":
        raise ValueError("found no marker of this product")
    if written.get("format") != FORMAT:
        raise ValueError(f"found {written.get('format')!r}")
    sessions = written.get(_SESSIONS, 0)
    if type(sessions) is not int or sessions < 0:
        raise ValueError(f"found {sessions!r} {_SESSIONS}")
    return sessions
