"""Name the lock of a state directory, and see whether it is held: all that a command needs which only asks."""

from __future__ import annotations

from pathlib import Path

from storage.files import FileLock

LOCK = "lock"
"""Name of the lock file: `run` holds it from before it begins until everything it started has ended."""

ASKED_S = 0.25
"""How long who takes the lock waits for those who ask about it, each of whom holds it for an instant."""


def is_in_use(state_dir: Path) -> bool:
    """Return whether an engine has `state_dir`, be it only starting or ending; raises OSError."""
    return FileLock(state_dir / LOCK).is_held()
