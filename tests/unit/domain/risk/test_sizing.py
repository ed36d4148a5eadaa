from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.sizing import SizeCode, free_capital, position_size, size_position, symbol_room
from tests.money import LIMITS

GOOD: dict[str, float] = {
    "confidence": 0.8,
    "equity": 100_000.0,
    "heat": 0.0,
    "capital": 100_000.0,
    "room": 10_000.0,
}


@pytest.mark.parametrize(
    ("changes", "size", "code"),
    [
        ({"confidence": 0.6}, 2_000.0, SizeCode.CONFIDENCE_SCALE),
        ({"confidence": 0.7}, 2_750.0, SizeCode.CONFIDENCE_SCALE),
        ({"confidence": 0.8}, 3_500.0, SizeCode.CONFIDENCE_SCALE),
        ({"confidence": 1.0}, 5_000.0, SizeCode.CONFIDENCE_SCALE),
        ({"confidence": 0.599}, 0.0, SizeCode.LOW_CONFIDENCE),
        ({"equity": 3_000.0}, 2_000.0, SizeCode.RISK_PER_TRADE),
        ({"equity": 700.0}, 0.0, SizeCode.RISK_PER_TRADE),
        ({"heat": 0.2491}, 3_000.0, SizeCode.HEAT_LEFT),
        ({"heat": 0.24985}, 500.0, SizeCode.HEAT_LEFT),
        ({"heat": 0.24986}, 0.0, SizeCode.HEAT_LEFT),
        ({"heat": 0.30}, 0.0, SizeCode.HEAT_LEFT),
        ({"capital": 1_234.5}, 1_234.5, SizeCode.FREE_CAPITAL),
        ({"capital": 499.99}, 0.0, SizeCode.FREE_CAPITAL),
        ({"capital": 500.0}, 500.0, SizeCode.FREE_CAPITAL),
        ({"room": 900.0}, 900.0, SizeCode.SYMBOL_ROOM),
        ({"room": 0.0}, 0.0, SizeCode.SYMBOL_ROOM),
    ],
)
def test_each_step_caps_the_size(changes: dict[str, float], size: float, code: SizeCode) -> None:
    """A7: from confidence, risk per trade, heat left, capital and size limits."""
    result = size_position(**{**GOOD, **changes}, limits=LIMITS)
    assert result.size_usd == pytest.approx(size, abs=1e-6)
    assert result.code is code
    assert result.approved == (size > 0.0)
    assert result.reason


def test_a_refusal_names_the_step_and_the_minimum() -> None:
    result = size_position(**{**GOOD, "capital": 420.0}, limits=LIMITS)
    assert result.reason == "the free capital allows $420.00, below the minimum position size of $500.00"
    low = size_position(**{**GOOD, "confidence": 0.5}, limits=LIMITS)
    assert low.reason == "confidence 0.500 is below the minimum of 0.600"


def test_every_step_is_shown_for_the_audit() -> None:
    result = size_position(**{**GOOD, "heat": 0.1}, limits=LIMITS)
    assert result.from_confidence_usd == pytest.approx(3_500.0)
    assert result.risk_per_trade_usd == pytest.approx(66_666.6667)
    assert result.heat_left_usd == pytest.approx(500_000.0)
    assert (result.free_capital_usd, result.symbol_room_usd) == (100_000.0, 10_000.0)


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.01])
def test_arguments_that_are_no_sound_figures_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        size_position(**{**GOOD, name: value}, limits=LIMITS)


@pytest.mark.parametrize(("name", "value"), [("confidence", 1.01), ("equity", 0.0)])
def test_arguments_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        size_position(**{**GOOD, name: value}, limits=LIMITS)


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_the_scalar_function_refuses_what_is_not_a_number(place: int, value: float) -> None:
    """Gates fail closed, also where no one checks arguments (heat of minus infinity only adds room)."""
    arguments: list[Any] = [*GOOD.values(), LIMITS]
    arguments[place] = value
    size, _ = position_size(*arguments)
    expected = 3_500.0 if (place == 2 and value == -math.inf) else 0.0
    assert size == pytest.approx(expected)


def test_a_minimum_confidence_of_one_gives_the_maximum_size() -> None:
    limits = LIMITS._replace(min_confidence=1.0)
    assert size_position(**{**GOOD, "confidence": 1.0}, limits=limits).size_usd == 5_000.0


@pytest.mark.parametrize(
    ("share", "gross", "cash", "free"),
    [
        (1.0, 20_000.0, 80_000.0, 80_000.0),
        (0.5, 20_000.0, 80_000.0, 30_000.0),
        (0.5, 60_000.0, 40_000.0, 0.0),
        (1.0, 20_000.0, 120_000.0, 80_000.0),
        (1.0, 90_000.0, 5_000.0, 5_000.0),
        (1.0, 0.0, -1.0, 0.0),
    ],
)
def test_a_book_spends_its_share_and_never_more_than_the_cash(
    share: float, gross: float, cash: float, free: float
) -> None:
    assert free_capital(share, 100_000.0, gross, cash) == free


@pytest.mark.parametrize(
    ("held", "room"), [(0.0, 10_000.0), (4_000.0, 6_000.0), (-4_000.0, 6_000.0), (11_000.0, 0.0)]
)
def test_room_is_what_the_symbol_limit_leaves(held: float, room: float) -> None:
    assert symbol_room(100_000.0, held, LIMITS) == room


fractions = st.floats(min_value=0.0, max_value=1.0)
money = st.floats(min_value=0.0, max_value=1e7)


@given(fractions, st.floats(min_value=0.01, max_value=1e7), fractions, money, money)
def test_a_size_never_exceeds_any_of_its_bounds(
    confidence: float, equity: float, heat: float, capital: float, room: float
) -> None:
    result = size_position(
        confidence=confidence, equity=equity, heat=heat, capital=capital, room=room, limits=LIMITS
    )
    bounds = (
        result.from_confidence_usd,
        result.risk_per_trade_usd,
        result.heat_left_usd,
        result.free_capital_usd,
        result.symbol_room_usd,
        LIMITS.position_size_max_usd,
    )
    assert result.size_usd == 0.0 or LIMITS.position_size_min_usd - 1e-6 <= result.size_usd <= min(bounds)
    assert result.approved == (result.size_usd > 0.0)
    # Refused only where a bound truly is below the minimum.
    if not result.approved and result.code is not SizeCode.LOW_CONFIDENCE:
        assert min(bounds) < LIMITS.position_size_min_usd


@given(fractions, fractions)
def test_more_confidence_never_earns_less(one: float, other: float) -> None:
    low, high = sorted((one, other))
    small = size_position(**{**GOOD, "confidence": low}, limits=LIMITS).size_usd
    large = size_position(**{**GOOD, "confidence": high}, limits=LIMITS).size_usd
    assert small <= large
