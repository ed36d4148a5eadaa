"""See, before a session is begun, that Ray can be imported: in a process of its own, for it reads its settings then."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from domain.errors import EnvironmentFault

DEADLINE_S = 60.0
_TRY = "import ray, ray._raylet"
_ADVICE = "reinstall it with `make clean setup`, or run with --runtime inline, which does without"


@contextmanager
def trying_ray(module: str = "ray", statement: str = _TRY) -> Iterator[Callable[[], None]]:
    """Begin to import Ray elsewhere, and yield what waits for the outcome; raises EnvironmentFault without Ray.

    What is yielded raises EnvironmentFault when Ray, or a shared library that it needs, could not be loaded.
    """
    if importlib.util.find_spec(module) is None:
        raise EnvironmentFault(f"Ray is not installed; {_ADVICE}")
    trial = subprocess.Popen(
        # -P: a folder of the user's called "ray" in the working directory must not be taken for Ray.
        [sys.executable, "-P", "-c", statement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        start_new_session=True,
    )
    with trial:
        try:
            yield lambda: _await(trial)
        finally:
            trial.kill()


def _await(trial: subprocess.Popen[bytes]) -> None:
    try:
        _, words = trial.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired as late:
        raise EnvironmentFault(f"Ray was not imported within {DEADLINE_S:g} s; {_ADVICE}") from late
    if trial.returncode:
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        raise EnvironmentFault(f"Ray cannot be imported ({last or _ended(trial.returncode)}); {_ADVICE}")


def _ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
