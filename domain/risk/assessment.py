"""Assess the account: each loss and exposure limit, passed or not, and whether it is safe to trade (requirement A8)."""

from __future__ import annotations

from dataclasses import dataclass

from domain.risk.bounds import exceeds, reaches
from domain.risk.checks import percent
from domain.risk.heat import heat_level
from domain.risk.limits import RiskLimits
from domain.risk.loss import daily_loss, drawdown
from domain.risk.measures import share_of_equity


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """Say whether the account passes one limit, with the fraction found and the limit, and both in words."""

    name: str
    passed: bool
    value: float
    limit: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAssessment:
    """Hold the account's risk at one moment; `reasons` are the texts of the checks that failed.

    `equity` is in the account's currency, `heat_level` counts the heat warnings reached, the rest are fractions.
    """

    equity: float
    daily_loss: float
    drawdown: float
    heat: float
    heat_level: int
    gross_exposure: float
    net_exposure: float
    checks: tuple[CheckResult, ...]
    is_safe_to_trade: bool
    reasons: tuple[str, ...]


def assess(
    *,
    equity: float,
    day_start_equity: float,
    peak_equity: float,
    heat: float,
    gross_usd: float,
    net_usd: float,
    limits: RiskLimits,
) -> RiskAssessment:
    """Return the assessment of an account; losses bind when reached (>=), heat and exposure when exceeded (>).

    With drawdown protection switched off the drawdown is shown but passes.
    """
    lost, fallen = daily_loss(day_start_equity, equity), drawdown(peak_equity, equity)
    gross, net = share_of_equity(gross_usd, equity), share_of_equity(net_usd, equity)
    fallen_too_far = limits.drawdown_protection and reaches(fallen, limits.max_total_drawdown)
    checks = (
        _result(
            "daily loss", "has reached", lost, limits.max_daily_loss, reaches(lost, limits.max_daily_loss)
        ),
        _result("drawdown", "has reached", fallen, limits.max_total_drawdown, fallen_too_far),
        _over("portfolio heat", heat, limits.max_portfolio_heat),
        _over("gross exposure", gross, limits.max_gross_exposure),
        _over("net exposure", abs(net), limits.max_net_exposure),
    )
    failed = tuple(check.text for check in checks if not check.passed)
    return RiskAssessment(
        equity=equity,
        daily_loss=lost,
        drawdown=fallen,
        heat=heat,
        heat_level=heat_level(heat, limits.heat_warnings),
        gross_exposure=gross,
        net_exposure=net,
        checks=checks,
        is_safe_to_trade=not failed,
        reasons=failed,
    )


def _over(name: str, value: float, limit: float) -> CheckResult:
    return _result(name, "is above", value, limit, exceeds(value, limit))


def _result(name: str, verb: str, value: float, limit: float, failed: bool) -> CheckResult:
    relation = verb if failed else "is within"
    text = f"{name} of {percent(value)} {relation} the limit of {percent(limit)}"
    return CheckResult(name=name, passed=not failed, value=value, limit=limit, text=text)
