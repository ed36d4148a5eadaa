"""Turn SIGINT, SIGTERM and SIGHUP into requests that the running command looks at: first drain, then force."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType, TracebackType
from typing import Any

FORCE_S = 15.0
"""From a second signal to the end of the process, whatever it is at."""
FORCED = 130
"""Exit code of a process that a second signal ended."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def reclaim_signals() -> None:
    """Put this process's own handlers back where a library has put its handlers below Python's.

    Ray does, in the middle of its start: its handler prints a stack on SIGTERM, passes the signal on and has the
    process aborted 3 s later. Python still believes its own handler to be there; setting it anew puts it there. Only
    the main thread can; on any other nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if handler is not None:
            signal.signal(number, handler)


class StopSignals:
    """Watch for SIGINT, SIGTERM and SIGHUP while used as a context manager, on the main thread.

    The first signal sets `requested`, a second `forced`; neither raises, so no statement is left half done, wherever
    it arrives. A third ends the process at once, as if nobody had watched: on Linux the kernel then ends Ray too. One
    that comes while several are started or stopped is counted like any other.

    SIGHUP, that the terminal was closed, asks for a stop but never forces one: a shell and the kernel each send it,
    and service managers send it after SIGTERM. Where it is ignored, as under nohup, it stays so. What would be written
    to a terminal that is gone goes nowhere: it would fail, and with it the stop.
    """

    def __init__(self) -> None:
        self._count = 0
        self._first = ""
        # The handler runs between any two bytecodes of the main thread, also inside wait(): only something
        # re-entrant may be touched there. A threading.Event is not, a SimpleQueue is.
        self._arrivals: SimpleQueue[int] = SimpleQueue()
        self._terminals = [number for number in (0, 1, 2) if os.isatty(number)]
        self._before: dict[signal.Signals, Any] = {}
        self._undo: Callable[[], None] = _nothing
        self._enforcer = threading.Timer(FORCE_S, self._end)
        self._enforcer.daemon = True

    def __enter__(self) -> StopSignals:
        """Install the handlers; raises RuntimeError off the main thread."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals can be watched from the main thread only")
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back the handlers that were there."""
        self._enforcer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def at_once(self, undo: Callable[[], None]) -> Iterator[None]:
        """Call `undo` before a signal ends the process at once, while in the block: nothing else gets to run then."""
        self._undo = undo
        try:
            yield
        finally:
            self._undo = _nothing

    @property
    def requested(self) -> bool:
        """Say whether a stop was asked for."""
        return self._count > 0

    @property
    def forced(self) -> bool:
        """Say whether a stop was asked for twice: do not wait for anything."""
        return self._count > 1

    @property
    def reason(self) -> str:
        """Return the name of the first signal, or an empty text."""
        return self._first

    def wait(self, timeout_s: float) -> bool:
        """Wait until a further signal arrives, `timeout_s` seconds at most; return whether one did."""
        try:
            self._arrivals.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def _note(self, number: int, frame: FrameType | None) -> None:
        reclaim_signals()
        signal.alarm(0)  # if it was Ray's handler that passed this on: it has set the alarm that would abort
        if number == signal.SIGHUP:
            self._leave_terminal()
            if self._count:
                return
        self._count += 1
        if self._count > 2:
            self._undo()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if (
            self._count == 2
        ):  # whoever should look at it may be stuck, in a strategy that never returns for one
            self._enforcer.start()
        if not self._first:
            self._first = signal.Signals(number).name
        self._arrivals.put(number)

    def _end(self) -> None:
        self._undo()
        os._exit(FORCED)

    def _leave_terminal(self) -> None:
        gone = [number for number in self._terminals if not os.isatty(number)]
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in gone:
            os.dup2(nowhere, number)
        os.close(nowhere)


def _nothing() -> None:
    """Undo nothing."""
