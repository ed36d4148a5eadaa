from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.meter import Meter
from cli.progress import progress
from domain.bars import BarTable
from domain.messages import COORDINATOR, FEED, RISK
from supervisor.signals import StopSignals
from tests.scenario.hand_made import table_of

BARS = 4_000
TABLE = table_of({"KO": [100.0] * BARS})
RISKS = {"equity": 1_234_567.0, "drawdown": 0.123, "positions": {"KO": 1}, "rung": "REDUCING"}


class Engine:
    def snapshot(self) -> dict[str, Any]:
        return {}


NO_ENGINE = Engine()


class Seconds:
    """Be a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def states(settled: int, phase: str = "running", risk: dict[str, Any] | None = None) -> Any:
    return {COORDINATOR: {"phase": phase}, FEED: {"next": settled}, RISK: RISKS if risk is None else risk}


def plain(moves: list[tuple[float, Any]], table: BarTable = TABLE, first: int = 0) -> list[str]:
    """Return the lines printed at these seconds and states where the output is no terminal."""
    clock, out = Seconds(), io.StringIO()
    console = Console(file=out, width=80)
    with progress(console, table, first, opening={}, signals=StopSignals(), clock=clock) as show:
        clock.now += 50.0  # as long as processes may take to start
        show.begin(NO_ENGINE, None)
        for seconds, seen in moves:
            clock.now = 150.0 + seconds
            show(seen)
    begun, *lines = out.getvalue().splitlines()
    assert begun == f"starting: {len(table) - first:,} bars to trade"
    return lines


def test_a_line_tells_bars_share_rate_time_left_day_and_account() -> None:
    lines = plain([(0.0, states(0)), (2.0, states(1_000))])
    assert lines[1] == (
        "running: 1,000/4,000 bars  25%  500 bars/s  ETA 0:00:06  1972-09-26  "
        "equity $1,234,567  drawdown 12.3%  positions 1  REDUCING"
    )


def test_account_is_shown_only_once_a_bar_was_done() -> None:
    """A resumed session that is stopped before its first bar would show no position though it holds some."""
    empty = {"equity": 1_234_567.0, "drawdown": 0.0, "positions": {}, "rung": "ACTIVE"}
    first = 1_000
    unread = [(2.0, states(first, risk=empty)), (3.0, states(first, "draining", empty))]
    lines = plain([*unread, (5.0, states(first + 1, "stopped"))], first=first)
    assert [("positions" in line) for line in lines] == [False, False, True]


def test_a_line_is_never_broken_over_two() -> None:
    assert all(line.startswith("running: ") for line in plain([(i * 20.0, states(i)) for i in range(1, 9)]))


def test_the_start_does_not_count_in_the_rate() -> None:
    """A minute of starting, then a hundred bars a second."""
    starting = [(second, states(0, "starting", {})) for second in range(61)]
    lines = plain([*starting, (62.0, states(200))])
    assert lines[0] == "starting: 0/4,000 bars   0%"
    assert "  100 bars/s  ETA 0:00:38  " in lines[-1]


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    clock = Seconds()
    meter = Meter(TABLE, 0, clock)
    for second in range(100):
        clock.now = 100.0 + second
        meter.read(states(10 * second if second <= 50 else 500 + 2 * (second - 50)))
    clock.now = 200.0
    at = meter.read(states(600))
    assert at.rate == pytest.approx(2.0)
    assert at.left_s == pytest.approx((BARS - 600) / 2.0)


def test_a_resumed_run_counts_what_it_has_yet_to_do() -> None:
    at = Meter(TABLE, 3_000, Seconds()).read(states(3_250))
    assert (at.done, at.total, at.share) == (250, 1_000, 0.25)


def test_a_stopped_run_promises_no_time() -> None:
    (line,) = plain([(5.0, states(500, "stopped"))])
    assert "100 bars/s" in line
    assert "ETA" not in line


def test_bars_of_minutes_are_told_by_the_minute() -> None:
    table = table_of({"KO": [100.0] * 90}, [0] * 90, bar_ns=60_000_000_000)
    assert "  1970-01-01 01:04  " in plain([(1.0, states(65))], table)[0]


def test_a_fast_run_prints_no_more_than_a_line_a_second_and_its_end() -> None:
    looks = [(0.2 * i, states(40 * i)) for i in range(1, 100)]
    lines = plain([*looks, (20.0, states(BARS, "stopped"))])
    assert [line[9:].split("/")[0] for line in lines[1:-1]] == [f"{400 * i:,}" for i in range(1, 10)]
    assert lines[-1].startswith("stopped: 4,000/4,000 bars 100%")


def test_a_slow_run_is_heard_of_every_quarter_of_a_minute() -> None:
    lines = plain([(float(second), states(1 + second // 100)) for second in range(121)])
    assert len(lines) == 9
    assert lines[-1].startswith("running: 2/4,000 bars   0%  0.033 bars/s  ETA ")


def test_an_output_that_only_claims_to_be_a_terminal_gets_lines_and_no_control_codes() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with progress(console, TABLE, 0, opening={}, signals=StopSignals(), clock=Seconds()) as show:
        show.begin(NO_ENGINE, None)
        show(states(400))
    assert "\x1b" not in out.getvalue()
