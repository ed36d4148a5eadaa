"""Show how a run goes: a screen that is kept up to date on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console

from cli.controls import Controls
from cli.display.live import LiveScreen, Watched
from cli.display.terminal import Terminal, may_hold
from cli.display.view import Snapshot
from cli.drive import States
from cli.meter import Clock, Meter
from domain.bars import BarTable
from supervisor.phase import Phase
from supervisor.signals import StopSignals

_PLAIN_LINES = 10
"""Lines over the whole way where the output is no terminal ..."""
_PLAIN_LEAST_S, _PLAIN_MOST_S = 1.0, 15.0
"""... but no line within the first of these seconds of another, and one when the second have passed."""


class Show(Protocol):
    """Take the engine's states a few times a second, once it is built."""

    @property
    def stop_reason(self) -> str:
        """Return why who watches wants the run stopped in order, "" while nobody does."""
        ...

    def begin(self, engine: Watched, controls: Controls | None) -> None:
        """Watch `engine`, and measure the rate from now on: it is built and begins."""
        ...

    def __call__(self, states: States) -> None:
        """Show `states`."""
        ...


@contextmanager
def progress(
    console: Console,
    table: BarTable,
    first: int,
    *,
    opening: Snapshot,
    signals: StopSignals,
    plain: bool = False,
    clock: Clock = time.monotonic,
) -> Iterator[Show]:
    """Yield what shows states on `console`: a screen on a terminal unless `plain`, lines elsewhere.

    `opening` is what is known before the engine says anything. A signal that ends the process at once has the
    terminal given back first.
    """
    meter = Meter(table, first, clock)
    if plain or not may_hold(console.file):
        yield _Plain(console, meter, clock)
        return
    keys = sys.stdin.fileno() if may_hold(sys.stdin) else None
    terminal = Terminal(console.file.fileno(), keys)
    with (
        signals.at_once(lambda: terminal.give_back(for_good=True)),
        LiveScreen(console, terminal, meter, opening) as show,
    ):
        yield show


class _Plain:
    """Print a line now and then."""

    def __init__(self, console: Console, meter: Meter, clock: Clock) -> None:
        self._console, self._meter, self._clock = console, meter, clock
        self._parts, self._phase, self._printed = 0, Phase.STARTING.value, clock()
        self.stop_reason = ""
        console.print(f"{self._phase}: {meter.total:,} bars to trade", highlight=False, soft_wrap=True)

    def begin(self, engine: Watched, controls: Controls | None) -> None:
        """Measure the rate from now on."""
        self._meter.begin()

    def __call__(self, states: States) -> None:
        """Print a line when the phase is another, another tenth of the way is done, or none was printed for long."""
        at, now = self._meter.read(states), self._clock()
        silent_s, parts = now - self._printed, int(_PLAIN_LINES * at.share)
        moved = parts > self._parts and silent_s >= _PLAIN_LEAST_S
        if not (moved or at.phase != self._phase or silent_s >= _PLAIN_MOST_S):
            return
        self._parts, self._phase, self._printed = parts, at.phase, now
        bars = f"{at.done:,}/{at.total:,} bars {at.share:4.0%}"
        line = _joined(f"{at.phase}: {bars}", at.pace, at.day, at.account)
        self._console.print(line, highlight=False, soft_wrap=True)


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
