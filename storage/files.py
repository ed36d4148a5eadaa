"""Write files so that what was said to be written is still there after a crash."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from domain.errors import DurabilityError, StateError

WRITER_WAIT_S = 5.0
"""How long a writer waits for the one before it: an actor outlives the engine that was killed by a moment."""

LOCK_SUFFIX = ".lock"
"""How the name ends of a lock that one writer holds."""

ROOM = "see that the disk has room and can be written, then run again to go on"
"""What to do after a write that failed."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_POLL_S = 0.02


class AppendFile:
    """Append to one file, durable at the return of `append`; after a failure nothing more is taken."""

    def __init__(self, path: Path) -> None:
        """Open or create `path` for appending; raises DurabilityError when that fails."""
        self.path = path
        try:
            known = path.exists()
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self.size = os.fstat(self._descriptor).st_size
            if not known:
                sync_directory(path.parent)
        except OSError as error:
            raise DurabilityError(
                f"{path} cannot be opened for writing: {error.strerror or error}; {ROOM}"
            ) from error

    def append(self, content: bytes, *, durable: bool = True) -> None:
        """Write all of `content`, through to the disk if `durable`; raises DurabilityError, and never tries again.

        What is not `durable` outlives the process, and reaches the disk with the next that is.
        """
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._descriptor, view) :]
            if durable:
                _flush(self._descriptor)
        except OSError as error:
            raise DurabilityError(
                f"{self.path} cannot be written: {error.strerror or error}; {ROOM}"
            ) from error
        self.size += len(content)

    def clear(self) -> None:
        """Empty the file, not durably: after a loss of power it may be as it was. Raises DurabilityError."""
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise DurabilityError(f"{self.path} cannot be cut: {error.strerror or error}; {ROOM}") from error
        self.size = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _flush(descriptor: int) -> None:
    if sys.platform == "darwin":
        # There fsync leaves the data in the drive's own cache.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def line_before(path: Path, end: int) -> bytes:
    """Return the line of `path` that ends at byte `end`, newline and all; empty at the start of the file."""
    with path.open("rb") as file:
        span = 4_096
        while True:
            start = max(end - span, 0)
            file.seek(start)
            content = file.read(end - start)
            at = content.rfind(b"\n", 0, max(len(content) - 1, 0)) + 1
            if at > 0 or start == 0:
                return content[at:]
            span *= 4


def whole_lines(path: Path) -> int:
    """Return the length in bytes of the whole lines of `path`, leaving out a last one without an end."""
    size = path.stat().st_size
    tail = line_before(path, size)
    return size if tail.endswith(b"\n") else size - len(tail)


def cut_file(path: Path, size: int) -> None:
    """Cut `path` to `size` bytes, durably; raises DurabilityError."""
    try:
        with path.open("r+b") as file:
            file.truncate(size)
            os.fsync(file.fileno())
    except OSError as error:
        raise DurabilityError(f"{path} cannot be cut: {error.strerror or error}; {ROOM}") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a place beside `path` for its new content, which takes its place, durably, when the block ends well.

    A link is followed: what it names is replaced. The block writes and closes that file; when it fails, `path` is what
    it was. Raises OSError, also where `path` is there and no regular file: a device or a pipe would become one. The
    name carries the process's number, so that two processes that replace the same file do not write into one draft.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"it is {kind_of_file(path)} and no regular file", str(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        _sync(draft, os.O_RDONLY)
        os.replace(draft, path)
        sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def kind_of_file(path: Path) -> str:
    """Return, for people, what stands at `path`, links followed; raises OSError."""
    mode = path.stat().st_mode
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "a special file")


_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISREG, "a regular file"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path` (mode 0600), whole or not at all, durably; raises DurabilityError."""
    try:
        with (
            replacing(path) as draft,
            open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
        ):
            file.write(content)
    except OSError as error:
        raise DurabilityError(f"{path} cannot be written: {error.strerror or error}; {ROOM}") from error


@contextlib.contextmanager
def reporting_full_disk(place: Path) -> Iterator[None]:
    """Turn a full disk that nobody nearer has reported into a DurabilityError; `place` is named where no file is."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = error.filename2 or error.filename or place
        raise DurabilityError(f"{where} cannot be written: {error.strerror}; {ROOM}") from error


def sync_directory(path: Path) -> None:
    """Make new, renamed and removed names in `path` durable; raises OSError."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path) -> None:
    """Make `path` and whatever of it is missing, for the owner alone (mode 0700), durably; raises OSError."""
    if path.is_dir():
        return
    make_directories(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


class FileLock:
    """Hold `path` alone; the lock ends with the process, whatever ends it. Its text tells others who holds it."""

    def __init__(self, path: Path) -> None:
        """Name the lock file, which is made when the lock is taken."""
        self._path = path
        self._descriptor = -1

    def take(self, holder: str, *, wait_s: float = 0.0) -> str | None:
        """Take the lock and write `holder` into it, trying for `wait_s`; raises OSError.

        Return None, or the present holder's text when it is still held.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + wait_s
            while not _locked(descriptor):
                if time.monotonic() >= deadline:
                    held_by = os.pread(descriptor, 1_000, 0).decode("utf-8", errors="replace").strip()
                    return held_by or "an unnamed process"
                time.sleep(_POLL_S)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode("utf-8"), 0)
            self._descriptor, descriptor = descriptor, -1
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def is_held(self) -> bool:
        """Return whether a process holds the lock; raises OSError.

        Who asks holds it for an instant too: whoever takes a lock that is asked about waits a little (`wait_s`).
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _locked(descriptor)
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let go; harmless when the lock is not held."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                # Only the text for others: the lock itself goes with the descriptor.
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock on an open file if it is free; return whether it was."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def await_writers(locks: Iterable[Path]) -> None:
    """Wait a little until no process holds any of these lock files (absent: nobody does).

    Raises StateError that names the written file, by the lock's name without its suffix, and the process; OSError.
    """
    for path in locks:
        if not path.exists():
            continue
        lock = FileLock(path)
        holder = lock.take(f"process {os.getpid()}, looking", wait_s=WRITER_WAIT_S)
        if holder is not None:
            written = path.with_name(path.name.removesuffix(LOCK_SUFFIX))
            raise StateError(
                f"{written} is still being written by {holder}; a killed engine's process ends by itself within "
                f"seconds: run again then, or end that process"
            )
        lock.release()
