"""A strategy's actor says what the backtest says, once the feed has given it what its block needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarGroup, BarTable, SymbolBars
from domain.errors import InvariantViolation
from domain.messages import (
    COORDINATOR,
    FEED,
    RISK,
    BarHistory,
    BarsPublished,
    Begin,
    Drain,
    Drained,
    Ready,
    RequestHistory,
    SignalBatch,
    TimerFired,
)
from domain.outputs import Send
from domain.signals import Signal, SignalFailure
from domain.strategies.blocks import DAY_NS, block_ns
from domain.strategies.evaluator import BlockEvaluator, LiveEvaluator
from domain.strategies.history import symbol_bars
from domain.strategies.momentum import MOMENTUM, MomentumParameters
from domain.strategies.protocol import StrategyInstance
from domain.strategies.runner import RunnerSettings, StrategyRunner
from domain.strategies.voice import Voice, VoiceSettings
from simulation.replay import ReplayFeed
from tests.unit.domain.strategies.series import MINUTE_NS, bars_of, cut, groups_of, sample, walks
from tests.unit.domain.strategies.test_evaluator import instances

MOMENTUM_20 = StrategyInstance(
    strategy_id="m", definition=MOMENTUM, parameters=MomentumParameters(lookback=20)
)


def runner(
    instance: StrategyInstance, bar_ns: int = DAY_NS, continuous: bool = False, symbols: Any = None
) -> StrategyRunner:
    return pack((instance,), bar_ns, continuous, symbols, role=f"strategy:{instance.strategy_id}")


def pack(
    packed: Sequence[StrategyInstance],
    bar_ns: int = DAY_NS,
    continuous: bool = False,
    symbols: Any = None,
    role: str = "strategies:1",
) -> StrategyRunner:
    voices = [
        Voice(
            VoiceSettings(strategy_id=each.strategy_id, symbols=symbols, warmup=each.warmup),
            LiveEvaluator(each, bar_ns, continuous),
        )
        for each in packed
    ]
    configured = RunnerSettings(role=role, block_ns=block_ns(bar_ns, continuous), generation=3)
    return StrategyRunner(configured, voices)


def published(machine: StrategyRunner, group: BarGroup) -> SignalBatch:
    (output,) = machine.handle(BarsPublished(group=group))
    assert isinstance(output, Send)
    assert output.to == RISK
    assert isinstance(output.message, SignalBatch)
    return output.message


def table_of(series: list[SymbolBars], continuous: bool) -> BarTable:
    groups = groups_of(*series)
    rows = [(group, bar) for group in groups for bar in group.bars]
    names = tuple(sorted(bars.symbol for bars in series))
    prices = np.array([bar[1:] for _, bar in rows], np.float64)
    return BarTable(
        symbols=names,
        bar_ns=series[0].bar_ns,
        continuous=continuous,
        fingerprint="",
        starts=np.concatenate([[0], np.cumsum([len(group.bars) for group in groups])]),
        symbol_id=np.array([names.index(bar.symbol) for _, bar in rows], np.int16),
        open_ns=np.array([group.open_ns for group, _ in rows]),
        known_ns=np.array([group.known_ns for group, _ in rows]),
        session=np.array([group.session for group, _ in rows], np.int32),
        **{
            name: prices[:, i].copy()
            for i, name in enumerate(("open", "high", "low", "close", "volume", "dividend"))
        },
    )


@settings(max_examples=60)
@given(
    instance=instances(),
    bar_ns=st.sampled_from([MINUTE_NS, DAY_NS]),
    continuous=st.booleans(),
    data=st.data(),
)
def test_signals_after_the_history_of_the_feed_are_those_of_the_backtest(
    instance: StrategyInstance, bar_ns: int, continuous: bool, data: st.DataObject
) -> None:
    series = [
        replace(data.draw(walks(bar_ns=bar_ns, max_size=150, latest_day=200)), symbol=name) for name in "ABC"
    ]
    table = table_of(series, continuous)
    begin = data.draw(st.integers(0, len(table) - 1))
    machine = runner(instance, bar_ns, continuous)
    (asked,) = machine.handle(Begin())
    assert isinstance(asked, Send)
    assert asked.to == FEED
    request = asked.message
    assert isinstance(request, RequestHistory)
    past = tuple(ReplayFeed(table).history(begin, request.block_ns, request.warmup))
    assert machine.handle(BarHistory(groups=past[:7], last=False)) == []
    (ready,) = machine.handle(BarHistory(groups=past[7:], last=True, number=1, before=begin))
    assert ready == Send(COORDINATOR, Ready(role="strategy:s1", generation=3))
    blocks = BlockEvaluator(instance, [symbol_bars(table, name) for name in "ABC"], bar_ns, continuous)
    for group in table.groups(begin):
        batch, wanted = published(machine, group), blocks.evaluate(group)
        assert batch.signals == tuple(e for e in wanted if isinstance(e, Signal) and e.direction)
        assert batch.failures == tuple(e for e in wanted if isinstance(e, SignalFailure))
        assert (batch.bar, batch.at_ns, batch.strategy) == (group.index, group.known_ns, "s1")
        assert batch.evaluated == len(group.bars)


def test_batch_is_sent_for_every_bar_even_when_all_abstain() -> None:
    machine = runner(MOMENTUM_20)
    batches = [published(machine, group) for group in groups_of(bars_of([1.0, 2.0, 3.0]))]
    assert [(batch.evaluated, batch.signals, batch.failures) for batch in batches] == [(1, (), ())] * 3


def test_the_last_bar_with_signals_is_told_and_the_surest_of_them() -> None:
    machine = runner(MOMENTUM_20)
    assert machine.state()["strategies"]["m"]["last_said"] == {}
    said = [batch for group in groups_of(sample("AAPL")) if (batch := published(machine, group)).signals]
    assert said, "the sample has signals"
    last, told = said[-1], machine.state()["strategies"]["m"]["last_said"]
    assert (told["bar"], told["at_ns"]) == (last.bar, last.at_ns)
    assert told["buys"] + told["sells"] == len(last.signals)
    surest = max(signal.confidence for signal in last.signals)
    assert told["strongest"] in [list(signal) for signal in last.signals if signal.confidence == surest]


def test_batch_is_sent_for_a_group_without_bars_or_without_its_symbols() -> None:
    """The risk manager waits for every strategy at every bar."""
    (group,) = groups_of(bars_of([1.0]))
    machine = runner(MOMENTUM_20, symbols=frozenset({"IBM"}))
    for each in (replace(group, bars=()), replace(group, index=1)):
        batch = published(machine, each)
        assert (batch.bar, batch.evaluated, batch.signals, batch.failures) == (each.index, 0, (), ())


def test_group_that_came_before_is_neither_evaluated_nor_remembered_again() -> None:
    """A bar counted twice would bend every indicator after it."""
    groups = groups_of(cut(sample("AAPL"), 0, 60))
    twice, once = runner(MOMENTUM_20), runner(MOMENTUM_20)
    twice.handle(BarHistory(groups=tuple(groups[:20]), last=False))
    twice.handle(BarHistory(groups=tuple(groups[10:30]), last=True))
    once.handle(BarHistory(groups=tuple(groups[:30]), last=True))
    assert twice.handle(BarsPublished(group=groups[29])) == []
    for group in groups[30:]:
        said = published(twice, group)
        assert said == published(once, group)
        assert twice.handle(BarsPublished(group=group)) == [Send(RISK, said)], "what was said is said again"
        assert twice.handle(BarHistory(groups=(group,), last=False)) == []
    assert twice.state() == once.state()


def test_symbols_not_configured_are_left_out() -> None:
    machine = runner(MOMENTUM_20, symbols=frozenset({"IBM"}))
    for group in groups_of(cut(sample("AAPL"), 0, 60), cut(sample("IBM"), 0, 60)):
        batch = published(machine, group)
        assert batch.evaluated == 1
        assert {signal.symbol for signal in batch.signals} <= {"IBM"}


def test_bars_that_break_a_rule_stay_out_of_the_history() -> None:
    sound = groups_of(bars_of([float(i % 7 + 10) for i in range(40)]))
    bad = replace(sound[30], bars=(sound[30].bars[0]._replace(close=float("nan")),))
    with_bad, without = runner(MOMENTUM_20), runner(MOMENTUM_20)
    with_bad.handle(BarHistory(groups=(*sound[:30], bad, *sound[31:39]), last=True))
    without.handle(BarHistory(groups=(*sound[:30], *sound[31:39]), last=True))
    assert published(with_bad, sound[39]) == published(without, sound[39])
    assert published(without, replace(sound[39], index=40, open_ns=10**18)).failures == ()


def test_failures_are_counted_and_shown() -> None:
    machine = runner(MOMENTUM_20)
    *_, last = [published(machine, group) for group in groups_of(bars_of([5.0] * 23))]
    assert [failure.kind for failure in last.failures] == ["zero_variance"]
    state = machine.state()["strategies"]["m"]
    assert (state["bars"], state["failures"]) == (23, 3)
    assert state["last_failures"] == [f"X: zero_variance: {last.failures[0].error}"]


@pytest.mark.parametrize(
    ("message", "outputs"),
    [
        (
            Drain(reason="stop", cancel_entries=True),
            [Send(COORDINATOR, Drained(role="strategy:m"))],
        ),
    ],
)
def test_other_messages(message: Any, outputs: list[Send]) -> None:
    assert runner(MOMENTUM_20).handle(message) == outputs


def test_unknown_timer_is_a_fault() -> None:
    with pytest.raises(InvariantViolation, match="a strategy sets no timer x"):
        runner(MOMENTUM_20).handle(TimerFired(name="x"))
