"""Judge, before anything is started, the place that a configuration names for the second copy of the checkpoints."""

from __future__ import annotations

import os
from pathlib import Path

from domain.errors import AuditError, ConfigurationError
from storage.audit.checkpoints import last_checkpoint
from storage.audit.keys import load_signer


def refuse_unusable_copy(copy: str | None, state: Path) -> None:
    """Raise ConfigurationError where `copy` cannot be written, or guards nothing: what it is to tell lies beside it."""
    why = None if copy is None else _why_not(copy, state)
    if why is not None:
        raise ConfigurationError(
            f"engine.yaml: audit.checkpoint_copy: found {copy!r}: {why}; allowed: a file outside the state directory, "
            f"in a directory that this user may write"
        )


def _why_not(copy: str, state: Path) -> str | None:
    if copy.startswith("~"):
        return "a name that begins with ~ is not looked up"
    path = Path(os.path.abspath(copy))
    try:
        real = Path(os.path.realpath(path))
        if real.is_relative_to(os.path.realpath(state)) or path.is_relative_to(os.path.abspath(state)):
            return "it lies in the state directory, and who changes the trail there could change it too"
        if path.exists():
            if not path.is_file():
                return "it is no regular file"
            if not os.access(path, os.R_OK | os.W_OK):
                return "this user may not read and write it"
            # The trail's writer cuts off what is no whole line: of somebody else's file that may be all there is.
            if path.stat().st_size and last_checkpoint(path, load_signer().verifier)[0] is None:
                return "it holds something else"
            return None
        there = next(parent for parent in path.parents if parent.exists())
    except OSError as error:
        return error.strerror or str(error)
    except AuditError as error:
        return f"it holds something else: {error}"
    if not there.is_dir():
        return f"{there} is no directory"
    # The file systems of the kernel say that they may be written and take no file.
    may_be_made = os.access(there, os.W_OK | os.X_OK) and not there.is_relative_to("/proc")
    return None if may_be_made else f"nothing can be made in {there}"
