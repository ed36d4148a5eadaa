"""Figures call for halts at the thresholds of requirement B1."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.halts import RUNG_OF
from domain.records import HaltTrigger, Rung
from domain.risk.triggers import AccountFigures, breached
from tests.money import LIMITS

CALM = {"equity": 100_000.0, "daily_loss": 0.0, "drawdown": 0.0, "heat": 0.0, "gross_exposure": 0.0}


def triggers(limits: object = LIMITS, **figures: float) -> list[str]:
    found = breached(AccountFigures(**(CALM | figures)), limits)  # type: ignore[arg-type]
    return [trigger.value for trigger, _ in found]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, []),
        ({"daily_loss": 0.01999}, []),
        ({"daily_loss": 0.02}, ["daily_loss"]),
        ({"daily_loss": 1 - 98_000 / 100_000}, ["daily_loss"]),
        ({"daily_loss": 0.04999}, ["daily_loss"]),
        ({"daily_loss": 0.05}, ["daily_loss", "daily_loss_severe"]),
        ({"drawdown": 0.0999}, []),
        ({"drawdown": 0.10}, ["drawdown"]),
        ({"drawdown": 0.15}, ["drawdown", "drawdown_severe"]),
        ({"gross_exposure": 1.0}, []),
        ({"gross_exposure": 1.0001}, ["exposure"]),
        ({"heat": 0.3999}, []),
        ({"heat": 0.40}, ["heat"]),
        ({"heat": math.inf}, ["heat"]),
        (
            {"daily_loss": 1.0, "drawdown": 1.0},
            ["daily_loss", "drawdown", "daily_loss_severe", "drawdown_severe"],
        ),
    ],
)
def test_thresholds(figures: dict[str, float], expected: list[str]) -> None:
    """Loss, drawdown and the halt on heat bind when reached (>=), exposure when exceeded (>)."""
    assert triggers(**figures) == expected


def test_drawdown_protection_can_be_switched_off() -> None:
    """A5 `enable_drawdown_protection`: the reduction goes, the halt stands."""
    unprotected = LIMITS._replace(drawdown_protection=False)
    assert triggers(unprotected, drawdown=0.1499) == []
    assert triggers(unprotected, drawdown=0.15) == [HaltTrigger.DRAWDOWN_SEVERE]


def test_reason_says_the_figure_and_the_limit() -> None:
    ((_, why),) = breached(AccountFigures(**(CALM | {"daily_loss": 0.0213})), LIMITS)
    assert why == "daily loss of 2.130 % has reached 2.000 %"


@given(**{name: st.floats(0.0, 2.0) for name in ("daily_loss", "drawdown", "heat", "gross_exposure")})
def test_worse_figures_never_lead_to_a_lower_rung(**figures: float) -> None:
    def rung(scale: float) -> Rung:
        worse = {name: value * scale for name, value in figures.items()}
        return max((RUNG_OF[HaltTrigger(name)] for name in triggers(**worse)), default=Rung.ACTIVE)

    assert rung(1.0) <= rung(1.5)


@pytest.mark.parametrize("name", ["daily_loss", "drawdown", "heat", "gross_exposure"])
def test_figure_that_is_no_number_breaches(name: str) -> None:
    """Gates fail closed."""
    assert triggers(**{name: math.nan})
