"""Take a terminal over for a screen, and give it back whatever happens: its mode, its cursor and what stood on it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import threading
from types import FrameType
from typing import Any

_TAKE = b"\x1b[?1049h\x1b[?25l\x1b[2J"
_GIVE_BACK = b"\x1b[?25h\x1b[?1049l"
"""The other screen and the cursor: taken, and given back."""
_PATIENCE_S = 0.5
"""How long a signal's handler waits for who is painting."""


def may_hold(file: Any) -> bool:
    """Say whether `file` is a terminal that a screen can be shown on: ours to use, and no dumb one."""
    try:
        return in_foreground(file.fileno()) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
    except (AttributeError, OSError, ValueError):
        return False


def in_foreground(descriptor: int) -> bool:
    """Say whether this process may use the terminal: one begun with `&`, or by `timeout`, may not."""
    try:
        return os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


class Terminal:
    """Hold the terminal of `output`, and read keys of `keys` (None: nobody types), a descriptor each.

    Use as a context manager, on the main thread. The terminal is held only while this process is in its foreground:
    stopped by Ctrl-Z it is given back first and taken again afterwards, and in the background nothing is touched.
    `lock` is held by who paints, so that nothing is painted on what was given back. Ctrl-C stays a signal.
    """

    def __init__(self, output: int, keys: int | None) -> None:
        """Touch nothing yet."""
        self.lock = threading.RLock()
        self.fresh = True
        self._output, self._keys = output, keys
        self._mode: list[Any] | None = None
        self._held = self._away = False
        self._before: dict[int, Any] = {}
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def __enter__(self) -> Terminal:
        """Watch for Ctrl-Z, for going on and for another size."""
        if threading.current_thread() is threading.main_thread():
            self._before = {
                signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._suspend),
                signal.SIGCONT: signal.signal(signal.SIGCONT, self._go_on),
                signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda number, frame: self.wake()),
            }
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back, and the signals."""
        self.give_back(for_good=True)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._waker)

    @property
    def typed_at(self) -> bool:
        """Say whether anybody can type here."""
        return self._keys is not None

    def take(self) -> bool:
        """Hold the terminal if it is ours to hold; return whether it is held. `fresh` is set when it was just taken."""
        with self.lock:
            if self._away or not in_foreground(self._output):
                self._held = False
            elif not self._held:
                self._held = self.fresh = True
                self._set_mode()
                self._write(_TAKE)
            return self._held

    def give_back(self, *, for_good: bool = False) -> None:
        """Put everything back as it was; harmless when nothing is held, and safe to call from a signal's handler.

        It may be taken again unless that was `for_good`.
        """
        self._away = for_good or self._away
        held = self.lock.acquire(timeout=_PATIENCE_S)
        try:
            if self._held and in_foreground(self._output):
                self._write(_GIVE_BACK)
                self._restore_mode()
            self._held = False
        finally:
            if held:
                self.lock.release()

    def wait(self, timeout_s: float) -> bytes:
        """Return what was typed, as soon as anything is; nothing after `timeout_s` seconds or when woken."""
        watched = [self._woken]
        if self._held and self._keys is not None:
            watched.append(self._keys)
        ready, _, _ = select.select(watched, (), (), max(0.0, timeout_s))
        if self._woken in ready:
            os.read(self._woken, 4096)
        if self._keys is None or self._keys not in ready:
            return b""
        try:
            typed = os.read(self._keys, 1024)
        except OSError:
            typed = b""
        if not typed:  # whoever typed hung up
            self._keys = None
        return typed

    def wake(self) -> None:
        """Let `wait` return at once; for any thread and any signal's handler."""
        with contextlib.suppress(BlockingIOError):  # it is full of wake-ups already
            os.write(self._waker, b".")

    # --- the terminal's own -------------------------------------------------------------------------------------

    def _set_mode(self) -> None:
        """Let each key arrive at once and unseen; Ctrl-C and Ctrl-Z stay signals, Ctrl-S stops no output."""
        if self._keys is None:
            return
        try:
            # The first one is what is put back at the end: later ones may be our own, or another program's.
            self._mode = self._mode or termios.tcgetattr(self._keys)
            changed = [*self._mode[:6], list(self._mode[6])]
            changed[0] &= ~termios.IXON
            changed[3] &= ~(termios.ECHO | termios.ICANON)
            changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._keys, termios.TCSANOW, changed)
        except termios.error:  # it is no terminal any more
            self._keys = None

    def _restore_mode(self) -> None:
        if self._keys is not None and self._mode is not None:
            with contextlib.suppress(termios.error):  # it is no terminal any more: nothing is left to restore
                termios.tcsetattr(self._keys, termios.TCSANOW, self._mode)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone needs nothing
            os.write(self._output, data)

    # --- signals ------------------------------------------------------------------------------------------------

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Give the terminal back, then stop as Ctrl-Z asks; taken again it is by who paints, once in front."""
        before, self._away = self._away, True
        self.give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # it stops here, if anyone is there to let it go on
        signal.signal(signal.SIGTSTP, self._suspend)
        self._away = before
        self.wake()

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        """Take the terminal anew: whoever had it meanwhile has changed its mode."""
        self._held = False
        self.wake()
