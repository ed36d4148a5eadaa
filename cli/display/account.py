"""Show the account: equity and its curve, profit and loss, and the figures that have limits with bars against them."""

from __future__ import annotations

import math

from rich.segment import Segment
from rich.style import Style

from cli.display.figures import money, percent
from cli.display.gauges import Trace, chart, gauge, near
from cli.display.lines import Line, beside, cells, ends, fit, heading, piece
from cli.display.styles import (
    BOLD,
    FAINT,
    MUTED,
    NOTHING,
    PLAIN,
    TEAL_AREA,
    VERMILION_AREA,
    gain_style,
    signed,
)
from cli.display.view import Account, Limited

_NAMES = {"daily_loss": "day's loss", "gross_exposure": "exposure"}
_NAME, _FIGURE, _LIMIT = 11, 7, 7
_TWO_GAUGES = 64
"""Width from which two bars stand side by side."""
_CURVE_LEAST = 10
_CHART_LEAST = 3
"""Rows a chart needs to be one; with fewer the curve is a line of blocks beside the equity."""


def account(shown: Account, trace: Trace, width: int, height: int) -> list[Line]:
    """Return a block of `height` lines, 4 at least: equity, profit and loss, limits, and the equity's curve."""
    lines = [heading("Account", width), _equity(shown, width)]
    if width < _TWO_GAUGES:
        lines += [_gauge(each, width) for each in shown.limited]
    else:
        half, middle = (len(shown.limited) + 1) // 2, (width - 3) // 2
        gauges = [_gauge(each, middle) for each in shown.limited]
        lines += beside(gauges[:half], gauges[half:], (middle, width - 3 - middle))
    room = height - len(lines)
    if room >= _CHART_LEAST:
        lines += _curve(shown, trace, width, room)
    elif (left := width - cells(lines[1])) >= _CURVE_LEAST:
        lines[1] = ends(lines[1], _small_curve(shown, trace, min(24, left - 2)), width)
    return (lines + [[]] * height)[:height]


def _equity(shown: Account, width: int) -> Line:
    line: Line = [Segment("equity ", MUTED), piece(money(shown.equity), BOLD)]
    cash = [] if shown.cash is None else [Segment("  cash ", MUTED), piece(money(shown.cash), PLAIN)]
    more = (
        _change("  P&L ", shown.equity, shown.opening, percentage=True),
        _change("  day ", shown.equity, shown.day_start, percentage=False),
        cash,
    )
    for part in more:
        if cells(line) + cells(part) > width:
            break
        line += part
    return line


def _change(name: str, now: float | None, then: float | None, *, percentage: bool) -> Line:
    if now is None or then is None or not math.isfinite(now):
        return []
    amount = now - then
    arrow = "" if amount == 0.0 else "▲ " if amount > 0.0 else "▼ "
    text = f"{arrow}{signed(amount)}"
    if percentage and then > 0.0:
        text += f" ({signed(100.0 * amount / then)} %)"
    return [Segment(name, MUTED), piece(text, gain_style(amount))]


def _gauge(limited: Limited, width: int) -> Line:
    name = _NAMES.get(limited.name, limited.name)
    line = fit([piece(name, MUTED)], _NAME)
    if limited.value is None:
        return fit([*line, Segment(f"{NOTHING:>{_FIGURE}}", FAINT)], width)
    if limited.limit is None:
        return fit([*line, piece(f"{percent(limited.value):>{_FIGURE}}")], width)
    room = max(3, width - _NAME - _FIGURE - _LIMIT - 2)
    colour = near(limited.value, limited.limit)
    figure = piece(f"{percent(limited.value):>{_FIGURE}} ", colour)
    limit = piece(f"{percent(limited.limit):>{_LIMIT}}", FAINT)
    return fit([*line, figure, *gauge(limited.value, limited.limit, room), limit], width)


def _curve(shown: Account, trace: Trace, width: int, rows: int) -> list[Line]:
    """Return the equity's curve with the most and the least of it beside."""
    values = trace.columns(width - 12)
    known = [value for value in values if value is not None]
    lines = chart(values, rows, _area(shown))
    if known:
        for row, value in ((0, max(known)), (rows - 1, min(known))):
            lines[row] = [*fit(lines[row], width - 12), piece(f"{value:>12,.0f}", FAINT)]
    return lines


def _small_curve(shown: Account, trace: Trace, width: int) -> Line:
    return chart(trace.columns(width), 1, _area(shown))[0]


def _area(shown: Account) -> Style:
    """Return the colour of the curve: that of a gain or a loss, darker, for it fills much room."""
    return VERMILION_AREA if (shown.equity or 0.0) < (shown.opening or 0.0) else TEAL_AREA
