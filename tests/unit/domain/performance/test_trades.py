from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.performance.trades import Z_95, summarise, win_rate


@pytest.mark.parametrize(
    ("wins", "trades", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (1, 1, 0.2065, 1.0),
        (580, 1_000, 0.5492, 0.6102),
    ],
)
def test_the_win_rate_has_the_interval_of_wilson(wins: int, trades: int, low: float, high: float) -> None:
    """D2: win rate with its 95 % interval."""
    found = win_rate(wins, trades)
    assert found is not None
    assert found.rate == wins / trades
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_no_trades_have_no_win_rate() -> None:
    assert win_rate(0, 0) is None


@pytest.mark.parametrize(("wins", "trades"), [(2, 1), (-1, 1)])
def test_more_wins_than_trades_are_refused(wins: int, trades: int) -> None:
    with pytest.raises(ValueError, match="wins"):
        win_rate(wins, trades)


def test_a_summary_of_wins_and_losses() -> None:
    found = summarise([300, -100, 200, 0, -150], [3, 1, 2, 5, 4])
    assert found.win_rate is not None
    assert (found.trades, found.win_rate.wins) == (5, 2)
    assert (found.gross_profit_micro, found.gross_loss_micro) == (500, 250)
    assert (found.profit_factor, found.expectancy_micro) == (2.0, 50.0)
    assert (found.average_win_micro, found.average_loss_micro, found.average_bars_held) == (250.0, 125.0, 3.0)


def test_what_does_not_exist_is_none_not_infinite() -> None:
    none = summarise([], [])
    assert none.win_rate is none.profit_factor is none.expectancy_micro is none.average_bars_held is None
    wins_only = summarise([10, 20], [1, 1])
    assert (wins_only.profit_factor, wins_only.average_loss_micro) == (None, None)
    losses_only = summarise([-10], [1])
    assert (losses_only.profit_factor, losses_only.average_win_micro) == (0.0, None)


def test_profits_without_durations_are_refused() -> None:
    with pytest.raises(ValueError, match="2 profits but 1 durations"):
        summarise([1, 2], [1])


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate_and_narrows_with_trades(case: tuple[int, int]) -> None:
    wins, trades = case
    found, more = win_rate(wins, trades), win_rate(10 * wins, 10 * trades)
    assert found is not None
    assert more is not None
    assert 0.0 <= found.low <= found.rate <= found.high <= 1.0
    assert more.high - more.low < found.high - found.low


@given(st.integers(2, 5_000).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
def test_the_bounds_are_the_rates_at_which_the_score_test_just_rejects(case: tuple[int, int]) -> None:
    """Wilson (1927): |rate - p| = z * sqrt(p (1 - p) / n) at either bound p."""
    wins, trades = case
    found = win_rate(wins, trades)
    assert found is not None
    for bound in (found.low, found.high):
        assert abs(found.rate - bound) == pytest.approx(Z_95 * (bound * (1 - bound) / trades) ** 0.5)
