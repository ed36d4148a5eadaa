"""Make the pictures of docs/display.md: an inline engine trades the sample, and its screens are kept as SVG.

Usage: python -m tests.unit.cli.display.screens
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.segment import Segment
from rich.terminal_theme import TerminalTheme

from actors.clock import SystemClock
from cli.display.events import EventLog
from cli.display.foot import foot
from cli.display.gauges import Trace
from cli.display.keys import Dialogue
from cli.display.lines import Frame
from cli.display.screen import Picture, screen
from cli.display.view import read
from cli.inline_engine import InlineEngine
from cli.meter import Meter
from cli.opening import RunRequest, open_session
from cli.plan import EnginePlan
from domain.commands import Command, Verb
from tests.real_data import ROOT

FOLDER = ROOT / "docs" / "screens"
THEME = TerminalTheme((18, 22, 28), (214, 220, 228), [(128, 128, 128)] * 8)
"""The display names its colours by value: of the theme only the ground and the plain letters are seen."""


BLANKS = re.compile(r"(^ +| +$)")


class Watch:
    """Look at an engine as the display does, but bar by bar, so that two runs give the same picture."""

    def __init__(self, engine: InlineEngine, plan: EnginePlan) -> None:
        self.engine, self.meter = engine, Meter(plan.table, plan.session.first, lambda: 0.0)
        self.trace, self.log = Trace(), EventLog(plan.table.bar_ns)
        self.picture = Picture(read({}), self.meter.opening(), self.trace, self.log, 0.0)

    def look(self) -> Picture:
        reading, told = self.meter.read(self.engine.states()), self.engine.snapshot()
        self.log.look(told, reading.day)
        view = read(told)
        if view.account.equity is not None:
            self.trace.add(view.account.equity)
        self.picture = Picture(view, reading, self.trace, self.log, 0.0)
        return self.picture

    def until(self, true: Callable[[Picture], bool]) -> Picture:
        while not true(self.look()):
            if self.engine.advance():
                raise RuntimeError("the session ended before the moment of the picture came")
        return self.picture

    def halt(self) -> None:
        """Halt as a person does."""
        halt = Command(
            request_id=0,
            key="screens",
            verb=Verb.HALT,
            arguments={},
            who="you",
            reason="a look at the news",
            mode="SIMULATION",
            at_ns=0,
        )
        self.engine._commands.put(halt)


@contextmanager
def watched() -> Iterator[Watch]:
    with TemporaryDirectory(prefix="breakwater-screens-") as folder:
        request = RunRequest(
            config=None,
            state=Path(folder),
            data=None,
            symbols=None,
            start=None,
            end=None,
            speed=1e6,  # a paced engine lets itself be looked at between any two bars
            runtime="inline",
            fresh=False,
        )
        with open_session(request, dict(os.environ), SystemClock()) as opened:
            engine = InlineEngine(opened.plan)
            try:
                yield Watch(engine, opened.plan)
            finally:
                engine.close()


def save(name: str, frame: Frame) -> None:
    """Keep a picture."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=frame.width,
        height=len(frame.lines),
        force_terminal=True,
        color_system="truecolor",
    )
    # Blanks stand apart: some viewers of SVG drop those at either end of a text.
    apart = [
        [Segment(text, s) for t, s, _ in line for text in BLANKS.split(t) if text] for line in frame.lines
    ]
    console.print(Frame(apart, frame.width, len(apart)))
    console.save_svg(str(FOLDER / f"{name}.svg"), title="breakwater run", theme=THEME, unique_id=name)


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    with watched() as watch:
        for name, moment, width, height in (
            ("running", lambda at: at.reading.done >= 1_000 and len(at.view.positions) >= 3, 100, 30),
            ("large", lambda at: at.reading.done >= 1_500 and len(at.view.positions) >= 3, 140, 45),
            ("halted", lambda at: at.view.rung == "HALTED" and len(at.view.positions) > 1, 80, 24),
        ):
            if name == "halted":
                watch.halt()
            picture = watch.until(moment)
            save(name, screen(picture, foot(Dialogue(), None, width, keys=True), width, height))


if __name__ == "__main__":
    main()
