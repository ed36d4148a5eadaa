"""A strategy whose symbols are shared out among parts votes as one; each part is late, absent or fails alone (C4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breakers import BreakerTerms, StrategyBreakerTerms
from domain.messages import BarsPublished, SignalBatch, TimerFired
from domain.outbox import AuditKind
from domain.signals import Signal, SignalFailure
from domain.supervision import AbsentStrategy, StrategiesAbsent
from tests.money import stock
from tests.unit.domain.risk.bench import (
    BUY,
    DAY_NS,
    Bench,
    Round,
    batch,
    group,
    settings,
)

SYMBOLS = ("AAPL", "IBM", "KO", "XOM")
PRICES = dict.fromkeys(SYMBOLS, 100.0)
STOCKS = tuple(map(stock, SYMBOLS))
DEALT = (frozenset({"AAPL", "KO"}), frozenset({"IBM", "XOM"}))
Said = Mapping[str, tuple[int, float] | None]


def sharded(*names: str, **changes: Any) -> Bench:
    """Return a bench whose strategies `names` have two parts each, the first with AAPL and KO."""
    shards = dict.fromkeys(names, DEALT)
    return Bench(settings(instruments=STOCKS, shards=shards, **changes))


def parts_of(bar: int, strategy: str, said: Said) -> list[SignalBatch]:
    """Return what the parts say; None as a vote is a failure."""
    return [
        SignalBatch(
            at_ns=(bar + 1) * DAY_NS,
            bar=bar,
            strategy=strategy,
            evaluated=len(mine),
            signals=tuple(Signal(s, *v) for s, v in said.items() if s in mine and v is not None and v[0]),
            failures=tuple(
                SignalFailure(strategy, s, "raised", "boom", "")
                for s, v in said.items()
                if s in mine and v is None
            ),
            part=part,
            parts=len(DEALT),
        )
        for part, mine in enumerate(DEALT, start=1)
    ]


def whole(bar: int, strategy: str, said: Said) -> SignalBatch:
    votes = {symbol: vote for symbol, vote in said.items() if vote is not None}
    return batch(bar, strategy, votes, [s for s, vote in said.items() if vote is None], len(SYMBOLS))


def absent(*names: str, abstains: bool = False) -> StrategiesAbsent:
    return StrategiesAbsent(
        absent=tuple(AbsentStrategy(name, "its process ended", abstains) for name in names)
    )


def told(bench: Bench, bar: int, *messages: Any) -> Round:
    today = group(bar, PRICES)
    return bench.deliver(BarsPublished(group=today), bench.trade(today), *messages)


def failed_on(outcome: Round) -> list[str]:
    return [event.key for event in outcome.events(AuditKind.SIGNAL_FAILURE)]


ALL = dict.fromkeys(SYMBOLS, BUY)
NOTHING: dict[str, tuple[int, float]] = {}


@given(data=st.data())
def test_parts_decide_what_the_whole_decides_in_whatever_order_they_come(data: st.DataObject) -> None:
    """Signals, failures, orders and every record are the same, to the last bit."""
    vote = st.sampled_from([None, (1, 0.9), (1, 0.4), (-1, 0.7), (0, 0.0)])
    together, apart = Bench(settings(instruments=STOCKS)), sharded("a", "b")
    for bar in range(4):
        said = {name: {symbol: data.draw(vote) for symbol in SYMBOLS} for name in "abc"}
        first = told(together, bar, *(whole(bar, name, said[name]) for name in "abc"))
        parts = [part for name in "ab" for part in parts_of(bar, name, said[name])]
        second = told(apart, bar, *data.draw(st.permutations([*parts, whole(bar, "c", said["c"])])))
        assert second.orders == first.orders
        assert second.records == first.records
        assert second.halts == first.halts


def test_a_bar_waits_for_every_part_and_counts_each_once() -> None:
    bench = sharded("a")
    first, second = parts_of(0, "a", ALL)
    others = [whole(0, name, NOTHING) for name in "bc"]
    assert told(bench, 0, first, first, *others).orders == ()
    assert len(bench.deliver(second).orders) == 1


def test_the_death_of_a_part_fails_its_symbols_alone() -> None:
    """A2: what the dead part watches is not traded at that bar; the rest is."""
    bench = sharded("a")
    outcome = told(bench, 0, absent("a/2"), parts_of(0, "a", ALL)[0], whole(0, "b", ALL), whole(0, "c", ALL))
    assert sorted(outcome.intents) == ["AAPL", "KO"]
    assert failed_on(outcome) == ["a.IBM", "a.XOM"]


def test_a_part_that_abstains_neither_votes_nor_blocks_its_symbols() -> None:
    """B1: its process ended too often; two others agree, so all is traded."""
    bench = sharded("a")
    outcome = told(
        bench,
        0,
        absent("a/2", abstains=True),
        parts_of(0, "a", ALL)[0],
        whole(0, "b", ALL),
        whole(0, "c", ALL),
    )
    assert sorted(outcome.intents) == list(SYMBOLS)
    assert failed_on(outcome) == []
    (signals,) = outcome.events(AuditKind.SIGNALS)
    assert [symbol for symbol, *_ in signals.body["a"]] == ["AAPL", "KO"]


def test_a_late_part_times_out_alone() -> None:
    bench = sharded("a")
    assert told(bench, 0, parts_of(0, "a", ALL)[1], whole(0, "b", ALL), whole(0, "c", ALL)).orders == ()
    outcome = bench.deliver(TimerFired(name="signals"))
    assert sorted(outcome.intents) == ["IBM", "XOM"]
    assert failed_on(outcome) == ["a.AAPL", "a.KO"]
    kinds = {event.body["kind"] for event in outcome.events(AuditKind.SIGNAL_FAILURE)}
    assert kinds == {"timeout"}
    late = bench.deliver(parts_of(0, "a", ALL)[0])
    assert late.orders == ()


BREAKERS = StrategyBreakerTerms(
    BreakerTerms(failures=1, timeout_s=1e9, successes=1), quarantine_after_probes=2
)


@pytest.mark.parametrize(
    ("gone", "state"), [(("a/1",), "closed"), (("a/2",), "closed"), (("a/1", "a/2"), "open")]
)
def test_a_strategy_has_failed_when_all_of_its_parts_have(gone: Sequence[str], state: str) -> None:
    """One breaker for the whole: a part that is gone does not silence the others."""
    bench = sharded("a", breakers=BREAKERS)
    spoken = [part for part in parts_of(0, "a", ALL) if part.speaker not in gone]
    told(bench, 0, absent(*gone), *spoken, whole(0, "b", ALL), whole(0, "c", ALL))
    assert bench.manager.state()["breakers"]["a"] == state
    outcome = told(bench, 1, absent(), *parts_of(1, "a", ALL), whole(1, "b", ALL), whole(1, "c", ALL))
    (signals,) = outcome.events(AuditKind.SIGNALS)
    assert ("a" in signals.body) == (state == "closed"), "the breaker silences all parts"


def test_a_part_that_stays_absent_is_counted_once_while_the_others_speak() -> None:
    """B1: a process that ended has failed once. What the others fail on is counted all the same."""
    bench = sharded("a")
    for bar in range(3):
        failing = {**ALL, "AAPL": None, "KO": None} if bar == 2 else ALL
        told(
            bench,
            bar,
            absent("a/2"),
            parts_of(bar, "a", failing)[0],
            whole(bar, "b", ALL),
            whole(bar, "c", ALL),
        )
        failures = bench.manager.state()["failures"]
        assert failures["totals"].get("a", 0) == (1 if bar == 2 else 0)


def test_who_is_no_part_is_not_heard() -> None:
    bench = sharded("a")
    stray = whole(0, "a", ALL)
    assert told(bench, 0, stray, whole(0, "b", ALL), whole(0, "c", ALL)).orders == ()
    assert len(bench.deliver(*parts_of(0, "a", NOTHING)).orders) == 1
