"""Work out how far a run is: bars done, their rate, the time left, the day traded, and the account in a line."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cli.drive import States, following
from domain.bars import BarTable
from domain.messages import COORDINATOR, RISK
from domain.strategies.blocks import DAY_NS
from supervisor.phase import Phase

_WINDOW_S = 30.0
"""Seconds that the rate looks back."""

Clock = Callable[[], float]


class Reading(NamedTuple):
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

    @property
    def bar_ns(self) -> int:
        """Return the length of a bar."""
        return self._table.bar_ns

    def opening(self) -> Reading:
        """Return where a run stands before anything is known of it."""
        return Reading(Phase.STARTING.value, 0, self.total, None, None, "", "")

    def begin(self) -> None:
        """Measure the rate from now on."""
        self._looks.clear()
        self._looks.append((self._clock(), 0))

    def read(self, states: States) -> Reading:
        """Return where the run stands now; its rate is that of the last half minute."""
        done, total = max(0, following(states) - self._first), self.total
        rate, phase = self._rate(done), str(states[COORDINATOR].get("phase", Phase.STARTING.value))
        return Reading(
            phase=phase,
            done=done,
            total=total,
            rate=rate,
            left_s=(total - done) / rate if rate and phase == Phase.RUNNING.value else None,
            day=self._day(self._first + done - 1) if done else "",
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


def account_line(states: States) -> str:
    """Return equity, drawdown, positions and, when it is up, the halt."""
    risk = states[RISK]
    if "equity" not in risk:
        return ""
    rung = "" if risk["rung"] == "ACTIVE" else f"  {risk['rung']}"
    return f"equity ${risk['equity']:,.0f}  drawdown {risk['drawdown']:.1%}  positions {len(risk['positions'])}{rung}"


def _figure(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10.0 else f"{rate:.2g}"
