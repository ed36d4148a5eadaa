"""Keep the code of strategies that run in this process from ending it as if all were well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def refusing_silent_exits() -> Iterator[None]:
    """Make `os._exit(0)` raise RuntimeError in this process, while it trades.

    Nothing of ours ends a run in that way. Called by a strategy, which runs in this process inline, it would end the
    run with exit code 0 and without a word; raised, it is one evaluation that failed. Other codes, and processes
    forked off, are left alone.
    """
    leave, owner = os._exit, os.getpid()

    def guarded(status: int) -> NoReturn:
        if status == 0 and os.getpid() == owner:
            raise RuntimeError("os._exit(0) was called: it would end the engine, not the strategy alone")
        leave(status)

    os._exit = guarded
    try:
        yield
    finally:
        os._exit = leave
