"""Lay out tables that keep their numbers whole: on a narrow terminal columns go, in a pipe nothing is cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_UNLIMITED = 100_000
"""Columns of an output that is no terminal: whoever reads it wants one row a line."""


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
    held = [[_text(cell) for cell in row] for row in rows]
    last = None if totals is None else [_text(cell) for cell in totals]
    shown = list(range(len(columns)))
    wide = _as_wide_as_needed(console)
    while True:
        table = _table(console, columns, shown, held, last)
        needed = Measurement.get(wide, wide.options, table)
        spares = sorted((columns[i].spare, i) for i in shown if columns[i].spare)
        if needed.minimum <= console.width or not console.is_terminal or not spares:
            break
        shown.remove(spares[0][1])
    fits = console.is_terminal and needed.minimum <= console.width
    (console if fits else wide).print(table, highlight=False)
    if len(shown) < len(columns):
        names = ", ".join(column.header for i, column in enumerate(columns) if i not in shown)
        say(console, Text(f"No room for: {names}. Widen the terminal, or use --json.", style="dim"))


def print_pairs(console: Console, pairs: Iterable[tuple[str, Cell]]) -> None:
    """Print names and values in two columns."""
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), _text(value))
    (console if console.is_terminal else _as_wide_as_needed(console)).print(table, highlight=False)


def say(console: Console, text: Cell) -> None:
    """Print a line; where the output is no terminal it stays one line."""
    console.print(_text(text), highlight=False, soft_wrap=not console.is_terminal)


def gain(amount: float, text: str) -> Text:
    """Return `text` in the colour of a gain or a loss."""
    return Text(text, style="" if amount == 0.0 else "green" if amount > 0.0 else "red")


def printable(text: str) -> str:
    """Return `text` with what does not print escaped: a file may hold line breaks or a terminal's control codes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(printable(cell))


def _headers(columns: Sequence[Column]) -> Row:
    return tuple(column.header for column in columns)


def _as_wide_as_needed(console: Console) -> Console:
    return Console(
        file=console.file,
        width=_UNLIMITED,
        force_terminal=console.is_terminal,
        no_color=console.no_color,
        legacy_windows=False,
    )


def _table(
    console: Console, columns: Sequence[Column], shown: Sequence[int], rows: Sequence[Row], totals: Row | None
) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if console.is_terminal else (0, 2, 0, 0),
        header_style="bold",
        show_edge=False,
    )
    for i in shown:
        column = columns[i]
        longest = max(
            _text(row[i]).cell_len for row in (*rows, totals or _headers(columns), _headers(columns))
        )
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            no_wrap=column.wraps == 0,
            overflow="fold",
            min_width=min(column.wraps, longest) if column.wraps else longest,
        )
    for row in rows:
        table.add_row(*(row[i] for i in shown))
    if totals is not None:
        table.add_section()
        table.add_row(*(totals[i] for i in shown), style="bold")
    return table
