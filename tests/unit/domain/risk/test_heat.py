from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.bounds import exceeds
from domain.risk.heat import heat_level, portfolio_heat, position_risk

EQUITY = 100_000.0


@pytest.mark.parametrize(
    ("values", "heat", "over"),
    [
        ([10 * 155.0, 5 * 2_850.0], 0.00474, False),
        ([20_000.0], 0.006, False),
        ([20_000.0, 10_000.0], 0.009, False),
        ([15_500.0, 14_250.0, -5_900.0], 0.010695, False),
        ([EQUITY * 0.25 / 0.03], 0.25, False),
        ([400_000.0, 433_333.34], 0.250000002, True),
        ([500_000.0, 500_000.0], 0.30, True),
        ([], 0.0, False),
    ],
)
def test_heat_is_what_all_stops_together_lose(values: list[float], heat: float, over: bool) -> None:
    """A6: 0.474 %, 0.60 %, 0.90 %, 1.07 %; 25.00 % is allowed, 30.00 % is over; a short counts like a long."""
    found = portfolio_heat([(value, 0.03) for value in values], EQUITY)
    assert found == pytest.approx(heat, abs=1e-12)
    assert exceeds(found, 0.25) is over


def test_heat_at_the_limit_in_parts_is_allowed() -> None:
    parts = [(EQUITY * 0.25 / 0.03 / 10, 0.03)] * 10
    assert not exceeds(portfolio_heat(parts, EQUITY), 0.25)
    assert exceeds(portfolio_heat([*parts, (0.01, 0.03)], EQUITY), 0.25)


def test_each_position_counts_with_its_own_stop() -> None:
    assert portfolio_heat([(10_000.0, 0.01), (10_000.0, 0.05)], EQUITY) == pytest.approx(0.006)


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan])
def test_a_position_on_no_equity_is_infinitely_hot(equity: float) -> None:
    assert position_risk(1.0, 0.03, equity) == math.inf
    assert position_risk(0.0, 0.03, equity) == 0.0


@pytest.mark.parametrize(
    ("heat", "level"),
    [
        (0.1499, 0),
        (0.15, 1),
        (0.20, 2),
        (0.25, 3),
        (0.40, 3),
        (math.nan, 3),
    ],
)
def test_warnings_come_at_15_20_and_25_percent(heat: float, level: int) -> None:
    assert heat_level(heat, (0.15, 0.20, 0.25)) == level


@pytest.mark.parametrize(("warnings", "level"), [((), 0), ((0.3,), 0), ((0.1,), 1), ((0.1, 0.2, 0.21), 2)])
def test_warnings_are_those_configured_and_not_shares_of_the_limit(
    warnings: tuple[float, ...], level: int
) -> None:
    """A5: no risk number is hard-coded."""
    assert heat_level(0.2, warnings) == level


@given(
    st.lists(st.floats(min_value=-1e6, max_value=1e6), max_size=10),
    st.floats(min_value=1.0, max_value=1e7),
)
def test_heat_is_never_negative_and_a_position_only_adds(values: list[float], equity: float) -> None:
    pairs = [(value, 0.03) for value in values]
    heat = portfolio_heat(pairs, equity)
    assert heat >= 0.0
    assert portfolio_heat([*pairs, (1_000.0, 0.03)], equity) > heat
