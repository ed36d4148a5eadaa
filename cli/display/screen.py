"""Lay the whole screen out for a size: what matters most has its place at 80 by 24, the rest where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cli.display.account import account
from cli.display.events import EventLog, events
from cli.display.gauges import Trace
from cli.display.head import HEAD_LINES, head
from cli.display.lines import Frame, Line, beside
from cli.display.tables import actors, actors_line, orders, positions, strategies
from cli.display.view import View
from cli.meter import Reading

TWO_COLUMNS = 100
"""Width from which the screen has two columns ..."""
EVENTS_BESIDE = 130
"""... and from which the right one is wide enough for the words of events."""
_MANY = 1_000


class Picture(NamedTuple):
    """Be all that a screen shows: the engine, how far it is, what was seen before, and how old the figures are."""

    view: View
    reading: Reading
    trace: Trace
    log: EventLog
    age_s: float


class Block(NamedTuple):
    """Be a part of a column: it needs `least` lines or is left out, wants `want` and can use `most`.

    The lower its `rank`, the earlier it gets what it needs, then what it wants.
    """

    draw: Callable[[int, int], list[Line]]
    least: int
    want: int
    most: int
    rank: int


def screen(picture: Picture, last: Line, width: int, height: int) -> Frame:
    """Return the screen at this size, with `last` as its last line."""
    top = head(picture.view, picture.reading, picture.age_s, width)
    body = max(0, height - HEAD_LINES - 1)
    lines = (_two if width >= TWO_COLUMNS else _one)(picture, width, body)
    return Frame(
        [*top, *lines][: max(0, height - 1)] + [[]] * max(0, height - 1 - HEAD_LINES - body) + [last],
        width,
        height,
    )


def _one(picture: Picture, width: int, height: int) -> list[Line]:
    view = picture.view
    with_orders = height >= 30
    blocks = [
        _account(picture, want=4, most=10),
        _strategies(view),
        Block(lambda w, h: positions(view, w, h, orders=not with_orders), 3, _rows(view.positions), 14, 3),
        *([_orders(view)] if with_orders else []),
        _events(picture),
        Block(lambda w, h: [actors_line(view, w)], 1, 1, 1, 1)
        if height < 36
        else Block(lambda w, h: actors(view, w, h), 3, _rows(view.actors), _rows(view.actors), 6),
    ]
    return _stack(blocks, width, height)


def _two(picture: Picture, width: int, height: int) -> list[Line]:
    view = picture.view
    right = max(50, (width - 3) * 46 // 100)
    widths = (width - 3 - right, right)
    ours = [
        _account(picture, want=9, most=20),
        Block(
            lambda w, h: positions(view, w, h), 3, min(12, _rows(view.positions)), _rows(view.positions), 3
        ),
        _orders(view),
    ]
    theirs = [
        _strategies(view),
        Block(lambda w, h: actors(view, w, h), 2, _rows(view.actors), _rows(view.actors), 3),
    ]
    if width >= EVENTS_BESIDE:
        return beside(
            _stack(ours, widths[0], height), _stack([*theirs, _events(picture)], widths[1], height), widths
        )
    needed = max(_rows(view.strategies) + _rows(view.actors), 12)
    below = max(4, min(12, height - needed)) if height >= 16 else 0
    columns = beside(
        _stack(ours, widths[0], height - below), _stack(theirs, widths[1], height - below), widths
    )
    return [*columns, *(events(picture.log, width, below) if below else ())]


def _account(picture: Picture, want: int, most: int) -> Block:
    return Block(lambda w, h: account(picture.view.account, picture.trace, w, h), 4, want, most, 0)


def _strategies(view: View) -> Block:
    return Block(lambda w, h: strategies(view, w, h), 3, _rows(view.strategies), _rows(view.strategies), 2)


def _orders(view: View) -> Block:
    return Block(lambda w, h: orders(view, w, h), 2, min(9, _rows(view.orders)), _rows(view.orders), 5)


def _events(picture: Picture) -> Block:
    return Block(lambda w, h: events(picture.log, w, h), 3, 5, _MANY, 4)


def _rows(shown: Sequence[object]) -> int:
    """Return the lines of a table with its heading; an empty one says so on a line."""
    return 1 + max(1, len(shown))


def _stack(blocks: Sequence[Block], width: int, height: int) -> list[Line]:
    """Return the blocks under one another in exactly `height` lines; where all have enough, with room between."""
    given = _shares(blocks, height)
    drawn = [block.draw(width, rows) for block, rows in zip(blocks, given, strict=True) if rows]
    left = height - sum(given)
    lines: list[Line] = []
    for number, block in enumerate(drawn):
        if number and left > 0:
            lines.append([])
            left -= 1
        lines += block
    return lines + [[]] * left


def _shares(blocks: Sequence[Block], height: int) -> list[int]:
    """Return each block's lines: first what all need, by rank, then what they want, then what they can use."""
    given = [0] * len(blocks)
    left = height
    ranked = sorted(range(len(blocks)), key=lambda i: blocks[i].rank)
    for i in ranked:
        if blocks[i].least <= left:
            given[i] = min(blocks[i].least, blocks[i].most)
            left -= given[i]
    for goal in ("want", "most"):
        for i in ranked:
            if given[i]:
                more = min(left, max(0, min(getattr(blocks[i], goal), blocks[i].most) - given[i]))
                given[i] += more
                left -= more
    return given
