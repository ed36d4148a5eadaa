"""Clear what a killed engine left of Ray: helpers that outlive it for a minute and the session's directory.

When the process that runs Ray is killed, the kernel kills Ray's servers with it and the actors follow within seconds,
but Ray's two agents go on trying to reach the dead control store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from storage.files import replace_file
from storage.place import PLACE, is_place, place_of
from supervisor.ray_environment import SESSION_PREFIX, remove_session_dir


def ray_note(state_dir: Path) -> Path:
    """Return the file in which the session of a state directory is noted while it lasts."""
    return state_dir / "ray" / "session.json"


def note_ray(file: Path, session: Path, processes: Sequence[psutil.Process]) -> None:
    """Write down the session's directory and its processes, each with its time of creation, so none is mistaken."""
    alive = [[process.pid, process.create_time()] for process in processes if process.is_running()]
    noted = {"session": str(session), "processes": alive, PLACE: place_of(file.parent)}
    replace_file(file, json.dumps(noted).encode())


def clear_ray(file: Path) -> int:
    """Kill what is left of the session noted in `file`, remove its directory; return how many were killed.

    A note that was copied tells of another directory's engine, which may well run: only the note goes.
    """
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        if not is_place(noted[PLACE], file.parent):
            file.unlink(missing_ok=True)
            return 0
        session = Path(noted["session"])
        left = [
            process for pid, created in noted["processes"] if (process := _same(int(pid), float(created)))
        ]
        left += [process for process in _working_in(session) if process not in left]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0  # none noted
    for process in left:
        with suppress(psutil.NoSuchProcess):  # what it worked for is dead: it may end by itself at any moment
            process.kill()
    if session.name.startswith(SESSION_PREFIX):
        remove_session_dir(session)
    file.unlink(missing_ok=True)
    return len(left)


def _working_in(session: Path) -> list[psutil.Process]:
    """Return the processes whose command line names the session: all that Ray starts, also before it was noted."""
    if not session.name.startswith(SESSION_PREFIX):
        return []
    found = psutil.process_iter(["cmdline"])
    return [
        process for process in found if any(str(session) in word for word in process.info["cmdline"] or ())
    ]


def _same(pid: int, created: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < 0.01 else None
    except psutil.NoSuchProcess:
        return None
