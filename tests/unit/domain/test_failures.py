"""Failures of strategies halt in a row and by rate, at the thresholds of requirement B5."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures import HISTORY, WORDS, FailureTracker
from domain.records import HaltTrigger
from tests.unit.domain.risk.bench import POLICY

RATE_ONLY = POLICY._replace(max_consecutive_failures=100)


def tracker(outcomes: str, policy: object = POLICY) -> FailureTracker:
    """Return a tracker that saw `outcomes`: F a failure and S a success of one strategy, f and s of another."""
    seen = FailureTracker(policy)  # type: ignore[arg-type]
    for bar, outcome in enumerate(outcomes):
        if outcome in "Ff":
            seen.failed(outcome.upper(), bar, f"error {bar}")
        else:
            seen.succeeded("F")
    return seen


@pytest.mark.parametrize(
    ("outcomes", "due"),
    [
        ("FF", False),
        ("FFF", True),
        ("FfF", True),  # whichever strategies they are of
        ("FFSF", False),  # a success between
        ("FFsF", False),  # of any strategy
        ("FFSFFF", True),
    ],
)
def test_three_in_a_row_halt_unless_any_strategy_succeeded_between(outcomes: str, due: bool) -> None:
    """B1."""
    found = tracker(outcomes).halt_due()
    assert (found is not None) == due
    if found is not None:
        assert found == (HaltTrigger.CONSECUTIVE_FAILURES, "3 evaluations failed in a row")


@pytest.mark.parametrize(
    ("outcomes", "due"),
    [
        ("FSFSFSFFS", False),  # 5 of 9: too few to tell
        ("FSFSFSFSFS", False),  # exactly half of 10
        ("FSFSFSFFSF", True),  # 6 of 10
        ("FS" * 10, False),  # exactly half of 20
        ("FS" * 9 + "FF", True),  # 11 of 20
        ("FF" * 3 + "S" * 20, False),  # failures older than 20 evaluations count no more
    ],
)
def test_more_than_half_of_the_last_twenty_halts_from_ten_on(outcomes: str, due: bool) -> None:
    """B1."""
    found = tracker(outcomes, RATE_ONLY).halt_due()
    assert (found is not None) == due
    if found is not None:
        assert found[0] is HaltTrigger.FAILURE_RATE
        assert f"of the last {min(20, len(outcomes))} evaluations failed" in found[1]


def test_reset_forgets_the_run_and_the_window_and_keeps_totals_and_history() -> None:
    seen = tracker("FfF")
    seen.reset()
    assert seen.halt_due() is None
    assert (seen.rate, dict(seen.consecutive)) == (0.0, {})
    assert (dict(seen.totals), len(seen.history)) == ({"F": 3}, 3)


def test_success_resets_its_own_strategy_alone() -> None:
    seen = FailureTracker(POLICY)
    seen.failed("a", 0, "x")
    seen.failed("b", 0, "x")
    seen.succeeded("a")
    assert dict(seen.consecutive) == {"b": 1}


def test_a_symbol_fails_in_a_row_until_it_trades_and_no_strategy_fails_on_it() -> None:
    """B5: consecutive failures per symbol."""
    seen = FailureTracker(POLICY)
    seen.bar_over({"AAPL", "XOM"}, ["AAPL", "XOM"])
    seen.bar_over({"AAPL"}, ["AAPL"])  # XOM did not trade
    assert dict(seen.symbols_in_a_row) == {"AAPL": 2, "XOM": 1}
    seen.bar_over({"AAPL"}, ["AAPL", "XOM"])
    assert seen.report()["symbols_in_a_row"] == {"AAPL": 3}


@pytest.mark.parametrize(
    ("outcomes", "due"),
    [
        ("ffF", False),  # f released: one failure is left
        ("FFF", True),  # none of them was f's
        ("fFFF", True),
        ("SFfFf", False),
    ],
)
def test_forgotten_failures_of_a_released_strategy_are_no_part_of_the_run(outcomes: str, due: bool) -> None:
    """B5: manual reset."""
    seen = FailureTracker(POLICY)
    for bar, outcome in enumerate(outcomes):
        if outcome == "S":
            seen.succeeded("F")
        else:
            seen.failed(outcome, bar, "x")
    seen.forget("f")
    assert (seen.halt_due() is not None) == due
    assert "f" not in seen.consecutive
    assert seen.totals["f"] == outcomes.count("f"), "what was is not undone"


def test_history_keeps_the_beginning_of_what_was_said() -> None:
    seen = FailureTracker(POLICY)
    seen.failed("a", 0, "x" * 1_000_000)
    assert seen.history[0] == (0, "a", "x" * WORDS)


def test_history_holds_the_last_hundred() -> None:
    seen = tracker("F" * (HISTORY + 5))
    assert [bar for bar, _, _ in seen.history] == list(range(5, HISTORY + 5))


def test_report_tells_the_rate_the_symbols_and_the_history() -> None:
    """B5: per strategy and per symbol, history, failure rate."""
    seen = tracker("FfSSSSSSSS", RATE_ONLY)
    seen.failed_on("AAPL")
    report = seen.report()
    assert (report["rate"], report["symbols"], report["totals"]) == (0.2, {"AAPL": 1}, {"F": 2})
    assert report["history"] == [(0, "F", "error 0"), (1, "F", "error 1")]


@given(outcomes=st.text("FfSs", max_size=60), at=st.integers(0, 60))
def test_tracker_restored_anywhere_decides_the_same(outcomes: str, at: int) -> None:
    straight = tracker(outcomes)
    restored = FailureTracker(POLICY, json.loads(json.dumps(tracker(outcomes[:at]).to_values())))
    for bar, outcome in enumerate(outcomes[at:], start=at):
        if outcome in "Ff":
            restored.failed(outcome.upper(), bar, f"error {bar}")
        else:
            restored.succeeded("F")
    assert restored.to_values() == straight.to_values()
    assert restored.halt_due() == straight.halt_due()
