"""What people are told of the positions is what the portfolio holds, at its marks."""

from __future__ import annotations

import json

import pytest

from domain.broker import OrderType, Side
from domain.marks import Marks
from domain.portfolio import Portfolio
from domain.records import IntentKind, OrderEntry, OrderState
from domain.risk.holdings import SHOWN_HOLDINGS, holdings_state, limits_state
from domain.working_orders import WorkingOrders
from tests.money import LIMITS, executed, stock


def portfolio(*symbols: str) -> Portfolio:
    return Portfolio([stock(symbol) for symbol in symbols], {"USD": 100_000_000_000}, "USD")


def stop(symbol: str, price: float) -> OrderEntry:
    return OrderEntry(
        seq=1,
        at_ns=0,
        order_ref=f"1.main.{symbol}.0.1.stop",
        parent_ref=f"1.main.{symbol}.0.1",
        book="main",
        symbol=symbol,
        kind=IntentKind.STOP,
        side=Side.SELL,
        order_type=OrderType.STOP,
        lots=100,
        filled_lots=0,
        reference_price=100.0,
        stop_price=price,
        state=OrderState.WORKING,
        bar=0,
        connection=1,
        text="",
    )


def test_a_position_is_told_with_cost_mark_profit_and_stop() -> None:
    held, working = portfolio("AAPL"), WorkingOrders()
    held.apply(executed(100, 100.0, seq=1))
    working.follow(stop("AAPL", 97.0))
    (told,) = holdings_state(held, Marks({"AAPL": (112.5, 3)}), working)["holdings"]
    assert told == {
        "symbol": "AAPL",
        "book": "main",
        "lots": 100,
        "average_price": 100.0,
        "mark": 112.5,
        "value": 11_250.0,
        "unrealised": pytest.approx(1_250.0),
        "stop": 97.0,
    }


def test_without_a_mark_or_a_stop_these_are_unknown() -> None:
    held = portfolio("AAPL")
    held.apply(executed(100, 100.0, seq=1))
    (told,) = holdings_state(held, Marks(), WorkingOrders())["holdings"]
    assert (told["mark"], told["value"], told["unrealised"], told["stop"]) == (None, None, None, None)


def test_of_many_positions_the_largest_are_told_and_all_are_counted() -> None:
    symbols = [f"S{number:03}" for number in range(SHOWN_HOLDINGS + 20)]
    held = portfolio(*symbols)
    for number, symbol in enumerate(symbols):
        held.apply(executed(10 + number, 10.0, symbol=symbol, seq=number + 1))
    state = holdings_state(held, Marks(dict.fromkeys(symbols, (10.0, 0))), WorkingOrders())
    assert state["holdings_in_all"] == len(symbols)
    assert [each["symbol"] for each in state["holdings"]] == symbols[::-1][:SHOWN_HOLDINGS]


def test_the_state_is_json() -> None:
    held = portfolio("AAPL")
    held.apply(executed(100, 100.0, seq=1))
    state = holdings_state(held, Marks({"AAPL": (112.5, 3)}), WorkingOrders()) | limits_state(LIMITS)
    assert json.loads(json.dumps(state)) == state


def test_limits_are_those_that_figures_are_shown_against() -> None:
    assert limits_state(LIMITS) == {
        "max_daily_loss": 0.02,
        "max_total_drawdown": 0.10,
        "max_portfolio_heat": 0.25,
        "max_gross_exposure": 1.0,
    }
