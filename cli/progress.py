"""Show a run's progress: bars done, rate, time left, the day traded, and the account as it moves."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from cli.drive import States
from domain.bars import BarTable
from domain.messages import COORDINATOR, FEED, RISK
from domain.strategies.blocks import DAY_NS
from supervisor.phase import Phase

_PLAIN_LINES = 10
"""Lines over the whole way where the output is no terminal ..."""
_PLAIN_LEAST_S, _PLAIN_MOST_S = 1.0, 15.0
"""... but no line within the first of these seconds of another, and one when the second have passed."""
_WINDOW_S = 30.0
"""Seconds that the rate looks back."""

Clock = Callable[[], float]


class Show(Protocol):
    """Take the engine's states a few times a second, once it is built."""

    def begin(self) -> None:
        """Measure the rate from now on: the engine is built and begins."""
        ...

    def __call__(self, states: States) -> None:
        """Show `states`."""
        ...


class Standing(NamedTuple):
    """Be how far a run is: bars done of how many, bars a second and seconds left (None: not known yet)."""

    phase: str
    done: int
    total: int
    rate: float | None
    left_s: float | None
    day: str
    account: str

    @property
    def share(self) -> float:
        """Return the part that is done."""
        return self.done / self.total if self.total else 1.0

    @property
    def pace(self) -> str:
        """Return rate and time left as text, as much as is known."""
        if self.rate is None:
            return ""
        rate = f"{_figure(self.rate)} bars/s"
        return rate if self.left_s is None else f"{rate}  ETA {timedelta(seconds=math.ceil(self.left_s))}"


class Meter:
    """Work out where a run stands from its engine's states."""

    def __init__(self, table: BarTable, first: int, clock: Clock) -> None:
        """Measure a run that begins with bar group `first` of `table`."""
        self._table, self._first, self._clock = table, first, clock
        self.total = len(table) - first
        self._looks: deque[tuple[float, int]] = deque([(clock(), 0)])

    def begin(self) -> None:
        """Measure the rate from now on."""
        self._looks.clear()
        self._looks.append((self._clock(), 0))

    def read(self, states: States) -> Standing:
        """Return where the run stands now; its rate is that of the last half minute."""
        following = max(self._first, int(states[FEED].get("next", self._first)))
        done, total = following - self._first, self.total
        rate, phase = self._rate(done), str(states[COORDINATOR].get("phase", Phase.STARTING.value))
        return Standing(
            phase=phase,
            done=done,
            total=total,
            rate=rate,
            left_s=(total - done) / rate if rate and phase == Phase.RUNNING.value else None,
            day=self._day(following - 1) if done else "",
            # Before the first bar a resumed risk manager may not have read yet what it holds.
            account=account_line(states) if done else "",
        )

    def _rate(self, done: int) -> float | None:
        """Return bars a second; the time before the first bar is the start's and does not count."""
        now = self._clock()
        if not done:
            self.begin()
        self._looks.append((now, done))
        while len(self._looks) > 2 and now - self._looks[1][0] >= _WINDOW_S:
            self._looks.popleft()
        begun, before = self._looks[0]
        return (done - before) / (now - begun) if done and now > begun else None

    def _day(self, group: int) -> str:
        at = datetime.fromtimestamp(int(self._table.open_ns[self._table.starts[group]]) // 10**9, UTC)
        return at.strftime("%Y-%m-%d" if self._table.bar_ns >= DAY_NS else "%Y-%m-%d %H:%M")


@contextmanager
def progress(console: Console, table: BarTable, first: int, clock: Clock = time.monotonic) -> Iterator[Show]:
    """Yield what shows states on `console`: a live bar on a terminal, a line now and then elsewhere."""
    meter = Meter(table, first, clock)
    if console.is_terminal:
        with _Bar(console) as bar:
            yield _Live(bar, meter)
    else:
        yield _Plain(console, meter, clock)


class _Bar(Progress):
    """Be a Rich progress bar over the line of the account, which a terminal of 80 columns has no room for beside it."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[bars]}"),
            TextColumn("{task.fields[pace]}", style="cyan"),
            console=console,
            transient=True,
            expand=True,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar and under it the account."""
        yield from super().get_renderables()
        for task in self.tasks:
            yield Text(str(task.fields["account"]), style="dim", no_wrap=True, overflow="ellipsis")


class _Live:
    """Move a Rich progress bar."""

    def __init__(self, bar: _Bar, meter: Meter) -> None:
        self._bar, self._meter = bar, meter
        self._task = bar.add_task("starting", total=None, bars="", pace="", account="")

    def begin(self) -> None:
        """Measure the rate from now on."""
        self._meter.begin()

    def __call__(self, states: States) -> None:
        """Move the bar to where the feed stands."""
        at = self._meter.read(states)
        self._bar.update(
            self._task,
            total=at.total if at.done else None,
            completed=at.done,
            description=at.phase,
            bars=f"{at.done:,}/{at.total:,}",
            pace=at.pace,
            account=_joined(at.day, at.account),
        )


class _Plain:
    """Print a line now and then."""

    def __init__(self, console: Console, meter: Meter, clock: Clock) -> None:
        self._console, self._meter, self._clock = console, meter, clock
        self._parts, self._phase, self._printed = 0, Phase.STARTING.value, clock()
        console.print(f"{self._phase}: {meter.total:,} bars to trade", highlight=False, soft_wrap=True)

    def begin(self) -> None:
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


def account_line(states: States) -> str:
    """Return equity, drawdown, positions and, when it is up, the halt."""
    risk = states[RISK]
    if "equity" not in risk:
        return ""
    rung = "" if risk["rung"] == "ACTIVE" else f"  {risk['rung']}"
    return f"equity ${risk['equity']:,.0f}  drawdown {risk['drawdown']:.1%}  positions {len(risk['positions'])}{rung}"


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _figure(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10.0 else f"{rate:.2g}"
