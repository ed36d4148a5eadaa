"""Lay out tables that keep their numbers whole: on a narrow terminal columns go, in a pipe nothing is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import ERR

_UNLIMITED = 100_000
"""Columns of an output that is no terminal: whoever reads it wants one row a line."""

_GAP = 2


class Column(NamedTuple):
    """Describe a column.

    With `wraps` > 0 its text may break over lines at that width or more. A `spare` column leaves where the terminal is
    narrow, 1 first.
    """

    header: str
    right: bool = False
    wraps: int = 0
    spare: int = 0


Cell = str | Text
Row = Sequence[Cell]


def print_table(
    console: Console, columns: Sequence[Column], rows: Iterable[Row], totals: Row | None = None
) -> None:
    """Print `rows` under their headers, `totals` after a rule; say which columns had no room."""
    held = [[_one_line(cell) for cell in row] for row in rows]
    last = None if totals is None else [_one_line(cell) for cell in totals]
    lines = [*held, [Text(column.header) for column in columns], *([] if last is None else [last])]
    natural = [max(line[i].cell_len for line in lines) for i in range(len(columns))]
    room = console.width if console.is_terminal else _UNLIMITED
    shown = _fitting(columns, natural, room)
    widths = _widths([columns[i] for i in shown], [natural[i] for i in shown], room)
    table = _table(console, [columns[i] for i in shown], widths)
    for row in held:
        table.add_row(*(row[i] for i in shown))
    if last is not None:
        table.add_section()
        table.add_row(*(last[i] for i in shown), style="bold")
    wide = sum(widths) + _GAP * (len(widths) - 1) > console.width
    (_as_wide_as_needed(console) if wide else console).print(table, highlight=False)
    if len(shown) < len(columns):
        names = ", ".join(column.header for i, column in enumerate(columns) if i not in shown)
        say(console, Text(f"No room for: {names}. Widen the terminal, or use --json.", style="dim"))


def print_pairs(console: Console, pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print names and values in two columns."""
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), _one_line(value))
    (console if console.is_terminal else _as_wide_as_needed(console)).print(table, highlight=False)


def say(console: Console, text: Cell) -> None:
    """Print a line; where the output is no terminal it stays one line."""
    console.print(_text(text), highlight=False, soft_wrap=not console.is_terminal)


def warn(text: str) -> None:
    """Print a warning on standard error, unless it is empty."""
    if text:
        say(ERR, Text(f"warning: {printable(text)}", style="yellow"))


def gain(amount: float, text: str) -> Text:
    """Return `text` in the colour of a gain or a loss."""
    return Text(text, style="" if amount == 0.0 else "green" if amount > 0.0 else "red")


def printable(text: str) -> str:
    """Return `text` with what does not print escaped: a file may hold a terminal's control codes."""
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def _one_line(cell: Cell) -> Text:
    """Return what a cell holds: a row is one line in a pipe, whatever a stranger's words hold."""
    return cell if isinstance(cell, Text) else Text(printable(cell).replace("\n", _escaped("\n")))


def _as_wide_as_needed(console: Console) -> Console:
    return Console(
        file=console.file,
        width=_UNLIMITED,
        force_terminal=console.is_terminal,
        no_color=console.no_color,
        legacy_windows=False,
    )


def _fitting(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Return which columns to show: all, less as many spare ones as it takes."""
    shown = list(range(len(columns)))
    spares = sorted((column.spare, i) for i, column in enumerate(columns) if column.spare)
    for _, spare in spares:
        least = sum(_least(columns[i], natural[i]) for i in shown) + _GAP * (len(shown) - 1)
        if least <= room:
            break
        shown.remove(spare)
    return shown


def _least(column: Column, natural: int) -> int:
    return min(column.wraps, natural) if column.wraps else natural


def _widths(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Return the columns' widths: what they need, the wrapping ones less where the room ends."""
    widths = [_least(column, need) for column, need in zip(columns, natural, strict=True)]
    left = room - sum(widths) - _GAP * (len(widths) - 1)
    # The narrowest wish first, so that what it leaves goes to the others.
    wishes = sorted((need - width, i) for i, (need, width) in enumerate(zip(natural, widths, strict=True)))
    for n, (wish, i) in enumerate(wishes):
        if wish and left > 0:
            given = min(wish, left // (len(wishes) - n))
            widths[i] += given
            left -= given
    return widths


def _table(console: Console, columns: Sequence[Column], widths: Sequence[int]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0) if console.is_terminal else (0, _GAP, 0, 0),
        header_style="bold",
        show_edge=False,
    )
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            width=width,
            no_wrap=column.wraps == 0,
            overflow="fold",
        )
    return table
