from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.equity import account_equity, market_value
from domain.risk.exposure import ValuedPosition, exposure_of, gross_usd


def held(symbol: str, value: float, sector: str = "technology", book: str = "main") -> ValuedPosition:
    return ValuedPosition(book, symbol, sector, value, 0.03)


@pytest.mark.parametrize(
    ("price", "lots", "lots_per_unit", "multiplier", "value"),
    [
        (1.0, 100, 1, 1.0, 100.0),
        (100.0, 100, 1, 1.0, 10_000.0),
        (1_000.0, 100, 1, 1.0, 100_000.0),
        (1_000.0, -100, 1, 1.0, -100_000.0),
        (40_000.0, 5_000_000, 100_000_000, 1.0, 2_000.0),
        (1.05, 2, 1, 125_000.0, 262_500.0),
    ],
)
def test_exposure_is_quantity_times_price(
    price: float, lots: int, lots_per_unit: int, multiplier: float, value: float
) -> None:
    """A4: correct at $1, $100 and $1,000 a share; lots of coins and contracts too."""
    assert market_value(price, lots, lots_per_unit, multiplier) == pytest.approx(value)


def test_gross_adds_what_net_offsets() -> None:
    exposure = exposure_of([held("XOM", 3_000.0, "energy"), held("AAPL", -1_000.0), held("MSFT", 500.0)])
    assert (exposure.gross, exposure.net) == (4_500.0, 2_500.0)
    assert exposure.by_symbol == {"AAPL": -1_000.0, "MSFT": 500.0, "XOM": 3_000.0}
    assert exposure.by_sector == {"technology": 1_500.0, "energy": 3_000.0}


def test_books_in_one_symbol_offset_as_they_do_at_the_broker() -> None:
    exposure = exposure_of([held("AAPL", 3_000.0), held("AAPL", -1_000.0, book="other")])
    assert (exposure.gross, exposure.net, exposure.by_sector["technology"]) == (2_000.0, 2_000.0, 2_000.0)


def test_exposure_does_not_depend_on_the_order_of_positions() -> None:
    positions = [held("C", 0.1), held("A", 0.2), held("B", 0.3), held("A", 1e9, book="z")]
    assert exposure_of(positions) == exposure_of(reversed(positions))


def test_no_positions_no_exposure() -> None:
    assert exposure_of([]).gross == 0.0
    assert account_equity(1_500_000, []) == 1.5


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("XYZ"), st.integers(-1_000, 1_000)), max_size=8)
)
def test_gross_exposure_of_a_bar_is_the_one_that_orders_are_judged_by(
    held: list[tuple[str, str, int]],
) -> None:
    """B1: a long in one book and a short in another offset, in the halt as in the check."""
    positions = sorted(
        (ValuedPosition(book, symbol, "s", float(value), 0.03) for book, symbol, value in held),
        key=lambda position: (position.symbol, position.book),
    )
    assert gross_usd(positions) == exposure_of(positions).gross
