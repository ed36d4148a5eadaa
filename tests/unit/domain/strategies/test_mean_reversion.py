from __future__ import annotations

import statistics

import numpy as np
import pytest

from domain.strategies.mean_reversion import MEAN_REVERSION, MeanReversionParameters
from domain.strategies.protocol import Fault
from tests.unit.domain.strategies.series import bars_of, sample

PARAMS = MeanReversionParameters(period=10, threshold=1.5, span=1.0)


def expected(closes: list[float], i: int) -> tuple[int, float]:
    """Follow the rule's text on raw prices, with exact means, instead of TA-Lib's running sums."""
    window = closes[i - PARAMS.period + 1 : i + 1]
    z = (closes[i] - statistics.fmean(window)) / statistics.pstdev(window)
    if abs(z) < 1.5:
        return 0, 0.0
    return (-1 if z > 0 else 1), 0.5 + 0.5 * min(1.0, abs(z) - 1.5)


def test_warmup_fills_the_window() -> None:
    assert MEAN_REVERSION.warmup(PARAMS) == 9


def test_signals_follow_the_rule_on_real_prices() -> None:
    bars = sample("MSFT")
    closes = bars.close.tolist()[:600]
    result = MEAN_REVERSION.signals(bars, PARAMS)
    wanted = [expected(closes, i) for i in range(9, 600)]
    assert result.direction[9:600].tolist() == [d for d, _ in wanted]
    np.testing.assert_allclose(result.confidence[9:600], [c for _, c in wanted], atol=1e-8)
    assert {d for d, _ in wanted} == {-1, 0, 1}


@pytest.mark.parametrize(("last", "direction"), [(90.0, 1), (110.0, -1), (100.5, 0)])
def test_known_answer_by_hand(last: float, direction: int) -> None:
    """Nine closes of 100 and one apart by x: z = 0.9x / 0.3|x|, so 3; beside noise a small x is nothing."""
    noise = (
        [100.0, 101.0, 99.0, 101.0, 99.0, 101.0, 99.0, 100.0, 100.0] if abs(last - 100) < 1 else [100.0] * 9
    )
    result = MEAN_REVERSION.signals(bars_of([*noise, last]), PARAMS)
    assert result.direction[-1] == direction
    assert result.confidence[-1] == (1.0 if direction else 0.0)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e5])
def test_answer_does_not_depend_on_the_price_level(scale: float) -> None:
    """TA-Lib 0.6 takes a variance below 1e-14 for none: a coin at 1e-8 would never trade on raw prices."""
    closes = [100.0, 101.0, 99.0, 102.0, 98.0, 100.0, 101.0, 99.0, 100.0, 95.0]
    result = MEAN_REVERSION.signals(bars_of([c * scale for c in closes]), PARAMS)
    assert result.direction[-1] == 1
    assert result.faults is not None
    assert not result.faults.any()


def test_moves_below_a_thousandth_of_a_basis_point_are_zero_variance() -> None:
    closes = [100.0, 100.0 + 1e-7] * 5 + [100.0, 100.0 + 1e-7] + [100.0, 100.001] * 5
    faults = MEAN_REVERSION.signals(bars_of(closes), PARAMS).faults
    assert faults is not None
    assert np.flatnonzero(faults).tolist() == [9, 10, 11, 12]


def test_constant_price_is_zero_variance_on_those_bars_only() -> None:
    closes = [100.0, 103.0] + [100.0] * 11 + [101.0]
    faults = MEAN_REVERSION.signals(bars_of(closes), PARAMS).faults
    assert faults is not None
    assert np.flatnonzero(faults == Fault.ZERO_VARIANCE).tolist() == [11, 12]
