"""Show how far a fault search is: seeds done, rate, time left, and how many broke a rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_S = 15.0
"""Seconds between two lines where the output is no terminal."""

Show = Callable[[int, int], None]
"""Take the seeds done and how many of them broke a rule."""


@contextmanager
def seeds_progress(console: Console, total: int) -> Iterator[Show]:
    """Show progress over `total` seeds on `console`: a bar on a terminal, else a line now and then."""
    begun = time.monotonic()
    if not console.is_terminal:
        yield _plain(console, total, begun)
        return
    columns = (
        TextColumn("fault search"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} seeds/s"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failing]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=total, rate="-", failing="")

        def show(done: int, failing: int) -> None:
            rate = done / max(time.monotonic() - begun, 1e-9)
            said = f"[red]{failing} broke a rule[/]" if failing else "[green]none broke a rule[/]"
            progress.update(task, completed=done, rate=f"{rate:.1f}", failing=said)

        yield show


def _plain(console: Console, total: int, begun: float) -> Show:
    shown = begun

    def show(done: int, failing: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < _PLAIN_S and done < total:
            return
        shown = now
        rate = done / max(now - begun, 1e-9)
        left_s = (total - done) / rate
        console.print(
            f"{done} of {total} seeds, {rate:.1f} seeds/s, {left_s:.0f} s left, {failing} broke a rule",
            highlight=False,
        )

    return show
