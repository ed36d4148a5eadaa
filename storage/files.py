"""Write files so that what was said to be written is still there after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from domain.errors import DurabilityError


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
                f"{path} cannot be opened for writing: {error.strerror or error}"
            ) from error

    def append(self, content: bytes) -> None:
        """Write all of `content` through to the disk; raises DurabilityError when that fails, never tries again."""
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._descriptor, view) :]
            _flush(self._descriptor)
        except OSError as error:
            raise DurabilityError(f"{self.path} cannot be written: {error.strerror or error}") from error
        self.size += len(content)

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
        raise DurabilityError(f"{path} cannot be cut: {error.strerror or error}") from error


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path`, whole or not at all, durably; raises DurabilityError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync_directory(path.parent)
    except OSError as error:
        raise DurabilityError(f"{path} cannot be written: {error.strerror or error}") from error


def sync_directory(path: Path) -> None:
    """Make new, renamed and removed names in `path` durable; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """Hold `path` alone; the lock ends with the process, whatever ends it. Its text tells others who holds it."""

    def __init__(self, path: Path) -> None:
        """Name the lock file, which is made when the lock is taken."""
        self._path = path
        self._descriptor = -1

    def take(self, holder: str) -> str | None:
        """Take the lock and write `holder` into it; return None, or the present holder's text when it is held."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held_by = os.pread(descriptor, 1_000, 0).decode("utf-8", errors="replace").strip()
            os.close(descriptor)
            return held_by or "an unnamed process"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode("utf-8"), 0)
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Let go; harmless when the lock is not held."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)
