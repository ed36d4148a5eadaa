"""Keep the halt latch in a small file, which outlives every database and which any process can read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domain.errors import DurabilityError
from domain.records import Rung
from storage.files import ROOM, FileLock, replace_file, sync_directory

NAME = "halt"
"""Name of the file in the state directory; where it is missing nothing is halted."""

LOCK = "halt.lock"
"""Held while a person's halt is added to what stands in the file."""

_LOCK_S = 1.0
_LONGEST = 4_000
"""Characters that the file keeps of who halted and why."""

_THEN = "; then "
"""Between what one person said and what the next did."""

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
        self._existed = state_dir.is_dir()
        self._seen: _Seen | None = None
        self._rung = Rung.ACTIVE

    def write(self, rung: Rung, version: int, detail: str) -> None:
        """Replace it, durably; ACTIVE removes it. Raises DurabilityError."""
        if rung is Rung.ACTIVE:
            self._remove()
            return
        content = {"rung": rung.name, "version": version, "detail": detail}
        replace_file(self._path, json.dumps(content).encode("ascii") + b"\n")

    def raise_to(self, rung: Rung, detail: str) -> Rung:
        """Write, as a person, `rung` and what is said of it unless more stands there, and return what stands then.

        What a person wrote there before stays beside it: nobody may have recorded it yet. Raises DurabilityError.
        """
        with self._alone():
            stands, (version, before) = self.read(), self.word()
            unheard = before if stands > Rung.ACTIVE and version == 0 else ""
            if unheard or stands <= rung:
                self.write(max(rung, stands), 0, _both(unheard, detail))
            return self.read()

    def reword(self, before: str, detail: str) -> bool:
        """Say more of what a person wrote last, while that is what stands there; return whether it was.

        Raises DurabilityError.
        """
        with self._alone():
            version, said = self.word()
            if version != 0 or not (said == before or said.endswith(f"{_THEN}{before}")):
                return False
            self.write(self.read(), 0, said.removesuffix(before) + detail)
            return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others who halt by file waiting; a lock that cannot be taken is no reason not to halt."""
        lock = FileLock(self._path.with_name(LOCK))
        with suppress(OSError):
            lock.take(f"process {os.getpid()}", wait_s=_LOCK_S)
        try:
            yield
        finally:
            lock.release()

    def read(self) -> Rung:
        """Return what stands there, ACTIVE where there is none, HALTED where it cannot be read.

        HALTED too where the directory itself went away: nobody could halt the engine there any more. So is a symbolic
        link to nothing: what it led to may be on a disk that is away.
        """
        try:
            found = os.stat(self._place)
            if (found.st_ino, found.st_mtime_ns, found.st_size) != self._seen:
                self._look()
        except FileNotFoundError:
            return Rung.HALTED if self._is_gone() or os.path.islink(self._place) else Rung.ACTIVE
        except OSError:
            return Rung.HALTED  # it is there, or may be
        return self._rung

    def word(self) -> tuple[int, str]:
        """Return the ladder's version of which it was written and what its writer said.

        The version is 0 where a person wrote it, or where nothing can be read.
        """
        try:
            values = json.loads(_content(self._path)[0])
            return int(values["version"]), str(values["detail"])
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return 0, f"the directory {self._path.parent} is gone" if self._is_gone() else ""

    def _is_gone(self) -> bool:
        return self._existed and not self._path.parent.is_dir()

    def _look(self) -> None:
        """Read the file; what it holds and which file it was stay together, whatever replaces it meanwhile."""
        content, found = _content(self._path)
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


def _both(before: str, detail: str) -> str:
    """Return both texts; where they grow too long only how the first began is kept of what was there."""
    if not before or before == detail:
        return detail
    return f"{before[: max(0, _LONGEST - len(detail))]}{_THEN}{detail}"


def keep_persons_halt(archived: Path, state_dir: Path, since_ns: int) -> bool:
    """Take a latch file that a person wrote since `since_ns` (UTC) back out of `archived`; return whether one is.

    Who halts while an engine starts means that engine, though it moves away what the one before left.
    """
    left = LatchFile(archived)
    try:
        written_ns = os.stat(archived / NAME).st_mtime_ns
    except FileNotFoundError:
        return False
    rung, (version, detail) = left.read(), left.word()
    if version != 0 or written_ns < since_ns:
        return False
    LatchFile(state_dir).write(rung, version, detail)
    return True


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """Return what a file holds and which it is; of what is no file nothing: a pipe would keep its reader waiting."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            return b"", found
        with open(number, "rb", closefd=False) as file:
            return file.read(), found
    finally:
        os.close(number)


def _rung_in(content: bytes) -> Rung:
    """Return the rung that `content` names; whoever wrote anything else there wanted a halt."""
    try:
        return Rung[json.loads(content)["rung"]]
    except (ValueError, TypeError, LookupError, RecursionError):
        return Rung.HALTED
