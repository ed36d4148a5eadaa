"""The account is seen at its marks, working entries as if filled, working exits never counted on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from domain.broker import OrderType, Side, TimeInForce
from domain.marks import Marks
from domain.messages import OrderIntent
from domain.portfolio import Portfolio
from domain.records import IntentKind
from domain.risk.account import Account, Day
from domain.risk.figures import ProposedOrder
from domain.risk.limits import AccountTerms
from domain.working_orders import WorkingOrders
from tests.money import LIMITS, executed, stock
from tests.unit.domain.risk.bench import MAIN

DAY = Day(session=1, start_equity=99_000.0, peak_equity=101_000.0, equity=100_000.0)
MARKS = Marks({"AAPL": (110.0, 7), "XOM": (50.0, 4)})


def intent(symbol: str, lots: int, kind: IntentKind = IntentKind.ENTRY, book: str = "main") -> OrderIntent:
    return OrderIntent(
        intent_id=f"1.{book}.{symbol}.7.1",
        at_ns=0,
        bar=7,
        book=book,
        symbol=symbol,
        kind=kind,
        side=Side.BUY if lots > 0 else Side.SELL,
        lots=abs(lots),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        reference_price=MARKS.prices.get(symbol, 1.0),
        stop_loss_pct=0.03,
        reason="",
    )


def account(*working: OrderIntent, held: int = 100, leverage: float = 1.0) -> Account:
    """Return an account of $100,000 that bought `held` AAPL at $100 in book main, with orders working."""
    instruments = {symbol: stock(symbol) for symbol in ("AAPL", "IBM", "XOM")}
    portfolio = Portfolio(instruments.values(), {"USD": 100_000_000_000}, "USD")
    if held:
        portfolio.apply(executed(held, 100.0, seq=1))
    orders = WorkingOrders()
    for each in working:
        orders.approve(each)
    terms = AccountTerms(
        leverage=leverage, shares={"main": 1.0}, max_order_lots=dict.fromkeys(instruments, 1_000)
    )
    return Account(portfolio, orders, instruments, LIMITS, terms)


def test_positions_are_valued_at_their_marks() -> None:
    """A4: quantity x actual price."""
    (held,) = account().held(MARKS)
    assert (held.book, held.symbol, held.value_usd, held.stop_pct) == ("main", "AAPL", 11_000.0, 0.03)


def test_working_entries_count_as_filled_and_exits_do_not() -> None:
    working = (intent("XOM", 10), intent("AAPL", -100, IntentKind.EXIT))
    seen = account(*working).as_if_filled(MARKS)
    assert [(each.symbol, each.value_usd) for each in seen] == [("AAPL", 11_000.0), ("XOM", 500.0)]


def test_view_is_the_day_and_the_positions() -> None:
    view = account().view(DAY, MARKS)
    assert (view.equity, view.day_start_equity, view.peak_equity) == (100_000.0, 99_000.0, 101_000.0)


@pytest.mark.parametrize(("symbol", "age"), [("AAPL", 2), ("XOM", 5), ("IBM", -1)])
def test_age_of_a_mark_counts_bars(symbol: str, age: int) -> None:
    assert MARKS.age_bars(symbol, 9) == age


@pytest.mark.parametrize(
    ("working", "share", "leverage", "capital", "symbol_room"),
    [
        ((), 1.0, 1.0, 89_000.0, 0.0),  # 11,000 of AAPL held: over the 10 % for one symbol
        ((), 0.5, 1.0, 39_000.0, 0.0),  # the book's share binds
        ((), 0.1, 1.0, 0.0, 0.0),
        ((intent("XOM", 100),), 1.0, 1.0, 84_000.0, 0.0),  # a working entry takes room and cash
        ((), 1.0, 2.0, 189_000.0, 0.0),  # and leverage widens both
    ],
)
def test_room_is_what_share_cash_and_symbol_limit_leave(
    working: tuple[OrderIntent, ...], share: float, leverage: float, capital: float, symbol_room: float
) -> None:
    seen = account(*working, leverage=leverage)
    room = seen.room(MAIN._replace(share=share), "AAPL", seen.view(DAY, MARKS), MARKS)
    assert (room.free_capital, room.symbol_room) == (pytest.approx(capital), symbol_room)


def test_room_for_another_symbol_is_its_own_limit() -> None:
    seen = account(intent("XOM", 100))
    assert seen.room(MAIN, "XOM", seen.view(DAY, MARKS), MARKS).symbol_room == pytest.approx(5_000.0)


def test_proposed_entry_after_all_that_works() -> None:
    order = proposed(account(intent("XOM", 10)), intent("XOM", 10))
    assert (order.lots, order.max_lots, order.value_usd, order.mark_age_bars) == (10, 1_000, 500.0, 3)
    assert order.after.value_usd == 1_000.0
    assert (order.price_deviation, order.book_capital, order.open_orders) == (0.0, 1.0, 1)
    assert order.buying_power_usd == pytest.approx(89_500.0)


@pytest.mark.parametrize(("price", "away"), [(52.5, 0.05), (47.5, 0.05), (50.0, 0.0), (math.nan, math.nan)])
def test_an_orders_own_price_is_held_against_the_mark(price: float, away: float) -> None:
    order = proposed(account(), replace(intent("XOM", 10), reference_price=price))
    assert order.price_deviation == pytest.approx(away, nan_ok=True)


def test_every_order_that_works_for_a_book_and_symbol_counts() -> None:
    working = [replace(intent("XOM", lots), intent_id=f"1.main.XOM.{lots}.1") for lots in (10, 20)]
    order = proposed(account(*working), intent("XOM", 5))
    assert (order.after.value_usd, order.open_orders) == (35 * 50.0, 2)


def test_a_book_that_is_not_configured_has_no_capital() -> None:
    order = proposed(account(), replace(intent("XOM", 10), book="gone"))
    assert order.book_capital == 0.0


def proposed(of: Account, order: OrderIntent) -> ProposedOrder:
    return of.proposed(order, of.view(DAY, MARKS), MARKS)


def test_two_exits_cannot_add_up_to_a_new_position() -> None:
    """What a working exit will sell cannot be sold again."""
    order = proposed(account(intent("AAPL", -60, IntentKind.EXIT)), intent("AAPL", -60, IntentKind.EXIT))
    assert (order.lots, order.reducible_lots) == (-60, 40)


def test_symbol_without_a_mark_has_age_minus_one() -> None:
    """A4: it is refused by that."""
    order = proposed(account(held=0), intent("IBM", 5))
    assert (order.mark_age_bars, order.price_deviation) == (-1, math.inf)
