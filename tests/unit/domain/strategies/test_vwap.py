from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from domain.bars import SymbolBars
from domain.strategies.protocol import Fault
from domain.strategies.vwap import VWAP, Anchor, VwapParameters
from tests.unit.domain.strategies.series import DAY_NS, MINUTE_NS, bars_of, sample

ROLLING = VwapParameters(anchor=Anchor.ROLLING, period=5, threshold=0.5, span=1.5)
SESSION = VwapParameters(anchor=Anchor.SESSION, min_session_bars=3, threshold=0.5, span=1.5)


def expected(bars: SymbolBars, window: Sequence[int]) -> tuple[int, float]:
    """Compute average and deviation round it in two passes over raw prices, from the text of the rule."""
    typical = {i: (bars.high[i] + bars.low[i] + bars.close[i]) / 3.0 for i in window}
    total = math.fsum(bars.volume[i] for i in window)
    vwap = math.fsum(typical[i] * bars.volume[i] for i in window) / total
    variance = math.fsum(bars.volume[i] * (typical[i] - vwap) ** 2 for i in window) / total
    score = (bars.close[window[-1]] - vwap) / math.sqrt(variance)
    if abs(score) < 0.5:
        return 0, 0.0
    return (1 if score > 0 else -1), 0.5 + 0.5 * min(1.0, (abs(score) - 0.5) / 1.5)


def faults_of(bars: SymbolBars, params: VwapParameters) -> list[int]:
    faults = VWAP.signals(bars, params).faults
    assert faults is not None
    return [int(fault) for fault in faults]


@pytest.mark.parametrize(
    ("params", "warmup"),
    [
        (ROLLING, 4),
        (SESSION, 2),
        (VwapParameters(anchor=Anchor.AUTO, period=20, min_session_bars=5), 19),
        (VwapParameters(anchor=Anchor.AUTO, period=5, min_session_bars=30), 29),
        (VwapParameters(anchor=Anchor.SESSION, min_session_bars=2), 1),
    ],
)
def test_warmup_covers_what_the_anchor_needs(params: VwapParameters, warmup: int) -> None:
    assert VWAP.warmup(params) == warmup


def test_rolling_signals_follow_the_rule_on_real_bars() -> None:
    bars = sample("GOOG")
    result = VWAP.signals(bars, ROLLING)
    wanted = [expected(bars, range(i - 4, i + 1)) for i in range(4, 500)]
    assert result.direction[4:500].tolist() == [d for d, _ in wanted]
    np.testing.assert_allclose(result.confidence[4:500], [c for _, c in wanted], atol=1e-7)
    assert {d for d, _ in wanted} == {-1, 0, 1}


def test_session_signals_follow_the_rule_and_begin_anew_each_session() -> None:
    real = sample("GOOG")
    sessions = [700_000 + i // 13 for i in range(390)]
    bars = bars_of(
        real.close[:390].tolist(),
        highs=real.high[:390].tolist(),
        lows=real.low[:390].tolist(),
        volumes=real.volume[:390].tolist(),
        sessions=sessions,
        bar_ns=30 * MINUTE_NS,
    )
    result = VWAP.signals(bars, SESSION)
    for i in range(390):
        window = range(i - i % 13, i + 1)
        direction, confidence = expected(bars, window) if len(window) >= 3 else (0, 0.0)
        assert (result.direction[i], result.confidence[i]) == (
            direction,
            pytest.approx(confidence, abs=1e-7),
        ), i


def test_known_answer_by_hand() -> None:
    """Typical prices 9, 11, 12, volumes 3, 1, 1: average 10, variance (3 + 1 + 4) / 5, score 2 / its root."""
    bars = bars_of([9.0, 11.0, 12.0], volumes=[3.0, 1.0, 1.0], sessions=[1, 1, 1])
    result = VWAP.signals(bars, SESSION)
    assert result.direction.tolist() == [0, 0, 1]
    assert result.confidence[2] == pytest.approx(0.5 + 0.5 * (2.0 / math.sqrt(1.6) - 0.5) / 1.5, abs=1e-12)


@pytest.mark.parametrize(("bar_ns", "like"), [(DAY_NS, ROLLING), (60 * MINUTE_NS, SESSION)])
def test_auto_anchors_at_the_session_below_a_day_and_rolls_from_a_day_on(
    bar_ns: int, like: VwapParameters
) -> None:
    real = sample("AAPL")
    bars = bars_of(
        real.close[:120].tolist(),
        volumes=real.volume[:120].tolist(),
        sessions=[i // 6 for i in range(120)],
        bar_ns=bar_ns,
    )
    auto = VwapParameters(anchor=Anchor.AUTO, period=5, min_session_bars=3, threshold=0.5, span=1.5)
    wanted, given = VWAP.signals(bars, like), VWAP.signals(bars, auto)
    np.testing.assert_array_equal(given.direction, wanted.direction)
    np.testing.assert_array_equal(given.confidence, wanted.confidence)


def test_source_without_volume_fails_and_does_not_abstain() -> None:
    bars = bars_of([10.0, 11.0, 12.0, 11.0, 10.0, 11.0], volumes=[math.nan] * 6)
    assert faults_of(bars, ROLLING)[4:] == [Fault.NO_VOLUME] * 2
    assert faults_of(bars, SESSION) == [Fault.NO_VOLUME] * 6


def test_one_bar_without_volume_fails_the_windows_that_hold_it() -> None:
    closes = [10.0, 11.0, 12.0, 11.0, 10.0, 11.0, 12.0, 13.0, 12.0, 11.0, 10.0]
    volumes = [1.0] * 11
    volumes[4] = math.nan
    assert faults_of(bars_of(closes, volumes=volumes), ROLLING)[4:] == [Fault.NO_VOLUME] * 5 + [0, 0]
    one_session = bars_of(closes, volumes=volumes, sessions=[1] * 6 + [2] * 5)
    assert faults_of(one_session, SESSION) == [0] * 4 + [Fault.NO_VOLUME] * 2 + [0] * 5


def test_window_in_which_nothing_traded_fails() -> None:
    bars = bars_of([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0], volumes=[5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0])
    assert faults_of(bars, ROLLING)[4:] == [Fault.ZERO_VARIANCE, Fault.NO_VOLUME, Fault.ZERO_VARIANCE]


def test_constant_price_is_zero_variance_on_those_bars_only() -> None:
    bars = bars_of([10.0, 11.0, 10.0, 10.0, 10.0, 10.0, 10.0, 12.0], sessions=[1] * 8)
    assert faults_of(bars, ROLLING) == [0] * 6 + [Fault.ZERO_VARIANCE, 0]
    flat = bars_of([10.0, 10.0, 10.0, 10.0, 11.0], sessions=[1] * 5)
    assert faults_of(flat, SESSION) == [0, 0, Fault.ZERO_VARIANCE, Fault.ZERO_VARIANCE, 0]


def test_young_session_abstains() -> None:
    bars = bars_of([10.0, 11.0, 12.0, 15.0, 9.0], sessions=[1, 1, 1, 2, 2])
    assert VWAP.signals(bars, SESSION).direction.tolist() == [0, 0, 1, 0, 0]


def test_moves_below_a_thousandth_of_a_basis_point_are_zero_variance() -> None:
    bars = bars_of([10.0, 10.0 + 1e-8] * 3 + [10.0, 10.0001], sessions=[1] * 8)
    assert faults_of(bars, ROLLING) == [0] * 4 + [Fault.ZERO_VARIANCE] * 3 + [0]
    assert faults_of(bars, SESSION) == [0] * 2 + [Fault.ZERO_VARIANCE] * 5 + [0]
