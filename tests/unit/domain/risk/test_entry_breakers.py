"""Data, or a risk calculation, that fail bar after bar keep entries out; exits and stops go on (B6)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breakers import BreakerTerms
from domain.errors import Busy
from domain.outbox import AuditKind
from domain.records import HaltTrigger
from domain.risk.entry_breakers import CALCULATION, DATA
from tests.unit.domain.risk.bench import BUY, DAY_NS, SELL, Bench, Price, Round, settings

DAY_S = DAY_NS / 1e9
PRICES: dict[str, Price] = {"AAPL": 100.0, "XOM": 50.0}
NOBODY: dict[str, Price] = {}
ALL_BUY = {name: {"AAPL": BUY} for name in "abc"}
ALL_SELL = {name: {"AAPL": SELL} for name in "abc"}


def bench(failures: int = 3, timeout_days: float = 2.0, successes: int = 2) -> Bench:
    terms = BreakerTerms(failures, timeout_days * DAY_S, successes)
    return Bench(settings(entry_breakers={DATA: terms, CALCULATION: terms}))


def stands(made: Bench) -> dict[str, str]:
    return dict(made.manager.state()["entry_breakers"])


def changes(round_: Round) -> list[tuple[str, str, str]]:
    return [(e.key, e.body["before"], e.body["after"]) for e in round_.events(AuditKind.BREAKER)]


def codes(round_: Round) -> list[str]:
    return [why.partition(":")[0] for why in round_.denials]


class Broken:
    """Stand for a portfolio whose value cannot be worked out, or is `equity`."""

    def __init__(self, made: Bench, equity: float | None = None) -> None:
        self._real, self._equity, self.broken = made.manager._books.portfolio, equity, True
        made.manager._books.portfolio = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def equity(self, prices: Any) -> float:
        if self.broken and self._equity is None:
            raise Busy("the venue's rates are late")
        return self._equity if self.broken and self._equity is not None else self._real.equity(prices)


# --- data -------------------------------------------------------------------------------------------------------------


def test_third_group_without_a_good_bar_opens_the_datas_breaker_and_good_data_make_no_entry() -> None:
    made = bench()
    made.bar(0, PRICES)
    for index in (1, 2):
        assert changes(made.bar(index, NOBODY)) == []
    opened = made.bar(3, NOBODY)
    assert changes(opened) == [(DATA, "closed", "open")]
    (event,) = opened.events(AuditKind.BREAKER)
    assert (event.bar, event.decision) == (3, True)
    assert event.body["cause"] == "3 bars in a row failed: every bar was refused"
    after = made.bar(4, PRICES, ALL_BUY)
    assert (after.intents, codes(after)) == ({}, ["data_breaker"])
    assert stands(made) == {DATA: "open", CALCULATION: "closed"}
    assert made.manager.state()["refused"]["data_breaker"] == 1


def test_good_group_between_bad_ones_begins_the_count_anew() -> None:
    made = bench()
    for index in range(9):
        made.bar(index, PRICES if index % 3 == 2 else NOBODY)
    assert stands(made)[DATA] == "closed"


def test_exit_goes_on_while_the_datas_breaker_is_open() -> None:
    made = bench()
    made.bar(0, PRICES, ALL_BUY)
    made.bar(1, PRICES)
    for index in (2, 3, 4):
        made.bar(index, NOBODY)
    assert stands(made)[DATA] == "open"
    assert list(made.bar(5, PRICES, ALL_SELL).intents) == ["AAPL"]


def test_probe_makes_no_entry_and_the_bar_after_the_second_does() -> None:
    """B6: half-open probes never place an order."""
    made = bench()
    for index in range(3):
        made.bar(index, NOBODY)
    assert codes(made.bar(3, PRICES, ALL_BUY)) == ["data_breaker"]
    probe = made.bar(4, PRICES, ALL_BUY)
    assert (changes(probe), codes(probe)) == ([(DATA, "open", "half_open")], ["data_breaker"])
    last = made.bar(5, PRICES, ALL_BUY)
    assert (changes(last), codes(last)) == ([(DATA, "half_open", "closed")], ["data_breaker"])
    assert list(made.bar(6, PRICES, ALL_BUY).intents) == ["AAPL"]


def test_bad_group_as_a_probe_opens_it_again() -> None:
    made = bench(timeout_days=1.0)
    for index in range(3):
        made.bar(index, NOBODY)
    assert changes(made.bar(3, NOBODY)) == [(DATA, "open", "half_open"), (DATA, "half_open", "open")]


# --- the calculation --------------------------------------------------------------------------------------------------


def test_calculation_that_fails_costs_the_bars_entries_and_at_the_third_opens_its_breaker() -> None:
    made = bench()
    made.bar(0, PRICES)
    before = made.manager.state()["equity"]
    broken = Broken(made)
    for index in (1, 2):
        failed = made.bar(index, PRICES, ALL_BUY)
        assert (codes(failed), changes(failed)) == (["risk_failed"], [])
    opened = made.bar(3, PRICES, ALL_BUY)
    assert (codes(opened), changes(opened)) == (["risk_breaker"], [(CALCULATION, "closed", "open")])
    assert "Busy: the venue's rates are late" in opened.events(AuditKind.BREAKER)[0].body["cause"]
    assert made.manager.state()["equity"] == before, "what was known last"
    broken.broken = False
    assert codes(made.bar(4, PRICES, ALL_BUY)) == ["risk_breaker"]
    sized = made.bar(5, PRICES, ALL_BUY)
    assert (codes(sized), changes(sized)) == (["risk_breaker"], [(CALCULATION, "open", "half_open")])
    assert sized.events(AuditKind.ASSESSMENT)[0].body["sizing"] is not None, "a probe works the entry out"
    made.bar(6, PRICES)
    assert list(made.bar(7, PRICES, ALL_BUY).intents) == ["AAPL"]


@pytest.mark.parametrize("equity", [math.nan, math.inf])
def test_figure_that_is_not_finite_is_a_failure_besides_the_halt_it_calls_for(equity: float) -> None:
    made = bench(failures=1)
    made.bar(0, PRICES)
    Broken(made, equity)
    round_ = made.bar(1, PRICES)
    assert stands(made)[CALCULATION] == "open"
    assert HaltTrigger.DRAWDOWN_SEVERE in {halt.trigger for halt in round_.halts}


def test_exit_goes_on_while_the_calculation_fails() -> None:
    made = bench(failures=1)
    made.bar(0, PRICES, ALL_BUY)
    made.bar(1, PRICES)
    Broken(made)
    assert list(made.bar(2, PRICES, ALL_SELL).intents) == ["AAPL"]
    assert stands(made)[CALCULATION] == "open"


@pytest.mark.parametrize("what", ["raises", "infinite"])
def test_entry_that_cannot_be_worked_out_costs_that_entry_and_counts_once_a_bar(what: str) -> None:
    made = bench(failures=2)
    real = made.manager._books.account.room

    def room(book: Any, symbol: str, view: Any, marks: Any) -> Any:
        if symbol == "XOM":
            return real(book, symbol, view, marks)
        if what == "raises":
            raise Busy("no rate")
        return real(book, symbol, view, marks).__class__(free_capital=math.inf, symbol_room=1.0, heat=0.0)

    made.manager._books.account.room = room  # type: ignore[method-assign]
    both = {name: {"AAPL": BUY, "XOM": BUY} for name in "abc"}
    first = made.bar(0, PRICES, both)
    assert (list(first.intents), codes(first)) == (["XOM"], ["risk_failed"])
    assert changes(made.bar(1, PRICES, ALL_BUY)) == [(CALCULATION, "closed", "open")]


# --- always -----------------------------------------------------------------------------------------------------------


def test_healthy_run_keeps_and_records_nothing_of_them() -> None:
    made = bench()
    rounds = [made.bar(index, PRICES, ALL_BUY) for index in range(5)]
    assert [changes(each) for each in rounds] == [[]] * 5
    assert rounds[-1].snapshot.values["entry_breakers"] == {}


def test_without_terms_there_are_none_and_entries_are_made() -> None:
    made = Bench()
    for index in range(5):
        made.bar(index, NOBODY)
    assert stands(made) == {}
    assert list(made.bar(5, PRICES, ALL_BUY).intents) == ["AAPL"]


@given(good=st.lists(st.booleans(), min_size=2, max_size=12), data=st.data())
def test_manager_rebuilt_at_any_bar_keeps_them(good: list[bool], data: st.DataObject) -> None:
    """Also where the bar of the snapshot comes again: it approves what it had approved, and counts nothing twice."""
    at = data.draw(st.integers(0, len(good) - 1))
    straight, broken = (bench(failures=2, timeout_days=1.0) for _ in range(2))
    for index, is_good in enumerate(good):
        prices = PRICES if is_good else NOBODY
        expected = straight.bar(index, prices, ALL_BUY)
        found = broken.bar(index, prices, ALL_BUY)
        if index == at:
            lost = {intent.intent_id for intent in found.intents.values()}  # the gateway never got them
            broken.entries = [each for each in broken.entries if getattr(each, "order_ref", "") not in lost]
            broken.resting = {ref: each for ref, each in broken.resting.items() if ref not in lost}
            broken = broken.reborn(found.snapshot)
            again = broken.bar(index, prices, ALL_BUY)
            assert (again.intents, again.records) == (found.intents, ())
        assert changes(found) == changes(expected)
        assert found.intents == expected.intents
        assert json.dumps(stands(broken)) == json.dumps(stands(straight))
