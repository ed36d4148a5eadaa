from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.tables import Column, print_pairs, print_table, printable

COLUMNS = (
    Column("Order"),
    Column("Type", spare=1),
    Column("Value", right=True),
    Column("Fee", right=True, spare=2),
    Column("Why", wraps=10),
)
ROWS = [
    ("1.main.AAPL.3267.1", "market on open", "1,234,567.89", "1.00", "three votes to buy and one to sell"),
    ("1.main.KO.3268.1", "market", "-2.50", "1.00", ""),
]


def printed(width: int, *, terminal: bool, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    target = io.StringIO()
    console = Console(file=target, width=width, force_terminal=terminal, no_color=True, color_system=None)
    print_table(console, COLUMNS, rows, ("Total", "", "1,234,565.39", "2.00", ""))
    return target.getvalue().splitlines()


def test_in_a_pipe_every_row_is_one_line_and_nothing_is_cut() -> None:
    lines = printed(20, terminal=False)
    assert len(lines) == 4
    assert lines[1].split("  ")[0] == "1.main.AAPL.3267.1"
    assert "three votes to buy and one to sell" in lines[1]
    assert lines[3].split() == ["Total", "1,234,565.39", "2.00"]


def test_in_a_pipe_a_cell_that_holds_lines_stays_on_one() -> None:
    lines = printed(20, terminal=False, rows=[("ref", "market", "1", "1.00", "first\nsecond")])
    assert len(lines) == 3
    assert lines[1].rstrip().endswith("first\\nsecond")


@pytest.mark.parametrize(
    ("width", "missing"), [(110, ()), (65, ("Type",)), (49, ("Type", "Fee")), (44, ("Type", "Fee"))]
)
def test_on_a_narrow_terminal_spare_columns_go_first(width: int, missing: tuple[str, ...]) -> None:
    text = "\n".join(printed(width, terminal=True))
    for header in ("Order", "Type", "Value", "Fee", "Why"):
        assert (header in text.splitlines()[0]) is (header not in missing)
    assert ("No room for: " + ", ".join(missing) in text) is bool(missing)
    assert "1,234,567.89" in text


@given(width=st.integers(20, 140), value=st.integers(-(10**15), 10**15), text=st.text(max_size=60))
def test_no_number_is_ever_broken(width: int, value: int, text: str) -> None:
    number = f"{value / 100:,.2f}"
    assert number in "\n".join(printed(width, terminal=True, rows=[("ref", "market", number, "1.00", text)]))


@given(width=st.integers(60, 140))
def test_no_line_is_wider_than_a_terminal_that_has_room(width: int) -> None:
    assert max(map(len, printed(width, terminal=True))) <= width


def test_control_codes_are_shown_and_not_obeyed() -> None:
    assert printable("a\x1b[2Jb\x07") == "a\\x1b[2Jb\\x07"
    target = io.StringIO()
    print_pairs(Console(file=target, width=80), [("name", "[bold]\x1b[31mred")])
    assert target.getvalue().strip() == "name   [bold]\\x1b[31mred"
