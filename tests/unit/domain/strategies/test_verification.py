from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from domain.bars import SymbolBars
from domain.signals import Signal, SignalFailure
from domain.strategies.indicators import rolling_mean
from domain.strategies.mean_reversion import MEAN_REVERSION
from domain.strategies.protocol import Range, SignalArrays, StrategyDefinition, StrategyInstance
from domain.strategies.verification import live_disagreement, warmup_disagreement
from tests.unit.domain.strategies.series import half_hours, sample
from tests.unit.domain.strategies.test_prefix import CASES


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    period: int = 20


def _peeking(bars: SymbolBars, params: Any) -> SignalArrays:
    later = np.append(bars.close[1:], bars.close[-1])
    return SignalArrays(np.sign(later - bars.close).astype(np.int8), np.full(len(bars), 0.9))


def _forgetful(bars: SymbolBars, params: Any) -> SignalArrays:
    above = bars.close > np.nan_to_num(rolling_mean(bars.close, 200))
    return SignalArrays(above.astype(np.int8), np.full(len(bars), 0.9))


def _late(bars: SymbolBars, params: Any) -> SignalArrays:
    if bars.close[-1] > bars.close[0]:
        raise ValueError("the last bar is above the first")
    return SignalArrays(np.zeros(len(bars), np.int8), np.zeros(len(bars)))


def instance(signals: Any) -> StrategyInstance:
    definition = StrategyDefinition(
        name="unfit",
        summary="s",
        source="s",
        parameters=Parameters,
        ranges={"period": Range(2, 50, 1)},
        warmup=lambda params: params.period,
        signals=signals,
    )
    return StrategyInstance(strategy_id="unfit", definition=definition, parameters=Parameters())


@pytest.mark.parametrize(("definition", "params"), CASES)
@pytest.mark.parametrize("bars", [sample("IBM"), half_hours("IBM")], ids=["days", "half hours"])
@pytest.mark.parametrize("continuous", [False, True])
def test_built_in_strategies_are_fit(
    definition: StrategyDefinition, params: Any, bars: SymbolBars, continuous: bool
) -> None:
    fit = StrategyInstance(strategy_id="s", definition=definition, parameters=params)
    assert live_disagreement(fit, bars, continuous) is None
    assert warmup_disagreement(fit, bars, continuous) is None


def test_strategy_that_looks_ahead_is_found() -> None:
    found = live_disagreement(instance(_peeking), sample("IBM"), continuous=False)
    assert found is not None
    assert found.position >= 20
    assert isinstance(found.first, Signal)
    assert isinstance(found.second, Signal)
    assert found.first.direction != found.second.direction


def test_strategy_that_fails_by_its_last_bar_is_found() -> None:
    found = live_disagreement(instance(_late), sample("IBM"), continuous=False)
    assert found is not None
    assert {type(found.first), type(found.second)} == {Signal, SignalFailure}


def test_warmup_too_short_for_what_the_rule_remembers_is_found() -> None:
    assert live_disagreement(instance(_forgetful), sample("IBM"), continuous=False) is None
    assert warmup_disagreement(instance(_forgetful), sample("IBM"), continuous=False) is not None


def test_warmup_one_bar_short_is_found() -> None:
    short = replace(MEAN_REVERSION, warmup=lambda params: params.period - 2)
    bars = sample("AAPL")
    unfit = StrategyInstance(strategy_id="s", definition=short, parameters=MEAN_REVERSION.parameters())
    found = warmup_disagreement(unfit, bars, continuous=False)
    assert found is not None
    assert isinstance(found.second, SignalFailure)
