from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fills import (
    commission_micro,
    limit_fill,
    market_fill_price,
    slippage_within,
    stop_price_for,
    stop_trigger,
)
from domain.risk.limits import FeeSchedule

IB_FIXED = FeeSchedule(
    per_unit_usd=0.005, minimum_usd=1.0, maximum_fraction=0.01, value_bps=0.0, slippage_bps=5.0
)
CRYPTO = FeeSchedule(
    per_unit_usd=0.0, minimum_usd=0.0, maximum_fraction=1.0, value_bps=10.0, slippage_bps=5.0
)


@pytest.mark.parametrize(
    ("price", "side", "bps", "expected"),
    [(100.0, 1, 5.0, 100.05), (100.0, -1, 5.0, 99.95), (100.0, 1, 0.0, 100.0), (2_850.0, -1, 10.0, 2_847.15)],
)
def test_slippage_always_worsens_a_market_fill(price: float, side: int, bps: float, expected: float) -> None:
    assert market_fill_price(price, side, bps) == pytest.approx(expected, abs=1e-12)
    assert slippage_within(expected, side, bps) == pytest.approx(abs(expected - price), abs=1e-12)


@pytest.mark.parametrize(
    ("side", "stop", "open_", "high", "low", "expected"),
    [
        (-1, 97.0, 100.0, 101.0, 96.0, (True, 97.0)),
        (-1, 97.0, 100.0, 101.0, 97.0, (True, 97.0)),
        (-1, 97.0, 100.0, 101.0, 97.01, (False, 0.0)),
        (-1, 97.0, 95.0, 99.0, 94.0, (True, 95.0)),
        (-1, 97.0, 97.0, 99.0, 97.0, (True, 97.0)),
        (1, 103.0, 100.0, 104.0, 99.0, (True, 103.0)),
        (1, 103.0, 100.0, 103.0, 99.0, (True, 103.0)),
        (1, 103.0, 100.0, 102.99, 99.0, (False, 0.0)),
        (1, 103.0, 106.0, 107.0, 99.0, (True, 106.0)),
    ],
)
def test_a_stop_fills_at_the_gap_or_at_its_price(
    side: int, stop: float, open_: float, high: float, low: float, expected: tuple[bool, float]
) -> None:
    assert stop_trigger(side, stop, open_, high, low) == expected


@pytest.mark.parametrize(
    ("side", "limit", "open_", "high", "low", "expected"),
    [
        (1, 99.0, 98.0, 100.0, 97.0, (True, 98.0)),
        (1, 99.0, 100.0, 101.0, 98.5, (True, 99.0)),
        (1, 99.0, 100.0, 101.0, 99.0, (False, 0.0)),
        (-1, 101.0, 102.0, 103.0, 100.0, (True, 102.0)),
        (-1, 101.0, 100.0, 101.5, 99.0, (True, 101.0)),
        (-1, 101.0, 100.0, 101.0, 99.0, (False, 0.0)),
    ],
)
def test_a_limit_fills_at_the_open_or_when_traded_through(
    side: int, limit: float, open_: float, high: float, low: float, expected: tuple[bool, float]
) -> None:
    assert limit_fill(side, limit, open_, high, low) == expected


@pytest.mark.parametrize(
    ("average", "sign", "pct", "tick", "small", "expected"),
    [
        (100.0, 1, 0.03, 0.01, 0.0001, 97.0),
        (100.07, 1, 0.03, 0.01, 0.0001, 97.06),
        (100.07, -1, 0.03, 0.01, 0.0001, 103.08),
        (100.0, -1, 0.03, 0.01, 0.0001, 103.0),
        (0.5, 1, 0.03, 0.01, 0.0001, 0.485),
        (0.51237, 1, 0.03, 0.01, 0.0001, 0.4969),
        (0.51237, -1, 0.03, 0.01, 0.0001, 0.5278),
        (0.51237, 1, 0.03, 0.01, 0.01, 0.49),
    ],
)
def test_a_stop_is_rounded_away_from_the_market(
    average: float, sign: int, pct: float, tick: float, small: float, expected: float
) -> None:
    assert stop_price_for(average, sign, pct, tick, small) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("price", "lots", "lots_per_unit", "fees", "expected_usd"),
    [
        (50.0, 100, 1, IB_FIXED, 1.0),
        (50.0, 1_000, 1, IB_FIXED, 5.0),
        (0.25, 1_000, 1, IB_FIXED, 2.5),
        (10.0, 1, 1, IB_FIXED, 0.1),
        (50.0, 0, 1, IB_FIXED, 0.0),
        (40_000.0, 5_000_000, 100_000_000, CRYPTO, 2.0),
    ],
)
def test_commission_has_a_floor_and_a_cap_that_wins(
    price: float, lots: int, lots_per_unit: int, fees: FeeSchedule, expected_usd: float
) -> None:
    assert commission_micro(price, lots, lots_per_unit, 1.0, fees) == round(expected_usd * 1e6)


prices = st.floats(min_value=0.01, max_value=1e5)
sides = st.sampled_from([1, -1])


@given(prices, sides, st.floats(min_value=0.01, max_value=0.05), st.sampled_from([0.01, 0.0001, 0.25]))
def test_a_stop_lies_against_the_position_within_a_tick(
    average: float, sign: int, pct: float, tick: float
) -> None:
    raw = average * (1.0 - sign * pct)
    step = 0.0001 if raw < 1.0 else tick
    stop = stop_price_for(average, sign, pct, tick, 0.0001)
    distance = sign * (raw - stop)
    assert -1e-6 * step - 1e-9 * average <= distance <= step * (1.0 + 1e-6) + 1e-9 * average


@given(prices, sides, st.floats(min_value=0.0, max_value=100.0), st.integers(1, 10_000))
def test_a_round_trip_at_one_price_never_gains(price: float, side: int, bps: float, lots: int) -> None:
    entry = market_fill_price(price, side, bps)
    leave = market_fill_price(price, -side, bps)
    assert side * (leave - entry) <= 0.0
    assert commission_micro(entry, lots, 1, 1.0, IB_FIXED) >= 0
