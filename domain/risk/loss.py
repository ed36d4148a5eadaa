"""Measure losses from the start of the day and from the peak; their limits bind when reached (requirement A8)."""

from __future__ import annotations

from domain.risk.bounds import reaches


def daily_loss(day_start_equity: float, equity: float) -> float:
    """Return the loss since the session began as a fraction of its opening equity; 0.0 when there is none."""
    return fraction_lost(day_start_equity, equity)


def drawdown(peak_equity: float, equity: float) -> float:
    """Return the fall from the peak as a fraction of the peak; 0.0 at or above it."""
    return fraction_lost(peak_equity, equity)


def fraction_lost(reference: float, equity: float) -> float:
    """Return (reference - equity) / reference, at least 0.0; 1.0 (all lost) when `reference` is not positive."""
    if not (reference > 0.0):
        return 1.0
    lost = (reference - equity) / reference
    if lost < 0.0:
        return 0.0
    return lost


def raised_peak(peak_equity: float, equity: float) -> float:
    """Return the new peak, which only rises."""
    if equity > peak_equity:
        return equity
    return peak_equity


def loss_binds(fraction: float, limit: float) -> bool:
    """Return whether a loss has reached its limit (>=); a loss that is not a number has."""
    return reaches(fraction, limit)
