"""Build a screen out of lines of styled pieces, each cut or filled to its width in terminal cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from cli.display.styles import BOLD, FAINT, MUTED, PLAIN

Line = list[Segment]

_NEW_LINE = Segment.line()
_RULE = "─"


class Frame:
    """Be a picture of exactly `height` lines of `width` cells; Rich can print it."""

    __slots__ = ("lines", "width")

    def __init__(self, lines: Iterable[Line], width: int, height: int) -> None:
        """Cut or fill `lines` to the size."""
        kept = [fit(line, width) for line in lines][:height]
        self.lines = kept + [fit([], width)] * (height - len(kept))
        self.width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield every line."""
        for number, line in enumerate(self.lines):
            if number:
                yield _NEW_LINE
            yield from line


class Column(NamedTuple):
    """Describe a column: its heading, its width in cells, and whether figures stand to the right.

    Where the room is short columns leave, those with the highest `spare` first; 0 stays. What is left over goes to the
    first column that `grows`. A `snug` one is as wide as its content, up to its width.
    """

    heading: str
    width: int
    right: bool = False
    spare: int = 0
    grows: bool = False
    snug: bool = False


def piece(text: str, style: Style = PLAIN) -> Segment:
    """Return `text`, without what would move the cursor, in a style."""
    return Segment(clean(text), style)


def clean(text: str) -> str:
    """Return `text` on one line and without control codes: an error's words may hold anything."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def cells(line: Line) -> int:
    """Return how many cells `line` takes."""
    return sum(cell_len(part.text) for part in line)


def fit(line: Line, width: int, *, right: bool = False) -> Line:
    """Return `line` at `width` cells: filled with blanks, or cut with a mark that it was."""
    room = width - cells(line)
    if room == 0:
        return line
    if room > 0:
        blank = Segment(" " * room, PLAIN)
        return [blank, *line] if right else [*line, blank]
    return _cut(line, width)


def _cut(line: Line, width: int) -> Line:
    if width <= 0:
        return []
    kept: Line = []
    left = width - 1
    for text, style, _ in line:
        length = cell_len(text)
        if length > left:
            kept.append(Segment(set_cell_size(text, left), style))
            break
        kept.append(Segment(text, style))
        left -= length
    return [*kept, Segment("…", kept[-1].style if kept else PLAIN)]


def ends(left: Line, right: Line, width: int) -> Line:
    """Return a line with `left` at its beginning and `right` at its end; the left one gives way."""
    room = max(0, width - cells(right) - 1)
    return fit([*fit(left, room), Segment(" "), *right], width)


def beside(left: Sequence[Line], right: Sequence[Line], widths: tuple[int, int]) -> list[Line]:
    """Return two blocks side by side with a rule between them; the shorter is filled up."""
    rows = max(len(left), len(right))
    rule = Segment(" │ ", FAINT)
    a, b = (list(block) + [[]] * (rows - len(block)) for block in (left, right))
    return [[*fit(one, widths[0]), rule, *fit(other, widths[1])] for one, other in zip(a, b, strict=True)]


def table(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Segment]],
    width: int,
    height: int,
    *,
    empty: str,
) -> list[Line]:
    """Return a titled table of exactly `height` lines; rows that have no room are counted on the last line."""
    shown, widths = _room(columns, rows, width)
    lines = [_headings(title, columns, shown, widths, width)]
    room = max(0, height - 1)
    if not rows:
        lines.append([Segment(empty, FAINT)])
    whole = rows if len(rows) <= room else rows[: max(0, room - 1)]
    for row in whole:
        line: Line = []
        for i in shown:
            if line:
                line.append(Segment(" "))
            line += fit([row[i]], widths[i], right=columns[i].right)
        lines.append(line)
    if len(whole) < len(rows):
        lines.append([Segment(f"… and {len(rows) - len(whole)} more", MUTED)])
    return (lines + [[]] * height)[:height]


def heading(title: str, width: int, note: str = "") -> Line:
    """Return a title on a rule, with a note at its end."""
    tail: Line = [Segment(f" {note} ", MUTED), Segment(_RULE, FAINT)] if note else []
    head = [Segment(f"{title} ", BOLD)]
    room = max(0, width - cells(head) - cells(tail))
    return fit([*head, Segment(_RULE * room, FAINT), *tail], width)


def _room(
    columns: Sequence[Column], rows: Sequence[Sequence[Segment]], width: int
) -> tuple[list[int], dict[int, int]]:
    """Return which columns have room and how wide they are."""
    wide = {i: _wide(column, i, rows) for i, column in enumerate(columns)}
    shown = list(wide)
    while sum(wide[i] + 1 for i in shown) - 1 > width:
        out = max(shown, key=lambda i: columns[i].spare)
        if columns[out].spare == 0:
            break
        shown.remove(out)
    widths = {i: wide[i] for i in shown}
    left = width - sum(widths.values()) - len(shown) + 1
    growing = next((i for i in shown if columns[i].grows), shown[0])
    widths[growing] = max(1, widths[growing] + left)
    return shown, widths


def _wide(column: Column, at: int, rows: Sequence[Sequence[Segment]]) -> int:
    if not column.snug:
        return column.width
    return min(column.width, max([len(column.heading), *(cell_len(row[at].text) for row in rows)]))


def _headings(
    title: str, columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int], width: int
) -> Line:
    """Return the title and, over the other columns, their headings, on a rule."""
    line: Line = [Segment(f"{title} ", BOLD)]
    drawn = cell_len(title) + 1
    begin = 0
    for i in shown:
        word, room = columns[i].heading, widths[i]
        at = begin + room - len(word) if columns[i].right else begin
        begin += room + 1
        if not word or i == shown[0] or at < drawn or at + len(word) > width:
            continue
        if at > drawn:
            line.append(Segment(f"{_RULE * (at - drawn - 1)} ", FAINT))
        line.append(Segment(word, MUTED))
        drawn = at + len(word)
        if drawn < width:
            line.append(Segment(" "))
            drawn += 1
    return fit([*line, Segment(_RULE * max(0, width - drawn), FAINT)], width)
