"""Live and backtest give the same signals and failures, bar by bar, whatever the strategy does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import Bar, BarGroup, SymbolBars
from domain.errors import InvariantViolation
from domain.signals import Signal, SignalFailure
from domain.strategies.blocks import block_ns, block_start, slice_start
from domain.strategies.evaluator import BlockEvaluator, Evaluation, LiveEvaluator, SymbolBlocks
from domain.strategies.protocol import Range, StrategyDefinition, StrategyInstance
from domain.strategies.vwap import Anchor
from tests.unit.domain.strategies.series import (
    DAY_NS,
    MINUTE_NS,
    bars_of,
    cut,
    groups_of,
    half_hours,
    sample,
    walks,
)
from tests.unit.domain.strategies.test_prefix import CASES


@dataclass(frozen=True, slots=True, kw_only=True)
class NaughtyParameters:
    """Say what goes wrong, and at about one bar in how many."""

    fault: str = "none"
    one_in: int = 50
    warmup: int = 10


WHOLE = ("raise", "none_at_all", "short", "long", "text", "empty")
SINGLE = ("nan_direction", "nan_confidence", "out_of_range", "half", "declared")


def _naughty(bars: SymbolBars, params: NaughtyParameters) -> Any:
    """Be right about most bars; a bar whose time says so goes wrong, as a whole answer or by itself."""
    bad = bars.open_ns // bars.bar_ns * 2_654_435_761 % 1_000_003 % params.one_in == 0
    direction = np.where(bars.close > bars.open[0], 1.0, -1.0)
    confidence = 1.0 / (1.0 + np.arange(len(bars)) % 7)
    faults = np.zeros(len(bars), np.int8)
    if params.fault in WHOLE and bad.any():
        match params.fault:
            case "raise":
                raise ValueError(f"bar {int(np.argmax(bad))} of the slice is bad")
            case "none_at_all":
                return None
            case "short":
                return direction[1:], confidence
            case "long":
                return direction, np.append(confidence, 0.5)
            case "text":
                return direction.astype(str), confidence
            case "empty":
                return direction[:0], confidence
    direction[bad] = {"nan_direction": np.nan, "out_of_range": 3.0, "half": 0.5}.get(params.fault, 1.0)
    confidence[bad] = np.nan if params.fault == "nan_confidence" else 0.9
    faults[bad] = 1 if params.fault == "declared" else 0
    return direction, confidence, faults


NAUGHTY = StrategyDefinition(
    name="naughty",
    summary="Fail on purpose.",
    source="none",
    parameters=NaughtyParameters,
    ranges={"one_in": Range(1, 1_000, 1), "warmup": Range(1, 300, 1)},
    warmup=lambda params: params.warmup,
    signals=_naughty,
)


def instance_of(definition: StrategyDefinition, params: Any) -> StrategyInstance:
    return StrategyInstance(strategy_id="s1", definition=definition, parameters=params)


def instances() -> st.SearchStrategy[StrategyInstance]:
    naughty = st.builds(
        NaughtyParameters,
        fault=st.sampled_from(("none", *WHOLE, *SINGLE)),
        one_in=st.sampled_from([1, 5, 60, 400]),
        warmup=st.sampled_from([1, 7, 60, 300]),
    )
    honest = st.sampled_from(CASES).map(lambda case: instance_of(*case))
    return naughty.map(lambda params: instance_of(NAUGHTY, params)) | honest


def live(
    instance: StrategyInstance, groups: list[BarGroup], bar_ns: int, continuous: bool
) -> list[list[Evaluation]]:
    evaluator = LiveEvaluator(instance, bar_ns, continuous)
    return [evaluator.evaluate(group) for group in groups]


@given(instance=instances(), bars=walks(), other=walks(bar_ns=MINUTE_NS), continuous=st.booleans())
def test_live_and_blocks_agree_on_every_bar(
    instance: StrategyInstance, bars: SymbolBars, other: SymbolBars, continuous: bool
) -> None:
    series = [bars, replace(other, symbol="Y")] if bars.bar_ns == MINUTE_NS else [bars]
    groups = groups_of(*series)
    blocks = BlockEvaluator(instance, series, bars.bar_ns, continuous)
    assert live(instance, groups, bars.bar_ns, continuous) == [blocks.evaluate(group) for group in groups]


@settings(max_examples=60)
@given(instance=instances(), bars=walks(), continuous=st.booleans(), data=st.data())
def test_live_that_begins_with_no_more_than_its_block_needs_agrees_with_blocks_over_all_bars(
    instance: StrategyInstance, bars: SymbolBars, continuous: bool, data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, len(bars) - 1))
    length = block_ns(bars.bar_ns, continuous)
    first = int(np.searchsorted(bars.open_ns, block_start(int(bars.open_ns[begin]), length)))
    needed = slice_start(bars.session, first, instance.warmup)
    evaluator = LiveEvaluator(instance, bars.bar_ns, continuous)
    for group in groups_of(cut(bars, needed, begin)) if begin > needed else []:
        evaluator.observe(group)
    blocks = SymbolBlocks(instance, bars, length)
    for offset, group in enumerate(groups_of(cut(bars, begin, len(bars)))):
        assert evaluator.evaluate(group) == [blocks.entry(begin + offset)]


@settings(max_examples=40)
@given(instance=instances(), bars=walks(), data=st.data())
def test_blocks_may_be_asked_in_any_order(
    instance: StrategyInstance, bars: SymbolBars, data: st.DataObject
) -> None:
    length = block_ns(bars.bar_ns, False)
    in_order = SymbolBlocks(instance, bars, length)
    wanted = [in_order.entry(i) for i in range(len(bars))]
    asked = data.draw(st.lists(st.integers(0, len(bars) - 1), max_size=20))
    any_order = SymbolBlocks(instance, bars, length)
    assert [any_order.at(int(bars.open_ns[i])) for i in asked] == [wanted[i] for i in asked]


@pytest.mark.parametrize(("definition", "params"), CASES)
@pytest.mark.parametrize("begin", [0, 1, 137, 1_500])
def test_live_and_blocks_agree_on_real_bars_wherever_they_begin(
    definition: StrategyDefinition, params: Any, begin: int
) -> None:
    series = half_hours("MSFT") if getattr(params, "anchor", None) is Anchor.SESSION else sample("MSFT")
    instance, bars = instance_of(definition, params), cut(series, begin, 3_270)
    blocks = BlockEvaluator(instance, [bars], bars.bar_ns, False)
    groups = groups_of(bars)
    evaluated = [blocks.evaluate(group) for group in groups]
    assert live(instance, groups, bars.bar_ns, False) == evaluated
    assert {e.direction for (e,) in evaluated if isinstance(e, Signal)} == {-1, 0, 1}


def test_no_signal_before_the_warmup_even_from_a_strategy_that_fails() -> None:
    instance = instance_of(NAUGHTY, NaughtyParameters(fault="raise", one_in=1, warmup=3))
    evaluated = [e for (e,) in live(instance, groups_of(bars_of([1.0, 2.0, 3.0, 4.0])), DAY_NS, False)]
    assert evaluated[:3] == [Signal("X", 0, 0.0)] * 3
    assert isinstance(evaluated[3], SignalFailure)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("raise", "raised"),
        ("none_at_all", "empty"),
        ("short", "wrong_shape"),
        ("long", "wrong_shape"),
        ("text", "wrong_shape"),
        ("empty", "empty"),
        ("nan_direction", "not_finite"),
        ("nan_confidence", "not_finite"),
        ("out_of_range", "out_of_range"),
        ("half", "out_of_range"),
        ("declared", "zero_variance"),
    ],
)
def test_every_fault_becomes_a_failure_and_never_a_signal(fault: str, kind: str) -> None:
    instance = instance_of(NAUGHTY, NaughtyParameters(fault=fault, one_in=1, warmup=1))
    for (evaluation,) in live(instance, groups_of(bars_of([1.0, 2.0, 3.0])), DAY_NS, False)[1:]:
        assert isinstance(evaluation, SignalFailure)
        assert (evaluation.strategy, evaluation.symbol, evaluation.kind) == ("s1", "X", kind)


def test_fault_of_one_bar_fails_that_bar_and_not_its_block() -> None:
    instance = instance_of(NAUGHTY, NaughtyParameters(fault="declared", one_in=60, warmup=1))
    bars = sample("IBM")
    failed = [isinstance(e, SignalFailure) for (e,) in live(instance, groups_of(bars), DAY_NS, False)]
    bad = bars.open_ns // DAY_NS * 2_654_435_761 % 1_000_003 % 60 == 0
    assert failed[1:] == bad.tolist()[1:]


def test_symbol_without_a_bar_gets_no_signal() -> None:
    instance = instance_of(*CASES[0])
    groups = groups_of(bars_of([1.0, 2.0, 3.0]), replace(bars_of([5.0]), symbol="Y"))
    evaluated = live(instance, groups, DAY_NS, False)
    assert [[e.symbol for e in group] for group in evaluated] == [["X", "Y"], ["X"], ["X"]]


def test_bar_that_the_blocks_do_not_know_is_an_invariant_violation() -> None:
    blocks = BlockEvaluator(instance_of(*CASES[0]), [bars_of([1.0, 2.0])], DAY_NS, False)
    bar = Bar("X", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    with pytest.raises(InvariantViolation, match="no bar opens at 5 ns"):
        blocks.evaluate(BarGroup(0, 5, 6, 1, (bar,)))
    with pytest.raises(InvariantViolation, match="'Z'"):
        blocks.evaluate(BarGroup(0, 0, 6, 1, (bar._replace(symbol="Z"),)))
