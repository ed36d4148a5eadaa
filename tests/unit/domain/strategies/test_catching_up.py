"""Whatever is lost, doubled or late, a strategy's bars are whole, in order, and each counted once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.bars import BarGroup
from domain.lease import LeaseTerms
from domain.messages import (
    COORDINATOR,
    FEED,
    BarHistory,
    BarsPublished,
    Begin,
    Drain,
    Ready,
    RequestHistory,
    SignalBatch,
    StrategyInbox,
    TimerFired,
)
from domain.outputs import Output, Send
from domain.records import Rung
from domain.strategies.catching_up import MOST_PATIENCE, CatchingUp
from domain.strategies.runner import RunnerSettings, StrategyRunner
from domain.strategies.voice import Voice, VoiceSettings
from domain.supervision import LeaseGranted, Pulse
from tests.unit.domain.risk.bench import group

BLOCK, WARMUP, PART = 8, 2, 3
TERMS = LeaseTerms(interval_s=1.0, valid_s=5.0)
ASK = Send(FEED, RequestHistory(requester="strategy:s", block_ns=1, warmup=WARMUP))


class Recorder:
    """Be an evaluator that remembers what it saw, and what was evaluated."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.evaluated: list[int] = []

    def observe(self, group: BarGroup) -> None:
        assert not self.seen or group.index > self.seen[-1], "a bar came twice, or out of order"
        self.seen.append(group.index)

    def evaluate(self, group: BarGroup) -> list[Any]:
        self.observe(group)
        self.evaluated.append(group.index)
        needed = list(range(first_needed(group.index), group.index + 1))
        assert self.seen[-len(needed) :] == needed, "a bar of the block, or of its warmup, is missing"
        return []


def first_needed(bar: int) -> int:
    """Return where the history of the block that `bar` is in begins."""
    return max(bar // BLOCK * BLOCK - WARMUP, 0)


def bar(index: int) -> BarGroup:
    return group(index, {"AAPL": 100.0})


def came(index: int) -> BarsPublished:
    return BarsPublished(group=bar(index))


def history(before: int) -> list[BarHistory]:
    """Return the feed's answer to a request, in parts."""
    groups = [bar(index) for index in range(first_needed(before), before)]
    cut = [tuple(groups[at : at + PART]) for at in range(0, len(groups), PART)] or [()]
    return [
        BarHistory(groups=part, last=number == len(cut) - 1, number=number, before=before)
        for number, part in enumerate(cut)
    ]


def granted(nonce: int = 1, bars_head: int = -1) -> LeaseGranted:
    return LeaseGranted(nonce=nonce, bars_head=bars_head, journal_head=-1, rung=Rung.ACTIVE, latch_version=0)


def runner(generation: int = 1, lease: LeaseTerms = TERMS) -> tuple[StrategyRunner, Recorder]:
    recorder = Recorder()
    configured = RunnerSettings(role="strategy:s", block_ns=1, generation=generation, lease=lease)
    voice = Voice(VoiceSettings(strategy_id="s", symbols=None, warmup=WARMUP), recorder)
    return StrategyRunner(configured, [voice]), recorder


def run(machine: StrategyRunner, *messages: StrategyInbox) -> list[Output]:
    return [output for message in messages for output in machine.handle(message)]


def spoken(outputs: list[Output]) -> list[int]:
    """Return the bars of the batches among `outputs`."""
    return [o.message.bar for o in outputs if isinstance(o, Send) and isinstance(o.message, SignalBatch)]


def started(before: int) -> tuple[StrategyRunner, Recorder]:
    machine, recorder = runner()
    outputs = run(machine, Begin(), granted(), *history(before))
    assert Send(COORDINATOR, Ready(role="strategy:s", generation=1)) in outputs
    return machine, recorder


# --- lease --------------------------------------------------------------------------------------------------


def test_ready_needs_the_history_and_the_first_lease_in_either_order() -> None:
    ready = Send(COORDINATOR, Ready(role="strategy:s", generation=4))
    for lease_first in (True, False):
        machine, _ = runner(generation=4)
        assert ASK in machine.handle(Begin())
        lease: list[StrategyInbox] = [granted()]
        past: list[StrategyInbox] = [*history(2)]
        first, last = (lease, past) if lease_first else (past, lease)
        assert ready not in run(machine, *first)
        assert run(machine, *last).count(ready) == 1


def test_pulses_tell_whether_it_is_ready_and_at_rest() -> None:
    machine, _ = started(2)
    beat = TimerFired(name="pulse")
    for at_rest in (False, True):
        (pulse,) = (
            o.message for o in machine.handle(beat) if isinstance(o, Send) and isinstance(o.message, Pulse)
        )
        assert (pulse.ready, pulse.at_rest, pulse.head) == (True, at_rest, -1)
        machine.handle(Drain(reason="stop", cancel_entries=False))
    assert machine.handle(TimerFired(name="lease.1")) == []


# --- what is missing ----------------------------------------------------------------------------------------


def test_bar_behind_a_gap_waits_for_what_lies_between() -> None:
    machine, recorder = started(3)
    machine.handle(came(3))
    assert machine.handle(came(5)) == [ASK], "evaluated without bar 4 it would say something else"
    assert spoken(run(machine, *history(5))) == [5]
    assert (recorder.seen, recorder.evaluated) == ([0, 1, 2, 3, 4, 5], [3, 5])


def test_restarted_strategy_speaks_of_the_bar_that_has_not_settled() -> None:
    """It gets the bars before it as history and the bar itself again, whichever comes first."""
    for published_first in (True, False):
        machine, recorder = runner(generation=2)
        machine.handle(Begin())
        bars: list[StrategyInbox] = [*history(9)]
        order = [came(9), *bars] if published_first else [*bars, came(9)]
        assert spoken(run(machine, *order)) == [9]
        assert recorder.evaluated == [9]


def test_bar_that_comes_again_is_answered_with_what_was_said_and_an_old_one_is_not() -> None:
    machine, recorder = started(3)
    said = {index: machine.handle(came(index)) for index in (3, 4, 5)}
    assert machine.handle(came(5)) == said[5]
    assert machine.handle(came(4)) == said[4], "a feed that restarted begins with the bar decided last"
    assert machine.handle(came(3)) == machine.handle(came(2)) == []
    assert recorder.evaluated == [3, 4, 5]


def test_head_beyond_the_newest_bar_for_two_lease_answers_asks_for_history() -> None:
    machine, _ = started(3)
    assert machine.handle(granted(1, bars_head=3)) == []
    assert machine.handle(came(3)) != []
    assert machine.handle(granted(1, bars_head=4)) == []
    assert machine.handle(granted(1, bars_head=3)) == [], "it has caught up: the count begins anew"
    assert machine.handle(granted(1, bars_head=4)) == []
    assert machine.handle(granted(1, bars_head=4)) == [ASK]


def test_history_with_a_part_missing_is_let_pass_and_asked_for_again() -> None:
    machine, recorder = runner()
    machine.handle(Begin())
    first, _, last = history(7)
    assert spoken(run(machine, first, last, came(7))) == []
    assert recorder.seen == [0, 1, 2], "what came behind the gap is not taken"
    assert machine.handle(granted(1)) == []
    assert ASK in machine.handle(granted(1))
    assert spoken(run(machine, *history(7))) == [7]


def test_history_that_does_not_come_is_asked_for_less_and_less_often() -> None:
    """A feed that takes long to read its data is not flooded with requests."""
    line = CatchingUp()
    line.ask()
    asked = []
    for answer in range(1, 300):
        if line.must_ask(-1):
            asked.append(answer)
            line.ask()
    waits = [after - before for before, after in zip([0, *asked], asked, strict=False)]
    assert waits == [2, 4, 8, 16, 32, MOST_PATIENCE, MOST_PATIENCE, MOST_PATIENCE][: len(waits)]


@pytest.mark.parametrize("lag", [1, 2])
def test_feed_that_restarted_further_back_does_not_make_it_ask_without_end(lag: int) -> None:
    machine, _ = runner(generation=2)
    machine.handle(Begin())
    newest = 10
    assert run(machine, came(newest)) == []
    assert ASK not in run(machine, *history(newest - lag))
    outputs = run(machine, *(came(index) for index in range(newest - lag, newest + 1)))
    assert spoken(outputs)[: lag + 1] == list(range(newest - lag, newest + 1))
    assert ASK not in outputs


@given(data=st.data())
def test_whatever_is_lost_doubled_or_late_each_bar_is_evaluated_once_and_whole(data: st.DataObject) -> None:
    """A model of the feed publishes, answers requests and restarts the strategy, over a channel that misbehaves."""
    first = data.draw(st.integers(0, 20))
    machine, recorder = runner()
    channel: list[StrategyInbox] = []
    following, out = first, False

    def take(outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send) and isinstance(output.message, RequestHistory):
                channel.extend(history(following))
                channel.extend([came(following)] if out else [])

    take(machine.handle(Begin()))
    for _ in range(data.draw(st.integers(0, 60))):
        match data.draw(
            st.sampled_from(["publish", "settle", "deliver", "deliver", "lose", "swap", "double", "grant"])
        ):
            case "publish":
                out = True
                channel.append(came(following))
            case "settle" if out:
                following, out = following + 1, False
            case "deliver" if channel:
                take(machine.handle(channel.pop(0)))
            case "lose" if channel:
                channel.pop(data.draw(st.integers(0, len(channel) - 1)))
            case "swap" if len(channel) > 1:
                at = data.draw(st.integers(0, len(channel) - 2))
                channel[at], channel[at + 1] = channel[at + 1], channel[at]
            case "double" if channel:
                channel.append(data.draw(st.sampled_from(channel)))
            case "grant":
                take(machine.handle(granted(1, bars_head=following - (not out))))
            case _:
                continue
        assert recorder.evaluated == sorted(set(recorder.evaluated))
    channel.append(came(following))
    out = True
    for _ in range(2 * MOST_PATIENCE):
        while channel:
            take(machine.handle(channel.pop(0)))
        take(machine.handle(granted(1, bars_head=following)))
    assert recorder.evaluated[-1] == following, "with nothing lost any more it has caught up"
