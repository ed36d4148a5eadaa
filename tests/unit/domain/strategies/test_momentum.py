from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from domain.strategies.momentum import MOMENTUM, MomentumParameters
from domain.strategies.protocol import Fault
from tests.unit.domain.strategies.series import bars_of, sample

PARAMS = MomentumParameters(lookback=5, threshold=0.5, span=1.0)


def expected(closes: list[float], i: int) -> tuple[int, float]:
    """Follow the rule's text bar by bar, with exact means, instead of TA-Lib's running sums."""
    n = PARAMS.lookback
    returns = [closes[j] / closes[j - 1] - 1.0 for j in range(i - n + 1, i + 1)]
    score = (closes[i] / closes[i - n] - 1.0) / (statistics.pstdev(returns) * math.sqrt(n))
    if abs(score) < 0.5:
        return 0, 0.0
    return (1 if score > 0 else -1), 0.5 + 0.5 * min(1.0, abs(score) - 0.5)


def test_warmup_is_the_lookback() -> None:
    assert MOMENTUM.warmup(PARAMS) == 5


def test_signals_follow_the_rule_on_real_prices() -> None:
    bars = sample("IBM")
    closes = bars.close.tolist()[:400]
    result = MOMENTUM.signals(bars, PARAMS)
    wanted = [expected(closes, i) for i in range(5, 400)]
    assert result.direction[5:400].tolist() == [d for d, _ in wanted]
    np.testing.assert_allclose(result.confidence[5:400], [c for _, c in wanted], atol=1e-9)
    assert {d for d, _ in wanted} == {-1, 0, 1}


@pytest.mark.parametrize(
    ("closes", "direction"),
    [
        ([100, 101, 103, 104, 106, 107], 1),
        ([107, 106, 104, 103, 101, 100], -1),
        ([100, 102, 99, 102, 99, 100], 0),
    ],
)
def test_rising_prices_are_bought_falling_ones_left(closes: list[float], direction: int) -> None:
    assert MOMENTUM.signals(bars_of(closes), PARAMS).direction[-1] == direction


def test_known_answer_by_hand() -> None:
    """Returns +-10 % alternate, then +21 %: deviation and trend are written out."""
    closes = [100.0, 110.0, 99.0, 108.9, 98.01, 118.5921]
    mean = (0.1 - 0.1 + 0.1 - 0.1 + 0.21) / 5
    variance = (2 * (0.1 - mean) ** 2 + 2 * (-0.1 - mean) ** 2 + (0.21 - mean) ** 2) / 5
    score = 0.185921 / math.sqrt(variance * 5)
    result = MOMENTUM.signals(bars_of(closes), PARAMS)
    assert result.direction[5] == 1
    assert result.confidence[5] == pytest.approx(0.5 + 0.5 * (score - 0.5), abs=1e-9)


def test_constant_price_is_zero_variance_on_those_bars_only() -> None:
    closes = [100.0, 101.0, 99.0, 102.0, 101.0, 103.0] + [103.0] * 6 + [104.0, 101.0]
    faults = MOMENTUM.signals(bars_of(closes), PARAMS).faults
    assert faults is not None
    assert np.flatnonzero(faults == Fault.ZERO_VARIANCE).tolist() == [10, 11]


def test_entries_before_the_warmup_are_undefined() -> None:
    confidence = MOMENTUM.signals(bars_of([100.0, 101.0, 99.0, 102.0, 101.0, 103.0]), PARAMS).confidence
    assert np.isnan(confidence[:5]).all()
    assert np.isfinite(confidence[5])


def test_constant_growth_is_zero_variance_and_no_certainty() -> None:
    """Returns that differ by rounding alone would make the score astronomical."""
    closes = [100.0 * 1.01**i for i in range(12)]
    faults = MOMENTUM.signals(bars_of(closes), PARAMS).faults
    assert faults is not None
    assert faults[5:].tolist() == [Fault.ZERO_VARIANCE] * 7
