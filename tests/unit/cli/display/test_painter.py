from __future__ import annotations

import io
import re

from rich.console import Console

from cli.display.lines import Frame, Line, piece
from cli.display.painter import Painter


def frame(*lines: str, width: int = 10) -> Frame:
    return Frame([[piece(line)] for line in lines], width, len(lines))


def painter() -> tuple[Painter, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=10, height=3, legacy_windows=False)
    return Painter(console), out


def rows(written: str) -> dict[int, str]:
    """Return what was written at each row, from 1."""
    body = written.removeprefix("\x1b[?2026h").removesuffix("\x1b[?2026l")
    return {int(row): text for row, text in re.findall(r"\x1b\[(\d+);1H([^\x1b]*)", body)}


def test_the_first_picture_is_painted_whole_and_as_one() -> None:
    paints, out = painter()
    assert paints.paint(frame("a", "b", "c"), whole=False) == 3
    assert out.getvalue().startswith("\x1b[?2026h")
    assert out.getvalue().endswith("\x1b[?2026l")
    assert rows(out.getvalue()) == {1: "a         ", 2: "b         ", 3: "c         "}


def test_only_lines_that_changed_are_painted() -> None:
    paints, out = painter()
    paints.paint(frame("a", "b", "c"), whole=False)
    begun = len(out.getvalue())
    assert paints.paint(frame("a", "B", "c"), whole=False) == 1
    assert rows(out.getvalue()[begun:]) == {2: "B         "}


def test_a_picture_that_is_the_same_writes_nothing() -> None:
    paints, out = painter()
    paints.paint(frame("a"), whole=False)
    begun = len(out.getvalue())
    assert paints.paint(frame("a"), whole=False) == 0
    assert len(out.getvalue()) == begun


def test_another_size_and_a_wish_paint_it_whole() -> None:
    paints, _ = painter()
    paints.paint(frame("a", "b"), whole=False)
    assert paints.paint(frame("a", "b", "c"), whole=False) == 3
    assert paints.paint(frame("a", "b", "c", width=12), whole=False) == 3
    assert paints.paint(frame("a", "b", "c", width=12), whole=True) == 3


def test_nothing_is_written_that_scrolls() -> None:
    paints, out = painter()
    lines: list[Line] = [[piece("x" * 10)], [piece("y\nz")]]
    paints.paint(Frame(lines, 10, 2), whole=True)
    assert "\n" not in out.getvalue()
