"""Judge the strategies that files of the user's define, in a process of its own: whatever they do ends only that.

Such a file is executed. It may end its process, crash it or never come back; the engine's must say so instead of ending
in silence, and before a session is begun that the repaired file could not resume.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.registry import known_strategies, read_settings
from config.parameters import instance_parameters
from config.settings import Settings
from config.violations import InvalidConfiguration, Violation
from domain.errors import ConfigurationError

MODULE = "cli.own_strategies"
DEADLINE_S = 60.0
"""How long the files may take to load, all together."""
_FILE, _VIOLATIONS = "file", "violations"
_ADVICE = "repair that file, or take its strategy out"


def refuse_own_strategies(settings: Settings) -> None:
    """Raise InvalidConfiguration when a file of the user's cannot be used, or its strategies' parameters cannot."""
    violations = judge_own_strategies(settings)
    if violations:
        raise InvalidConfiguration(violations)


def judge_own_strategies(settings: Settings, *, deadline_s: float = DEADLINE_S) -> tuple[Violation, ...]:
    """Return what is wrong with the strategies that files of the user's define, and with their parameters."""
    if not settings.strategy_files():
        return ()
    with _alive_while_we_are() as stdin:
        try:
            done = subprocess.run(
                _command(settings.directory),
                stdin=stdin,
                stdout=subprocess.PIPE,
                env=_environment(),
                start_new_session=True,  # a ^C at the terminal is the command's
                timeout=deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return (_unfinished(late.stdout or b"", f"not loaded after {deadline_s:g} s"),)
    said = _said(done.stdout)
    if _VIOLATIONS in said:
        return tuple(Violation(*each) for each in said[_VIOLATIONS])
    ended = f"exit code {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
    return (_unfinished(done.stdout, f"it ended the process that loaded it ({ended})"),)


def _unfinished(output: bytes, what: str) -> Violation:
    file = _said(output).get(_FILE, "the strategies of your files")
    return Violation("strategies.yaml", "file", f"{file}: {what}", _ADVICE)


def _said(output: bytes) -> dict[str, Any]:
    """Return what the process has said, the later word over the earlier: one JSON object a line."""
    said: dict[str, Any] = {}
    for line in output.splitlines():
        said |= json.loads(line)
    return said


def _command(directory: Path | None) -> list[str]:
    # -P: a folder of the user's called "cli" in the working directory must not be taken for ours.
    return [sys.executable, "-P", "-m", MODULE, *([] if directory is None else [str(directory)])]


def _environment() -> Mapping[str, str]:
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def _alive_while_we_are() -> Iterator[int]:
    """Yield what a child reads until this process ends, even when it is killed."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


# --- the process -------------------------------------------------------------------------------------------------


def main() -> None:
    """Load the files of the configuration named by the first argument; answer on standard output."""
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a user's file prints is for people
    settings = read_settings(Path(sys.argv[1]) if len(sys.argv) > 1 else None, dict(os.environ))

    def tell(path: Path) -> None:
        print(json.dumps({_FILE: str(path)}), file=answer, flush=True)

    violations: tuple[Violation, ...] = ()
    try:
        instance_parameters(settings, known_strategies(settings, tell).definitions)
    except InvalidConfiguration as error:
        violations = error.violations
    except ConfigurationError as error:
        violations = (Violation("strategies.yaml", "file", str(error), _ADVICE),)
    print(json.dumps({_VIOLATIONS: violations}), file=answer, flush=True)
    os._exit(0)  # what a user's file left running or registered must not undo the answer


def _end_with_the_command() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
