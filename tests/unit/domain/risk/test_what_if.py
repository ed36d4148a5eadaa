"""Judge described orders; the known answers of requirements A4 to A8, at each limit and on both sides of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.broker import Side
from domain.instruments import Instrument
from domain.records import Rung
from domain.risk.checks import CHECKS, DenialCode
from domain.risk.explaining import Explained
from domain.risk.limits import AccountTerms, RiskLimits
from domain.risk.what_if import Held, MarkAt, Supposed, SupposedOrder, Verdict, WhatIf
from tests.money import LIMITS, coin, stock
from tests.unit.domain.risk.bench import MAIN

BARE = Supposed(
    equity=100_000.0,
    day_start_equity=100_000.0,
    peak_equity=100_000.0,
    rung=Rung.ACTIVE,
    held=(),
    working=(),
    marks={},
)
WIDE = LIMITS._replace(
    max_gross_exposure=20.0,
    max_net_exposure=20.0,
    max_sector_exposure=20.0,
    max_symbol_exposure=20.0,
    max_positions=1_000,
    max_single_position_risk=1.0,
    position_size_max_usd=1e9,
    order_value_max_usd=1e9,
)
"""Limits among which heat alone binds: at a 3 % stop it needs 8.3 times the equity (requirement A5)."""


def what_if(supposed: Supposed, limits: RiskLimits = LIMITS, *more: Instrument) -> WhatIf:
    instruments = {each.symbol: each for each in (*map(stock, ("AAPL", "GOOGL", "IBM")), *more)}
    terms = AccountTerms(
        leverage=20.0, shares={"main": 1.0}, max_order_lots=dict.fromkeys(instruments, 10**10)
    )
    return WhatIf(supposed, instruments, [MAIN], limits, currency="USD", terms=terms)


def order(symbol: str, lots: int) -> SupposedOrder:
    side = Side.BUY if lots > 0 else Side.SELL
    return SupposedOrder(book="main", symbol=symbol, side=side, lots=abs(lots), confidence=None)


def marked(supposed: Supposed, **prices: float) -> Supposed:
    return replace(
        supposed, marks={**supposed.marks, **{name: MarkAt(price, 0) for name, price in prices.items()}}
    )


def check(verdict: Verdict, code: DenialCode) -> Explained:
    return next(each for each in verdict.checks if each.code is code)


def held(**lots: int) -> tuple[Held, ...]:
    return tuple(Held("main", symbol, count) for symbol, count in lots.items())


# --- A4: quantity x actual price --------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [1.0, 100.0, 1_000.0])
def test_order_value_is_quantity_times_price_at_any_price(price: float) -> None:
    """A4: correct at $1, $100 and $1,000 a share, the minimum of $100 met exactly."""
    account = what_if(marked(BARE, AAPL=price))
    least = math.ceil(100.0 / price)
    verdict = account.judge(order("AAPL", least))
    assert (verdict.value, verdict.approved) == (least * price, True)
    assert check(verdict, DenialCode.ORDER_VALUE_BELOW_MINIMUM).value == least * price


def test_a_cent_below_the_minimum_is_denied_unless_it_only_reduces() -> None:
    """A4: the minimum is never applied to an order that only reduces."""
    account = what_if(replace(marked(BARE, AAPL=99.99), held=held(AAPL=3)))
    assert account.judge(order("AAPL", 1)).reason.startswith("order_value_below_minimum")
    sold = account.judge(order("AAPL", -1))
    assert sold.approved
    assert check(sold, DenialCode.ORDER_VALUE_BELOW_MINIMUM).exempt


def test_the_maximum_value_is_allowed_and_a_cent_more_is_not() -> None:
    limits = WIDE._replace(order_value_max_usd=10_000.0)
    assert what_if(marked(BARE, AAPL=100.0), limits).judge(order("AAPL", 100)).approved
    denied = what_if(marked(BARE, AAPL=100.0001), limits).judge(order("AAPL", 100))
    assert denied.reason.startswith("order_value_above_maximum")


@pytest.mark.parametrize(("age", "approved"), [(0, True), (3, True), (4, False)])
def test_a_price_is_fresh_up_to_its_age(age: int, approved: bool) -> None:
    supposed = replace(BARE, marks={"AAPL": MarkAt(155.0, age)})
    assert what_if(supposed).judge(order("AAPL", 1)).approved is approved


def test_without_a_price_the_order_is_refused() -> None:
    """A4: where no fresh price exists the order is refused."""
    assert what_if(BARE).judge(order("AAPL", 1)).reason.startswith("no_fresh_mark")


def test_an_order_that_reduces_needs_a_fresh_price_too() -> None:
    supposed = replace(BARE, marks={"AAPL": MarkAt(155.0, 9)}, held=held(AAPL=5))
    assert what_if(supposed).judge(order("AAPL", -5)).reason.startswith("no_fresh_mark")


@pytest.mark.parametrize(
    ("price", "denied"), [(105.0, False), (105.01, True), (95.0, False), (94.99, True), (100.0, False)]
)
def test_a_price_too_far_from_the_mark_is_denied(price: float, denied: bool) -> None:
    verdict = what_if(marked(BARE, AAPL=100.0)).judge(replace(order("AAPL", 10), price=price))
    found = check(verdict, DenialCode.PRICE_COLLAR)
    assert (found.denied, verdict.approved) == (denied, not denied)
    assert found.arithmetic.startswith(f"|{price:g} - 100| / 100 = ")


def test_a_price_too_far_holds_up_what_only_reduces_too() -> None:
    account = what_if(replace(marked(BARE, AAPL=100.0), held=held(AAPL=10)))
    assert account.judge(replace(order("AAPL", -10), price=50.0)).reason.startswith("price_collar")


# --- A6: heat ---------------------------------------------------------------------------------------------------------


def test_heat_of_the_two_positions_of_the_requirement() -> None:
    """A6: AAPL 10 @ 155 + GOOGL 5 @ 2,850 on $100,000 -> 0.474 %."""
    account = what_if(
        replace(marked(BARE, AAPL=155.0, GOOGL=2_850.0), held=held(AAPL=10, GOOGL=5)), WIDE
    ).assessment()
    assert account.heat == pytest.approx(0.00474, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "heat"), [(20_000, 0.0060), (30_000, 0.0090), (35_667, 0.0107001)], ids=str
)
def test_heat_of_known_portfolios(value: int, heat: float) -> None:
    """A6: $20,000 on $100,000 -> 0.60 %; 0.90 %; a realistic portfolio at 1.07 %."""
    verdict = what_if(marked(BARE, AAPL=1.0), WIDE).judge(order("AAPL", value))
    assert check(verdict, DenialCode.HEAT).value == pytest.approx(heat, abs=1e-12)


@pytest.mark.parametrize(
    ("equity", "lots", "approved", "heat"),
    [
        (100_000.0, 833_333, True, 0.2499999),
        (100_000.0, 833_334, False, 0.2500002),
        (100_000.0, 1_000_000, False, 0.30),
    ],
)
def test_heat_at_its_limit_is_allowed_and_over_it_is_not(
    equity: float, lots: int, approved: bool, heat: float
) -> None:
    """A6: 25.00 % at the limit is allowed; 30.00 % is over."""
    supposed = replace(marked(BARE, AAPL=1.0), equity=equity, day_start_equity=equity, peak_equity=equity)
    verdict = what_if(supposed, WIDE).judge(order("AAPL", lots))
    assert check(verdict, DenialCode.HEAT).value == pytest.approx(heat, abs=1e-8)
    assert verdict.approved is approved


def test_exactly_a_quarter_of_heat_is_allowed() -> None:
    limits = WIDE._replace(stop_loss_percent=0.05)
    verdict = what_if(marked(BARE, AAPL=1.0), limits).judge(order("AAPL", 500_000))
    assert (check(verdict, DenialCode.HEAT).value, verdict.approved) == (0.25, True)


# --- A7: sizing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "size"), [(0.6, 2_000.0), (0.7, 2_750.0), (0.8, 3_500.0), (0.9, 4_250.0), (1.0, 5_000.0)]
)
def test_confidence_earns_from_base_to_the_largest_size(confidence: float, size: float) -> None:
    """A7: base at the least confidence, the maximum at 1."""
    asked = SupposedOrder(book="main", symbol="AAPL", side=Side.BUY, lots=None, confidence=confidence)
    verdict = what_if(marked(BARE, AAPL=1.0)).judge(asked)
    assert verdict.sizing is not None
    assert verdict.sizing.size_usd == pytest.approx(size)
    assert verdict.lots == int(size + 1e-9)
    assert verdict.approved


def test_too_little_confidence_is_refused_with_its_reason() -> None:
    asked = SupposedOrder(book="main", symbol="AAPL", side=Side.BUY, lots=None, confidence=0.599)
    verdict = what_if(marked(BARE, AAPL=1.0)).judge(asked)
    assert not verdict.approved
    assert verdict.reason == "size_low_confidence: confidence 0.599 is below the minimum of 0.600"


@pytest.mark.parametrize(
    ("supposed", "reason"),
    [
        (BARE, "no_fresh_mark"),
        (replace(marked(BARE, AAPL=1.0), equity=0.0), "no_equity"),
        (marked(BARE, AAPL=6_000.0), "size_below_one_lot"),
    ],
)
def test_what_cannot_be_sized_says_why(supposed: Supposed, reason: str) -> None:
    asked = SupposedOrder(book="main", symbol="AAPL", side=Side.BUY, lots=None, confidence=0.9)
    verdict = what_if(supposed).judge(asked)
    assert verdict.reason.startswith(reason)
    assert verdict.checks == ()


def test_confidence_beyond_one_is_a_bad_argument() -> None:
    """A7: bad arguments raise ValueError."""
    asked = SupposedOrder(book="main", symbol="AAPL", side=Side.BUY, lots=None, confidence=1.5)
    with pytest.raises(ValueError, match="confidence"):
        what_if(marked(BARE, AAPL=1.0)).judge(asked)


# --- A8: losses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("equity", "safe"), [(98_000.01, True), (98_000.0, False), (97_999.0, False)])
def test_the_loss_of_the_day_binds_when_reached(equity: float, safe: bool) -> None:
    """A8: exactly 2 % (98,000 of 100,000) is refused, with "daily loss" in the reason."""
    account = what_if(replace(marked(BARE, AAPL=155.0), equity=equity))
    assert account.assessment().is_safe_to_trade is safe
    verdict = account.judge(order("AAPL", 1))
    assert verdict.approved is safe
    assert safe or "daily loss" in verdict.reason


@pytest.mark.parametrize(("equity", "denied"), [(90_000.01, False), (90_000.0, True)])
def test_the_fall_from_the_peak_binds_when_reached(equity: float, denied: bool) -> None:
    supposed = replace(marked(BARE, AAPL=155.0), equity=equity, day_start_equity=equity)
    found = check(what_if(supposed).judge(order("AAPL", 1)), DenialCode.DRAWDOWN)
    assert found.denied is denied


def test_losses_do_not_hold_up_what_only_reduces() -> None:
    supposed = replace(marked(BARE, AAPL=155.0), equity=80_000.0, held=held(AAPL=10))
    sold = what_if(supposed).judge(order("AAPL", -10))
    assert sold.approved
    assert [each.code for each in sold.checks if each.exempt] == [DenialCode.DAILY_LOSS, DenialCode.DRAWDOWN]


# --- orders one after another -----------------------------------------------------------------------------------------


def test_an_approved_order_counts_as_filled_for_the_next() -> None:
    """In-flight orders count: two orders that each fit the symbol's limit do not fit together."""
    limits = WIDE._replace(max_symbol_exposure=0.10)
    account = what_if(marked(BARE, AAPL=100.0), limits)
    first, second = account.judge(order("AAPL", 60)), account.judge(order("AAPL", 60))
    assert (first.approved, second.approved) == (True, False)
    assert second.reason.startswith("symbol_exposure")
    assert account.judge(order("AAPL", 40)).approved


def test_two_exits_in_flight_cannot_add_up_to_a_new_position() -> None:
    account = what_if(replace(marked(BARE, AAPL=155.0), held=held(AAPL=10)))
    verdicts = [account.judge(order("AAPL", -6)) for _ in range(2)]
    assert [each.reduces for each in verdicts] == [True, False]


def test_a_sell_of_more_than_is_held_is_judged_as_what_it_opens() -> None:
    """A reduce-only state must look at the size, not the side."""
    supposed = replace(marked(BARE, AAPL=155.0), held=held(AAPL=10), rung=Rung.HALTED)
    flipped = what_if(supposed).judge(order("AAPL", -30))
    assert not flipped.reduces
    assert flipped.reason.startswith("halt: HALTED")


def test_working_orders_of_the_description_count() -> None:
    supposed = replace(marked(BARE, AAPL=100.0), working=held(AAPL=60))
    limits = WIDE._replace(max_symbol_exposure=0.10)
    assert what_if(supposed, limits).judge(order("AAPL", 41)).reason.startswith("symbol_exposure")
    assert what_if(supposed, limits).judge(order("AAPL", 40)).approved


def test_a_coin_is_judged_in_its_lots() -> None:
    bitcoin = coin()
    supposed = replace(BARE, marks={bitcoin.symbol: MarkAt(50_000.0, 0)})
    verdict = what_if(supposed, LIMITS, bitcoin).judge(order(bitcoin.symbol, bitcoin.lots_per_unit // 20))
    assert verdict.value == 2_500.0
    assert "0.05 x 50,000 = $2,500.00" in check(verdict, DenialCode.ORDER_VALUE_BELOW_MINIMUM).arithmetic


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_check_is_explained_in_its_order_with_its_figure() -> None:
    verdict = what_if(replace(marked(BARE, AAPL=155.0, GOOGL=2_850.0), held=held(GOOGL=5)), WIDE).judge(
        order("AAPL", 10)
    )
    assert [each.code for each in verdict.checks] == [each.code for each in CHECKS]
    words: Mapping[DenialCode, str] = {each.code: each.arithmetic for each in verdict.checks}
    assert words[DenialCode.HEAT] == (
        "AAPL $1,550.00 x 3.000 % + GOOGL $14,250.00 x 3.000 % = $474.00; / $100,000.00 = 0.474 %, at most 25.000 %"
    )
    assert words[DenialCode.ORDER_VALUE_ABOVE_MAXIMUM].startswith("10 x 155 = $1,550.00")
    assert words[DenialCode.POSITION_COUNT] == "2 (AAPL, GOOGL), at most 1000"
    assert (
        words[DenialCode.BOOK_CAPITAL]
        == "AAPL $1,550.00 + GOOGL $14,250.00 = $15,800.00, at most $2,000,000.00"
    )
    assert words[DenialCode.BUYING_POWER].endswith("at most $1,985,750.00 left to spend")
    assert words[DenialCode.ORDER_QUANTITY] == "10 units, at most 10,000,000,000"
    assert words[DenialCode.OPEN_ORDERS] == "1 with this one, at most 4"


def test_the_words_survive_an_equity_that_is_gone() -> None:
    verdict = what_if(replace(marked(BARE, AAPL=155.0), equity=-5.0)).judge(order("AAPL", 1))
    assert not verdict.approved
    assert "equity is not positive" in check(verdict, DenialCode.HEAT).arithmetic


def test_drawdown_protection_switched_off_says_so() -> None:
    limits = LIMITS._replace(drawdown_protection=False)
    supposed = replace(marked(BARE, AAPL=155.0), peak_equity=200_000.0)
    found = check(what_if(supposed, limits).judge(order("AAPL", 1)), DenialCode.DRAWDOWN)
    assert not found.denied
    assert "enable_drawdown_protection is off" in found.arithmetic
