"""Every entry of every built-in strategy depends on the bars up to it alone, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import SymbolBars
from domain.strategies.mean_reversion import MEAN_REVERSION, MeanReversionParameters
from domain.strategies.momentum import MOMENTUM, MomentumParameters
from domain.strategies.protocol import SignalArrays, StrategyDefinition
from domain.strategies.vwap import VWAP, Anchor, VwapParameters
from tests.unit.domain.strategies.series import cut, sample, walks

CASES: list[tuple[StrategyDefinition, Any]] = [
    (MOMENTUM, MomentumParameters(lookback=20)),
    (MOMENTUM, MomentumParameters(lookback=60)),
    (MEAN_REVERSION, MeanReversionParameters(period=10, threshold=1.5)),
    (MEAN_REVERSION, MeanReversionParameters(period=20)),
    (VWAP, VwapParameters(anchor=Anchor.ROLLING, period=10)),
    (VWAP, VwapParameters(anchor=Anchor.SESSION, min_session_bars=2)),
]
NAMES = [f"{definition.name}-{i}" for i, (definition, _) in enumerate(CASES)]


def bits(arrays: SignalArrays, stop: int) -> tuple[bytes, ...]:
    assert arrays.faults is not None
    assert arrays.direction.dtype == np.int8
    assert arrays.confidence.dtype == np.float64
    confidence = np.where(np.isnan(arrays.confidence), -1.0, arrays.confidence)
    return arrays.direction[:stop].tobytes(), confidence[:stop].tobytes(), arrays.faults[:stop].tobytes()


def assert_prefix_stable(
    definition: StrategyDefinition, params: Any, bars: SymbolBars, stops: list[int]
) -> None:
    whole = definition.signals(bars, params)
    for stop in stops:
        assert bits(definition.signals(cut(bars, 0, stop), params), stop) == bits(whole, stop), stop


@pytest.mark.parametrize(("definition", "params"), CASES, ids=NAMES)
def test_signals_of_a_prefix_are_the_prefix_of_the_signals_on_real_bars(
    definition: StrategyDefinition, params: Any
) -> None:
    bars = cut(sample("AAPL"), 0, 1_100)
    assert_prefix_stable(definition, params, bars, list(range(1, 1_101)))


@settings(max_examples=60)
@given(bars=walks(), case=st.sampled_from(CASES), data=st.data())
def test_signals_of_a_prefix_are_the_prefix_of_the_signals(
    bars: SymbolBars, case: tuple[StrategyDefinition, Any], data: st.DataObject
) -> None:
    stops = data.draw(st.lists(st.integers(1, len(bars)), min_size=1, max_size=12))
    assert_prefix_stable(*case, bars, stops)


@settings(max_examples=60)
@given(bars=walks(), case=st.sampled_from(CASES))
def test_signals_stay_in_range_and_undefined_bars_are_only_those_of_the_warmup(
    bars: SymbolBars, case: tuple[StrategyDefinition, Any]
) -> None:
    definition, params = case
    direction, confidence, faults = definition.signals(bars, params)
    assert faults is not None
    warm = definition.warmup(params)
    usable = faults[warm:] == 0
    assert np.isin(direction, (-1, 0, 1)).all()
    assert np.isfinite(confidence[warm:]).all()
    assert ((confidence[warm:] >= 0.0) & (confidence[warm:] <= 1.0)).all()
    assert (confidence[warm:][usable & (direction[warm:] != 0)] >= 0.5).all()
    assert (confidence[warm:][direction[warm:] == 0] == 0.0).all()


@settings(max_examples=40)
@given(bars=walks(), case=st.sampled_from(CASES))
def test_strategies_do_not_write_to_their_bars(
    bars: SymbolBars, case: tuple[StrategyDefinition, Any]
) -> None:
    before = [getattr(bars, name).tobytes() for name in ("open", "high", "low", "close", "volume")]
    case[0].signals(bars, case[1])
    assert [getattr(bars, name).tobytes() for name in ("open", "high", "low", "close", "volume")] == before
