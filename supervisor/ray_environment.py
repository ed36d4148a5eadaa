"""Prepare and check the machine before Ray starts: memory, shared memory, directories, token, environment."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from domain.errors import EnvironmentFault

MIB = 2**20
OBJECT_STORE_BYTES = 96 * MIB  # Ray's least is 75 MiB; only histories above 100 kB pass through it
RAY_BYTES = 450 * MIB  # measured, with two servers that are left out now: 366 MiB PSS without the driver
ACTOR_BYTES = 80 * MIB  # measured: 55 to 82 MiB PSS an actor
NUM_CPUS = 4  # slots, of which actors take none: Ray starts so many processes at a time
SHARED_MEMORY = Path("/dev/shm")
_TOKEN = os.urandom(32).hex()
SESSION_PREFIX = "breakwater-ray-"
WORKER_DIR = "cwd"
"""Ray processes run here, below the session's directory, and Ray puts it first on the import path of actors."""

# Ray imports pyarrow where it finds it, before any code of ours runs: 14 MiB and 0.2 s in each actor. An actor that
# reads Parquet can: it takes this directory off its import path first.
HIDE_PYARROW = (
    "raise ModuleNotFoundError('pyarrow is hidden while an actor process starts', name='pyarrow')\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Be what the machine has free, in bytes; `shared` is None where there is no shared memory file system."""

    memory: int
    shared: int | None


def measure_capacity() -> Capacity:
    """Return what is free now; memory is bounded by the control group's limit where one is set."""
    memory = psutil.virtual_memory().available
    limit = Path("/sys/fs/cgroup/memory.max")
    used = Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        memory = min(memory, int(text) - int(used.read_text()))
    shared = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None
    return Capacity(memory=memory, shared=shared)


def check_capacity(capacity: Capacity, actors: int, object_store: int = OBJECT_STORE_BYTES) -> None:
    """Raise EnvironmentFault, naming what was found, what is needed and what to do, when Ray would not fit.

    `object_store` is the size of Ray's object store in bytes.
    Ray itself only warns: its object store would fall back to a file below the temporary directory.
    """
    faults = []
    shared_need = object_store + object_store // 4
    if capacity.shared is not None and capacity.shared < shared_need:
        faults.append(
            f"shared memory: {SHARED_MEMORY} has {capacity.shared // MIB} MiB free, {shared_need // MIB} MiB are "
            "needed; remove what fills it, or give the container more (--shm-size=256m)"
        )
    need = RAY_BYTES + actors * ACTOR_BYTES + object_store
    if capacity.memory < need:
        faults.append(
            f"memory: {capacity.memory // MIB} MiB are available, {actors} actors on Ray need {need // MIB} MiB; "
            "stop other programs, or run with --runtime inline, which needs one process"
        )
    if faults:
        raise EnvironmentFault("; ".join(faults))


def import_path(package_root: Path, python_path: str) -> str:
    """Return the PYTHONPATH with which actor processes find the packages of this installation, and the user's.

    `package_root` comes first unless it is the interpreter's own site-packages. Relative entries of `python_path`
    are made absolute, since actors do not run in the directory where the command was given.
    """
    entries = [os.path.abspath(entry) for entry in python_path.split(os.pathsep) if entry]
    if package_root not in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}:
        entries.insert(0, str(package_root))
    return os.pathsep.join(dict.fromkeys(entries))


def write_token(path: Path) -> None:
    """Write this process's random token where only this user can read it.

    One a process, not one a session: Ray reads the token once and keeps it for whatever the process starts later.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(_TOKEN)


def make_session_dir() -> Path:
    """Make a directory of this user alone for Ray's sockets and logs.

    Its path is short, whatever the state directory's: a Unix socket's may have 107 bytes (103 on macOS), of which
    Ray takes about 65.
    """
    short = Path("/tmp")
    parent = short if short.is_dir() and os.access(short, os.W_OK) else Path(tempfile.gettempdir())
    path = Path(tempfile.mkdtemp(prefix=SESSION_PREFIX, dir=parent))
    (path / WORKER_DIR).mkdir()
    (path / WORKER_DIR / "pyarrow.py").write_text(HIDE_PYARROW, encoding="utf-8")
    return path


def remove_session_dir(path: Path) -> None:
    """Remove what `make_session_dir` made; what cannot be removed is left to the system's own clearing of /tmp."""
    shutil.rmtree(path, ignore_errors=True)


def ray_environment(token: Path) -> Mapping[str, str]:
    """Return the environment with which Ray and its processes run."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        # By its name for other systems, but it is what makes Ray take the loopback address for its own: given as an
        # argument, Ray replaces 127.0.0.1 by the machine's address and listens on every interface.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # The memory monitor kills whichever worker it likes, the gateway for one; memory is watched by our health
        # checks, which stop in order.
        "RAY_memory_monitor_refresh_ms": "0",
        # Nobody reads Ray's task events and metrics without its dashboard; each costs the order path time.
        "RAY_task_events_report_interval_ms": "0",
        "RAY_enable_metrics_collection": "false",
        # Ray lets its workers yield to every other process (niceness 15); an engine that trades must not.
        "RAY_worker_niceness": "0",
    }


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while and put back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
