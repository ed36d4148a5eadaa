from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.risk.bounds import exceeds, falls_short, reaches
from domain.risk.loss import daily_loss, drawdown, loss_binds, raised_peak


@pytest.mark.parametrize(
    ("reference", "equity", "loss", "binds"),
    [
        (100_000.0, 98_000.0, 0.02, True),
        (100_000.0, 97_999.0, 0.02001, True),
        (100_000.0, 98_000.01, 0.0199999, False),
        (100_000.0, 100_000.0, 0.0, False),
        (100_000.0, 101_000.0, 0.0, False),
        (50_000.0, 49_000.0, 0.02, True),
        (0.3, 0.294, 0.02, True),
        (0.0, 0.0, 1.0, True),
        (-5.0, 10.0, 1.0, True),
        (100_000.0, -1.0, 1.00001, True),
    ],
)
def test_a_loss_binds_when_it_reaches_its_limit(
    reference: float, equity: float, loss: float, binds: bool
) -> None:
    """A8: 2.001 % down is not safe, exactly 2 % (98,000 of 100,000) is refused."""
    assert daily_loss(reference, equity) == pytest.approx(loss)
    assert drawdown(reference, equity) == daily_loss(reference, equity)
    assert loss_binds(daily_loss(reference, equity), 0.02) is binds


@pytest.mark.parametrize(("reference", "equity"), [(math.nan, 1.0), (1.0, math.nan), (math.nan, math.nan)])
def test_a_loss_that_is_not_a_number_binds(reference: float, equity: float) -> None:
    assert loss_binds(daily_loss(reference, equity), 0.02)


def test_the_peak_only_rises() -> None:
    assert raised_peak(100.0, 99.0) == 100.0
    assert raised_peak(100.0, 101.0) == 101.0
    assert raised_peak(100.0, math.nan) == 100.0


cents = st.integers(min_value=1, max_value=10_000_000_00)  # up to 10 million dollars
limits = st.integers(min_value=1, max_value=3_000).map(
    lambda points: Fraction(points, 10_000)
)  # basis points


@given(cents, st.integers(-3, 3), limits)
@example(start=100_000_00, offset=0, limit=Fraction(2, 100))
@example(start=30, offset=0, limit=Fraction(2, 100))
@example(start=999_999_999, offset=0, limit=Fraction(2_999, 10_000))
def test_the_edge_of_a_loss_lies_where_exact_arithmetic_has_it(
    start: int, offset: int, limit: Fraction
) -> None:
    """Floats of cents against exact fractions, at the edge and up to three cents to either side."""
    equity = start - math.floor(start * limit) + offset
    exact = Fraction(start - equity, start) >= limit
    found = loss_binds(daily_loss(start / 100, equity / 100), float(limit))
    assert found is exact


@given(cents, limits)
def test_a_loss_of_exactly_the_limit_always_binds(units: int, limit: Fraction) -> None:
    """Starts that the limit divides into whole cents: both sides of the edge, one cent apart."""
    start = units * limit.denominator
    equity = start - units * limit.numerator
    assert loss_binds(daily_loss(start / 100, equity / 100), float(limit))
    if start < 10**12:  # one cent of ten billion dollars is still 1e-12
        assert not loss_binds(daily_loss(start / 100, (equity + 1) / 100), float(limit))


@given(cents, st.integers(-3, 3), limits)
@example(equity=62_499_994, offset=1, limit=Fraction(1, 10_000))
def test_exposure_is_allowed_at_its_limit_and_denied_beyond(
    equity: int, offset: int, limit: Fraction
) -> None:
    value = math.floor(equity * limit) + offset
    exact = Fraction(value, equity) > limit
    assert exceeds(value / 100 / (equity / 100), float(limit)) is exact


@pytest.mark.parametrize(
    ("compare", "value", "limit", "expected"),
    [
        (reaches, 0.02, 0.02, True),
        (reaches, 0.0199999, 0.02, False),
        (reaches, math.nan, 0.02, True),
        (reaches, math.inf, 0.02, True),
        (exceeds, 0.25, 0.25, False),
        (exceeds, 0.1 + 0.2, 0.3, False),
        (exceeds, 0.2500001, 0.25, True),
        (exceeds, math.nan, 0.25, True),
        (exceeds, 5_000.000000000001, 5_000.0, False),
        (exceeds, 5_000.01, 5_000.0, True),
        (falls_short, 500.0, 500.0, False),
        (falls_short, 499.99, 500.0, True),
        (falls_short, math.nan, 500.0, True),
    ],
)
def test_bounds(compare: object, value: float, limit: float, expected: bool) -> None:
    assert compare(value, limit) is expected  # type: ignore[operator]
