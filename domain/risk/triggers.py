"""Say which halts the account's figures call for after a bar's marks (requirement B1)."""

from __future__ import annotations

from typing import NamedTuple

from domain.records import HaltTrigger
from domain.risk.bounds import exceeds, reaches
from domain.risk.checks import percent
from domain.risk.limits import RiskLimits


class AccountFigures(NamedTuple):
    """Hold the account after a bar's marks; `equity` in the account's currency, the rest as fractions."""

    equity: float
    daily_loss: float
    drawdown: float
    heat: float
    gross_exposure: float


def breached(figures: AccountFigures, limits: RiskLimits) -> list[tuple[HaltTrigger, str]]:
    """Return each trigger whose threshold is passed, with the figures in words, the mildest first.

    Loss and drawdown bind when reached (>=); heat halts when reached, exposure reduces when exceeded (>).
    """
    found: list[tuple[HaltTrigger, str]] = []
    loss, fall = figures.daily_loss, figures.drawdown
    if reaches(loss, limits.max_daily_loss):
        found.append((HaltTrigger.DAILY_LOSS, _reached("daily loss", loss, limits.max_daily_loss)))
    if limits.drawdown_protection and reaches(fall, limits.max_total_drawdown):
        found.append((HaltTrigger.DRAWDOWN, _reached("drawdown", fall, limits.max_total_drawdown)))
    if exceeds(figures.gross_exposure, limits.max_gross_exposure):
        words = f"gross exposure of {percent(figures.gross_exposure)} is above {percent(limits.max_gross_exposure)}"
        found.append((HaltTrigger.EXPOSURE, words))
    if reaches(loss, limits.halt_daily_loss):
        found.append((HaltTrigger.DAILY_LOSS_SEVERE, _reached("daily loss", loss, limits.halt_daily_loss)))
    if reaches(fall, limits.halt_drawdown):  # stands whatever `drawdown_protection` says
        found.append((HaltTrigger.DRAWDOWN_SEVERE, _reached("drawdown", fall, limits.halt_drawdown)))
    if reaches(figures.heat, limits.halt_heat):
        found.append((HaltTrigger.HEAT, _reached("portfolio heat", figures.heat, limits.halt_heat)))
    return found


def _reached(name: str, value: float, limit: float) -> str:
    return f"{name} of {percent(value)} has reached {percent(limit)}"
