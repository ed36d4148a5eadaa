"""How `status` and `agents list`, and the screen of a run, show what became of a role."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.display.styles import RED, status_badge
from cli.status_text import print_roles, print_status
from supervisor.child import OUT, Status

GREEN, YELLOW, BOLD_RED = "\x1b[32m", "\x1b[33m", "\x1b[1;31m"


@pytest.mark.parametrize("status", Status)
def test_a_role_that_ended_or_was_put_out_is_red_and_one_on_its_way_is_not(status: Status) -> None:
    """Whoever ended, and was neither started anew nor stopped by a person, ended the engine."""
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system="standard")
    print_roles(console, {"gateway": {"status": status.value}})
    ill = status in OUT - {Status.STOPPED}
    style = GREEN if status is Status.READY else BOLD_RED if ill else YELLOW
    assert f"{style}{status.value}" in out.getvalue()
    assert (status_badge(status.value).style == RED) is ill


def test_a_book_and_a_symbol_that_are_halted_keep_their_names_as_they_are_written() -> None:
    out = io.StringIO()
    stands = {
        "running": True,
        "phase": "running",
        "session": 1,
        "rung": "ACTIVE",
        "scoped": [["book:MainBook", "HALTED"], ["symbol:BTC/USDT", "REDUCING"]],
    }
    print_status(Console(file=out, width=120), stands)
    assert "Book MainBook" in out.getvalue()
    assert "Symbol BTC/USDT" in out.getvalue()
