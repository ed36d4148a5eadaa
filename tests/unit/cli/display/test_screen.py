from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.display.foot import Notice, foot
from cli.display.keys import Dialogue, Key, Stroke
from cli.display.screen import screen
from cli.display.styles import RED
from tests.unit.cli.display.samples import SIZES, picture, printed, risk, role, shown, snapshot


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_is_filled_to_the_cell_and_not_beyond(width: int, height: int) -> None:
    lines = shown(picture(), width, height)
    assert len(lines) == height
    assert {cell_len(line) for line in lines} == {width}


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(
    "what",
    [
        "SIMULATION",
        "● ACTIVE",
        "▶ running",
        "session 3",
        "2019-03-05",
        " 31%",
        "1,235 of 4,000 bars",
        "512 bars/s",
        "ETA 0:00:06",
        "equity 104,233.12",
        "▲ +4,233.12 (+4.23 %)",
        "drawdown",
        "8.3%",
        "heat",
        "11.2%",
        "exposure",
        "43.7%",
        "Strategies 6",
        "vwap_slow",
        "○ open",
        "▲ AAPL .73 +2",
        "Positions 2",
        "+1,298.27",
        "−868.40",
        "Last events",
        "✓ bought 55 AAPL at 123.40",
        "Actors 11",
        "h halt",
        "q quit",
    ],
)
def test_what_matters_is_on_the_screen_at_every_size(what: str, width: int, height: int) -> None:
    assert what in "\n".join(shown(picture(), width, height))


@pytest.mark.parametrize(
    ("least", "what"),
    [
        (SIZES[1], "buy entry"),
        (SIZES[1], "● ready"),
        (SIZES[1], "70 MiB"),
        (SIZES[2], "average"),
        (SIZES[2], "queue"),
        (SIZES[2], "of bar"),
    ],
)
def test_more_room_shows_more(least: tuple[int, int], what: str) -> None:
    seen = {size: what in "\n".join(shown(picture(), *size)) for size in SIZES}
    assert seen[least]
    assert seen[SIZES[2]]


def test_a_halt_tells_its_causes_and_its_scopes() -> None:
    halted = snapshot(
        rung="HALTED", causes=["drawdown_severe", "heat"], scoped=[["symbol AAPL", "REDUCING"]], halts=2
    )
    halted["halted_by"] = [
        {"scope": "", "trigger": "heat", "detail": "41 %"},
        {"scope": "symbol AAPL", "trigger": "manual", "detail": "elsewhere"},
    ]
    lines = shown(picture(halted), 80, 24)
    assert "■ HALTED" in lines[0]
    assert lines[2].startswith("halted by drawdown severe, heat: 41 %  symbol AAPL REDUCING")
    assert lines[2].rstrip().endswith("2 halts")


def test_a_breaker_of_the_account_that_is_not_closed_is_told() -> None:
    """B6: states on the dashboard."""
    told = snapshot()
    told["views"]["gateway"]["breaker"] = "half_open"
    told["views"]["risk"]["entry_breakers"] = {"market_data": "open", "risk_calculation": "closed"}
    assert shown(picture(told), 80, 24)[2].startswith("breaker of broker half open, market data open")


def test_live_says_that_it_is_real_money() -> None:
    assert "LIVE  REAL MONEY" in shown(picture(snapshot(mode="LIVE")), 80, 24)[0]


@pytest.mark.parametrize(("age_s", "word"), [(2.4, "old"), (2.6, "3 s old"), (12.0, "last known 12 s ago")])
def test_old_figures_are_called_old(age_s: float, word: str) -> None:
    assert (word in shown(picture(age_s=age_s), 100, 30)[0]) is (age_s > 2.5)


def test_actors_in_trouble_are_named_where_there_is_no_room_for_all() -> None:
    roles = {**snapshot()["roles"], "strategy:vwap_slow": role(status="restarting", generation=3, restarts=2)}
    lines = shown(picture(snapshot(roles=roles)), 80, 24)
    assert any("vwap_slow restarting · 2 restarts · largest 70 MiB" in line for line in lines)


def test_an_actor_that_is_long_at_one_message_is_called_busy_and_stands_first() -> None:
    roles = {**snapshot()["roles"], "risk": role(busy_s=12.3)}
    assert any("risk busy 12 s" in line for line in shown(picture(snapshot(roles=roles)), 80, 24))
    wide = shown(picture(snapshot(roles=roles)), 140, 45)
    first = next(i for i, line in enumerate(wide) if "Actors 11" in line)
    assert "◐ busy 12 s" in wide[first + 1]


def test_a_strategy_in_trouble_stands_first() -> None:
    lines = shown(picture(), 80, 24)
    first = next(i for i, line in enumerate(lines) if line.startswith("Strategies"))
    assert lines[first + 1].startswith("vwap_slow")


def test_rows_without_room_are_counted() -> None:
    many = risk(
        holdings=[{"symbol": f"S{n}", "book": "main", "lots": n} for n in range(30)], holdings_in_all=90
    )
    told = snapshot()
    told["views"]["risk"] = many
    lines = shown(picture(told), 80, 24)
    assert any(line.startswith("Positions 90") for line in lines)
    assert any(line.startswith("… and ") for line in lines)


def test_a_limit_that_is_reached_is_red() -> None:
    told = snapshot()
    told["views"]["risk"] = risk(drawdown=0.15)
    frame = screen(picture(told), [], 100, 30)
    styles = {part.style for line in frame.lines for part in line if part.text.strip() == "15.0%"}
    assert RED in styles


def test_before_the_engine_says_anything_the_screen_stands() -> None:
    lines = shown(picture({"mode": "PAPER", "session": 1}), 80, 24)
    assert "PAPER  no real money" in lines[0]
    assert any("none is at work yet" in line for line in lines)


@given(width=st.integers(1, 200), height=st.integers(1, 70), halted=st.booleans())
def test_no_size_breaks_the_screen(width: int, height: int, halted: bool) -> None:
    told = snapshot(rung="HALTED", causes=["heat"]) if halted else snapshot()
    dialogue = Dialogue()
    for character in "hyreason" if halted else "":
        dialogue.press(Key(Stroke.TEXT, character))
    last = foot(dialogue, Notice("a word"), width, keys=True)
    frame = screen(picture(told), last, width, height)
    assert len(frame.lines) == height
    assert {sum(cell_len(part.text) for part in line) for line in frame.lines} == {width}
    assert len(printed(frame, width, height)) == height


_JUNK: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    key=st.sampled_from(
        [
            "roles",
            "views",
            "rung",
            "causes",
            "scoped",
            "halts",
            "phase",
            "halted_by",
            "failures",
            "faults",
            "reason",
        ]
    ),
    junk=_JUNK,
)
def test_nothing_that_an_engine_may_tell_breaks_the_screen(key: str, junk: Any) -> None:
    told = snapshot()
    told[key] = junk
    assert len(shown(picture(told), 100, 30)) == 30


@given(view=st.sampled_from(["risk", "gateway", "strategy:vwap_fast"]), data=st.data())
def test_no_figure_that_is_missing_or_odd_breaks_the_screen(view: str, data: st.DataObject) -> None:
    told = snapshot()
    name = data.draw(st.sampled_from(sorted(told["views"][view])))
    told["views"][view][name] = data.draw(_JUNK)
    assert len(shown(picture(told), 100, 30)) == 30


def test_words_of_an_error_cannot_move_the_cursor() -> None:
    told = snapshot()
    told["failures"] = ["strategy:x: \x1b[2J\x1b]0;owned\x07\nnext line"]
    assert not any("\x1b" in line or "\x07" in line for line in shown(picture(told), 140, 45))
