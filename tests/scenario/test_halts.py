"""Losses and failures halt, rung by rung, and halts end by their rules: the whole engine on prices made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.records import OrderState
from tests.scenario.hand_made import FAIL, Prices, Ran, Votes, run

BUY, SELL = (1, 0.9), (-1, 0.9)
Row = tuple[str, int, str]


def sized(usd: float, **risk: Any) -> dict[str, dict[str, Any]]:
    """Return overrides by which every entry is `usd` worth and only losses bind; its stop lies 5 % away."""
    limits = {
        "position_size.min": 100.0,
        "position_size.base": usd,
        "position_size.max": usd,
        "order_value.max": 200_000.0,
        "hard_limits.max_order_value": 400_000.0,
        "exposure.sector": 1.0,
        "exposure.symbol": 1.0,
        "stop_loss_percent": 0.05,
        "max_single_position_risk": 0.10,
        "max_portfolio_heat": 0.30,
    }
    return {"risk_management.yaml": {**limits, **risk}}


def both(*said: tuple[str, int, Any]) -> Votes:
    """Return votes that strategies a and b share, as (symbol, bar, vote)."""
    votes: dict[str, dict[int, Any]] = {}
    for symbol, bar, vote in said:
        votes.setdefault(symbol, {})[bar] = vote
    return {"a": votes, "b": votes}


def movements(ran: Ran) -> list[Row]:
    """Return the latch's movements as (trigger, bar, rung after it)."""
    return [(halt.trigger.value, halt.bar, halt.rung.name) for halt in ran.halts]


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (96.002, []),  # 1.999 % of 100,000
        (96.0, [("daily_loss", 3, "REDUCING"), ("daily_loss", 4, "ACTIVE")]),  # exactly 2 %
    ],
)
def test_two_percent_down_on_the_day_reduces_until_the_next_session(
    tmp_path: Path, close: float, expected: list[Row]
) -> None:
    """A8, B1, B4: half the equity in a share that falls 4 %."""
    prices: Prices = {
        "AAPL": [100.0, 100.0, 100.0, (100.0, 100.0, close, close), close, close],
        "XOM": [50.0] * 6,
    }
    votes = both(("AAPL", 1, BUY), ("XOM", 3, BUY), ("XOM", 4, BUY))
    ran = run(tmp_path, prices, votes, overrides=sized(50_000.0))
    assert movements(ran) == expected
    if expected:
        assert ran.rungs == ["ACTIVE", "ACTIVE", "ACTIVE", "REDUCING", "ACTIVE", "ACTIVE"]
        (why,) = ran.denials()[3]
        assert why.startswith("halt: REDUCING")
        assert "daily loss of 2.000 % has reached the limit of 2.000 %" in why
        assert "1.main.XOM.3.1" not in ran.refs
        assert "1.main.XOM.4.1" in ran.refs
    else:
        assert set(ran.rungs) == {"ACTIVE"}


def test_reducing_cancels_the_resting_entry_and_lets_the_exit_through(tmp_path: Path) -> None:
    """B2: the entry in KO waits for its next bar when the loss comes."""
    prices: Prices = {
        "AAPL": [100.0, 100.0, 100.0, 100.0, (100.0, 100.0, 95.5, 95.5), 95.5, 95.5],
        "KO": [50.0, 50.0, 50.0, 50.0, None, 50.0, 50.0],
    }
    votes = both(("AAPL", 1, BUY), ("KO", 3, BUY), ("AAPL", 4, SELL))
    hour = 3_600_000_000_000
    ran = run(tmp_path, prices, votes, overrides=sized(45_000.0), sessions=[0] * 7, bar_ns=hour)
    assert movements(ran) == [("daily_loss", 4, "REDUCING")]
    assert ran.order("1.main.KO.3.1").state is OrderState.CANCELED
    assert ran.order("1.main.AAPL.4.1").state is OrderState.FILLED
    assert ran.states["risk"]["positions"] == {}


def test_session_of_several_bars_keeps_its_daily_loss_to_its_end(tmp_path: Path) -> None:
    prices: Prices = {"AAPL": [100.0, 100.0, 100.0, 95.9, 95.9, 95.9, 95.9, 95.9], "XOM": [50.0] * 8}
    votes = both(("AAPL", 1, BUY), ("XOM", 5, BUY), ("XOM", 6, BUY))
    ran = run(tmp_path, prices, votes, overrides=sized(50_000.0), sessions=[0, 0, 0, 1, 1, 1, 2, 2])
    assert ran.rungs == ["ACTIVE"] * 3 + ["REDUCING"] * 3 + ["ACTIVE"] * 2
    assert [ref for ref in ran.refs if "XOM" in ref] == ["1.main.XOM.6.1", "1.main.XOM.6.1.stop"]


def test_several_triggers_at_one_bar_are_each_recorded_and_the_highest_rung_holds(tmp_path: Path) -> None:
    """B1, B4: a gap through the stop loses 12 %; after two sessions the rule resumes with a new peak."""
    prices: Prices = {"AAPL": [100.0, 100.0, 100.0, 88.0, 88.0, 88.0, 88.0], "XOM": [50.0] * 7}
    votes = both(("AAPL", 1, BUY), ("XOM", 3, BUY), ("XOM", 4, BUY), ("XOM", 5, BUY))
    ran = run(tmp_path, prices, votes, overrides=sized(100_000.0, **{"halt.resume_after_sessions": 2}))
    assert movements(ran) == [
        ("daily_loss", 3, "REDUCING"),
        ("drawdown", 3, "REDUCING"),
        ("daily_loss_severe", 3, "HALTED"),
        ("daily_loss", 4, "HALTED"),  # ended; the others stand
        ("daily_loss_severe", 5, "REDUCING"),
        ("drawdown", 5, "ACTIVE"),
    ]
    assert ran.rungs == ["ACTIVE"] * 3 + ["HALTED"] * 2 + ["ACTIVE"] * 2
    assert [ref for ref in ran.refs if "XOM" in ref] == ["1.main.XOM.5.1", "1.main.XOM.5.1.stop"]
    peaks = [snapshot.peak_equity for snapshot in ran.equity]
    assert peaks == [100_000.0] * 5 + [88_000.0] * 2
    assert ran.states["coordinator"]["resumed_by_rule"] == 2


def test_slow_fall_reduces_by_drawdown_and_stays_until_the_sessions_have_passed(tmp_path: Path) -> None:
    """B4: no day loses 2 %, but 99 is exactly 10 % below the peak of 110."""
    rise_and_fall = [
        100.0,
        100.0,
        100.0,
        110.0,
        108.5,
        107.0,
        105.5,
        104.0,
        102.5,
        101.0,
        99.5,
        99.0,
        99.0,
        99.0,
        99.0,
    ]
    overrides = sized(100_000.0, **{"halt.resume_after_sessions": 3})
    ran = run(tmp_path, {"AAPL": rise_and_fall}, both(("AAPL", 1, BUY)), overrides=overrides)
    assert movements(ran) == [("drawdown", 11, "REDUCING"), ("drawdown", 14, "ACTIVE")]
    assert "has reached 10.000 %" in ran.halts[0].detail
    assert [snapshot.peak_equity for snapshot in ran.equity][10:] == [110_000.0] * 4 + [99_000.0]
    assert ran.states["risk"]["positions"] == {"AAPL": 1_000}


def test_three_failures_in_a_row_halt_and_refuse_entries(tmp_path: Path) -> None:
    """B1, B5: the halt is in the decision of the bar of the third failure, and ends by the rule."""
    votes: Votes = {
        "a": {"AAPL": {2: FAIL, 3: BUY, 4: BUY}, "XOM": {2: FAIL}},
        "b": {"AAPL": {2: FAIL, 3: BUY, 4: BUY}, "XOM": {2: FAIL}},
        "c": {"AAPL": {2: FAIL}, "XOM": {2: FAIL}},
    }
    prices: Prices = {"AAPL": [100.0] * 6, "XOM": [50.0] * 6}
    overrides = {"risk_management.yaml": {"halt.resume_after_sessions": 2}}
    ran = run(tmp_path, prices, votes, overrides=overrides)
    assert movements(ran) == [("consecutive_failures", 2, "HALTED"), ("consecutive_failures", 4, "ACTIVE")]
    assert ran.rungs == ["ACTIVE"] * 2 + ["HALTED"] * 2 + ["ACTIVE"] * 2
    assert list(ran.denials()) == [3]
    assert ran.refs == ["1.main.AAPL.4.1", "1.main.AAPL.4.1.stop"]


def test_failure_on_one_symbol_of_two_is_no_failed_evaluation(tmp_path: Path) -> None:
    votes: Votes = {name: {"AAPL": {2: FAIL, 3: FAIL}} for name in "abc"}
    prices: Prices = {"AAPL": [100.0] * 5, "XOM": [50.0] * 5}
    ran = run(tmp_path, prices, votes)
    assert ran.halts == []
    assert ran.states["risk"]["failures"]["totals"] == {}


def test_account_that_has_lost_everything_halts_and_runs_to_its_end(tmp_path: Path) -> None:
    """A short of the whole equity meets a tripled price: what is lost is recorded, nothing more is risked."""
    book = {
        "id": "main",
        "share": 1.0,
        "rule": "vote",
        "min_votes": 2,
        "allow_short": True,
        "strategies": ["a", "b"],
    }
    prices: Prices = {"AAPL": [100.0, 100.0, 100.0, 300.0, 300.0, 300.0], "XOM": [50.0] * 6}
    votes = both(("AAPL", 1, SELL), ("XOM", 3, BUY), ("XOM", 5, BUY))
    ran = run(tmp_path, prices, votes, overrides=sized(100_000.0), books=[book])
    assert ran.states["coordinator"]["completed"] is True
    assert ran.equity[-1].equity == -100_000.0
    assert {row[0] for row in movements(ran)} >= {"daily_loss_severe", "drawdown_severe"}
    assert ran.rungs[3:] == ["HALTED"] * 3
    assert [why for bar in (3, 5) for why in ran.denials()[bar]] == ["no_equity: equity is -100000.00"] * 2


def test_a_trigger_that_pulls_the_kill_switch_closes_every_position_and_ends_halted(tmp_path: Path) -> None:
    """B1, B4: AAPL gaps through its stop, 5.5 % of equity; KO, which lost nothing, is sold at the next open."""
    gap = (89.0, 89.0, 89.0, 89.0)
    prices: Prices = {"AAPL": [100.0, 100.0, 100.0, gap, 89.0, 89.0, 89.0], "KO": [50.0] * 7}
    votes = both(("AAPL", 1, BUY), ("KO", 1, BUY), ("KO", 5, BUY))
    overrides = sized(50_000.0, **{"emergency.kill_switch_triggers": ["daily_loss_severe"]})
    ran = run(tmp_path, prices, votes, overrides=overrides)
    assert movements(ran) == [
        ("daily_loss", 3, "REDUCING"),
        ("daily_loss_severe", 3, "FLATTENING"),
        ("daily_loss", 4, "FLATTENING"),
        ("daily_loss_severe", 4, "HALTED"),
    ]
    assert ran.rungs == ["ACTIVE", "ACTIVE", "ACTIVE", "FLATTENING", "HALTED", "HALTED", "HALTED"]
    sold = [
        (entry.execution.symbol, entry.bar)
        for entry in ran.executions
        if entry.execution.side.value == "sell"
    ]
    assert sold == [("AAPL", 3), ("KO", 4)]
    assert ran.states["risk"]["positions"] == {}
    assert "1.main.KO.5.1" not in ran.refs
