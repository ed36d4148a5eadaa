"""One working order a book and symbol, intents in order, sizes at real prices (requirements A2 to A4)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker import OrderType, Side, TimeInForce
from domain.halt_messages import LatchChanged
from domain.messages import BarsPublished
from domain.outbox import AuditKind
from domain.records import HaltTrigger, IntentKind, Rung
from tests.money import LIMITS, coin, stock
from tests.unit.domain.risk.bench import (
    BUY,
    MAIN,
    SELL,
    Bench,
    all_say,
    batch,
    group,
    settings,
    side_lots,
)

SYMBOLS = ("AAPL", "BRK.B", "XOM")


def two_books(**changes: Any) -> Bench:
    """Return a bench of two books, not named in order, over three stocks of different sectors."""
    books = [
        MAIN._replace(name="zeta", share=0.5, strategies=("a", "b")),
        MAIN._replace(name="alpha", share=0.5, strategies=("c", "d")),
    ]
    return Bench(settings(books=books, instruments=[stock(symbol) for symbol in SYMBOLS], **changes))


def test_intents_leave_in_order_of_book_and_symbol_with_ids_that_say_what_they_are() -> None:
    bench = two_books(session_number=7)
    said = {n: dict.fromkeys(SYMBOLS, BUY) for n in "abcd"}
    bench.bar(0, {"AAPL": 100.0})
    round_ = bench.bar(1, dict.fromkeys(SYMBOLS, 100.0), said)
    assert [approval.intent.intent_id for approval in round_.approved.approvals] == [
        f"7.{book}.{symbol}.1.1" for book in ("alpha", "zeta") for symbol in SYMBOLS
    ]


@pytest.mark.parametrize(
    ("opening", "order_type", "time_in_force"),
    [
        (True, OrderType.MARKET_ON_OPEN, TimeInForce.OPENING),
        (False, OrderType.MARKET, TimeInForce.DAY),
    ],
)
def test_entry_carries_its_stop_and_the_exit_only_reduces(
    opening: bool, order_type: OrderType, time_in_force: TimeInForce
) -> None:
    bench = Bench(settings(opening_orders=opening))
    entry = bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    assert (entry.kind, entry.side, entry.stop_loss_pct) == (IntentKind.ENTRY, Side.BUY, 0.03)
    assert (entry.order_type, entry.time_in_force) == (order_type, time_in_force)
    exit_ = bench.bar(1, {"AAPL": 100.0}, all_say(SELL)).intents["AAPL"]
    assert (exit_.kind, side_lots(exit_), exit_.stop_loss_pct) == (IntentKind.EXIT, -entry.lots, 0.0)
    assert (exit_.order_type, exit_.time_in_force) == (order_type, time_in_force)


@pytest.mark.parametrize(
    ("price", "lots"),
    [
        (1.0, 4_250),  # confidence 0.9: 2,000 + 3/4 x 3,000
        (100.0, 42),
        (1_000.0, 4),
        (4_250.0, 1),
    ],
)
def test_exposure_is_quantity_times_the_real_price(price: float, lots: int) -> None:
    """A4: correct at $1, $100, $1,000 a share, and each computed value is recorded."""
    bench = Bench()
    round_ = bench.bar(0, {"AAPL": price}, all_say(BUY))
    intent = round_.intents["AAPL"]
    assert (intent.lots, intent.reference_price) == (lots, price)
    (event,) = round_.events(AuditKind.ASSESSMENT)
    assert event.body["figures"]["value_usd"] == lots * price
    assert event.body["figures"]["gross_after_usd"] == lots * price
    assert event.body["sizing"]["size_usd"] == pytest.approx(4_250.0)
    bench.bar(1, {"AAPL": price})
    assert bench.manager.state()["gross_exposure"] == pytest.approx(lots * price / 100_000.0)


def test_fraction_of_a_coin_is_sized_in_its_lots() -> None:
    bench = Bench(settings(instruments=[coin()]))
    intent = bench.bar(0, {"BTC/USD": 60_000.0}, all_say(BUY, "BTC/USD")).intents["BTC/USD"]
    assert intent.lots == 7_083_333  # 4,250 / 60,000 of 100,000,000 lots a coin


def test_exit_that_was_refused_comes_again_at_each_bar_until_it_works() -> None:
    """The gate was closed when the votes came, and they come once: the position must not stay for want of another."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.gate_open = False
    first = bench.bar(1, {"AAPL": 100.0}, all_say(SELL)).intents["AAPL"]
    second = bench.bar(2, {"AAPL": 99.0})
    again = second.intents["AAPL"]
    assert (again.kind, side_lots(again), again.reference_price) == (IntentKind.EXIT, side_lots(first), 99.0)
    assert (first.intent_id, again.intent_id) == ("1.main.AAPL.1.1", "1.main.AAPL.2.1")
    bench = bench.reborn(second.snapshot)
    assert set(bench.bar(3, {"AAPL": 99.0}).intents) == {"AAPL"}, "the journal tells a restarted manager"
    assert bench.bar(4, {"AAPL": 99.0}).intents == {}, "it works: filled at this bar"
    assert bench.manager.state()["positions"] == {}
    assert bench.bar(5, {"AAPL": 99.0}).intents == {}


def test_refused_exit_waits_while_a_strategy_fails_on_its_symbol() -> None:
    """No order for a symbol is made from a bar on which a strategy that votes on it failed (A2)."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.gate_open = False
    bench.bar(1, {"AAPL": 100.0}, all_say(SELL))
    assert bench.bar(2, {"AAPL": 99.0}, failed={"a": ["AAPL"]}).intents == {}
    assert set(bench.bar(3, {"AAPL": 99.0}).intents) == {"AAPL"}


def test_refused_entry_is_not_made_again() -> None:
    """Signals and intents expire: an entry missed costs a trade, and nothing is at risk."""
    bench = Bench()
    bench.gate_open = False
    assert set(bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents) == {"AAPL"}
    assert bench.bar(1, {"AAPL": 100.0}).intents == {}


def test_refused_exit_is_forgotten_with_the_next_order() -> None:
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.gate_open = False
    bench.bar(1, {"AAPL": 100.0}, all_say(SELL))
    bench.gate_open = True
    bench.bar(2, {"AAPL": 100.0})
    bench.bar(3, {"AAPL": 100.0}, all_say(BUY))
    assert bench.bar(4, {"AAPL": 100.0}).intents == {}
    assert bench.manager.state()["positions"] == {"AAPL": 42}
    assert bench.bar(5, {"AAPL": 100.0}).intents == {}


def test_size_that_buys_no_lot_is_refused() -> None:
    bench = Bench()
    round_ = bench.bar(0, {"AAPL": 4_251.0}, all_say(BUY))
    assert round_.approved.approvals == ()
    assert round_.denials == ["size_below_one_lot: 4250.00 buys no lot at 4251.0"]
    assert bench.manager.state()["refused"] == {"size_below_one_lot": 1}


def test_weak_votes_are_refused_by_their_confidence() -> None:
    """A7: minimum 0.6."""
    round_ = Bench().bar(0, {"AAPL": 100.0}, all_say((1, 0.59)))
    (why,) = round_.denials
    assert why.startswith("size_low_confidence: confidence 0.590")


def test_order_minimum_never_stops_an_exit() -> None:
    """A4: 42 shares at $2 are $84, below the minimum of $100; leaving is never too small."""
    bench = Bench(settings(limits=LIMITS._replace(max_daily_loss=1.0, halt_daily_loss=1.0)))
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0})
    round_ = bench.bar(2, {"AAPL": 2.0}, all_say(SELL))
    assert round_.intents["AAPL"].lots == 42
    (event,) = round_.events(AuditKind.ASSESSMENT)
    assert event.body["figures"]["value_usd"] == 84.0


def test_order_below_the_minimum_is_denied_by_its_real_value() -> None:
    """A4: the size of $500 buys one share at $300, worth less than a minimum of $400."""
    limits = LIMITS._replace(
        position_size_base_usd=500.0, position_size_max_usd=500.0, order_value_min_usd=400.0
    )
    round_ = Bench(settings(limits=limits)).bar(0, {"AAPL": 300.0}, all_say(BUY))
    assert round_.denials == [
        "order_value_below_minimum: order value $300.00 is below the minimum of $400.00"
    ]


def test_symbol_without_a_bar_gets_no_order() -> None:
    """A4: no fresh price, no order, whatever is said of it."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0, "XOM": 50.0})
    round_ = bench.bar(1, {"XOM": 50.0}, all_say(BUY))
    assert round_.approved.approvals == ()


def test_failed_strategy_keeps_orders_from_its_symbol_alone_and_says_why() -> None:
    """A2."""
    bench = Bench()
    said = {n: {"AAPL": BUY, "XOM": BUY} for n in "ab"}
    round_ = bench.bar(0, {"AAPL": 100.0, "XOM": 50.0}, said, {"c": ["AAPL"]})
    assert list(round_.intents) == ["XOM"]
    (held,) = round_.events(AuditKind.VOTE)
    assert (held.key, held.body["held"]) == ("main.AAPL", "c failed: no order from this bar")
    (failure,) = round_.events(AuditKind.SIGNAL_FAILURE)
    assert (failure.key, failure.body) == ("c.AAPL", {"kind": "raised", "error": "boom"})


def test_traceback_is_recorded_beside_the_decision() -> None:
    """A2: traceback in the log; it names files of one machine, so two runs may differ in it."""
    bench = Bench()
    today = group(0, {"AAPL": 1.0})
    broken = batch(0, "c", failed=["AAPL"], evaluated=1)
    words = "ValueError: <object object at 0x7f14>"
    broken = broken._replace(failures=(broken.failures[0]._replace(error=words, traceback="File ..."),))
    round_ = bench.deliver(
        BarsPublished(group=today), bench.trade(today), batch(0, "a"), batch(0, "b"), broken
    )
    assert [(e.decision, e.body) for e in round_.events(AuditKind.SIGNAL_FAILURE)] == [
        (True, {"kind": "raised", "error": "ValueError"}),
        (False, {"error": words, "traceback": "File ..."}),
    ]


def test_order_that_works_is_not_doubled() -> None:
    """At most one working order a book and symbol: target - position - working."""
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.fills = False
    for index in (1, 2):
        round_ = bench.bar(index, {"AAPL": 100.0}, all_say(BUY))
        assert (round_.approved.approvals, round_.approved.cancels) == ((), ())


def test_exit_that_works_is_not_doubled_nor_cancelled() -> None:
    bench = Bench()
    bench.bar(0, {"AAPL": 100.0}, all_say(BUY))
    bench.bar(1, {"AAPL": 100.0}, all_say(SELL))
    bench.fills = False
    for vote in (SELL, BUY):
        round_ = bench.bar(2 if vote is SELL else 3, {"AAPL": 100.0}, all_say(vote))
        assert (round_.approved.approvals, round_.approved.cancels) == ((), ())


def test_exit_wanted_while_the_entry_is_partly_filled_cancels_the_entry_first() -> None:
    bench = Bench()
    entry = bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    bench.fills = False
    bench.deliver(bench.fill_part(entry, 100.0, 10))
    first = bench.bar(1, {"AAPL": 100.0}, all_say(SELL))
    assert (first.approved.cancels, first.approved.approvals) == ((entry.intent_id,), ())
    second = bench.bar(2, {"AAPL": 100.0}, all_say(SELL))
    assert (second.approved.cancels, side_lots(second.intents["AAPL"])) == ((), -10)


def test_halt_and_exit_cancel_an_entry_once() -> None:
    bench = Bench()
    entry = bench.bar(0, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    bench.fills = False
    bench.deliver(bench.fill_part(entry, 100.0, 10))
    bench.deliver(
        LatchChanged(rung=Rung.HALTED, lowers=False, version=1, active=(HaltTrigger.TECHNICAL_FAILURE,))
    )
    round_ = bench.bar(1, {"AAPL": 100.0}, all_say(SELL), session=1)
    assert round_.approved.cancels == (entry.intent_id,)


def test_working_entry_counts_as_filled_for_those_after_it() -> None:
    """Two entries of one bar must not share the same room: the second sees the first's exposure."""
    limits = LIMITS._replace(
        max_symbol_exposure=1.0, max_sector_exposure=0.05, max_gross_exposure=0.05, max_net_exposure=0.05
    )
    round_ = Bench(settings(limits=limits)).bar(
        0, {"AAPL": 100.0, "XOM": 50.0}, {n: {"AAPL": BUY, "XOM": BUY} for n in "abc"}
    )
    assert list(round_.intents) == ["AAPL"]
    (why,) = round_.denials
    assert why.startswith("gross_exposure")


def test_book_spends_its_share_alone() -> None:
    """A book's room is its share of equity less what it holds; another book's share stays its own."""
    books = [
        MAIN._replace(name="big", share=0.97, strategies=("a", "b")),
        MAIN._replace(name="small", share=0.03, strategies=("c", "d")),
    ]
    bench = Bench(settings(books=books))
    round_ = bench.bar(0, {"AAPL": 100.0}, all_say((1, 1.0), names="abcd"))
    assert {a.intent.book: a.intent.lots for a in round_.approved.approvals} == {"big": 50, "small": 30}


def test_short_book_sells_and_buys_back() -> None:
    book = MAIN._replace(allow_short=True)
    bench = Bench(settings(books=[book]))
    sold = bench.bar(0, {"AAPL": 100.0}, all_say(SELL)).intents["AAPL"]
    assert (sold.kind, sold.side) == (IntentKind.ENTRY, Side.SELL)
    bought = bench.bar(1, {"AAPL": 100.0}, all_say(BUY)).intents["AAPL"]
    assert (bought.kind, side_lots(bought)) == (IntentKind.EXIT, sold.lots)


def test_signals_are_recorded_by_strategy() -> None:
    round_ = Bench().bar(
        0, {"AAPL": 100.0}, {"b": {"AAPL": BUY}, "a": {"AAPL": SELL}, "c": {"AAPL": (0, 0.0)}}
    )
    (event,) = round_.events(AuditKind.SIGNALS)
    assert event.body == {"a": (("AAPL", -1, 0.9),), "b": (("AAPL", 1, 0.9),)}
    assert Bench().bar(0, {"AAPL": 100.0}).events(AuditKind.SIGNALS) == []


@given(seed=st.integers(0, 2**32 - 1))
def test_no_book_ever_has_two_working_orders_on_a_symbol_and_exits_never_flip(seed: int) -> None:
    """Whatever is said, filled, filled in part or not at all."""
    rng = random.Random(seed)
    bench = two_books()
    price = dict.fromkeys(SYMBOLS, 100.0)
    for index in range(12):
        price = {s: p * (1 + rng.gauss(0.0, 0.01)) for s, p in price.items()}
        said = {n: {s: (rng.choice((-1, 1)), rng.choice((0.5, 0.7, 1.0))) for s in SYMBOLS} for n in "abcd"}
        bench.fills = rng.random() < 0.5
        round_ = bench.bar(index, {s: p for s, p in price.items() if rng.random() < 0.9}, said)
        working = [(intent.book, intent.symbol) for intent in bench.resting.values()]
        assert len(working) == len(set(working))
        held = bench.manager._books.portfolio
        for approval in round_.approved.approvals:
            intent = approval.intent
            position = held.book_lots(intent.book, intent.symbol)
            assert position == 0 if intent.kind is IntentKind.ENTRY else side_lots(intent) == -position
        for ref, intent in list(bench.resting.items()):
            if intent.kind is IntentKind.ENTRY and rng.random() < 0.2 and intent.lots > 1:
                part = rng.randrange(1, intent.lots)
                bench.deliver(bench.fill_part(intent, price[intent.symbol], part))
                bench.fills = False
                del bench.resting[ref]
