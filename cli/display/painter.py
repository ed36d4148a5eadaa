"""Paint pictures on a terminal one after another: only the lines that changed, in one write each time."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import Segment

from cli.display.lines import Frame, Line

_AS_ONE = Segment("\x1b[?2026h"), Segment("\x1b[?2026l")
"""Begin and end of what a terminal shows at once; one that does not know it shows it as it comes."""


class Painter:
    """Know what stands on the screen, and change it."""

    def __init__(self, console: Console) -> None:
        """Paint on `console`, whose whole screen is ours."""
        self._console = console
        self._shown: list[Line] = []
        self._width = 0

    def paint(self, frame: Frame, *, whole: bool) -> int:
        """Show `frame`, every line of it when `whole` or when the size is another; return the lines painted."""
        whole = whole or frame.width != self._width or len(frame.lines) != len(self._shown)
        changed = [(row, line) for row, line in enumerate(frame.lines) if whole or line != self._shown[row]]
        self._shown, self._width = frame.lines, frame.width
        if changed:
            self._console.print(_Changed(changed), end="", crop=False, overflow="ignore", no_wrap=True)
        return len(changed)


class _Changed:
    """Be lines with their rows; Rich can print it."""

    def __init__(self, lines: list[tuple[int, Line]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _AS_ONE[0]
        for row, line in self._lines:
            yield Control.move_to(0, row).segment
            yield from line
        yield _AS_ONE[1]
