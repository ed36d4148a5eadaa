"""Write files that a command was asked for: whole or not at all, and never over something by accident."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cli.interrupts import undoing_at_interrupts
from cli.options import UsageError
from domain.errors import EnvironmentFault
from storage.files import replacing


def refuse_overwriting(out: Path, keep_out: Path | None, *, force: bool) -> None:
    """Refuse a place that must not be written to.

    Raises UsageError where `out` is a directory, exists without `force`, or lies in the directory `keep_out`, and
    EnvironmentFault where it cannot be looked at.
    """
    try:
        directory, exists = out.is_dir(), out.exists()
        inside = keep_out is not None and out.absolute().resolve().is_relative_to(keep_out.resolve())
    except OSError as error:
        raise EnvironmentFault(f"--out: {out} cannot be written: {error.strerror or error}") from error
    if directory:
        raise UsageError(f"--out: found {out}, a directory; allowed: the name of a file")
    if inside:
        raise UsageError(
            f"--out: found {out}, inside the state directory {keep_out}; allowed: a place outside it"
        )
    if exists and not force:
        raise UsageError(f"--out: {out} exists; name another file, or replace it with --force")


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
