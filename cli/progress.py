"""Show a run's progress: bars done, rate, time left, and the account as it moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cli.drive import States
from domain.messages import COORDINATOR, FEED, RISK

_PLAIN_EVERY = 0.1
"""Share of the bars between two lines where the output is no terminal."""


class Show(Protocol):
    """Take the engine's states a few times a second."""

    def __call__(self, states: States) -> None:
        """Show `states`."""
        ...


@contextmanager
def progress(console: Console, first: int, last: int) -> Iterator[Show]:
    """Yield what shows states on `console`: a live bar on a terminal, a line every tenth of the way elsewhere."""
    if console.is_terminal:
        with _bar(console) as bar:
            yield _Live(bar, first, last)
    else:
        yield _Plain(console, first, last)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[account]}"),
        console=console,
        transient=True,
    )


class _Live:
    """Move a Rich progress bar."""

    def __init__(self, bar: Progress, first: int, last: int) -> None:
        self._bar, self._first = bar, first
        self._task = bar.add_task("starting", total=last - first, rate="", account="")

    def __call__(self, states: States) -> None:
        """Move the bar to where the feed stands."""
        done = max(0, int(states[FEED].get("next", self._first)) - self._first)
        speed = self._bar.tasks[0].speed
        self._bar.update(
            self._task,
            completed=done,
            description=str(states[COORDINATOR].get("phase", "")),
            rate="" if speed is None else f"{speed:,.0f} bars/s",
            account=account_line(states),
        )


class _Plain:
    """Print a line now and then."""

    def __init__(self, console: Console, first: int, last: int) -> None:
        self._console, self._first, self._last = console, first, last
        self._due = 0.0

    def __call__(self, states: States) -> None:
        """Print a line when another tenth of the way is done."""
        done = max(0, int(states[FEED].get("next", self._first)) - self._first)
        share = done / max(1, self._last - self._first)
        if share >= self._due:
            self._due = share - share % _PLAIN_EVERY + _PLAIN_EVERY
            phase = states[COORDINATOR].get("phase", "")
            self._console.print(
                f"{phase}: {done:,} bars, {share:4.0%}  {account_line(states)}", highlight=False
            )


def account_line(states: States) -> str:
    """Return equity, drawdown, positions and, when it is up, the halt."""
    risk = states[RISK]
    if "equity" not in risk:
        return ""
    rung = "" if risk["rung"] == "ACTIVE" else f"  {risk['rung']}"
    return f"equity ${risk['equity']:,.0f}  drawdown {risk['drawdown']:.1%}  positions {len(risk['positions'])}{rung}"
