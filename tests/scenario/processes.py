"""Find what a run left behind: its processes and its temporary files, and nobody else's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import psutil

MARK = "BREAKWATER_TEST_RUN"
SHORT = ("breakwater-ray-*", "breakwater-venue-*", "ray*")
"""What may be made in /tmp, whatever TMPDIR says: a socket's path must be short."""


class Traces:
    """Mark the processes of runs by an environment variable, which all below them inherit; keep their TMPDIR apart."""

    def __init__(self, folder: Path) -> None:
        self._mark = uuid4().hex
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._before = _short_names()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what to add to the environment of a run."""
        return {MARK: self._mark, "TMPDIR": str(self._temporary)}

    def processes(self) -> list[psutil.Process]:
        """Return the processes of these runs that are alive."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def left(self, patience_s: float = 10.0) -> list[str]:
        """Return what these runs left `patience_s` seconds later: processes and temporary files."""
        until = time.monotonic() + patience_s
        while (found := self._found()) and time.monotonic() < until:
            time.sleep(
                0.1
            )  # the last process may be ending still, another engine have made its place only now
        return found

    def _found(self) -> list[str]:
        processes = [f"process {process.pid}: {_command(process)[:200]}" for process in self.processes()]
        files = sorted(str(path) for path in self._temporary.rglob("*"))
        return [*processes, *files, *self._short_left()]

    def kill(self) -> None:
        """End every process of these runs."""
        for process in self.processes():
            process.kill()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def _short_left(self) -> list[str]:
        """Return the new names in /tmp that no living process works with: another engine may run meanwhile."""
        used = " ".join(_command(process) for process in psutil.process_iter())
        used += " ".join(str(socket.laddr) for socket in psutil.net_connections("unix"))
        return [str(path) for path in sorted(_short_names() - self._before) if path.name not in used]


def _short_names() -> set[Path]:
    return {path for pattern in SHORT for path in Path("/tmp").glob(pattern)}


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
