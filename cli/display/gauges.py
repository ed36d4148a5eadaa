"""Draw figures small: a bar against a limit, a line of blocks for a series, and a chart of several rows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

from cli.display.lines import Line
from cli.display.styles import AMBER, FAINT, RED, TEAL

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_NEAR = 0.6
"""Share of a limit from which its bar is amber."""


def gauge(value: float, limit: float, width: int, style: Style | None = None) -> Line:
    """Return a bar of `width` cells, full at `limit`; without a style it is coloured by how near that is."""
    share = value / limit if limit > 0.0 else 0.0
    share = min(1.0, max(0.0, share)) if share == share else 1.0
    halves = min(2 * width, round(2 * width * share))
    if share > 0.0 and halves == 0:
        halves = 1
    full, half = divmod(halves, 2)
    colour = style or near(value, limit)
    drawn = "━" * full + "╸" * half
    return [Segment(drawn, colour), Segment("─" * (width - full - half), FAINT)]


def near(value: float, limit: float) -> Style:
    """Return the colour of a figure that has a limit: amber from 60 % of it, red where it is reached."""
    if not value < limit:
        return RED
    return AMBER if value >= _NEAR * limit else TEAL


def chart(values: Sequence[float | None], rows: int, style: Style) -> list[Line]:
    """Return `values`, one a column, as blocks over `rows` rows, scaled from the least to the most of them.

    None leaves its column empty.
    """
    known = [value for value in values if value is not None]
    if not known:
        return [[] for _ in range(rows)]
    low, high = min(known), max(known)
    steps = 8 * rows - 1
    heights = [
        0
        if value is None
        else 1 + (round(steps * (value - low) / (high - low)) if high > low else steps // 2)
        for value in values
    ]
    return [
        [Segment("".join(_EIGHTHS[max(0, min(8, height - base))] for height in heights), style)]
        for base in range(8 * (rows - 1), -1, -8)
    ]


class Trace:
    """Keep a series for a chart in bounded room: where it grows too long every second value goes."""

    def __init__(self, most: int = 720) -> None:
        """Keep up to `most` values."""
        self._most, self._stride, self._skipped = most, 1, 0
        self._values: list[float] = []

    def add(self, value: float) -> None:
        """Take the next value; the newest is always kept."""
        if self._skipped:
            self._values[-1] = value
        else:
            self._values.append(value)
        self._skipped = (self._skipped + 1) % self._stride
        if len(self._values) > self._most:
            del self._values[-2::-2]
            self._stride *= 2
            self._skipped = 0

    def columns(self, width: int) -> list[float | None]:
        """Return the series at `width` columns, the newest value last; a short one begins at the left."""
        values, count = self._values, len(self._values)
        if count <= width:
            return [*values, *[None] * (width - count)]
        return [values[(column + 1) * count // width - 1] for column in range(width)]
