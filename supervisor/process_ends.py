"""Wait for the end of processes that are not one's own children."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable
from contextlib import ExitStack


def await_any_end(pids: Iterable[int], most_s: float) -> None:
    """Return when one of the processes has ended, after `most_s` seconds at the latest.

    Linux tells of an end at once (pidfd_open(2), from 5.3 on); where the system does not, this waits for all of
    `most_s`.
    """
    poll = select.poll()
    with ExitStack() as opened:
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                return
            except (AttributeError, OSError):  # no such call here
                time.sleep(most_s)
                return
            opened.callback(os.close, descriptor)
            poll.register(descriptor, select.POLLIN)
        poll.poll(most_s * 1e3)
