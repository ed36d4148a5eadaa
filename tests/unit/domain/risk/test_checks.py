from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.checks import CHECKS, Denial, DenialCode, first_denial
from domain.risk.exposure import ValuedPosition
from domain.risk.figures import AccountView, ProposedOrder, figures_for
from domain.risk.limits import RiskLimits
from domain.risk.measures import OrderFigures, only_reduces, refusal, share_of_equity
from tests.money import LIMITS


def denials(order: OrderFigures, limits: RiskLimits) -> tuple[Denial, ...]:
    """Return every reason against `order`, in the order of `CHECKS`."""
    found = (check.judge(order, limits) for check in CHECKS)
    return tuple(denial for denial in found if denial is not None)


FINE = OrderFigures(
    value_usd=2_000.0,
    reduces=False,
    mark_age_bars=0,
    price_deviation=0.0,
    lots=20,
    max_lots=100,
    equity=100_000.0,
    position_after_usd=2_000.0,
    symbol_after_usd=2_000.0,
    gross_after_usd=2_000.0,
    net_after_usd=2_000.0,
    sector_after_usd=2_000.0,
    heat_after=0.0006,
    book_after_usd=2_000.0,
    book_capital_usd=50_000.0,
    buying_power_usd=20_000.0,
    positions_after=1,
    open_orders=1,
    daily_loss=0.0,
    drawdown=0.0,
)
RISKY = LIMITS._replace(position_size_max_usd=200_000.0, order_value_max_usd=300_000.0)

# (check, field, the last value allowed, the first denied, limits)
EDGES: list[tuple[DenialCode, str, Any, Any, Any]] = [
    (DenialCode.NO_FRESH_MARK, "mark_age_bars", 3, 4, LIMITS),
    (DenialCode.NO_FRESH_MARK, "mark_age_bars", 0, -1, LIMITS),
    (DenialCode.PRICE_COLLAR, "price_deviation", 0.05, 0.0500001, LIMITS),
    (DenialCode.ORDER_VALUE_BELOW_MINIMUM, "value_usd", 100.0, 99.99, LIMITS),
    (DenialCode.ORDER_VALUE_ABOVE_MAXIMUM, "value_usd", 10_000.0, 10_000.01, LIMITS),
    (DenialCode.ORDER_QUANTITY, "lots", 100, 101, LIMITS),
    (DenialCode.POSITION_SIZE, "position_after_usd", 5_000.0, 5_000.01, LIMITS),
    (DenialCode.POSITION_SIZE, "position_after_usd", -5_000.0, -5_000.01, LIMITS),
    (DenialCode.POSITION_RISK, "position_after_usd", 66_666.66, 66_666.67, RISKY),
    (DenialCode.HEAT, "heat_after", 0.25, 0.2500001, LIMITS),
    (DenialCode.GROSS_EXPOSURE, "gross_after_usd", 100_000.0, 100_000.01, LIMITS),
    (DenialCode.NET_EXPOSURE, "net_after_usd", 100_000.0, 100_000.01, LIMITS),
    (DenialCode.NET_EXPOSURE, "net_after_usd", -100_000.0, -100_000.01, LIMITS),
    (DenialCode.SYMBOL_EXPOSURE, "symbol_after_usd", 10_000.0, 10_000.01, LIMITS),
    (DenialCode.SECTOR_EXPOSURE, "sector_after_usd", 30_000.0, 30_000.01, LIMITS),
    (DenialCode.BOOK_CAPITAL, "book_after_usd", 50_000.0, 50_000.01, LIMITS),
    (DenialCode.BUYING_POWER, "buying_power_usd", 2_000.0, 1_999.99, LIMITS),
    (DenialCode.POSITION_COUNT, "positions_after", 10, 11, LIMITS),
    (DenialCode.OPEN_ORDERS, "open_orders", 4, 5, LIMITS),
    (DenialCode.DAILY_LOSS, "daily_loss", 0.01999, 0.02, LIMITS),
    (DenialCode.DRAWDOWN, "drawdown", 0.09999, 0.10, LIMITS),
]


@pytest.mark.parametrize(("code", "field", "allowed", "denied", "limits"), EDGES)
def test_each_limit_denies_just_beyond_its_edge(
    code: DenialCode, field: str, allowed: Any, denied: Any, limits: Any
) -> None:
    assert denials(FINE._replace(**{field: allowed}), limits) == ()
    assert refusal(FINE._replace(**{field: allowed}), limits) == 0
    (denial,) = denials(FINE._replace(**{field: denied}), limits)
    assert denial.code is code
    assert refusal(FINE._replace(**{field: denied}), limits) == list(DenialCode).index(code) + 1


@pytest.mark.parametrize(("code", "field", "allowed", "denied", "limits"), EDGES)
def test_an_order_that_only_reduces_is_held_up_by_its_price_alone(
    code: DenialCode, field: str, allowed: Any, denied: Any, limits: Any
) -> None:
    """A4: the order minimum never applies to an order that only reduces; nor does any loss or exposure limit."""
    found = denials(FINE._replace(**{field: denied}, reduces=True), limits)
    expected = [code] if code in (DenialCode.NO_FRESH_MARK, DenialCode.PRICE_COLLAR) else []
    assert [denial.code for denial in found] == expected


@pytest.mark.parametrize(
    "field",
    [
        name
        for name in OrderFigures._fields
        if name not in ("reduces", "mark_age_bars", "positions_after", "lots", "max_lots", "open_orders")
    ],
)
def test_a_figure_that_is_not_a_number_is_denied(field: str) -> None:
    changes: dict[str, Any] = {field: math.nan}
    assert denials(FINE._replace(**changes), LIMITS)


def test_every_check_has_a_code_and_an_edge() -> None:
    assert [check.code for check in CHECKS] == list(DenialCode)
    assert {edge[0] for edge in EDGES} == set(DenialCode)


def test_reasons_carry_the_figures() -> None:
    """A8: exactly 2 % is refused with "daily loss" in the reason."""
    denial = first_denial(FINE._replace(daily_loss=0.02), LIMITS)
    assert denial is not None
    assert denial.text == "daily loss of 2.000 % has reached the limit of 2.000 %"
    assert (denial.value, denial.limit) == (0.02, 0.02)
    assert first_denial(FINE, LIMITS) is None
    stale = first_denial(FINE._replace(mark_age_bars=-1), LIMITS)
    assert stale is not None
    assert stale.text == "age of the mark: none, allowed 3 bars"


def test_the_first_reason_counts_and_all_are_told() -> None:
    order = FINE._replace(value_usd=50.0, daily_loss=0.03, drawdown=0.2)
    codes = [DenialCode.ORDER_VALUE_BELOW_MINIMUM, DenialCode.DAILY_LOSS, DenialCode.DRAWDOWN]
    assert [denial.code for denial in denials(order, LIMITS)] == codes
    first = first_denial(order, LIMITS)
    assert first is not None
    assert first.code is codes[0]


def test_drawdown_protection_can_be_switched_off() -> None:
    assert denials(FINE._replace(drawdown=0.5), LIMITS._replace(drawdown_protection=False)) == ()


@pytest.mark.parametrize(
    ("position", "order", "reduces"),
    [
        (10, -10, True),
        (10, -3, True),
        (10, -11, False),
        (10, 1, False),
        (10, 0, False),
        (-10, 10, True),
        (-10, 11, False),
        (-10, -1, False),
        (-10, 0, False),
        (0, 5, False),
        (0, -5, False),
    ],
)
def test_reducing_is_judged_by_size(position: int, order: int, reduces: bool) -> None:
    assert only_reduces(position, order) is reduces


@pytest.mark.parametrize(
    ("value", "equity", "share"),
    [
        (50.0, 100.0, 0.5),
        (0.0, 0.0, 0.0),
        (1.0, 0.0, math.inf),
        (-1.0, -5.0, -math.inf),
        (1.0, math.nan, math.inf),
    ],
)
def test_a_value_on_no_equity_is_an_infinite_share(value: float, equity: float, share: float) -> None:
    assert share_of_equity(value, equity) == share


around = st.floats(min_value=0.0, max_value=2.0)
figures = st.builds(
    OrderFigures,
    value_usd=around.map(lambda x: x * 10_000),
    reduces=st.booleans(),
    mark_age_bars=st.integers(-1, 5),
    price_deviation=around.map(lambda x: x * 0.03),
    lots=st.integers(0, 120),
    max_lots=st.just(100),
    equity=st.sampled_from([100_000.0, 0.0, math.nan]),
    position_after_usd=around.map(lambda x: (x - 1) * 5_500),
    symbol_after_usd=around.map(lambda x: (x - 1) * 11_000),
    gross_after_usd=around.map(lambda x: x * 60_000),
    net_after_usd=around.map(lambda x: (x - 1) * 110_000),
    sector_after_usd=around.map(lambda x: x * 20_000),
    heat_after=around.map(lambda x: x * 0.15),
    book_after_usd=around.map(lambda x: x * 60_000),
    book_capital_usd=st.just(100_000.0),
    buying_power_usd=around.map(lambda x: x * 90_000),
    positions_after=st.integers(0, 13),
    open_orders=st.integers(1, 5),
    daily_loss=around.map(lambda x: x * 0.011),
    drawdown=around.map(lambda x: x * 0.06),
)


@given(figures)
def test_the_compiled_order_of_checks_is_that_of_the_table(order: OrderFigures) -> None:
    expected = 0
    for place, check in enumerate(CHECKS, start=1):
        if check.judge(order, LIMITS) is not None:
            expected = place
            break
    assert refusal(order, LIMITS) == expected
    assert (first_denial(order, LIMITS) is None) == (expected == 0) == (denials(order, LIMITS) == ())


# --- figures -----------------------------------------------------------------------------------------------------


def held(symbol: str, value: float, book: str = "main", sector: str = "technology") -> ValuedPosition:
    return ValuedPosition(book, symbol, sector, value, 0.03)


def view(*positions: ValuedPosition) -> AccountView:
    return AccountView(
        equity=98_000.0, day_start_equity=100_000.0, peak_equity=105_000.0, positions=positions
    )


def proposed(lots: int, value: float, reducible: int, after: ValuedPosition) -> ProposedOrder:
    return ProposedOrder(
        lots=lots,
        max_lots=1_000,
        value_usd=value,
        mark_age_bars=0,
        price_deviation=0.01,
        book_capital=0.5,
        buying_power_usd=60_000.0,
        open_orders=2,
        reducible_lots=reducible,
        after=after,
    )


def test_figures_are_those_after_the_order() -> None:
    account = view(
        held("AAPL", 1_550.0), held("AAPL", 500.0, "other"), held("XOM", -3_000.0, sector="energy")
    )
    order = proposed(5, 775.0, 10, held("AAPL", 2_325.0))
    figures = figures_for(order, account)
    assert figures.position_after_usd == 2_325.0
    assert figures.symbol_after_usd == figures.sector_after_usd == 2_825.0
    assert (figures.gross_after_usd, figures.net_after_usd) == (5_825.0, -175.0)
    assert figures.heat_after == pytest.approx(5_825.0 * 0.03 / 98_000.0)
    assert (figures.positions_after, figures.reduces) == (2, False)
    assert figures.daily_loss == pytest.approx(0.02)
    assert figures.drawdown == pytest.approx(7 / 105)
    assert (figures.book_after_usd, figures.book_capital_usd) == (5_325.0, 49_000.0)
    assert (figures.buying_power_usd, figures.open_orders) == (60_000.0, 3)
    assert (figures.price_deviation, figures.lots, figures.max_lots) == (0.01, 5, 1_000)


def test_a_closing_order_takes_its_position_off_the_count() -> None:
    order = proposed(-10, 1_550.0, 10, held("AAPL", 0.0))
    figures = figures_for(order, view(held("AAPL", 1_550.0)))
    assert (figures.positions_after, figures.gross_after_usd, figures.heat_after) == (0, 0.0, 0.0)
    assert figures.reduces
    assert denials(figures, LIMITS) == ()


def test_a_second_exit_does_not_reduce_what_the_first_already_does() -> None:
    order = proposed(-10, 1_550.0, 0, held("AAPL", -1_550.0))
    assert not figures_for(order, view(held("AAPL", 0.0))).reduces
