"""Keep the screen up to date while an engine runs, and carry out what is typed: on a thread of its own.

On a thread, because whoever drives the engine may wait for it for seconds, and just then a person wants to see why and
to halt. The driver hands over the newest figures; nothing of the display is ever waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from rich.console import Console

from cli.controls import Controls
from cli.display.events import EventLog
from cli.display.foot import Notice, foot
from cli.display.gauges import Trace
from cli.display.keys import Asked, Dialogue, KeyDecoder, Wish
from cli.display.lines import Frame
from cli.display.painter import Painter
from cli.display.screen import Picture, screen
from cli.display.terminal import Terminal
from cli.display.view import Snapshot, read
from cli.drive import States
from cli.meter import Clock, Meter
from domain.error_texts import traced
from domain.errors import BreakwaterError

REFRESH_S = 0.25
"""From one picture to the next, unless something is typed."""
WHOLE_EVERY = 8
"""Pictures from one that is painted whole to the next: whatever else wrote to the terminal is painted over."""
_END_S = 2.0
"""How long the end waits for the painter: a terminal may have stopped taking anything."""


class Watched(Protocol):
    """Be an engine that tells of itself."""

    def snapshot(self) -> Snapshot:
        """Return what it knows of itself now, without waiting for who is busy."""
        ...


class Seen(NamedTuple):
    """Be what the driver handed over last, when, and how old it was then: the coordinator may be away."""

    at_s: float
    late_s: float
    states: States
    snapshot: Snapshot


class LiveScreen:
    """Show the engine's states (port: `cli.progress.Show`); use as a context manager, on the main thread."""

    def __init__(
        self,
        console: Console,
        terminal: Terminal,
        meter: Meter,
        opening: Snapshot,
        clock: Clock = time.monotonic,
    ) -> None:
        """Paint on `console`, that is on `terminal`; `opening` is what is known before the engine says anything."""
        self._console, self._terminal, self._meter, self._clock = console, terminal, meter, clock
        self._opening = opening
        self._engine: Watched | None = None
        self._controls: Controls | None = None
        self._seen: Seen | None = None
        self._drawn: Seen | None = None
        self._trace, self._log = Trace(), EventLog(meter.bar_ns)
        self._dialogue, self._decoder, self._painter = Dialogue(), KeyDecoder(), Painter(console)
        self._picture = Picture(read(opening), meter.opening(), self._trace, self._log, 0.0)
        self._notice: Notice | None = None
        self._painted = 0
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self.stop_reason = ""
        self.failure = ""

    def __enter__(self) -> LiveScreen:
        """Take the terminal and paint."""
        self._terminal.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back; what the painter failed of, if it did, is printed now."""
        self._ending = True
        self._terminal.wake()
        self._thread.join(_END_S)
        self._terminal.__exit__()
        if self.failure:
            self._console.print(f"the display ended: {self.failure}", markup=False, style="yellow")

    def begin(self, engine: Watched, controls: Controls | None) -> None:
        """Watch `engine` from now on, with `controls` for what is typed."""
        self._engine, self._controls = engine, controls
        self._meter.begin()

    def __call__(self, states: States) -> None:
        """Hand over what the driver has seen; the painter's own failure never reaches it."""
        if self._engine is not None:
            now, told = self._clock(), self._engine.snapshot()
            self._seen = Seen(now, max(0.0, now - told.get("seen_s", now)), states, told)

    # --- on the painter's thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            due = self._clock()
            while not self._ending:
                typed = self._terminal.wait(due - self._clock())
                self._type(typed)
                now = self._clock()
                self._paint(now)
                due = now + REFRESH_S
        except Exception as error:  # trading goes on without a picture; what went wrong is told at the end
            self.failure = traced(error)
            self._terminal.give_back(for_good=True)

    def _type(self, typed: bytes) -> None:
        for key in self._decoder.feed(typed):
            asked = self._dialogue.press(key)
            if asked is not None:
                self._carry_out(asked)

    def _paint(self, now: float) -> None:
        with self._terminal.lock:
            if not self._terminal.take():
                return
            size = self._console.size
            whole = self._terminal.fresh or self._painted % WHOLE_EVERY == 0
            self._painter.paint(self._frame(now, size.width, size.height), whole=whole)
            self._terminal.fresh = False
            self._painted += 1

    def _frame(self, now: float, width: int, height: int) -> Frame:
        seen = self._seen
        if seen is not None:
            if seen is not self._drawn:
                self._drawn = seen
                self._picture = self._look(seen)
            self._picture = self._picture._replace(age_s=now - seen.at_s + seen.late_s)
        last = foot(self._dialogue, self._notice, width, keys=self._terminal.typed_at)
        return screen(self._picture, last, width, height)

    def _look(self, seen: Seen) -> Picture:
        reading = self._meter.read(seen.states)
        view = read({**self._opening, **seen.snapshot})
        self._log.look(seen.snapshot, reading.day)
        if view.account.equity is not None and view.bar != self._picture.view.bar:
            self._trace.add(view.account.equity)
        return Picture(view, reading, self._trace, self._log, 0.0)

    # --- what is typed --------------------------------------------------------------------------------------------

    def _carry_out(self, asked: Asked) -> None:
        if asked.wish is Wish.QUIT:
            self.stop_reason = "q was pressed"
            self._notice = Notice("stopping in order")
            return
        if self._controls is None:
            self._notice = Notice(f"{asked.wish.value}: the engine takes no commands yet", good=False)
            return
        command = self._controls.halt if asked.wish is Wish.HALT else self._controls.resume
        self._notice = Notice(f"{asked.wish.value} asked, not confirmed yet")
        # The answer may take a while, and the picture must not stand still meanwhile.
        threading.Thread(
            target=self._await, args=(command, asked), name="display-command", daemon=True
        ).start()

    def _await(self, command: Callable[[str], str], asked: Asked) -> None:
        try:
            self._notice = Notice(command(asked.reason), good=True)
        except (BreakwaterError, OSError) as error:
            self._notice = Notice(f"{asked.wish.value}: {error}", good=False)
        self._terminal.wake()
