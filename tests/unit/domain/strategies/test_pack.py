"""Strategies that share a role say what each says alone, and are one role to everybody else (C4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarGroup
from domain.errors import CodecError, InvariantViolation
from domain.lease import LeaseTerms
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
from domain.outputs import Output, Send
from domain.records import Rung
from domain.signals import Signal
from domain.strategies.blocks import DAY_NS
from domain.strategies.evaluator import Evaluation
from domain.strategies.protocol import StrategyInstance
from domain.strategies.runner import RunnerSettings, StrategyRunner
from domain.strategies.voice import Voice, VoiceSettings
from domain.supervision import LeaseGranted, Pulse
from simulation.replay import ReplayFeed
from tests.unit.domain.risk.bench import group
from tests.unit.domain.strategies.series import MINUTE_NS, walks
from tests.unit.domain.strategies.test_evaluator import instances
from tests.unit.domain.strategies.test_runner import pack, table_of

PRICES = {"AAPL": 100.0, "XOM": 50.0}
TERMS = LeaseTerms(interval_s=1.0, valid_s=5.0)


class Buyer:
    """Be an evaluator that buys everything, but raises at one bar."""

    def __init__(self, raises_at: int = -1, error: Exception | None = None) -> None:
        self._raises_at, self._error = raises_at, error or CodecError("no number")
        self.observed: list[int] = []

    def observe(self, group: BarGroup) -> None:
        self.observed.append(group.index)

    def evaluate(self, group: BarGroup) -> list[Evaluation]:
        if group.index == self._raises_at:
            raise self._error
        return [Signal(bar.symbol, 1, 0.5) for bar in group.bars]


def of(lease: LeaseTerms | None = None, **evaluators: Buyer) -> StrategyRunner:
    """Return a pack, each strategy's warm-up ten times the place of its name."""
    voices = [
        Voice(VoiceSettings(strategy_id=name, symbols=None, warmup=10 * place), evaluator)
        for place, (name, evaluator) in enumerate(evaluators.items(), start=1)
    ]
    configured = RunnerSettings(role="strategies:2", block_ns=7, generation=3)
    return StrategyRunner(replace(configured, lease=lease) if lease else configured, voices)


def batches(outputs: list[Output]) -> list[SignalBatch]:
    found = [o.message for o in outputs if isinstance(o, Send) and o.to == RISK]
    assert len(found) == len(outputs)
    return [each for each in found if isinstance(each, SignalBatch)]


@settings(max_examples=40, deadline=None)
@given(
    packed=st.lists(instances(), min_size=2, max_size=4),
    bar_ns=st.sampled_from([MINUTE_NS, DAY_NS]),
    continuous=st.booleans(),
    data=st.data(),
)
def test_each_says_after_the_history_of_the_pack_what_it_says_after_its_own(
    packed: list[StrategyInstance], bar_ns: int, continuous: bool, data: st.DataObject
) -> None:
    """The pack asks as far back as its longest warm-up needs: to the others that is more than they need."""
    named = [replace(each, strategy_id=f"s{place}") for place, each in enumerate(packed)]
    series = [
        replace(data.draw(walks(bar_ns=bar_ns, max_size=120, latest_day=200)), symbol=name) for name in "AB"
    ]
    table = table_of(series, continuous)
    begin = data.draw(st.integers(0, len(table) - 1))
    together = pack(named, bar_ns, continuous)
    apart = [pack((each,), bar_ns, continuous) for each in named]
    for machine in (together, *apart):
        (asked,) = machine.handle(Begin())
        assert isinstance(asked, Send)
        assert isinstance(asked.message, RequestHistory)
        past = tuple(ReplayFeed(table).history(begin, asked.message.block_ns, asked.message.warmup))
        machine.handle(BarHistory(groups=past, last=True, before=begin))
    for today in table.groups(begin):
        came = BarsPublished(group=today)
        assert together.handle(came) == [output for machine in apart for output in machine.handle(came)]


def test_a_pack_asks_once_as_far_back_as_the_longest_warm_up_and_all_of_it_hear() -> None:
    first, second = Buyer(), Buyer()
    machine = of(a=first, b=second)
    asked = RequestHistory(requester="strategies:2", block_ns=7, warmup=20)
    assert machine.handle(Begin()) == [Send(FEED, asked)]
    past = tuple(group(index, PRICES) for index in range(3))
    assert machine.handle(BarHistory(groups=past, last=True, before=3)) == [
        Send(COORDINATOR, Ready(role="strategies:2", generation=3))
    ]
    assert first.observed == second.observed == [0, 1, 2]


def test_a_pack_pulses_is_ready_and_drains_as_one_role() -> None:
    machine = of(TERMS, a=Buyer(), b=Buyer())
    sent = [o for o in machine.handle(Begin()) if isinstance(o, Send) and isinstance(o.message, Pulse)]
    assert [(o.to, o.message.role) for o in sent if isinstance(o.message, Pulse)] == [
        (COORDINATOR, "strategies:2")
    ]
    assert machine.handle(BarHistory(groups=(), last=True)) == []
    lease = LeaseGranted(nonce=1, bars_head=-1, journal_head=-1, rung=Rung.ACTIVE, latch_version=0)
    assert machine.handle(lease) == [Send(COORDINATOR, Ready(role="strategies:2", generation=3))]
    assert machine.handle(Drain(reason="stop", cancel_entries=False)) == [
        Send(COORDINATOR, Drained(role="strategies:2"))
    ]
    (pulse,) = (
        o.message
        for o in machine.handle(TimerFired(name="pulse"))
        if isinstance(o, Send) and isinstance(o.message, Pulse)
    )
    assert (pulse.ready, pulse.at_rest) == (True, True)


def test_a_bar_that_comes_again_is_answered_by_all_of_a_pack_with_what_they_said() -> None:
    machine = of(a=Buyer(), b=Buyer(raises_at=0))
    came = BarsPublished(group=group(0, PRICES))
    said = machine.handle(came)
    assert [batch.strategy for batch in batches(said)] == ["a", "b"]
    assert machine.handle(came) == said


def test_what_the_engine_survives_fails_one_strategy_of_a_pack_alone() -> None:
    """B1, B2: the others speak of the same bar, and the one that failed of the next."""
    machine = of(a=Buyer(), b=Buyer(raises_at=1), c=Buyer())
    for index, failed in enumerate([[], ["AAPL", "XOM"], []]):
        first, second, third = batches(machine.handle(BarsPublished(group=group(index, PRICES))))
        assert (len(first.signals), len(third.signals)) == (2, 2)
        assert [failure.symbol for failure in second.failures] == failed
        assert len(second.signals) == 2 - len(failed)
        assert {(f.strategy, f.kind, f.error) for f in second.failures} <= {
            ("b", "raised", "CodecError: no number")
        }
    told = machine.state()["strategies"]
    assert {name: each["failures"] for name, each in told.items()} == {"a": 0, "b": 2, "c": 0}


def test_a_contradiction_in_one_strategy_ends_the_role_of_all() -> None:
    """The price of a pack: the process is the unit of a fault."""
    machine = of(a=Buyer(), b=Buyer(raises_at=0, error=InvariantViolation("a bar is not later")))
    with pytest.raises(InvariantViolation, match="a bar is not later"):
        machine.handle(BarsPublished(group=group(0, PRICES)))
