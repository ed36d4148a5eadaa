"""Start, find and stop the venue process of a state directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from domain.errors import EnvironmentFault, StateError
from simulation.venue.address import Address, forget_address, is_running, read_address, venue_directory
from simulation.venue.settings import SETTINGS_CODEC, VenueSettings
from storage.files import replace_file

MODULE = "simulation.venue.process"
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 10.0
_POLL_S = 0.02
_LOG_TAIL = 2_000

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""The venues this process started, kept so that they can be reaped; they are free to outlive it."""


class VenueProcess(NamedTuple):
    """Be a running venue process."""

    state_dir: Path
    address: Address

    def stop(self) -> None:
        """Stop it, cleanly if it lets itself be."""
        stop_venue(self.state_dir)


def start_venue(state_dir: Path, settings: VenueSettings) -> VenueProcess:
    """Return the running venue of `state_dir`: the one that runs already with these settings, or a new one.

    Raises StateError or EnvironmentFault with the end of its log when it does not start.
    """
    directory = venue_directory(state_dir)
    directory.mkdir(parents=True, exist_ok=True)
    file, wanted = directory / "settings.json", SETTINGS_CODEC.encode(settings)
    if is_running(state_dir):
        address = read_address(state_dir)
        if address is not None and file.exists() and file.read_bytes() == wanted:
            return VenueProcess(state_dir, address)
        stop_venue(state_dir)
    forget_address(state_dir)
    replace_file(file, wanted)
    child = _spawn(state_dir, file)
    _CHILDREN[child.pid] = child
    return VenueProcess(state_dir, _wait_for_address(state_dir, child))


def _spawn(state_dir: Path, settings: Path) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own: an interrupt at the terminal does not reach it."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # -P: a folder of the user's called "simulation" in the working directory must not be taken for ours.
    command = [sys.executable, "-P", "-m", MODULE]
    command += ["--state", str(state_dir.resolve()), "--settings", str(settings.resolve())]
    with (venue_directory(state_dir) / "venue.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )


def _wait_for_address(state_dir: Path, child: subprocess.Popen[bytes]) -> Address:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        address = read_address(state_dir)
        if address is not None and address.pid == child.pid:
            return address
        code = child.poll()
        if code is not None:
            del _CHILDREN[child.pid]
            raise StateError(f"the venue process ended at once with exit code {code}. {_tail(state_dir)}")
        time.sleep(_POLL_S)
    child.kill()
    child.wait()
    del _CHILDREN[child.pid]
    raise EnvironmentFault(f"the venue process did not start within {START_DEADLINE_S} s. {_tail(state_dir)}")


def _tail(state_dir: Path) -> str:
    file = venue_directory(state_dir) / "venue.log"
    return f"The end of {file}:\n{file.read_text(encoding='utf-8', errors='replace')[-_LOG_TAIL:]}"


def stop_venue(state_dir: Path) -> None:
    """Stop the venue of `state_dir`; harmless when none runs. Raises StateError when it cannot be told or stopped."""
    if not is_running(state_dir):
        forget_address(state_dir)
        _reap()
        return
    address = read_address(state_dir)
    if address is None or not _is_venue_of(address.pid, state_dir):
        raise StateError(
            f"{venue_directory(state_dir)} is held by a venue process that its address file does not name. "
            f"Find it (command line with {MODULE}) and end it."
        )
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.kill(address.pid, number)
        if _ends(state_dir, address.pid):
            forget_address(state_dir)
            return
    raise StateError(
        f"the venue process {address.pid} did not end within {2 * STOP_DEADLINE_S} s of being asked to"
    )


def _is_venue_of(pid: int, state_dir: Path) -> bool:
    """Return whether `pid` still is that venue and not a process that came to the same number."""
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return MODULE in command and str(state_dir.resolve()) in command


def _ends(state_dir: Path, pid: int) -> bool:
    """Wait for the process to let go of the directory and to be gone; return whether it did in time."""
    deadline = time.monotonic() + STOP_DEADLINE_S
    while is_running(state_dir) or _exists(pid):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _exists(pid: int) -> bool:
    """Return whether the process is there and alive: one that nobody collects the exit code of is not."""
    _reap()
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _reap() -> None:
    """Collect the exit codes of venues this process started and that ended."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            del _CHILDREN[pid]
