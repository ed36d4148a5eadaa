"""Agreement trades and failures do not: from votes made by hand to orders at the venue, through the whole engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.outbox import AuditKind
from domain.records import IntentKind, OrderState
from tests.scenario.hand_made import FAIL, Prices, Votes, run

BUY, SELL = (1, 0.9), (-1, 0.9)
FLAT: Prices = {"AAPL": [100.0] * 6, "XOM": [50.0] * 6}


def both(symbol: str, bars: dict[int, tuple[int, float] | str]) -> Votes:
    return {"a": {symbol: bars}, "b": {symbol: bars}, "c": {}}


@pytest.mark.parametrize(
    ("votes", "refs"),
    [
        ({"a": {"AAPL": {1: BUY}}, "b": {}, "c": {}}, []),  # one vote
        ({"a": {"AAPL": {1: BUY}}, "b": {"AAPL": {2: BUY}}, "c": {}}, []),  # not at the same bar
        ({"a": {"AAPL": {1: BUY}}, "b": {"XOM": {1: BUY}}, "c": {}}, []),  # not on the same symbol
        ({"a": {"AAPL": {1: BUY}}, "b": {"AAPL": {1: SELL}}, "c": {}}, []),
        (both("AAPL", {1: BUY}), ["1.main.AAPL.1.1", "1.main.AAPL.1.1.stop"]),
        (
            {"a": {"AAPL": {1: BUY}}, "b": {"AAPL": {1: BUY}}, "c": {"AAPL": {1: SELL}}},
            ["1.main.AAPL.1.1", "1.main.AAPL.1.1.stop"],
        ),
        (
            {
                **both("AAPL", {1: BUY}),
                "c": {"AAPL": {1: SELL}},
                "d": {"AAPL": {1: SELL}},
            },
            [],  # two against two
        ),
    ],
)
def test_trade_needs_two_votes_on_the_same_symbol_and_bar(
    tmp_path: Path, votes: Votes, refs: list[str]
) -> None:
    """A3."""
    assert run(tmp_path, FLAT, votes).refs == refs


def test_entry_fills_at_the_next_open_with_its_stop_and_two_opposite_votes_exit(tmp_path: Path) -> None:
    prices: Prices = {
        "AAPL": [100.0, 100.0, (101.0, 102.0, 100.0, 101.5), 102.0, (103.0, 103.0, 103.0, 103.0), 103.0]
    }
    votes: Votes = {
        "a": {"AAPL": {1: BUY, 3: SELL}},
        "b": {"AAPL": {1: BUY, 2: SELL, 3: SELL}},
        "c": {},
    }
    ran = run(tmp_path, prices, votes)
    assert ran.refs == ["1.main.AAPL.1.1", "1.main.AAPL.1.1.stop", "1.main.AAPL.3.1"]
    assert [(e.kind.value, e.bar, e.execution.price) for e in ran.executions] == [
        ("entry", 2, 101.0),
        ("exit", 4, 103.0),
    ]
    entry, exit_ = ran.order("1.main.AAPL.1.1"), ran.order("1.main.AAPL.3.1")
    assert (entry.kind, exit_.kind) == (IntentKind.ENTRY, IntentKind.EXIT)
    assert entry.lots == exit_.lots == 42  # 4,250 at $100, sized at the mark of bar 1
    assert ran.order("1.main.AAPL.1.1.stop").state is OrderState.CANCELED
    assert ran.equity[-1].equity == 100_000.0 + 42 * 2.0


def test_failed_strategy_keeps_orders_from_its_symbol_while_others_trade(tmp_path: Path) -> None:
    """A2."""
    votes: Votes = {
        "a": {"AAPL": {1: BUY}, "XOM": {1: BUY}},
        "b": {"AAPL": {1: BUY}, "XOM": {1: BUY}},
        "c": {"AAPL": {1: FAIL}},
    }
    ran = run(tmp_path, FLAT, votes)
    assert ran.refs == ["1.main.XOM.1.1", "1.main.XOM.1.1.stop"]
    (failure,) = [r for r in ran.audit if r.kind == AuditKind.SIGNAL_FAILURE.value and r.decision]
    assert (failure.bar, failure.key, failure.body["kind"]) == (1, "c.AAPL", "not_finite")
    (held,) = [r for r in ran.audit if r.kind == AuditKind.VOTE.value]
    assert (held.key, held.body["held"]) == ("main.AAPL", "c failed: no order from this bar")
    assert ran.halts == []


def test_stop_works_while_every_strategy_fails(tmp_path: Path) -> None:
    """A2: the stop rests at the venue; it needs no strategy. The drop to 96 gaps through 97."""
    prices: Prices = {"AAPL": [100.0, 100.0, 100.0, (96.0, 96.0, 95.0, 95.0), 95.0], "XOM": [50.0] * 5}
    votes: Votes = {
        "a": {"AAPL": {1: BUY, 2: FAIL, 3: FAIL}},
        "b": {"AAPL": {1: BUY, 2: FAIL, 3: FAIL}},
    }
    ran = run(tmp_path, prices, votes)
    assert [(e.kind.value, e.bar, e.execution.price) for e in ran.executions] == [
        ("entry", 2, 100.0),
        ("stop", 3, 96.0),
    ]
    assert ran.states["risk"]["positions"] == {}


def test_books_trade_apart_and_the_independent_rule_takes_one_vote(tmp_path: Path) -> None:
    books = [
        {
            "id": "voting",
            "share": 0.5,
            "rule": "vote",
            "min_votes": 2,
            "allow_short": False,
            "strategies": ["a", "b"],
        },
        {
            "id": "alone",
            "share": 0.5,
            "rule": "independent",
            "min_votes": 1,
            "allow_short": True,
            "strategies": ["c"],
        },
    ]
    votes: Votes = {
        "a": {"AAPL": {1: BUY}},
        "b": {"AAPL": {1: BUY}},
        "c": {"XOM": {1: SELL}, "AAPL": {1: BUY}},
    }
    ran = run(tmp_path, FLAT, votes, books=books)
    assert [ref for ref in ran.refs if not ref.endswith(".stop")] == [
        "1.alone.AAPL.1.1",
        "1.alone.XOM.1.1",
        "1.voting.AAPL.1.1",
    ]
    assert ran.order("1.alone.XOM.1.1").side.value == "sell"
    assert ran.states["risk"]["positions"] == {"AAPL": 84, "XOM": -85}


@pytest.mark.parametrize(("price", "lots"), [(1.0, 4_250), (100.0, 42), (1_000.0, 4)])
def test_orders_are_sized_and_exposure_counted_at_real_prices(
    tmp_path: Path, price: float, lots: int
) -> None:
    """A4: at $1, $100 and $1,000 a share."""
    ran = run(tmp_path, {"AAPL": [price] * 4}, both("AAPL", {1: BUY}))
    assert ran.order("1.main.AAPL.1.1").lots == lots
    assert ran.equity[-1].gross_exposure == pytest.approx(lots * price / 100_000.0)
    assert ran.equity[-1].heat == pytest.approx(lots * price * 0.03 / 100_000.0)


def test_symbol_without_a_bar_is_not_traded_at_that_moment(tmp_path: Path) -> None:
    prices: Prices = {"AAPL": [100.0, None, 100.0, 100.0], "XOM": [50.0] * 4}
    ran = run(tmp_path, prices, both("AAPL", {1: BUY}))
    assert ran.refs == []


def test_two_runs_decide_the_same(tmp_path: Path) -> None:
    votes = both("AAPL", {1: BUY, 3: SELL})
    first, second = (run(tmp_path / name, FLAT, votes) for name in ("first", "second"))
    assert (first.orders, first.executions, first.equity) == (second.orders, second.executions, second.equity)
    assert [(r.kind, r.key, r.body) for r in first.audit if r.decision] == [
        (r.kind, r.key, r.body) for r in second.audit if r.decision
    ]
