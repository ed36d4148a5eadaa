"""End quietly at Ctrl-C: at once while nothing needs undoing, in order where a file is being written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit code of a command that SIGINT ended."""


def end_at_interrupts() -> None:
    """End this process at SIGINT with a word and code 130; to be called first of all, on the main thread.

    At once, not by an exception: thrown into the start of a library, that comes out as any other one, or not at all.
    Where SIGINT is ignored, as in a shell's background job, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"breakwater: interrupted\n")
    os._exit(INTERRUPTED)


@contextmanager
def undoing_at_interrupts(undo: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let SIGINT raise inside the block, so that what it has begun is undone, then `undo`; raises Interrupted."""
    from domain.errors import Interrupted

    ours = signal.getsignal(signal.SIGINT) is _end
    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        undo()
        raise Interrupted("interrupted; nothing was written") from None
    finally:
        if ours:
            signal.signal(signal.SIGINT, _end)
