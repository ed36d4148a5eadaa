"""Write files that a command was asked for: whole or not at all, and never over something by accident."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cli.interrupts import undoing_at_interrupts
from cli.options import UsageError
from domain.errors import EnvironmentFault
from storage.files import kind_of_file, replacing


def refuse_overwriting(out: Path, keep_out: Path | None, *, force: bool) -> None:
    """Refuse a place that must not be written to.

    Raises UsageError where `out` is there and no regular file, exists without `force`, or lies in the directory
    `keep_out`, and EnvironmentFault where it cannot be looked at.
    """
    try:
        exists = out.exists()
        kind = "" if not exists or out.is_file() else kind_of_file(out)
        inside = keep_out is not None and _real(out).is_relative_to(_real(keep_out))
    except OSError as error:
        raise EnvironmentFault(f"--out: {out} cannot be written: {error.strerror or error}") from error
    if kind:
        raise UsageError(f"--out: found {out}, {kind}; allowed: the name of a file, new or regular")
    if inside:
        raise UsageError(
            f"--out: found {out}, inside the state directory {keep_out}; allowed: a place outside it"
        )
    if exists and not force:
        raise UsageError(f"--out: {out} exists; name another file, or replace it with --force")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


@contextmanager
def replacing_text(out: Path) -> Iterator[TextIO]:
    """Yield a text file that replaces `out` when the block ends well; raises EnvironmentFault, Interrupted."""
    try:
        with (
            undoing_at_interrupts(),
            replacing(out) as draft,
            draft.open("w", newline="", encoding="utf-8") as target,
        ):
            yield target
    except OSError as error:
        raise EnvironmentFault(f"{out} cannot be written: {error.strerror or error}") from error
