from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.performance.ratios import calmar_ratio, sharpe_ratio, sortino_ratio

RETURNS = np.array([0.01, -0.02, 0.03, 0.0])


def test_sharpe_is_the_mean_over_the_sample_deviation_annualised() -> None:
    # mean 0.005, squared deviations 0.0013 over n - 1 = 3
    expected = 0.005 / math.sqrt(0.0013 / 3) * math.sqrt(252)
    assert sharpe_ratio(RETURNS, 252) == pytest.approx(expected)
    assert sharpe_ratio(RETURNS, 252) == pytest.approx(3.8130, abs=1e-4)
    assert sharpe_ratio(RETURNS, 252, risk_free=0.005) == pytest.approx(0.0, abs=1e-12)


def test_sortino_counts_only_what_fell_below_the_target() -> None:
    # downside: one return of -0.02 among four: sqrt(0.0004 / 4) = 0.01
    assert sortino_ratio(RETURNS, 252) == pytest.approx(0.005 / 0.01 * math.sqrt(252))
    # target 0.01: shortfalls -0.03 and -0.01
    expected = -0.005 / math.sqrt(0.001 / 4) * math.sqrt(252)
    assert sortino_ratio(RETURNS, 252, target=0.01) == pytest.approx(expected)


@pytest.mark.parametrize(
    "returns", [[], [0.01], [0.0, 0.0, 0.0], [0.01, 0.01, 0.01], [0.1 + 0.2, 0.3, 0.3], [0.0, 1e-200]]
)
def test_sharpe_does_not_exist_without_variance(returns: list[float]) -> None:
    assert sharpe_ratio(np.array(returns), 252) is None


@pytest.mark.parametrize("returns", [[], [0.01, 0.02], [0.0, 0.0], [5e-324 * -1]])
def test_sortino_does_not_exist_without_a_fall(returns: list[float]) -> None:
    assert sortino_ratio(np.array(returns), 252) is None


@pytest.mark.parametrize(
    ("growth", "depth", "ratio"), [(0.2, 0.1, 2.0), (-0.1, 0.2, -0.5), (0.2, 0.0, None), (None, 0.1, None)]
)
def test_calmar_is_growth_over_the_deepest_drawdown(
    growth: float | None, depth: float, ratio: float | None
) -> None:
    found = calmar_ratio(growth, depth)
    assert found == (None if ratio is None else pytest.approx(ratio))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_returns_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        sharpe_ratio(np.array([0.01, value]), 252)
    with pytest.raises(ValueError, match="not finite"):
        sortino_ratio(np.array([0.01, value]), 252)


@given(st.lists(st.floats(min_value=-0.5, max_value=0.5), max_size=50))
def test_a_ratio_is_finite_or_does_not_exist(returns: list[float]) -> None:
    for ratio in (sharpe_ratio(np.array(returns), 252), sortino_ratio(np.array(returns), 252)):
        assert ratio is None or math.isfinite(ratio)
