"""The gateway's cash is the portfolio's, counted by itself."""

from __future__ import annotations

import pytest
from hypothesis import given

from domain.cash_book import CashBook
from domain.execution_book import ExecutionBook
from domain.records import CashEntry, ExecutionEntry
from tests.money import coin, dividend, executed, stock
from tests.unit.domain.test_portfolio import OPENING, histories, portfolio

INSTRUMENTS = {each.symbol: each for each in (stock(), stock("GOOGL"), coin())}


def counted(*entries: ExecutionEntry | CashEntry) -> CashBook:
    """Return the cash of a gateway that was rebuilt from `entries`."""
    return ExecutionBook(entries, CashBook(INSTRUMENTS, {"USD": OPENING})).cash


def test_purchase_sale_fee_and_dividend_move_cash() -> None:
    entries: list[ExecutionEntry | CashEntry] = [
        executed(10, 155.0, seq=1, commission_micro=1_000_000),
        dividend(0.5, 10, seq=2),
        executed(-4, 160.0, seq=3, commission_micro=1_000_000),
    ]
    left = [98_449, 98_454, 99_093]
    for n, cash in enumerate(left, start=1):
        assert counted(*entries[:n]).cash_micro("USD") == cash * 1_000_000


def test_currencies_are_counted_apart() -> None:
    cash = CashBook({"BTC/EUR": coin("BTC/EUR", "EUR")}, {"USD": OPENING})
    cash.executed(executed(100_000_000, 50_000.0, seq=1, symbol="BTC/EUR").execution, 1)
    assert (cash.cash_micro("USD"), cash.cash_micro("EUR")) == (OPENING, -50_000_000_000)


@pytest.mark.parametrize(
    "entry", [executed(1, 7.0, seq=1, symbol="ZZZ"), executed(-1, 7.0, seq=1, symbol="ZZZ")]
)
def test_trade_in_a_symbol_nobody_describes_leaves_no_cash_known(entry: ExecutionEntry) -> None:
    cash = counted(entry)
    assert (cash.unknown, cash.cash_micro("USD")) == ({"ZZZ"}, None)


@given(histories())
def test_cash_is_the_portfolios_whatever_was_executed_corrected_and_paid(
    history: list[ExecutionEntry | CashEntry],
) -> None:
    """I3: to the micro-unit, corrections included."""
    assert counted(*history).cash_micro("USD") == portfolio(*history).cash_micro()
