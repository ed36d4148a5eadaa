"""A strategy that fails abstains for a while, is probed, and stays out when its probes fail (B1, B5, B6)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breakers import BreakerTerms, StrategyBreakerTerms
from domain.lease import LeaseTerms
from domain.messages import COORDINATOR, BarsPublished, Begin, TimerFired
from domain.outbox import AuditEvent, AuditKind
from domain.outputs import Output, Send
from domain.records import HaltTrigger, Rung
from domain.supervision import QuarantinedStrategy, ReleaseStrategy, StrategiesQuarantined
from tests.unit.domain.risk.bench import (
    BUY,
    DAY_NS,
    MAIN,
    POLICY,
    Bench,
    Round,
    all_say,
    batch,
    group,
    settings,
)
from tests.unit.domain.risk.test_manager import history, same, state

PRICES = {"AAPL": 100.0}
DAY_S = DAY_NS / 1e9
FIVE = MAIN._replace(strategies=tuple("abcde"))
PATIENT = POLICY._replace(max_consecutive_failures=99, failure_rate=1.0)


def terms(timeout_days: float = 2.0, successes: int = 2, quarantine: int = 2) -> StrategyBreakerTerms:
    return StrategyBreakerTerms(BreakerTerms(3, timeout_days * DAY_S, successes), quarantine)


def bench(configured: StrategyBreakerTerms | None = None, **changes: Any) -> Bench:
    made = settings(books=[FIVE], breakers=configured or terms(), **changes)
    return Bench(made, PATIENT)


def fail(made: Bench, index: int, *names: str, said: Any = None) -> Round:
    """Let a bar happen at which `names` fail on their only symbol."""
    return made.bar(index, PRICES, said, {name: ["AAPL"] for name in names})


def changes(round_: Round) -> list[tuple[str, str, str]]:
    return [(e.key, e.body["before"], e.body["after"]) for e in round_.events(AuditKind.BREAKER)]


def test_third_failure_in_a_row_opens_the_breaker_and_from_the_next_bar_on_it_abstains() -> None:
    """Until then A2 holds: no order for its symbols; an open breaker neither votes nor blocks."""
    made = bench()
    votes = all_say(BUY, names="abcd")
    for index in (0, 1):
        assert changes(fail(made, index, "e", said=votes)) == []
    third = fail(made, 2, "e", said=votes)
    assert changes(third) == [("e", "closed", "open")]
    assert third.approved.approvals == ()
    assert made.manager.state()["breakers"] == {"a": "closed", **dict.fromkeys("bcd", "closed"), "e": "open"}
    assert list(fail(made, 3, "e", said=votes).intents) == ["AAPL"]
    assert made.manager.state()["failures"]["totals"] == {"e": 3}, "nobody asked it"


def test_change_says_what_happened_and_when_by_the_bars() -> None:
    made = bench()
    *_, last = [fail(made, index, "e") for index in range(3)]
    (event,) = last.events(AuditKind.BREAKER)
    cause = "3 evaluations failed in a row: boom"
    assert event == AuditEvent(
        AuditKind.BREAKER, 3 * DAY_NS, 2, "e", True, {"before": "closed", "after": "open", "cause": cause}
    )


def test_vote_of_a_strategy_whose_breaker_is_open_does_not_count() -> None:
    made = bench()
    for index in range(3):
        fail(made, index, "e")
    assert made.bar(3, PRICES, all_say(BUY, names="ae")).approved.approvals == ()
    assert list(made.bar(4, PRICES, all_say(BUY, names="ab")).intents) == ["AAPL"]


def test_bar_does_not_wait_for_a_strategy_whose_breaker_is_open() -> None:
    """One that hangs costs its deadline three times, not at every bar."""
    made = bench()
    for index in range(3):
        fail(made, index, "e")
    today = group(3, PRICES)
    spoken = [batch(3, name, evaluated=1) for name in "abcd"]
    assert len(made.deliver(BarsPublished(group=today), made.trade(today), *spoken).orders) == 1


def test_probes_that_succeed_close_the_breaker() -> None:
    made = bench()
    for index in range(4):
        fail(made, index, "e")
    assert changes(made.bar(4, PRICES, all_say(BUY, names="ae"))) == [("e", "open", "half_open")]
    assert list(made.resting), "a probe's vote counts"
    assert changes(made.bar(5, PRICES)) == [("e", "half_open", "closed")]


def test_probe_that_fails_opens_it_anew_and_the_second_quarantines() -> None:
    made = bench()
    rounds = [fail(made, index, "e") for index in range(7)]
    assert changes(rounds[4]) == [("e", "open", "half_open"), ("e", "half_open", "open")]
    assert changes(rounds[5]) == []
    assert changes(rounds[6])[1:] == [("e", "half_open", "open"), ("e", "open", "quarantined")]
    out = QuarantinedStrategy("e", 6, "2 probes failed, the last: boom")
    told = StrategiesQuarantined(quarantined=(out,))
    assert Send(COORDINATOR, told, True) in rounds[6].sent
    assert made.manager.state()["breakers"]["e"] == "quarantined"
    assert [changes(fail(made, index, "e")) for index in range(7, 20)] == [[]] * 13


def test_success_between_failed_probes_that_closes_the_breaker_forgets_them() -> None:
    made = bench(terms(timeout_days=1.0, successes=1))
    for index in range(4):
        fail(made, index, "e")  # open at 2, a failed probe at 3
    made.bar(4, PRICES)  # a probe that succeeds and closes it
    for index in range(5, 9):
        fail(made, index, "e")  # open at 7, a failed probe at 8: the first since
    assert made.manager.state()["breakers"]["e"] == "open"


def told_out(outputs: Iterable[Output]) -> list[list[str]]:
    return [
        [each.strategy for each in output.message.quarantined]
        for output in outputs
        if isinstance(output, Send) and isinstance(output.message, StrategiesQuarantined)
    ]


def test_who_is_quarantined_is_told_with_the_pulses_also_that_nobody_is() -> None:
    made = bench(lease=LeaseTerms(interval_s=1.0, valid_s=5.0))
    assert told_out(made.manager.handle(TimerFired(name="pulse"))) == [[]]
    for index in range(7):
        fail(made, index, "d", "e")
    assert told_out(made.manager.handle(TimerFired(name="pulse"))) == [["d", "e"]]


def test_who_is_quarantined_is_told_at_the_begin_of_the_next_run() -> None:
    """Inline nobody pulses, and only what changes is told."""
    made = bench()
    for index in range(7):
        fail(made, index, "d", "e")
    assert told_out(made.manager.handle(Begin())) == [["d", "e"]]
    assert told_out(bench().manager.handle(Begin())) == []


@pytest.mark.parametrize(("strategy", "left"), [("e", ["d"]), ("a", ["d", "e"])])
def test_release_is_answered_with_who_stays_out(strategy: str, left: list[str]) -> None:
    made = bench()
    for index in range(7):
        fail(made, index, "d", "e")
    assert told_out(made.manager.handle(ReleaseStrategy(strategy=strategy))) == [left]


def test_released_strategy_takes_part_as_one_that_never_failed() -> None:
    made = bench()
    *_, last = [fail(made, index, "e") for index in range(7)]
    released = made.deliver(ReleaseStrategy(strategy="e"))
    (event,) = released.events(AuditKind.BREAKER)
    assert (event.decision, event.body["before"], event.body["after"]) == (False, "quarantined", "closed")
    again = made.reborn(last.snapshot, released.between)
    for each in (made, again):
        assert each.manager.state()["breakers"]["e"] == "closed"
    assert changes(fail(again, 7, "e")) == []
    assert list(again.bar(8, PRICES, all_say(BUY, names="ae")).intents) == ["AAPL"]


def test_release_closes_an_open_breaker_and_forgets_failures_in_a_row() -> None:
    """B5: manual reset, before a probe or a quarantine decided; it outlasts the process."""
    made = bench()
    *_, last = [fail(made, index, "e") for index in range(3)]
    released = made.deliver(ReleaseStrategy(strategy="e"))
    (event,) = released.events(AuditKind.BREAKER)
    assert (event.decision, event.body["before"], event.body["after"]) == (False, "open", "closed")
    for each in (made, made.reborn(last.snapshot, released.between)):
        state = each.manager.state()
        assert (state["breakers"]["e"], state["failures"]["consecutive"]) == ("closed", {})
        assert state["failures"]["totals"] == {"e": 3}
    again = made.reborn(last.snapshot, released.between)
    assert changes(fail(again, 3, "e")) == []


def test_release_before_the_breaker_opened_forgets_what_it_counted() -> None:
    made = bench()
    for index in (0, 1):
        fail(made, index, "e")
    assert made.deliver(ReleaseStrategy(strategy="e")).events(AuditKind.BREAKER) == []
    for index in (2, 3):
        assert changes(fail(made, index, "e")) == []
    assert changes(fail(made, 4, "e")) == [("e", "closed", "open")]


def test_release_of_a_strategy_that_is_not_out_changes_nothing() -> None:
    made = bench()
    assert made.deliver(ReleaseStrategy(strategy="e"), ReleaseStrategy(strategy="stranger")).records == ()


@pytest.mark.parametrize(("out", "halts"), [("ab", 0), ("abc", 1), ("abcd", 1)])
def test_half_of_the_strategies_quarantined_halt(out: str, halts: int) -> None:
    """B1: of five, three."""
    made = bench()
    *_, last = [fail(made, index, *out) for index in range(7)]
    told = [halt for halt in last.halts if halt.trigger is HaltTrigger.STRATEGIES_QUARANTINED]
    assert len(told) == halts
    assert (last.approved.rung is Rung.HALTED) == bool(halts)
    if halts:
        assert told[0].detail.startswith(f"{len(out)} of 5 strategies are quarantined: {', '.join(out)}")


def test_without_terms_no_strategy_is_ever_left_out() -> None:
    made = Bench(settings(books=[FIVE]), PATIENT)
    rounds = [fail(made, index, "e") for index in range(9)]
    assert [changes(each) for each in rounds] == [[]] * 9
    assert made.manager.state()["breakers"] == {}


@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(3, 25), data=st.data())
def test_manager_rebuilt_at_any_bar_keeps_its_breakers(seed: int, bars: int, data: st.DataObject) -> None:
    """And the bar of the snapshot, decided again, leaves out whom it had left out."""
    rng = random.Random(seed)
    drawn = history(rng, bars)
    for bar in drawn:
        bar["failed"] = {name: list(bar["prices"]) for name in "abc" if rng.random() < 0.6}
    at = data.draw(st.integers(1, bars - 1))
    made = settings(breakers=terms(timeout_days=1.0))
    straight, stopped = Bench(made, PATIENT), Bench(made, PATIENT)
    rounds: list[Round] = []
    for index, bar in enumerate(drawn):
        if index == at:
            decided = rounds[-1].snapshot
            stopped = stopped.reborn(decided)
            stopped.fills = False
            again = stopped.bar(index - 1, **drawn[index - 1])
            assert again.records == ()
            refs = {approval.intent.intent_id for approval in again.approved.approvals}
            assert refs <= set(decided.values["approved"])
            stopped.fills = True
        wanted = straight.bar(index, **bar)
        rounds.append(stopped.bar(index, **bar))
        same(rounds[-1], wanted)
    assert state(stopped) == state(straight)
