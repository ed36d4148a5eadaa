from __future__ import annotations

import math

import pytest

from domain.risk.assessment import RiskAssessment, assess
from tests.money import LIMITS


def assessed(
    equity: float = 100_000.0, day_start: float = 100_000.0, peak: float = 100_000.0, **more: float
) -> RiskAssessment:
    figures = {"heat": 0.0, "gross_usd": 0.0, "net_usd": 0.0, **more}
    return assess(equity=equity, day_start_equity=day_start, peak_equity=peak, limits=LIMITS, **figures)


def test_a_healthy_account_is_safe_and_shows_every_check() -> None:
    found = assessed(heat=0.0107, gross_usd=35_000.0, net_usd=-20_000.0)
    assert found.is_safe_to_trade
    assert found.reasons == ()
    assert [check.name for check in found.checks] == [
        "daily loss",
        "drawdown",
        "portfolio heat",
        "gross exposure",
        "net exposure",
    ]
    assert (found.gross_exposure, found.net_exposure, found.heat_level) == (0.35, -0.2, 0)
    assert found.checks[2].text == "portfolio heat of 1.070 % is within the limit of 25.000 %"


@pytest.mark.parametrize(
    ("equity", "safe"), [(97_999.0, False), (98_000.0, False), (98_000.01, True), (99_000.0, True)]
)
def test_a_daily_loss_of_exactly_its_limit_is_not_safe(equity: float, safe: bool) -> None:
    """A8: 2.001 % down on the day -> not safe; exactly 2 % (98,000 of 100,000) -> refused with its reason."""
    found = assessed(equity)
    assert found.is_safe_to_trade is safe
    assert [text.split(" of ")[0] for text in found.reasons] == ([] if safe else ["daily loss"])


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"day_start": 90_000.0, "equity": 90_000.0}, "drawdown"),
        ({"heat": 0.30}, "portfolio heat"),
        ({"gross_usd": 100_001.0}, "gross exposure"),
        ({"net_usd": -100_001.0}, "net exposure"),
    ],
)
def test_each_limit_alone_makes_it_unsafe(arguments: dict[str, float], name: str) -> None:
    found = assessed(**arguments)
    assert not found.is_safe_to_trade
    assert [check.name for check in found.checks if not check.passed] == [name]


def test_heat_and_exposure_at_their_limits_are_safe() -> None:
    assert assessed(heat=0.25, gross_usd=100_000.0, net_usd=100_000.0).is_safe_to_trade


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan])
def test_an_account_without_equity_is_never_safe(equity: float) -> None:
    assert not assessed(equity, day_start=0.0, peak=0.0).is_safe_to_trade
    assert not assessed(equity).is_safe_to_trade


def test_drawdown_protection_off_shows_the_drawdown_and_passes() -> None:
    found = assess(
        equity=80_000.0,
        day_start_equity=80_000.0,
        peak_equity=100_000.0,
        heat=0.0,
        gross_usd=0.0,
        net_usd=0.0,
        limits=LIMITS._replace(drawdown_protection=False),
    )
    assert found.drawdown == pytest.approx(0.2)
    assert found.is_safe_to_trade
